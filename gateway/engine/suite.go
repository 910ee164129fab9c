package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/tester"
	"github.com/open-policy-agent/opa/v1/topdown"

	"leviathan/gateway"
)

// testTimeout is hundreds of times what a test of a policy takes.
const testTimeout = 10 * time.Second

// TestOptions say how the bundle's own tests are run.
type TestOptions struct {
	// Timeout bounds each test. 0 means 10 s.
	Timeout time.Duration
	// MinCoverage is the least line coverage, in percent, that passes. 0 asks
	// for none.
	MinCoverage float64
	// NoCoverage leaves the coverage unmeasured, which takes half the time.
	NoCoverage bool
}

// A TestReport is what the tests of a bundle said, in an order that does not
// change.
type TestReport struct {
	Tests []TestResult   `json:"tests"`
	Files []FileCoverage `json:"files"` // of the policies, not of the tests
	// Covered and Lines count the lines of all policies; Coverage is percent.
	Covered  int     `json:"covered"`
	Lines    int     `json:"lines"`
	Coverage float64 `json:"coverage"`
}

// A TestResult is one test's.
type TestResult struct {
	Name    string `json:"name"`
	Package string `json:"package"` // without "data."
	File    string `json:"file"`
	Line    int    `json:"line"`
	Pass    bool   `json:"pass"`
	Skipped bool   `json:"skipped,omitempty"` // its name begins with todo_; it does not count as a test
	Output  string `json:"output,omitempty"`  // what it printed
	Message string `json:"message,omitempty"` // why it failed
}

// A FileCoverage is how much of one policy file the tests have evaluated.
type FileCoverage struct {
	File      string  `json:"file"`
	Covered   int     `json:"covered"`
	Lines     int     `json:"lines"`
	Coverage  float64 `json:"coverage"` // percent; 100 for a file without rules
	Uncovered []int   `json:"uncovered,omitempty"`
}

// Test runs the tests that the bundle itself contains, with the capabilities
// and the strictness of a decision, and measures the coverage. The error is nil
// only if there is at least one test, all pass, and the coverage suffices;
// otherwise a *LoadError at StepTest or StepCoverage names each failure, and the
// report is as complete as the run was. The first test that does not end within
// its time ends the run.
func (s *Snapshot) Test(ctx context.Context, opts TestOptions) (TestReport, error) {
	report, err := s.runSuite(ctx, opts)
	if err != nil {
		return report, err
	}
	if err := report.failures(); err != nil {
		return report, err
	}
	return report, report.gaps(opts.MinCoverage)
}

// runSuite compiles everything, tests too, and runs every test. The error is of
// tests that could not be run, not of those that failed.
func (s *Snapshot) runSuite(ctx context.Context, opts TestOptions) (TestReport, error) {
	data, err := s.Data()
	if err != nil {
		return TestReport{}, err
	}
	modules, err := s.modules()
	if err != nil {
		return TestReport{}, err
	}
	s.parsed.Store(nil) // the largest part of a bundle, and hardly ever needed again
	store := newStore(data)
	txn, err := store.NewTransaction(ctx, storage.TransactionParams{})
	if err != nil {
		return TestReport{}, refuse(StepTest, "", err, "open the bundle's data: %v", err)
	}
	defer store.Abort(ctx, txn)

	timeout := cmp.Or(opts.Timeout, testTimeout)
	runner := tester.NewRunner().
		SetCompiler(newCompiler(data, true)).
		SetStore(store).
		SetModules(modules).
		CapturePrintOutput(true).
		RaiseBuiltinErrors(true).
		SetTimeout(timeout)
	tracer := cover.New()
	if !opts.NoCoverage {
		runner.SetCoverageRuns(nil).SetCoverageQueryTracer(tracer)
	}
	run, stop := context.WithCancel(ctx)
	defer stop()
	results, err := runner.RunTests(run, txn)
	if err != nil {
		return TestReport{}, refuseAll(StepTest, diagnostics("", err))
	}
	var report TestReport
	stopped := false
	for r := range results {
		switch late := isCancelled(r.Error); {
		case late && stopped && r.Duration < timeout:
			continue // not the test's fault
		case late && ctx.Err() == nil:
			// A bundle in which each test takes its whole time must not keep the
			// gate for hours.
			stopped = true
			stop()
			r.Error = fmt.Errorf("it did not end within its time; it was stopped after %.3g s", r.Duration.Seconds())
		}
		report.Tests = append(report.Tests, testResult(r))
	}
	slices.SortFunc(report.Tests, func(a, b TestResult) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Name, b.Name))
	})
	if !opts.NoCoverage {
		report.measure(tracer.Report(liveModules(modules)))
	}
	if err := ctx.Err(); err != nil {
		return report, refuse(StepTest, "", err, "run tests: %v", err)
	}
	return report, nil
}

