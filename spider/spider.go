package spider

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"leviathan/gateway"
)

// DefaultMaxTargets is how many targets have a label of their own if the
// config does not say.
const DefaultMaxTargets = 64

// Config is what a spider is made of.
type Config struct {
	// Client reads the gateway's events and status with a reader's token; nil
	// for a spider that only receives.
	Client *gateway.Client
	// StateFile holds cursor and counts; "" keeps them in memory alone, so
	// that a follower counts from the journal's first event at each start. The
	// file has one owner at a time.
	StateFile string
	// MaxTargets is how many targets have a label of their own, in the order
	// in which they are first seen; the others share "other". 0 means
	// DefaultMaxTargets.
	MaxTargets int
	// LegacyMetrics adds a counter named after each event type, as release 0.4
	// had.
	LegacyMetrics bool
	Logger        *slog.Logger // required
	// Now is the clock; time.Now if nil.
	Now func() time.Time
	// StatusEvery is the pause between two readings of the status; 0 means 15
	// seconds.
	StatusEvery time.Duration
}

// A Spider counts events. Its methods are safe for concurrent use; Run runs
// once.
type Spider struct {
	client      *gateway.Client
	file        string
	lock        *flock.Flock
	maxTargets  int
	legacy      bool
	log         *slog.Logger
	now         func() time.Time
	statusEvery time.Duration
	registry    *prometheus.Registry
	turns       chan struct{} // bounds the bundles that are in memory at once

	mu     sync.Mutex // guards state and file
	state  *state
	seen   *seen
	broken bool // the last write of the state failed
	// changed is closed by the next change, statusRead gets a token when the
	// status was read: what waits for the spider waits for these.
	changed    chan struct{}
	statusRead chan struct{}

	shown     atomic.Pointer[view]
	governed  atomic.Pointer[governed]
	connected atomic.Bool
	refused   atomic.Uint64 // bundles
}

// New reads the state file, if there is one. A file that is damaged or that
// another spider has open is an error.
func New(c Config) (*Spider, error) {
	if c.Logger == nil {
		return nil, errors.New("a spider needs a logger")
	}
	s := &Spider{client: c.Client, file: c.StateFile, maxTargets: c.MaxTargets, legacy: c.LegacyMetrics, log: c.Logger, now: c.Now,
		statusEvery: c.StatusEvery, registry: prometheus.NewRegistry(), turns: make(chan struct{}, maxBundles), state: newState(),
		changed: make(chan struct{}), statusRead: make(chan struct{}, 1)}
	if s.maxTargets <= 0 {
		s.maxTargets = DefaultMaxTargets
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.statusEvery <= 0 {
		s.statusEvery = statusEvery
	}
	if err := s.open(); err != nil {
		return nil, err
	}
	s.seen = newSeen(s.state.Seen)
	s.publish()
	s.registry.MustRegister(s, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return s, nil
}

// open takes the state file and reads it.
func (s *Spider) open() error {
	if s.file == "" {
		return nil
	}
	s.lock = flock.New(s.file + ".lock")
	ok, err := s.lock.TryLock()
	if err != nil {
		return fmt.Errorf("locking the state file %s: %w", s.file, err)
	}
	if !ok {
		return fmt.Errorf("the state file %s is another spider's: stop that one, or name another file", s.file)
	}
	st, err := loadState(s.file)
	if err != nil {
		return errors.Join(err, s.lock.Unlock())
	}
	if st != nil {
		s.state = st
	}
	return nil
}

// Close lets go of the state file. It is for after Run.
func (s *Spider) Close() error {
	if s.lock == nil {
		return nil
	}
	return s.lock.Unlock()
}

// Run follows the gateway until ctx ends; a spider without a client only
// waits. It returns ctx's error.
func (s *Spider) Run(ctx context.Context) error {
	if s.client == nil {
		<-ctx.Done()
		return ctx.Err()
	}
	return s.follow(ctx)
}

// change applies f to the counts, writes them down, and shows them. When they
// cannot be written, they are shown all the same: a full disk must not blind
// who watches. Then a restart may count what came since once more.
func (s *Spider) change(f func(*state)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s.state)
	if s.file != "" {
		s.state.Seen = s.seen.pack()
		err := saveState(s.file, s.state)
		switch {
		case err != nil:
			s.state.WriteFailures++
			if !s.broken {
				s.log.Error("writing down the counts: a restart would count again what comes from now on", "file", s.file, "error", err)
			}
		case s.broken:
			s.log.Info("the counts are written down again", "file", s.file)
		}
		s.broken = err != nil
	}
	s.publish()
	close(s.changed)
	s.changed = make(chan struct{})
}

// publish shows the state as it is. The caller has the lock, or is alone.
func (s *Spider) publish() { s.shown.Store(s.view(s.state)) }
