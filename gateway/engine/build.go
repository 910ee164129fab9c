package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"

	"leviathan/gateway"
)

// A StepResult is one step on the way to activation and how it ended: held,
// refused for its Problems, or not asked.
type StepResult struct {
	Step     Step
	Held     bool
	Seconds  float64 // how long it took
	Detail   string
	Problems []gateway.Diagnostic // none unless it refused
}

// A recorder collects the results of the steps.
type recorder struct{ results []StepResult }

// run takes one step. A refusal carries the results as far as itself.
func (r *recorder) run(step Step, f func() (detail string, err error)) error {
	began := time.Now()
	detail, err := f()
	result := StepResult{Step: step, Held: err == nil, Seconds: time.Since(began).Seconds(), Detail: detail}
	if err == nil {
		r.results = append(r.results, result)
		return nil
	}
	var refused *LoadError
	if !errors.As(err, &refused) {
		refused = refuse(step, "", err, "%v", err)
	}
	result.Problems = refused.Problems
	r.results = append(r.results, result)
	refused.Steps = r.results
	return refused
}

// A builder makes a Snapshot, step by step.
type builder struct {
	*Snapshot
	recorder
	manifest bundle.Manifest
	data     map[string]any
	modules  map[string]*ast.Module // by file: all, or of a tested bundle those that decide
}

// load takes what read gives through every step of loading.
func load(ctx context.Context, opts Options, read func() (content, error)) (*Snapshot, error) {
	b := builder{Snapshot: &Snapshot{opts: opts}}
	for _, step := range []struct {
		step Step
		run  func() (string, error)
	}{
		{StepRead, func() (string, error) { return b.read(read) }},
		{StepParse, b.parse},
		{StepCompile, b.compile},
		{StepMetadata, b.metadata},
		{StepEntrypoint, func() (string, error) { return b.entrypoint(ctx) }},
	} {
		if err := b.run(step.step, step.run); err != nil {
			return nil, err
		}
	}
	b.Snapshot.steps = b.results
	return b.Snapshot, nil
}

func (b *builder) read(read func() (content, error)) (string, error) {
	c, err := read()
	if err != nil {
		return "", err
	}
	signed, err := c.verify(b.opts)
	if err != nil {
		return "", err
	}
	if b.packed, err = pack(c.files); err != nil {
		return "", err
	}
	b.files, b.digest = c.files, digestOf(b.packed)
	if b.manifest, err = readManifest(c.files); err != nil {
		return "", err
	}
	if b.revision = b.manifest.Revision; b.revision == "" {
		b.revision = b.digest[len("sha256:"):][:12]
	}
	if b.data, err = readData(c.files, b.manifest); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d files, %d bytes, %s", len(c.files), len(b.packed), signed), nil
}

func (b *builder) parse() (_ string, err error) {
	if b.opts.Tested {
		b.modules, err = parseReachable(b.files, b.manifest)
		return fmt.Sprintf("%d modules that the answer depends on", len(b.modules)), err
	}
	b.modules, err = parse(b.files, b.manifest)
	b.parsed.Store(&b.modules)
	return fmt.Sprintf("%d modules", len(b.modules)), err
}

func (b *builder) compile() (_ string, err error) {
	b.compiler, err = compile(liveModules(b.modules), b.data)
	return "", err
}

func (b *builder) metadata() (_ string, err error) {
	if b.codes, err = readCodes(liveModules(b.modules)); err != nil {
		return "", err
	}
	b.documented = map[string]bool{}
	for _, c := range append(Failures(), b.codes...) {
		b.documented[c.Code] = true
	}
	b.deadlines, err = readDeadlines(b.compiler)
	return fmt.Sprintf("%d codes", len(b.codes)), err
}

func (b *builder) entrypoint(ctx context.Context) (_ string, err error) {
	if err := findEntrypoint(b.compiler); err != nil {
		return "", err
	}
	b.store = newStore(b.data)
	detail := entrypoint
	if !b.opts.Interpreted {
		if b.machine, err = newMachine(ctx, resultVar+" = "+entrypoint, b.compiler, b.store, b.data); err != nil {
			detail += ", interpreted: " + err.Error() // slower, and as right
		}
	}
	if b.query, err = prepare(ctx, b.compiler, b.store); err != nil {
		return "", err
	}
	b.mask, err = prepareMask(ctx, b.compiler, b.store)
	return detail, err
}

// live are the rules that decide, each after those that it depends on.
func (s *Snapshot) live() []*ast.Rule {
	sorted, _ := s.compiler.Graph.Sort() // that it can be sorted was seen by compiling it
	rules := make([]*ast.Rule, 0, len(sorted))
	for _, node := range sorted {
		if rule, ok := node.(*ast.Rule); ok {
			rules = append(rules, rule)
		}
	}
	return rules
}
