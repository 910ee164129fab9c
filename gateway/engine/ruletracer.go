package engine

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// shownValue is how many characters of a value an explanation has.
const shownValue = 200

// helperDepth is how deep an explanation follows the rules that a rule reads.
const helperDepth = 3

// A ruleTracer follows every rule that is evaluated.
type ruleTracer struct {
	lines map[string][]string // the text of the files
	input ast.Object
	live  map[uint64]*try // by the query that evaluates the rule
	best  map[place]*try  // the try of each rule that came furthest
}

// A place is where a rule stands.
type place struct {
	file string
	line int
}

// A try is one evaluation of one rule.
type try struct {
	at     place
	name   string // with its package
	helper bool   // it is no function: one try says all about it
	fired  bool
	conds  map[int]*Condition          // by line
	reads  map[int]map[string]struct{} // the rules that each line names
	order  []int
}

func newRuleTracer(s *Snapshot, input ast.Value) *ruleTracer {
	t := &ruleTracer{lines: map[string][]string{}, live: map[uint64]*try{}, best: map[place]*try{}}
	t.input, _ = input.(ast.Object)
	for _, f := range s.files {
		t.lines[f.name] = strings.Split(string(f.data), "\n")
	}
	return t
}

func (*ruleTracer) Enabled() bool               { return true }
func (*ruleTracer) Config() topdown.TraceConfig { return topdown.TraceConfig{PlugLocalVars: true} }

// TraceEvent follows entries, conditions and exits.
func (t *ruleTracer) TraceEvent(e topdown.Event) {
	if rule, ok := e.Node.(*ast.Rule); ok && rule.Location != nil {
		at := place{rule.Location.File, rule.Location.Row}
		switch e.Op {
		case topdown.EnterOp:
			t.live[e.QueryID] = &try{at: at, name: rule.Ref().GroundPrefix().String(), helper: len(rule.Head.Args) == 0, conds: map[int]*Condition{}, reads: map[int]map[string]struct{}{}}
			t.keep(t.live[e.QueryID])
		case topdown.ExitOp:
			if now := t.live[e.QueryID]; now != nil && !now.fired {
				now.fired = true
				t.keep(now)
			}
		}
		return
	}
	expr, ok := e.Node.(*ast.Expr)
	now := t.live[e.QueryID]
	if !ok || now == nil || now.fired || expr.Location == nil || expr.Location.Row < now.at.line {
		return
	}
	switch e.Op {
	case topdown.EvalOp:
		now.condition(t, e, expr).Held = true
		t.keep(now)
	case topdown.FailOp:
		now.condition(t, e, expr).Held = false
	}
}

// condition is the one of the expression's line, with the values that the
// expression reads.
func (now *try) condition(t *ruleTracer, e topdown.Event, expr *ast.Expr) *Condition {
	row := expr.Location.Row
	c := now.conds[row]
	if c == nil {
		c = &Condition{Line: row}
		if lines := t.lines[now.at.file]; row <= len(lines) {
			c.Text = strings.TrimSpace(lines[row-1])
		}
		now.conds[row] = c
		now.order = append(now.order, row)
	}
	seen := map[string]string{}
	for _, v := range c.Values {
		seen[v.Name] = v.Value
	}
	t.read(seen, e, expr)
	if now.reads[row] == nil {
		now.reads[row] = map[string]struct{}{}
	}
	ast.WalkRefs(expr, func(ref ast.Ref) bool {
		for n := 2; ref.HasPrefix(ast.DefaultRootRef) && n <= len(ref.ConstantPrefix()); n++ {
			now.reads[row][ref[:n].String()] = struct{}{}
		}
		return false
	})
	c.Values = c.Values[:0]
	for _, name := range slices.Sorted(maps.Keys(seen)) {
		c.Values = append(c.Values, Seen{Name: name, Value: seen[name]})
	}
	return c
}

// read collects the parts of the input and the variables that an expression
// reads.
func (t *ruleTracer) read(seen map[string]string, e topdown.Event, expr *ast.Expr) {
	ast.WalkRefs(expr, func(ref ast.Ref) bool {
		if !ref.HasPrefix(ast.InputRootRef) || t.input == nil || len(ref) < 2 {
			return false
		}
		plugged, ok := e.Plug(ast.NewTerm(ref)).Value.(ast.Ref)
		if !ok || !plugged.IsGround() {
			return false
		}
		if v, err := t.input.Find(plugged[1:]); err == nil {
			seen[plugged.String()] = shown(v)
		} else {
			seen[plugged.String()] = "undefined"
		}
		return false
	})
	if e.Locals == nil {
		return
	}
	for v := range expr.Vars(ast.VarVisitorParams{SkipRefCallHead: true}) {
		name, ok := e.LocalMetadata[v]
		value := e.Locals.Get(v)
		if ok && value != nil && value.IsGround() && !strings.HasPrefix(string(name.Name), "__") {
			seen[string(name.Name)] = shown(value)
		}
	}
}

func shown(v ast.Value) string {
	text := v.String()
	if r := []rune(text); len(r) > shownValue {
		return string(r[:shownValue-1]) + "…"
	}
	return text
}

// keep remembers the try if no other of its rule came further.
func (t *ruleTracer) keep(now *try) {
	old := t.best[now.at]
	if old == nil || now.depth() > old.depth() {
		t.best[now.at] = now
	}
}

// depth is how far a try came.
func (now *try) depth() int {
	if now.fired {
		return 1 << 30
	}
	return len(now.order)
}

// explained is what became of the rule with the code.
func (t *ruleTracer) explained(code Code) Explained {
	x := Explained{Code: code.Code, Rule: code.Package, File: code.File, Line: code.Line, Conditions: []Condition{}}
	if best := t.best[place{code.File, code.Line}]; best != nil {
		x.Tried, x.Fired, x.Conditions = true, best.fired, t.conditions(best, helperDepth)
	}
	return x
}

// conditions are those of a try, each with the rules that it reads.
func (t *ruleTracer) conditions(now *try, depth int) []Condition {
	list := []Condition{}
	for _, row := range now.order {
		c := *now.conds[row]
		if depth > 0 {
			c.Helpers = t.helpers(now.reads[row], depth-1)
		}
		list = append(list, c)
	}
	return list
}

// helpers are the rules of these names, in the order of files and lines.
func (t *ruleTracer) helpers(names map[string]struct{}, depth int) []Explained {
	var list []Explained
	for at, best := range t.best {
		if _, ok := names[best.name]; ok && best.helper {
			list = append(list, Explained{Rule: strings.TrimPrefix(best.name, "data."), File: at.file, Line: at.line, Tried: true,
				Fired: best.fired, Conditions: t.conditions(best, depth)})
		}
	}
	slices.SortFunc(list, func(a, b Explained) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	return list
}
