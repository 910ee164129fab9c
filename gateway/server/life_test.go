package server_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"leviathan/gateway"
)

func TestATaskBecomesAPullRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	result := w.cycle()
	if result.Outcome != gateway.CycleWorked || len(result.Reserved) != 2 {
		t.Fatalf("outcome %s, reserved %d, reasons %v, skipped %v", result.Outcome, len(result.Reserved), result.Reasons, result.Skipped)
	}
	r := reservation(t, result, "guide")
	pr := w.deliver(r, map[string]string{"docs/guide.md": "# Guide\n"})
	if pr.Number != 1 || !pr.HeadCommit.Valid() {
		t.Errorf("pull request %+v", pr)
	}
	if got := w.git(w.upstream, "rev-parse", "refs/pull/1/head"); got != string(pr.HeadCommit) {
		t.Errorf("refs/pull/1/head is %s, the gateway said %s", got, pr.HeadCommit)
	}
	if state := w.state(r.AttemptID); state != gateway.Succeeded {
		t.Errorf("the attempt is %s", state)
	}
	if got := codes(w.cycle(), "guide"); !slices.Contains(got, "schedule.pull_request_open") {
		t.Errorf("a task with an open pull request is skipped for %v", got)
	}
	// A human merges with plain git; the gateway sees it.
	tree := t.TempDir()
	w.git(w.dir, "clone", "--quiet", w.upstream, tree)
	w.git(tree, "fetch", "--quiet", "origin", "refs/pull/1/head")
	w.git(tree, "merge", "--quiet", "--no-ff", "-m", "Merge", "FETCH_HEAD")
	w.git(tree, "push", "--quiet", "origin", "HEAD:main")
	if got := codes(w.cycle(), "guide"); !slices.Contains(got, "schedule.completed") {
		t.Errorf("a merged task is skipped for %v", got)
	}
}

func TestS01OnlyReadyTrueRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `tasks:
  - {id: quoted, title: T, scope: docs, ready: "true", allowed_paths: [docs/a.md]}
  - {id: worded, title: T, scope: docs, ready: yes, allowed_paths: [docs/b.md]}
  - {id: one, title: T, scope: docs, ready: 1, allowed_paths: [docs/c.md]}
  - {id: missing, title: T, scope: docs, allowed_paths: [docs/d.md]}
  - {id: untrue, title: T, scope: docs, ready: false, allowed_paths: [docs/e.md]}
  - {id: real, title: T, scope: docs, ready: true, allowed_paths: [docs/f.md]}
`, baseConfig)
	result := w.cycle()
	if len(result.Reserved) != 1 || result.Reserved[0].TaskID != "real" {
		t.Fatalf("reserved %v", result.Reserved)
	}
	for _, id := range []gateway.TaskID{"quoted", "worded", "one", "missing", "untrue"} {
		got := codes(result, id)
		if !slices.Contains(got, "schedule.not_ready") && !slices.Contains(got, "schedule.invalid") {
			t.Errorf("%s is skipped for %v", id, got)
		}
	}
}

func TestS04OutOfScopeIsRefusedAtPushAndKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	r := reservation(t, w.cycle(), "guide")
	started := w.startAttempt(r)
	out, err := w.push(r, started, map[string]string{"docs/guide.md": "# Guide\n", "src/core.txt": "hacked\n"})
	if err == nil {
		t.Fatalf("the push passed:\n%s", out)
	}
	for _, want := range []string{"remote: scope.", "src/core.txt", "remote: decision "} {
		if !strings.Contains(out, want) {
			t.Errorf("git does not show %q:\n%s", want, out)
		}
	}
	if refs := w.git(w.upstream, "for-each-ref", "refs/heads/agent"); refs != "" {
		t.Errorf("something reached the upstream: %s", refs)
	}
	_, id, _ := strings.Cut(out, "remote: decision ")
	id = strings.TrimSpace(strings.SplitN(id, "\n", 2)[0])
	bundle, err := w.client(operator).DecisionBundle(context.Background(), gateway.DecisionID(id))
	if err != nil {
		t.Fatal(err)
	}
	if err := bundle.Close(); err != nil {
		t.Error(err)
	}
	// Other content may follow while the lease lives.
	if out, err := w.push(r, started, map[string]string{"docs/guide.md": "# Guide\n"}); err != nil {
		t.Errorf("the mended push was refused: %v\n%s", err, out)
	}
}

