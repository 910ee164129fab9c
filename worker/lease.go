package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"leviathan/gateway"
)

// errLeaseEnded is the cause of everything that ends because the gateway did
// not renew the lease in time.
var errLeaseEnded = errors.New("the lease ended before the gateway could be reached")

// A stopped is the cause of everything that ends because the gateway said so.
type stopped struct{ reason string }

func (s *stopped) Error() string { return "the gateway said stop: " + s.reason }

// A lease lives by heartbeats. Its context ends when the gateway says stop or
// when the lease does; nothing that counts may happen after that. Time is
// monotonic and counts from before a request was sent, so that this side never
// believes in the lease for longer than the gateway.
type lease struct {
	client   *gateway.Client
	attempt  gateway.AttemptID
	logger   *slog.Logger
	every    time.Duration
	length   time.Duration
	progress atomic.Pointer[string]

	mu      sync.Mutex
	expires time.Time

	cancel context.CancelCauseFunc
	done   chan struct{}
}

// hold starts the heartbeats of a lease that was granted by a request sent at
// asked. release ends and awaits them.
func (r *run) hold(ctx context.Context, asked time.Time) (context.Context, *lease) {
	l := &lease{client: r.Client, attempt: r.Attempt, logger: r.Logger, done: make(chan struct{}),
		every:  time.Duration(max(1, r.start.Heartbeat)) * time.Second,
		length: time.Duration(max(1, r.start.LeaseSeconds)) * time.Second}
	l.expires = asked.Add(l.length)
	l.at("starting")
	ctx, l.cancel = context.WithCancelCause(ctx)
	go l.beat(ctx)
	return ctx, l
}

func (l *lease) release() {
	l.cancel(context.Canceled)
	<-l.done
}

// at is what the next heartbeat tells an operator.
func (l *lease) at(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	text = text[:min(len(text), 400)]
	l.progress.Store(&text)
}

func (l *lease) remaining() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Until(l.expires)
}

func (l *lease) beat(ctx context.Context) {
	defer close(l.done)
	wait := l.every
	for {
		pause := time.NewTimer(min(wait, max(0, l.remaining())))
		select {
		case <-ctx.Done():
			pause.Stop()
			return
		case <-pause.C:
		}
		if l.remaining() <= 0 {
			l.cancel(errLeaseEnded)
			return
		}
		err := l.renew(ctx)
		var stop *stopped
		switch {
		case ctx.Err() != nil:
			return
		case errors.As(err, &stop):
			l.cancel(stop)
			return
		case err != nil:
			l.logger.Warn("the lease was not renewed", "attempt", l.attempt, "remaining", l.remaining().Round(time.Second), "error", err)
			wait = l.every/4 + rand.N(l.every/4)
		default:
			wait = l.every
		}
	}
}

// renew asks once. It returns *stopped when the gateway says stop or no longer
// knows this token; any other error may pass.
func (l *lease) renew(ctx context.Context) error {
	asked := time.Now()
	ctx, cancel := context.WithTimeout(ctx, min(max(l.every, 2*time.Second), l.remaining()))
	defer cancel()
	answer, err := l.client.Heartbeat(ctx, l.attempt, gateway.HeartbeatRequest{Progress: *l.progress.Load()})
	switch gateway.KindOf(err) {
	case gateway.Unauthenticated, gateway.Forbidden, gateway.NotFound, gateway.Conflict:
		return &stopped{reason: err.Error()}
	}
	if err != nil {
		return err
	}
	if answer.Action != gateway.Continue {
		stop := &stopped{reason: "no reason given"}
		if answer.Reason != nil {
			stop.reason = answer.Reason.Code + ": " + answer.Reason.Message
		}
		return stop
	}
	l.mu.Lock()
	l.expires = asked.Add(l.length)
	l.mu.Unlock()
	return nil
}
