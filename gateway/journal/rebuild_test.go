package journal_test

import (
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"pgregory.net/rapid"

	"leviathan/gateway"
	"leviathan/gateway/journal"
)

// A history draws events, most of them legal, and keeps what it needs to know
// to draw the next one.
type history struct {
	c        *clock
	attempts []journal.Subject
	numbers  map[string]int
	pulls    int
	claims   int
}

func (h *history) next(t *rapid.T) journal.Record {
	target := gateway.TargetID(rapid.SampledFrom([]string{"a", "b"}).Draw(t, "target"))
	task := gateway.TaskID(rapid.SampledFrom([]string{"t1", "t2", "t3"}).Draw(t, "task"))
	digest := rapid.SampledFrom([]string{"d1", "d2"}).Draw(t, "digest")
	if rapid.IntRange(0, 3).Draw(t, "new") == 0 || len(h.attempts) == 0 {
		s := about(target, task, attempt(len(h.attempts)+1))
		h.attempts = append(h.attempts, s)
		return journal.NewEvent("x", created(s, h.numbers[string(target+"/")+string(task)]+1, digest))
	}
	s := h.attempts[len(h.attempts)-1-rapid.IntRange(0, min(3, len(h.attempts)-1)).Draw(t, "attempt")]
	h.pulls++
	p := toProposed(s, h.pulls)
	failures := []gateway.FailureType{gateway.AgentError, gateway.Timeout, gateway.Lost, gateway.Launch, gateway.Denied}
	d := about(s.TargetID, "", "")
	until := gateway.At(h.c.Now().Add(time.Hour))
	all := append(p, p...)
	all = append(all, p...)
	all = append(all,
		journal.LeaseRenewed{Subject: s, LeaseExpiresAt: until}, journal.AttemptEvidence{Subject: s}, journal.PushRefused{Subject: s},
		journal.PushVoided{Subject: s}, journal.PullVoided{Subject: s}, journal.PullMerged{Subject: s}, journal.PullClosed{Subject: s},
		ended(s, gateway.Succeeded, ""), ended(s, gateway.Cancelled, ""), ended(s, gateway.Expired, ""),
		ended(s, gateway.Failed, rapid.SampledFrom(failures).Draw(t, "failure")), journal.AttemptInvalidated{Subject: s},
		journal.ArtifactCreated{Subject: s, Name: digest, ArtifactID: digest, SizeBytes: int64(h.pulls)},
		journal.TaskBlocked{Subject: about(s.TargetID, s.TaskID, ""), Digest: digest}, journal.TaskUnblocked{Subject: about(s.TargetID, s.TaskID, "")},
		journal.TaskCreated{Subject: about(s.TargetID, s.TaskID, ""), Dependencies: []gateway.TaskID{"t1"}},
		journal.CircuitOpened{Subject: d, Cause: "failures", Until: until}, journal.CircuitHalfOpened{Subject: d, Probe: s.AttemptID}, journal.CircuitClosed{Subject: d},
		journal.AutonomyHalted{Subject: d, Reason: digest}, journal.AutonomyResumed{Subject: d}, journal.AutonomyHalted{Reason: digest}, journal.AutonomyResumed{},
		journal.ForgeObserved{Subject: d, Unlisted: []journal.UnlistedPull{{Number: h.pulls, Branch: "agent/x"}}}, registered(target),
		journal.TokenCreated{ID: fmt.Sprint(h.pulls), Hash: fmt.Sprintf("%064d", h.pulls)}, journal.ClockAccepted{}, journal.ConfigObserved{Subject: d},
	)
	r := journal.NewEvent("x", rapid.SampledFrom(all).Draw(t, "payload"))
	if rapid.IntRange(0, 5).Draw(t, "claim") == 0 {
		h.claims++
		r.Origin, r.ID = journal.External, fmt.Sprintf("claim-%d", h.claims)
	}
	return r
}

// A rebuilt journal equals the one that grew, and every cached state equals
// the one read anew: S18.
func TestS18RebuiltEqualsIncremental(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "journal")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		h := history{c: newClock(), numbers: map[string]int{}}
		j, err := journal.Open(t.Context(), journal.Config{Dir: dir, Now: h.c.Now})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
		}()
		undo := errors.New("undo")
		for range rapid.IntRange(5, 60).Draw(t, "turns") {
			h.c.add(time.Duration(rapid.IntRange(-5, 36000).Draw(t, "seconds")) * time.Second)
			r := h.next(t)
			fails := rapid.IntRange(0, 9).Draw(t, "undo") == 0
			err := j.Commit(t.Context(), func(tx *journal.Tx) error {
				if _, err := tx.Append(r); err != nil {
					return err
				}
				if _, err := tx.State(r.Target); err != nil {
					return err
				}
				if fails {
					return undo
				}
				return nil
			})
			if k := gateway.KindOf(err); err != nil && err != undo && k != gateway.Conflict {
				t.Fatalf("append %s: %v", r.Type, err)
			}
			if err == nil && r.Type == gateway.EventAttemptCreated && r.Origin == journal.Gateway {
				h.numbers[string(r.Target+"/")+string(r.Task)]++
			}
		}
		compareRebuilt(t, j, "a", "b")
	})
}

func compareRebuilt(t *rapid.T, j *journal.Journal, targets ...gateway.TargetID) {
	digest := func() string {
		d, err := j.ProjectionDigest(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	part := func(target gateway.TargetID) string {
		s, err := j.State(target)
		if err != nil {
			t.Fatal(err)
		}
		if s.FactsSeq != j.FactsSeq(target) {
			t.Fatalf("state of %s is as of %d, facts of %d", target, s.FactsSeq, j.FactsSeq(target))
		}
		b, err := journal.Canonical(map[string]any{
			"state": s, "attempts": s.Attempts, "pulls": s.PullRequests, "halts": []any{s.HaltAll, s.HaltTarget}, "unlisted": s.Unlisted,
			"registered": s.Registered, "day": s.ReservedDay,
		})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	grown := digest()
	var states []string
	for _, target := range targets {
		states = append(states, part(target))
	}
	for range 2 {
		if err := j.Rebuild(t.Context()); err != nil {
			t.Fatal(err)
		}
		if d := digest(); d != grown {
			t.Fatalf("rebuilt %s, grown %s", d, grown)
		}
		for i, target := range targets {
			if s := part(target); s != states[i] {
				t.Fatalf("state of %s read anew is\n%s, grown is\n%s", target, s, states[i])
			}
		}
	}
}
