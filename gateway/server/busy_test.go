package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"leviathan/gateway"
	"leviathan/gateway/engine"
)

// busyConfig has something of everything that a config may have.
const busyConfig = `autonomy_enabled: true
target_id: demo
target_repo_url: UPSTREAM
target_branch: main
allowed_path_prefixes: [docs/, tests/]
max_open_prs: 9
max_running_attempts: 4
max_attempts_per_task: 2
circuit_breaker_failures: 3
default_agent: plain
agents:
  plain: {type: command, command: [agent, --task], stdin: prompt, env: {MODE: quiet}, env_from: [MODEL_KEY]}
  other: {type: scaffold}
verify: {unit: {command: [make, test], timeout_seconds: 60}}
sandbox: {mode: required, read: [/usr/share/dict], connect_ports: [443]}
limits: {retry_backoff_seconds: 60, lease_seconds: 60, start_deadline_seconds: 300, max_tasks_per_day: 40}
`

// busy makes a gateway that has seen every action, allowed and denied.
func busy(t *testing.T) *world {
	t.Helper()
	backlog := strings.Replace(tasksOf(9), "allowed_paths: [docs/t1.md]", "allowed_paths: [docs/t1.md], agent: other, verify: [unit], labels: [x]", 1)
	w := newUpstream(t, backlog+"  - {id: after, title: Later, scope: docs, ready: true, allowed_paths: [docs/], dependencies: [t0]}\n  - {id: odd, title: 5}\n", busyConfig)
	w.commit(map[string]string{".leviathan/policy.yaml": "forbidden_paths: [docs/secret/**]\nsafety_rules: {max_attempts_per_task: 3}\n"})
	w.start()
	ctx, op := context.Background(), w.client(operator)
	scheduler, ingest := w.token("scheduler", "demo"), w.token("ingest", "demo")
	result, err := w.client(scheduler).Cycle(ctx, "demo", gateway.CycleRequest{Capacity: ptr(4)})
	if err != nil || len(result.Reserved) != 4 {
		t.Fatalf("cycle: %+v %v", result, err)
	}
	t0, t1, t2, t3 := reservation(t, result, "t0"), reservation(t, result, "t1"), reservation(t, result, "t2"), reservation(t, result, "t3")
	started := w.startAttempt(t0)
	c := w.client(t0.Token)
	if _, err := c.Heartbeat(ctx, t0.AttemptID, gateway.HeartbeatRequest{Progress: "working"}); err != nil {
		t.Fatal(err)
	}
	tree := w.checkout(t0)
	if err := errors.Join(c.PutArtifact(ctx, t0.AttemptID, "log", 0, []byte("x")),
		c.Evidence(ctx, t0.AttemptID, gateway.Evidence{Tree: gateway.OID(w.git(tree, "rev-parse", "HEAD^{tree}")), Results: []gateway.EvidenceResult{{Name: "unit"}}})); err != nil {
		t.Fatal(err)
	}
	if out, err := w.push(t0, started, map[string]string{"src/core.txt": "hacked\n", "docs/secret/x": "y\n"}); err == nil {
		t.Fatalf("a push out of scope passed: %s", out)
	}
	if out, err := w.push(t0, started, map[string]string{"docs/t0.md": "x\n"}); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if _, err := c.OpenPullRequest(ctx, t0.AttemptID, gateway.PullRequestRequest{Summary: "s"}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Finish(ctx, t0.AttemptID, gateway.FinishRequest{Outcome: "succeeded"}); err != nil {
		t.Fatal(err)
	}
	w.fail(t1, gateway.VerifyFailed)
	w.lose(t2)
	w.startAttempt(t3)
	w.refused(w.ask("POST", "/v1/attempts/"+string(t3.AttemptID)+"/finish", t2.Token, `{"outcome":"cancelled"}`), 403, "access.not_own_attempt")
	w.clock.add(61 * time.Second)
	w.expire()
	more := w.cycle().Reserved
	if err := errors.Join(op.Cancel(ctx, more[0].AttemptID, "r"), op.Invalidate(ctx, more[1].AttemptID, "r"), op.Halt(ctx, gateway.ReasonRequest{Reason: "r"}),
		op.Resume(ctx, gateway.ReasonRequest{Reason: "r"}), op.Retry(ctx, "demo", "t1", "r"), op.ResetCircuit(ctx, "demo", "r"), op.AcceptClock(ctx, "r")); err != nil {
		t.Fatal(err)
	}
	for _, who := range []string{ingest, operator, more[2].Token, scheduler} {
		body := fmt.Sprintf(`{"events":[{"event_id":"%d","event_type":"note.made","timestamp":"2026-01-28T10:00:00Z","attempt_id":"%s","payload":{}}]}`, w.journal.Seq(), more[2].AttemptID)
		if a := w.ask("POST", "/v1/events/ingest", who, body); a.status != 200 {
			t.Fatalf("ingest: %d %s", a.status, a.body)
		}
	}
	reader, err := op.CreateToken(ctx, gateway.TokenRequest{Role: gateway.RoleReader})
	if err != nil {
		t.Fatal(err)
	}
	w.refused(w.ask("GET", "/v1/tokens", reader.Token, ""), 403, "access.route")
	w.git(w.dir, "ls-remote", strings.Replace(w.http.URL, "http://", "http://x:"+reader.Token+"@", 1)+"/git/demo.git")
	for _, name := range append(gateway.Actions(), "pull_request.merge", "backlog.create") {
		for _, resource := range []gateway.Entity{{Type: "target", ID: "demo"}, {Type: "attempt", ID: string(more[2].AttemptID)}} {
			_, err := op.Evaluate(ctx, gateway.Question{Subject: gateway.Entity{Type: "component", ID: "worker"}, Action: gateway.Action{Name: name}, Resource: resource})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := op.RevokeToken(ctx, reader.ID); err != nil {
		t.Fatal(err)
	}
	w.clock.add(10 * time.Minute)
	w.expire()
	w.writeConfig(strings.Replace(busyConfig, "enabled: true", "enabled: false", 1))
	w.cycle()
	return w
}

// inputOf is a recorded input as the engine takes it.
func inputOf(t *testing.T, recorded json.RawMessage) engine.Input {
	t.Helper()
	var parts map[string]json.RawMessage
	if err := json.Unmarshal(recorded, &parts); err != nil {
		t.Fatal(err)
	}
	var in engine.Input
	for name, raw := range parts {
		part, err := engine.NewPart(name, raw)
		if err != nil {
			t.Fatal(err)
		}
		in = append(in, part)
	}
	return in
}

func TestARecordedDecisionComesOutTheSameAgain(t *testing.T) {
	t.Parallel()
	w := busy(t)
	policy, err := builtin()
	if err != nil {
		t.Fatal(err)
	}
	allowed, denied := map[string]bool{}, map[string]bool{}
	all := w.decisions()
	for _, d := range all {
		in := inputOf(t, d.Input)
		if got := in.Digest(); got != d.InputDigest {
			t.Errorf("%s %s: the input's digest is %s, recorded %s", d.Action, d.ID, got, d.InputDigest)
		}
		result := policy.Decide(context.Background(), d.Action, in)
		if string(result.JSON) != string(d.Result) || result.Allow != d.Decision {
			t.Errorf("%s %s: recorded\n%s\nnow\n%s", d.Action, d.ID, d.Result, result.JSON)
		}
		if d.PolicyDigest != policy.Digest() || d.Revision != policy.Revision() {
			t.Errorf("%s: of policy %s %s", d.ID, d.Revision, d.PolicyDigest)
		}
		if d.Decision {
			allowed[d.Action] = true
		} else {
			denied[d.Action] = true
			if len(d.Reasons) == 0 {
				t.Errorf("%s %s is denied without a reason", d.Action, d.ID)
			}
		}
	}
	for _, action := range []string{"pull_request.merge", "backlog.create"} {
		if allowed[action] || !denied[action] {
			t.Errorf("%s is allowed", action)
		}
	}
	for _, action := range gateway.Actions() {
		if !allowed[action] && !denied[action] {
			t.Errorf("nobody asked %s: this run is not busy enough", action)
		}
	}
	if len(all) < 100 || len(allowed) < 20 {
		t.Errorf("%d decisions, %d actions allowed: this run is not busy enough", len(all), len(allowed))
	}
}
