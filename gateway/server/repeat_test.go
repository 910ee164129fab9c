package server_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"

	"leviathan/gateway"
)

func TestARepliedTwiceCycleReservesOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	first := w.cycle()
	w.restart() // the token comes out the same from the key on disk
	second := w.cycle()
	if !reflect.DeepEqual(first.Reserved, second.Reserved) {
		t.Errorf("the lost reply was\n%+v\nthe next is\n%+v", first.Reserved, second.Reserved)
	}
	if n := w.events()["attempt.created"]; n != 2 {
		t.Errorf("%d attempts were created", n)
	}
}

func TestOneInstanceHasAnAttempt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	r := reservation(t, w.cycle(), "guide")
	ctx, wins := context.Background(), 0
	var mu sync.Mutex
	var group sync.WaitGroup
	for _, instance := range []string{"instance-1", "instance-2", "instance-3", "instance-4"} {
		group.Go(func() {
			first, err := w.client(r.Token).Start(ctx, r.AttemptID, gateway.StartRequest{Instance: instance})
			if errors.Is(err, gateway.ErrConflict) {
				return
			}
			if err != nil {
				t.Errorf("start: %v", err)
				return
			}
			mu.Lock()
			wins++
			mu.Unlock()
			again, err := w.client(r.Token).Start(ctx, r.AttemptID, gateway.StartRequest{Instance: instance})
			if err != nil {
				t.Errorf("start said again: %v", err)
			}
			again.DecisionID = first.DecisionID
			if !reflect.DeepEqual(first, again) {
				t.Errorf("first\n%+v\nthen\n%+v", first, again)
			}
		})
	}
	group.Wait()
	if n := w.events()["attempt.started"]; wins != 1 || n != 1 {
		t.Errorf("%d instances have the attempt, %d starts are recorded", wins, n)
	}
	w.refused(w.ask("POST", "/v1/attempts/"+string(r.AttemptID)+"/start", r.Token, `{"instance":"instance-5"}`), 409, "attempt.already_started")
}

func TestADeliveryMayBeSaidTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	ctx := context.Background()
	r := reservation(t, w.cycle(), "guide")
	started := w.startAttempt(r)
	own, c := "/v1/attempts/"+string(r.AttemptID), w.client(r.Token)
	w.refused(w.ask("POST", own+"/finish", r.Token, `{"outcome":"succeeded"}`), 409, "attempt.not_proposed")
	w.refused(w.ask("POST", own+"/pull-request", r.Token, `{"summary":"s"}`), 403, "delivery.not_pushed")
	tree := w.checkout(r)
	w.write(tree, map[string]string{"docs/guide.md": "# Guide\n"})
	w.git(tree, "add", "--all")
	if out, err := w.pushTree(tree, r, started); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	branch := w.git(w.upstream, "rev-parse", "refs/heads/"+r.Branch)
	again := w.replay(tree, r, "HEAD:refs/heads/"+r.Branch)
	if !strings.Contains(again, "unpack ok") || !strings.Contains(again, "ok refs/heads/"+r.Branch) {
		t.Errorf("the same commit again: %q", again)
	}
	// The same commit for another branch is not what was forwarded.
	if got := w.replay(tree, r, "HEAD:refs/heads/main"); !strings.Contains(got, "ng refs/heads/main") {
		t.Errorf("the same commit for main: %q", got)
	}
	w.write(tree, map[string]string{"docs/guide.md": "# Another guide\n"})
	w.git(tree, "commit", "--quiet", "--all", "--amend", "--no-edit")
	if out, err := w.tryGit(tree, "push", "--force", "origin", "HEAD:refs/heads/"+r.Branch); err == nil {
		t.Errorf("another commit after a success: %s", out)
	}
	if now := w.git(w.upstream, "rev-parse", "refs/heads/"+r.Branch); now != branch {
		t.Errorf("the branch moved from %s to %s", branch, now)
	}
	w.refused(w.ask("POST", own+"/finish", r.Token, `{"outcome":"succeeded"}`), 409, "attempt.not_proposed")
	var numbers sync.Map
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			pr, err := c.OpenPullRequest(ctx, r.AttemptID, gateway.PullRequestRequest{Summary: "Done."})
			if err != nil {
				t.Errorf("pull request: %v", err)
			}
			numbers.Store(pr.Number, true)
		})
	}
	group.Wait()
	numbers.Range(func(n, _ any) bool {
		if n != 1 {
			t.Errorf("pull request %v", n)
		}
		return true
	})
	for range 2 {
		done, err := c.Finish(ctx, r.AttemptID, gateway.FinishRequest{Outcome: "succeeded"})
		if err != nil || done.State != gateway.Succeeded {
			t.Errorf("finish: %+v %v", done, err)
		}
	}
	w.refused(w.ask("POST", own+"/finish", r.Token, `{"outcome":"failed","failure_type":"timeout"}`), 409, "attempt.ended")
	count := w.events()
	for _, kind := range []string{"attempt.created", "attempt.pushed", "pr.intended", "pr.created", "attempt.succeeded", "push.intended"} {
		if count[kind] > 1 && kind != "attempt.created" || count[kind] == 0 {
			t.Errorf("%d events %s", count[kind], kind)
		}
	}
}

