package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"leviathan/gateway"
	"leviathan/gateway/engine"
	"leviathan/gateway/journal"
	"leviathan/gateway/server"
)

// candidate is the shipped policy with places of main.rego changed.
func candidate(t testing.TB, pairs ...string) *engine.Snapshot {
	t.Helper()
	s, err := bundleWith(pairs...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// neutral decides everything as before.
func neutral(t testing.TB) *engine.Snapshot {
	return candidate(t, `default: \d+\n`, "default: 20000\n")
}

// looser allows a cycle that a halt denies.
func looser(t testing.TB) *engine.Snapshot {
	return candidate(t, `access\.deny \| guard\.reasons`, `access.deny | {r | some r in guard.reasons; r.code != "guard.halted_all"}`, `default: \d+\n`, "default: 20000\n",
		`schedule\.allow\n`, "schedule.allow\n\t}\n\n_granted if {\n\tinput.action == \"cycle.plan\"\n", `default _obligations := \{\}`, "default _obligations := {\"reserve\": [], \"skip\": [], \"block\": [], \"half_open\": false, \"limits\": {}}")
}

func (w *world) policyNow() gateway.PolicyStatus {
	w.t.Helper()
	var st gateway.PolicyStatus
	a := w.ask("GET", "/v1/policy", operator, "")
	if err := json.Unmarshal([]byte(a.body), &st); err != nil || a.status != 200 {
		w.t.Fatalf("the policy's status: %d %s", a.status, a.body)
	}
	return st
}

// halted has one denied cycle in its journal.
func halted(t testing.TB) *world {
	t.Helper()
	return haltedWith(t, baseBacklog)
}

func haltedWith(t testing.TB, backlog string) *world {
	t.Helper()
	w := newWorld(t, backlog, baseConfig)
	if err := w.server.BeginPolicy(context.Background(), "built in"); err != nil {
		t.Fatal(err)
	}
	if a := w.ask("POST", "/v1/autonomy/halt", operator, `{"reason":"fire"}`); a.status != 200 {
		t.Fatal(a.body)
	}
	if got := w.cycle(); got.Outcome != "denied" {
		t.Fatalf("a halted cycle is %s", got.Outcome)
	}
	return w
}

// A new policy takes the one door like every effect: its activation is decided
// by the policy that governs, and recorded, with its bytes, before it happens.
func TestANewPolicyTakesTheDoor(t *testing.T) {
	w := halted(t)
	next := neutral(t)
	if err := w.server.OfferPolicy(context.Background(), "policies", next, []gateway.PolicyStep{{Step: "test", Outcome: "held"}}); err != nil {
		t.Fatal(err)
	}
	if w.engine.Current().Digest() != next.Digest() {
		t.Error("what was offered and allowed does not govern")
	}
	list, err := w.journal.Decisions(context.Background(), journal.DecisionFilter{Action: gateway.ActionBundleActivate})
	if err != nil || len(list.Items) != 1 || !list.Items[0].Decision {
		t.Fatalf("decisions: %+v %v", list.Items, err)
	}
	activations, err := w.journal.Activations(context.Background(), 10)
	if err != nil || len(activations) != 2 || !activations[0].Stored || activations[0].PolicyDigest != next.Digest() || activations[0].Cause != "reload" {
		t.Fatalf("activations: %+v %v", activations, err)
	}
	if steps := activations[0].Steps; len(steps) != 3 || steps[0].Step != "test" || steps[1].Step != "replay" || steps[2].Step != "latency" || !strings.Contains(steps[1].Detail, "flips: none") {
		t.Errorf("the steps on record are %+v", steps)
	}
	// What cannot be recorded is not activated.
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := w.server.OfferPolicy(ctx, "policies", looser(t), nil); err == nil || w.engine.Current().Digest() != next.Digest() {
		t.Error("an activation without a record passed")
	}
}

func TestACandidateThatLoosensWaitsForAnOperator(t *testing.T) {
	w := halted(t)
	before := w.engine.Current().Digest()
	loose := looser(t)
	err := w.server.OfferPolicy(context.Background(), "policies", loose, nil)
	if !errors.Is(err, gateway.ErrDenied) {
		t.Fatalf("a candidate that allows what was denied is answered %v", err)
	}
	st := w.policyNow()
	if st.Active.PolicyDigest != before || st.Candidate == nil || st.Candidate.PolicyDigest != loose.Digest() || st.Candidate.Flips[gateway.FlipDenyToAllow] != 1 ||
		len(st.Candidate.Reasons) != 1 || st.Candidate.Reasons[0].Code != "activation.deny_to_allow" || st.Candidate.DecisionID == "" || st.Candidate.Shadow == nil {
		t.Fatalf("the status is %+v", st.Candidate)
	}
	if steps := st.Candidate.Steps; len(steps) != 3 || steps[0].Outcome != "held" || steps[2].Step != "activation" || steps[2].Outcome != "refused" {
		t.Errorf("the steps are %+v", steps)
	}
	// Not without a reason, not another class, not for another role, not another candidate.
	for body, status := range map[string]int{
		`{"accept":["deny_to_allow"]}`:                                                 422,
		`{"accept":["everything"],"reason":"x"}`:                                       422,
		`{"accept":["reasons"],"reason":"I looked"}`:                                   403,
		`{"accept":["deny_to_allow"],"reason":"I looked","policy_digest":"sha256:00"}`: 409,
	} {
		if a := w.ask("POST", "/v1/policy/activate", operator, body); a.status != status {
			t.Errorf("%s is answered %d %s", body, a.status, a.body)
		}
	}
	const accept = `{"accept":["deny_to_allow"],"reason":"I looked at it"}`
	if a := w.ask("POST", "/v1/policy/activate", w.token(gateway.RoleReader, ""), accept); a.status != 403 {
		t.Errorf("a reader is answered %d %s", a.status, a.body)
	}
	if w.engine.Current().Digest() != before {
		t.Fatal("a refused activation changed the policy")
	}
	if a := w.ask("POST", "/v1/policy/activate", operator, accept); a.status != 200 {
		t.Fatalf("the operator is answered %d %s", a.status, a.body)
	}
	if w.engine.Current().Digest() != loose.Digest() || w.policyNow().Candidate != nil {
		t.Error("the accepted candidate does not govern")
	}
	activations, err := w.journal.Activations(context.Background(), 1)
	if err != nil || len(activations[0].Accepted) != 1 || activations[0].Accepted[0] != (journal.AcceptedFlips{Class: "deny_to_allow", Reason: "I looked at it"}) || activations[0].By != "operator" {
		t.Errorf("on record is %+v, %v", activations[0], err)
	}
}

func TestARollbackIsOneCommandAndStays(t *testing.T) {
	w := halted(t)
	first := w.engine.Current().Digest()
	next := neutral(t)
	if err := w.server.OfferPolicy(context.Background(), "policies", next, nil); err != nil {
		t.Fatal(err)
	}
	if a := w.ask("POST", "/v1/policy/rollback", w.token(gateway.RoleReader, ""), `{"reason":"no"}`); a.status != 403 {
		t.Errorf("a reader is answered %d %s", a.status, a.body)
	}
	if a := w.ask("POST", "/v1/policy/rollback", operator, `{"revision":"nobody","reason":"x"}`); a.status != 404 {
		t.Errorf("an unknown revision is answered %d %s", a.status, a.body)
	}
	if a := w.ask("POST", "/v1/policy/rollback", operator, `{"reason":"it is slow"}`); a.status != 200 {
		t.Fatalf("the rollback is answered %d %s", a.status, a.body)
	}
	st := w.policyNow()
	if w.engine.Current().Digest() != first || st.Active.PolicyDigest != first || st.Active.Cause != "rollback" || st.Previous == nil || st.Previous.PolicyDigest != next.Digest() {
		t.Fatalf("after the rollback: %+v", st)
	}
	// The source still has what was rolled back from: it does not come by itself.
	if err := w.server.OfferPolicy(context.Background(), "policies", next, nil); err == nil || !strings.Contains(err.Error(), "rolled back") {
		t.Errorf("the policy that was rolled back from is answered %v", err)
	}
	if a := w.ask("POST", "/v1/policy/activate", operator, `{"reason":"it is fast again"}`); a.status != 200 || w.engine.Current().Digest() != next.Digest() {
		t.Errorf("the operator's word is answered %d %s", a.status, a.body)
	}
}

func TestAStartWithoutItsSourceUsesTheLastGoodPolicy(t *testing.T) {
	w := halted(t)
	next := neutral(t)
	if err := w.server.OfferPolicy(context.Background(), "policies", next, nil); err != nil {
		t.Fatal(err)
	}
	down := func(context.Context) (*engine.Snapshot, error) { return nil, errors.New("the source is down") }
	got, err := server.InitialPolicy(context.Background(), w.journal, slog.New(slog.DiscardHandler), true, down)
	if err != nil || got.Digest() != next.Digest() {
		t.Errorf("with the source down a start uses %v, %v", got, err)
	}
	if _, err := server.InitialPolicy(context.Background(), w.journal, slog.New(slog.DiscardHandler), false, down); err == nil {
		t.Error("the built-in policy was replaced by one of the journal")
	}
}

func TestASourceProblemIsShownBesideThePolicyThatGoesOn(t *testing.T) {
	w := halted(t)
	before := w.policyNow()
	w.server.SetSourceProblem(errors.New("it answered 503"))
	st := w.policyNow()
	if st.SourceProblem != "it answered 503" || st.Candidate != nil || st.Active.PolicyDigest != before.Active.PolicyDigest {
		t.Errorf("the status is %+v", st)
	}
	w.server.SetSourceProblem(nil)
	if st := w.policyNow(); st.SourceProblem != "" {
		t.Errorf("a source that can be read again has the problem %q", st.SourceProblem)
	}
}

func TestARefusedPolicyIsShownWithFileAndLine(t *testing.T) {
	w := halted(t)
	refused := &engine.LoadError{Step: engine.StepCompile, Problems: []gateway.Diagnostic{{File: "guard/guard.rego", Line: 7, Col: 2, Message: "undefined"}}}
	w.server.PolicyRefused(context.Background(), "policies", []gateway.PolicyStep{{Step: "compile", Outcome: "refused", Problems: refused.Problems}}, refused)
	st := w.policyNow()
	if st.Candidate == nil || !strings.Contains(st.Candidate.Problem, "guard/guard.rego:7:2") || len(st.Candidate.Steps) != 1 || st.Candidate.Steps[0].Problems[0].Line != 7 {
		t.Fatalf("the status is %+v", st.Candidate)
	}
	events, err := w.journal.RecentEvents(context.Background(), journal.EventFilter{Type: gateway.EventBundleRejected}, 1)
	if err != nil || len(events) != 1 || !bytes.Contains(events[0].Payload, []byte(`"step":"compile"`)) {
		t.Fatalf("events: %+v %v", events, err)
	}
	if a := w.ask("POST", "/v1/policy/activate", operator, `{"reason":"please"}`); a.status != 409 {
		t.Errorf("what does not load is activated: %d %s", a.status, a.body)
	}
	w.server.PolicyActive()
	if st := w.policyNow(); st.Candidate != nil {
		t.Errorf("a mended source still shows %+v", st.Candidate)
	}
}

func TestReplayByACandidateOfTheCaller(t *testing.T) {
	w := halted(t)
	data, err := looser(t).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	a := w.ask("POST", "/v1/policy/replay", w.token(gateway.RoleReader, ""), string(data))
	var report gateway.ReplayReport
	if err := json.Unmarshal([]byte(a.body), &report); err != nil || a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if report.Counts[gateway.FlipDenyToAllow] != 1 || report.Compared < 2 || len(report.Flips) != report.Counts[gateway.FlipDenyToAllow]+report.Counts[gateway.FlipObligations] {
		t.Errorf("the report is %+v", report)
	}
	if a := w.ask("POST", "/v1/policy/replay", operator, "no archive"); a.status != 422 {
		t.Errorf("what is no bundle is answered %d %s", a.status, a.body)
	}
	if a := w.ask("POST", "/v1/policy/replay", operator, ""); a.status != 409 {
		t.Errorf("no candidate at all is answered %d %s", a.status, a.body)
	}
	if a := w.ask("POST", "/v1/policy/replay", w.token(gateway.RoleScheduler, ""), ""); a.status != 403 {
		t.Errorf("a scheduler is answered %d %s", a.status, a.body)
	}
}
