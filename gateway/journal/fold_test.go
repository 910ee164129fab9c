package journal_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"leviathan/gateway"
	"leviathan/gateway/journal"
)

func TestAnAttemptsLife(t *testing.T) {
	c := newClock()
	j := open(t, t.TempDir(), c)
	s := about("demo", "t1", attempt(1))
	steps := []struct {
		payload              journal.Payload
		state                gateway.AttemptState
		open, inFlight, live int
	}{
		{created(s, 1, "sha256:d1"), gateway.Reserved, 0, 1, 1},
		{started(s), gateway.Running, 0, 1, 1},
		{journal.LeaseRenewed{Subject: s, LeaseExpiresAt: gateway.At(c.Now().Add(time.Minute)), Progress: "half"}, gateway.Running, 0, 1, 1},
		{journal.PushRefused{Subject: s, New: oid(9), Codes: []string{"scope.protected"}}, gateway.Running, 0, 1, 1},
		{toPushed(s)[1], gateway.Running, 0, 1, 1},
		{journal.PushVoided{Subject: s}, gateway.Running, 0, 1, 1},
		{toPushed(s)[1], gateway.Running, 0, 1, 1},
		{toPushed(s)[2], gateway.Pushed, 0, 1, 1},
		{toProposed(s, 7)[3], gateway.Pushed, 1, 0, 1}, // the slot passes with the intent
		{journal.PullVoided{Subject: s}, gateway.Pushed, 0, 1, 1},
		{toProposed(s, 7)[3], gateway.Pushed, 1, 0, 1},
		{toProposed(s, 7)[4], gateway.Proposed, 1, 0, 1},
		{journal.AttemptEvidence{Subject: s, Evidence: gateway.Evidence{Tree: oid(3)}}, gateway.Proposed, 1, 0, 1},
		{ended(s, gateway.Succeeded, ""), gateway.Succeeded, 1, 0, 0},
		{journal.PullMerged{Subject: s, PRNumber: 7, How: "ancestry"}, gateway.Succeeded, 0, 0, 0},
	}
	for i, step := range steps {
		appendAll(t, j, step.payload)
		a, found, err := j.Attempt(t.Context(), s.AttemptID)
		if err != nil || !found || a.State != step.state {
			t.Fatalf("step %d: attempt %+v, %v, want %s", i, a, err, step.state)
		}
		if a.Seq != j.Seq() {
			t.Errorf("step %d: attempt's seq %d, want %d", i, a.Seq, j.Seq())
		}
		st := state(t, j, "demo")
		if st.Open != step.open || st.InFlight != step.inFlight || st.Live != step.live {
			t.Errorf("step %d (%s): open %d, in flight %d, live %d", i, step.payload.EventType(), st.Open, st.InFlight, st.Live)
		}
		if live := st.Attempts[s.AttemptID]; (live != nil) != step.state.Live() || live != nil && live.Seq != a.Seq {
			t.Errorf("step %d: state's attempt is %+v", i, live)
		}
	}
	a, _, _ := j.Attempt(t.Context(), s.AttemptID)
	if a.PushAttempts != 1 || a.Progress != "half" || a.Evidence == nil || a.PushedCommit != oid(2) || a.PullRequest.Number != 7 || a.HasPushIntent {
		t.Errorf("attempt ends as %+v", a)
	}
	if got := a.PullRequest.TextDigest; got != textDigest(7) {
		t.Errorf("the receipt's text digest is kept as %q", got)
	}
	if task := state(t, j, "demo").Tasks["t1"]; !task.Completed || task.OpenPR != 0 || task.Live != "" || task.Attempts != 1 {
		t.Errorf("task ends as %+v", task)
	}
}

