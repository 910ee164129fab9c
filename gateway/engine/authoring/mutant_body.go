package authoring

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// comparisons are what each comparison may become: its neighbour at the
// boundary, and its opposite.
var comparisons = map[string][]*ast.Builtin{
	ast.Equal.Name:         {ast.NotEqual},
	ast.NotEqual.Name:      {ast.Equal},
	ast.LessThan.Name:      {ast.LessThanEq, ast.GreaterThanEq},
	ast.LessThanEq.Name:    {ast.LessThan, ast.GreaterThan},
	ast.GreaterThan.Name:   {ast.GreaterThanEq, ast.LessThanEq},
	ast.GreaterThanEq.Name: {ast.GreaterThan, ast.LessThan},
}

// otherOperators are the operators on sets and numbers.
var otherOperators = map[string]struct {
	kind Mutation
	to   *ast.Builtin
}{
	ast.Or.Name:    {SwapLogic, ast.And},
	ast.And.Name:   {SwapLogic, ast.Or},
	ast.Plus.Name:  {SwapArithmetic, ast.Minus},
	ast.Minus.Name: {SwapArithmetic, ast.Plus},
}

// rule lists the mutants inside a rule: of its head, its body and its elses.
func (g *generator) rule(rule *ast.Rule) {
	head := rule.Head
	for i := range head.Args {
		g.term(head.Args[i], func(t *ast.Term) func() func() { return put(&head.Args[i], t) })
	}
	g.key(head)
	// A head without a value is true without saying so.
	if head.Value != nil && (head.Assign || rule.Default || !isTrue(head.Value)) {
		g.term(head.Value, func(t *ast.Term) func() func() { return put(&head.Value, t) })
	}
	if !rule.Default {
		g.body(&rule.Body, head.Vars())
	}
	if rule.Else != nil {
		g.add(RemoveRule, rule.Else.Location, "else", "", put(&rule.Else, nil))
		g.rule(rule.Else)
	}
}

// key lists the mutants of what a rule adds to its set, or of the name below
// which it puts its value. A name that is written out is no constant: who reads
// it writes the same.
func (g *generator) key(head *ast.Head) {
	if head.RuleKind() == ast.MultiValue {
		if head.Key != nil {
			g.term(head.Key, func(t *ast.Term) func() func() { return put(&head.Key, t) })
		}
		return
	}
	for i := 1; i < len(head.Reference); i++ {
		if _, written := head.Reference[i].Value.(ast.String); !written {
			g.term(head.Reference[i], func(t *ast.Term) func() func() { return put(&head.Reference[i], t) })
		}
	}
}

// body lists the mutants of a body; used are the variables that are read
// outside.
func (g *generator) body(slot *ast.Body, used ast.VarSet) {
	old := *slot
	for i, e := range old {
		if isCondition(e) {
			rest := without(old, i)
			if len(rest) == 0 {
				rest = ast.Body{ast.NewExpr(ast.BooleanTerm(true))}
			}
			g.add(DropCondition, e.Location, e.String(), "", put(slot, indexed(rest)))
		}
		if isCondition(e) && !isComparison(e) {
			g.negation(slot, i)
		}
		g.expr(slot, i, used)
	}
}

// negation adds or takes away the not of a condition.
func (g *generator) negation(slot *ast.Body, i int) {
	e := (*slot)[i]
	if _, ok := e.Terms.(*ast.Every); ok {
		return // the language has no "not every"
	}
	changed := *e
	changed.Negated = !e.Negated
	g.replace(Negate, slot, i, &changed)
}

// replace lists the mutant with other expressions instead of the i-th.
func (g *generator) replace(kind Mutation, slot *ast.Body, i int, with ...*ast.Expr) {
	old := *slot
	g.add(kind, old[i].Location, old[i].String(), ast.Body(with).String(),
		put(slot, indexed(slices.Concat(old[:i], ast.Body(with), old[i+1:]))))
}

// expr lists the mutants inside the i-th expression.
func (g *generator) expr(slot *ast.Body, i int, used ast.VarSet) {
	e := (*slot)[i]
	for j := range e.With {
		g.term(e.With[j].Value, func(t *ast.Term) func() func() { return put(&e.With[j].Value, t) })
	}
	switch terms := e.Terms.(type) {
	case *ast.Term:
		g.term(terms, func(t *ast.Term) func() func() { return put[any](&e.Terms, t) })
	case []*ast.Term:
		name := terms[0].Value.String()
		g.operators(name, e.Location, e.String(), func(op *ast.Term) (string, func() func()) {
			changed := *e
			changed.Terms = slices.Concat([]*ast.Term{op}, terms[1:])
			return changed.String(), put(&e.Terms, changed.Terms)
		})
		first := 1
		if e.IsAssignment() {
			first = 2 // what is assigned to is no value
		}
		for j := first; j < len(terms); j++ {
			g.term(terms[j], func(t *ast.Term) func() func() { return put(&terms[j], t) })
		}
	case *ast.SomeDecl:
		g.some(slot, i, terms, used)
	case *ast.Every:
		g.every(slot, i, terms)
	}
}

