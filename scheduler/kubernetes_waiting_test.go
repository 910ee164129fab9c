package scheduler_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"leviathan/gateway"
	"leviathan/scheduler"
)

// waitings are the claims about Jobs that do not start.
func (y *yard) waitings() (found []gateway.Event) {
	for _, e := range y.gateway.claims {
		if e.EventType == gateway.EventJobWaiting {
			found = append(found, e)
		}
	}
	return found
}

func TestAGatewayIsToldWhyAPodDoesNotStart(t *testing.T) {
	for name, c := range map[string]struct {
		pod  corev1.PodStatus
		says []string // reason and message; none for a Pod of which nothing is told
	}{
		"no node":         {unschedulable("0/3 nodes are available"), []string{"Unschedulable", "0/3 nodes are available"}},
		"image":           {waiting("ImagePullBackOff", "not found"), []string{"ImagePullBackOff", "not found"}},
		"agent's secret":  {waiting("CreateContainerConfigError", "no secret"), []string{"CreateContainerConfigError", "no secret"}},
		"about to start":  {waiting("ContainerCreating", ""), nil},
		"has no status":   {corev1.PodStatus{Phase: corev1.PodPending}, nil},
		"runs":            {corev1.PodStatus{Phase: corev1.PodRunning}, nil},
		"long, so cut":    {unschedulable("0/3 nodes: " + strings.Repeat("x", 5000) + " the end"), []string{"Unschedulable", "…xxx", "xxx the end"}},
		"ended, long ago": {over(2, "Error", "its log"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			openYard(t, func(t *testing.T, y *yard) {
				y.reserve(first)
				y.run()
				y.gateway.say(func(w *wire) { w.live, w.cycle = []string{string(first) + " reserved"}, idleCycle })
				y.pod(first, c.pod)
				after(time.Minute)
				y.run()
				after(time.Minute)
				y.run()
				told := y.waitings()
				if c.says == nil {
					if len(told) > 0 {
						t.Errorf("told %+v", told)
					}
					return
				}
				if len(told) != 2 || told[0].EventID != told[1].EventID || string(told[0].Payload) != string(told[1].Payload) {
					t.Fatalf("seen twice, it was not told as the same: %+v", told)
				}
				var said struct{ Reason, Message, JobName string }
				if err := json.Unmarshal(told[0].Payload, &said); err != nil {
					t.Fatal(err)
				}
				if said.Reason != c.says[0] || len(said.Message) > 2000 {
					t.Errorf("it says %q with %d bytes", said.Reason, len(said.Message))
				}
				for _, want := range c.says[1:] {
					if !strings.Contains(said.Message, want) {
						t.Errorf("%q is missing in %q", want, said.Message)
					}
				}
				if e := told[0]; e.AttemptID != first || e.Target != "demo" || !strings.Contains(string(e.Payload), `"job_name":"`+scheduler.JobName(first)+`"`) {
					t.Errorf("the claim is %+v with %s", e, e.Payload)
				}
				y.onlyItsRights()
			})
		})
	}
}

// Another reason is another claim. That one cannot be made keeps nothing from
// being observed.
func TestAReasonThatChangesIsToldAnewAndOneThatCannotBeToldIsLogged(t *testing.T) {
	openYard(t, func(t *testing.T, y *yard) {
		y.reserve(first, second)
		y.run()
		y.gateway.say(func(w *wire) {
			w.live, w.cycle = []string{string(first) + " reserved", string(second) + " reserved"}, idleCycle
		})
		y.pod(first, unschedulable("0/3 nodes"))
		y.pod(second, unschedulable("0/4 nodes"))
		y.run()
		if told := y.waitings(); len(told) != 2 || told[0].EventID == told[1].EventID {
			t.Errorf("told %+v", told)
		}
		y.gateway.say(func(w *wire) { w.ingest = 403 })
		after(6 * time.Minute)
		y.run()
		if y.gateway.wasLost(first) != "job_failed" || y.gateway.wasLost(second) != "job_failed" || !strings.Contains(y.log.text(), "why a Pod does not start") {
			t.Errorf("lost %v; %s", y.gateway.lost, y.log.text())
		}
	})
}
