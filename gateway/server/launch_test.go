package server_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"leviathan/gateway"
)

// waits says as a scheduler why the worker of an attempt does not start.
func (w *world) waits(a gateway.Reservation, message string) {
	w.t.Helper()
	payload, err := json.Marshal(map[string]any{"attempt_id": a.AttemptID, "reason": "Unschedulable", "message": message})
	if err != nil {
		w.t.Fatal(err)
	}
	_, err = w.client(w.token(gateway.RoleScheduler, "demo")).Ingest(context.Background(), gateway.IngestRequest{Target: "demo", BundleID: message, Events: []gateway.Event{{
		EventID: message, EventType: gateway.EventJobWaiting, Timestamp: gateway.At(w.clock.now()), Target: "demo", TaskID: a.TaskID, AttemptID: a.AttemptID, Payload: payload}}})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) launchProblem() *gateway.LaunchProblem {
	w.t.Helper()
	status, err := w.client(operator).Status(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	for _, one := range status.Targets {
		if one.Target == "demo" {
			return one.LaunchProblem
		}
	}
	w.t.Fatal("the status has no target demo")
	return nil
}

func TestAnAttemptWhosePodFindsNoNodeSaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tasksOf(1), baseConfig)
	r := reservation(t, w.cycle(), "t0")
	if p := w.launchProblem(); p != nil {
		t.Errorf("nothing is known, and the status says %+v", p)
	}
	w.waits(r, "0/3 nodes are available: 3 Insufficient memory")
	w.waits(r, "0/4 nodes are available: 4 Insufficient cpu")
	const newest = "Unschedulable: 0/4 nodes are available: 4 Insufficient cpu"
	if p := w.launchProblem(); p == nil || p.AttemptID != r.AttemptID || p.TaskID != "t0" || !strings.Contains(p.Message, newest) {
		t.Errorf("while it waits the status says %+v", p)
	}
	w.clock.add(301 * time.Second)
	w.expire()
	a, err := w.client(operator).Attempt(context.Background(), r.AttemptID)
	if err != nil {
		t.Fatal(err)
	}
	said := ""
	for _, e := range a.Events {
		if e.EventType == gateway.EventAttemptExpired {
			said = string(e.Payload)
		}
	}
	if !strings.Contains(said, newest) || strings.Contains(said, "0/3 nodes") || !strings.Contains(said, "no worker started it in time") {
		t.Errorf("it expired with %s", said)
	}
	if p := w.launchProblem(); p == nil || p.AttemptID != r.AttemptID || strings.Count(p.Message, newest) != 1 {
		t.Errorf("after its end the status says %+v", p)
	}
}

// Whoever sees it only after the attempt has ended is heard as well.
func TestTheStatusHasAReasonThatCameLate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tasksOf(1), baseConfig)
	r := reservation(t, w.cycle(), "t0")
	w.clock.add(301 * time.Second)
	w.expire()
	if p := w.launchProblem(); p == nil || p.Message != "no worker started it in time" {
		t.Errorf("the status says %+v", p)
	}
	w.waits(r, "no node")
	if p := w.launchProblem(); p == nil || !strings.Contains(p.Message, "no worker started it in time; its Pod waits: Unschedulable: no node") {
		t.Errorf("the status says %+v", p)
	}
}

func TestTheStatusNamesTheLastRefusalOfALaunchUntilOneSucceeds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tasksOf(2), baseConfig)
	result := w.cycle()
	refused, other := reservation(t, result, "t0"), reservation(t, result, "t1")
	const why = "quota_exceeded: creating the Job: exceeded quota: leviathan"
	if err := w.client(operator).Lost(context.Background(), refused.AttemptID, gateway.LostRequest{Observed: "job_failed", Detail: why}); err != nil {
		t.Fatal(err)
	}
	if p := w.launchProblem(); p == nil || p.AttemptID != refused.AttemptID || !strings.Contains(p.Message, why) || p.At.IsZero() {
		t.Errorf("the status says %+v", p)
	}
	w.clock.add(time.Second)
	w.startAttempt(other)
	if p := w.launchProblem(); p != nil {
		t.Errorf("a worker has started since, and the status says %+v", p)
	}
}
