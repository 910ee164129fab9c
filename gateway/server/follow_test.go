package server_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"leviathan/gateway"
)

func TestAFollowerGetsEventsAndEndsWithItsClient(t *testing.T) {
	w := newWorld(t, baseBacklog, baseConfig)
	w.cycle()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", w.http.URL+"/v1/events?follow=true&limit=2", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+operator)
	req.Header.Set("Accept", "application/x-ndjson")
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := resp.Header.Get("Content-Type"); got != "application/x-ndjson" {
		t.Errorf("type %q", got)
	}
	lines := bufio.NewScanner(resp.Body)
	next := func() gateway.Event {
		t.Helper()
		if !lines.Scan() {
			t.Fatalf("the stream ended: %v", lines.Err())
		}
		var e gateway.Event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatalf("%v in %s", err, lines.Text())
		}
		return e
	}
	last := int64(0)
	for range len(w.log()) {
		e := next()
		if e.Seq <= last {
			t.Errorf("event %d after %d", e.Seq, last)
		}
		last = e.Seq
	}
	// It has all that there was; what comes now, comes as it happens.
	if err := w.client(operator).Halt(ctx, gateway.ReasonRequest{Reason: "r"}); err != nil {
		t.Fatal(err)
	}
	if e := next(); e.EventType != gateway.EventAutonomyHalted {
		t.Errorf("the next event is %s", e.EventType)
	}
	cancel()
	if lines.Scan() {
		t.Errorf("after its client has gone: %s", lines.Text())
	}
	w.http.Close() // waits for every request under way: it ends because the follower has
	buf := make([]byte, 1<<20)
	if stacks := string(buf[:runtime.Stack(buf, true)]); strings.Contains(stacks, "streamEvents") {
		t.Error("the follower still runs")
	}
}

func TestEventsPageInOrder(t *testing.T) {
	w := newWorld(t, baseBacklog, baseConfig)
	w.cycle()
	all, after, got := w.log(), "0", 0
	for after != "" {
		var page struct {
			Items []gateway.Event `json:"items"`
			Next  string          `json:"next_page_token"`
		}
		a := w.ask("GET", "/v1/events?limit=2&after="+after, operator, "")
		if err := json.Unmarshal([]byte(a.body), &page); err != nil || a.status != 200 {
			t.Fatalf("%d %v %s", a.status, err, a.body)
		}
		for _, e := range page.Items {
			if e.EventID != all[got].EventID {
				t.Errorf("event %d is %s, want %s", got, e.EventID, all[got].EventID)
			}
			got++
		}
		after = page.Next
	}
	if got != len(all) {
		t.Errorf("%d events, want %d", got, len(all))
	}
	w.refused(w.ask("GET", "/v1/events?after=-1", operator, ""), 422, "")
	w.refused(w.ask("GET", "/v1/events?after=x", operator, ""), 422, "")
}
