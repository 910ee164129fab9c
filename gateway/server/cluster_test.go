package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"leviathan/gateway"
	"leviathan/gateway/autonomy"
	"leviathan/gateway/server"
)

// A writer is a Lease that a test takes away.
type writer struct {
	gone atomic.Bool
	lost chan struct{}
}

func (w *writer) Held() error {
	if w.gone.Load() {
		return errors.New("pod-b has the Lease")
	}
	return nil
}

func (w *writer) Lost() <-chan struct{} { return w.lost }

func (w *writer) Status() gateway.WriterStatus {
	return gateway.WriterStatus{Lease: "leviathan/lease", Holder: "pod-a", Epoch: 7, HeldForSeconds: 12}
}

// accounts answers for the tokens of service accounts.
type accounts map[string]error

func (a accounts) Review(_ context.Context, token string) (string, gateway.Role, gateway.TargetID, error) {
	err, ok := a[token]
	if !ok {
		err = gateway.Errorf(gateway.Unauthenticated, "nobody's")
	}
	if err != nil {
		return "", "", "", err
	}
	return "system:serviceaccount:leviathan:leviathan-scheduler", gateway.RoleScheduler, "demo", nil
}

func TestS15AServiceAccountHasTheRoleThatItWasGivenAndNoMore(t *testing.T) {
	t.Parallel()
	w := newUpstream(t, baseBacklog, baseConfig)
	w.tune = func(c *server.Config) {
		c.Reviewer = accounts{"a.good.token": nil, "an.unknown.token": gateway.Errorf(gateway.Unknown, "the API is away")}
	}
	w.start()
	for _, c := range []struct {
		token, method, path string
		want                int
	}{
		{"a.good.token", "POST", "/v1/targets/demo/cycle", http.StatusOK},
		{"a.good.token", "POST", "/v1/autonomy/halt", http.StatusForbidden},
		{"a.bad.token", "POST", "/v1/targets/demo/cycle", http.StatusUnauthorized},
		{"lev_a.good.token", "POST", "/v1/targets/demo/cycle", http.StatusUnauthorized}, // ours, and unknown
		{"an.unknown.token", "POST", "/v1/targets/demo/cycle", http.StatusServiceUnavailable},
		{operator, "POST", "/v1/targets/demo/cycle", http.StatusOK},
	} {
		body := "{}"
		if strings.HasSuffix(c.path, "halt") {
			body = `{"reason":"r"}`
		}
		if a := w.ask(c.method, c.path, c.token, body); a.status != c.want || strings.Contains(a.body, c.token) {
			t.Errorf("%s %s with %s: %d %s", c.method, c.path, c.token, a.status, a.body)
		}
	}
}

func TestAGatewayThatLostItsLeaseIsNotReadyAndHasNoEffect(t *testing.T) {
	t.Parallel()
	w := newUpstream(t, baseBacklog, baseConfig)
	lease := &writer{lost: make(chan struct{})}
	w.tune = func(c *server.Config) { c.Writer = lease }
	w.start()
	r := reservation(t, w.cycle(), "guide")
	started := w.startAttempt(r)
	if a := w.ask("GET", "/health/ready", "", ""); a.status != http.StatusOK {
		t.Errorf("ready: %d %s", a.status, a.body)
	}
	a := w.ask("GET", "/v1/autonomy/status", operator, "")
	var st gateway.Status
	if err := json.Unmarshal([]byte(a.body), &st); err != nil || st.Writer == nil || st.Writer.Epoch != 7 || st.Writer.Holder != "pod-a" {
		t.Errorf("status: %s (%v)", a.body, err)
	}
	if a := w.ask("GET", "/metrics", operator, ""); !strings.Contains(a.body, "leviathan_writer_epoch 7") || !strings.Contains(a.body, "leviathan_writer_held_seconds 12") {
		t.Error("the metrics say nothing of the writer")
	}
	lease.gone.Store(true)
	if a := w.ask("GET", "/health/ready", "", ""); a.status != http.StatusServiceUnavailable || !strings.Contains(a.body, `"lease"`) {
		t.Errorf("ready without the Lease: %d %s", a.status, a.body)
	}
	if a := w.ask("GET", "/health", "", ""); a.status != http.StatusOK {
		t.Errorf("it does not live: %d", a.status)
	}
	out, err := w.push(r, started, map[string]string{"docs/guide.md": "# Guide\n"})
	if err == nil || !strings.Contains(out, "unknown.writer") {
		t.Errorf("the push was forwarded: %v\n%s", err, out)
	}
	if refs := w.git(w.upstream, "for-each-ref", "refs/heads/agent/"); refs != "" {
		t.Errorf("the upstream has %s", refs)
	}
}

func TestASwitchThatTheConfigMapShowsFirstActsAtOnceAndSaysWhere(t *testing.T) {
	t.Parallel()
	w := newUpstream(t, baseBacklog, baseConfig)
	var targets *autonomy.Set
	w.tune = func(c *server.Config) { targets = c.Targets }
	w.start()
	text := strings.ReplaceAll(baseConfig, "UPSTREAM", w.upstream)
	see := func(text, problem string) {
		targets.Observe(autonomy.Second{Source: "configmap leviathan/c", Known: true, Files: map[string]string{"demo.yaml": text}, ObservedAt: time.Now(), Problem: problem})
	}
	see(text, "")
	if got := w.cycle(); got.Outcome != gateway.CycleWorked {
		t.Fatalf("%s %v", got.Outcome, got.Reasons)
	}
	see(strings.Replace(text, "autonomy_enabled: true", "autonomy_enabled: false", 1), "")
	if got := w.cycle(); got.Outcome != gateway.CycleDenied || !strings.Contains(strings.Join(reasonCodes(got.Reasons), " "), "guard.switched_off") {
		t.Errorf("off in the ConfigMap: %s %v", got.Outcome, got.Reasons)
	}
	see(text+"nonsense: 1\n", "")
	got := w.cycle()
	if len(got.Reasons) == 0 || !strings.Contains(got.Reasons[0].Message, "configmap leviathan/c: demo.yaml") {
		t.Errorf("invalid in the ConfigMap: %s %v", got.Outcome, got.Reasons)
	}
	see(text, "it cannot be followed")
	if got := w.cycle(); got.Outcome == gateway.CycleDenied {
		t.Errorf("a ConfigMap that cannot be followed: %s %v", got.Outcome, got.Reasons)
	}
	a := w.ask("GET", "/v1/autonomy/status", operator, "")
	if !strings.Contains(a.body, `"config_map"`) || !strings.Contains(a.body, "it cannot be followed") {
		t.Errorf("the status does not show it: %s", a.body)
	}
}
