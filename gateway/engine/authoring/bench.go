package authoring

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/topdown"

	"leviathan/gateway/engine"
)

// A bench holds one copy of a bundle's modules and runs its tests on them. It
// is for one goroutine: mutants change its modules in place.
type bench struct {
	modules map[string]*ast.Module
	store   storage.Store
	mutants []Mutant // of the live modules
	// needs are, by package, the modules that it is compiled with: its own and
	// those of every package that it refers to, directly or not.
	needs map[string]map[string]*ast.Module
}

// newBench parses the bundle anew.
func newBench(s *engine.Snapshot) (*bench, error) {
	data, err := s.Data()
	if err != nil {
		return nil, err
	}
	b := &bench{modules: map[string]*ast.Module{}, store: inmem.NewFromObjectWithOpts(data, inmem.OptRoundTripOnWrite(false), inmem.OptReturnASTValuesOnRead(true))}
	opts := ast.ParserOptions{Capabilities: engine.Capabilities(), ProcessAnnotation: true, RegoVersion: ast.RegoV1}
	live := map[string]*ast.Module{}
	for name, text := range s.Files() {
		if !strings.HasSuffix(name, ".rego") {
			continue
		}
		m, err := ast.ParseModuleWithOpts(name, string(text), opts)
		if err != nil {
			return nil, fmt.Errorf("parse policy: %w", err)
		}
		b.modules[name] = m
		if !isTestFile(name) {
			live[name] = m
		}
	}
	b.mutants = mutants(live)
	b.needs = closures(b.modules)
	return b, nil
}

// closures are the modules that each package needs.
func closures(modules map[string]*ast.Module) map[string]map[string]*ast.Module {
	refers := map[string]map[string]bool{} // from package to package
	files := map[string][]string{}
	for name, m := range modules {
		files[dataPackage(m)] = append(files[dataPackage(m)], name)
	}
	for pkg, names := range files {
		refers[pkg] = map[string]bool{}
		for _, name := range names {
			ast.WalkRefs(modules[name], func(ref ast.Ref) bool {
				for n := 2; n <= len(ref.ConstantPrefix()); n++ {
					if other := strings.TrimPrefix(ref[:n].String(), "data."); files[other] != nil {
						refers[pkg][other] = true
					}
				}
				return false
			})
		}
	}
	needs := map[string]map[string]*ast.Module{}
	for pkg := range files {
		needs[pkg] = map[string]*ast.Module{}
		seen, todo := map[string]bool{pkg: true}, []string{pkg}
		for len(todo) > 0 {
			next := todo[0]
			todo = todo[1:]
			for _, name := range files[next] {
				needs[pkg][name] = modules[name]
			}
			for other := range refers[next] {
				if !seen[other] {
					seen[other] = true
					todo = append(todo, other)
				}
			}
		}
	}
	return needs
}

func dataPackage(m *ast.Module) string { return strings.TrimPrefix(m.Package.Path.String(), "data.") }

func isTestFile(name string) bool { return strings.HasSuffix(name, "_test.rego") }

// compile compiles modules as they are. It is not strict: that a mutant no
// longer reads a variable does not save it from the tests.
func compile(modules map[string]*ast.Module) (*ast.Compiler, error) {
	c := ast.NewCompiler().WithCapabilities(engine.Capabilities()).WithDefaultRegoVersion(ast.RegoV1)
	c.Compile(modules)
	if c.Failed() {
		return nil, c.Errors
	}
	return c, nil
}

// A suiteTest is one test as it is on the policies themselves.
type suiteTest struct {
	ref   ast.Ref
	name  string
	pkg   string
	value ast.Value
	took  time.Duration
	rows  map[string]map[int]struct{} // the lines of the rules that it looks at, by file
	reach map[string]struct{}         // the packages that it can reach
}

// errTestFails says that the tests fail without any change.
var errTestFails = errors.New("a test fails on the policies as they are")

// suite runs once, on the policies themselves, every test that can reach the
// package; without a package every test. The others notice none of its mutants.
func (b *bench) suite(ctx context.Context, pkg string) ([]suiteTest, error) {
	compiler, err := compile(b.modules)
	if err != nil {
		return nil, fmt.Errorf("compile policies and tests: %w", err)
	}
	var tests []suiteTest
	skipped := 0
	known := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(compiler.Modules)) {
		m := compiler.Modules[name]
		for _, rule := range m.Rules {
			ref := rule.Ref().GroundPrefix()
			last, ok := ref[len(m.Package.Path)].Value.(ast.String)
			if !isTestFile(name) || !ok || !strings.HasPrefix(string(last), "test_") || known[ref.String()] {
				continue
			}
			known[ref.String()] = true
			t := suiteTest{ref: ref, name: strings.TrimPrefix(ref.String(), "data."), pkg: dataPackage(m), rows: map[string]map[int]struct{}{}, reach: reachable(compiler, ref)}
			if _, ok := t.reach[pkg]; pkg != "" && !ok {
				skipped++
				continue
			}
			start := time.Now()
			if t.value, err = b.ask(ctx, compiler, ref, nil); err == nil {
				t.took = time.Since(start)
				_, err = b.ask(ctx, compiler, ref, rowTracer(t.rows))
			}
			if err != nil {
				return nil, fmt.Errorf("run %s: %w", t.name, err)
			}
			if !holdsTrue(t.value) {
				return nil, fmt.Errorf("%w: %s at %s:%d", errTestFails, t.name, name, rule.Location.Row)
			}
			tests = append(tests, t)
		}
	}
	if len(tests)+skipped == 0 {
		return nil, errors.New("the bundle has no tests")
	}
	return tests, nil
}

