package engine_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"leviathan/gateway"
	"leviathan/gateway/engine"
)

func TestDecideAllows(t *testing.T) {
	s := load(t, smallBundle(t))
	r := s.Decide(t.Context(), gateway.ActionCyclePlan, fine(t))
	if !r.Allow || len(r.Reasons) != 0 || r.Reasons == nil {
		t.Fatalf("got %+v", r)
	}
	if got, want := string(r.JSON), `{"allow":true,"obligations":{"limits":{"parallel":2}},"reasons":[]}`; got != want {
		t.Errorf("JSON is %s, want %s", got, want)
	}
}

func TestDecideDeniesWithReasons(t *testing.T) {
	s := load(t, smallBundle(t))
	r := s.Decide(t.Context(), gateway.ActionCyclePlan, question(t, map[string]any{"action": "cycle.plan"}))
	want := []gateway.Reason{
		{Code: "guard.switched_off", Message: "autonomy is switched off", Rule: "leviathan.guard", Remedy: "Set autonomy_enabled to true."},
		{Code: "limits.running", Message: "too many attempts are running", Rule: "leviathan.guard", Remedy: "Wait."},
	}
	if diff := cmp.Diff(want, r.Reasons); diff != "" {
		t.Error(diff)
	}
	if r.Allow {
		t.Error("allowed")
	}
	var whole struct {
		Allow       bool             `json:"allow"`
		Reasons     []gateway.Reason `json:"reasons"`
		Obligations json.RawMessage  `json:"obligations"`
	}
	if err := json.Unmarshal(r.JSON, &whole); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, whole.Reasons); diff != "" {
		t.Error(diff)
	}
	second := s.Decide(t.Context(), "cycle.plan", full(t))
	if len(second.Reasons) != 1 || second.Reasons[0].Code != "limits.running" {
		t.Errorf("the second decision says %v", second.Reasons)
	}
}

func TestDecideFailures(t *testing.T) {
	const valid = `"allow": true, "reasons": [], "obligations": {}`
	for name, tc := range map[string]struct{ body, code, detail string }{
		"undefined":          {`decision := {` + valid + `} if input.nothing`, engine.CodeUndefined, ""},
		"not an object":      {`decision := true`, engine.CodeResult, "boolean"},
		"a key is missing":   {`decision := {"allow": true, "reasons": []}`, engine.CodeResult, "other keys"},
		"a key too many":     {`decision := {` + valid + `, "more": 1}`, engine.CodeResult, "other keys"},
		"allow is text":      {`decision := {"allow": "true", "reasons": [], "obligations": {}}`, engine.CodeResult, "allow"},
		"reasons is object":  {`decision := {"allow": true, "reasons": {}, "obligations": {}}`, engine.CodeResult, "reasons"},
		"reason is text":     {`decision := {"allow": true, "reasons": ["no"], "obligations": {}}`, engine.CodeResult, "a reason"},
		"reason has no code": {`decision := {"allow": true, "reasons": [{"message": "m"}], "obligations": {}}`, engine.CodeResult, "no code"},
		"reason has number":  {`decision := {"allow": true, "reasons": [{"code": 1, "message": "m"}], "obligations": {}}`, engine.CodeResult, "not string"},
		"reason has more":    {`decision := {"allow": true, "reasons": [{"code": "a", "message": "m", "x": "y"}], "obligations": {}}`, engine.CodeResult, "unknown key"},
		"obligations array":  {`decision := {"allow": true, "reasons": [], "obligations": []}`, engine.CodeResult, "obligations"},
		"obligations twice":  {`decision := {"allow": true, "reasons": [], "obligations": {1: 2, "1": 3}}`, engine.CodeResult, "twice"},
		"builtin fails":      {`decision := {` + valid + `, "n": to_number(input.action)}`, engine.CodeError, "main.rego:6"},
		"division by zero":   {`decision := {` + valid + `} if 1 / (count(input) - 2) > 0`, engine.CodeError, "divide by zero"},
		"two answers conflict": {"decision := {" + valid + "} if input.action\n\ndecision := {\"allow\": false, \"reasons\": [], \"obligations\": {}} if input.n",
			engine.CodeError, "conflict"},
	} {
		t.Run(name, func(t *testing.T) {
			s := load(t, deciding(tc.body))
			r := s.Decide(t.Context(), "cycle.plan", question(t, map[string]any{"action": "cycle.plan", "n": 1}))
			wantDeny(t, r, tc.code)
			if !strings.Contains(r.Reasons[0].Message, tc.detail) {
				t.Errorf("message %q does not speak of %q", r.Reasons[0].Message, tc.detail)
			}
		})
	}
}

func TestAllowWithReasonsIsADeny(t *testing.T) {
	s := load(t, deciding(`decision := {"allow": true, "reasons": {{"code": "a.b", "message": "m"}}, "obligations": {}}`))
	r := s.Decide(t.Context(), "x", nil)
	wantDeny(t, r, "a.b")
}

