package cluster

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	coordination "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A sighting is a Lease as it was seen, and since when it is so.
type sighting struct {
	holder  string
	renewed time.Time
	epoch   int64
	since   time.Duration // on the elapsed clock
}

// Acquire waits until the Lease is this process's. Another holder is waited for
// as long as it renews, and for the duration that it wrote down after that, on
// this process's own clock: the clocks of two machines are never compared. It
// ends with ctx, and with an error when the API refuses; an API that does not
// answer is asked again.
func (l *Lease) Acquire(ctx context.Context) error {
	var seen sighting
	told := ""
	tell := func(what string, args ...any) {
		if key := fmt.Sprint(what, args); key != told { // once, not twice a second
			told = key
			l.log.Warn(what, args...)
		}
	}
	for {
		wait, err := l.tryOnce(ctx, &seen, tell)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, errGivenUp):
			return err
		case err != nil:
			tell("the Lease cannot be acquired yet", "error", err)
			wait = l.cfg.Duration / 15
		case wait == 0:
			l.log.Info("holding the Lease", "holder", l.cfg.Holder, "epoch", l.Epoch())
			return nil
		}
		if err := pause(ctx, wait); err != nil {
			return err
		}
	}
}

// errGivenUp marks what waiting does not mend.
var errGivenUp = errors.New("acquiring the Lease")

// tryOnce looks at the Lease once and takes it if it is free. A wait of 0
// without an error says that it is held now.
func (l *Lease) tryOnce(ctx context.Context, seen *sighting, tell func(string, ...any)) (wait time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, l.cfg.Duration/3)
	defer cancel()
	found, err := l.get(ctx)
	switch {
	case apierrors.IsNotFound(err):
		return 0, fmt.Errorf("%w: there is no Lease %s in the namespace %s; apply the manifests, which make it", errGivenUp, l.cfg.Name, l.api.namespace)
	case err != nil && refused(err):
		return 0, fmt.Errorf("%w: %w", errGivenUp, err)
	case err != nil:
		return 0, briefly(err)
	}
	holder := holderOf(found)
	if holder != "" && holder != l.cfg.Holder {
		if left := l.left(found, seen); left > 0 {
			tell("waiting for the Lease, which another holds", "holder", holder, "epoch", transitionsOf(found))
			return min(left, l.cfg.Duration/15), nil
		}
		tell("taking the Lease of a holder that is silent", "holder", holder, "epoch", transitionsOf(found))
	}
	if holder != l.cfg.Holder { // else a reply of before was lost, and it is ours
		if err := l.next(ctx, found); err != nil {
			return 0, err
		}
	}
	err = l.update(ctx, found)
	switch {
	case apierrors.IsConflict(err):
		return time.Millisecond, nil // another was quicker: look again
	case err != nil && refused(err):
		return 0, fmt.Errorf("%w: %w", errGivenUp, err)
	case err != nil:
		return 0, briefly(err)
	}
	return 0, nil
}

// left is how long another holder is still waited for.
func (l *Lease) left(found *coordination.Lease, seen *sighting) time.Duration {
	now := sighting{holder: holderOf(found), epoch: transitionsOf(found), since: l.cfg.Elapsed()}
	if found.Spec.RenewTime != nil {
		now.renewed = found.Spec.RenewTime.Time
	}
	if seen.holder != now.holder || seen.epoch != now.epoch || !seen.renewed.Equal(now.renewed) {
		*seen = now
	}
	lasts := l.cfg.Duration
	if s := found.Spec.LeaseDurationSeconds; s != nil && *s > 0 {
		lasts = max(time.Second, time.Duration(*s)*time.Second)
	}
	return seen.since + lasts - now.since
}

// next makes the Lease the next epoch's.
func (l *Lease) next(ctx context.Context, lease *coordination.Lease) error {
	epoch := transitionsOf(lease)
	if l.cfg.Floor != nil {
		floor, err := l.cfg.Floor(ctx)
		if err != nil {
			return fmt.Errorf("finding the epoch to take: %w", err)
		}
		epoch = max(epoch, floor)
	}
	if epoch >= math.MaxInt32 {
		return fmt.Errorf("%w: the epoch %d is the last that a Lease can have", errGivenUp, epoch)
	}
	transitions, at := int32(epoch+1), metav1.NewMicroTime(l.cfg.Now())
	lease.Spec.LeaseTransitions, lease.Spec.AcquireTime = &transitions, &at
	return nil
}

func holderOf(l *coordination.Lease) string {
	if l.Spec.HolderIdentity == nil {
		return ""
	}
	return *l.Spec.HolderIdentity
}

// transitionsOf is the epoch that a Lease shows.
func transitionsOf(l *coordination.Lease) int64 {
	if l.Spec.LeaseTransitions == nil {
		return 0
	}
	return int64(max(0, *l.Spec.LeaseTransitions))
}

// nobody names the holder of a Lease that may be free.
func nobody(holder string) string {
	if holder == "" {
		return "nobody"
	}
	return holder
}
