package engine

import (
	"errors"

	"github.com/open-policy-agent/opa/v1/ast"
)

// errCancelled says that the evaluation was cancelled.
var errCancelled = errors.New("cancelled")

// block carries out a block, and says how it ended.
func (r *run) block(code block, regs []*ast.Term) int {
	for i := range code {
		in := &code[i]
		var how int
		switch in.op {
		case opConst:
			regs[in.target] = in.a.term
			continue
		case opAssign:
			regs[in.target] = get(&in.a, regs)
			continue
		case opReset:
			regs[in.target] = nil
			continue
		case opInput:
			value := r.found[in.n]
			if !r.looked[in.n] {
				value = r.look(int(in.n))
			}
			if value == nil {
				return 0
			}
			regs[in.target] = value
			continue
		case opDot:
			how = r.dot(in, regs)
		case opEqual:
			how = r.compare(in, regs, true)
		case opDiffers:
			how = r.compare(in, regs, false)
		case opTrue:
			how = r.holds(in, regs)
		case opDefined:
			how = when(get(&in.a, regs) != nil)
		case opUndefined:
			how = when(get(&in.a, regs) == nil)
		case opCall:
			if value := r.function(in.call, in.args, regs); value != nil {
				regs[in.target] = value
				continue
			}
			if how = 0; r.err != nil {
				how = stop
			}
		case opBuiltin:
			how = r.builtin(in, regs)
		case opDynamic:
			how = r.dynamic(in, regs)
		case opBlocks:
			how = r.blocks(in.blocks, regs)
		case opNot:
			switch r.block(in.blocks[0], regs) {
			case next:
				how = 0
			case stop:
				how = stop
			default:
				continue
			}
		case opScan:
			how = r.scan(in, regs)
		case opBreak:
			how = int(in.n)
		case opReturn:
			r.value = get(&in.a, regs)
			how = stop
		default:
			how = r.build(in, regs)
		}
		if how != next {
			return how
		}
	}
	return next
}

// when goes on where a condition holds.
func when(holds bool) int {
	if holds {
		return next
	}
	return 0
}

// blocks carries out blocks one after the other, until one leaves them all.
func (r *run) blocks(list []block, regs []*ast.Term) int {
	for _, b := range list {
		if how := r.block(b, regs); how == stop {
			return stop
		} else if how > 0 {
			return how - 1
		}
	}
	return next
}

// look is what a lookup finds in the input; nil if there is nothing.
func (r *run) look(n int) *ast.Term {
	if r.looked[n] {
		return r.found[n]
	}
	at := r.machine.lookups[n]
	r.looked[n] = true
	if above := r.look(at.above); above != nil {
		if object, ok := above.Value.(ast.Object); ok {
			r.found[n] = object.Get(at.key)
		} else if set, ok := above.Value.(ast.Set); ok && set.Contains(at.key) {
			r.found[n] = at.key
		}
	}
	return r.found[n]
}

func (r *run) dot(in *instruction, regs []*ast.Term) int {
	from, key := get(&in.a, regs), get(&in.b, regs)
	if from == nil || key == nil {
		return 0
	}
	var value *ast.Term
	switch v := from.Value.(type) {
	case ast.Object:
		value = v.Get(key)
	case *ast.Array:
		value = v.Get(key)
	case ast.Set:
		if v.Contains(key) {
			value = key
		}
	}
	if value == nil {
		return r.missing(from, key)
	}
	regs[in.target] = value
	return next
}

// missing is undefined, but for the bundle's data. There the interpreter goes by
// a path of texts, so that 2 finds the member "2", and "2" the third element.
func (r *run) missing(from, key *ast.Term) int {
	if !r.machine.dataful {
		return 0
	}
	_, list := from.Value.(*ast.Array)
	_, object := from.Value.(ast.Object)
	_, number := key.Value.(ast.Number)
	_, text := key.Value.(ast.String)
	if (object && number) || (list && text) {
		return r.left("a path through the bundle's data, it may be")
	}
	return 0
}

func (r *run) compare(in *instruction, regs []*ast.Term, equal bool) int {
	a, b := get(&in.a, regs), get(&in.b, regs)
	if a == nil || b == nil {
		return r.left("a comparison with what has no value")
	}
	return when((a == b || ast.ValueEqual(a.Value, b.Value)) == equal)
}

