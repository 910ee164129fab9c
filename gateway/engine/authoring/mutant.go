package authoring

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// A Mutation is the kind of a change.
type Mutation string

// The mutations.
const (
	FlipComparison Mutation = "flip-comparison" // one of == != < <= > >= became another
	DropCondition  Mutation = "drop-condition"  // a condition of a body is gone
	Negate         Mutation = "negate"          // a condition is negated, or no longer
	SwapLogic      Mutation = "swap-logic"      // and became or; | became &; every became some
	SwapArithmetic Mutation = "swap-arithmetic" // + became -
	ChangeConstant Mutation = "change-constant" // a number, boolean or string is another
	DropMember     Mutation = "drop-member"     // a literal set, array or object lacks one
	RemoveRule     Mutation = "remove-rule"     // a rule or an else is gone
	RemoveDefault  Mutation = "remove-default"  // a default is gone
)

// A Mutant is the policies with one change, at one place.
type Mutant struct {
	File     string   `json:"file"`
	Line     int      `json:"line"`
	Col      int      `json:"col"`
	Package  string   `json:"package"` // without "data."
	Rule     string   `json:"rule"`
	Mutation Mutation `json:"mutation"`
	From     string   `json:"from"` // what stood there
	To       string   `json:"to"`   // what stands there now; empty if nothing does

	first, last int           // the lines of the rule
	isDefault   bool          // the rule is a default
	apply       func() func() // makes the change in the modules, and returns what undoes it
}

// mutants lists every mutant of the modules, in the order of files and lines.
// Their changes are made in these modules, one at a time.
func mutants(modules map[string]*ast.Module) []Mutant {
	var all []Mutant
	for _, file := range slices.Sorted(maps.Keys(modules)) {
		m := modules[file]
		g := generator{module: m, file: file, pkg: dataPackage(m)}
		for i, rule := range m.Rules {
			g.enter(rule)
			g.removal(i)
			g.joins(i)
			g.rule(rule)
		}
		all = append(all, g.out...)
	}
	slices.SortStableFunc(all, func(a, b Mutant) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
	})
	return all
}

// A generator collects the mutants of one module.
type generator struct {
	module      *ast.Module
	file, pkg   string
	name        string
	first, last int
	isDefault   bool
	out         []Mutant
}

// enter begins a rule.
func (g *generator) enter(rule *ast.Rule) {
	g.name = rule.Head.Ref().String()
	g.isDefault = rule.Default
	g.first, g.last = rule.Location.Row, rule.Location.Row+strings.Count(string(rule.Location.Text), "\n")
}

// add lists one mutant.
func (g *generator) add(kind Mutation, loc *ast.Location, from, to string, apply func() func()) {
	m := Mutant{
		File: g.file, Package: g.pkg, Rule: g.name, Mutation: kind,
		From: oneLine(from), To: oneLine(to), Line: g.first, first: g.first, last: g.last, isDefault: g.isDefault, apply: apply,
	}
	if loc != nil && loc.Row > 0 {
		m.Line, m.Col = loc.Row, loc.Col
	}
	g.out = append(g.out, m)
}

// put is the change that puts a value into a slot.
func put[T any](slot *T, value T) func() func() {
	return func() func() {
		old := *slot
		*slot = value
		return func() { *slot = old }
	}
}

// removal is the module without its rule i.
func (g *generator) removal(i int) {
	rule := g.module.Rules[i]
	kind := RemoveRule
	if rule.Default {
		kind = RemoveDefault
	}
	g.add(kind, rule.Location, firstLine(rule), "", g.rules(without(g.module.Rules, i), rule))
}

// rules is the change to other rules; the METADATA of one that is gone goes
// with it.
func (g *generator) rules(rules []*ast.Rule, gone *ast.Rule) func() func() {
	annotations := slices.DeleteFunc(slices.Clone(g.module.Annotations), func(a *ast.Annotations) bool {
		return gone != nil && ast.NewAnnotationsRef(a).GetRule() == gone
	})
	return both(put(&g.module.Rules, rules), put(&g.module.Annotations, annotations))
}

// both is two changes at once.
func both(one, other func() func()) func() func() {
	return func() func() {
		undoOne, undoOther := one(), other()
		return func() { undoOther(); undoOne() }
	}
}

// joins makes and of or, and or of and: two rules of one head become one with
// the conditions of both; a rule of two conditions becomes two rules.
func (g *generator) joins(i int) {
	rules := g.module.Rules
	rule := rules[i]
	if rule.Default || rule.Else != nil {
		return
	}
	if i+1 < len(rules) {
		if next := rules[i+1]; !next.Default && next.Else == nil && next.Head.Equal(rule.Head) {
			g.add(SwapLogic, next.Location, "or "+g.name, "and", both(
				put(&rule.Body, indexed(slices.Concat(rule.Body, next.Body))), g.rules(without(rules, i+1), next)))
		}
	}
	if len(rule.Body) == 2 && isCondition(rule.Body[0]) && isCondition(rule.Body[1]) {
		other := rule.Copy()
		other.Body, other.Annotations, other.Module = indexed(other.Body[1:]), nil, rule.Module
		g.add(SwapLogic, rule.Body[1].Location, "and "+rule.Body[1].String(), "or", both(
			put(&rule.Body, indexed(rule.Body[:1])), g.rules(slices.Insert(slices.Clone(rules), i+1, other), nil)))
	}
}

// without is the list without its item i.
func without[S ~[]E, E any](list S, i int) S { return slices.Delete(slices.Clone(list), i, i+1) }

// firstLine is the first line of a rule's text.
func firstLine(rule *ast.Rule) string {
	text, _, _ := strings.Cut(string(rule.Location.Text), "\n")
	return text
}

const shownChange = 100

// oneLine is text in one line, cut to what a report can bear.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > shownChange {
		return string(r[:shownChange-1]) + "…"
	}
	return s
}
