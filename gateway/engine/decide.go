package engine

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// Decide evaluates the policy's entrypoint with the input. It never fails: a
// question that the policy does not answer with exactly one well-formed object
// is denied, with a reason that says which way it failed; see [Failures].
//
// The action chooses the deadline and nothing else; the policy reads it from
// the input. The answer depends on the bundle and the input alone, unless the
// deadline passes or ctx ends: then it is unknown.policy_timeout or
// unknown.cancelled.
func (s *Snapshot) Decide(ctx context.Context, action string, in Input) Result {
	if s == nil {
		return failed(CodeUndefined, "there is no active policy")
	}
	if err := ctx.Err(); err != nil {
		return interrupted(err)
	}
	object, err := in.object()
	if err != nil {
		return failed(CodeError, err.Error())
	}
	value, failure := s.evaluate(ctx, s.deadlines.of(action), object)
	if failure != nil {
		return *failure
	}
	result, err := readResult(value)
	if err != nil {
		return failed(CodeResult, err.Error())
	}
	return result
}

// evaluate runs the prepared query within the deadline.
func (s *Snapshot) evaluate(
	ctx context.Context, deadline time.Duration, input ast.Value,
) (value ast.Value, failure *Result) {
	defer func() {
		// A defect of the evaluator must deny this question, not end the process.
		if p := recover(); p != nil {
			value, failure = nil, fail(CodeError, fmt.Sprintf("the evaluator panicked: %v", p))
		}
	}()
	var late atomic.Bool
	cancel := topdown.NewCancel()
	timer := time.AfterFunc(deadline, func() { late.Store(true); cancel.Cancel() })
	defer timer.Stop()
	defer context.AfterFunc(ctx, cancel.Cancel)()

	planned, answered := s.planned(ctx, input, cancel)
	if answered && !s.doubts() {
		if planned == nil {
			return nil, fail(CodeUndefined, "")
		}
		return planned, nil
	}
	if answered {
		defer func() {
			if !late.Load() && ctx.Err() == nil {
				s.trust(planned, value, failure)
			}
		}()
	}
	results, err := s.query.Eval(ctx,
		rego.EvalParsedInput(input),
		rego.EvalSortSets(true),
		rego.EvalExternalCancel(cancel),
	)
	switch {
	case late.Load():
		return nil, fail(CodeTimeout, "")
	case ctx.Err() != nil:
		r := interrupted(ctx.Err())
		return nil, &r
	case err != nil:
		return nil, fail(CodeError, err.Error())
	case len(results) == 0:
		return nil, fail(CodeUndefined, "")
	case len(results) > 1:
		return nil, fail(CodeResult, fmt.Sprintf("%d results", len(results)))
	}
	value, ok := results[0].Bindings[resultVar].(ast.Value)
	if !ok {
		return nil, fail(CodeResult, "no value")
	}
	return value, nil
}

// fail is failed by address.
func fail(code, detail string) *Result {
	r := failed(code, detail)
	return &r
}

// interrupted is the deny of a question whose asker is gone, or out of time.
func interrupted(err error) Result {
	if errors.Is(err, context.DeadlineExceeded) {
		return failed(CodeTimeout, "")
	}
	return failed(CodeCancelled, "")
}
