package engine

import "time"

// WithIntervals sets how often a watch polls and how long a content must be
// stable, so that tests need not wait.
func WithIntervals(e *Engine, poll, settle time.Duration) *Engine {
	e.poll, e.settle = poll, settle
	return e
}

// WithClock gives a follower another clock, and no jitter.
func WithClock(e *Engine, after func(time.Duration) <-chan time.Time) *Engine {
	e.after, e.random = after, func() float64 { return 0 }
	return e
}
