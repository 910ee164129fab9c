package authoring

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"leviathan/gateway/engine"
)

// A Fate is what became of a mutant.
type Fate string

// The fates. Only what compiles counts.
const (
	Killed   Fate = "killed"   // a test failed
	TimedOut Fate = "timeout"  // a test did not end; that is a kill, too
	Survived Fate = "survived" // every test passed
	Invalid  Fate = "invalid"  // it does not compile
)

// An Outcome is a mutant and its fate.
type Outcome struct {
	Mutant
	Fate   Fate   `json:"fate"`
	Test   string `json:"test,omitempty"`   // the one that killed it
	Reason string `json:"reason,omitempty"` // why it may survive, from a list of survivors
}

// MutateOptions say how a bundle's tests are put to the proof.
type MutateOptions struct {
	// Package is the only one to change, without "data."; empty for all.
	Package string
	// Timeout bounds all the tests of one mutant. 0 means a minute.
	Timeout time.Duration
	// Workers is how many mutants are tried at once. 0 means the processors.
	Workers int
	// Progress, which may be nil, hears how many are done. It is called by one
	// goroutine at a time.
	Progress func(done, total int)
}

// A MutationReport says how good the tests of a bundle are.
type MutationReport struct {
	Mutants  []Outcome `json:"mutants"` // by file, line and column
	Killed   int       `json:"killed"`  // those that timed out among them
	TimedOut int       `json:"timed_out"`
	Survived int       `json:"survived"`
	Invalid  int       `json:"invalid"`
	// Unasked is how many more there would be of rules that no answer depends
	// on: tables for readers and tests.
	Unasked int `json:"unasked"`
	// Score is how many of those that compile were killed, in percent; 100 if
	// there are none.
	Score float64 `json:"score"`

	partial bool // of one package only
}

// Mutate changes the bundle's policies at one place at a time and runs the
// bundle's tests on each change. A test kills a mutant if its value is another
// than on the policies themselves, where all must pass. Builtin errors are
// errors, as they are in a decision.
func Mutate(ctx context.Context, s *engine.Snapshot, opts MutateOptions) (MutationReport, error) {
	first, err := newBench(s)
	if err != nil {
		return MutationReport{}, err
	}
	tests, err := first.suite(ctx, opts.Package)
	if err != nil {
		return MutationReport{}, err
	}
	chosen, unasked, err := first.choose(opts.Package)
	if err != nil {
		return MutationReport{}, err
	}
	if opts.Package != "" && len(chosen)+unasked == 0 {
		return MutationReport{}, errors.New("no rule is in the package " + opts.Package)
	}
	r := run{tests: tests, opts: opts, outcomes: make([]Outcome, len(chosen)), chosen: chosen}
	if err := r.all(ctx, s, first); err != nil {
		return MutationReport{}, err
	}
	report := r.report()
	report.Unasked = unasked
	return report, nil
}

// choose are the indexes of the mutants in a package that an answer can depend
// on, and how many others there are.
func (b *bench) choose(pkg string) (chosen []int, unasked int, err error) {
	asked, err := b.asked()
	if err != nil {
		return nil, 0, err
	}
	for i, m := range b.mutants {
		switch {
		case pkg != "" && m.Package != pkg:
		case asked[place{m.File, m.first}]:
			chosen = append(chosen, i)
		default:
			unasked++
		}
	}
	return chosen, unasked, nil
}

// A run is the work on the chosen mutants.
type run struct {
	tests    []suiteTest
	opts     MutateOptions
	chosen   []int
	outcomes []Outcome
	next     atomic.Int64
	mu       sync.Mutex // over done
	done     int
}

// all gives every worker a bench of its own, the first the one that is there.
func (r *run) all(ctx context.Context, s *engine.Snapshot, first *bench) error {
	workers := cmp.Or(r.opts.Workers, runtime.GOMAXPROCS(0))
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() {
			b := first
			if i > 0 {
				if b, errs[i] = newBench(s); errs[i] != nil {
					return
				}
			}
			r.work(ctx, b)
		})
	}
	wg.Wait()
	return errors.Join(append(errs, ctx.Err())...)
}

