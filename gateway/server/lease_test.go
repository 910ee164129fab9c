package server_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"leviathan/gateway"
	"leviathan/gateway/journal"
)

// expire lets the clockwork look once.
func (w *world) expire() {
	w.t.Helper()
	if err := w.server.Expire(context.Background()); err != nil {
		w.t.Error(err)
	}
}

func TestALeaseEndsWithoutAHeartbeatAndNotBefore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tasksOf(3), strings.Replace(baseConfig, "max_running_attempts: 2", "max_running_attempts: 3", 1))
	ctx := context.Background()
	result := w.cycle()
	silent, beating, proposed := reservation(t, result, "t0"), reservation(t, result, "t1"), reservation(t, result, "t2")
	w.startAttempt(silent)
	w.startAttempt(beating)
	if out, err := w.push(proposed, w.startAttempt(proposed), map[string]string{"docs/t2.md": "x\n"}); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if _, err := w.client(proposed.Token).OpenPullRequest(ctx, proposed.AttemptID, gateway.PullRequestRequest{Summary: "s"}); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		w.clock.add(15 * time.Second)
		if beat, err := w.client(beating.Token).Heartbeat(ctx, beating.AttemptID, gateway.HeartbeatRequest{}); err != nil || beat.Action != gateway.Continue {
			t.Fatalf("heartbeat: %+v %v", beat, err)
		}
		w.expire()
		if state := w.state(silent.AttemptID); state != gateway.Running {
			t.Fatalf("too early: %s", state)
		}
	}
	w.clock.add(time.Millisecond)
	// Over is over, before the clockwork has looked.
	if out, err := w.tryGit(w.dir, "ls-remote", w.remote(silent)); err == nil || !strings.Contains(out, "delivery.lease") {
		t.Errorf("fetch after the lease: %v %s", err, out)
	}
	if beat, err := w.client(silent.Token).Heartbeat(ctx, silent.AttemptID, gateway.HeartbeatRequest{}); err != nil || beat.Action != gateway.Stop || beat.Reason.Code != "guard.lease_ended" {
		t.Errorf("heartbeat after the lease: %+v %v", beat, err)
	}
	w.expire()
	w.expire()
	for id, want := range map[gateway.AttemptID]gateway.AttemptState{silent.AttemptID: gateway.Expired, beating.AttemptID: gateway.Running, proposed.AttemptID: gateway.Succeeded} {
		if got := w.state(id); got != want {
			t.Errorf("an attempt is %s, want %s", got, want)
		}
	}
	if n := w.events()["attempt.expired"]; n != 1 {
		t.Errorf("%d attempts expired", n)
	}
	w.fold()
}

func TestAnAttemptThatNobodyStartsExpires(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tasksOf(1), baseConfig)
	reserved := w.clock.now()
	r := reservation(t, w.cycle(), "t0")
	if got := r.StartDeadline.Sub(reserved); got != 300*time.Second {
		t.Errorf("the launcher is told that it has %s", got)
	}
	w.clock.add(300 * time.Second)
	w.expire()
	if state := w.state(r.AttemptID); state != gateway.Reserved {
		t.Errorf("at its deadline it is %s", state)
	}
	w.clock.add(time.Second)
	w.refused(w.ask("POST", "/v1/attempts/"+string(r.AttemptID)+"/start", r.Token, `{"instance":"instance-1"}`), 403, "delivery.start_deadline")
	w.expire()
	if state := w.state(r.AttemptID); state != gateway.Expired {
		t.Errorf("after its deadline it is %s", state)
	}
	state, err := w.journal.State("demo")
	if err != nil || state.Tasks["t0"].Infrastructure != 1 || state.Tasks["t0"].Counted != 0 {
		t.Errorf("what counts: %+v %v", state.Tasks["t0"], err)
	}
}

func TestARestartRenewsEachLeaseOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tasksOf(1), baseConfig)
	r := reservation(t, w.cycle(), "t0")
	w.startAttempt(r)
	w.clock.add(10 * time.Minute) // the gateway was away; the worker could not reach it
	w.restart()
	w.expire()
	if beat, err := w.client(r.Token).Heartbeat(context.Background(), r.AttemptID, gateway.HeartbeatRequest{}); err != nil || beat.Action != gateway.Continue {
		t.Errorf("heartbeat after a restart: %+v %v", beat, err)
	}
	if n := w.events()["lease.renewed"]; n != 1 {
		t.Errorf("%d leases were renewed", n)
	}
	w.clock.add(61 * time.Second)
	w.expire()
	if state := w.state(r.AttemptID); state != gateway.Expired {
		t.Errorf("a worker that is silent after the restart is %s", state)
	}
}