func TestAnEndedAttemptIsToldToStopAndNothingElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	ctx := context.Background()
	result := w.cycle()
	r, other := reservation(t, result, "guide"), reservation(t, result, "notes")
	w.startAttempt(r)
	if beat, err := w.client(r.Token).Heartbeat(ctx, r.AttemptID, gateway.HeartbeatRequest{Progress: "half done"}); err != nil || beat.Action != gateway.Continue {
		t.Fatalf("heartbeat: %+v %v", beat, err)
	}
	if a, _, err := w.journal.Attempt(ctx, r.AttemptID); err != nil || a.Progress != "half done" {
		t.Errorf("progress is not kept: %+v %v", a, err)
	}
	w.giveUp(r)
	before := w.journal.Seq()
	beat, err := w.client(r.Token).Heartbeat(ctx, r.AttemptID, gateway.HeartbeatRequest{})
	if err != nil || beat.Action != gateway.Stop || beat.Reason == nil || beat.Reason.Code != "attempt.ended" {
		t.Errorf("heartbeat: %+v %v", beat, err)
	}
	own := "/v1/attempts/" + string(r.AttemptID)
	for path, body := range map[string]string{"/start": `{"instance":"instance-1"}`, "/pull-request": `{"summary":"s"}`,
		"/evidence": `{"tree":"` + strings.Repeat("a", 40) + `"}`, "/finish": `{"outcome":"cancelled"}`} {
		w.refused(w.ask("POST", own+path, r.Token, body), 409, "attempt.ended")
	}
	w.refused(w.ask("PUT", own+"/artifacts/log", r.Token, "x"), 409, "attempt.ended")
	w.refused(w.ask("POST", "/git/demo.git/git-receive-pack", r.Token, "0000"), 409, "attempt.ended")
	w.refused(w.ask("POST", own+"/lost", w.token("scheduler", ""), `{"observed":"oom"}`), 409, "attempt.ended")
	w.refused(w.ask("POST", own+"/cancel", operator, `{"reason":"r"}`), 409, "attempt.ended")
	w.refused(w.ask("POST", own+"/lost", other.Token, `{"observed":"oom"}`), 403, "access.role")
	if out, err := w.tryGit(w.dir, "ls-remote", w.remote(r)); err == nil || !strings.Contains(out, "delivery.state") {
		t.Errorf("fetch of an ended attempt: %v %s", err, out)
	}
	if got := w.events()["attempt.failed"]; got != 1 {
		t.Errorf("%d ends from record %d on", got, before)
	}
}

// replay sends HEAD to the attempt's receive-pack as a new ref, by hand: git
// itself would not push what it sees is there.
func (w *world) replay(tree string, r gateway.Reservation, refspec string) string {
	w.t.Helper()
	source, ref, _ := strings.Cut(refspec, ":")
	return w.rawPush(r.Token, w.packOf(tree, r, source), command(strings.Repeat("0", 40), w.git(tree, "rev-parse", source), ref))
}
