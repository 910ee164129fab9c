package scheduler

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"leviathan/gateway"
)

// Reconcile holds the workers against the journal, both ways. An attempt that
// the journal believes live and whose worker is not active is reported; one
// that waits for a worker and has none is left: the next cycle lists it again.
// A worker whose attempt has ended is dismissed.
//
// The journal is read before the workers are looked at, so that an attempt that
// runs had its worker by then, and again after, so that a worker of which the
// journal knows nothing live is not merely younger than what was read.
func (s *Scheduler) Reconcile(ctx context.Context) error {
	live, err := s.live(ctx)
	if err != nil {
		return err
	}
	states, ids := map[gateway.AttemptID]gateway.AttemptState{}, make([]gateway.AttemptID, 0, len(live))
	for _, a := range live {
		states[a.AttemptID], ids = a.State, append(ids, a.AttemptID)
	}
	workers, err := s.Launcher.Observe(ctx, ids)
	if err != nil {
		return fmt.Errorf("observing the workers of target %s: %w", s.Target, err)
	}
	var left []Worker
	for _, w := range workers {
		state, is := states[w.Attempt]
		switch {
		case !is && (w.State == WorkerActive || w.State == WorkerStuck):
			left = append(left, w)
		case !is, w.State == WorkerActive, w.State == WorkerAbsent && state == gateway.Reserved:
		case s.lost(ctx, w.Exit) && w.State == WorkerStuck:
			s.dismiss(ctx, w.Attempt, w.Detail)
		}
	}
	return s.dismissLeft(ctx, left)
}

// dismissLeft ends the workers whose attempts the journal still does not have
// live.
func (s *Scheduler) dismissLeft(ctx context.Context, left []Worker) error {
	if _, ok := s.Launcher.(Dismisser); !ok || len(left) == 0 {
		return nil
	}
	live, err := s.live(ctx)
	if err != nil {
		return err
	}
	for _, w := range left {
		if !slices.ContainsFunc(live, func(a gateway.AttemptItem) bool { return a.AttemptID == w.Attempt }) {
			s.dismiss(ctx, w.Attempt, w.Detail)
		}
	}
	return nil
}

// dismiss has a worker ended whose attempt has ended, where a launcher can.
// One that cannot be ended now is found again in the next cycle.
func (s *Scheduler) dismiss(ctx context.Context, id gateway.AttemptID, seen string) {
	d, ok := s.Launcher.(Dismisser)
	if !ok {
		return
	}
	if err := d.Dismiss(ctx, id); err != nil {
		s.Logger.Warn("ending the worker of an attempt that has ended", "attempt", id, "error", err)
		return
	}
	s.Logger.Info("a worker of an attempt that has ended was told to end", "attempt", id, "seen", seen)
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

// lost reports a worker that is gone, and whether its attempt is over now.
// That it was already is the usual case and no error.
func (s *Scheduler) lost(ctx context.Context, e Exit) bool {
	err := s.Client.Lost(ctx, e.Attempt, gateway.LostRequest{Observed: e.Observed, Detail: e.Detail})
	if err == nil || errors.Is(err, gateway.ErrConflict) {
		return true
	}
	if ctx.Err() == nil {
		s.Logger.Warn("reporting a lost worker", "attempt", e.Attempt, "error", err)
	}
	return false
}
