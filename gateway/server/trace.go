package server

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"leviathan/gateway"
	"leviathan/gateway/journal"
	"leviathan/gateway/repository"
)

// What spans say. All values are ids, codes and other words of closed sets:
// never the text of a task, a reason's sentence, an error or a secret.
const (
	spanTarget   = attribute.Key("leviathan.target")
	spanAttempt  = attribute.Key("leviathan.attempt.id")
	spanDecision = attribute.Key("leviathan.decision.id")
	spanRecord   = attribute.Key("leviathan.journal.seq")
	spanAction   = attribute.Key("leviathan.action")
	spanOutcome  = attribute.Key("leviathan.outcome")
	spanCodes    = attribute.Key("leviathan.codes")
	spanPolicy   = attribute.Key("leviathan.policy.digest")
	spanCommit   = attribute.Key("leviathan.commit")
	spanPull     = attribute.Key("leviathan.pull_request.number")
	spanMethod   = attribute.Key("http.request.method")
	spanRoute    = attribute.Key("http.route")
)

// A tracing makes the gateway's spans. What others say of traces is for
// telling spans apart and together, and decides nothing.
type tracing struct {
	on     bool
	tracer trace.Tracer
}

func newTracing(provider trace.TracerProvider) tracing {
	if provider == nil {
		return tracing{tracer: noop.NewTracerProvider().Tracer("")}
	}
	return tracing{on: true, tracer: provider.Tracer("leviathan/gateway", trace.WithInstrumentationVersion(gateway.Version))}
}

// traceHeader is the one header of W3C Trace Context that is read and written:
// the others may hold anything.
const traceHeader = "traceparent"

// remote is ctx within the trace that a traceparent names; ctx itself if it
// names none.
func remote(ctx context.Context, parent string) context.Context {
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{traceHeader: parent})
}

// traceParent is the place in its trace that ctx has; "" for none.
func (t tracing) parent(ctx context.Context) string {
	if !t.on {
		return ""
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier[traceHeader]
}

// request begins the span of a request whose sender is known, in the sender's
// trace. An attempt is in the trace that reserved it and in no other. Reads
// have no span.
func (s *Server) requestSpan(r *http.Request, row route, p principal) (*http.Request, trace.Span) {
	if !s.tracing.on || row.action == gateway.ActionRouteRead {
		return r, noop.Span{}
	}
	ctx := remote(r.Context(), r.Header.Get(traceHeader))
	if p.attempt != "" {
		ctx = s.withinAttempt(ctx, p.attempt)
	}
	ctx, span := s.tracing.tracer.Start(ctx, row.method+" "+row.path, trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(spanMethod.String(row.method), spanRoute.String(row.path)))
	return r.WithContext(ctx), span
}

// withinAttempt is ctx if it is in the attempt's own trace, and else at the
// place in it that reserved the attempt.
func (s *Server) withinAttempt(ctx context.Context, id gateway.AttemptID) context.Context {
	recorded := ""
	if a, ok, err := s.journal.Attempt(ctx, id); err == nil && ok { // an error is for what needs the attempt
		recorded = a.TraceParent
	}
	none := trace.ContextWithSpanContext(ctx, trace.SpanContext{})
	own := remote(none, recorded)
	if said := trace.SpanContextFromContext(ctx); said.IsValid() && said.TraceID() == trace.SpanContextFromContext(own).TraceID() {
		return ctx
	}
	return own
}

// decisionSpan begins the span of a question at the door. What the gateway asks
// itself about an attempt is in the attempt's trace.
func (s *Server) decisionSpan(ctx context.Context, q *question) (context.Context, trace.Span) {
	if !s.tracing.on {
		return ctx, noop.Span{}
	}
	if q.id != "" && !trace.SpanContextFromContext(ctx).IsValid() {
		ctx = s.withinAttempt(ctx, q.id)
	}
	action := q.action
	if !knownActions[action] {
		action = other
	}
	ctx, span := s.tracing.tracer.Start(ctx, "decision "+action, trace.WithAttributes(spanAction.String(action)))
	if q.target != "" {
		span.SetAttributes(spanTarget.String(string(q.target)))
	}
	if q.id != "" {
		span.SetAttributes(spanAttempt.String(string(q.id)))
	}
	return ctx, span
}

// endDecision says what was decided, and where that is written.
func (s *Server) endDecision(span trace.Span, d *decided, err error) {
	defer span.End()
	if !span.IsRecording() || spanFailed(span, err) || d == nil {
		return
	}
	list := make([]string, 0, len(d.Reasons))
	for _, r := range d.Reasons {
		list = append(list, s.metrics.code(d.policy, r.Code))
	}
	span.SetAttributes(spanDecision.String(string(d.ID)), spanRecord.Int64(d.seq), spanOutcome.String(d.outcome()), spanCodes.StringSlice(list),
		spanPolicy.String(d.PolicyDigest))
}

// effectSpan begins the span of what was decided and is now done.
func (s *Server) effectSpan(ctx context.Context, name string, d *decided, more ...attribute.KeyValue) (context.Context, trace.Span) {
	return s.tracing.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(append(more, spanTarget.String(string(d.attempt.Target)), spanAttempt.String(string(d.attempt.ID)), spanDecision.String(string(d.ID)))...))
}

// forwardTraced is forward in a span of its own.
func (s *Server) forwardTraced(ctx context.Context, t *target, a *journal.Attempt, d *decided, push *repository.Push) verdict {
	ctx, span := s.effectSpan(ctx, "push", d, spanCommit.String(string(push.New())))
	defer span.End()
	v := s.forward(ctx, t, a, d, push)
	if !v.ok {
		span.SetStatus(codes.Error, "")
	}
	return v
}

// spanFailed marks a span by the kind of an error, whose text may say
// anything, and reports whether there is one.
func spanFailed(span trace.Span, err error) bool {
	if err != nil {
		span.SetStatus(codes.Error, string(gateway.KindOf(err)))
	}
	return err != nil
}
