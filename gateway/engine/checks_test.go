package engine_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"leviathan/gateway"
	"leviathan/gateway/engine"
)

const sampleCheck = `# METADATA
# title: Sample
# description: A check.
# custom:
#   needs: [files]
#   named: true
package leviathan.invariants.sample

import rego.v1

# METADATA
# title: Bad
# description: A bad file.
# custom:
#   code: sample.bad
#   severity: warning
#   message: "bad"
#   remedy: "Mend it."
deny contains v if {
	some v in input.violations
}
`

func loadChecks(t *testing.T, files map[string]string) (*engine.Checks, error) {
	t.Helper()
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return engine.LoadChecks(t.Context(), engine.Options{}, engine.Source{At: "invariants", FS: fsys})
}

func violation(changes map[string]any) map[string]any {
	v := map[string]any{"code": "sample.bad", "severity": "error", "message": "bad", "remedy": "Mend it.", "rule": "leviathan.invariants.sample",
		"file": "a.yaml", "line": 3, "column": 2, "subject": "x"}
	for name, value := range changes {
		if v[name] = value; value == nil {
			delete(v, name)
		}
	}
	return v
}

func decide(t *testing.T, checks *engine.Checks, name string, violations ...map[string]any) engine.Result {
	t.Helper()
	return checks.Decide(t.Context(), name, engine.Input{part(t, "violations", violations), part(t, "files", map[string]any{"a.yaml": 1})})
}

func part(t *testing.T, name string, v any) engine.Part {
	t.Helper()
	p, err := engine.PartOf(name, v)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestACheckAnswersWithItsViolations(t *testing.T) {
	checks, err := loadChecks(t, map[string]string{"sample/sample.rego": sampleCheck})
	if err != nil {
		t.Fatal(err)
	}
	want := []engine.Check{{Name: "sample", Title: "Sample", Description: "A check.", Needs: []string{"files"}, Named: true}}
	if diff := cmp.Diff(want, checks.List()); diff != "" {
		t.Errorf("List: want -, got +\n%s", diff)
	}
	if codes := checks.Codes(); len(codes) != 1 || codes[0].Severity != "warning" {
		t.Errorf("Codes = %v", codes)
	}
	if r := decide(t, checks, "sample"); !r.Allow || string(r.JSON) != `{"allow":true,"obligations":{"violations":[]},"reasons":[]}` {
		t.Errorf("a check without violations: %s", r.JSON)
	}
	if r := decide(t, checks, "sample", violation(map[string]any{"severity": "warning"})); !r.Allow || len(r.Reasons) != 0 {
		t.Errorf("a warning denies: %s", r.JSON)
	}
	r := decide(t, checks, "sample", violation(map[string]any{"line": 9}), violation(nil))
	var obligations struct{ Violations []gateway.Violation }
	if err := json.Unmarshal(r.Obligations, &obligations); err != nil {
		t.Fatal(err)
	}
	if r.Allow || len(r.Reasons) != 1 || len(obligations.Violations) != 2 || obligations.Violations[0].Line != 3 {
		t.Errorf("two violations: %s", r.JSON)
	}
}

// What is not an answer is a denial of the engine's own, never a pass.
func TestAMalformedAnswerOfACheckIsDenied(t *testing.T) {
	checks, err := loadChecks(t, map[string]string{"sample/sample.rego": sampleCheck})
	if err != nil {
		t.Fatal(err)
	}
	for name, changes := range map[string]map[string]any{
		"no line": {"line": nil}, "no subject": {"subject": nil}, "an unknown key": {"extra": "x"}, "a severity of its own": {"severity": "fatal"},
		"a line that is a text": {"line": "3"}, "a line that is negative": {"line": -1}, "half a line": {"line": 1.5}, "no code": {"code": ""},
	} {
		r := decide(t, checks, "sample", violation(changes))
		if r.Allow || len(r.Reasons) != 1 || r.Reasons[0].Code != engine.CodeResult || string(r.Obligations) != "{}" {
			t.Errorf("%s: %s", name, r.JSON)
		}
	}
	if r := decide(t, checks, "nobody"); r.Allow || r.Reasons[0].Code != engine.CodeUndefined {
		t.Errorf("a check that does not exist: %s", r.JSON)
	}
	failing, err := loadChecks(t, map[string]string{"sample/sample.rego": strings.Replace(sampleCheck, "some v in input.violations", `v := {"line": to_number("x")}`, 1)})
	if err != nil {
		t.Fatal(err)
	}
	if r := decide(t, failing, "sample"); r.Allow || r.Reasons[0].Code != engine.CodeError {
		t.Errorf("a builtin that fails: %s", r.JSON)
	}
}

func TestABundleWithoutChecksIsRefused(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"no check":       {"a/a.rego": "package leviathan.invariants._lib\n\nx := 1\n"},
		"a deeper deny":  {"a/a.rego": strings.Replace(sampleCheck, "invariants.sample", "invariants.a.sample", 1)},
		"no metadata":    {"a/a.rego": "package leviathan.invariants.a\n\ndeny contains 1 if input.x\n"},
		"does not parse": {"a/a.rego": "package"},
		"nothing":        {},
	} {
		if _, err := loadChecks(t, files); err == nil {
			t.Errorf("%s: loaded", name)
		}
	}
}

