package spider_test

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"leviathan/gateway"
	"leviathan/gateway/journal"
	"leviathan/spider"
)

var onDemo = journal.Subject{TargetID: "demo"}

func TestAFollowerTellsTheLifeOfTasks(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	s := start(t, spider.Config{Client: g.client(), Now: g.clock.now, StatusEvery: 5 * time.Millisecond})
	g.record(journal.TargetRegistered{Subject: onDemo, Name: "demo"})
	good, bad := newJob("guide"), newJob("notes")
	g.record(good.task(), bad.task(), good.created(1), bad.created(1))
	g.clock.add(30 * time.Second)
	g.record(good.started(), bad.started())
	s.caughtUp(g)
	s.governed(g)
	s.holds(map[string]float64{
		"leviathan_running_attempts{target=demo}":                                                                     2,
		"leviathan_live_attempts{target=demo,state=running}":                                                          2,
		"leviathan_live_attempts{target=demo,state=reserved}":                                                         0,
		"leviathan_open_pull_requests{target=demo}":                                                                   0,
		"leviathan_limit{target=demo,limit=max_open_prs}":                                                             3,
		"leviathan_limit_headroom{target=demo,limit=max_open_prs}":                                                    1,
		"leviathan_limit_headroom{target=demo,limit=max_running_attempts}":                                            0,
		"leviathan_limit_headroom{target=demo,limit=max_attempts_per_task}":                                           4,
		"leviathan_limit_headroom{target=demo,limit=circuit_breaker_failures}":                                        5,
		"leviathan_autonomy_enabled{target=demo}":                                                                     1,
		"leviathan_autonomy_effective{target=demo}":                                                                   0, // the upstream cannot be read
		"leviathan_circuit_state{target=demo,state=closed}":                                                           1,
		"leviathan_acceptance_ratio{target=demo}":                                                                     -1,
		"leviathan_last_cycle_timestamp_seconds{target=demo}":                                                         -1,
		"leviathan_spider_up":                                                                                         1,
		"leviathan_build_info{component=spider,version=" + gateway.Version + ",go_version=" + runtime.Version() + "}": 1,
		"leviathan_attempts_ended_total{target=demo,outcome=failed,failure_type=lost}":                                -1,
	})

	g.clock.add(90 * time.Second)
	g.record(good.proposed(7)...)
	g.record(bad.ended(journal.End{Status: gateway.Failed, FailureType: gateway.VerifyFailed}))
	g.record(journal.CircuitOpened{Subject: onDemo, Cause: "failures"}, journal.AutonomyHalted{Subject: onDemo, Reason: "r"}, journal.AutonomyHalted{Reason: "r"})
	g.record(journal.CycleCompleted{Subject: onDemo, Outcome: gateway.CycleIdle},
		journal.ForgeObserved{Subject: onDemo, Unlisted: []journal.UnlistedPull{{Number: 9, Branch: "agent/x"}}})
	s.caughtUp(g)
	s.governed(g)
	s.holds(map[string]float64{
		"leviathan_running_attempts{target=demo}":                                               1,
		"leviathan_live_attempts{target=demo,state=proposed}":                                   1,
		"leviathan_open_pull_requests{target=demo}":                                             2, // one unlisted
		"leviathan_limit_headroom{target=demo,limit=max_open_prs}":                              1,
		"leviathan_limit_headroom{target=demo,limit=max_attempts_per_task}":                     3,
		"leviathan_task_failures{target=demo}":                                                  1,
		"leviathan_attempts_ended_total{target=demo,outcome=failed,failure_type=verify_failed}": 1,
		"leviathan_attempt_duration_seconds{target=demo,outcome=failed}":                        90,
		"leviathan_task_ready_to_pull_request_seconds{target=demo}":                             120,
		"leviathan_circuit_state{target=demo,state=open}":                                       1,
		"leviathan_circuit_state{target=demo,state=closed}":                                     0,
		"leviathan_circuit_opened_total{target=demo,cause=failures}":                            1,
		"leviathan_halted{target=demo}":                                                         1,
		"leviathan_halted_all":                                                                  1,
		"leviathan_halts_total":                                                                 2,
		"leviathan_cycles_total{target=demo,outcome=idle}":                                      1,
		"leviathan_last_cycle_timestamp_seconds{target=demo}":                                   float64(g.clock.now().Unix()),
	})

	g.clock.add(time.Hour)
	g.record(good.ended(journal.End{Status: gateway.Succeeded, PRNumber: 7}), journal.AttemptInvalidated{Subject: bad.about, Reason: "r"},
		journal.AutonomyResumed{Subject: onDemo}, journal.AutonomyResumed{}, journal.CircuitClosed{Subject: onDemo, Reason: "r"},
		journal.PullClosed{Subject: good.about, PRNumber: 7, How: "forge"})
	s.caughtUp(g)
	s.holds(map[string]float64{"leviathan_acceptance_ratio{target=demo}": 0, "leviathan_task_failures{target=demo}": 0, "leviathan_halted_all": 0,
		"leviathan_halted{target=demo}": 0, "leviathan_circuit_state{target=demo,state=closed}": 1})
	// A human may merge what was closed.
	g.record(journal.PullMerged{Subject: good.about, PRNumber: 7, How: "forge"})
	s.caughtUp(g)
	s.holds(map[string]float64{
		"leviathan_acceptance_ratio{target=demo}":                           1,
		"leviathan_open_pull_requests{target=demo}":                         1,
		"leviathan_running_attempts{target=demo}":                           0,
		"leviathan_pull_requests_total{target=demo,change=merged}":          1,
		"leviathan_pull_requests_total{target=demo,change=closed}":          1,
		"leviathan_task_ready_to_merge_seconds{target=demo}":                3720,
		"leviathan_attempt_duration_seconds{target=demo,outcome=succeeded}": 3690,
	})
}