// some lists the mutants of a declaration; "some x in xs" with what follows
// becomes every, if nothing outside reads x.
func (g *generator) some(slot *ast.Body, i int, decl *ast.SomeDecl, used ast.VarSet) {
	call, ok := decl.Symbols[0].Value.(ast.Call)
	if !ok || len(decl.Symbols) != 1 || len(call) < 3 {
		return // without a domain
	}
	at := len(call) - 1
	g.term(call[at], func(t *ast.Term) func() func() { return put(&call[at], t) })

	rest := (*slot)[i+1:]
	if len(rest) == 0 || !slices.ContainsFunc(rest, isCondition) {
		return
	}
	every := &ast.Every{Value: call[at-1], Domain: call[at], Body: indexed(rest), Location: decl.Location}
	if len(call) == 4 {
		every.Key, every.Value = call[1], call[2]
	}
	if !isVar(every.Value) || every.Key != nil && !isVar(every.Key) || len(every.KeyValueVars().Intersect(used)) > 0 {
		return
	}
	expr := &ast.Expr{Terms: every, Location: (*slot)[i].Location}
	g.add(SwapLogic, expr.Location, (*slot)[i].String(), "every", put(slot, indexed(slices.Concat((*slot)[:i], ast.Body{expr}))))
}

// every lists the mutants of an every, and becomes some.
func (g *generator) every(slot *ast.Body, i int, every *ast.Every) {
	g.term(every.Domain, func(t *ast.Term) func() func() { return put(&every.Domain, t) })
	g.body(&every.Body, ast.VarSet{})

	member, args := ast.Member, []*ast.Term{every.Value, every.Domain}
	if every.Key != nil {
		member, args = ast.MemberWithKey, []*ast.Term{every.Key, every.Value, every.Domain}
	}
	decl := &ast.SomeDecl{Symbols: []*ast.Term{member.Call(args...)}, Location: every.Location}
	expr := &ast.Expr{Terms: decl, Location: (*slot)[i].Location}
	with := append([]*ast.Expr{expr}, every.Body...)
	old := *slot
	g.add(SwapLogic, expr.Location, old[i].String(), "some", put(slot, indexed(slices.Concat(old[:i], ast.Body(with), old[i+1:]))))
}

// operators lists what the operator of a call may become.
func (g *generator) operators(name string, loc *ast.Location, from string, with func(*ast.Term) (string, func() func())) {
	for _, other := range comparisons[name] {
		to, apply := with(operator(other, loc))
		g.add(FlipComparison, loc, from, to, apply)
	}
	if other, ok := otherOperators[name]; ok {
		to, apply := with(operator(other.to, loc))
		g.add(other.kind, loc, from, to, apply)
	}
}

func operator(b *ast.Builtin, loc *ast.Location) *ast.Term {
	return ast.NewTerm(b.Ref()).SetLocation(loc)
}

// indexed is a body of these expressions, in their places.
func indexed(exprs ast.Body) ast.Body {
	body := make(ast.Body, len(exprs))
	for i, e := range exprs {
		moved := *e
		moved.Index = i
		body[i] = &moved
	}
	return body
}

// isCondition reports whether an expression can be false by what it says: it
// is no declaration, no assignment and no literal.
func isCondition(e *ast.Expr) bool {
	if _, ok := e.Terms.(*ast.SomeDecl); ok || e.IsAssignment() {
		return false
	}
	if t, ok := e.Terms.(*ast.Term); ok {
		_, literal := t.Value.(ast.Boolean)
		return !literal
	}
	return true
}

func isComparison(e *ast.Expr) bool {
	terms, ok := e.Terms.([]*ast.Term)
	return ok && !e.Negated && comparisons[terms[0].Value.String()] != nil
}

func isVar(t *ast.Term) bool {
	_, ok := t.Value.(ast.Var)
	return ok
}

func isTrue(t *ast.Term) bool {
	b, ok := t.Value.(ast.Boolean)
	return ok && bool(b)
}
