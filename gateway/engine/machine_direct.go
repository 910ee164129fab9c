package engine

import "github.com/open-policy-agent/opa/v1/ast"

// direct are builtins that cost less than calling them does. Each says what
// OPA's says, or nil where that has to be asked.
var direct = map[string]func(args []*ast.Term) *ast.Term{
	ast.IsString.Name:  ofType[ast.String],
	ast.IsNumber.Name:  ofType[ast.Number],
	ast.IsBoolean.Name: ofType[ast.Boolean],
	ast.IsNull.Name:    ofType[ast.Null],
	ast.IsArray.Name:   ofType[*ast.Array],
	ast.IsObject.Name:  ofType[ast.Object],
	ast.IsSet.Name:     ofType[ast.Set],
	ast.NotEqual.Name: func(args []*ast.Term) *ast.Term {
		return ast.InternedTerm(!ast.ValueEqual(args[0].Value, args[1].Value))
	},
	ast.Equal.Name: func(args []*ast.Term) *ast.Term {
		return ast.InternedTerm(ast.ValueEqual(args[0].Value, args[1].Value))
	},
	ast.Member.Name: memberOfSet,
	ast.Or.Name:     unionWithNone,
}

func ofType[T ast.Value](args []*ast.Term) *ast.Term {
	_, ok := args[0].Value.(T)
	return ast.InternedTerm(ok)
}

// memberOfSet is whether a set has the element; nil for what is no set.
func memberOfSet(args []*ast.Term) *ast.Term {
	if set, ok := args[1].Value.(ast.Set); ok {
		return ast.InternedTerm(set.Contains(args[0]))
	}
	return nil
}

// unionWithNone is the union of two sets of which one is empty, as most of those
// are that rules deny with; nil for all others.
func unionWithNone(args []*ast.Term) *ast.Term {
	a, ok := args[0].Value.(ast.Set)
	b, both := args[1].Value.(ast.Set)
	switch {
	case !ok || !both:
		return nil
	case b.Len() == 0:
		return args[0]
	case a.Len() == 0:
		return args[1]
	}
	return nil
}
