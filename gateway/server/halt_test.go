package server_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"leviathan/gateway"
)

func TestAHaltUsesUpNoPush(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	ctx := context.Background()
	other := reservation(t, w.cycle(), "notes")
	begun := w.startAttempt(other)
	tree := w.checkout(other)
	w.write(tree, map[string]string{"docs/notes/a.md": "x\n"})
	w.git(tree, "add", "--all")
	author := begun.Commit.Author
	w.git(tree, "-c", "user.name="+author.Name, "-c", "user.email="+author.Email, "commit", "--quiet", "--cleanup=verbatim", "--message", begun.Commit.Message,
		"--author", author.Name+" <"+author.Email+">")
	if err := w.client(operator).Halt(ctx, gateway.ReasonRequest{Reason: "drill"}); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if got := w.replay(tree, other, "HEAD:refs/heads/"+other.Branch); !strings.Contains(got, "ng refs/heads/") || !strings.Contains(got, "guard.halted_all") {
			t.Errorf("a push during a halt: %q", got)
		}
	}
	if err := w.client(operator).Resume(ctx, gateway.ReasonRequest{Reason: "over"}); err != nil {
		t.Fatal(err)
	}
	if out, err := w.tryGit(tree, "push", "origin", "HEAD:refs/heads/"+other.Branch); err != nil {
		t.Errorf("a push after the halt: %v\n%s", err, out)
	}
}

func TestAPolicyThatIsTooSlowStopsNewWorkAndKillsNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	result := w.cycle()
	r, other := reservation(t, result, "guide"), reservation(t, result, "notes")
	w.startAttempt(r)
	slow, err := bundleWith(`allow if \{\n\t_granted\n`, "allow if {\n\t_granted\n\tevery i in numbers.range(1, 5000) { every j in numbers.range(1, 5000) { i * j > 0 } }\n")
	if err != nil {
		t.Fatal(err)
	}
	w.policy = slow
	w.restart()
	before := w.journal.Seq()
	w.refused(w.ask("POST", "/v1/attempts/"+string(r.AttemptID)+"/heartbeat", r.Token, `{}`), 503, "unknown.policy_timeout")
	w.refused(w.ask("POST", "/v1/attempts/"+string(other.AttemptID)+"/start", other.Token, `{"instance":"instance-1"}`), 503, "unknown.policy_timeout")
	if n := w.journal.Seq() - before; n != 2 {
		t.Errorf("%d records of two refusals", n)
	}
	w.policy = nil
	w.restart()
	if beat, err := w.client(r.Token).Heartbeat(context.Background(), r.AttemptID, gateway.HeartbeatRequest{}); err != nil || beat.Action != gateway.Continue {
		t.Errorf("heartbeat: %+v %v", beat, err)
	}
}

func TestAHaltStopsEveryStepAndResumeLiftsIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	ctx := context.Background()
	r := reservation(t, w.cycle(), "guide")
	w.startAttempt(r)
	for code, scope := range map[string]*gateway.TargetID{"guard.halted_all": nil, "guard.halted": ptr(gateway.TargetID("demo"))} {
		if err := w.client(operator).Halt(ctx, gateway.ReasonRequest{Target: scope, Reason: "drill"}); err != nil {
			t.Fatal(err)
		}
		if result := w.cycle(); result.Outcome != gateway.CycleDenied || !slices.Contains(reasonCodes(result.Reasons), code) {
			t.Errorf("cycle: %s %v", result.Outcome, result.Reasons)
		}
		if beat, err := w.client(r.Token).Heartbeat(ctx, r.AttemptID, gateway.HeartbeatRequest{}); err != nil || beat.Action != gateway.Stop {
			t.Errorf("heartbeat: %+v %v", beat, err)
		}
		if err := w.client(operator).Resume(ctx, gateway.ReasonRequest{Target: scope, Reason: "over"}); err != nil {
			t.Fatal(err)
		}
		if beat, err := w.client(r.Token).Heartbeat(ctx, r.AttemptID, gateway.HeartbeatRequest{}); err != nil || beat.Action != gateway.Continue {
			t.Errorf("heartbeat after resume: %+v %v", beat, err)
		}
	}
}

func ptr[T any](v T) *T { return &v }
