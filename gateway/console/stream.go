package console

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"leviathan/gateway"
)

const (
	maxStreams        = 64
	maxSessionStreams = 8
	// streamPace is the shortest time between two messages: what happens
	// between them is one.
	streamPace = 500 * time.Millisecond
	streamSign = 15 * time.Second // a sign of life
)

// streams bounds how many pages are live at once.
type streams struct {
	mu  sync.Mutex
	all int
	by  map[*session]int
}

func newStreams() *streams { return &streams{by: map[*session]int{}} }

func (ss *streams) enter(s *session) bool {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if ss.all >= maxStreams || ss.by[s] >= maxSessionStreams {
		return false
	}
	ss.all++
	ss.by[s]++
	return true
}

func (ss *streams) leave(s *session) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.all--
	if ss.by[s]--; ss.by[s] == 0 {
		delete(ss.by, s)
	}
}

// stream tells a page that the journal has something new: server-sent events
// with a record's number each, and nothing else. It ends with the session, the
// request, or the events.
func (k *Console) stream(w http.ResponseWriter, r *http.Request) {
	s := k.sessions.find(r)
	if s == nil {
		http.Error(w, "not signed in", http.StatusUnauthorized)
		return
	}
	if !k.streams.enter(s) {
		w.Header().Set("Retry-After", "60")
		http.Error(w, "too many live pages are open; close one", http.StatusServiceUnavailable)
		return
	}
	defer k.streams.leave(s)
	ctx, cancel := context.WithDeadline(r.Context(), time.Now().Add(s.expires.Sub(k.now())))
	defer cancel()
	client, err := k.client(s.token)
	if err == nil {
		err = k.follow(ctx, w, s, client)
	}
	if err != nil && ctx.Err() == nil {
		k.log.Debug("a live page ended", "error", err)
	}
}

// follow writes a message for what is new until something ends.
func (k *Console) follow(ctx context.Context, w http.ResponseWriter, s *session, client *gateway.Client) error {
	recent, err := client.RecentEvents(ctx, 1)
	if err != nil {
		http.Error(w, "events cannot be followed", gateway.KindOf(err).Status())
		return err
	}
	after := int64(0)
	if len(recent) > 0 {
		after = recent[0].Seq
	}
	ctx, cancel := context.WithCancel(ctx)
	seqs, ended := make(chan int64, 1), make(chan struct{})
	var failure error
	go func() {
		defer close(ended)
		failure = newest(ctx, client, after, seqs)
	}()
	defer func() { cancel(); <-ended }()

	w.Header().Set("Content-Type", "text/event-stream")
	if err := say(w, "retry: 5000\n: live\n\n"); err != nil {
		return err
	}
	sign, pace := time.NewTicker(streamSign), time.NewTimer(0)
	defer sign.Stop()
	defer pace.Stop()
	var due <-chan int64 // seqs, when the pace lets one pass
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.done:
			return nil
		case <-ended:
			return failure
		case <-pace.C:
			due = seqs
		case seq := <-due:
			due = nil
			pace.Reset(streamPace)
			if err := say(w, fmt.Sprintf("id: %d\nevent: change\ndata: %d\n\n", seq, seq)); err != nil {
				return err
			}
		case <-sign.C:
			if err := say(w, ": live\n\n"); err != nil {
				return err
			}
		}
	}
}

// newest follows the events and keeps the newest number in seqs.
func newest(ctx context.Context, client *gateway.Client, after int64, seqs chan int64) error {
	for event, err := range client.Events(ctx, gateway.EventQuery{After: after, Follow: true}) {
		if err != nil {
			return err
		}
		select {
		case <-seqs: // replaced by the newer one
		default:
		}
		seqs <- event.Seq // never waits: this is the only writer
	}
	return ctx.Err()
}

func say(w http.ResponseWriter, text string) error {
	if _, err := w.Write([]byte(text)); err != nil {
		return err
	}
	return http.NewResponseController(w).Flush()
}
