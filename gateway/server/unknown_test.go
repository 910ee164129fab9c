package server_test

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"leviathan/gateway"
)

// unknown expects a cycle that reserves nothing because a fact cannot be had.
func (w *world) unknown(what, code string) {
	w.t.Helper()
	result := w.cycle()
	if result.Outcome != gateway.CycleUnknown || !slices.Contains(reasonCodes(result.Reasons), code) || len(result.Reserved) != 0 {
		w.t.Errorf("%s: %s %v, reserved %d", what, result.Outcome, result.Reasons, len(result.Reserved))
	}
}

// hide takes the upstream away; the function it gives puts it back.
func (w *world) hide() func() {
	w.t.Helper()
	if err := os.Rename(w.upstream, w.upstream+".gone"); err != nil {
		w.t.Fatal(err)
	}
	return func() {
		w.t.Helper()
		if err := os.Rename(w.upstream+".gone", w.upstream); err != nil {
			w.t.Fatal(err)
		}
	}
}

func TestAnUpstreamThatIsAwayStopsNewWorkAndKillsNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, strings.Replace(baseConfig, "max_running_attempts: 2", "max_running_attempts: 1", 1))
	ctx := context.Background()
	r := reservation(t, w.cycle(), "guide")
	started := w.startAttempt(r)
	tree := w.checkout(r)
	w.write(tree, map[string]string{"docs/guide.md": "# Guide\n"})
	w.git(tree, "add", "--all")
	back := w.hide()
	w.unknown("the upstream is away", "unknown.backlog")
	status, err := w.client(operator).Status(ctx)
	if err != nil || status.Targets[0].Effective {
		t.Errorf("status: %+v %v", status.Targets[0], err)
	}
	if !slices.ContainsFunc(status.Targets[0].Facts, func(f gateway.FactStatus) bool { return f.Name == "mirror" && !f.Known && f.Problem != "" }) {
		t.Errorf("facts: %+v", status.Targets[0].Facts)
	}
	for range 3 {
		w.clock.add(20 * time.Second)
		if beat, err := w.client(r.Token).Heartbeat(ctx, r.AttemptID, gateway.HeartbeatRequest{}); err != nil || beat.Action != gateway.Continue {
			t.Errorf("heartbeat: %+v %v", beat, err)
		}
	}
	out, err := w.pushTree(tree, r, started)
	if err == nil || !strings.Contains(out, "unknown.upstream") {
		t.Errorf("push: %v\n%s", err, out)
	}
	if a, _, err := w.journal.Attempt(ctx, r.AttemptID); err != nil || !a.HasPushIntent {
		t.Errorf("what nobody can see was taken for void: %+v %v", a, err)
	}
	w.refused(w.ask("POST", "/v1/attempts/"+string(r.AttemptID)+"/pull-request", r.Token, `{"summary":"s"}`), 503, "unknown.forge")
	back()
	w.server.SettleIntents(ctx) // what was intended and is not there is void
	if out, err := w.tryGit(tree, "push", "origin", "HEAD:refs/heads/"+r.Branch); err != nil {
		t.Errorf("push when it is back: %v\n%s", err, out)
	}
	if _, err := w.client(r.Token).OpenPullRequest(ctx, r.AttemptID, gateway.PullRequestRequest{Summary: "s"}); err != nil {
		t.Errorf("pull request: %v", err)
	}
	if result := w.cycle(); result.Outcome == gateway.CycleUnknown {
		t.Errorf("it does not recover: %v", result.Reasons)
	}
	// A halt needs no fact.
	back = w.hide()
	defer back()
	if err := w.client(operator).Halt(ctx, gateway.ReasonRequest{Target: ptr(gateway.TargetID("demo")), Reason: "r"}); err != nil {
		t.Errorf("halt: %v", err)
	}
}

func TestAGatewayThatStartsWithoutItsUpstreamKnowsThat(t *testing.T) {
	t.Parallel()
	w := newUpstream(t, baseBacklog, baseConfig)
	back := w.hide()
	w.start()
	w.unknown("never seen", "unknown.backlog")
	w.unknown("never seen", "unknown.target_policy")
	back()
	r := reservation(t, w.cycle(), "guide")
	back = w.hide()
	w.restart()
	// The clone has to wait; the lease and the work do not.
	w.startAttempt(r)
	if beat, err := w.client(r.Token).Heartbeat(context.Background(), r.AttemptID, gateway.HeartbeatRequest{}); err != nil || beat.Action != gateway.Continue {
		t.Errorf("heartbeat: %+v %v", beat, err)
	}
	w.unknown("after a restart", "unknown.backlog")
	back()
	if result := w.cycle(); result.Outcome == gateway.CycleUnknown {
		t.Errorf("it does not recover: %v", result.Reasons)
	}
}

