package journal

import (
	"context"
	"encoding/json"
	"fmt"

	"leviathan/gateway"
)

// An AttemptFilter selects attempts. State is one of the states, "live" for
// those that have not ended, or empty.
type AttemptFilter struct {
	Target gateway.TargetID
	State  string
	Page
}

// StateLive selects the attempts that have not ended.
const StateLive = "live"

const selectItem = `SELECT n.seq, n.state, n.external, n.properties, n.created_us, n.target, a.attempt, a.task, a.number,
	a.started_us, a.ended_us, a.failure_type, a.error_summary, a.invalidated, p.number, p.url, n.updated_us,
	p.state, p.review, p.conflicts, p.edited
	FROM node n LEFT JOIN attempt a ON n.external = 0 AND a.attempt = substr(n.id, 9)
	LEFT JOIN pull_request p ON p.attempt = a.attempt AND p.state <> 'void' AND p.number > 0 `

// sqlAttempts is the statement for a filter.
func sqlAttempts(f AttemptFilter, before int64, limit int) (string, []any) {
	var w where
	w.and("n.type = 'Attempt'")
	if f.Target != "" {
		w.and("n.target = ?", f.Target)
	}
	switch f.State {
	case "":
	case StateLive:
		// The live are few; their own index finds them.
		live := "SELECT 'attempt:' || attempt FROM attempt WHERE live = 1"
		if f.Target != "" {
			w.and("n.id IN ("+live+" AND target = ?)", f.Target)
		} else {
			w.and("n.id IN (" + live + ")")
		}
	default:
		w.and("n.state = ?", f.State)
	}
	w.and("n.seq < ?", before)
	return selectItem + w.String() + " ORDER BY n.seq DESC LIMIT ?", append(w.args, limit)
}

// Attempts lists attempts, newest first; what others claimed is among them,
// marked external.
func (j *Journal) Attempts(ctx context.Context, f AttemptFilter) (gateway.AttemptList, error) {
	out := gateway.AttemptList{Attempts: []gateway.AttemptItem{}}
	limit, before, err := f.bounds()
	if err != nil {
		return out, err
	}
	err = j.list(ctx, "list attempts", func(db *conn) error {
		sql, args := sqlAttempts(f, before, limit+1)
		var last int64
		return db.query(ctx, sql, args, func(r row) error {
			if len(out.Attempts) == limit {
				out.NextPageToken = token(last)
				return nil
			}
			item, err := scanItem(r)
			out.Attempts, last = append(out.Attempts, item), r.int64(0)
			return err
		})
	})
	out.Count = len(out.Attempts)
	return out, err
}

// scanItem reads a row of selectItem. A claim has only its properties.
func scanItem(r row) (gateway.AttemptItem, error) {
	state := gateway.AttemptState(r.str(1))
	item := gateway.AttemptItem{
		AttemptID: gateway.AttemptID(r.str(6)), TaskID: gateway.TaskID(r.str(7)), Target: gateway.TargetID(r.str(5)),
		Status: state, State: state, AttemptNumber: r.int(8), Timestamp: r.time(4), StartedAt: r.time(9), EndedAt: r.time(10),
		FailureType: gateway.FailureType(r.str(11)), ErrorSummary: r.str(12), Invalidated: r.bool(13),
	}
	if r[14] != nil {
		number, url := r.int(14), r.str(15)
		item.PRNumber, item.PRURL = &number, &url
		item.PRState, item.PRReview, item.PRConflicts, item.PREdited = gateway.PullRequestState(r.str(17)), r.str(18), r.bool(19), r.bool(20)
	}
	if !r.bool(2) {
		return item, nil
	}
	var p map[string]any
	if err := json.Unmarshal([]byte(r.str(3)), &p); err != nil {
		return item, fmt.Errorf("read claimed attempt: %w", err)
	}
	text := func(key string) string { s, _ := p[key].(string); return s }
	item.External = true
	item.AttemptID, item.TaskID = gateway.AttemptID(text("attempt_id")), gateway.TaskID(text("task_id"))
	item.FailureType, item.ErrorSummary = gateway.FailureType(text("failure_type")), text("error_summary")
	item.Invalidated, _ = p["invalidated"].(bool)
	if n, ok := p["attempt_number"].(float64); ok {
		item.AttemptNumber = int(n)
	}
	if n, ok := p["pr_number"].(float64); ok {
		number, url := int(n), text("pr_url")
		item.PRNumber, item.PRURL = &number, &url
	}
	return item, nil
}

