package gateway

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"net/http"
	"strconv"
)

// maxEventLine bounds one line of an event stream.
const maxEventLine = 16 << 20

// An EventQuery says where a stream of events begins and ends. After is the
// Seq of the last event that the caller has. Limit bounds one answer; 0
// leaves it to the server. Follow goes on with what happens from then on,
// until the context ends; a broken connection is taken up again.
type EventQuery struct {
	After  int64
	Limit  int
	Follow bool
}

// Events reads the journal's events in order. The sequence ends after its
// first error; a context that ends while following ends it without one.
func (c *Client) Events(ctx context.Context, q EventQuery) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for failures := 0; ; failures++ {
			before := q.After
			stopped, err := c.readEvents(ctx, &q, yield)
			switch {
			case stopped, q.Follow && ctx.Err() != nil:
				return
			case !q.Follow && err == nil:
				return
			case !q.Follow, err != nil && KindOf(err) != Unknown:
				yield(Event{}, err)
				return
			}
			if q.After > before {
				failures = 0
			}
			wait, _ := c.pause(failures+1, err)
			if !sleep(ctx, wait) {
				return
			}
		}
	}
}

// readEvents reads one answer and moves q.After on; stopped says that the
// reader wants no more.
func (c *Client) readEvents(ctx context.Context, q *EventQuery, yield func(Event, error) bool) (stopped bool, err error) {
	follow := ""
	if q.Follow {
		follow = "true"
	}
	body, err := c.stream(ctx, call{method: http.MethodGet, path: []string{"v1", "events"}, accept: "application/x-ndjson", idempotent: true,
		query: query("after", strconv.FormatInt(q.After, 10), "limit", positive(q.Limit), "follow", follow)})
	if err != nil {
		return false, err
	}
	defer body.Close()
	lines := bufio.NewScanner(body)
	lines.Buffer(make([]byte, 0, 64<<10), maxEventLine)
	for lines.Scan() {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue // a sign of life
		}
		var event Event
		if err := json.Unmarshal(line, &event); err != nil {
			return false, brokenLine(err)
		}
		q.After = max(q.After, event.Seq)
		if !yield(event, nil) {
			return true, nil
		}
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return false, &Error{Kind: InternalError, Detail: "the gateway sent an event longer than a line may be", Err: err}
	} else if err != nil {
		return false, unreachable(err)
	}
	return false, nil
}

// brokenLine tells a stream that was cut within a line, which is read again
// from the last whole event, from one that holds what no release sends.
func brokenLine(err error) *Error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &Error{Kind: Unknown, Detail: "the stream of events broke off", Err: err}
	}
	return &Error{Kind: InternalError, Detail: "the gateway sent an event that this release does not know: " + err.Error(), Err: err}
}

// A RecentEvent is an event as release 0.4 listed it. Hash is the record's
// Merkle leaf in hex.
type RecentEvent struct {
	Event
	Hash string `json:"hash"`
}

// CloudEvents is one page of the journal's events in the form of CloudEvents
// 1.0. The next page comes after the last one's Sequence; Follow is ignored.
func (c *Client) CloudEvents(ctx context.Context, q EventQuery) ([]CloudEvent, error) {
	var out []CloudEvent
	err := c.do(ctx, call{method: http.MethodGet, path: []string{"v1", "events"}, accept: CloudEventBatchMediaType, idempotent: true,
		query: query("after", strconv.FormatInt(q.After, 10), "limit", positive(q.Limit))}, &out)
	return out, err
}

// RecentEvents lists events, newest first; limit is 1 to 1000.
func (c *Client) RecentEvents(ctx context.Context, limit int) ([]RecentEvent, error) {
	var out []RecentEvent
	err := c.do(ctx, call{method: http.MethodGet, path: []string{"v1", "events", "recent"}, idempotent: true,
		query: query("limit", positive(limit))}, &out)
	return out, err
}

// Ingest appends external events, all or nothing. Repeating a batch with the
// same event ids is safe: they are counted as duplicates.
func (c *Client) Ingest(ctx context.Context, req IngestRequest) (IngestResult, error) {
	var out IngestResult
	if req.Events == nil {
		req.Events = []Event{}
	}
	err := c.do(ctx, call{method: http.MethodPost, path: []string{"v1", "events", "ingest"}, body: req, idempotent: true}, &out)
	return out, err
}

// A GraphSummary counts the graph's nodes and edges by type, with the newest
// events, at most 20.
type GraphSummary struct {
	NodesByType  map[string]int `json:"nodes_by_type"`
	EdgesByType  map[string]int `json:"edges_by_type"`
	RecentEvents []Event        `json:"recent_events"`
}

// GraphSummary counts the graph.
func (c *Client) GraphSummary(ctx context.Context) (GraphSummary, error) {
	var out GraphSummary
	err := c.do(ctx, call{method: http.MethodGet, path: []string{"v1", "graph", "summary"}, idempotent: true}, &out)
	return out, err
}