// append writes one of the gateway's own events, as if the gateway had, and
// had been killed right after.
func (w *world) append(payload journal.Payload) {
	w.t.Helper()
	err := w.journal.Commit(context.Background(), func(tx *journal.Tx) error {
		_, err := tx.Append(journal.NewEvent("gateway", payload))
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// about names the attempt in an event.
func about(r gateway.Reservation) journal.Subject {
	return journal.Subject{TargetID: "demo", TaskID: r.TaskID, AttemptID: r.AttemptID}
}

func TestS17APushWithoutReceiptIsObservedAndNeverPerformed(t *testing.T) {
	t.Parallel()
	for name, arrived := range map[string]bool{"it arrived": true, "it did not": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, baseBacklog, baseConfig)
			ctx := context.Background()
			r := reservation(t, w.cycle(), "guide")
			started := w.startAttempt(r)
			tree := w.checkout(r)
			w.write(tree, map[string]string{"docs/guide.md": "# Guide\n"})
			w.git(tree, "add", "--all")
			author := started.Commit.Author
			w.git(tree, "-c", "user.name="+author.Name, "-c", "user.email="+author.Email, "commit", "--quiet", "--cleanup=verbatim", "--message", started.Commit.Message,
				"--author", author.Name+" <"+author.Email+">")
			head := gateway.OID(w.git(tree, "rev-parse", "HEAD"))
			ref := "refs/heads/" + r.Branch
			w.append(journal.PushIntended{Subject: about(r), PushIntent: journal.PushIntent{RefName: ref, Old: gateway.ZeroOID, New: head, Tree: gateway.OID(w.git(tree, "rev-parse", "HEAD^{tree}"))}})
			if arrived {
				w.git(tree, "push", "--quiet", w.upstream, "HEAD:"+ref)
			}
			refs := w.refs()
			w.restart()
			back := w.hide()
			w.server.SettleIntents(ctx)
			back()
			if a, _, err := w.journal.Attempt(ctx, r.AttemptID); err != nil || !a.HasPushIntent {
				t.Errorf("what cannot be seen was settled: %+v %v", a, err)
			}
			if out, err := w.tryGit(tree, "push", w.remote(r), "HEAD:"+ref); !arrived && (err == nil || !strings.Contains(out, "unknown.push_intent")) {
				t.Errorf("a push beside an unsettled one: %v\n%s", err, out)
			}
			w.server.SettleIntents(ctx)
			w.server.SettleIntents(ctx)
			if now := w.refs(); now != refs {
				t.Errorf("settling changed the upstream from\n%s\nto\n%s", refs, now)
			}
			want := map[bool]gateway.AttemptState{true: gateway.Pushed, false: gateway.Running}[arrived]
			if state := w.state(r.AttemptID); state != want {
				t.Errorf("the attempt is %s, want %s", state, want)
			}
			if out, err := w.tryGit(tree, "push", w.remote(r), "HEAD:"+ref); err != nil {
				t.Errorf("the worker pushes again: %v\n%s", err, out)
			}
			if _, err := w.client(r.Token).OpenPullRequest(ctx, r.AttemptID, gateway.PullRequestRequest{Summary: "s"}); err != nil {
				t.Errorf("pull request: %v", err)
			}
			count := w.events()
			if count["attempt.pushed"] != 1 || count["push.voided"] != map[bool]int{true: 0, false: 1}[arrived] {
				t.Errorf("events: %v", count)
			}
		})
	}
}

func TestS17APullRequestWithoutReceiptIsObserved(t *testing.T) {
	t.Parallel()
	merge := func(w *world, r gateway.Reservation) {
		tree := w.t.TempDir()
		w.git(w.dir, "clone", "--quiet", w.upstream, tree)
		w.git(tree, "merge", "--quiet", "--no-ff", "-m", "Merge", "origin/"+r.Branch)
		w.git(tree, "push", "--quiet", "origin", "HEAD:main")
	}
	for name, row := range map[string]struct {
		human func(w *world, r gateway.Reservation)
		count map[string]int
		skip  string
	}{
		"never opened": {nil, map[string]int{"pr.voided": 1, "pr.created": 0}, "schedule.running"},
		"open":         {func(*world, gateway.Reservation) {}, map[string]int{"pr.created": 1, "pr.voided": 0}, "schedule.pull_request_open"},
		"merged":       {merge, map[string]int{"pr.created": 1, "pr.merged": 1, "task.completed": 1}, "schedule.completed"},
		"merged, branch gone": {func(w *world, r gateway.Reservation) {
			merge(w, r)
			w.git(w.upstream, "update-ref", "-d", "refs/heads/"+r.Branch)
		}, map[string]int{"pr.created": 1, "pr.merged": 1}, "schedule.completed"},
		"closed by its branch": {func(w *world, r gateway.Reservation) { w.git(w.upstream, "update-ref", "-d", "refs/heads/"+r.Branch) }, map[string]int{"pr.created": 1, "pr.closed": 1}, "schedule.closed_by_human"},
	} {
		for _, by := range []string{"clockwork", "observation"} {
			t.Run(name+" by "+by, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, baseBacklog, baseConfig)
				ctx := context.Background()
				r := reservation(t, w.cycle(), "guide")
				if out, err := w.push(r, w.startAttempt(r), map[string]string{"docs/guide.md": "# Guide\n"}); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
				head := w.git(w.upstream, "rev-parse", "refs/heads/"+r.Branch)
				w.append(journal.PullIntended{Subject: about(r), PullIntent: journal.PullIntent{BranchName: r.Branch, CommitSHA: gateway.OID(head), Title: "T"}})
				if row.human != nil {
					w.git(w.upstream, "update-ref", "refs/pull/1/head", head)
					row.human(w, r)
				}
				w.clock.add(time.Second)
				w.restart()
				if by == "observation" { // a human was quicker than the clockwork, and a cycle sees it first
					w.server.Observe(ctx, "demo")
				}
				w.server.SettleIntents(ctx)
				w.server.SettleIntents(ctx)
				count := w.events()
				for kind, n := range row.count {
					if count[kind] != n {
						t.Errorf("%d events %s, want %d (%s)", count[kind], kind, n, fmt.Sprint(count))
					}
				}
				result := w.cycle()
				if got := codes(result, "guide"); result.Outcome == gateway.CycleUnknown || !strings.Contains(strings.Join(got, " "), row.skip) {
					t.Errorf("guide is skipped for %v, %s %v", got, result.Outcome, result.Reasons)
				}
			})
		}
	}
}