func TestLeasesLeaveFactsAlone(t *testing.T) {
	c := newClock()
	j := open(t, t.TempDir(), c)
	s := about("demo", "t1", attempt(1))
	appendAll(t, j, created(s, 1, "sha256:d1"), started(s))
	before := state(t, j, "demo")
	part, err := before.Part(gateway.At(c.Now()))
	if err != nil {
		t.Fatal(err)
	}
	until := gateway.At(c.Now().Add(time.Minute))
	appendAll(t, j, journal.LeaseRenewed{Subject: s, LeaseExpiresAt: until})
	after := state(t, j, "demo")
	again, err := after.Part(gateway.At(c.Now()))
	if err != nil {
		t.Fatal(err)
	}
	if j.FactsSeq("demo") != 2 || after.FactsSeq != 2 || part.Digest != again.Digest {
		t.Errorf("facts moved to %d, %d", j.FactsSeq("demo"), after.FactsSeq)
	}
	if !after.Attempts[s.AttemptID].LeaseExpiresAt.Equal(until.Time) || !before.Attempts[s.AttemptID].LeaseExpiresAt.IsZero() {
		t.Error("the lease is not new in the new state alone")
	}
}

func TestIllegalTransitionsAreNotRecorded(t *testing.T) {
	j := open(t, t.TempDir(), newClock())
	s := about("demo", "t1", attempt(1))
	proposed := toProposed(s, 7)
	appendAll(t, j, created(s, 1, "sha256:d1"))
	refuse := func(name string, p journal.Payload, kind gateway.Kind) {
		t.Helper()
		seq := j.Seq()
		err := j.Commit(t.Context(), func(tx *journal.Tx) error { _, err := tx.Append(journal.NewEvent("x", p)); return err })
		if gateway.KindOf(err) != kind || j.Seq() != seq {
			t.Errorf("%s: %v, seq %d, want %s and %d", name, err, j.Seq(), kind, seq)
		}
	}
	refuse("created twice", created(s, 2, "sha256:d1"), gateway.Conflict)
	refuse("second live attempt", created(about("demo", "t1", attempt(2)), 2, "sha256:d1"), gateway.Conflict)
	refuse("number skipped", created(about("demo", "t2", attempt(3)), 2, "sha256:d1"), gateway.Conflict)
	refuse("unknown attempt", started(about("demo", "t1", attempt(9))), gateway.Conflict)
	refuse("another task's", started(about("demo", "t2", attempt(1))), gateway.Conflict)
	refuse("pushed before started", proposed[2], gateway.Conflict)
	refuse("push intended before started", proposed[1], gateway.Conflict)
	refuse("lease before started", journal.LeaseRenewed{Subject: s}, gateway.Conflict)
	refuse("invalidated while live", journal.AttemptInvalidated{Subject: s}, gateway.Conflict)
	refuse("succeeded before proposed", ended(s, gateway.Succeeded, ""), gateway.Conflict)
	refuse("failed without type", ended(s, gateway.Failed, ""), gateway.Invalid)
	refuse("no attempt", started(about("demo", "t1", "")), gateway.Invalid)
	refuse("no target", journal.CircuitClosed{}, gateway.Invalid)
	refuse("cause", journal.CircuitOpened{Subject: about("demo", "", ""), Cause: "mood"}, gateway.Invalid)
	appendAll(t, j, proposed...)
	refuse("started again", proposed[0], gateway.Conflict)
	refuse("proposed again", proposed[4], gateway.Conflict)
	appendAll(t, j, journal.PullMerged{Subject: s, PRNumber: 7}, ended(s, gateway.Expired, ""))
	refuse("closed after merged", journal.PullClosed{Subject: s, PRNumber: 7}, gateway.Conflict)
	refuse("ended twice", ended(s, gateway.Failed, gateway.Denied), gateway.Conflict)
	refuse("token without hash", journal.TokenCreated{ID: "t"}, gateway.Invalid)
	refuse("unknown token revoked", journal.TokenRevoked{ID: "t"}, gateway.Conflict)
}