func TestABacklogThatCannotBeReadIsNotAnEmptyOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	reservation(t, w.cycle(), "guide")
	for what, text := range map[string]string{"no YAML": "tasks: [", "a wrong type": "tasks: many", "an empty file": "", "two documents": baseBacklog + "---\n" + baseBacklog} {
		w.commit(map[string]string{".leviathan/backlog.yaml": text})
		w.unknown(what, "unknown.backlog")
	}
	w.commit(map[string]string{".leviathan/backlog.yaml": baseBacklog, ".leviathan/policy.yaml": "forbidden_paths: 5\n"})
	if result := w.cycle(); result.Outcome != gateway.CycleDenied || !slices.Contains(reasonCodes(result.Reasons), "guard.target_policy_invalid") {
		t.Errorf("a broken policy: %s %v", result.Outcome, result.Reasons)
	}
	w.commit(map[string]string{".leviathan/policy.yaml": "forbidden_paths: [docs/notes/**]\n"})
	if result := w.cycle(); result.Outcome != gateway.CycleIdle && result.Outcome != gateway.CycleWorked {
		t.Errorf("it does not recover: %s %v", result.Outcome, result.Reasons)
	}
	tree := t.TempDir()
	w.git(w.dir, "clone", "--quiet", w.upstream, tree)
	w.git(tree, "rm", "--quiet", "-r", ".leviathan")
	w.git(tree, "commit", "--quiet", "--message", "Remove")
	w.git(tree, "push", "--quiet", "origin", "HEAD:main")
	w.unknown("no backlog", "unknown.backlog")
	// A branch that is gone is no empty backlog either.
	w.git(w.upstream, "update-ref", "refs/heads/other", "refs/heads/main")
	w.git(w.upstream, "symbolic-ref", "HEAD", "refs/heads/other")
	w.git(w.upstream, "update-ref", "-d", "refs/heads/main")
	w.unknown("no branch", "unknown.backlog")
}

func TestAStaleFactIsNotActedOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	w.cycle()
	ask := func() gateway.Evaluation {
		e, err := w.client(operator).Evaluate(context.Background(), gateway.Question{Subject: gateway.Entity{Type: "component", ID: "scheduler"},
			Action: gateway.Action{Name: "cycle.plan"}, Resource: gateway.Entity{Type: "target", ID: "demo"}})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	w.clock.add(600 * time.Second)
	if e := ask(); !e.Decision {
		t.Errorf("ten minutes old: %v", e.Context.Reasons)
	}
	w.clock.add(time.Second)
	if e := ask(); e.Decision || !slices.Contains(reasonCodes(e.Context.Reasons), "unknown.stale") {
		t.Errorf("more than ten minutes old: %v", e.Context.Reasons)
	}
}

func TestAClockThatGoesBackIsNotBelieved(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	ctx := context.Background()
	result := w.cycle()
	r, other := reservation(t, result, "guide"), reservation(t, result, "notes")
	w.startAttempt(r)
	w.clock.add(-time.Second)
	if result := w.cycle(); result.Outcome == gateway.CycleUnknown {
		t.Errorf("one second back: %v", result.Reasons)
	}
	w.clock.add(-time.Hour)
	w.unknown("an hour back", "unknown.clock")
	if a := w.ask("GET", "/health/ready", "", ""); a.status != 503 || !strings.Contains(a.body, `"clock"`) {
		t.Errorf("ready: %d %s", a.status, a.body)
	}
	if status, err := w.client(operator).Status(ctx); err != nil || !strings.HasPrefix(status.Clock, "unknown.clock") {
		t.Errorf("status: %q %v", status.Clock, err)
	}
	// A worker is told, not turned away as a stranger.
	beat, err := w.client(r.Token).Heartbeat(ctx, r.AttemptID, gateway.HeartbeatRequest{})
	if err != nil || beat.Action != gateway.Stop || beat.Reason.Code != "unknown.clock" {
		t.Errorf("heartbeat: %+v %v", beat, err)
	}
	w.refused(w.ask("POST", "/v1/attempts/"+string(other.AttemptID)+"/start", other.Token, `{"instance":"instance-1"}`), 503, "unknown.clock")
	if err := w.client(operator).Halt(ctx, gateway.ReasonRequest{Reason: "r"}); err != nil {
		t.Errorf("halt: %v", err)
	}
	if err := w.client(operator).Resume(ctx, gateway.ReasonRequest{Reason: "r"}); err != nil {
		t.Errorf("resume: %v", err)
	}
	if err := w.client(operator).AcceptClock(ctx, "the old time was wrong"); err != nil {
		t.Fatal(err)
	}
	if a := w.ask("GET", "/health/ready", "", ""); a.status != 200 {
		t.Errorf("ready after accepting: %d %s", a.status, a.body)
	}
	if result := w.cycle(); result.Outcome == gateway.CycleUnknown {
		t.Errorf("after accepting: %v", result.Reasons)
	}
	last := time.Time{}
	accepted := false
	for _, e := range w.log() {
		if e.Timestamp.Before(last) {
			t.Errorf("%s at %s is earlier than what came before", e.EventType, e.Timestamp)
		}
		if last = e.Timestamp.Time; e.EventType == gateway.EventClockAccepted {
			accepted, last = true, time.Time{}
		}
	}
	if !accepted {
		t.Error("clock.accepted is not in the journal")
	}
	if beat, err := w.client(r.Token).Heartbeat(ctx, r.AttemptID, gateway.HeartbeatRequest{}); err != nil || beat.Action != gateway.Continue {
		t.Errorf("heartbeat after accepting: %+v %v", beat, err)
	}
}
