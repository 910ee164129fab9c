//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonv1 "go.opentelemetry.io/proto/otlp/common/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"leviathan/gateway"
)

// A receiver is a collector that takes spans by OTLP over HTTP.
type receiver struct {
	t       *testing.T
	url     string
	asked   chan struct{} // has a token once somebody asked
	release chan struct{} // closed: it answers

	mu    sync.Mutex
	spans []*tracev1.Span
	from  map[string]string // service, by span id
	raw   []byte            // all that it was sent
}

// newReceiver is one that answers, or that hangs until the test has ended.
func newReceiver(t *testing.T, hangs bool) *receiver {
	t.Helper()
	r := &receiver{t: t, asked: make(chan struct{}, 1), release: make(chan struct{}), from: map[string]string{}}
	s := httptest.NewServer(r)
	r.url = s.URL
	if hangs {
		t.Cleanup(func() { close(r.release); s.CloseClientConnections(); s.Close() })
		return r
	}
	close(r.release)
	t.Cleanup(s.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	var sent collector.ExportTraceServiceRequest
	if err != nil || req.Method != "POST" || req.URL.Path != "/v1/traces" || proto.Unmarshal(body, &sent) != nil {
		r.t.Errorf("%s %s is no export of spans: %v", req.Method, req.URL.Path, err)
	}
	select {
	case r.asked <- struct{}{}:
	default:
	}
	<-r.release
	r.mu.Lock()
	defer r.mu.Unlock()
	r.raw = append(r.raw, body...)
	for _, of := range sent.ResourceSpans {
		service := attributeOf(of.Resource.GetAttributes(), "service.name")
		for _, scope := range of.ScopeSpans {
			for _, span := range scope.Spans {
				r.spans = append(r.spans, span)
				r.from[string(span.SpanId)] = service
			}
		}
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// parents are the names of the spans above one, the nearest first.
func (r *receiver) parents(span *tracev1.Span) (names []string) {
	for len(span.ParentSpanId) > 0 {
		i := slices.IndexFunc(r.spans, func(s *tracev1.Span) bool { return bytes.Equal(s.SpanId, span.ParentSpanId) })
		if i < 0 {
			return append(names, "?")
		}
		span = r.spans[i]
		names = append(names, span.Name)
	}
	return names
}

func attributeOf(list []*commonv1.KeyValue, key string) string {
	for _, a := range list {
		if a.Key != key {
			continue
		}
		if n, ok := a.Value.Value.(*commonv1.AnyValue_IntValue); ok {
			return fmt.Sprint(n.IntValue)
		}
		return a.Value.GetStringValue()
	}
	return ""
}

// Texts that are in no span.
const (
	canaryText   = "CANARY-what-a-human-wrote"
	canaryOutput = "CANARY-what-an-agent-said"
	canarySecret = "CANARY-key-of-the-agent-0123456789"
)

// tracedHome is a home whose one task is done at once, with texts and a secret
// that must be in no span.
func tracedHome(t *testing.T) home {
	t.Helper()
	h := makeHome(t)
	config := fmt.Sprintf(`autonomy_enabled: true
target_id: demo
target_repo_url: %s/upstream.git
allowed_path_prefixes: [docs/]
sandbox: {mode: optional}
agents:
  writer: {type: command, sandbox: "off", env_from: [AGENT_KEY], command: [/bin/sh, -c, "echo %s; echo written > docs-of-it; mkdir -p docs; mv docs-of-it docs/a.md"]}
default_agent: writer
`, h.dir, canaryOutput)
	backlog := fmt.Sprintf(`version: "1"
tasks:
  - {id: write, title: Write %s, scope: docs, ready: true, allowed_paths: [docs/a.md], acceptance_criteria: [%q]}
`, canaryText, canaryText)
	for name, text := range map[string]string{"config.yaml": config, "tree/.leviathan/backlog.yaml": backlog} {
		if err := os.WriteFile(filepath.Join(h.dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"-c", "user.name=A", "-c", "user.email=a@example.invalid", "commit", "-q", "-a", "-m", "next"}, {"push", "-q", filepath.Join(h.dir, "upstream.git"), "main"}} {
		h.git(t, append([]string{"-C", "tree"}, args...)...)
	}
	return h
}

// done runs the backlog to its end with the variables, and sees that the task
// was proposed.
func (h home) done(ctx context.Context, t *testing.T, variables ...string) (stdout, stderr string) {
	t.Helper()
	up, out, errs := h.command(ctx, "up", "--state", "state", "--config", "config.yaml", "--listen", "127.0.0.1:0", "--spider-listen", "off", "--until-idle", "--log-level", "warn")
	up.Env = append(up.Env, append(variables, "AGENT_KEY="+canarySecret)...)
	if err := up.Run(); err != nil {
		t.Fatalf("%v\n%s%s", err, out, errs)
	}
	if !strings.Contains(out.String(), "proposed") {
		t.Fatalf("the task was not proposed:\n%s%s", out, errs)
	}
	return out.String(), errs.String()
}

func TestOneTraceFromTheCycleToThePullRequest(t *testing.T) {
	h := tracedHome(t)
	r := newReceiver(t, false)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	h.done(ctx, t, "OTEL_EXPORTER_OTLP_ENDPOINT="+r.url)

	r.mu.Lock()
	defer r.mu.Unlock()
	at := slices.IndexFunc(r.spans, func(s *tracev1.Span) bool { return s.Name == "attempt" })
	if at < 0 {
		t.Fatalf("there is no span of an attempt among %d", len(r.spans))
	}
	whole := r.spans[at].TraceId
	seen := map[string]*tracev1.Span{}
	for _, s := range r.spans {
		if bytes.Equal(s.TraceId, whole) {
			seen[r.from[string(s.SpanId)]+" "+s.Name] = s
		}
	}
	const plan = "decision cycle.plan, POST /v1/targets/{target}/cycle, cycle"
	for name, want := range map[string]string{
		"leviathan-gateway cycle":                             "",
		"leviathan-gateway POST /v1/targets/{target}/cycle":   "cycle",
		"leviathan-gateway decision cycle.plan":               "POST /v1/targets/{target}/cycle, cycle",
		"leviathan-worker attempt":                            plan,
		"leviathan-worker clone":                              "attempt, " + plan,
		"leviathan-worker agent":                              "attempt, " + plan,
		"leviathan-worker verify":                             "attempt, " + plan,
		"leviathan-worker push":                               "attempt, " + plan,
		"leviathan-worker pull request":                       "attempt, " + plan,
		"leviathan-gateway decision attempt.start":            "POST /v1/attempts/{attempt}/start, " + plan,
		"leviathan-gateway decision agent.run":                "POST /v1/attempts/{attempt}/start, " + plan,
		"leviathan-gateway decision change.push":              "POST /git/{target}.git/git-receive-pack, push, attempt, " + plan,
		"leviathan-gateway push":                              "POST /git/{target}.git/git-receive-pack, push, attempt, " + plan,
		"leviathan-gateway decision pull_request.open":        "POST /v1/attempts/{attempt}/pull-request, pull request, attempt, " + plan,
		"leviathan-gateway pull request":                      "POST /v1/attempts/{attempt}/pull-request, pull request, attempt, " + plan,
		"leviathan-gateway decision attempt.finish":           "POST /v1/attempts/{attempt}/finish, attempt, " + plan,
		"leviathan-gateway POST /v1/attempts/{attempt}/start": plan,
	} {
		if s := seen[name]; s == nil {
			t.Errorf("%q is not in the trace of the attempt", name)
		} else if got := strings.Join(r.parents(s), ", "); got != want {
			t.Errorf("%q is under %s, want %s", name, got, want)
		}
	}
	h.recorded(ctx, t, seen)
	for _, secret := range []string{"CANARY", "written > docs", "Bearer", "lev_", "state/operator.token", "eyJ"} {
		if bytes.Contains(r.raw, []byte(secret)) {
			t.Errorf("%q is in a span", secret)
		}
	}
}

// recorded holds the spans of decisions to the journal: id and place.
func (h home) recorded(ctx context.Context, t *testing.T, seen map[string]*tracev1.Span) {
	t.Helper()
	list, stdout, stderr := h.command(ctx, "decisions", "--state", "state", "--config", "config.yaml", "--output", "json", "--limit", "1000")
	var all gateway.DecisionList
	if err := list.Run(); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	if err := json.Unmarshal(stdout.Bytes(), &all); err != nil {
		t.Fatal(err)
	}
	places := map[string]string{}
	for _, d := range all.Items {
		places[string(d.ID)] = fmt.Sprint(d.Recorded.Seq)
	}
	held := 0
	for name, s := range seen {
		if !strings.Contains(name, " decision ") {
			continue
		}
		id, seq := attributeOf(s.Attributes, "leviathan.decision.id"), attributeOf(s.Attributes, "leviathan.journal.seq")
		if held++; places[id] == "" || places[id] != seq {
			t.Errorf("%q says that it is decision %q in record %s, and the journal has it in %q", name, id, seq, places[id])
		}
	}
	if held < 5 {
		t.Errorf("%d decisions are in the trace", held)
	}
}

func TestNothingIsTracedUnlessItIsAskedFor(t *testing.T) {
	h := tracedHome(t)
	r := newReceiver(t, false)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	h.done(ctx, t, "OTEL_SDK_DISABLED=true", "OTEL_EXPORTER_OTLP_ENDPOINT="+r.url)
	select {
	case <-r.asked:
		t.Error("spans are sent though they are switched off")
	default:
	}
	for _, c := range []struct {
		variables map[string]string
		on        bool
		problem   string
	}{
		{map[string]string{}, false, ""},
		{map[string]string{"OTEL_SERVICE_NAME": "x", "OTEL_TRACES_SAMPLER": "always_on"}, false, ""},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, true, ""},
		{map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://c.example/v1/traces"}, true, ""},
		{map[string]string{"OTEL_TRACES_EXPORTER": "otlp"}, true, ""},
		{map[string]string{"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, false, ""},
		{map[string]string{"OTEL_SDK_DISABLED": "TRUE", "OTEL_TRACES_EXPORTER": "otlp"}, false, ""},
		{map[string]string{"OTEL_TRACES_EXPORTER": "console"}, false, "otlp"},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://u:hunter2@127.0.0.1:4318"}, false, "password"},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "127.0.0.1:4318"}, false, "http://"},
		{map[string]string{"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, false, "http/protobuf"},
	} {
		on, err := tracingAsked(func(name string) string { return c.variables[name] })
		if on != c.on || (err != nil) != (c.problem != "") || err != nil && (!strings.Contains(err.Error(), c.problem) || strings.Contains(err.Error(), "hunter2")) {
			t.Errorf("%v: %v, %v", c.variables, on, err)
		}
	}
}

// The work is done, and the processes have ended, while the collector still has
// the first spans in its hands, or is not there at all.
func TestACollectorThatHangsOrIsDownDelaysNothing(t *testing.T) {
	for name, hangs := range map[string]bool{"hangs": true, "is down": false} {
		t.Run(name, func(t *testing.T) {
			h := tracedHome(t)
			url := "http://127.0.0.1:1"
			var r *receiver
			if hangs {
				r = newReceiver(t, true)
				url = r.url
			}
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			_, stderr := h.done(ctx, t, "OTEL_EXPORTER_OTLP_ENDPOINT="+url)
			if stderr != "" {
				t.Errorf("it says %s", stderr)
			}
			if hangs {
				select {
				case <-r.asked:
				default:
					t.Error("the collector that hangs was never asked, so that nothing was shown")
				}
			}
		})
	}
}
