package server_test

import (
	"context"
	"testing"

	"leviathan/gateway"
	"leviathan/gateway/journal"
)

// A new policy takes the one door like every effect: its activation is decided
// by the policy that governs, and recorded before it happens.
func TestANewPolicyTakesTheDoor(t *testing.T) {
	w := newWorld(t, baseBacklog, baseConfig)
	candidate, err := bundleWith(`default: \d+\n`, "default: 20000\n")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.server.ActivatePolicy(context.Background(), "policies", candidate); err != nil {
		t.Fatal(err)
	}
	list, err := w.journal.Decisions(context.Background(), journal.DecisionFilter{Action: gateway.ActionBundleActivate})
	if err != nil || len(list.Items) != 1 || !list.Items[0].Decision {
		t.Fatalf("decisions: %+v %v", list.Items, err)
	}
	events, err := w.journal.RecentEvents(context.Background(), journal.EventFilter{Type: gateway.EventBundleActivated}, 1)
	if err != nil || len(events) != 1 {
		t.Fatalf("events: %+v %v", events, err)
	}
	// What cannot be recorded is not activated.
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := w.server.ActivatePolicy(ctx, "policies", candidate); err == nil {
		t.Error("an activation without a record passed")
	}
}
