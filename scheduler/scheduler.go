package scheduler

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"

	"go.opentelemetry.io/otel/trace"

	"leviathan/gateway"
)

// A Launcher runs workers. It is the seam between one machine and a cluster.
type Launcher interface {
	// Launch starts the worker of a reservation, or adopts the one that runs
	// already. It returns when the worker was started, not when it ended. A
	// launcher that drains refuses with ErrClosed: nothing became of the
	// reservation, which stays for whoever asks next. So it does after an error
	// that is gateway.ErrUnknown: what could not be asked says nothing about
	// the attempt. After all others the attempt is reported lost.
	Launch(ctx context.Context, r gateway.Reservation) error
	// Observe tells of the worker of each attempt given, one that is absent
	// too, and of all others of this launcher. What cannot be seen is an
	// error: unknown is not "none runs".
	Observe(ctx context.Context, attempts []gateway.AttemptID) ([]Worker, error)
	// Exits tells of workers that ended, each once. Nil if the launcher tells
	// of none, and all is observed.
	Exits() <-chan Exit
}

// A Dismisser is a launcher whose workers outlive it, so that one may be left
// whose attempt has ended: that one is dismissed.
type Dismisser interface {
	// Dismiss has the worker of an attempt ended. It does not wait for that.
	Dismiss(ctx context.Context, id gateway.AttemptID) error
}

// ErrClosed refuses a launch while the launcher drains.
var ErrClosed = errors.New("the launcher is closing")

// A WorkerState is how a worker is.
type WorkerState int

// The states of a worker.
const (
	WorkerActive WorkerState = iota // it runs, or may yet
	WorkerStuck                     // it is there and will not run
	WorkerEnded                     // it is over
	WorkerAbsent                    // there is none
)

// A Worker is what was seen of one: what became of it, unless it is active.
// Of an active one Detail alone may be set.
type Worker struct {
	Exit
	State WorkerState
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
	// Tracer gets a span of each cycle and each launch; nil traces nothing. The
	// Client must carry the context's trace to the gateway.
	Tracer trace.TracerProvider
}

// A Scheduler runs the cycles of one target.
type Scheduler struct {
	Config
	failures int // cycles in a row that could not be asked
	tracer   trace.Tracer
}

// New makes a scheduler. It starts nothing.
func New(c Config) *Scheduler {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.IdleWait == 0 {
		c.IdleWait = 120 * time.Second
	}
	return &Scheduler{Config: c, tracer: tracerOf(c.Tracer)}
}

const (
	// settle lets several wakes in a row share one cycle.
	settle = 50 * time.Millisecond
	// overdue is the pause when the time to wait for has passed already, as it
	// has for a while where the gateway's clock is behind ours.
	overdue = time.Second
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
		var next time.Time
		if err == nil && s.UntilIdle {
			var idle bool
			if idle, next, err = s.idle(ctx, result); idle {
				return nil
			}
		}
		if err != nil {
			s.Logger.Warn("cycle", "target", s.Target, "error", err)
		}
		if err := s.wait(ctx, s.pause(result, next, err)); err != nil {
			return err
		}
	}
}

// Cycle reconciles workers with the journal, asks for one cycle and launches
// what it reserved. When ctx ends meanwhile, what was not launched yet stays
// reserved.
func (s *Scheduler) Cycle(ctx context.Context) (result gateway.CycleResult, err error) {
	ctx, span := s.cycleSpan(ctx)
	defer func() { endCycle(span, result, err) }()
	s.reap(ctx)
	if err := s.Reconcile(ctx); err != nil {
		return gateway.CycleResult{}, err
	}
	result, err = s.Client.Cycle(ctx, s.Target, gateway.CycleRequest{})
	if err != nil {
		return result, err
	}
	if s.OnCycle != nil {
		s.OnCycle(result)
	}
	var unknown []error
	for _, r := range result.Reserved {
		if ctx.Err() != nil {
			return result, ctx.Err()
		}
		switch err := s.launch(ctx, r); {
		case errors.Is(err, ErrClosed):
			return result, err
		case errors.Is(err, gateway.ErrUnknown):
			unknown = append(unknown, fmt.Errorf("launching the worker of attempt %s, which stays reserved: %w", r.AttemptID, err))
		case err != nil:
			s.Logger.Error("launching a worker", "attempt", r.AttemptID, "error", err)
			if s.lost(ctx, Exit{Attempt: r.AttemptID, Observed: "job_failed", Detail: err.Error()}) {
				s.dismiss(ctx, r.AttemptID, "it was not launched whole")
			}
		}
	}
	return result, errors.Join(unknown...)
}

