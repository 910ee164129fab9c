package spider

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"leviathan/gateway"
)

const (
	// followPage is how many events one page of the stream has at most, and
	// maxBatch how many are written down together.
	followPage = 1000
	maxBatch   = 4096
	// statusEvery is the usual pause between two readings of the status.
	statusEvery = 15 * time.Second
	// maxPause is the longest pause before the gateway is asked again.
	maxPause = time.Minute
)

// errOtherJournal says that the gateway's journal is not the one that was
// followed: the event at the cursor is another, or is not there.
var errOtherJournal = errors.New("the gateway has another journal than before")

// follow reads the stream until ctx ends. What can be mended by waiting is
// waited for by the client; what cannot (a token that is no longer good) is
// said, and tried again ever more rarely.
func (s *Spider) follow(ctx context.Context) error {
	pause := backoff.NewExponentialBackOff()
	pause.MaxInterval = maxPause
	for {
		before := s.cursor()
		err := s.followOnce(ctx)
		s.connected.Store(false)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, errOtherJournal):
			s.log.Warn("the gateway's journal is another one than before: counting it from its first event")
			s.change(s.startOver)
			continue
		}
		if s.cursor() > before {
			pause.Reset()
		}
		wait := pause.NextBackOff()
		s.log.Warn("following the gateway", "error", err, "again_in", wait.Round(time.Millisecond))
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// startOver forgets what was counted of a journal that is gone.
func (s *Spider) startOver(st *state) {
	journals := st.Journals + 1
	*st = *newState()
	st.Journals = journals
	s.seen = newSeen(nil)
}

func (s *Spider) cursor() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.Cursor
}

// sameJournal makes sure that the event at the cursor is still the one that was
// read there.
func (s *Spider) sameJournal(ctx context.Context) error {
	s.mu.Lock()
	cursor, id := s.state.Cursor, s.state.CursorID
	s.mu.Unlock()
	if cursor == 0 {
		return nil
	}
	for e, err := range s.client.Events(ctx, gateway.EventQuery{After: cursor - 1, Limit: 1}) {
		if err != nil {
			return err
		}
		if e.Seq != cursor || e.EventID != id {
			return errOtherJournal
		}
		return nil
	}
	return errOtherJournal
}

// followOnce reads one stream until it fails, and the status beside it.
// Everything that it started has ended when it returns.
func (s *Spider) followOnce(ctx context.Context) error {
	if err := s.sameJournal(ctx); err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(ctx)
	var beside sync.WaitGroup
	defer beside.Wait()
	defer stop(nil)
	events := make(chan gateway.Event, maxBatch)
	beside.Go(func() { s.watchStatus(ctx, stop) })
	beside.Go(func() {
		defer close(events)
		for e, err := range s.client.Events(ctx, gateway.EventQuery{After: s.cursor(), Limit: followPage, Follow: true}) {
			if err != nil {
				stop(fmt.Errorf("reading events: %w", err))
				return
			}
			select {
			case events <- e:
			case <-ctx.Done():
				return
			}
		}
	})
	for e := range events {
		s.advance(drain(e, events))
	}
	return context.Cause(ctx)
}

// drain takes what has come meanwhile, so that what comes fast is written down
// together.
func drain(first gateway.Event, events <-chan gateway.Event) []gateway.Event {
	batch := []gateway.Event{first}
	for len(batch) < maxBatch {
		select {
		case e, open := <-events:
			if !open {
				return batch
			}
			batch = append(batch, e)
		default:
			return batch
		}
	}
	return batch
}

// advance counts events of the stream and moves the cursor past them.
func (s *Spider) advance(batch []gateway.Event) {
	now := s.now()
	s.change(func(st *state) {
		for i := range batch {
			e := &batch[i]
			if e.Seq <= st.Cursor {
				continue
			}
			s.count(st, e, now)
			st.Cursor, st.CursorID = e.Seq, e.EventID
		}
	})
}

// governed is what the status said, and when.
type governed struct {
	at      time.Time
	targets []gateway.TargetStatus
}

// watchStatus reads the status again and again until ctx ends, and stops the
// stream when the journal behind it is no longer the same.
func (s *Spider) watchStatus(ctx context.Context, stop context.CancelCauseFunc) {
	tick := time.NewTicker(s.statusEvery)
	defer tick.Stop()
	quiet, counted := true, true // the last failure has been said
	for {
		st, err := s.client.Status(ctx)
		if err == nil {
			s.governed.Store(&governed{at: s.now(), targets: st.Targets})
			select {
			case s.statusRead <- struct{}{}:
			default:
			}
			err = s.sameJournal(ctx)
		}
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, errOtherJournal):
			stop(err)
			return
		}
		s.connected.Store(err == nil)
		if said := err == nil; said != quiet {
			if quiet = said; err != nil {
				s.log.Warn("reading the gateway's status: limits and switch are not shown", "error", err)
			} else {
				s.log.Info("the gateway's status can be read again")
			}
		}
		if err == nil {
			err = s.decisions(ctx)
			if said := err == nil; said != counted && ctx.Err() == nil {
				if counted = said; err != nil {
					s.log.Warn("reading the gateway's decisions: they are counted once they can be read", "error", err)
				}
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
