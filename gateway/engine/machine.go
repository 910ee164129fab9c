package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/ir"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage"
)

// A machine evaluates the one query of a bundle from the plan that OPA itself
// makes of it, some five times faster than OPA's interpreter, which searches
// where the plan says what to do. It is only ever a short cut to the
// interpreter's answer: whatever it cannot finish, a conflict, a failing
// builtin or a defect of its own, it leaves to the interpreter, whose answer
// and whose words count. A policy that it cannot run at all has none.
//
// A machine never changes, and is safe for concurrent use.
type machine struct {
	plan    []block
	size    int // registers of the plan
	funcs   []*function
	lookups []lookup
	data    *ast.Term
	dataful bool      // the bundle has data beside its rules
	key     *ast.Term // of the answer, in what the plan returns
	pool    sync.Pool // of runs that are over: what they allocated is used again
}

// errLeft says that the machine leaves a question to the interpreter.
var errLeft = errors.New("left to the interpreter")

// planTarget is the name under which rego hands plans to planner.
const planTarget = "leviathan.plan"

func init() { rego.RegisterPlugin(planTarget, planner{}) }

// planner is where rego hands over a plan: to the *ir.Policy of the context.
type planner struct{}

type planKey struct{}

// IsTarget implements rego.TargetPlugin.
func (planner) IsTarget(name string) bool { return name == planTarget }

// PrepareForEval implements rego.TargetPlugin.
func (planner) PrepareForEval(ctx context.Context, policy *ir.Policy, _ ...rego.PrepareOption) (rego.TargetPluginEval, error) {
	into, ok := ctx.Value(planKey{}).(*ir.Policy)
	if !ok {
		return nil, errors.New("nobody asked for a plan")
	}
	*into = *policy
	return planner{}, nil
}

// Eval implements rego.TargetPluginEval. A plan is not evaluated here.
func (planner) Eval(context.Context, *rego.EvalContext, ast.Value) (ast.Value, error) {
	return nil, errors.New("a plan is evaluated by its machine")
}

// newMachine makes the machine of a query, which binds resultVar. It fails if
// OPA cannot plan the query, or the machine does not know what is in the plan.
func newMachine(ctx context.Context, query string, compiler *ast.Compiler, store storage.Store, data map[string]any) (_ *machine, err error) {
	defer func() {
		// OPA's planner panics where it thinks something impossible.
		if p := recover(); p != nil {
			err = fmt.Errorf("plan %s: %v", query, p)
		}
	}()
	var policy ir.Policy
	// Planning tells the compiler that it works for a plan; it goes on working
	// for the interpreter.
	defer compiler.WithEvalMode(ast.EvalModeTopdown)
	if _, err := rego.New(
		rego.Query(query),
		rego.Compiler(compiler),
		rego.Store(store),
		rego.Target(planTarget),
	).PrepareForEval(context.WithValue(ctx, planKey{}, &policy)); err != nil {
		return nil, fmt.Errorf("plan %s: %w", query, err)
	}
	value, err := ast.InterfaceToValue(data)
	if err != nil {
		return nil, fmt.Errorf("convert the bundle's data: %w", err)
	}
	m := &machine{data: ast.NewTerm(value), dataful: len(data) > 0, key: ast.StringTerm(resultVar)}
	return m, m.assemble(&policy)
}
