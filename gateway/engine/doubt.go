package engine

import (
	"context"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// doubtEvery is how many answers of a plan there are to one that the
// interpreter gives, too: rare enough to cost little, and often enough that a
// plan that is wrong does not govern for long.
const doubtEvery = 256

// planned is the answer by the bundle's plan; nil if it is undefined. It is not
// answered where there is no plan, or whatever went wrong: then the interpreter
// has the word, and the words for it.
func (s *Snapshot) planned(ctx context.Context, input ast.Value, cancel topdown.Cancel) (_ ast.Value, answered bool) {
	if s.machine == nil || s.distrust.Load() {
		return nil, false
	}
	value, err := s.machine.evaluate(ctx, input, cancel)
	return value, err == nil
}

// doubts reports whether the answer that was just given is to be looked at: the
// first one, and then one of every doubtEvery.
func (s *Snapshot) doubts() bool { return s.answered.Add(1)%doubtEvery == 1 }

// trust compares what the plan says with what the interpreter says, which
// counts. A plan that was wrong once is not asked again.
func (s *Snapshot) trust(planned, value ast.Value, failure *Result) {
	undefined := failure != nil && len(failure.Reasons) == 1 && failure.Reasons[0].Code == CodeUndefined
	if planned == nil && undefined || planned != nil && value != nil && planned.Compare(value) == 0 {
		return
	}
	if !s.distrust.Swap(true) {
		s.opts.logger().Error("the policy's plan and OPA's interpreter answered differently; from here on the interpreter answers alone",
			"revision", s.revision, "digest", s.digest)
	}
}

// Distrusted reports whether the bundle's plan was seen to answer otherwise than
// OPA's interpreter, which has answered alone since: slower, and right.
func (s *Snapshot) Distrusted() bool { return s != nil && s.distrust.Load() }