func TestS05ItsOwnScopeIsOutOfReach(t *testing.T) {
	t.Parallel()
	wide := strings.Replace(baseConfig, "[docs/, tests/]", "[docs/, .leviathan/, .github/]", 1)
	w := newWorld(t, `tasks:
  - {id: backlog, title: T, scope: docs, ready: true, allowed_paths: [.leviathan/backlog.yaml]}
  - {id: workflow, title: T, scope: docs, ready: true, allowed_paths: [.github/workflows/x.yml]}
  - {id: owners, title: T, scope: docs, ready: true, allowed_paths: [docs/CODEOWNERS]}
`, wide)
	result := w.cycle()
	if len(result.Reserved) != 0 {
		t.Fatalf("reserved %v", result.Reserved)
	}
	for _, id := range []gateway.TaskID{"backlog", "workflow", "owners"} {
		if got := codes(result, id); !slices.Contains(got, "scope.protected") {
			t.Errorf("%s is skipped for %v", id, got)
		}
	}
}

func TestS06LimitsHoldInEveryCycle(t *testing.T) {
	t.Parallel()
	backlog := "tasks:\n"
	for _, id := range []string{"a", "b", "c", "d", "e"} {
		backlog += "  - {id: " + id + ", title: T, scope: docs, ready: true, allowed_paths: [docs/" + id + ".md]}\n"
	}
	w := newWorld(t, backlog, baseConfig)
	done := map[gateway.TaskID]bool{}
	for range 4 {
		result := w.cycle()
		live := 0
		for _, r := range result.Reserved {
			live++
			if !done[r.TaskID] {
				done[r.TaskID] = true
				w.deliver(r, map[string]string{"docs/" + string(r.TaskID) + ".md": "x\n"})
			}
		}
		if live > 2 {
			t.Fatalf("%d attempts at once, the limit is 2", live)
		}
	}
	if len(done) != 3 {
		t.Errorf("%d pull requests, the limit is 3", len(done))
	}
	if got := codes(w.cycle(), "e"); !slices.Contains(got, "limits.open_prs") {
		t.Errorf("e is skipped for %v", got)
	}
}

func TestS07ATaskThatAlwaysFailsIsBlockedAndTheNextProceeds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, strings.Replace(baseConfig, "max_running_attempts: 2", "max_running_attempts: 1", 1))
	for n := 1; n <= 2; n++ {
		r := reservation(t, w.cycle(), "guide")
		if r.AttemptNumber != n {
			t.Errorf("attempt number %d, want %d", r.AttemptNumber, n)
		}
		w.fail(r, gateway.AgentError)
		if n == 1 {
			result := w.cycle()
			if got := codes(result, "guide"); !slices.Contains(got, "limits.backoff") {
				t.Errorf("right after a failure guide is skipped for %v", got)
			}
			w.deliver(reservation(t, result, "notes"), map[string]string{"docs/notes/a.md": "x\n"})
		}
		w.clock.add(10 * time.Minute)
	}
	result := w.cycle()
	if got := codes(result, "guide"); !slices.Contains(got, "schedule.blocked") && !slices.Contains(got, "limits.attempts") {
		t.Errorf("an exhausted task is skipped for %v", got)
	}
	events, err := w.client(operator).RecentEvents(context.Background(), 100)
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, e := range events {
		count[e.EventType]++
	}
	if count["task.blocked"] != 1 || count["attempt.failed"] != 2 {
		t.Errorf("events: %v", count)
	}
	// An operator lets it be tried again.
	if err := w.client(operator).Retry(context.Background(), "demo", "guide", "the agent was mended"); err != nil {
		t.Fatal(err)
	}
	reservation(t, w.cycle(), "guide")
}