// work takes mutants until none is left.
func (r *run) work(ctx context.Context, b *bench) {
	for ctx.Err() == nil {
		i := int(r.next.Add(1)) - 1
		if i >= len(r.chosen) {
			return
		}
		m := b.mutants[r.chosen[i]]
		undo := m.apply()
		r.outcomes[i] = r.try(ctx, b, m)
		undo()
		if r.opts.Progress != nil {
			r.mu.Lock()
			r.done++
			r.opts.Progress(r.done, len(r.chosen))
			r.mu.Unlock()
		}
	}
}

// try runs the tests on the mutant that the bench is now, until one fails: its
// package's own first, compiled with no more than they need, then all others.
func (r *run) try(ctx context.Context, b *bench, m Mutant) Outcome {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(r.opts.Timeout, time.Minute))
	defer cancel()
	var own, others []suiteTest
	for _, t := range inOrder(r.tests, m) {
		if t.pkg == m.Package+"_test" {
			own = append(own, t)
		} else {
			others = append(others, t)
		}
	}
	near := b.needs[m.Package+"_test"]
	if len(own) == 0 && len(others) == 0 {
		near = b.needs[m.Package] // no test looks at it; does it compile?
	}
	if len(own) == 0 && len(others) > 0 {
		return attempt(ctx, b, m, b.neededBy(others), others)
	}
	if o := attempt(ctx, b, m, near, own); o.Fate != Survived || len(others) == 0 {
		return o
	}
	return attempt(ctx, b, m, b.neededBy(others), others)
}

// neededBy are the modules that the tests are compiled with.
func (b *bench) neededBy(tests []suiteTest) map[string]*ast.Module {
	modules, seen := map[string]*ast.Module{}, map[string]bool{}
	for _, t := range tests {
		if !seen[t.pkg] {
			seen[t.pkg] = true
			maps.Copy(modules, b.needs[t.pkg])
		}
	}
	return modules
}

// attempt runs the tests on these modules, which may be none.
func attempt(ctx context.Context, b *bench, m Mutant, modules map[string]*ast.Module, tests []suiteTest) Outcome {
	compiler, err := compile(modules)
	if err != nil {
		return Outcome{Mutant: m, Fate: Invalid}
	}
	for _, t := range tests {
		value, err := b.ask(ctx, compiler, t.ref, nil)
		switch {
		case ctx.Err() != nil:
			return Outcome{Mutant: m, Fate: TimedOut, Test: t.name}
		case err != nil, value == nil, value.Compare(t.value) != 0:
			return Outcome{Mutant: m, Fate: Killed, Test: t.name}
		}
	}
	return Outcome{Mutant: m, Fate: Survived}
}

// inOrder are the tests that the mutant can change, the likeliest to kill it
// first: those that evaluate its line, and of those the cheapest. A test that
// never looks at the mutant's rule evaluates as it did before. A default is
// not traced, nor is a rule without a body: then every test counts that reaches
// the package.
func inOrder(tests []suiteTest, m Mutant) []suiteTest {
	var order []suiteTest
	blind := m.isDefault || !slices.ContainsFunc(tests, func(t suiteTest) bool { return t.looksAt(m) })
	for _, t := range tests {
		_, reaches := t.reach[m.Package]
		if t.looksAt(m) || reaches && blind {
			order = append(order, t)
		}
	}
	distance := func(t suiteTest) int {
		if _, ok := t.rows[m.File][m.Line]; ok {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(order, func(a, b suiteTest) int {
		return cmp.Or(cmp.Compare(distance(a), distance(b)), cmp.Compare(a.took, b.took))
	})
	return order
}

// looksAt reports whether the test's evaluation enters the mutant's rule.
func (t suiteTest) looksAt(m Mutant) bool {
	for row := m.first; row <= m.last; row++ {
		if _, ok := t.rows[m.File][row]; ok {
			return true
		}
	}
	return false
}

// report counts.
func (r *run) report() MutationReport {
	report := MutationReport{Mutants: r.outcomes, Score: 100, partial: r.opts.Package != ""}
	for _, o := range r.outcomes {
		switch o.Fate {
		case TimedOut:
			report.TimedOut++
			report.Killed++
		case Killed:
			report.Killed++
		case Survived:
			report.Survived++
		case Invalid:
			report.Invalid++
		}
	}
	if n := report.Killed + report.Survived; n > 0 {
		report.Score = 100 * float64(report.Killed) / float64(n)
	}
	return report
}