// maxDetailEvents bounds the events of one attempt's detail; the first ones
// are given.
const maxDetailEvents = 1000

// AttemptDetail is all that the journal has about one attempt: its node, its
// events in order (the first 1,000) and its artifacts. An id that is not known
// has a nil node and empty lists.
func (j *Journal) AttemptDetail(ctx context.Context, id gateway.AttemptID) (gateway.AttemptDetail, error) {
	out := gateway.AttemptDetail{Events: []gateway.Event{}, Artifacts: []gateway.Artifact{}}
	err := j.list(ctx, "read attempt's detail", func(db *conn) error {
		node, err := loadNode(ctx, db, attemptNode(id))
		if err != nil {
			return err
		}
		out.Node = node
		sql, args := sqlEvents(EventFilter{Attempt: id}, false, maxDetailEvents)
		err = db.query(ctx, sql, args, func(r row) error {
			e, err := j.scanEvent(r)
			out.Events = append(out.Events, e.Event)
			return err
		})
		if err != nil {
			return err
		}
		return db.query(ctx, sqlArtifacts, []any{id}, func(r row) error {
			out.Artifacts = append(out.Artifacts, gateway.Artifact{Name: r.str(0), SizeBytes: r.int64(1), SHA256: r.str(2)})
			return nil
		})
	})
	return out, err
}

func loadNode(ctx context.Context, db *conn, id string) (*gateway.Node, error) {
	r, found, err := db.one(ctx, `SELECT id, type, properties, external, created_us, updated_us FROM node WHERE id = ?`, id)
	if err != nil || !found {
		return nil, err
	}
	n := &gateway.Node{NodeID: r.str(0), NodeType: r.str(1), CreatedAt: r.time(4), UpdatedAt: r.time(5)}
	if err := json.Unmarshal([]byte(r.str(2)), &n.Properties); err != nil {
		return nil, fmt.Errorf("read node %s: %w", id, err)
	}
	if r.bool(3) {
		n.Properties["external"] = true
	}
	return n, nil
}

// A Failure is a failed attempt, as release 0.4 listed it.
type Failure struct {
	AttemptID gateway.AttemptID `json:"attempt_id"`
	TaskID    gateway.TaskID    `json:"task_id"`
	Target    gateway.TargetID  `json:"target"`
	Error     string            `json:"error"`
	Timestamp gateway.Time      `json:"timestamp"`
}

// A FailureList is a page of failures, newest attempt first.
type FailureList struct {
	Failures      []Failure `json:"failures"`
	Count         int       `json:"count"`
	NextPageToken string    `json:"next_page_token,omitempty"`
}

// Failures lists the failed attempts of a target, of all for "".
func (j *Journal) Failures(ctx context.Context, target gateway.TargetID, p Page) (FailureList, error) {
	out := FailureList{Failures: []Failure{}}
	list, err := j.Attempts(ctx, AttemptFilter{Target: target, State: string(gateway.Failed), Page: p})
	if err != nil {
		return out, err
	}
	for _, a := range list.Attempts {
		at := a.EndedAt
		if at.IsZero() {
			at = a.Timestamp
		}
		out.Failures = append(out.Failures, Failure{
			AttemptID: a.AttemptID, TaskID: a.TaskID, Target: a.Target, Error: a.ErrorSummary, Timestamp: at,
		})
	}
	out.Count, out.NextPageToken = len(out.Failures), list.NextPageToken
	return out, nil
}