func TestAReceiptAfterTheEndIsRecorded(t *testing.T) {
	j := open(t, t.TempDir(), newClock())
	s := about("demo", "t1", attempt(1))
	p := toProposed(s, 7)
	appendAll(t, j, created(s, 1, "sha256:d1"), p[0], p[1], p[2], p[3], ended(s, gateway.Expired, ""))
	if st := state(t, j, "demo"); st.Open != 1 || st.Live != 0 || st.Tasks["t1"].OpenPR != -1 {
		t.Fatalf("with an intended pull request: %+v %+v", st, st.Tasks["t1"])
	}
	intents, err := j.Intents(t.Context())
	if err != nil || len(intents) != 1 || intents[0].PullRequest == nil || intents[0].PullRequest.State != gateway.PullRequestIntended {
		t.Fatalf("intents %+v, %v", intents, err)
	}
	appendAll(t, j, p[4])
	a, _, err := j.Attempt(t.Context(), s.AttemptID)
	if err != nil || a.State != gateway.Expired || a.PullRequest.State != gateway.PullRequestOpen {
		t.Fatalf("%+v, %v", a, err)
	}
	if st := state(t, j, "demo"); st.Open != 1 || st.Tasks["t1"].OpenPR != 7 {
		t.Fatalf("%+v", st)
	}
	appendAll(t, j, journal.PullClosed{Subject: s, PRNumber: 7, How: "forge"})
	if st := state(t, j, "demo"); st.Open != 0 || st.Tasks["t1"].ClosedDigest != "sha256:d1" {
		t.Fatalf("%+v", st.Tasks["t1"])
	}
	appendAll(t, j, journal.TaskUnblocked{Subject: about("demo", "t1", "")})
	if got := state(t, j, "demo").Tasks["t1"].ClosedDigest; got != "" {
		t.Fatalf("closed digest %q after a retry", got)
	}
}

// run is a whole attempt that fails.
func run(t *testing.T, j *journal.Journal, n int, task gateway.TaskID, number int, digest string, f gateway.FailureType) {
	t.Helper()
	s := about("demo", task, attempt(n))
	appendAll(t, j, created(s, number, digest), started(s), ended(s, gateway.Failed, f))
}

func TestCounts(t *testing.T) {
	c := newClock()
	j := open(t, t.TempDir(), c)
	check := func(name string, consecutive, infra int, infraTask gateway.TaskID, counted, taskInfra int) {
		t.Helper()
		st := state(t, j, "demo")
		task := st.Tasks["t1"]
		if st.Circuit.Consecutive != consecutive || st.Circuit.Infrastructure != infra || st.Circuit.InfrastructureTask != infraTask ||
			task.Counted != counted || task.Infrastructure != taskInfra {
			t.Errorf("%s: circuit %+v, task %+v", name, st.Circuit, task)
		}
	}
	run(t, j, 1, "t1", 1, "d1", gateway.AgentError)
	check("one failure", 1, 0, "", 1, 0)
	run(t, j, 2, "t1", 2, "d1", gateway.Lost)
	check("then one of the machinery", 1, 1, "t1", 1, 1)
	c.add(time.Minute)
	run(t, j, 3, "t1", 3, "d1", gateway.Launch)
	check("two in a row", 1, 2, "t1", 1, 2)
	if got := state(t, j, "demo").Tasks["t1"].LastFailureUS; got != c.Now().UnixMicro() {
		t.Errorf("last failure at %d, want %d", got, c.Now().UnixMicro())
	}
	run(t, j, 4, "t2", 1, "d1", gateway.Upstream)
	check("one of another task", 1, 3, "", 1, 2)
	run(t, j, 5, "t2", 2, "d1", gateway.Denied)
	check("a counted failure ends the row", 2, 0, "", 1, 2)
	appendAll(t, j, journal.AttemptInvalidated{Subject: about("demo", "t1", attempt(1))})
	check("an invalidated one leaves", 1, 0, "", 0, 2)
	run(t, j, 6, "t1", 4, "d1", gateway.Timeout)
	check("counted again", 2, 0, "", 1, 0)
	s := about("demo", "t1", attempt(7))
	appendAll(t, j, created(s, 5, "d1"), ended(s, gateway.Cancelled, ""))
	check("cancelled counts for nothing", 2, 0, "", 1, 0)
	s = about("demo", "t1", attempt(8))
	appendAll(t, j, created(s, 6, "d1"), ended(s, gateway.Expired, ""))
	check("expired is the machinery's", 2, 1, "t1", 1, 1)
	s = about("demo", "t1", attempt(9))
	appendAll(t, j, append([]journal.Payload{created(s, 7, "d2")}, toProposed(s, 7)...)...)
	check("another digest, proposed", 0, 0, "", 0, 0)
	appendAll(t, j, ended(s, gateway.Succeeded, ""))
	run(t, j, 10, "t1", 8, "d1", gateway.NoChange)
	check("the old digest again", 1, 0, "", 2, 0)
	appendAll(t, j, journal.TaskBlocked{Subject: about("demo", "t1", ""), Digest: "d1"})
	if task := state(t, j, "demo").Tasks["t1"]; !task.Blocked || task.BlockedDigest != "d1" {
		t.Errorf("blocked: %+v", task)
	}
	appendAll(t, j, journal.TaskUnblocked{Subject: about("demo", "t1", "")})
	check("unblocked", 1, 0, "", 0, 0)
	appendAll(t, j, journal.CircuitClosed{Subject: about("demo", "", "")})
	check("closed", 0, 0, "", 0, 0)
	if task := state(t, j, "demo").Tasks["t1"]; task.Blocked || task.Attempts != 8 || task.LastFailureUS != 0 {
		t.Errorf("at the end: %+v", task)
	}
}