// reachable are the packages of the rules that a rule depends on.
func reachable(c *ast.Compiler, ref ast.Ref) map[string]struct{} {
	reach := map[string]struct{}{}
	dependencies(c, c.GetRules(ref), func(rule *ast.Rule) { reach[dataPackage(rule.Module)] = struct{}{} })
	return reach
}

// dependencies visits rules and every rule that they depend on, each once.
func dependencies(c *ast.Compiler, rules []*ast.Rule, visit func(*ast.Rule)) {
	seen := map[any]bool{}
	var from func(any)
	from = func(x any) {
		if seen[x] {
			return
		}
		seen[x] = true
		if rule, ok := x.(*ast.Rule); ok {
			visit(rule)
		}
		for next := range c.Graph.Dependencies(x) {
			from(next)
		}
	}
	for _, rule := range rules {
		from(rule)
	}
}

// A place is where a rule begins.
type place struct {
	file string
	line int
}

// asked are the places of the rules that an answer can depend on.
func (b *bench) asked() (map[place]bool, error) {
	c, err := compile(b.modules)
	if err != nil {
		return nil, fmt.Errorf("compile policies and tests: %w", err)
	}
	asked := map[place]bool{}
	for _, entrypoint := range engine.Entrypoints() {
		dependencies(c, c.GetRulesWithPrefix(ast.MustParseRef(entrypoint)), func(rule *ast.Rule) {
			asked[place{rule.Location.File, rule.Location.Row}] = true
		})
	}
	return asked, nil
}

// ask evaluates a reference; nil is undefined. With a tracer every rule that
// is looked at is entered: neither the index nor an early exit leaves one out.
func (b *bench) ask(ctx context.Context, c *ast.Compiler, ref ast.Ref, tracer topdown.QueryTracer) (value ast.Value, err error) {
	defer func() {
		// A mutant may hit a defect of the evaluator; that is an answer as well.
		if p := recover(); p != nil {
			value, err = nil, fmt.Errorf("the evaluator panicked: %v", p)
		}
	}()
	body, err := c.QueryCompiler().Compile(ast.NewBody(ast.Equality.Expr(ast.VarTerm("x"), ast.NewTerm(ref))))
	if err != nil {
		return nil, err
	}
	txn, err := b.store.NewTransaction(ctx)
	if err != nil {
		return nil, err
	}
	defer b.store.Abort(ctx, txn)
	cancel := topdown.NewCancel()
	defer context.AfterFunc(ctx, cancel.Cancel)()
	q := topdown.NewQuery(body).WithCompiler(c).WithStore(b.store).WithTransaction(txn).WithCancel(cancel).WithStrictBuiltinErrors(true)
	if tracer != nil {
		q = q.WithQueryTracer(tracer).WithIndexing(false).WithEarlyExit(false)
	}
	err = q.Iter(ctx, func(r topdown.QueryResult) error {
		value = r[ast.Var("x")].Value
		return nil
	})
	return value, err
}

// holdsTrue reports whether a test's value is a pass: true, or an object of
// cases that all are.
func holdsTrue(v ast.Value) bool {
	switch v := v.(type) {
	case ast.Boolean:
		return bool(v)
	case ast.Object:
		return v.Len() > 0 && !v.Until(func(_, t *ast.Term) bool { return !holdsTrue(t.Value) })
	}
	return false
}

// A rowTracer collects the lines that are evaluated.
type rowTracer map[string]map[int]struct{}

func (rowTracer) Enabled() bool               { return true }
func (rowTracer) Config() topdown.TraceConfig { return topdown.TraceConfig{} }
func (r rowTracer) TraceEvent(e topdown.Event) {
	if e.Location == nil || e.Op != topdown.EvalOp && e.Op != topdown.EnterOp {
		return
	}
	rows := r[e.Location.File]
	if rows == nil {
		rows = map[int]struct{}{}
		r[e.Location.File] = rows
	}
	rows[e.Location.Row] = struct{}{}
}
