package scheduler

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"leviathan/gateway"
)

// Spans have ids and outcomes, and nothing that a task or an error says.

// tracerOf is the scheduler's tracer; without a provider one that does nothing.
func tracerOf(provider trace.TracerProvider) trace.Tracer {
	if provider == nil {
		provider = noop.NewTracerProvider()
	}
	return provider.Tracer("leviathan/scheduler", trace.WithInstrumentationVersion(gateway.Version))
}

// cycleSpan begins a trace: all that follows from the cycle is in it.
func (s *Scheduler) cycleSpan(ctx context.Context) (context.Context, trace.Span) {
	return s.tracer.Start(ctx, "cycle", trace.WithAttributes(attribute.String("leviathan.target", string(s.Target))))
}

func endCycle(span trace.Span, result gateway.CycleResult, err error) {
	span.SetAttributes(attribute.String("leviathan.outcome", result.Outcome), attribute.String("leviathan.decision.id", string(result.DecisionID)),
		attribute.Int("leviathan.reserved", len(result.Reserved)))
	spanFailed(span, err)
	span.End()
}

// launch has a reservation's worker started.
func (s *Scheduler) launch(ctx context.Context, r gateway.Reservation) error {
	ctx, span := s.tracer.Start(ctx, "launch", trace.WithAttributes(attribute.String("leviathan.attempt.id", string(r.AttemptID))))
	defer span.End()
	err := s.Launcher.Launch(ctx, r)
	spanFailed(span, err)
	return err
}

// spanFailed marks a span by the kind of an error, whose text may say anything.
func spanFailed(span trace.Span, err error) {
	if err != nil {
		span.SetStatus(codes.Error, string(gateway.KindOf(err)))
	}
}
