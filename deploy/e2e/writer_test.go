package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// noted tells a gateway of an event, and returns nil when it has said that it
// keeps it.
func noted(ctx context.Context, base, id string) error {
	return call(ctx, base, operatorToken, http.MethodPost, "/v1/events/ingest", map[string]any{"target": "kept", "bundle_id": id,
		"events": []map[string]any{{"event_id": id, "event_type": "note.made", "timestamp": time.Now().UTC().Format(time.RFC3339Nano), "payload": map[string]any{"note": id}}}}, nil)
}

// A gateway that is killed in the middle of its work comes back with every
// record that it acknowledged, and a worker that ran meanwhile goes on.
func TestAKilledGatewayLosesNothingAndItsAttemptsGoOn(t *testing.T) {
	needNode(t)
	w := cluster
	a := w.begin(t, "kept", "across-a-crash")
	before, err := w.status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	kept := filepath.Join(w.dir, "checkpoint")
	var note string
	if err := w.call(t.Context(), http.MethodGet, "/v1/journal/checkpoint", nil, &note); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(kept, []byte(note), 0o644); err != nil {
		t.Fatal(err)
	}
	acknowledged := w.writeUntilKilled(t)
	if err := w.gatewayReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	after, err := w.status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if after.Writer.Epoch <= before.Writer.Epoch || after.Writer.Holder == before.Writer.Holder {
		t.Errorf("the writer is %+v and was %+v: want another, with a greater epoch", after.Writer, before.Writer)
	}
	var journal string
	if err := w.call(t.Context(), http.MethodGet, "/v1/journal/export", nil, &journal); err != nil {
		t.Fatal(err)
	}
	for _, id := range acknowledged {
		if !strings.Contains(journal, `"`+id+`"`) {
			t.Errorf("the record %s was acknowledged and is not there", id)
		}
	}
	if said, code := w.leviathan(t, "journal", "verify", "--state", w.state(), "--checkpoint", kept); code != 0 {
		t.Errorf("journal verify ends with %d:\n%s", code, said)
	}
	w.letGo(t, a)
	if end := w.awaitAttempt(t, "kept", "across-a-crash", 2*time.Minute, "succeeded", "failed", "expired", "cancelled"); end.State != "succeeded" || end.ID != a.ID {
		t.Errorf("the attempt ended %+v", end)
	}
}

// writeUntilKilled kills the gateway while it takes on records, and returns
// those that it acknowledged.
func (w *world) writeUntilKilled(t *testing.T) (acknowledged []string) {
	t.Helper()
	const enough = 50
	reached := make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		for n := 0; ; n++ {
			id := fmt.Sprintf("note-%d", n)
			if err := noted(t.Context(), gatewayURL, id); err != nil {
				ended <- err
				return
			}
			if acknowledged = append(acknowledged, id); n == enough {
				close(reached)
			}
		}
	}()
	select {
	case <-reached:
	case err := <-ended:
		t.Fatalf("the gateway takes on no records: %v", err)
	}
	if n := w.node.Signal("leviathan-control-plane", syscall.SIGKILL); n != 1 {
		t.Fatalf("%d gateways were killed", n)
	}
	if err := <-ended; codeOf(err) != 0 {
		t.Fatalf("the gateway answered before it was killed: %v", err)
	}
	t.Logf("%d records were acknowledged", len(acknowledged))
	return acknowledged
}