func TestBreaker(t *testing.T) {
	c := newClock()
	j := open(t, t.TempDir(), c)
	d := about("demo", "", "")
	until := gateway.At(c.Now().Add(15 * time.Minute))
	appendAll(t, j, journal.CircuitOpened{Subject: d, Cause: "failures", Until: until, CooldownSeconds: 900})
	want := journal.CircuitState{State: gateway.CircuitOpen, Cause: "failures", OpenedUS: c.Now().UnixMicro(), UntilUS: until.UnixMicro(), CooldownSeconds: 900}
	if got := state(t, j, "demo").Circuit; got != want {
		t.Fatalf("open: %+v", got)
	}
	s := about("demo", "t1", attempt(1))
	appendAll(t, j, journal.CircuitHalfOpened{Subject: d, Probe: s.AttemptID}, created(s, 1, "d1"))
	if got := state(t, j, "demo").Circuit; got.State != gateway.CircuitHalfOpen || got.Probe != s.AttemptID || got.CooldownSeconds != 900 {
		t.Fatalf("half open: %+v", got)
	}
	appendAll(t, j, ended(s, gateway.Cancelled, ""))
	if got := state(t, j, "demo").Circuit; got.State != gateway.CircuitHalfOpen || got.Probe != "" {
		t.Fatalf("the probe ended: %+v", got)
	}
	appendAll(t, j, journal.CircuitClosed{Subject: d})
	if got := state(t, j, "demo").Circuit; got != (journal.CircuitState{State: gateway.CircuitClosed}) {
		t.Fatalf("closed: %+v", got)
	}
}

func TestHaltsAreFactsOfEverybody(t *testing.T) {
	j := open(t, t.TempDir(), newClock())
	appendAll(t, j, registered("a"), registered("b"))
	before := state(t, j, "a")
	appendAll(t, j, journal.AutonomyHalted{Reason: "stop", By: "op"}, journal.AutonomyHalted{Subject: about("b", "", ""), Reason: "b", By: "op"})
	a, b := state(t, j, "a"), state(t, j, "b")
	if a.FactsSeq != 3 || b.FactsSeq != 4 || j.FactsSeq("never-seen") != 3 {
		t.Errorf("facts %d, %d, %d", a.FactsSeq, b.FactsSeq, j.FactsSeq("never-seen"))
	}
	if a.HaltAll == nil || a.HaltTarget != nil || b.HaltTarget == nil || b.HaltTarget.Reason != "b" || before.HaltAll != nil {
		t.Errorf("halts %+v %+v", a, b)
	}
	appendAll(t, j, journal.AutonomyResumed{By: "op"})
	halts, err := j.Halts(t.Context())
	if err != nil || len(halts) != 1 || halts["b"].By != "op" {
		t.Fatalf("halts %+v, %v", halts, err)
	}
	if s := state(t, j, "b"); s.HaltAll != nil || s.HaltTarget == nil {
		t.Errorf("after resume %+v", s)
	}
}

