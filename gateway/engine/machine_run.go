package engine

import (
	"context"
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// How a block ended: it came to its end, or it is to leave so many blocks
// around it, or the function has returned or the evaluation has ended.
const (
	next = -1
	stop = 1 << 30
)

// A run is one evaluation of a machine.
type run struct {
	machine *machine
	input   *ast.Term
	cancel  topdown.Cancel
	context topdown.BuiltinContext
	err     error     // why it ended early
	value   *ast.Term // that was returned last
	results []*ast.Term
	memo    []*ast.Term // of each function its value
	known   []bool      // whether it is known, or known to be undefined
	found   []*ast.Term // by each lookup in the input
	looked  []bool      // whether that is known
	stack   []*ast.Term
	free    int // of the stack
	high    int // how far it was ever used
	outputs []*ast.Term
	output  func(*ast.Term) error // appends to outputs
}

// firstStack is how many registers the stack of a run begins with.
const firstStack = 1024

func (m *machine) newRun() *run {
	r := &run{machine: m, memo: make([]*ast.Term, len(m.funcs)), known: make([]bool, len(m.funcs)), stack: make([]*ast.Term, firstStack),
		found: make([]*ast.Term, len(m.lookups)), looked: make([]bool, len(m.lookups))}
	r.output = func(t *ast.Term) error {
		r.outputs = append(r.outputs, t)
		return nil
	}
	return r
}

// evaluate is the value of the query for an input; nil if there is none. With an
// error the interpreter has to answer.
func (m *machine) evaluate(ctx context.Context, input ast.Value, cancel topdown.Cancel) (ast.Value, error) {
	results, err := m.results(ctx, input, cancel)
	switch {
	case err != nil:
		return nil, err
	case len(results) == 0:
		return nil, nil
	case len(results) == 1:
		if object, ok := results[0].Value.(ast.Object); ok {
			if bound := object.Get(m.key); bound != nil {
				return bound.Value, nil
			}
		}
	}
	return nil, errLeft
}

// results are the objects of variables and values for which the query holds.
func (m *machine) results(ctx context.Context, input ast.Value, cancel topdown.Cancel) (results []*ast.Term, err error) {
	defer func() {
		if p := recover(); p != nil { // and the run is not used again
			results, err = nil, fmt.Errorf("%w: the machine panicked: %v", errLeft, p)
		}
	}()
	r, ok := m.pool.Get().(*run)
	if !ok {
		r = m.newRun()
	}
	r.cancel, r.context = cancel, topdown.BuiltinContext{Context: ctx, Cancel: cancel}
	if input != nil {
		r.input = ast.NewTerm(input)
	}
	r.found[0], r.looked[0] = r.input, true
	regs := r.alloc(m.size)
	regs[0], regs[1] = r.input, m.data
	for _, b := range m.plan {
		if r.block(b, regs) == stop {
			break
		}
	}
	results, err = r.results, r.err
	r.reset()
	m.pool.Put(r)
	return results, err
}

// reset lets go of everything that belongs to the evaluation.
func (r *run) reset() {
	clear(r.memo)
	clear(r.known)
	clear(r.found)
	clear(r.looked)
	clear(r.stack[:r.high])
	clear(r.outputs)
	r.results, r.outputs, r.free, r.high = nil, r.outputs[:0], 0, 0
	r.input, r.value, r.err, r.cancel = nil, nil, nil, nil
	r.context = topdown.BuiltinContext{}
}

// alloc takes n registers, all undefined, off the stack. What was taken before
// stays where it is: a larger stack is another one.
func (r *run) alloc(n int) []*ast.Term {
	if r.free+n > len(r.stack) {
		r.stack, r.free, r.high = make([]*ast.Term, max(2*len(r.stack), n)), 0, 0
	}
	regs := r.stack[r.free : r.free+n : r.free+n]
	r.free += n
	clear(regs[:min(n, max(0, r.high-(r.free-n)))]) // beyond it nothing was ever written
	r.high = max(r.high, r.free)
	return regs
}

// release gives back what was taken since the stack and its free place were
// these. A larger stack stays, and is empty again with the run.
func (r *run) release(stack []*ast.Term, free int) {
	if len(r.stack) == len(stack) {
		r.free = free
	}
}

// fail ends the evaluation.
func (r *run) fail(err error) int {
	if r.err == nil {
		r.err = err
	}
	return stop
}

// left is fail for what the interpreter has to do.
func (r *run) left(format string, args ...any) int {
	return r.fail(fmt.Errorf("%w: "+format, append([]any{errLeft}, args...)...))
}

// function is the value of a function; nil if it is undefined.
func (r *run) function(f *function, args []operand, caller []*ast.Term) *ast.Term {
	if f.memo && r.known[f.index] {
		return r.memo[f.index]
	}
	if r.cancel.Cancelled() {
		r.fail(errCancelled)
		return nil
	}
	stack, free := r.stack, r.free
	regs := r.alloc(f.size)
	for i, p := range f.params {
		if args != nil {
			regs[p] = get(&args[i], caller)
		}
	}
	if args == nil {
		regs[f.params[0]], regs[f.params[1]] = r.input, r.machine.data
	}
	r.value = nil
	var value *ast.Term
	for _, b := range f.body {
		if r.block(b, regs) == stop {
			value = r.value
			break
		}
	}
	r.release(stack, free)
	if r.err != nil {
		return nil
	}
	if value != nil && f.nested {
		value = ast.NewTerm(rebuilt(value.Value))
	}
	if f.memo {
		r.memo[f.index], r.known[f.index] = value, true
	}
	return value
}

// builtin calls one; an error of it is the interpreter's to report.
func (r *run) builtin(in *instruction, regs []*ast.Term) int {
	defer r.release(r.stack, r.free)
	args := r.alloc(len(in.args))
	for i := range in.args {
		if args[i] = get(&in.args[i], regs); args[i] == nil {
			return r.left("%s has an argument without a value", in.builtin.name)
		}
	}
	if in.builtin.direct != nil {
		if value := in.builtin.direct(args); value != nil {
			regs[in.target] = value
			return next
		}
	}
	context := r.context
	if in.builtin.bare {
		context = topdown.BuiltinContext{}
	}
	r.outputs = r.outputs[:0]
	if err := in.builtin.f(context, args, r.output); err != nil {
		return r.left("%v", err)
	}
	switch {
	case in.builtin.void:
		return next
	case in.builtin.relation:
		regs[in.target] = ast.ArrayTerm(append([]*ast.Term(nil), r.outputs...)...)
		return next
	case len(r.outputs) == 0:
		return 0
	case len(r.outputs) > 1:
		return r.left("%s has %d values", in.builtin.name, len(r.outputs))
	}
	regs[in.target] = r.outputs[0]
	return next
}

// dynamic calls the rule at a path, if there is one.
func (r *run) dynamic(in *instruction, regs []*ast.Term) int {
	at := in.paths
	for i := range in.args {
		name, ok := get(&in.args[i], regs).Value.(ast.String)
		if !ok {
			return 0
		}
		if at = at.below[string(name)]; at == nil {
			return 0
		}
	}
	if at.call == nil || len(at.call.params) != 2 {
		return 0
	}
	value := r.function(at.call, nil, regs)
	switch {
	case r.err != nil:
		return stop
	case value == nil:
		return dynamicDepth
	}
	regs[in.target] = value
	return next
}
