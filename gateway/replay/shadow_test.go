package replay_test

import (
	"context"
	"log/slog"
	"runtime"
	"testing"

	"leviathan/gateway"
	"leviathan/gateway/replay"
)

// live is a question with the answer that the shipped policy gives.
func live(t *testing.T, q asked) replay.Question {
	t.Helper()
	in := q.input(t)
	return replay.Question{Decision: "01000000000000000000000001", Action: q.Action, Target: "mux", Input: in,
		Result: shipped(t).Decide(t.Context(), q.Action, in).JSON}
}

func TestAShadowFindsFlipsOnLiveQuestions(t *testing.T) {
	candidate := edited(t, "delivery/obligations.rego", `\{"lease_seconds": input\.config\.values\.limits\.lease_seconds\}`, `{"lease_seconds": 7}`)
	s := replay.NewShadow(slog.New(slog.DiscardHandler))
	if _, ok := s.Report(); ok {
		t.Error("a shadow without a candidate has a report")
	}
	s.Offer(live(t, seed(t, gateway.ActionAttemptHeartbeat))) // nobody asks
	s.Watch(candidate)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	s.Offer(live(t, seed(t, gateway.ActionAttemptHeartbeat)))
	s.Offer(live(t, seed(t, gateway.ActionAttemptFinish)))
	r, _ := s.Report()
	for r.Compared < 2 {
		runtime.Gosched()
		r, _ = s.Report()
	}
	if r.Counts[gateway.FlipObligations] != 1 || len(r.Flips) != 1 || r.Flips[0].Action != gateway.ActionAttemptHeartbeat || r.Dropped != 0 {
		t.Errorf("the report is %+v", r)
	}
	s.Watch(candidate)
	if r, _ := s.Report(); r.Compared != 2 {
		t.Error("the same candidate again forgot what was seen")
	}
	s.Watch(nil)
	if r, ok := s.Report(); ok || r.Compared != 0 {
		t.Errorf("without a candidate the report is %+v", r)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestAShadowDropsRatherThanWait(t *testing.T) {
	s := replay.NewShadow(slog.New(slog.DiscardHandler))
	s.Watch(shipped(t))
	q := live(t, seed(t, gateway.ActionRouteRead))
	for range 1000 { // nobody serves it: an Offer that waited would hang
		s.Offer(q)
	}
	if r, ok := s.Report(); !ok || r.Dropped == 0 || r.Compared != 0 {
		t.Errorf("the report is %+v", r)
	}
}
