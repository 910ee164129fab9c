package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"

	"leviathan/gateway"
	"leviathan/gateway/journal"
)

const ingestMax = 10_000

var eventType = regexp.MustCompile(`^[a-z0-9_]+(\.[a-z0-9_]+)+$`)

// ingest appends events that other components claim, all or nothing. They are
// kept with origin external and never become policy input. The same event
// with the same body is a duplicate; with another body it is a conflict.
func (s *Server) ingest(w http.ResponseWriter, r *http.Request, p principal) error {
	var req gateway.IngestRequest
	if err := readJSON(r, &req); err != nil {
		return err
	}
	if len(req.Events) > ingestMax {
		return gateway.Errorf(gateway.TooLarge, "a bundle has at most %d events", ingestMax)
	}
	if req.Target == "" {
		req.Target = p.target // what a bound token says is about its target
	}
	for i := range req.Events {
		if err := checkEvent(&req.Events[i], req.Target, i); err != nil {
			return err
		}
	}
	result := gateway.IngestResult{BundleID: req.BundleID, Status: "ok"}
	q := question{action: gateway.ActionEventAppend, by: p, id: p.attempt, resource: gateway.Entity{Type: "event", ID: req.BundleID},
		request: eventsPart(req.Events),
		effect: func(tx *journal.Tx, d *decided) error {
			if !d.Allow {
				return nil
			}
			return appendClaims(tx, p, req.Events, &result)
		}}
	if q.resource.ID == "" {
		q.resource.ID = "bundle"
	}
	q.target, q.resource.Properties = claimedTarget(p, req.Events)
	d, err := s.decide(r.Context(), q)
	if err != nil {
		return err
	}
	if err := d.refusal(); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, result)
}

// claimedTarget is the target that the policy judges a bundle by: the token's
// own, unless an event is about another. The other one is named, not looked
// up: it is a claim, and may not exist.
func claimedTarget(p principal, events []gateway.Event) (gateway.TargetID, map[string]any) {
	if p.target != "" {
		for _, e := range events {
			if e.Target != p.target {
				return "", map[string]any{"target": string(e.Target)}
			}
		}
	}
	return p.target, nil
}

// eventsPart is a bundle as the policy sees it: what kinds, about whom.
func eventsPart(events []gateway.Event) map[string]any {
	types, attempts := map[string]bool{}, map[string]bool{}
	for _, e := range events {
		types[e.EventType] = true
		attempts[string(e.AttemptID)] = true // "" as well: an attempt has to name itself in each
	}
	return map[string]any{"types": sortedKeys(types), "attempts": sortedKeys(attempts)}
}

// checkEvent refuses an event that is not well formed, naming the field.
func checkEvent(e *gateway.Event, target gateway.TargetID, i int) error {
	bad := func(field, detail string) error {
		return &gateway.Error{Kind: gateway.Invalid, Field: fmt.Sprintf("events[%d].%s", i, field), Detail: detail}
	}
	switch {
	case e.EventID == "" || len(e.EventID) > 128:
		return bad("event_id", "event_id is 1 to 128 characters")
	case !eventType.MatchString(e.EventType) || len(e.EventType) > 64:
		return bad("event_type", "event_type is words joined by dots, at most 64 characters")
	case e.Timestamp.IsZero():
		return bad("timestamp", "timestamp is missing")
	case e.SchemaVersion > gateway.SchemaVersion || e.SchemaVersion < 0:
		return bad("schema_version", fmt.Sprintf("this release knows schema_version %d and older", gateway.SchemaVersion))
	case len(e.Payload) > 0 && e.Payload[0] != '{':
		return bad("payload", "payload is an object")
	case e.AttemptID != "" && len(e.AttemptID) > 128:
		return bad("attempt_id", "attempt_id is at most 128 characters")
	}
	if e.Target == "" {
		e.Target = target
	}
	if e.Target != "" && !e.Target.Valid() {
		return bad("target", "target is not a valid id")
	}
	if len(e.Payload) == 0 || string(e.Payload) == "null" {
		e.Payload = json.RawMessage(`{}`)
	}
	if e.AttemptID == "" || e.TaskID == "" {
		var named struct {
			AttemptID gateway.AttemptID `json:"attempt_id"`
			TaskID    gateway.TaskID    `json:"task_id"`
		}
		if json.Unmarshal(e.Payload, &named) == nil { // 0.4 kept the ids in the payload alone; other forms stay unlinked
			if e.AttemptID == "" {
				e.AttemptID = named.AttemptID
			}
			if e.TaskID == "" {
				e.TaskID = named.TaskID
			}
		}
	}
	if e.SchemaVersion == 0 {
		e.SchemaVersion = 1
	}
	return nil
}

func appendClaims(tx *journal.Tx, p principal, events []gateway.Event, result *gateway.IngestResult) error {
	*result = gateway.IngestResult{BundleID: result.BundleID, Status: result.Status}
	for i, e := range events {
		record := journal.Record{Kind: journal.Event, Origin: journal.External, ID: e.EventID, Type: e.EventType, Target: e.Target,
			Task: e.TaskID, Attempt: e.AttemptID, Actor: e.ActorID, Timestamp: e.Timestamp, SchemaVersion: e.SchemaVersion, Body: []byte(e.Payload)}
		digest, err := record.BodyDigest()
		if err != nil {
			return &gateway.Error{Kind: gateway.Invalid, Field: fmt.Sprintf("events[%d]", i), Detail: err.Error()}
		}
		before, found, err := tx.HasEvent(e.EventID)
		switch {
		case err != nil:
			return err
		case found && before == digest:
			result.Duplicates++
			continue
		case found:
			return &gateway.Error{Kind: gateway.Conflict, Field: fmt.Sprintf("events[%d].event_id", i), Detail: "event " + e.EventID + " is in the journal with another body"}
		}
		if _, err := tx.Append(record); err != nil {
			return fmt.Errorf("appending event %d: %w", i, err)
		}
		result.Ingested++
	}
	return nil
}