func TestS08TheBreakerOpensProbesAndCloses(t *testing.T) {
	t.Parallel()
	backlog := "tasks:\n"
	for _, id := range []string{"a", "b", "c", "d", "e"} {
		backlog += "  - {id: " + id + ", title: T, scope: docs, ready: true, allowed_paths: [docs/" + id + ".md]}\n"
	}
	w := newWorld(t, backlog, baseConfig)
	failures := 0
	for failures < 3 {
		result := w.cycle()
		if len(result.Reserved) == 0 {
			t.Fatalf("nothing reserved after %d failures: %v", failures, result.Reasons)
		}
		for _, r := range result.Reserved {
			if failures < 3 {
				w.fail(r, gateway.AgentError)
				failures++
			}
		}
	}
	// One attempt may still wait from the last cycle; it is cancelled so that
	// the breaker alone decides.
	live, err := w.client(operator).Attempts(context.Background(), gateway.AttemptQuery{State: "live"})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range live.Attempts {
		if err := w.client(operator).Cancel(context.Background(), a.AttemptID, "test"); err != nil {
			t.Fatal(err)
		}
	}
	result := w.cycle()
	if result.Outcome != gateway.CycleDenied || !slices.Contains(reasonCodes(result.Reasons), "limits.circuit_open") {
		t.Fatalf("after three failures in a row: %s %v", result.Outcome, result.Reasons)
	}
	status, err := w.client(operator).Status(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if status.Targets[0].Circuit.State != gateway.CircuitOpen {
		t.Errorf("status says the breaker is %s", status.Targets[0].Circuit.State)
	}
	w.clock.add(16 * time.Minute)
	result = w.cycle()
	if len(result.Reserved) != 1 {
		t.Fatalf("a half-open breaker reserved %d attempts: %v", len(result.Reserved), result.Reasons)
	}
	w.deliver(result.Reserved[0], map[string]string{"docs/" + string(result.Reserved[0].TaskID) + ".md": "x\n"})
	if result = w.cycle(); len(result.Reserved) == 0 || result.Outcome != gateway.CycleWorked {
		t.Errorf("after a good probe: %s %v %v", result.Outcome, result.Reasons, result.Skipped)
	}
}

func TestS09TheSwitchStopsEveryStep(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	result := w.cycle()
	guide, notes := reservation(t, result, "guide"), reservation(t, result, "notes")
	started := w.startAttempt(guide)
	tree := w.checkout(guide)
	w.write(tree, map[string]string{"docs/guide.md": "# Guide\n"})
	w.git(tree, "add", "--all")
	w.writeConfig(strings.Replace(baseConfig, "autonomy_enabled: true", "autonomy_enabled: false", 1))

	if result := w.cycle(); result.Outcome != gateway.CycleDenied || !slices.Contains(reasonCodes(result.Reasons), "guard.switched_off") {
		t.Errorf("cycle: %s %v", result.Outcome, result.Reasons)
	}
	ctx := context.Background()
	if _, err := w.client(notes.Token).Start(ctx, notes.AttemptID, gateway.StartRequest{Instance: "instance-1"}); !errors.Is(err, gateway.ErrDenied) {
		t.Errorf("start: %v", err)
	}
	beat, err := w.client(guide.Token).Heartbeat(ctx, guide.AttemptID, gateway.HeartbeatRequest{})
	if err != nil || beat.Action != gateway.Stop || beat.Reason.Code != "guard.switched_off" {
		t.Errorf("heartbeat: %+v %v", beat, err)
	}
	if out, err := w.pushTree(tree, guide, started); err == nil || !strings.Contains(out, "guard.switched_off") {
		t.Errorf("push: %v\n%s", err, out)
	}
	if _, err := w.client(guide.Token).Finish(ctx, guide.AttemptID, gateway.FinishRequest{Outcome: "cancelled"}); err != nil {
		t.Errorf("an attempt must be able to end: %v", err)
	}
	if status, err := w.client(operator).Status(ctx); err != nil || status.AutonomyEnabled {
		t.Errorf("status: %v %v", status.AutonomyEnabled, err)
	}
}

func TestAClosedPullRequestIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	r := reservation(t, w.cycle(), "guide")
	w.deliver(r, map[string]string{"docs/guide.md": "# Guide\n"})
	w.git(w.upstream, "update-ref", "-d", "refs/pull/1/head")
	if got := codes(w.cycle(), "guide"); !slices.Contains(got, "schedule.closed_by_human") {
		t.Fatalf("a task closed by a human is skipped for %v", got)
	}
	// Another text is another task.
	w.commit(map[string]string{".leviathan/backlog.yaml": strings.Replace(baseBacklog, "Write a guide", "Write a better guide", 1)})
	reservation(t, w.cycle(), "guide")
}
