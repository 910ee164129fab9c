package replay

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"leviathan/gateway"
	"leviathan/gateway/engine"
)

const (
	// shadowQueue is how many live questions wait for the candidate; more are
	// dropped and counted.
	shadowQueue = 256
	// shadowFlips is how many of the latest flips are kept.
	shadowFlips = 100
)

// A Question is a live one, with the answer that was given to it.
type Question struct {
	Decision gateway.DecisionID
	Action   string
	Target   gateway.TargetID
	Task     gateway.TaskID
	Attempt  gateway.AttemptID
	DryRun   bool
	Codes    []string // of the answer's reasons
	Input    engine.Input
	Result   []byte // canonical JSON
}

func (q Question) flip(f gateway.Flip) gateway.Flip {
	f.Decision, f.Action, f.Target, f.Task, f.Attempt, f.DryRun = q.Decision, q.Action, q.Target, q.Task, q.Attempt, q.DryRun
	return f
}

// A Shadow asks a candidate what the governing policy was asked, after the
// fact and on one goroutine of its own: it delays nobody, and what it has no
// time for it drops. Its methods are safe for concurrent use.
type Shadow struct {
	log   *slog.Logger
	queue chan Question

	mu        sync.Mutex
	candidate *engine.Snapshot
	report    gateway.ShadowReport
	latest    []gateway.Flip // oldest first
}

// NewShadow makes a Shadow without a candidate. Run serves it.
func NewShadow(log *slog.Logger) *Shadow {
	return &Shadow{log: log, queue: make(chan Question, shadowQueue)}
}

// Watch makes candidate the one that is asked, and forgets what was seen of
// another; nil asks none. The same candidate again goes on counting.
func (s *Shadow) Watch(candidate *engine.Snapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.candidate != nil && candidate != nil && s.candidate.Digest() == candidate.Digest() {
		return
	}
	s.candidate, s.report, s.latest = candidate, gateway.ShadowReport{Counts: gateway.FlipCounts{}}, nil
}

// Offer hands over a question that was answered. It never waits.
func (s *Shadow) Offer(q Question) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.candidate == nil || notThePolicys(q.Codes) {
		return
	}
	select {
	case s.queue <- q:
	default:
		s.report.Dropped++
	}
}

// Report is what was seen so far; false if there is no candidate.
func (s *Shadow) Report() (gateway.ShadowReport, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.report
	r.Counts = maps.Clone(s.report.Counts)
	r.Flips = append([]gateway.Flip{}, s.latest...)
	slices.Reverse(r.Flips)
	return r, s.candidate != nil
}

// Run asks the candidate until ctx ends.
func (s *Shadow) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case q := <-s.queue:
			s.compare(ctx, q)
		}
	}
}

func (s *Shadow) compare(ctx context.Context, q Question) {
	s.mu.Lock()
	candidate := s.candidate
	s.mu.Unlock()
	if candidate == nil {
		return
	}
	f, differs, err := compare(q.Result, candidate.Decide(ctx, q.Action, q.Input))
	if err != nil {
		s.log.Error("comparing a candidate's answer", "decision", q.Decision, "error", err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.candidate != candidate || ctx.Err() != nil {
		return // it is another one's turn, or the answer was broken off
	}
	s.report.Compared++
	if !differs {
		return
	}
	s.report.Counts[f.Class]++
	if s.latest = append(s.latest, q.flip(f)); len(s.latest) > shadowFlips {
		s.latest = s.latest[1:]
	}
}
