package engine

import (
	"encoding/json"

	"github.com/open-policy-agent/opa/v1/ast"
)

// A list is an array that is still growing. It stands in a register only: who
// reads it finds an array.
type list struct {
	ast.Value // none: a list is never looked at
	terms     []*ast.Term
}

func newList(capacity int) *ast.Term {
	return &ast.Term{Value: &list{terms: make([]*ast.Term, 0, capacity)}}
}

// nothing are the sets and objects that have nothing in them yet. They are shared:
// the first that is added begins a set, or an object, of its own.
var nothing = [...]*ast.Term{shapeObject: ast.ObjectTerm(), shapeSet: ast.SetTerm()}

// get is the value of an operand; nil if it is undefined.
func get(o *operand, regs []*ast.Term) *ast.Term {
	if o.term != nil {
		return o.term
	}
	t := regs[o.reg]
	if !o.list || t == nil {
		return t
	}
	grown, ok := t.Value.(*list)
	if !ok {
		return t
	}
	t = ast.ArrayTerm(grown.terms...)
	regs[o.reg] = t
	return t
}

// numberTerm is the term of a number as it is written.
func numberTerm(text string) *ast.Term {
	if t := ast.InternedIntNumberTermFromString(text); t != nil {
		return t
	}
	return ast.NumberTerm(json.Number(text))
}

func isA(t *ast.Term, of shape) bool {
	if t == nil {
		return false
	}
	var ok bool
	switch of {
	case shapeArray:
		_, ok = t.Value.(*ast.Array)
	case shapeObject:
		_, ok = t.Value.(ast.Object)
	case shapeSet:
		_, ok = t.Value.(ast.Set)
	}
	return ok
}

// length is how many elements an array, object or set has.
func length(t *ast.Term) (int, bool) {
	if t == nil {
		return 0, false
	}
	switch v := t.Value.(type) {
	case *ast.Array:
		return v.Len(), true
	case ast.Object:
		return v.Len(), true
	case ast.Set:
		return v.Len(), true
	}
	return 0, false
}

// merged is the object of both objects' members, object by object. It is none
// where both have a member that is no object.
func merged(a, b *ast.Term) (*ast.Term, bool) {
	if a == nil || b == nil {
		return nil, false
	}
	from, ok := a.Value.(ast.Object)
	into, both := b.Value.(ast.Object)
	if !ok || !both {
		return nil, false
	}
	object := ast.NewObject()
	into.Foreach(func(k, v *ast.Term) { object.Insert(k, v) })
	whole := true
	from.Foreach(func(k, v *ast.Term) {
		if other := object.Get(k); other != nil {
			if v, ok = merged(v, other); !ok {
				whole = false
				return
			}
		}
		object.Insert(k, v)
	})
	return ast.NewTerm(object), whole
}

// rebuilt is a value made anew of what is in it now. OPA's objects keep sums of
// what was put into them, which what was added below does not change.
func rebuilt(v ast.Value) ast.Value {
	switch v := v.(type) {
	case ast.Object:
		object := ast.NewObject()
		v.Foreach(func(k, v *ast.Term) { object.Insert(k, ast.NewTerm(rebuilt(v.Value))) })
		return object
	case ast.Set:
		return ast.NewSet(v.Slice()...)
	}
	return v
}
