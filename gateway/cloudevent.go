package gateway

import (
	"encoding/json"
	"fmt"
)

// The media types of CloudEvents 1.0 in its JSON format.
const (
	CloudEventMediaType      = "application/cloudevents+json"
	CloudEventBatchMediaType = "application/cloudevents-batch+json"
)

// CloudEventTypePrefix begins the type of every CloudEvent; the event type
// follows.
const CloudEventTypePrefix = "leviathan."

// A CloudEvent is an Event in the form of CloudEvents 1.0, in structured mode.
// Source and ID together are unique, as the journal's event ids are.
type CloudEvent struct {
	SpecVersion string `json:"specversion"` // 1.0
	ID          string `json:"id"`
	// Source is the target that the event is of, as a reference to its
	// resource; /v1/events for one of no target.
	Source string `json:"source"`
	Type   string `json:"type"`
	// Subject is the attempt or, without one, the task that it is about.
	Subject         string          `json:"subject,omitempty"`
	Time            Time            `json:"time"`
	DataContentType string          `json:"datacontenttype"`
	Data            json.RawMessage `json:"data"`

	// Sequence is the record's place in the journal, of twenty digits, so that
	// it orders as text (the extension of that name).
	Sequence string `json:"sequence"`
	// Origin is who vouches for it: gateway, or external for a claim.
	Origin        string `json:"origin,omitempty"`
	Actor         string `json:"actor,omitempty"`
	SchemaVersion int    `json:"schemaversion,omitempty"`
}

// CloudEvent is e in the form of CloudEvents 1.0.
func (e Event) CloudEvent() CloudEvent {
	c := CloudEvent{SpecVersion: "1.0", ID: e.EventID, Source: "/v1/events", Type: CloudEventTypePrefix + e.EventType, Time: e.Timestamp,
		DataContentType: "application/json", Data: e.Payload, Sequence: fmt.Sprintf("%020d", e.Seq), Origin: e.Origin, Actor: e.ActorID, SchemaVersion: e.SchemaVersion}
	if e.Target != "" {
		c.Source = "/v1/targets/" + string(e.Target)
	}
	switch {
	case e.AttemptID != "":
		c.Subject = string(e.AttemptID)
	case e.TaskID != "":
		c.Subject = string(e.TaskID)
	}
	if len(c.Data) == 0 {
		c.Data = json.RawMessage("{}")
	}
	return c
}
