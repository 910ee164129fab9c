package worker

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"leviathan/gateway"
)

// traceHeader carries the place in a trace, as W3C Trace Context has it.
const traceHeader = "traceparent"

// attemptSpan begins the attempt's span, in the trace in which the gateway
// reserved it and as of when it was asked for. Spans have ids, states and
// commits; nothing that a task, an agent or an error says.
func (r *run) attemptSpan(ctx context.Context, asked time.Time) (context.Context, trace.Span) {
	ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{traceHeader: r.start.TraceParent})
	return r.tracer.Start(ctx, "attempt", trace.WithTimestamp(asked), trace.WithAttributes(attribute.String("leviathan.attempt.id", string(r.Attempt)),
		attribute.String("leviathan.target", string(r.Target)), attribute.String("leviathan.decision.id", string(r.start.DecisionID))))
}

// endAttempt says how it ended.
func (r *run) endAttempt(span trace.Span) {
	span.SetAttributes(attribute.String("leviathan.outcome", string(r.outcome.State)), attribute.String("leviathan.failure_type", string(r.outcome.FailureType)),
		attribute.String("leviathan.commit", string(r.outcome.Commit)))
	if pull := r.outcome.PullRequest; pull != nil {
		span.SetAttributes(attribute.Int("leviathan.pull_request.number", pull.Number))
	}
	if r.outcome.State != gateway.Succeeded {
		span.SetStatus(codes.Error, string(r.outcome.FailureType))
	}
	span.End()
}

// traced takes one step of the attempt in a span of its own.
func (r *run) traced(ctx context.Context, name string, take func(context.Context) error) error {
	ctx, span := r.tracer.Start(ctx, name)
	defer span.End()
	err := take(ctx)
	if err != nil {
		kind := ""
		var failed *failure
		if errors.As(err, &failed) {
			kind = string(failed.kind)
		}
		span.SetStatus(codes.Error, kind)
	}
	return err
}

// traceParent is the place in its trace that ctx has; "" for none.
func traceParent(ctx context.Context) string {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier[traceHeader]
}