func TestReservedToday(t *testing.T) {
	c := newClock()
	j := open(t, t.TempDir(), c)
	today := gateway.At(c.Now())
	commit(t, j, func(tx *journal.Tx) error {
		if err := create(tx, "demo", "t1", attempt(1), 1); err != nil {
			return err
		}
		return create(tx, "demo", "t2", attempt(2), 1)
	})
	s := state(t, j, "demo")
	if s.Today(today) != 2 || s.Today(gateway.At(today.AddDate(0, 0, 1))) != 0 || s.Today(gateway.At(today.AddDate(0, 0, -1))) != 2 {
		t.Errorf("today %d", s.Today(today))
	}
	now, err := s.Part(today)
	if err != nil {
		t.Fatal(err)
	}
	tomorrow, err := s.Part(gateway.At(today.AddDate(0, 0, 1)))
	if err != nil || now.Digest == tomorrow.Digest {
		t.Errorf("the day makes no difference: %v", err)
	}
	c.add(24 * time.Hour)
	commit(t, j, func(tx *journal.Tx) error { return create(tx, "demo", "t3", attempt(3), 1) })
	if s := state(t, j, "demo"); s.ReservedToday != 1 || s.ReservedDay != "2026-11-25" {
		t.Errorf("next day: %d on %s", s.ReservedToday, s.ReservedDay)
	}
}

func TestClaimsDecideNothing(t *testing.T) {
	j := open(t, t.TempDir(), newClock())
	s := about("demo", "t1", attempt(1))
	appendAll(t, j, created(s, 1, "d1"))
	facts := j.FactsSeq("demo")
	claim := func(id, typ string, body map[string]any) {
		commit(t, j, func(tx *journal.Tx) error {
			_, err := tx.Append(journal.Record{
				Kind: journal.Event, Origin: journal.External, ID: id, Type: typ, Target: "demo", Body: body, SchemaVersion: 1,
				Timestamp: gateway.At(time.Date(2026, 1, 28, 10, 0, 0, 0, time.UTC)),
			})
			return err
		})
	}
	claim("c1", "attempt.failed", map[string]any{"attempt_id": string(attempt(1)), "task_id": "t1", "failure_type": "agent_error"})
	claim("c2", "autonomy.halted", map[string]any{"reason": "claimed"})
	claim("c3", "task.completed", map[string]any{"task_id": "t1"})
	claim("c4", "attempt.created", map[string]any{"attempt_id": "a1", "task_id": "old", "attempt_number": 1})
	claim("c5", "attempt.failed", map[string]any{"attempt_id": "a1", "task_id": "old", "error_summary": "boom"})
	claim("c6", "pr.created", map[string]any{"attempt_id": "a1", "pr_number": 3, "pr_url": "u"})
	claim("c7", "clock.accepted", map[string]any{})
	claim("c8", "attempt.created", map[string]any{"attempt_id": 7})
	st := state(t, j, "demo")
	if j.FactsSeq("demo") != facts || st.HaltAll != nil || st.Tasks["t1"].Completed || st.Live != 1 || len(st.Tasks) != 1 {
		t.Fatalf("a claim decides: %+v", st)
	}
	d, err := j.AttemptDetail(t.Context(), attempt(1))
	if err != nil || d.Node.Properties["status"] != "reserved" || d.Node.Properties["external"] != nil {
		t.Fatalf("a claim changed the gateway's node: %+v, %v", d.Node, err)
	}
	d, err = j.AttemptDetail(t.Context(), "a1")
	if err != nil || d.Node.Properties["external"] != true || d.Node.Properties["error_summary"] != "boom" ||
		!d.Node.CreatedAt.Equal(time.Date(2026, 1, 28, 10, 0, 0, 0, time.UTC)) {
		t.Fatalf("claimed node %+v, %v", d.Node, err)
	}
	list, err := j.Attempts(t.Context(), journal.AttemptFilter{Target: "demo", State: "failed"})
	if err != nil || list.Count != 1 || !list.Attempts[0].External || *list.Attempts[0].PRNumber != 3 {
		t.Fatalf("list %+v, %v", list, err)
	}
}

