package server_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"leviathan/gateway"
)

// tasksOf is a backlog of n tasks.
func tasksOf(n int) string {
	var b strings.Builder
	b.WriteString("tasks:\n")
	for i := range n {
		fmt.Fprintf(&b, "  - {id: t%d, title: Task %d, scope: docs, ready: true, allowed_paths: [docs/t%d.md]}\n", i, i, i)
	}
	return b.String()
}

// A ledger is what the event log says, folded anew and by other means than
// the journal's: who lives, and what takes a slot.
type ledger struct {
	live     map[gateway.AttemptID]bool
	inFlight map[gateway.AttemptID]bool
	open     map[gateway.AttemptID]bool
	ended    map[gateway.AttemptID]int
	counted  map[gateway.TaskID]int
	most     struct{ live, slots int }
}

// fold replays the log and keeps the greatest numbers that ever were.
func (w *world) fold() *ledger {
	w.t.Helper()
	l := &ledger{live: map[gateway.AttemptID]bool{}, inFlight: map[gateway.AttemptID]bool{}, open: map[gateway.AttemptID]bool{},
		ended: map[gateway.AttemptID]int{}, counted: map[gateway.TaskID]int{}}
	for _, e := range w.log() {
		if e.Origin != "gateway" {
			continue
		}
		id := e.AttemptID
		switch e.EventType {
		case gateway.EventAttemptCreated:
			l.live[id], l.inFlight[id] = true, true
		case gateway.EventPullIntended:
			delete(l.inFlight, id)
			l.open[id] = true
		case gateway.EventPullVoided:
			delete(l.open, id)
			l.inFlight[id] = l.live[id]
		case gateway.EventPullMerged, gateway.EventPullClosed:
			delete(l.open, id)
		case gateway.EventAttemptSucceeded, gateway.EventAttemptFailed, gateway.EventAttemptCancelled, gateway.EventAttemptExpired:
			delete(l.live, id)
			delete(l.inFlight, id)
			l.ended[id]++
			if strings.Contains(string(e.Payload), `"failure_type":"agent_error"`) {
				l.counted[e.TaskID]++
			}
		}
		l.most.live, l.most.slots = max(l.most.live, len(l.live)), max(l.most.slots, len(l.inFlight)+len(l.open))
	}
	for id, n := range l.ended {
		if n != 1 {
			w.t.Errorf("attempt %s ended %d times", id, n)
		}
	}
	return l
}

// within expects that the limits held at every record.
func (l *ledger) within(t *testing.T, live, slots int) {
	t.Helper()
	if l.most.live > live || l.most.slots > slots {
		t.Errorf("at most %d lived and %d slots were taken; the limits are %d and %d", l.most.live, l.most.slots, live, slots)
	}
}

func TestS06ManyAtOnceNeverPassALimit(t *testing.T) {
	t.Parallel()
	config := strings.NewReplacer("max_running_attempts: 2", "max_running_attempts: 3", "max_open_prs: 3", "max_open_prs: 5",
		"max_attempts_per_task: 2", "max_attempts_per_task: 10", "circuit_breaker_failures: 3", "circuit_breaker_failures: 50",
		"retry_backoff_seconds: 60", "retry_backoff_seconds: 1, retry_backoff_max_seconds: 1").Replace(baseConfig)
	w := newWorld(t, tasksOf(12), config)
	var taken sync.Map
	var group sync.WaitGroup
	for n := range 8 {
		group.Go(func() {
			for round := range 4 {
				result, err := w.client(operator).Cycle(context.Background(), "demo", gateway.CycleRequest{})
				if err != nil {
					t.Errorf("cycle: %v", err)
					return
				}
				if result.Outcome == gateway.CycleUnknown && !slices.Contains(reasonCodes(result.Reasons), "unknown.contention") {
					t.Errorf("cycle: %v", result.Reasons)
				}
				for _, r := range result.Reserved {
					if _, busy := taken.LoadOrStore(r.AttemptID, true); !busy {
						w.run(r, n+round)
					}
				}
				w.clock.add(2 * time.Second)
			}
		})
	}
	group.Wait()
	l := w.fold()
	l.within(t, 3, 5)
	if l.most.live < 2 || len(l.ended) < 5 {
		t.Errorf("%d lived at once and %d ended: nothing was tried", l.most.live, len(l.ended))
	}
	state, err := w.journal.State("demo")
	if err != nil || state.Live != len(l.live) || state.Open != len(l.open) || state.InFlight != len(l.inFlight) {
		t.Errorf("the journal says live %d, open %d, in flight %d; the log %d, %d, %d (%v)", state.Live, state.Open, state.InFlight,
			len(l.live), len(l.open), len(l.inFlight), err)
	}
	if pulls := strings.Fields(w.git(w.upstream, "for-each-ref", "--format=%(refname)", "refs/pull")); len(pulls) != len(l.open) {
		t.Errorf("the upstream has %v, the log %d open", pulls, len(l.open))
	}
}