// isCancelled reports whether an evaluation was stopped from outside.
func isCancelled(err error) bool {
	return topdown.IsCancel(err) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

func testResult(r *tester.Result) TestResult {
	out := TestResult{
		Name:    r.Name,
		Package: strings.TrimPrefix(r.Package, "data."),
		Pass:    r.Pass(),
		Skipped: r.Skip,
		Output:  string(r.Output),
	}
	if r.Location != nil {
		out.File, out.Line = r.Location.File, r.Location.Row
	}
	switch {
	case r.Error != nil:
		out.Message = r.Error.Error()
	case r.Fail:
		out.Message = "the test is not true"
		for names, sub := range r.SubResults.Iter {
			if sub.Fail && len(sub.SubResults) == 0 {
				out.Message += "; case " + path.Join(names...)
			}
		}
	}
	return out
}

// measure fills in the coverage.
func (t *TestReport) measure(report cover.Report) {
	for name, f := range report.Files {
		if isTest(name) {
			continue
		}
		file := FileCoverage{File: name, Coverage: 100}
		covered, uncovered := rows(f.Covered), rows(f.NotCovered)
		// A line of which some expression was not evaluated is not covered.
		for row := range uncovered {
			delete(covered, row)
			file.Uncovered = append(file.Uncovered, row)
		}
		slices.Sort(file.Uncovered)
		file.Covered, file.Lines = len(covered), len(covered)+len(uncovered)
		if file.Lines > 0 {
			file.Coverage = 100 * float64(file.Covered) / float64(file.Lines)
		}
		t.Covered, t.Lines = t.Covered+file.Covered, t.Lines+file.Lines
		t.Files = append(t.Files, file)
	}
	slices.SortFunc(t.Files, func(a, b FileCoverage) int { return cmp.Compare(a.File, b.File) })
	if t.Lines > 0 {
		t.Coverage = 100 * float64(t.Covered) / float64(t.Lines)
	}
}

// rows are the first lines of the ranges: where an expression spans several
// lines, its parts are ranges of their own.
func rows(ranges []cover.Range) map[int]struct{} {
	set := make(map[int]struct{}, len(ranges))
	for _, r := range ranges {
		set[r.Start.Row] = struct{}{}
	}
	return set
}

// failures is nil if there are tests and all of them passed.
func (t *TestReport) failures() error {
	var problems []gateway.Diagnostic
	ran := 0
	for _, r := range t.Tests {
		if !r.Skipped {
			ran++
		}
		if r.Pass || r.Skipped {
			continue
		}
		message := fmt.Sprintf("test %s failed: %s", r.Name, r.Message)
		if output := strings.TrimSpace(r.Output); output != "" {
			message += "; it printed: " + output
		}
		problems = append(problems, gateway.Diagnostic{File: r.File, Line: r.Line, Message: message})
	}
	if ran == 0 {
		problems = append(problems, gateway.Diagnostic{Message: "the bundle has no tests; a bundle that nobody tested is not activated"})
	}
	return refuseAll(StepTest, problems)
}

// gaps is nil if the tests evaluate enough of the policies.
func (t *TestReport) gaps(least float64) error {
	if t.Coverage >= least {
		return nil
	}
	problems := []gateway.Diagnostic{{
		Message: fmt.Sprintf("the tests cover %.1f %% of the lines; %.1f %% are asked for", t.Coverage, least)}}
	for _, f := range t.Files {
		for _, line := range f.Uncovered {
			problems = append(problems, gateway.Diagnostic{File: f.File, Line: line, Message: "no test evaluates this line"})
		}
	}
	return refuseAll(StepCoverage, problems)
}
