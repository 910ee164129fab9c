package server_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"leviathan/gateway"
	"leviathan/gateway/server"
)

// traced is a gateway whose spans are kept in memory.
func traced(t *testing.T) (*world, *tracetest.InMemoryExporter) {
	t.Helper()
	spans := tracetest.NewInMemoryExporter()
	w := newUpstream(t, baseBacklog, baseConfig)
	w.tune = func(c *server.Config) { c.Tracer = sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)) }
	w.start()
	return w, spans
}

const (
	ourTrace    = "4bf92f3577b34da6a3ce929d0e0e4736"
	theirTrace  = "0af7651916cd43dd8448eb211c80319c"
	traceFormat = "00-%s-00f067aa0ba902b7-01"
)

// askIn asks within a trace.
func (w *world) askIn(trace, method, path, token, body string) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, w.http.URL+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("traceparent", fmt.Sprintf(traceFormat, trace))
	req.Header.Set("tracestate", "evil=state")
	req.Header.Set("baggage", "evil=baggage")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		w.t.Fatal(err)
	}
}

// traces are the traces in which there are spans of the name.
func traces(spans *tracetest.InMemoryExporter, name string) (ids []string) {
	for _, s := range spans.GetSpans() {
		if s.Name == name {
			ids = append(ids, s.SpanContext.TraceID().String())
		}
		if s.SpanContext.TraceState().Len() > 0 {
			ids = append(ids, "with a state")
		}
	}
	return ids
}

func TestAnAttemptIsInTheTraceThatReservedItAndInNoOther(t *testing.T) {
	t.Parallel()
	w, spans := traced(t)
	w.askIn(ourTrace, "POST", "/v1/targets/demo/cycle", operator, "{}")
	if got := traces(spans, "decision cycle.plan"); !slices.Equal(got, []string{ourTrace}) {
		t.Fatalf("the plan is in %v", got)
	}
	r := reservation(t, w.cycle(), "guide") // its token is given again, in another trace
	started := w.startAttempt(r)
	if want := "00-" + ourTrace + "-"; !strings.HasPrefix(started.TraceParent, want) {
		t.Errorf("the worker is told %q", started.TraceParent)
	}
	w.askIn(theirTrace, "POST", "/v1/attempts/"+string(r.AttemptID)+"/heartbeat", r.Token, "{}")
	w.restart() // what is known of it is in the journal
	w.askIn(theirTrace, "POST", "/v1/attempts/"+string(r.AttemptID)+"/heartbeat", r.Token, "{}")
	if got := traces(spans, "decision attempt.heartbeat"); !slices.Equal(got, []string{ourTrace, ourTrace}) {
		t.Errorf("heartbeats are in %v", got)
	}
	// What the gateway asks itself about it is there as well.
	w.clock.add(10 * time.Minute)
	if err := w.server.Expire(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := traces(spans, "decision attempt.expire"); !slices.Contains(got, ourTrace) || slices.Contains(got, theirTrace) {
		t.Errorf("its end is in %v", got)
	}
	for _, s := range spans.GetSpans() {
		for _, a := range s.Attributes {
			if text := a.Value.String(); strings.Contains(text, "evil") || strings.Contains(text, "it helps") || strings.Contains(text, "Write a guide") {
				t.Errorf("%s says %s", s.Name, text)
			}
		}
	}
}

// Nobody but who is known makes spans, and reads make none.
func TestStrangersAndReadsMakeNoSpans(t *testing.T) {
	t.Parallel()
	w, spans := traced(t)
	before := len(spans.GetSpans())
	w.askIn(theirTrace, "POST", "/v1/targets/demo/cycle", "nobody's", "{}")
	w.askIn(theirTrace, "GET", "/v1/attempts", operator, "")
	w.askIn(theirTrace, "GET", "/health", operator, "")
	if after := spans.GetSpans(); len(after) != before {
		t.Errorf("%d spans: %v", len(after)-before, after)
	}
}

// A trace moves nothing: the same question in another trace, or in one that is
// malformed, has the same answer, and the policy is told nothing of it.
func TestATraceGivesNoRight(t *testing.T) {
	t.Parallel()
	w, _ := traced(t)
	w.askIn(ourTrace, "POST", "/v1/targets/demo/cycle", operator, "{}")
	w.askIn("not-a-trace\tevil", "POST", "/v1/autonomy/halt", operator, `{"reason":"r"}`)
	list, err := w.client(operator).Decisions(context.Background(), gateway.DecisionQuery{Limit: 10})
	if err != nil || len(list.Items) < 2 {
		t.Fatal(list, err)
	}
	for _, d := range list.Items {
		whole, err := w.client(operator).Decision(context.Background(), d.ID)
		if err != nil {
			t.Fatal(err)
		}
		if !d.Decision || strings.Contains(string(whole.Input), ourTrace) || strings.Contains(string(whole.Input), "trace") {
			t.Errorf("%s was answered %v to %s", d.Action, d.Decision, whole.Input)
		}
	}
}
