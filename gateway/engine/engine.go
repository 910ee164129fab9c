package engine

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// An Engine holds the live Snapshot and the one before it. Its methods are
// safe for concurrent use; readers never wait.
type Engine struct {
	mu   sync.Mutex // orders activations
	live atomic.Pointer[generation]

	poll, settle time.Duration
	after        func(time.Duration) <-chan time.Time
	random       func() float64
}

// A generation is what is published at once.
type generation struct{ current, previous *Snapshot }

// New makes an Engine whose live Snapshot is initial. With nil, everything is
// denied until the first activation.
func New(initial *Snapshot) *Engine {
	e := &Engine{poll: pollInterval, settle: settleTime, after: time.After, random: rand.Float64}
	e.live.Store(&generation{current: initial})
	return e
}

// Current is the live Snapshot. Take it once for a decision, and take the
// revision from it: the next call may return another.
func (e *Engine) Current() *Snapshot { return e.live.Load().current }

// Previous is the Snapshot that was live before the current one, for a
// rollback; nil if there was none.
func (e *Engine) Previous() *Snapshot { return e.live.Load().previous }

// Activate makes s the live Snapshot; nil is ignored. Decisions under way end
// with the Snapshot that they began with. Activating the bundle that is live
// changes nothing.
func (e *Engine) Activate(s *Snapshot) {
	if s == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	current := e.live.Load().current
	if current != nil && current.digest == s.digest {
		return
	}
	e.live.Store(&generation{current: s, previous: current})
}