// Settle waits until no worker of a launcher that tells of exits runs, and
// reports those that end meanwhile. It returns early, with ctx's error, when
// ctx ends.
func (s *Scheduler) Settle(ctx context.Context) error {
	for {
		switch busy, err := s.busy(ctx); {
		case err != nil:
			return err
		case !busy:
			s.reap(ctx)
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e := <-s.Launcher.Exits():
			s.lost(ctx, e)
		}
	}
}

// busy reports whether any worker of the launcher is active.
func (s *Scheduler) busy(ctx context.Context) (bool, error) {
	workers, err := s.Launcher.Observe(ctx, nil)
	return slices.ContainsFunc(workers, func(w Worker) bool { return w.State == WorkerActive }), err
}

// reap reports the workers whose end nobody has heard of yet.
func (s *Scheduler) reap(ctx context.Context) {
	for {
		select {
		case e := <-s.Launcher.Exits():
			s.lost(ctx, e)
		default:
			return
		}
	}
}

// breakerOpen is the reason of a plan that only time is against.
const breakerOpen = "limits.circuit_open"

// idle reports whether nothing is reserved or live and no task becomes
// eligible by time alone within IdleWait. Otherwise next is when the first
// one does; zero if that is not known.
func (s *Scheduler) idle(ctx context.Context, result gateway.CycleResult) (idle bool, next time.Time, err error) {
	if result.Outcome == gateway.CycleUnknown {
		// What is unknown may be known soon, but for a config that is broken.
		if status, err := s.status(ctx); err != nil || status.ConfigState != "invalid" {
			return false, next, err
		}
	} else if next, err = s.nextEligible(ctx, result); err != nil {
		return false, next, err
	}
	if len(result.Reserved) > 0 {
		return false, next, nil
	}
	if busy, err := s.busy(ctx); err != nil || busy {
		return false, next, err
	}
	live, err := s.live(ctx)
	if err != nil || len(live) > 0 {
		return false, next, err
	}
	return next.IsZero() || next.Sub(s.Now()) > s.IdleWait, next, nil
}

// nextEligible is when the first skipped task becomes eligible by time alone;
// zero if none does. A plan that was denied for another reason than an open
// breaker waits for a human, and all its tasks with it.
func (s *Scheduler) nextEligible(ctx context.Context, result gateway.CycleResult) (time.Time, error) {
	var first, closes time.Time
	for _, r := range result.Reasons {
		if r.Code != breakerOpen {
			return first, nil
		}
	}
	if len(result.Reasons) > 0 {
		status, err := s.status(ctx)
		if err != nil {
			return first, err
		}
		closes = status.Circuit.Until.Time
	}
	for _, skipped := range result.Skipped {
		at := skipped.NextEligibleAt.Time
		if waits := len(skipped.Reasons) == 1 && skipped.Reasons[0].Code == breakerOpen; waits || !at.IsZero() && at.Before(closes) {
			at = closes
		}
		if !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first, nil
}

// status is what governs the target now.
func (s *Scheduler) status(ctx context.Context) (gateway.TargetStatus, error) {
	all, err := s.Client.Status(ctx)
	if err != nil {
		return gateway.TargetStatus{}, err
	}
	for _, t := range all.Targets {
		if t.Target == s.Target {
			return t, nil
		}
	}
	return gateway.TargetStatus{}, gateway.Errorf(gateway.NotFound, "the gateway's status does not list target %s", s.Target)
}

// pause is how long to wait for the next cycle if nobody asks for one: until
// the gateway's next cycle or the time given, whichever is first. A gateway
// that does not answer is asked again with backoff and jitter.
func (s *Scheduler) pause(result gateway.CycleResult, eligible time.Time, err error) time.Duration {
	if err != nil || result.Outcome == gateway.CycleUnknown {
		s.failures = min(s.failures+1, 6)
		base := time.Second << (s.failures - 1)
		return base/2 + rand.N(base)
	}
	s.failures = 0
	now := s.Now()
	pause := maxPause
	for _, at := range []time.Time{result.NextCycleAt.Time, eligible} {
		switch {
		case at.IsZero():
		case at.After(now):
			pause = min(pause, at.Sub(now)+time.Millisecond)
		default:
			pause = min(pause, overdue)
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
