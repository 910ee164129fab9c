package authoring

import (
	"encoding/json"
	"slices"
	"strconv"

	"github.com/open-policy-agent/opa/v1/ast"
)

// term lists the mutants of a term and of what is in it. set is the change
// that puts another term in its place: terms are shared and hashed, so that
// none is changed where it is.
func (g *generator) term(t *ast.Term, set func(*ast.Term) func() func()) {
	if t == nil {
		return
	}
	become := func(kind Mutation, v ast.Value) {
		other := &ast.Term{Value: v, Location: t.Location}
		g.add(kind, t.Location, t.String(), other.String(), set(other))
	}
	within := func(v ast.Value) func() func() { return set(&ast.Term{Value: v, Location: t.Location}) }

	switch v := t.Value.(type) {
	case ast.Boolean:
		become(ChangeConstant, !v)
	case ast.Number:
		for _, n := range neighbours(v) {
			become(ChangeConstant, n)
		}
	case ast.String:
		become(ChangeConstant, v+"~")
	case ast.Ref:
		for i, part := range v {
			if _, name := part.Value.(ast.String); name || i == 0 && isVar(part) {
				continue
			}
			g.term(part, func(n *ast.Term) func() func() { return within(replaced(v, i, n)) })
		}
	case ast.Call:
		g.call(t, v, set)
	case *ast.Array:
		g.array(v, become, within)
	case ast.Set:
		g.set(v, become, within)
	case ast.Object:
		g.object(v, become, within)
	case *ast.ArrayComprehension:
		g.comprehension(&v.Body, &v.Term)
	case *ast.SetComprehension:
		g.comprehension(&v.Body, &v.Term)
	case *ast.ObjectComprehension:
		g.comprehension(&v.Body, &v.Key, &v.Value)
	}
}

func (g *generator) call(t *ast.Term, call ast.Call, set func(*ast.Term) func() func()) {
	within := func(v ast.Value) func() func() { return set(&ast.Term{Value: v, Location: t.Location}) }
	g.operators(call[0].Value.String(), t.Location, t.String(), func(op *ast.Term) (string, func() func()) {
		other := replaced(call, 0, op)
		return other.String(), within(other)
	})
	for i := 1; i < len(call); i++ {
		g.term(call[i], func(n *ast.Term) func() func() { return within(replaced(call, i, n)) })
	}
}

func (g *generator) array(v *ast.Array, become func(Mutation, ast.Value), within func(ast.Value) func() func()) {
	items := make([]*ast.Term, v.Len())
	for i := range items {
		items[i] = v.Elem(i)
	}
	for i, item := range items {
		become(DropMember, ast.NewArray(without(items, i)...))
		g.term(item, func(n *ast.Term) func() func() { return within(ast.NewArray(replaced(items, i, n)...)) })
	}
}

func (g *generator) set(v ast.Set, become func(Mutation, ast.Value), within func(ast.Value) func() func()) {
	items := v.Slice()
	for i, item := range items {
		become(DropMember, ast.NewSet(without(items, i)...))
		g.term(item, func(n *ast.Term) func() func() { return within(ast.NewSet(replaced(items, i, n)...)) })
	}
}

func (g *generator) object(v ast.Object, become func(Mutation, ast.Value), within func(ast.Value) func() func()) {
	var pairs [][2]*ast.Term
	for _, key := range v.Keys() {
		pairs = append(pairs, [2]*ast.Term{key, v.Get(key)})
	}
	for i, pair := range pairs {
		become(DropMember, ast.NewObject(without(pairs, i)...))
		g.term(pair[1], func(n *ast.Term) func() func() {
			return within(ast.NewObject(replaced(pairs, i, [2]*ast.Term{pair[0], n})...))
		})
	}
}

// comprehension lists the mutants of a comprehension, which is changed where
// it is: it has no hash of its own.
func (g *generator) comprehension(body *ast.Body, heads ...**ast.Term) {
	used := ast.VarSet{}
	for _, head := range heads {
		used.Update((*head).Vars())
		g.term(*head, func(t *ast.Term) func() func() { return put(head, t) })
	}
	g.body(body, used)
}

// replaced is a copy of the list with another item i.
func replaced[S ~[]E, E any](list S, i int, item E) S {
	list = slices.Clone(list)
	list[i] = item
	return list
}

// neighbours are the numbers one below and one above; of a fraction the one
// above alone.
func neighbours(n ast.Number) []ast.Value {
	if i, ok := n.Int64(); ok {
		return []ast.Value{whole(i - 1), whole(i + 1)}
	}
	f, _ := n.Float64()
	return []ast.Value{ast.Number(json.Number(strconv.FormatFloat(f+1, 'g', -1, 64)))}
}

func whole(i int64) ast.Value { return ast.Number(json.Number(strconv.FormatInt(i, 10))) }