// A receipt of an older release says nothing of the text, and a voided one is
// forgotten with all that it said.
func TestTextDigestsOfPullRequests(t *testing.T) {
	j := open(t, t.TempDir(), newClock())
	for number, want := range map[int]string{8: "", 9: textDigest(9)} {
		s := about("demo", gateway.TaskID(oid(number)), attempt(number))
		appendAll(t, j, append([]journal.Payload{created(s, 1, "sha256:d1")}, toProposed(s, number)...)...)
		pulls := state(t, j, "demo").PullRequests
		found := false
		for _, pr := range pulls {
			found = found || pr.Number == number && pr.TextDigest == want
		}
		if !found {
			t.Errorf("pull request %d with text digest %q is not among %+v", number, want, pulls)
		}
		text, err := json.Marshal(pulls)
		if err != nil || strings.Contains(string(text), "sha256:0") {
			t.Errorf("a policy is told of the text: %s %v", text, err)
		}
	}
}

// What the forge showed last is kept, and for good that a human took a pull
// request over; a rebuild comes to the same.
func TestWhatWasSeenOfAPullRequestIsKept(t *testing.T) {
	dir, c := t.TempDir(), newClock()
	j := open(t, dir, c)
	s := about("demo", "t1", attempt(1))
	saw := func(review string, conflicts, edited bool) journal.PullObserved {
		return journal.PullObserved{Subject: s, PRNumber: 7, Review: review, Conflicts: conflicts, Edited: edited}
	}
	appendAll(t, j, registered("demo"), created(s, 1, "sha256:d1"))
	err := j.Commit(t.Context(), func(tx *journal.Tx) error {
		_, err := tx.Append(journal.NewEvent("test", saw("none", false, false)))
		return err
	})
	if !errors.Is(err, gateway.ErrConflict) {
		t.Errorf("an attempt without a pull request was seen to have one: %v", err)
	}
	appendAll(t, j, toProposed(s, 7)...)
	facts := state(t, j, "demo").FactsSeq
	appendAll(t, j, saw("changes_requested", true, true), saw("approved", false, false))
	for _, what := range []string{"folded", "rebuilt"} {
		st := state(t, j, "demo")
		if pr := st.PullRequests[0]; pr.Review != "approved" || pr.Conflicts || !pr.Edited || st.FactsSeq == facts {
			t.Errorf("%s: pull request %+v, facts at %d", what, pr, st.FactsSeq)
		}
		list, err := j.Attempts(t.Context(), journal.AttemptFilter{Target: "demo"})
		if err != nil || len(list.Attempts) != 1 {
			t.Fatalf("%s: attempts %+v, %v", what, list, err)
		}
		if a := list.Attempts[0]; a.PRState != gateway.PullRequestOpen || a.PRReview != "approved" || a.PRConflicts || !a.PREdited {
			t.Errorf("%s: listed as %+v", what, a)
		}
		detail, err := j.AttemptDetail(t.Context(), s.AttemptID)
		if err != nil || detail.Node.Properties["pr_review"] != "approved" || detail.Node.Properties["pr_edited"] != true {
			t.Errorf("%s: shown as %+v, %v", what, detail.Node, err)
		}
		if err := j.Rebuild(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	before := state(t, j, "demo").FactsSeq
	appendAll(t, j, journal.ForgeProbed{Subject: journal.Subject{TargetID: "demo"}, Source: "forge", Probe: &gateway.ForgeProbe{Credential: "app"}})
	if after := state(t, j, "demo").FactsSeq; after == before {
		t.Error("who decided on other settings does not decide again")
	}
}
