package engine

import (
	"context"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/test/cases"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// TestTheMachineAnswersAsTheInterpreter runs OPA's own cases of the language
// and its builtins. What the machine answers at all, it answers as the
// interpreter does.
func TestTheMachineAnswersAsTheInterpreter(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/open-policy-agent/opa").Output()
	dir := filepath.Join(strings.TrimSpace(string(out)), "v1", "test", "cases", "testdata", "v1")
	if err != nil || dir[0] != '/' {
		t.Skipf("the sources of OPA are not at hand: %v", err)
	}
	set, err := cases.Load(dir)
	if err != nil {
		t.Skipf("OPA's cases are not at hand: %v", err)
	}
	var answered, left, interpreted int
	for _, c := range set.Sorted().Cases {
		t.Run(c.Note, func(t *testing.T) {
			switch compareCase(t, c) {
			case caseAnswered:
				answered++
			case caseLeft:
				left++
			case caseInterpreted:
				interpreted++
			}
		})
	}
	t.Logf("%d answered, %d left, %d interpreted", answered, left, interpreted)
	if answered < 1000 {
		t.Errorf("the machine answered %d cases", answered)
	}
}

// What became of a case.
const (
	caseOut         = iota // no business of ours: it does not compile, or needs what policies may not use
	caseAnswered           // both answered
	caseLeft               // the machine left it to the interpreter
	caseInterpreted        // there is no machine for it
)

func compareCase(t *testing.T, c cases.TestCase) int {
	t.Helper()
	modules := map[string]*ast.Module{}
	for i, text := range c.Modules {
		m, err := ast.ParseModuleWithOpts("case.rego", text, ast.ParserOptions{RegoVersion: ast.RegoV1, ProcessAnnotation: true})
		if err != nil {
			return caseOut
		}
		modules[string(rune('a'+i))] = m
	}
	compiler := ast.NewCompiler().WithCapabilities(hermetic())
	if compiler.Compile(modules); compiler.Failed() {
		return caseOut
	}
	data := map[string]any{}
	if c.Data != nil {
		data = *c.Data
	}
	store := newStore(data)
	var input ast.Value
	switch {
	case c.InputTerm != nil:
		input = ast.MustParseTerm(*c.InputTerm).Value
	case c.Input != nil:
		input = ast.MustInterfaceToValue(*c.Input)
	}
	m, err := newMachine(t.Context(), c.Query, compiler, store, data)
	if err != nil {
		t.Logf("interpreted: %v", err)
		return caseInterpreted
	}
	for range 2 { // the second time with what the first one left behind
		results, err := m.results(t.Context(), input, topdown.NewCancel())
		if err != nil {
			t.Logf("left: %v", err)
			return caseLeft
		}
		got := []string{}
		for _, r := range results {
			got = append(got, r.Value.String())
		}
		want, err := interpretedCase(t.Context(), c.Query, compiler, store, input)
		if err != nil {
			t.Errorf("the machine answers %v, and the interpreter fails: %v", got, err)
			return caseAnswered
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("the machine answers\n%v, and the interpreter\n%v", got, want)
		}
	}
	return caseAnswered
}

func interpretedCase(ctx context.Context, query string, compiler *ast.Compiler, store storage.Store, input ast.Value) ([]string, error) {
	prepared, err := rego.New(rego.Query(query), rego.Compiler(compiler), rego.Store(store), rego.StrictBuiltinErrors(true),
		rego.GenerateJSON(func(term *ast.Term, _ *rego.EvalContext) (any, error) { return term.Value, nil })).PrepareForEval(ctx)
	if err != nil {
		return nil, err
	}
	results, err := prepared.Eval(ctx, rego.EvalParsedInput(input), rego.EvalSortSets(true))
	if err != nil {
		return nil, err
	}
	all := []string{}
	for _, r := range results {
		object := ast.NewObject()
		for name, v := range r.Bindings {
			object.Insert(ast.StringTerm(name), ast.NewTerm(v.(ast.Value)))
		}
		all = append(all, object.String())
	}
	slices.Sort(all)
	return all, nil
}

// TestTheShortWayIsOPAs compares what is done without a call to what the builtin
// says, for every pair of values of every type.
func TestTheShortWayIsOPAs(t *testing.T) {
	var values []*ast.Term
	for _, text := range []string{`null`, `true`, `false`, `0`, `1`, `1.0`, `1e0`, `""`, `"a"`, `[]`, `["a"]`, `["a", {"b": 1}]`, `{}`, `{"a": 1}`, `{"a": 1.0}`,
		`{"b": "a"}`, `set()`, `{"a"}`, `{"a", 1}`, `{1.0, "c"}`, `{["a"], {"a": 1}}`} {
		values = append(values, ast.MustParseTerm(text))
	}
	for name, short := range direct {
		called := 0
		for _, a := range values {
			for _, b := range values {
				args := []*ast.Term{a, b}[:ast.BuiltinMap[name].Decl.Arity()]
				got := short(args)
				if got == nil {
					continue
				}
				called++
				var want *ast.Term
				err := topdown.GetBuiltin(name)(topdown.BuiltinContext{}, args, func(out *ast.Term) error { want = out; return nil })
				if err != nil || want == nil || want.String() != got.String() {
					t.Errorf("%s%v is %v, and the short way %v (%v)", name, args, want, got, err)
				}
			}
		}
		if called == 0 {
			t.Errorf("%s is never answered the short way", name)
		}
	}
}

// TestWhatIsBuiltOnceStaysAsItIs asks about one literal after the other, each
// with something of the question in it: nothing of one question may be left for
// the next.
func TestWhatIsBuiltOnceStaysAsItIs(t *testing.T) {
	compiler := ast.NewCompiler().WithCapabilities(hermetic())
	compiler.Compile(map[string]*ast.Module{"m": ast.MustParseModuleWithOpts(`package leviathan

p := {
	"set": {"a", input.x},
	"list": ["a", [input.x], {"b", input.x}],
	"object": {"k": {"deep": input.x}, input.x: 1},
	"fixed": {"a", ["b"], {"c": 1}},
	"none": set() | {y | some y in input.ys},
	"partial": part,
}

part[input.x] contains y if some y in input.ys

part.z contains "always"
`, ast.ParserOptions{RegoVersion: ast.RegoV1})})
	if compiler.Failed() {
		t.Fatal(compiler.Errors)
	}
	store := newStore(map[string]any{})
	m, err := newMachine(t.Context(), "x = data.leviathan.p", compiler, store, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, input := range []string{`{"x": "1", "ys": ["p"]}`, `{"x": "2", "ys": []}`, `{"x": "z", "ys": ["q", "r"]}`, `{"x": "1", "ys": ["p"]}`} {
		asked := ast.MustParseTerm(input).Value
		got, err := m.evaluate(t.Context(), asked, topdown.NewCancel())
		if err != nil {
			t.Fatal(err)
		}
		want, err := interpretedCase(t.Context(), "x = data.leviathan.p", compiler, store, asked)
		if err != nil || len(want) != 1 || want[0] != `{"x": `+got.String()+`}` {
			t.Errorf("asked %s\nthe machine answers %s\nand the interpreter %v (%v)", input, got, want, err)
		}
	}
}

// TestWhatTheMachineLeavesIsAnsweredByTheInterpreter holds both to the same
// words where a policy fails.
func TestWhatTheMachineLeavesIsAnsweredByTheInterpreter(t *testing.T) {
	for name, rules := range map[string]string{
		"two values":         "decision := {\"allow\": true, \"reasons\": [], \"obligations\": {\"n\": n}}\nn := 1 if input.action\nn := 2 if input.action\n",
		"a builtin fails":    "decision := {\"allow\": true, \"reasons\": [], \"obligations\": {\"n\": 1 / (count(input.action) - 1)}}\n",
		"no answer":          "decision := {\"allow\": true, \"reasons\": [], \"obligations\": {}} if input.other\n",
		"two keys of object": "decision := {\"allow\": true, \"reasons\": [], \"obligations\": {k: v | k := \"k\"; some v in [1, 2]}}\n",
	} {
		t.Run(name, func(t *testing.T) {
			files := fstest.MapFS{"main/main.rego": {Data: []byte("package leviathan.main\n\nimport rego.v1\n\n# METADATA\n# entrypoint: true\n" + rules)}}
			in, err := NewPart("action", "a")
			if err != nil {
				t.Fatal(err)
			}
			var answers [2]Result
			for i, interpreted := range []bool{false, true} {
				s, err := LoadFS(t.Context(), files, Options{Interpreted: interpreted})
				if err != nil {
					t.Fatal(err)
				}
				if (s.machine == nil) != interpreted {
					t.Fatalf("a machine: %v", s.machine != nil)
				}
				answers[i] = s.Decide(t.Context(), "a", Input{in})
			}
			if string(answers[0].JSON) != string(answers[1].JSON) || answers[0].Allow {
				t.Errorf("%s\nby the interpreter %s", answers[0].JSON, answers[1].JSON)
			}
		})
	}
}
