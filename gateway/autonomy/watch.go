package autonomy

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"

	"leviathan/gateway"
)

// pollInterval is how often Watch looks without being told to.
const pollInterval = time.Second

// Watch calls onChange, one call at a time, for each target whose state has
// changed since the last call or since Watch began; the id is empty for a file
// whose target_id cannot be read. It blocks until ctx ends and then returns
// nil. It only makes a change known sooner: decisions call Check.
func (s *Set) Watch(ctx context.Context, onChange func(gateway.TargetID)) error {
	known := s.snapshot()
	events, stop := s.notifications()
	defer stop()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case _, open := <-events:
			if !open {
				events = nil
				continue
			}
		}
		now := s.snapshot()
		for id := range changes(known, now) {
			onChange(id)
		}
		known = now
	}
}

// notifications opens the system's file notifications on the folder in which
// names are swapped. Where there are none, polling has to do.
func (s *Set) notifications() (events <-chan fsnotify.Event, stop func()) {
	dir := s.path
	if !s.dir {
		dir = filepath.Dir(s.path)
	}
	w, err := fsnotify.NewWatcher()
	if err == nil {
		if err = w.Add(dir); err != nil {
			err = errors.Join(err, w.Close())
		}
	}
	if err != nil {
		s.log.Warn("watching the autonomy config: no notifications, polling every second", "path", dir, "error", err)
		return nil, func() {}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		// An overflow loses events, which the poll makes good.
		for err := range w.Errors {
			s.log.Warn("watching the autonomy config", "path", dir, "error", err)
		}
	}()
	return w.Events, func() {
		if err := w.Close(); err != nil {
			s.log.Warn("closing the watch of the autonomy config", "path", dir, "error", err)
		}
		<-done
	}
}

// snapshot is every state by id and file.
func (s *Set) snapshot() map[[2]string]State {
	out := map[[2]string]State{}
	for _, state := range s.Targets() {
		out[[2]string{string(state.ID), state.File}] = state
	}
	return out
}

// changes is the ids whose states differ.
func changes(before, after map[[2]string]State) map[gateway.TargetID]bool {
	out := map[gateway.TargetID]bool{}
	for key, state := range after {
		if old, ok := before[key]; !ok || !old.same(state) {
			out[state.ID] = true
		}
	}
	for key, state := range before {
		if _, ok := after[key]; !ok {
			out[state.ID] = true
		}
	}
	return out
}
