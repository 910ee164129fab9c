package server_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"leviathan/gateway"
)

// seen is the kill switch in the status, after another look at it.
func (w *world) seenSwitch() gateway.KillSwitchStatus {
	w.t.Helper()
	w.server.Prove(context.Background())
	st, err := w.client(operator).Status(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	return st.KillSwitch
}

func TestS09TheKillSwitchProvesItself(t *testing.T) {
	w := newWorld(t, baseBacklog, baseConfig)
	w.startAttempt(reservation(t, w.cycle(), "guide"))
	before := len(w.decisions())
	if got := w.seenSwitch(); got.Problem != "" || !got.ProvedAt.Equal(gateway.At(w.now()).Time) {
		t.Fatalf("a switch that works shows %+v", got)
	}
	if after := len(w.decisions()); after != before {
		t.Errorf("a proof was journalled: %d decisions before, %d after", before, after)
	}
	w.clock.add(2 * time.Minute)
	st, err := w.client(operator).Status(context.Background())
	if err != nil || !strings.Contains(st.KillSwitch.Problem, "not been proved") {
		t.Errorf("a proof of two minutes ago shows %+v, %v", st.KillSwitch, err)
	}
	if got := w.seenSwitch(); got.Problem != "" {
		t.Errorf("the next proof shows %+v", got)
	}
}

// The proof asks what each attempt would ask next: a policy that forgets the
// switch in one of them is seen.
func TestS09TheProofAsksWhatEveryAttemptWouldAskNext(t *testing.T) {
	for _, action := range []string{gateway.ActionAgentRun, gateway.ActionAttemptStart, gateway.ActionAttemptHeartbeat, gateway.ActionPullRequestOpen, gateway.ActionCyclePlan, gateway.ActionPullRequestNote} {
		t.Run(action, func(t *testing.T) {
			t.Parallel()
			policy, err := bundleWith(`access\.deny \| guard\.reasons`, `access.deny | {r | some r in guard.reasons; input.action != "`+action+`"}`)
			if err != nil {
				t.Fatal(err)
			}
			w := newUpstream(t, baseBacklog, baseConfig)
			w.policy = policy
			w.start()
			r := reservation(t, w.cycle(), "guide") // and notes stays reserved
			if out, err := w.push(r, w.startAttempt(r), map[string]string{"docs/guide.md": "# Guide\n"}); err != nil {
				t.Fatal(out)
			}
			if got := w.seenSwitch(); !strings.Contains(got.Problem, action+": ") || !got.ProvedAt.IsZero() {
				t.Errorf("a policy that forgets the switch for %s shows %+v", action, got)
			}
		})
	}
}

// The gateway's own clockwork proves, from its start on, and says so to who
// asks, in the metrics and in the status.
func TestS09TheClockworkProvesFromTheStart(t *testing.T) {
	w := newWorld(t, baseBacklog, baseConfig)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	ran := make(chan error, 1)
	go func() { ran <- w.server.Run(ctx) }()
	for tick := time.NewTicker(10 * time.Millisecond); ; {
		st, err := w.client(operator).Status(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if !st.KillSwitch.ProvedAt.IsZero() {
			tick.Stop()
			break
		}
		<-tick.C
	}
	families := w.families()
	if at, n := sum(families, "leviathan_killswitch_last_proof_timestamp_seconds"), sum(families, "leviathan_killswitch_proofs_total", "result=held"); n != 1 || at < float64(w.now().Unix()) {
		t.Errorf("%v proofs, the last at %v", n, at)
	}
	cancel()
	if err := <-ran; err != context.Canceled {
		t.Error(err)
	}
}

func TestAKillSwitchThatDoesNothingIsSeen(t *testing.T) {
	for name, pairs := range map[string][]string{
		"allowed":      {`access\.deny \| guard\.reasons`, "access.deny"},
		"other reason": {`access\.deny \| guard\.reasons`, `access.deny | {r | input.action != "route.read"; r := {"code": "main.never", "message": "never"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			policy, err := bundleWith(append(pairs, `import data.leviathan.guard\n`, "")...)
			if err != nil {
				t.Fatal(err)
			}
			w := newUpstream(t, baseBacklog, baseConfig)
			w.policy = policy
			w.start()
			got := w.seenSwitch()
			if !strings.Contains(got.Problem, "switch") || !got.ProvedAt.IsZero() {
				t.Errorf("a policy without the switch shows %+v", got)
			}
			if metrics := w.ask("GET", "/metrics", operator, "").body; !strings.Contains(string(metrics), `leviathan_killswitch_proofs_total{result="failed"} 1`) {
				t.Errorf("the failed proof is not counted:\n%s", metrics)
			}
		})
	}
}

func TestWithoutAConfigThereIsNothingToProve(t *testing.T) {
	w := newWorld(t, baseBacklog, "autonomy_enabled: [")
	if got := w.seenSwitch(); got.Problem != "" || !got.ProvedAt.IsZero() {
		t.Errorf("without a valid config the switch shows %+v", got)
	}
}