// begin starts the attempt at a task, if none runs, and waits until it does.
func (w *world) begin(t *testing.T, target, task string) attempt {
	t.Helper()
	all, err := w.attempts(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(all, func(a attempt) bool { return a.Task == task && a.State == "running" }) {
		w.run(t, target)
	}
	return w.awaitAttempt(t, target, task, 2*time.Minute, "running")
}

const (
	secondName = "second-control-plane"
	secondURL  = "http://127.0.0.1:8010"
)

// A second replica answers nothing and writes nothing while the first holds the
// Lease. A first that hung so long that the second could take it writes nothing
// any more either: it ends.
func TestASecondGatewayNeverWritesBesideTheFirst(t *testing.T) {
	needNode(t)
	w := cluster
	w.startSecond(t)
	eventually(t, time.Minute, "the second lives and waits for the Lease", func(ctx context.Context) error {
		if err := call(ctx, secondURL, operatorToken, http.MethodGet, "/health", nil, nil); err != nil {
			return err
		}
		if err := call(ctx, secondURL, operatorToken, http.MethodGet, "/health/ready", nil, nil); codeOf(err) != http.StatusServiceUnavailable {
			return fmt.Errorf("it is ready: %v", err)
		}
		return nil
	})
	if err := noted(t.Context(), secondURL, "by-the-second"); codeOf(err) != http.StatusServiceUnavailable {
		t.Errorf("the second took a record on: %v", err)
	}
	before, err := w.status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n, err := w.node.Freeze(t.Context(), "leviathan-control-plane"); err != nil || n != 1 {
		t.Fatalf("%d gateways were frozen: %v", n, err)
	}
	late := make(chan error, 1)
	go func() { late <- noted(t.Context(), gatewayURL, "by-the-deposed") }() // its machine takes it, and it sees it when it thaws
	eventually(t, time.Minute, "the second has taken the Lease", func(ctx context.Context) error {
		lease, err := w.api.CoordinationV1().Leases(namespace).Get(ctx, "leviathan-control-plane", metav1.GetOptions{})
		if err == nil && (lease.Spec.LeaseTransitions == nil || int64(*lease.Spec.LeaseTransitions) <= before.Writer.Epoch) {
			err = errors.New("its epoch is that of the first")
		}
		return err
	})
	w.node.Signal("leviathan-control-plane", syscall.SIGCONT)
	if err := <-late; err == nil {
		t.Error("the first acknowledged a record that it took on after its Lease was gone")
	}
	w.oneWriter(t, before.Writer.Epoch)
}

// oneWriter waits until the second is gone and the first is the writer again,
// and looks whether only acknowledged records are there.
func (w *world) oneWriter(t *testing.T, before int64) {
	t.Helper()
	eventually(t, time.Minute, "the first says that it lost the Lease", func(context.Context) error {
		if log := w.node.Logs("leviathan-control-plane"); !strings.Contains(log, "the Lease is lost") {
			return errors.New(warnings(log))
		}
		return nil
	})
	if err := w.api.CoreV1().Pods(namespace).Delete(t.Context(), secondName, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := w.gatewayReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	s, err := w.status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if s.Writer.Epoch <= before {
		t.Errorf("the epoch is %d, and was %d", s.Writer.Epoch, before)
	}
	var journal string
	if err := w.call(t.Context(), http.MethodGet, "/v1/journal/export", nil, &journal); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"by-the-second", "by-the-deposed"} {
		if strings.Contains(journal, id) {
			t.Errorf("the journal has the record %s", id)
		}
	}
	if said, code := w.leviathan(t, "journal", "verify", "--state", w.state()); code != 0 {
		t.Errorf("journal verify ends with %d:\n%s", code, said)
	}
}

// startSecond makes a second Pod of the gateway, with the same volume. It
// listens on another port, as all Pods here have one network.
func (w *world) startSecond(t *testing.T) {
	t.Helper()
	d, err := w.api.AppsV1().Deployments(namespace).Get(t.Context(), "leviathan-control-plane", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: secondName}, Spec: d.Spec.Template.Spec}
	c := &pod.Spec.Containers[0]
	i := slices.Index(c.Args, "--listen=0.0.0.0:8000")
	if i < 0 {
		t.Fatalf("the gateway's args are %q", c.Args)
	}
	c.Args[i], c.Ports[0].ContainerPort = "--listen=0.0.0.0:8010", 8010
	for _, probe := range []*corev1.Probe{c.StartupProbe, c.LivenessProbe, c.ReadinessProbe} {
		probe.HTTPGet.Port = intstr.FromInt32(8010)
	}
	if _, err := w.api.CoreV1().Pods(namespace).Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}
