package scheduler_test

import (
	"slices"
	"strings"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"leviathan/scheduler"
)

// A worker learns where spans go, and gets no secret of a collector.
func TestAWorkerLearnsWhereSpansGoAndNoHeader(t *testing.T) {
	o := jobOptions
	o.Trace = map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_EXPORTER_OTLP_HEADERS": "authorization=canary", "OTEL_TRACES_EXPORTER": "otlp", "PATH": "/evil"}
	r := forJob(first)
	r.Worker.EnvFrom = append(r.Worker.EnvFrom, "OTEL_TRACES_EXPORTER") // then it is the agent's
	job, err := scheduler.WorkerJob(r, o)
	if err != nil {
		t.Fatal(err)
	}
	plain := map[string]string{}
	for _, v := range job.Spec.Template.Spec.Containers[0].Env {
		if v.ValueFrom == nil {
			plain[v.Name] = v.Value
		}
	}
	if len(plain) != 1 || plain["OTEL_EXPORTER_OTLP_ENDPOINT"] != "http://collector:4318" {
		t.Errorf("the Job has the values %v", plain)
	}
	for _, name := range scheduler.TraceVariables() {
		if strings.Contains(name, "HEADERS") || !strings.HasPrefix(name, "OTEL_") {
			t.Errorf("%s is handed to workers", name)
		}
	}
}

// What follows from a cycle is under its span, which says how it ended.
func TestACycleIsASpanAndEachLaunchUnderIt(t *testing.T) {
	openYard(t, func(t *testing.T, y *yard) {
		spans := tracetest.NewSpanRecorder()
		c := y.config
		c.Tracer = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
		y.reserve(first, second)
		if _, err := scheduler.New(c).Cycle(t.Context()); err != nil {
			t.Fatal(err)
		}
		ended := spans.Ended()
		at := slices.IndexFunc(ended, func(s sdktrace.ReadOnlySpan) bool { return s.Name() == "cycle" })
		if len(ended) != 3 || at < 0 {
			t.Fatalf("%d spans", len(ended))
		}
		for _, s := range ended {
			if s.Name() == "launch" && s.Parent().SpanID() != ended[at].SpanContext().SpanID() {
				t.Error("a launch is not under its cycle")
			}
			for _, a := range s.Attributes() {
				if strings.Contains(a.Value.String(), "canary") || strings.Contains(a.Value.String(), "Write the docs") {
					t.Errorf("%s says %s", s.Name(), a.Value.String())
				}
			}
		}
	})
}