// run takes an attempt to one end or another.
func (w *world) run(r gateway.Reservation, n int) {
	ctx, c := context.Background(), w.client(r.Token)
	started, err := c.Start(ctx, r.AttemptID, gateway.StartRequest{Instance: "instance-" + string(r.AttemptID)})
	if err != nil {
		w.t.Errorf("start: %v", err)
		return
	}
	switch n % 3 {
	case 0:
		var out string
		out, err = w.push(r, started, map[string]string{"docs/" + string(r.TaskID) + ".md": "x\n"})
		for tries := 0; err != nil && strings.Contains(out, "unknown.contention") && tries < 20; tries++ { // as a worker would
			out, err = w.push(r, started, map[string]string{"docs/" + string(r.TaskID) + ".md": "x\n"})
		}
		if err != nil {
			w.t.Errorf("push: %v\n%s", err, out)
			return
		}
		if _, err := c.OpenPullRequest(ctx, r.AttemptID, gateway.PullRequestRequest{Summary: "s"}); err != nil {
			w.t.Errorf("pull request: %v", err)
			return
		}
		_, err = c.Finish(ctx, r.AttemptID, gateway.FinishRequest{Outcome: "succeeded"})
	case 1:
		_, err = c.Finish(ctx, r.AttemptID, gateway.FinishRequest{Outcome: "failed", FailureType: gateway.AgentError})
	default:
		err = w.client(operator).Cancel(ctx, r.AttemptID, "test")
	}
	if err != nil {
		w.t.Errorf("end: %v", err)
	}
}

func TestS07NoMoreAttemptsThanTheLimit(t *testing.T) {
	t.Parallel()
	config := strings.NewReplacer("max_attempts_per_task: 2", "max_attempts_per_task: 4", "circuit_breaker_failures: 3", "circuit_breaker_failures: 50").Replace(baseConfig)
	w := newWorld(t, tasksOf(1), config)
	for range 8 {
		for _, r := range w.cycle().Reserved {
			w.fail(r, gateway.AgentError)
		}
		w.clock.add(2 * time.Hour)
	}
	count := w.events()
	if count["attempt.created"] != 4 || count["task.blocked"] != 1 || count["retry.scheduled"] != 3 {
		t.Errorf("events: %v", count)
	}
	// A cancelled or invalidated attempt counts for nothing.
	if err := w.client(operator).Retry(context.Background(), "demo", "t0", "again"); err != nil {
		t.Fatal(err)
	}
	r := reservation(t, w.cycle(), "t0")
	if err := w.client(operator).Invalidate(context.Background(), r.AttemptID, "the operator's fault"); err != nil {
		t.Fatal(err)
	}
	if state := w.state(r.AttemptID); state != gateway.Cancelled {
		t.Errorf("an invalidated live attempt is %s", state)
	}
	reservation(t, w.cycle(), "t0")
}

