package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	coordination "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"leviathan/gateway"
)

// DefaultLeaseDuration is how long a holder that is silent is waited for.
const DefaultLeaseDuration = 15 * time.Second

// LeaseConfig says which Lease is held, and by whom. Name and Holder are
// required.
type LeaseConfig struct {
	Name string
	// Holder names this process and no other, not even the one before it in the
	// same Pod.
	Holder string
	// Duration is in whole seconds, at least 3; default DefaultLeaseDuration. It
	// is renewed every third of it, and acted on for four fifths of it.
	Duration time.Duration
	// Floor, if it is not nil, is the greatest epoch that was ever used, as who
	// else keeps it knows: the epoch taken is greater. It is asked right before
	// the Lease is taken. A Lease that was deleted and made anew forgets.
	Floor func(context.Context) (int64, error)
	// Elapsed is a clock that is never set; default the system's.
	Elapsed func() time.Duration
	// Now is the wall clock, for what others read in the Lease; default time.Now.
	// Nothing depends on it.
	Now func() time.Time
}

// A Lease is the right to be the one that writes. Acquire it, then Keep it
// until nothing is written any more, then Release it. Held, Epoch, Lost and
// Status may be called by any goroutine at any time.
type Lease struct {
	api *API
	cfg LeaseConfig
	log *slog.Logger

	until atomic.Int64 // on the elapsed clock: it is held before, and not after; 0 if it is not
	epoch atomic.Int64
	lost  chan struct{}
	once  sync.Once

	mu      sync.Mutex // guards what follows
	lease   *coordination.Lease
	renewed time.Time
	problem error
}

// Lease makes a Lease that is not held yet. It asks the server nothing.
func (a *API) Lease(cfg LeaseConfig) (*Lease, error) {
	if cfg.Duration == 0 {
		cfg.Duration = DefaultLeaseDuration
	}
	switch {
	case cfg.Name == "" || cfg.Holder == "":
		return nil, errors.New("a Lease needs a name and a holder")
	case cfg.Duration < 3*time.Second || cfg.Duration%time.Second != 0 || cfg.Duration > time.Hour:
		return nil, fmt.Errorf("the Lease's duration %s must be whole seconds, from 3 s to 1 h", cfg.Duration)
	}
	if cfg.Elapsed == nil {
		cfg.Elapsed = elapsed
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	l := &Lease{api: a, cfg: cfg, log: a.log.With("lease", a.namespace+"/"+cfg.Name), lost: make(chan struct{})}
	return l, nil
}

// Held is nil while this process may act as the holder, and otherwise says why
// not. It asks nobody: it compares a clock with when the last renewal was sent,
// and ends well before another may take the Lease.
func (l *Lease) Held() error {
	if l.cfg.Elapsed() < time.Duration(l.until.Load()) {
		return nil
	}
	return l.whyNot()
}

func (l *Lease) whyNot() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	why := "it was not renewed in time"
	if l.problem != nil {
		why = l.problem.Error()
	}
	if l.lease == nil {
		why = "it was never acquired"
	}
	return fmt.Errorf("this gateway does not hold the Lease %s/%s, so it may not write: %s", l.api.namespace, l.cfg.Name, why)
}

// Epoch is greater than that of every holder before; 0 before Acquire.
func (l *Lease) Epoch() int64 { return l.epoch.Load() }

// Lost is closed as soon as it is known that the Lease is not held any more.
func (l *Lease) Lost() <-chan struct{} { return l.lost }

// Status is the Lease as a status shows it.
func (l *Lease) Status() gateway.WriterStatus {
	left := time.Duration(l.until.Load())
	if now := l.cfg.Elapsed(); left > now {
		left -= now
	} else {
		left = 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	st := gateway.WriterStatus{Lease: l.api.namespace + "/" + l.cfg.Name, Holder: l.cfg.Holder, Epoch: l.epoch.Load(), HeldForSeconds: left.Seconds()}
	if !l.renewed.IsZero() {
		st.RenewedAt = gateway.At(l.renewed)
	}
	if l.problem != nil {
		st.Problem = l.problem.Error()
	}
	return st
}

// Keep renews the Lease until ctx ends, and then returns nil. When it is lost,
// because another has it or it could not be renewed in time, Keep returns an
// error at once: the process must end, and not acquire it again.
func (l *Lease) Keep(ctx context.Context) error {
	every := l.cfg.Duration / 3
	wait := every
	for {
		// It is looked at when it ends, too: what is not held is lost.
		left := time.Duration(l.until.Load()) - l.cfg.Elapsed()
		if pause(ctx, max(0, min(wait, left))) != nil {
			return nil
		}
		if l.Held() != nil {
			return l.lose(nil)
		}
		err := l.renew(ctx)
		switch {
		case err == nil:
			wait = every
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, errTaken):
			return l.lose(err)
		default:
			l.note(err)
			l.log.Warn("renewing the Lease", "error", err)
			wait = l.cfg.Duration / 15
		}
	}
}