func TestDenyWithoutReasonsStaysADeny(t *testing.T) {
	s := load(t, deciding(`decision := {"allow": false, "reasons": [], "obligations": {}}`))
	if r := s.Decide(t.Context(), "x", nil); r.Allow || len(r.Reasons) != 0 {
		t.Errorf("got %+v", r)
	}
}

func TestNoSnapshotDenies(t *testing.T) {
	wantDeny(t, engine.New(nil).Current().Decide(t.Context(), "x", nil), engine.CodeUndefined)
}

func TestMalformedInputIsDenied(t *testing.T) {
	s := load(t, smallBundle(t))
	in := fine(t)
	wantDeny(t, s.Decide(t.Context(), "cycle.plan", append(in, in[0])), engine.CodeError)
	wantDeny(t, s.Decide(t.Context(), "cycle.plan", engine.Input{{Name: "action"}}), engine.CodeError)
}

// slow takes far longer than any deadline, in a comprehension.
const slow = `
decision := {"allow": true, "reasons": [], "obligations": {}} if {
	n := numbers.range(1, 3000)
	count([1 | some a in n; some b in n; some c in n; a + b == c * input.k]) > 0
}`

func TestDecideTimesOut(t *testing.T) {
	meta := "# METADATA\n# custom:\n#   deadline_ms:\n#     default: 20000\n#     change.push: 30"
	s := load(t, deciding(meta+slow))
	in := question(t, map[string]any{"k": 5})
	start := time.Now()
	wantDeny(t, s.Decide(t.Context(), "change.push", in), engine.CodeTimeout)
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("the evaluation went on for %v", took)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	wantDeny(t, s.Decide(ctx, "cycle.plan", in), engine.CodeTimeout)
}

func TestDecideIsCancelled(t *testing.T) {
	s := load(t, deciding(slow))
	in := question(t, map[string]any{"k": 5})
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(30*time.Millisecond, cancel)
	wantDeny(t, s.Decide(ctx, "x", in), engine.CodeCancelled)
	wantDeny(t, s.Decide(ctx, "x", in), engine.CodeCancelled) // before it began
}

func TestDeadlines(t *testing.T) {
	s := load(t, smallBundle(t))
	for action, want := range map[string]time.Duration{"cycle.plan": 5 * time.Second, "attempt.start": 20 * time.Second} {
		if got := s.Deadline(action); got != want {
			t.Errorf("deadline of %s is %v, want %v", action, got, want)
		}
	}
	if got := load(t, fstest.MapFS{"main.rego": {Data: []byte("package leviathan.main\n\ndecision := 1\n")}}).Deadline("x"); got != 50*time.Millisecond {
		t.Errorf("deadline without METADATA is %v", got)
	}
}

func TestDecideIsAFunction(t *testing.T) {
	s := load(t, smallBundle(t))
	archive, err := s.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	again, err := engine.LoadBytes(t.Context(), archive, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		a, b := s.Decide(t.Context(), "x", full(t)), again.Decide(t.Context(), "x", full(t))
		if diff := cmp.Diff(a, b, cmpopts.IgnoreUnexported(engine.Result{})); diff != "" {
			t.Fatal(diff)
		}
		if first, second := full(t).Digest(), full(t).Digest(); first != second {
			t.Fatal("the digest depends on the order of the parts")
		}
	}
}

func TestSetsAreSortedInObligations(t *testing.T) {
	s := load(t, deciding(`decision := {"allow": true, "reasons": [], "obligations": {"z": {3, 1, 2, "a", null}, "é": 1, "a": 1.50, "n": 1e21}}`))
	r := s.Decide(t.Context(), "x", nil)
	if got, want := string(r.Obligations), `{"a":1.5,"n":1e+21,"z":[null,1,2,3,"a"],"é":1}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func FuzzDecideNeverAllows(f *testing.F) {
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"allow":true,"reasons":[],"obligations":{}}`))
	f.Add([]byte("\"\\ud800\""))
	f.Add([]byte(`[1e400]`))
	f.Add([]byte(`{"":{"":[-0.0,1e-7]}}`))
	empty, err := engine.LoadFS(background, deciding(
		"default allow := false\n\ndecision := {\"allow\": allow, \"reasons\": [], \"obligations\": {\"echo\": object.get(input, \"config\", null)}}"), engine.Options{})
	if err != nil {
		f.Fatal(err)
	}
	small, err := engine.LoadFS(background, smallBundle(f), engine.Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := engine.NewPart("config", json.RawMessage(raw))
		if err != nil {
			return
		}
		r := empty.Decide(t.Context(), "x", engine.Input{p})
		if r.Allow {
			t.Fatalf("%s is allowed", raw)
		}
		if want := `{"allow":false,"obligations":{"echo":` + string(p.JSON) + `},"reasons":[]}`; string(r.JSON) != want {
			t.Fatalf("got %s, want %s", r.JSON, want)
		}
		if r := small.Decide(t.Context(), "x", engine.Input{p}); r.Allow {
			t.Fatalf("%s is allowed", raw)
		}
	})
}
