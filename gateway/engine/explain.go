package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"

	"leviathan/gateway"
)

// An Explanation is an answer and how each rule with a code came to it.
type Explanation struct {
	Allow       bool             `json:"allow"`
	Reasons     []gateway.Reason `json:"reasons"`
	Obligations json.RawMessage  `json:"obligations"`
	Rules       []Explained      `json:"rules"` // by code, the reasons first
}

// Explained is what became of one rule.
type Explained struct {
	Code string `json:"code,omitempty"` // of a helper there is none
	Rule string `json:"rule"`           // the package; of a helper its name, too
	File string `json:"file"`
	Line int    `json:"line"`
	// Reason: the code is among the reasons. Fired: every condition held, for
	// at least one choice of its variables. Tried: it was evaluated at all.
	Reason bool `json:"reason"`
	Fired  bool `json:"fired"`
	Tried  bool `json:"tried"`
	// Conditions are those that were evaluated. Of a rule that did not fire the
	// last one is where it stopped, on the try that came furthest.
	Conditions []Condition `json:"conditions"`
}

// A Condition is one line of a rule with the values that it saw.
type Condition struct {
	Line   int    `json:"line"`
	Text   string `json:"text"` // as it is written
	Held   bool   `json:"held"`
	Values []Seen `json:"values,omitempty"` // by name
	// Helpers are the rules that the condition reads, three levels deep; no
	// functions.
	Helpers []Explained `json:"helpers,omitempty"`
}

// Seen is a value that a condition read.
type Seen struct {
	Name  string `json:"name"`
	Value string `json:"value"` // JSON, cut to 200 characters, or "undefined"
}

// Explain decides the question again with a tracer, some ten times slower than
// Decide, and without its deadline: ctx alone ends it. The index of rules is
// not used, so that each rule shows where it stopped. The answer is Decide's.
// It fails if the policy gives no answer that can be used.
func (s *Snapshot) Explain(ctx context.Context, action string, in Input) (Explanation, error) {
	if s == nil {
		return Explanation{}, fmt.Errorf("explain %s: there is no active policy", action)
	}
	return s.explain(ctx, action, in, readResult)
}

// explain is Explain for an answer that read reads.
func (s *Snapshot) explain(ctx context.Context, action string, in Input, read func(ast.Value) (Result, error)) (Explanation, error) {
	object, err := in.object()
	if err != nil {
		return Explanation{}, fmt.Errorf("explain %s: %w", action, err)
	}
	tracer := newRuleTracer(s, object)
	value, err := s.traced(ctx, object, tracer, rego.EvalRuleIndexing(false), rego.EvalEarlyExit(false))
	if err != nil {
		return Explanation{}, fmt.Errorf("explain %s: %w", action, err)
	}
	result, err := read(value)
	if err != nil {
		return Explanation{}, fmt.Errorf("explain %s: %w", action, err)
	}
	e := Explanation{Allow: result.Allow, Reasons: result.Reasons, Obligations: result.Obligations}
	for _, code := range s.Codes() {
		x := tracer.explained(code)
		x.Reason = slices.ContainsFunc(result.Reasons, func(r gateway.Reason) bool { return r.Code == code.Code })
		e.Rules = append(e.Rules, x)
	}
	slices.SortStableFunc(e.Rules, func(a, b Explained) int { return cmp.Compare(rank(a), rank(b)) })
	return e, nil
}

// rank puts reasons before what fired, what was tried and the rest.
func rank(x Explained) int {
	switch {
	case x.Reason:
		return 0
	case x.Fired:
		return 1
	case x.Tried:
		return 2
	}
	return 3
}

// traced evaluates the prepared query with a tracer.
func (s *Snapshot) traced(ctx context.Context, input ast.Value, tracer topdown.QueryTracer, more ...rego.EvalOption) (value ast.Value, err error) {
	defer func() {
		// As in a decision, a defect of the evaluator must not end the process.
		if p := recover(); p != nil {
			value, err = nil, fmt.Errorf("the evaluator panicked: %v", p)
		}
	}()
	cancel := topdown.NewCancel()
	defer context.AfterFunc(ctx, cancel.Cancel)()
	results, err := s.query.Eval(ctx, append(more,
		rego.EvalParsedInput(input),
		rego.EvalSortSets(true),
		rego.EvalExternalCancel(cancel),
		rego.EvalQueryTracer(tracer),
	)...)
	if err := cmp.Or(ctx.Err(), err); err != nil {
		return nil, err
	}
	if len(results) != 1 {
		return nil, fmt.Errorf("the policy gave %d answers", len(results))
	}
	value, ok := results[0].Bindings[resultVar].(ast.Value)
	if !ok {
		return nil, errors.New("the policy gave no value")
	}
	return value, nil
}

// Brief is what a reader asks for first: of a denied question the rules that
// denied it, of an allowed one those that were asked, without what their
// conditions read.
func (e Explanation) Brief() Explanation {
	rules := []Explained{}
	for _, rule := range e.Rules {
		switch {
		case rule.Reason:
			rules = append(rules, rule)
		case e.Allow && rule.Tried:
			rule.Conditions = slices.Clone(rule.Conditions)
			for i := range rule.Conditions {
				rule.Conditions[i].Helpers = nil
			}
			rules = append(rules, rule)
		}
	}
	e.Rules = rules
	return e
}

// Text is the explanation for a terminal of the given width; 0 means 100. The
// rules that were not tried are counted only.
func (e Explanation) Text(width int) string {
	width = max(cmp.Or(width, 100), 40)
	var b strings.Builder
	line := func(indent int, format string, args ...any) {
		text := strings.Repeat(" ", indent) + strings.Join(strings.Fields(fmt.Sprintf(format, args...)), " ")
		if r := []rune(text); len(r) > width {
			text = string(r[:width-1]) + "…"
		}
		b.WriteString(text + "\n")
	}
	if e.Allow {
		line(0, "allowed; obligations %s", e.Obligations)
	} else {
		line(0, "denied; reasons: %d", len(e.Reasons))
	}
	for _, r := range e.Reasons {
		line(2, "%s: %s", r.Code, r.Message)
	}
	untried := 0
	for _, x := range e.Rules {
		state := "stopped"
		switch {
		case !x.Tried:
			untried++
			continue
		case x.Reason:
			state = "is a reason"
		case x.Fired:
			state = "holds, and is no reason"
		}
		line(0, "%s %s (%s:%d)", x.Code, state, x.File, x.Line)
		shown := x.Conditions
		if !x.Fired && len(shown) > 1 {
			shown = shown[len(shown)-1:]
		}
		writeConditions(line, 2, shown)
	}
	line(0, "%d rules were not asked", untried)
	return b.String()
}

// writeConditions writes conditions, and below each what it read.
func writeConditions(line func(int, string, ...any), indent int, conditions []Condition) {
	for _, c := range conditions {
		mark := "yes"
		if !c.Held {
			mark = "no"
		}
		line(indent, "%s %d: %s", mark, c.Line, c.Text)
		for _, v := range c.Values {
			line(indent+4, "%s = %s", v.Name, v.Value)
		}
		for _, h := range c.Helpers {
			state := "is not true"
			if h.Fired {
				state = "holds"
			}
			line(indent+4, "%s %s (%s:%d)", h.Rule, state, h.File, h.Line)
			writeConditions(line, indent+6, h.Conditions)
		}
	}
}
