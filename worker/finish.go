package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"

	"leviathan/gateway"
)

const (
	finishFile    = "finish.json"
	errorSummary  = 4000
	eventPatience = 5 * time.Second
)

// conclude turns what work returned into the outcome. cause is why the lease's
// context ended, if it did before work.
func (r *run) conclude(err, cause error) {
	var stop *stopped
	var failed *failure
	var sandbox *sandboxError
	var said *gitError
	o := &r.outcome
	switch {
	case err == nil:
		o.State = gateway.Succeeded
		return
	case errors.As(err, &stop), errors.As(cause, &stop):
		o.State, o.Summary = gateway.Cancelled, stop.Error()
	case errors.Is(err, errLeaseEnded), errors.Is(cause, errLeaseEnded):
		o.State, o.FailureType, o.Summary = gateway.Failed, gateway.Lost, errLeaseEnded.Error()
	case cause != nil:
		o.State, o.Summary = gateway.Cancelled, "the worker was told to end: "+cause.Error()
	case errors.As(err, &failed):
		o.State, o.FailureType, o.Summary = gateway.Failed, failed.kind, failed.summary
	case errors.As(err, &sandbox):
		o.State, o.FailureType, o.Summary = gateway.Failed, gateway.Sandbox, sandbox.reason
	case errors.Is(err, gateway.ErrDenied):
		o.State, o.FailureType, o.Summary = gateway.Failed, gateway.Denied, err.Error()
	case errors.Is(err, gateway.ErrUnknown):
		o.State, o.FailureType, o.Summary = gateway.Failed, gateway.Upstream, err.Error()
	case errors.As(err, &said) && (said.verb == "fetch" || said.verb == "push") && !said.final():
		o.State, o.FailureType, o.Summary = gateway.Failed, gateway.Upstream, err.Error()
	default:
		o.State, o.FailureType, o.Summary = gateway.Failed, gateway.Internal, err.Error()
	}
	o.Summary = cutText(r.secrets.text(o.Summary), errorSummary)
}

// cutText shortens the middle of a text: its beginning says what happened,
// its end has the last output.
func cutText(s string, most int) string {
	if len(s) <= most {
		return s
	}
	head := most / 4
	return last("?"+s[:head], head) + " … " + last(s, most-head-8)
}

// finish reports the end. It is spooled first and asked until the gateway
// answers or FinishTimeout is over; a gateway that knows the attempt as ended
// has the last word and is no error.
func (r *run) finish(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.FinishTimeout)
	defer cancel()
	req := gateway.FinishRequest{Outcome: string(r.outcome.State), FailureType: r.outcome.FailureType, ErrorSummary: r.outcome.Summary}
	data, err := json.Marshal(req)
	if err != nil {
		return fmt.Errorf("encoding the end of the attempt: %w", err)
	}
	if err := r.spool.WriteFile(finishFile, data, 0o600); err != nil {
		return fmt.Errorf("spooling the end of the attempt: %w", err)
	}
	r.flushEvents(ctx)
	err = again(ctx, func() error {
		result, err := r.Client.Finish(ctx, r.Attempt, req)
		switch {
		case err == nil && result.State != "" && result.State != r.outcome.State:
			r.Logger.Warn("the gateway ended the attempt otherwise", "attempt", r.Attempt, "state", result.State)
		case errors.Is(err, gateway.ErrConflict):
			r.Logger.Info("the attempt had ended before", "attempt", r.Attempt, "answer", err)
			return nil
		case err != nil && !errors.Is(err, gateway.ErrUnknown) && !errors.Is(err, gateway.ErrRateLimited):
			return backoff.Permanent(err)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("reporting the end of attempt %s: %w", r.Attempt, err)
	}
	if err := r.spool.Remove(finishFile); err != nil {
		return fmt.Errorf("clearing the spool: %w", err)
	}
	return nil
}

// flushEvents sends the worker's events. They are told best, not at any price.
func (r *run) flushEvents(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, eventPatience)
	defer cancel()
	if err := r.events.flush(ctx); err != nil {
		r.Logger.Warn("events are not with the gateway", "attempt", r.Attempt, "error", err)
	}
}
