package engine

import "time"

// WithIntervals sets how often a watch polls and how long a content must be
// stable, so that tests need not wait.
func WithIntervals(e *Engine, poll, settle time.Duration) *Engine {
	e.poll, e.settle = poll, settle
	return e
}