func TestS08AFailedProbeDoublesTheCooldown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tasksOf(8), strings.Replace(baseConfig, "max_running_attempts: 2", "max_running_attempts: 1", 1))
	for range 3 {
		w.fail(w.cycle().Reserved[0], gateway.AgentError)
	}
	until := func() time.Duration {
		status, err := w.client(operator).Status(context.Background())
		if err != nil || status.Targets[0].Circuit.State != gateway.CircuitOpen {
			t.Fatalf("circuit %+v %v", status.Targets[0].Circuit, err)
		}
		return status.Targets[0].Circuit.Until.Sub(w.clock.now()).Round(time.Minute)
	}
	for _, want := range []time.Duration{15, 30, 60, 120, 240, 360, 360} {
		if got := until(); got != want*time.Minute {
			t.Errorf("the breaker is open for %s, want %d m", got, want)
		}
		if result := w.cycle(); result.Outcome != gateway.CycleDenied {
			t.Fatalf("an open breaker: %s %v", result.Outcome, result.Reserved)
		}
		w.clock.add(want*time.Minute + time.Second)
		result := w.cycle()
		if len(result.Reserved) != 1 {
			t.Fatalf("half open: %v %v", result.Reasons, result.Skipped)
		}
		if again := w.cycle(); len(again.Reserved) != 1 || again.Reserved[0].AttemptID != result.Reserved[0].AttemptID {
			t.Fatalf("a second probe: %v", again.Reserved)
		}
		w.fail(result.Reserved[0], gateway.VerifyFailed)
		if err := w.client(operator).Retry(context.Background(), "demo", result.Reserved[0].TaskID, "so that there is one to try"); err != nil {
			t.Fatal(err)
		}
	}
	before := w.events()["circuit.closed"]
	if err := w.client(operator).ResetCircuit(context.Background(), "demo", "the cause is gone"); err != nil {
		t.Fatal(err)
	}
	if result := w.cycle(); result.Outcome != gateway.CycleWorked {
		t.Errorf("after a reset: %s %v", result.Outcome, result.Reasons)
	}
	if n := w.events()["circuit.closed"]; n != before+1 {
		t.Errorf("a reset leaves %d events", n-before)
	}
}

func TestS08FiveFailuresOfTheMachinery(t *testing.T) {
	t.Parallel()
	t.Run("of many tasks open the breaker", func(t *testing.T) {
		w := newWorld(t, tasksOf(8), strings.Replace(baseConfig, "max_running_attempts: 2", "max_running_attempts: 1", 1))
		for n := range 5 {
			result := w.cycle()
			if len(result.Reserved) != 1 {
				t.Fatalf("after %d: %s %v", n, result.Outcome, result.Reasons)
			}
			w.lose(result.Reserved[0])
		}
		result := w.cycle()
		if result.Outcome != gateway.CycleDenied || !strings.Contains(fmt.Sprint(result.Reasons), "infrastructure") {
			t.Errorf("%s %v", result.Outcome, result.Reasons)
		}
	})
	t.Run("of one task block it", func(t *testing.T) {
		w := newWorld(t, tasksOf(1), baseConfig)
		for n := range 5 {
			result := w.cycle()
			if len(result.Reserved) != 1 {
				t.Fatalf("after %d: %s %v %v", n, result.Outcome, result.Reasons, result.Skipped)
			}
			w.lose(result.Reserved[0])
			w.clock.add(2 * time.Hour)
		}
		if got := codes(w.cycle(), "t0"); !slices.Contains(got, "schedule.blocked") {
			t.Errorf("skipped for %v", got)
		}
		if count := w.events(); count["task.blocked"] != 1 || count["circuit.opened"] != 0 {
			t.Errorf("events: %v", count)
		}
	})
}

// lose starts an attempt whose worker then goes away.
func (w *world) lose(r gateway.Reservation) {
	w.t.Helper()
	w.startAttempt(r)
	if err := w.client(operator).Lost(context.Background(), r.AttemptID, gateway.LostRequest{Observed: "evicted"}); err != nil {
		w.t.Fatal(err)
	}
}
