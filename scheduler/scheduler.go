package scheduler

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"

	"leviathan/gateway"
)

// A Launcher runs workers. It is the seam between one machine and a cluster.
type Launcher interface {
	// Launch starts the worker of a reservation, or adopts the one that runs
	// already. It returns when the worker was started, not when it ended.
	Launch(ctx context.Context, r gateway.Reservation) error
	// Live lists the attempts whose workers run now.
	Live() []gateway.AttemptID
	// Exits tells of workers that ended, each once.
	Exits() <-chan Exit
}

// An Exit says that a worker is gone, and what was seen of it.
type Exit struct {
	Attempt  gateway.AttemptID
	Observed string // as gateway.LostRequest has it
	Detail   string
}

// Config is what a scheduler of one target is made of.
type Config struct {
	Client   *gateway.Client
	Target   gateway.TargetID
	Launcher Launcher
	Logger   *slog.Logger
	// Wake asks for a cycle now; nil if nothing ever does.
	Wake <-chan struct{}
	// UntilIdle ends Run when nothing is left that time alone would change
	// within IdleWait.
	UntilIdle bool
	IdleWait  time.Duration
	// OnCycle, if set, is told of each cycle.
	OnCycle func(gateway.CycleResult)
	// Now is the clock; time.Now if nil.
	Now func() time.Time
}

// A Scheduler runs the cycles of one target.
type Scheduler struct {
	Config
	failures int // cycles in a row that could not be asked
}

// New makes a scheduler. It starts nothing.
func New(c Config) *Scheduler {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.IdleWait == 0 {
		c.IdleWait = 120 * time.Second
	}
	return &Scheduler{Config: c}
}

const (
	// settle lets several wakes in a row share one cycle.
	settle = 50 * time.Millisecond
	// maxPause bounds how long the scheduler sleeps between two cycles, so
	// that a clock that jumps does not stop it.
	maxPause = 5 * time.Minute
)

// Run asks for cycles until ctx ends or, with UntilIdle, until nothing is
// left to do. It does not wait for workers: the launcher's owner does.
func (s *Scheduler) Run(ctx context.Context) error {
	for {
		result, err := s.Cycle(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		idle := false
		if err == nil && s.UntilIdle {
			if idle, err = s.idle(ctx, result); idle {
				return nil
			}
		}
		if err != nil {
			s.Logger.Warn("cycle", "target", s.Target, "error", err)
		}
		if err := s.wait(ctx, s.pause(result, err)); err != nil {
			return err
		}
	}
}

// Cycle reconciles workers with the journal, asks for one cycle and launches
// what it reserved.
func (s *Scheduler) Cycle(ctx context.Context) (gateway.CycleResult, error) {
	if err := s.reconcile(ctx); err != nil {
		return gateway.CycleResult{}, err
	}
	result, err := s.Client.Cycle(ctx, s.Target, gateway.CycleRequest{})
	if err != nil {
		return result, err
	}
	if s.OnCycle != nil {
		s.OnCycle(result)
	}
	for _, r := range result.Reserved {
		if err := s.Launcher.Launch(ctx, r); err != nil {
			s.Logger.Error("launching a worker", "attempt", r.AttemptID, "error", err)
			s.lost(ctx, Exit{Attempt: r.AttemptID, Observed: "job_failed", Detail: err.Error()})
		}
	}
	return result, nil
}

// reconcile reports the attempts that the journal believes running and that
// no worker of this launcher runs. Attempts that wait for a worker are left:
// the next cycle lists them again.
func (s *Scheduler) reconcile(ctx context.Context) error {
	live, err := s.live(ctx)
	if err != nil {
		return err
	}
	ours := s.Launcher.Live()
	for _, a := range live {
		if a.State != gateway.Reserved && !slices.Contains(ours, a.AttemptID) {
			s.lost(ctx, Exit{Attempt: a.AttemptID, Observed: "process_gone", Detail: "no worker process of this scheduler runs it"})
		}
	}
	return nil
}

// live lists the target's attempts that have not ended.
func (s *Scheduler) live(ctx context.Context) ([]gateway.AttemptItem, error) {
	var all []gateway.AttemptItem
	page := ""
	for {
		list, err := s.Client.Attempts(ctx, gateway.AttemptQuery{State: "live", Target: s.Target, PageToken: page})
		if err != nil {
			return nil, err
		}
		all = append(all, list.Attempts...)
		if page = list.NextPageToken; page == "" {
			return all, nil
		}
	}
}

// lost reports a worker that is gone. That its attempt has ended is the usual
// case and no error.
func (s *Scheduler) lost(ctx context.Context, e Exit) {
	err := s.Client.Lost(ctx, e.Attempt, gateway.LostRequest{Observed: e.Observed, Detail: e.Detail})
	if err != nil && !errors.Is(err, gateway.ErrConflict) && ctx.Err() == nil {
		s.Logger.Warn("reporting a lost worker", "attempt", e.Attempt, "error", err)
	}
}

// idle reports whether nothing is reserved or live and no task becomes
// eligible by time alone within IdleWait.
func (s *Scheduler) idle(ctx context.Context, result gateway.CycleResult) (bool, error) {
	if len(result.Reserved) > 0 || len(s.Launcher.Live()) > 0 || result.Outcome == gateway.CycleUnknown {
		return false, nil
	}
	live, err := s.live(ctx)
	if err != nil || len(live) > 0 {
		return false, err
	}
	next := earliest(result)
	return next.IsZero() || next.Sub(s.Now()) > s.IdleWait, nil
}

// earliest is when the first skipped task becomes eligible by time alone.
func earliest(result gateway.CycleResult) time.Time {
	var first time.Time
	for _, skipped := range result.Skipped {
		if at := skipped.NextEligibleAt.Time; !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first
}

// pause is how long to wait for the next cycle if nobody asks for one. A
// gateway that does not answer is asked again with backoff and jitter.
func (s *Scheduler) pause(result gateway.CycleResult, err error) time.Duration {
	if err != nil || result.Outcome == gateway.CycleUnknown {
		s.failures = min(s.failures+1, 6)
		base := time.Second << (s.failures - 1)
		return base/2 + rand.N(base)
	}
	s.failures = 0
	now := s.Now()
	pause := maxPause
	next := []time.Time{result.NextCycleAt.Time}
	if s.UntilIdle {
		next = append(next, earliest(result))
	}
	for _, at := range next {
		if !at.IsZero() {
			pause = min(pause, at.Sub(now)+time.Millisecond)
		}
	}
	return max(pause, settle)
}

// wait sleeps until the pause is over, a worker ends, or somebody wakes it.
func (s *Scheduler) wait(ctx context.Context, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
	case <-s.Wake:
		return s.gather(ctx)
	case e := <-s.Launcher.Exits():
		s.lost(ctx, e)
		return s.gather(ctx)
	}
	return nil
}

// gather waits a moment for more of the same, so that several ends in a row
// cost one cycle.
func (s *Scheduler) gather(ctx context.Context) error {
	timer := time.NewTimer(settle)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
			return nil
		case <-s.Wake:
		case e := <-s.Launcher.Exits():
			s.lost(ctx, e)
		}
	}
}
