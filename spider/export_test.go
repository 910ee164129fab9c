package spider

import (
	"context"
	"time"
)

// MaxSeen is how many event ids are remembered, and MaxTracked how many
// attempts, pull requests and tasks.
const (
	MaxSeen    = maxSeen
	MaxTracked = maxTracked
)

// Await waits until the counts satisfy ok: it is woken by each change.
func (s *Spider) Await(ctx context.Context, ok func(received uint64, cursor int64) bool) error {
	for {
		s.mu.Lock()
		changed := s.changed
		done := ok(s.state.Received, s.state.Cursor)
		s.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// AwaitDecisions waits until the decisions up to the record seq are counted.
func (s *Spider) AwaitDecisions(ctx context.Context, seq int64) error {
	for {
		s.mu.Lock()
		changed, at := s.changed, s.state.DecisionSeq
		s.mu.Unlock()
		if at >= seq {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// MaxCodes is how many codes have a label of their own.
const MaxCodes = maxCodes

// AwaitStatus waits until a status is known that was read at or after since.
func (s *Spider) AwaitStatus(ctx context.Context, since time.Time) error {
	for {
		if g := s.governed.Load(); g != nil && !g.at.Before(since) {
			return nil
		}
		select {
		case <-s.statusRead:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
