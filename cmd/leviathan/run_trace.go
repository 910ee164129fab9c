package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"leviathan/gateway"
	"leviathan/scheduler"
)

// traceGrace is how long a process that ends gives its collector to take the
// last spans. Nothing else ever waits for one.
const traceGrace = time.Second

// A tracing sends spans to a collector, or nowhere.
type tracing struct {
	provider trace.TracerProvider // nil if nothing is traced
	sdk      *sdktrace.TracerProvider
	log      *slog.Logger
}

// openTracing is what OpenTelemetry's variables ask for. Without them nothing
// is traced and nothing is sent. A collector that is away is no error: spans
// wait in a bounded queue, and those that do not fit are dropped.
func openTracing(ctx context.Context, service string, logger *slog.Logger) (*tracing, error) {
	t := &tracing{log: logger}
	on, err := tracingAsked(os.Getenv)
	if err != nil || !on {
		return t, err
	}
	// What goes wrong with a collector is nobody's concern but who looks for spans.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { logger.Debug("sending spans", "error", err) }))
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("setting up the export of spans: %w", err)
	}
	about, err := resource.New(ctx, resource.WithAttributes(attribute.String("service.name", service), attribute.String("service.version", gateway.Version)),
		resource.WithFromEnv(), resource.WithTelemetrySDK())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("describing this process in spans: %w", err), exporter.Shutdown(ctx))
	}
	t.sdk = sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about))
	t.provider = t.sdk
	logger.Info("spans are sent to a collector of OpenTelemetry", "service", service)
	return t, nil
}

// tracingAsked reports whether the environment asks for spans, and refuses what
// it asks for and cannot have.
func tracingAsked(env func(string) string) (bool, error) {
	if strings.EqualFold(env("OTEL_SDK_DISABLED"), "true") {
		return false, nil
	}
	given := false
	for _, name := range []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"} {
		raw := env(name)
		if raw == "" {
			continue
		}
		given = true
		switch u, err := url.Parse(raw); {
		case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
			return false, fmt.Errorf("%s is no URL that begins with http:// or https://", name)
		case u.User != nil:
			return false, fmt.Errorf("%s holds a password: give it in OTEL_EXPORTER_OTLP_HEADERS, which no worker gets", name)
		}
	}
	switch exporter := env("OTEL_TRACES_EXPORTER"); exporter {
	case "none":
		return false, nil
	case "otlp":
	case "":
		if !given {
			return false, nil
		}
	default:
		return false, fmt.Errorf("OTEL_TRACES_EXPORTER=%s: spans are sent by otlp, or by none", exporter)
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		if protocol := env(name); !slices.Contains([]string{"", "http/protobuf"}, protocol) {
			return false, fmt.Errorf("%s=%s: spans are sent by http/protobuf; name the collector's port for that, usually 4318", name, protocol)
		}
	}
	return true, nil
}

// traceVariables are the values by which workers learn where spans go.
func traceVariables() map[string]string {
	values := map[string]string{}
	for _, name := range scheduler.TraceVariables() {
		values[name] = os.Getenv(name)
	}
	return values
}

// client is a client for the gateway that tells it in which trace it is asked;
// nil, which is the usual one, if nothing is traced.
func (t *tracing) client() *http.Client {
	if t.provider == nil {
		return nil
	}
	return &http.Client{Transport: tracedTransport{http.DefaultTransport}}
}

// tracedTransport adds the place in a trace that a request's context has.
type tracedTransport struct{ next http.RoundTripper }

func (t tracedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(req.Context(), carrier)
	if parent := carrier["traceparent"]; parent != "" { // tracestate may hold anything, and stays here
		req = req.Clone(req.Context())
		req.Header.Set("traceparent", parent)
	}
	return t.next.RoundTrip(req)
}

// Close gives the collector a moment to take the last spans. That it does not
// is no error.
func (t *tracing) Close() {
	if t.sdk == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), traceGrace)
	defer cancel()
	if err := t.sdk.Shutdown(ctx); err != nil {
		t.log.Debug("sending the last spans", "error", err)
	}
}