// errTaken says that the Lease is another's, or is gone.
var errTaken = errors.New("the Lease is not this gateway's any more")

// lose ends the right to act, for good.
func (l *Lease) lose(why error) error {
	if why != nil {
		l.note(why)
	}
	l.until.Store(0)
	l.once.Do(func() { close(l.lost) })
	return l.whyNot()
}

func (l *Lease) note(problem error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.problem = problem
}

// renew writes the time of now into the Lease. A reply that was lost, and an
// edit of something else in it, show as a conflict: then it is read, and if it
// is still ours, written again.
func (l *Lease) renew(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, l.cfg.Duration/3)
	defer cancel()
	l.mu.Lock()
	next := l.lease.DeepCopy()
	l.mu.Unlock()
	err := l.update(ctx, next)
	if !apierrors.IsConflict(err) {
		return l.ours(err)
	}
	if next, err = l.get(ctx); err != nil {
		return l.ours(err)
	}
	if holder := holderOf(next); holder != l.cfg.Holder || transitionsOf(next) != l.Epoch() {
		return fmt.Errorf("%w: %s has it, with epoch %d", errTaken, nobody(holder), transitionsOf(next))
	}
	return l.ours(l.update(ctx, next))
}

// ours tells a Lease that is gone from an API that does not answer.
func (l *Lease) ours(err error) error {
	switch {
	case err == nil:
		return nil
	case apierrors.IsNotFound(err):
		return fmt.Errorf("%w: it was deleted", errTaken)
	}
	return briefly(err)
}

// update writes the Lease as held by this process from now on.
func (l *Lease) update(ctx context.Context, next *coordination.Lease) error {
	sent := l.cfg.Elapsed()
	now := l.cfg.Now()
	seconds, at := int32(l.cfg.Duration/time.Second), metav1.NewMicroTime(now)
	next.Spec.HolderIdentity, next.Spec.LeaseDurationSeconds, next.Spec.RenewTime = &l.cfg.Holder, &seconds, &at
	got, err := l.api.client.CoordinationV1().Leases(l.api.namespace).Update(ctx, next, metav1.UpdateOptions{})
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lease, l.renewed, l.problem = got, now, nil
	l.epoch.Store(transitionsOf(got))
	// The others count from when they see the renewal, which is later than when
	// it was sent; the fifth that is left is for a COMMIT under way.
	l.until.Store(int64(sent + l.cfg.Duration*4/5))
	return nil
}

func (l *Lease) get(ctx context.Context) (*coordination.Lease, error) {
	return l.api.client.CoordinationV1().Leases(l.api.namespace).Get(ctx, l.cfg.Name, metav1.GetOptions{})
}

// Release gives the Lease back, if it is held, so that the next one need not
// wait. Nothing may be written any more; Keep must have ended.
func (l *Lease) Release(ctx context.Context) error {
	if l.Held() != nil {
		return nil
	}
	l.until.Store(0)
	ctx, cancel := context.WithTimeout(ctx, l.cfg.Duration/3)
	defer cancel()
	l.mu.Lock()
	next := l.lease.DeepCopy()
	l.mu.Unlock()
	for range 2 {
		free := ""
		next.Spec.HolderIdentity = &free
		_, err := l.api.client.CoordinationV1().Leases(l.api.namespace).Update(ctx, next, metav1.UpdateOptions{})
		if err == nil || apierrors.IsNotFound(err) {
			return nil
		}
		if !apierrors.IsConflict(err) {
			return fmt.Errorf("releasing the Lease: %w", briefly(err))
		}
		if next, err = l.get(ctx); err != nil {
			return fmt.Errorf("releasing the Lease: %w", briefly(err))
		}
		if holderOf(next) != l.cfg.Holder {
			return nil
		}
	}
	return errors.New("releasing the Lease: it changes all the time; it ends by itself")
}