func TestAFormerHasTheFormOfNewPart(t *testing.T) {
	shared := map[string]any{"b": []any{json.Number("1e2"), "ü", nil, true}, "a": 1.5}
	type inner struct {
		X int `json:"x"`
	}
	v := struct {
		inner
		List   []string       `json:"list"`
		Map    map[string]int `json:"map"`
		Gone   string         `json:"gone,omitempty"`
		Null   *inner         `json:"null"`
		Twice  []any          `json:"twice"`
		Places [][2]int       `json:"places"`
		hidden int
	}{inner: inner{3}, Twice: []any{shared, shared}, Places: [][2]int{{1, 2}, {2, 1}, {1, 2}}, hidden: 1}
	part, err := engine.PartOf("part", v)
	if err != nil {
		t.Fatal(err)
	}
	one := `{"a":1.5,"b":[100,"ü",null,true]}`
	if want := `{"list":[],"map":{},"null":null,"places":[[1,2],[2,1],[1,2]],"twice":[` + one + `,` + one + `],"x":3}`; string(part.JSON) != want {
		t.Errorf("got  %s\nwant %s", part.JSON, want)
	}
	same, err := engine.NewPart("part", json.RawMessage(part.JSON))
	if err != nil || same.Digest != part.Digest {
		t.Errorf("NewPart has another digest: %v", err)
	}
	for name, bad := range map[string]any{"a channel": make(chan int), "keys that are numbers": map[int]int{1: 1}} {
		if _, err := engine.PartOf("part", bad); err == nil {
			t.Errorf("%s has a form", name)
		}
	}
	if _, err := engine.PartOf("Bad Name", 1); err == nil {
		t.Error("a name that is none was taken")
	}
}

// A large part is formed by several goroutines, and what one part has is not
// written anew for the next: neither changes a byte.
func TestAFormerHasTheFormOfNewPartForManyMembers(t *testing.T) {
	spec := map[string]any{"ports": []any{json.Number("80"), map[string]any{"name": "http"}}, "\uFFFF": 1, "\U00010000": "after"}
	many := map[string]any{"bad \xff": "\xfe", "last": spec}
	for i := range 1000 {
		many[fmt.Sprint("key", i)] = []any{spec, map[string]any{"n": json.Number(fmt.Sprint(i)), "s": strings.Repeat("x", i%100)}, nil, true, i, 0.5}
	}
	former := engine.NewFormer()
	for _, v := range []any{many, map[string][]any{"twice": {spec, spec, many["key7"]}}, map[string][2]int{"/a": {1, 2}, "/b": {1, 2}}} {
		got, err := former.Part("part", v)
		if err != nil {
			t.Fatal(err)
		}
		want, err := engine.NewPart("part", v)
		if err != nil {
			t.Fatal(err)
		}
		if string(got.JSON) != string(want.JSON) || got.Digest != want.Digest {
			t.Errorf("got  %.300s\nwant %.300s", got.JSON, want.JSON)
		}
		input := engine.Input{got}
		if text, err := input.JSON(); err != nil || string(text) != `{"part":`+string(want.JSON)+`}` {
			t.Errorf("the engine's form is another: %v\n%.300s", err, text)
		}
	}
	many["key999"] = make(chan int)
	if _, err := former.Part("part", many); err == nil {
		t.Error("a channel among many members has a form")
	}
}

// A check says itself that it has nothing to look at; what it would have said is
// no answer.
func TestACheckWithoutFactsIsDenied(t *testing.T) {
	needs := strings.Replace(sampleCheck, "needs: [files]", "needs: [files, violations]", 1)
	checks, err := loadChecks(t, map[string]string{"sample/sample.rego": needs})
	if err != nil {
		t.Fatal(err)
	}
	hollow := engine.Input{part(t, "files", map[string]any{}), part(t, "violations", nil)}
	r := checks.Decide(t.Context(), "sample", hollow)
	if r.Allow || len(r.Reasons) != 1 || r.Reasons[0].Code != engine.CodeNoFacts || string(r.Obligations) != "{}" || !strings.HasSuffix(r.Reasons[0].Message, "no files, no violations") {
		t.Errorf("without facts: %s", r.JSON)
	}
	if _, err := checks.Explain(t.Context(), "sample", hollow); err == nil {
		t.Error("an answer that was none is explained")
	}
	some := engine.Input{part(t, "violations", []any{violation(nil)})}
	if r := checks.Decide(t.Context(), "sample", some); r.Allow || r.Reasons[0].Code != "sample.bad" {
		t.Errorf("with some of them: %s", r.JSON)
	}
	e, err := checks.Explain(t.Context(), "sample", some)
	if err != nil || e.Allow || len(e.Rules) != 1 || !e.Rules[0].Reason || len(e.Rules[0].Conditions) == 0 {
		t.Errorf("explained: %+v, %v", e, err)
	}
}

// A bundle's checks are compiled once.
func TestTheChecksOfASnapshotAreMadeOnce(t *testing.T) {
	s := load(t, smallBundle(t))
	if _, err := s.Checks(t.Context()); err == nil {
		t.Error("a bundle without checks has some")
	}
	files := smallBundle(t)
	files["invariants/sample/sample.rego"] = &fstest.MapFile{Data: []byte(sampleCheck)}
	s = load(t, files)
	first, err := s.Checks(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if second, err := s.Checks(t.Context()); err != nil || second != first || first.Digest() != s.Digest() {
		t.Errorf("the second time: %v", err)
	}
}
