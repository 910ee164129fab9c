package journal

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"leviathan/gateway"
)

// An EventFilter selects events. After is the seq that they come after.
type EventFilter struct {
	After   int64
	Type    string
	Target  gateway.TargetID
	Task    gateway.TaskID
	Attempt gateway.AttemptID
	Origin  Origin
}

// A LoggedEvent is an event with its leaf hash, in hex, and who vouches for
// it.
type LoggedEvent struct {
	gateway.Event
	Origin Origin `json:"origin"`
	Hash   string `json:"hash"`
}

const selectEvent = `SELECT j.seq, j.id, j.origin, j.type, j.at, j.target, j.task, j.attempt, j.leaf, b.bytes
	FROM journal j LEFT JOIN body b ON b.seq = j.seq `

// sqlEvents is the statement for a filter, oldest or newest first.
func sqlEvents(f EventFilter, newest bool, limit int) (string, []any) {
	var w where
	w.and("j.kind = 'event'")
	if f.Attempt != "" {
		w.and("j.attempt = ? AND j.attempt <> ''", f.Attempt)
	}
	if f.Task != "" {
		w.and("j.task = ? AND j.task <> ''", f.Task)
	}
	if f.Target != "" {
		w.and("j.target = ? AND j.target <> ''", f.Target)
	}
	if f.Type != "" {
		w.and("j.type = ?", f.Type)
	}
	if f.Origin != "" {
		w.and("j.origin = ?", f.Origin)
	}
	w.and("j.seq > ?", f.After)
	order := " ORDER BY j.seq LIMIT ?"
	if newest {
		order = " ORDER BY j.seq DESC LIMIT ?"
	}
	return selectEvent + w.String() + order, append(w.args, limit)
}

// scanEvent reads a row of selectEvent.
func (j *Journal) scanEvent(r row) (LoggedEvent, error) {
	e := LoggedEvent{
		Event: gateway.Event{
			EventID: r.str(1), EventType: r.str(3), Timestamp: r.time(4), Target: gateway.TargetID(r.str(5)),
			TaskID: gateway.TaskID(r.str(6)), AttemptID: gateway.AttemptID(r.str(7)), Seq: r.int64(0),
			SchemaVersion: gateway.SchemaVersion, Origin: r.str(2),
		},
		Origin: Origin(r.str(2)), Hash: hex.EncodeToString(r.bytes(8)),
	}
	if r[9] == nil {
		return e, fmt.Errorf("record %d has no body", e.Seq)
	}
	body, err := j.codec.unpack(r.bytes(9))
	if err != nil {
		return e, fmt.Errorf("record %d: %w", e.Seq, err)
	}
	var b stored
	if err := json.Unmarshal(body, &b); err != nil {
		return e, fmt.Errorf("read body of record %d: %w", e.Seq, err)
	}
	e.ActorID, e.Payload = b.Actor, b.Payload
	if e.Origin == External {
		e.SchemaVersion = max(1, b.SchemaVersion)
		if t, err := gateway.ParseTime(b.Timestamp); err == nil {
			e.Timestamp = t
		}
	}
	return e, nil
}

// Events lists events in the order of the log, at most limit (1 to 1,000).
func (j *Journal) Events(ctx context.Context, f EventFilter, limit int) ([]LoggedEvent, error) {
	return j.events(ctx, f, false, limit)
}

// RecentEvents lists the latest events, newest first, at most limit (1 to
// 1,000).
func (j *Journal) RecentEvents(ctx context.Context, f EventFilter, limit int) ([]LoggedEvent, error) {
	return j.events(ctx, f, true, limit)
}

func (j *Journal) events(ctx context.Context, f EventFilter, newest bool, limit int) ([]LoggedEvent, error) {
	out := []LoggedEvent{}
	limit, _, err := Page{Limit: limit}.bounds()
	if err != nil {
		return out, err
	}
	err = j.list(ctx, "list events", func(db *conn) error {
		sql, args := sqlEvents(f, newest, limit)
		return db.query(ctx, sql, args, func(r row) error {
			e, err := j.scanEvent(r)
			out = append(out, e)
			return err
		})
	})
	return out, err
}

// A RecentEvent is an event without its payload.
type RecentEvent struct {
	EventID   string            `json:"event_id"`
	Timestamp gateway.Time      `json:"timestamp"`
	EventType string            `json:"event_type"`
	ActorID   string            `json:"actor_id"`
	Target    gateway.TargetID  `json:"target"`
	AttemptID gateway.AttemptID `json:"attempt_id"`
	Origin    Origin            `json:"origin"`
}

// A GraphSummary counts the graph and shows the last 20 events, newest first.
type GraphSummary struct {
	NodesByType  map[string]int `json:"nodes_by_type"`
	EdgesByType  map[string]int `json:"edges_by_type"`
	RecentEvents []RecentEvent  `json:"recent_events"`
}

// GraphSummary counts nodes and edges, claimed ones among them.
func (j *Journal) GraphSummary(ctx context.Context) (GraphSummary, error) {
	out := GraphSummary{NodesByType: map[string]int{}, EdgesByType: map[string]int{}, RecentEvents: []RecentEvent{}}
	err := j.list(ctx, "read graph", func(db *conn) error {
		count := func(into map[string]int) func(row) error {
			return func(r row) error { into[r.str(0)] = r.int(1); return nil }
		}
		if err := db.query(ctx, `SELECT type, count(*) FROM node GROUP BY type`, nil, count(out.NodesByType)); err != nil {
			return err
		}
		if err := db.query(ctx, `SELECT type, count(*) FROM edge GROUP BY type`, nil, count(out.EdgesByType)); err != nil {
			return err
		}
		sql, args := sqlEvents(EventFilter{}, true, 20)
		return db.query(ctx, sql, args, func(r row) error {
			e, err := j.scanEvent(r)
			out.RecentEvents = append(out.RecentEvents, RecentEvent{
				EventID: e.EventID, Timestamp: e.Timestamp, EventType: e.EventType, ActorID: e.ActorID, Target: e.Target, AttemptID: e.AttemptID, Origin: e.Origin,
			})
			return err
		})
	})
	return out, err
}
