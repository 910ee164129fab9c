package server_test

import (
	"context"
	"strings"
	"testing"

	"leviathan/gateway"
)

// A token that is bound to a target sees that target's graph, whatever it
// asks for, and nothing that is not filtered by target.
func TestTheGraphOfABoundToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	guide := reservation(t, w.cycle(), "guide")
	w.deliver(guide, map[string]string{"docs/guide.md": "# Guide\n"})
	claim := `{"target":"other","bundle_id":"b","events":[{"event_id":"e1","event_type":"attempt.created","timestamp":"2026-01-28T10:00:00","payload":{"attempt_id":"a1","task_id":"t"}}]}`
	if a := w.ask("POST", "/v1/events/ingest", operator, claim); a.status != 200 {
		t.Fatalf("ingest: %d %s", a.status, a.body)
	}
	ctx, all, bound := context.Background(), w.client(w.token("reader", "")), w.client(w.token("reader", "demo"))
	whole, err := all.Graph(ctx, "", 0)
	if err != nil || whole.Nodes[0].Target != "other" || whole.Truncated {
		t.Fatalf("the whole graph: %+v %v", whole, err)
	}
	for _, target := range []gateway.TargetID{"", "demo", "other"} {
		own, err := bound.Graph(ctx, target, 0)
		if err != nil || len(own.Nodes) == 0 {
			t.Fatalf("asked for %q: %+v %v", target, own, err)
		}
		list, err := bound.GraphNodes(ctx, gateway.GraphQuery{Target: target})
		if err != nil || len(list.Items) == 0 {
			t.Fatalf("asked for nodes of %q: %+v %v", target, list, err)
		}
		for _, n := range append(own.Nodes, list.Items...) {
			if n.Target != "demo" {
				t.Errorf("asked for %q, a token of demo sees %+v", target, n)
			}
		}
	}
	if _, err := bound.GraphEdges(ctx, gateway.GraphQuery{}); gateway.KindOf(err) != gateway.Forbidden {
		t.Errorf("edges of all targets: %v", err)
	}
	// A node is named by an id with slashes in it, whole.
	if n, err := all.GraphNode(ctx, "task:demo/guide"); err != nil || n.Properties["title"] != "Write a guide" {
		t.Errorf("%+v %v", n, err)
	}
	edges, err := all.GraphEdges(ctx, gateway.GraphQuery{Node: "attempt:" + string(guide.AttemptID)})
	if err != nil || len(edges.Items) != 1 || edges.Items[0].Sink != "pull_request:demo#1" {
		t.Errorf("%+v %v", edges, err)
	}
	if _, err := all.GraphNode(ctx, "task:demo/none"); gateway.KindOf(err) != gateway.NotFound || !strings.Contains(err.Error(), "task:demo/none") {
		t.Errorf("a node that is not there: %v", err)
	}
	for _, query := range []string{"?limit=0", "?limit=201", "/nodes?type=Thing", "/nodes?page_token=x", "/edges?page_token=x", "/edges?type=CONTAINS"} {
		w.refused(w.ask("GET", "/v1/graph"+query, operator, ""), 422, "")
	}
}