// holds: everything but false does.
func (r *run) holds(in *instruction, regs []*ast.Term) int {
	a := get(&in.a, regs)
	if a == nil {
		return r.left("a condition without a value")
	}
	said, boolean := a.Value.(ast.Boolean)
	return when(!boolean || bool(said))
}

// scan carries out a block for each element. Of an array the keys are its
// indices, of a set its elements.
func (r *run) scan(in *instruction, regs []*ast.Term) int {
	from := get(&in.a, regs)
	if from == nil {
		return next
	}
	switch v := from.Value.(type) {
	case *ast.Array:
		for i := range v.Len() {
			if r.each(in, regs, ast.InternedTerm(i), v.Elem(i)) {
				return stop
			}
		}
	case ast.Set:
		for _, t := range v.Slice() {
			if r.each(in, regs, t, t) {
				return stop
			}
		}
	case ast.Object:
		if v.Until(func(key, value *ast.Term) bool { return r.each(in, regs, key, value) }) {
			return stop
		}
	}
	return next
}

// each carries out the block of a scan for one element, and reports whether
// that ended everything.
func (r *run) each(in *instruction, regs []*ast.Term, key, value *ast.Term) bool {
	if r.cancel.Cancelled() {
		r.fail(errCancelled)
		return true
	}
	regs[in.target], regs[in.n] = key, value
	return r.block(in.blocks[0], regs) == stop
}

// build carries out what makes values.
func (r *run) build(in *instruction, regs []*ast.Term) int {
	switch in.op {
	case opNew:
		regs[in.target] = nothing[in.of]
	case opList:
		regs[in.target] = newList(int(in.n))
	case opAppend:
		return r.append(in, regs)
	case opAdd:
		value := get(&in.a, regs)
		if value == nil {
			return r.left("a set of what has no value")
		}
		if regs[in.target] == nothing[shapeSet] {
			regs[in.target] = ast.SetTerm(value)
			return next
		}
		regs[in.target].Value.(ast.Set).Add(value)
	case opInsert, opInsertOnce:
		return r.insert(in, regs)
	case opAssignOnce:
		old, value := regs[in.target], get(&in.a, regs)
		if old != nil && (value == nil || !ast.ValueEqual(old.Value, value.Value)) {
			return r.left("two values that differ")
		}
		regs[in.target] = value
	case opType:
		return when(isA(get(&in.a, regs), in.of))
	case opLength:
		n, ok := length(get(&in.a, regs))
		if !ok {
			return r.left("the length of what has none")
		}
		regs[in.target] = ast.InternedTerm(n)
	case opMerge:
		merged, ok := merged(get(&in.a, regs), get(&in.b, regs))
		if !ok {
			return r.left("data and rules at one place")
		}
		regs[in.target] = merged
	case opResult:
		r.results = append(r.results, get(&in.a, regs))
	default:
		return r.left("instruction %d is not known", in.op)
	}
	return next
}

// insert puts a member into an object.
func (r *run) insert(in *instruction, regs []*ast.Term) int {
	key, value := get(&in.a, regs), get(&in.b, regs)
	if key == nil || value == nil {
		return r.left("an object of what has no value")
	}
	if regs[in.target] == nothing[shapeObject] {
		regs[in.target] = ast.ObjectTerm()
	}
	object := regs[in.target].Value.(ast.Object)
	if in.op == opInsertOnce {
		if old := object.Get(key); old != nil {
			if !ast.ValueEqual(old.Value, value.Value) {
				return r.left("two values of one key")
			}
			return next
		}
	}
	object.Insert(key, value)
	return next
}

// append adds to a list. One that was read before goes on as a copy: what was
// read stays as it was.
func (r *run) append(in *instruction, regs []*ast.Term) int {
	value := get(&in.a, regs)
	if value == nil {
		return r.left("a list of what has no value")
	}
	switch v := regs[in.target].Value.(type) {
	case *list:
		v.terms = append(v.terms, value)
	case *ast.Array:
		again := newList(v.Len() + 1)
		grown := again.Value.(*list)
		v.Foreach(func(t *ast.Term) { grown.terms = append(grown.terms, t) })
		grown.terms = append(grown.terms, value)
		regs[in.target] = again
	default:
		return r.left("a list that is none")
	}
	return next
}