func TestOldStatusIsNotShown(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	s := start(t, spider.Config{Client: g.client(), Now: g.clock.now, StatusEvery: time.Hour})
	s.governed(g)
	s.holds(map[string]float64{"leviathan_autonomy_enabled{target=demo}": 1})
	g.clock.add(2 * time.Minute)
	s.holds(map[string]float64{"leviathan_autonomy_enabled{target=demo}": -1, "leviathan_limit_headroom{target=demo,limit=max_open_prs}": -1, "leviathan_spider_up": 1})
}

func TestEachEventIsCountedOnceWhateverRestarts(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	file := filepath.Join(t.TempDir(), "spider.json")
	c := spider.Config{Client: g.client(), StateFile: file, Now: g.clock.now}
	s := start(t, c)
	check := func() {
		t.Helper()
		s.caughtUp(g)
		n, _ := g.events()
		s.holds(map[string]float64{"leviathan_events_received_total": float64(n), "leviathan_spider_journal_changes_total": 0})
	}
	g.record(journal.TargetRegistered{Subject: onDemo, Name: "demo"})
	check()
	for i := range 6 {
		j := newJob("task-" + string(rune('a'+i)))
		g.record(j.task(), j.created(1), j.started())
		if i%2 == 0 { // the gateway restarts under the spider, and works on before it is back
			g.stop()
			g.start("state")
			g.record(journal.CycleCompleted{Subject: onDemo, Outcome: gateway.CycleWorked})
			check()
			continue
		}
		s.caughtUp(g)
		s.stop() // the spider restarts, and missed something
		g.record(j.proposed(i + 1)...)
		s = start(t, c)
		check()
	}
	s.holds(map[string]float64{"leviathan_running_attempts{target=demo}": 6, "leviathan_open_pull_requests{target=demo}": 3})
}

// A crash may come at any moment: whatever file is on disk, the counts in it
// belong to the cursor in it.
func TestACrashLosesAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	file := filepath.Join(t.TempDir(), "spider.json")
	g.record(journal.TargetRegistered{Subject: onDemo, Name: "demo"})
	s := start(t, spider.Config{Client: g.client(), StateFile: file})
	s.caughtUp(g)
	before, err := os.ReadFile(file)
	g.must(err)
	g.record(journal.CycleCompleted{Subject: onDemo, Outcome: gateway.CycleIdle}, journal.CycleCompleted{Subject: onDemo, Outcome: gateway.CycleIdle})
	s.caughtUp(g)
	s.stop()
	for name, data := range map[string][]byte{"an older file": before, "no file": nil} {
		g.must(os.Remove(file))
		if data != nil {
			g.must(os.WriteFile(file, data, 0o600))
		}
		s = start(t, spider.Config{Client: g.client(), StateFile: file})
		s.caughtUp(g)
		n, _ := g.events()
		if got := value(s.scrape(), "leviathan_events_received_total"); got != float64(n) {
			t.Errorf("%s: %v events, want %d", name, got, n)
		}
		s.stop()
	}
}

func TestAnotherJournalIsCountedFromItsStart(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	file := filepath.Join(t.TempDir(), "spider.json")
	s := start(t, spider.Config{Client: g.client(), StateFile: file, StatusEvery: time.Millisecond})
	g.record(journal.TargetRegistered{Subject: onDemo, Name: "demo"}, journal.CycleCompleted{Subject: onDemo, Outcome: gateway.CycleIdle},
		journal.CycleCompleted{Subject: onDemo, Outcome: gateway.CycleIdle})
	s.caughtUp(g)
	g.stop()
	g.start("another") // shorter than the cursor
	g.record(journal.TargetRegistered{Subject: onDemo, Name: "demo"})
	s.caughtUp(g)
	n, _ := g.events()
	s.holds(map[string]float64{"leviathan_events_received_total": float64(n), "leviathan_spider_journal_changes_total": 1,
		"leviathan_cycles_total{target=demo,outcome=idle}": -1})
}

func TestWhatIsClaimedMovesNoGauge(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	s := start(t, spider.Config{Client: g.client()})
	ctx := context.Background()
	_, err := g.client().Ingest(ctx, gateway.IngestRequest{BundleID: "b", Events: []gateway.Event{
		{EventID: "e1", EventType: "pr.created", Timestamp: gateway.At(time.Now()), Target: "demo", Payload: []byte(`{"attempt_id":"a1","pr_number":1}`), Origin: "gateway"},
		{EventID: "e2", EventType: "autonomy.halted", Timestamp: gateway.At(time.Now()), Target: "demo", Payload: []byte(`{}`)},
	}})
	g.must(err)
	s.caughtUp(g)
	// What is in the journal already is left to the stream; what is not, is a claim.
	if code, body := s.post(`{"target":"demo","events":[{"event_id":"e1","event_type":"pr.created","timestamp":"2026-01-28T10:00:00","seq":2},
		{"event_id":"e3","event_type":"circuit.opened","timestamp":"2026-01-28T10:00:00","payload":{"target_id":"demo"}}]}`); code != 200 {
		t.Fatal(code, body)
	}
	n, _ := g.events()
	s.holds(map[string]float64{"leviathan_spider_claims_total": 3, "leviathan_events_received_total": float64(n + 1),
		"leviathan_events_total{event_type=pr.created}": 1, "leviathan_halted_all": 0, "leviathan_halted{target=demo}": -1,
		"leviathan_circuit_state{target=demo,state=open}": -1, "leviathan_open_pull_requests{target=demo}": -1})
}
