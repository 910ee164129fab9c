package server_test

import (
	"context"
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"leviathan/gateway"
)

// The attributes of CloudEvents 1.0: those that are required are there and not
// empty, names are of small letters and digits, and each has the type that it
// must have.
func TestEventsAreCloudEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	w.fail(reservation(t, w.cycle(), "notes"), "agent_error")
	if a := w.ask("POST", "/v1/events/ingest", operator, `{"bundle_id":"b","events":[{"event_id":"e1","event_type":"note.made","timestamp":"2026-01-28T10:00:00Z","actor_id":"a","payload":{"x":1}}]}`); a.status != 200 {
		t.Fatal(a.body)
	}
	reader := w.token("reader", "")
	batch := w.ask("GET", "/v1/events?limit=1000", reader, "", "Accept", gateway.CloudEventBatchMediaType)
	if batch.status != 200 || batch.header.Get("Content-Type") != gateway.CloudEventBatchMediaType {
		t.Fatalf("%d %s %s", batch.status, batch.header.Get("Content-Type"), batch.body)
	}
	var events []map[string]any
	if err := json.Unmarshal([]byte(batch.body), &events); err != nil {
		t.Fatal(err)
	}
	lines := w.ask("GET", "/v1/events?limit=1000", reader, "", "Accept", "application/x-ndjson, "+gateway.CloudEventMediaType)
	var structured []map[string]any
	for line := range strings.Lines(lines.body) {
		var e map[string]any
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		structured = append(structured, e)
	}
	if len(events) < 5 || len(structured) != len(events) {
		t.Fatalf("%d events, %d lines", len(events), len(structured))
	}
	name, seen, last := regexp.MustCompile(`^[a-z0-9]{1,20}$`), map[string]bool{}, ""
	for i, e := range events {
		text := func(key string) string { s, _ := e[key].(string); return s }
		if text("specversion") != "1.0" || text("id") == "" || text("type") == "" || text("source") == "" || text("datacontenttype") != "application/json" {
			t.Errorf("a required attribute is missing in %v", e)
		}
		if u, err := url.Parse(text("source")); err != nil || u.String() == "" || seen[text("source")+" "+text("id")] {
			t.Errorf("source %q with id %q: %v, or it is there twice", text("source"), text("id"), err)
		}
		seen[text("source")+" "+text("id")] = true
		if _, err := time.Parse(time.RFC3339Nano, text("time")); err != nil {
			t.Error(err)
		}
		if text("sequence") <= last {
			t.Errorf("sequence %q after %q", text("sequence"), last)
		}
		last = text("sequence")
		for key, value := range e {
			if !name.MatchString(key) {
				t.Errorf("an attribute is called %q", key)
			}
			if _, isObject := value.(map[string]any); isObject != (key == "data") || value == "" {
				t.Errorf("%s is %v", key, value)
			}
		}
		if a, b := text("id"), structured[i]["id"]; a != b {
			t.Errorf("the batch has %v where the lines have %v", a, b)
		}
	}
	list, err := w.client(reader).CloudEvents(context.Background(), gateway.EventQuery{Limit: 1})
	if err != nil || len(list) != 1 || list[0].Type != "leviathan.gateway.started" && list[0].ID != events[0]["id"] {
		t.Errorf("%+v %v", list, err)
	}
	claim := events[len(events)-2]
	if claim["id"] != "e1" { // the reader's token was made after it
		claim = events[len(events)-1]
	}
	if claim["type"] != "leviathan.note.made" || claim["origin"] != "external" || claim["source"] != "/v1/events" || claim["actor"] != "a" {
		t.Errorf("the claim is %v", claim)
	}
}
