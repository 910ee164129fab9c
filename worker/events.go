package worker

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"sync"
	"time"

	"leviathan/gateway"
)

// The events that a worker tells of its own accord. They are claims: no
// policy reads them.
const (
	eventCloned      = "worker.cloned"
	eventAgentEnded  = "worker.agent_ended"
	eventVerified    = "worker.verified"
	eventPushRefused = "worker.push_refused"
)

// tellEvery is how far the journal lags behind the worker's events.
const tellEvery = 3 * time.Second

// An eventSpool keeps events in files until the gateway has them. An event's
// id follows from the attempt and its number, so that one which is sent twice
// is stored once.
type eventSpool struct {
	client *gateway.Client
	target gateway.TargetID
	id     gateway.AttemptID
	task   gateway.TaskID
	root   *os.Root
	now    func() time.Time
	logger *slog.Logger

	mu   sync.Mutex // guards next
	next int

	flushing sync.Mutex // one flush at a time
}

// keepFlushing flushes every tellEvery until ctx ends.
func (s *eventSpool) keepFlushing(ctx context.Context) {
	tick := time.NewTicker(tellEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := s.flush(ctx); err != nil && ctx.Err() == nil {
				s.logger.Debug("events wait", "attempt", s.id, "error", err)
			}
		}
	}
}

// add spools an event. payload must encode as JSON.
func (s *eventSpool) add(kind string, payload any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, err := json.Marshal(payload)
	if err != nil {
		return fmt.Errorf("encoding the event %s: %w", kind, err)
	}
	s.next++
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%d/%s", s.id, s.next, kind))
	event := gateway.Event{EventID: "worker-" + hex.EncodeToString(sum[:16]), EventType: kind, Timestamp: gateway.At(s.now()),
		ActorID: "worker", Payload: body, SchemaVersion: gateway.SchemaVersion, Target: s.target, TaskID: s.task, AttemptID: s.id}
	data, err := json.Marshal(event)
	if err != nil {
		return fmt.Errorf("encoding the event %s: %w", kind, err)
	}
	name := fmt.Sprintf("event-%06d.json", s.next)
	if err := s.root.WriteFile(name+".new", data, 0o600); err != nil {
		return fmt.Errorf("spooling an event: %w", err)
	}
	if err := s.root.Rename(name+".new", name); err != nil {
		return fmt.Errorf("spooling an event: %w", err)
	}
	return nil
}

// flush sends what is spooled, in order. What the gateway does not take for
// want of an answer stays for the next flush; what it refuses is dropped, and
// the error says so.
func (s *eventSpool) flush(ctx context.Context) error {
	s.flushing.Lock()
	defer s.flushing.Unlock()
	names, err := fs.Glob(s.root.FS(), "event-*.json")
	if err != nil || len(names) == 0 {
		return err
	}
	req := gateway.IngestRequest{Target: s.target, BundleID: "worker-" + string(s.id) + "-" + path.Base(names[0])}
	for _, name := range names {
		data, err := s.root.ReadFile(name)
		if err != nil {
			return fmt.Errorf("reading the spool: %w", err)
		}
		var event gateway.Event
		if err := json.Unmarshal(data, &event); err != nil {
			return fmt.Errorf("reading the spool: %s: %w", name, err)
		}
		req.Events = append(req.Events, event)
	}
	_, err = s.client.Ingest(ctx, req)
	if kind := gateway.KindOf(err); err != nil && (kind == gateway.Unknown || kind == gateway.RateLimited || kind == gateway.InternalError) {
		return err
	}
	for _, name := range names {
		err = errors.Join(err, s.root.Remove(name))
	}
	return err
}
