package engine

import (
	"context"
	"fmt"
	"iter"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// A Coverage is what a number of questions evaluated of a bundle.
type Coverage struct {
	Questions int            `json:"questions"`
	Unusable  int            `json:"unusable"` // of them, those without a usable answer
	Files     []FileCoverage `json:"files"`    // of the policies, by name
	Fired     map[string]int `json:"fired"`    // by every code of the bundle: in how many questions its rule held
}

// Cover evaluates the questions as Decide does, with a tracer and without a
// deadline, and says which lines of the policies they reached and which rules
// with codes held. A rule that held need not have been a reason in the end. The
// error is ctx's, or that of an input that is none.
func (s *Snapshot) Cover(ctx context.Context, questions iter.Seq2[string, Input]) (Coverage, error) {
	out := Coverage{Fired: map[string]int{}}
	at := map[place]string{}
	modules, err := s.modules()
	if err != nil {
		return Coverage{}, fmt.Errorf("cover: %w", err)
	}
	for _, c := range s.Codes() {
		out.Fired[c.Code] = 0
		at[place{c.File, c.Line}] = c.Code
	}
	lines := cover.New()
	for action, in := range questions {
		object, err := in.object()
		if err != nil {
			return Coverage{}, fmt.Errorf("cover %s: %w", action, err)
		}
		out.Questions++
		fired := firedTracer{at: at, codes: map[string]struct{}{}}
		if _, err := s.traced(ctx, object, fired, rego.EvalQueryTracer(lines)); ctx.Err() != nil {
			return Coverage{}, fmt.Errorf("cover %s: %w", action, ctx.Err())
		} else if err != nil {
			out.Unusable++
		}
		for code := range fired.codes {
			out.Fired[code]++
		}
	}
	var report TestReport
	report.measure(lines.Report(liveModules(modules)))
	out.Files = report.Files
	return out, nil
}

// A firedTracer collects the codes of the rules that held.
type firedTracer struct {
	at    map[place]string
	codes map[string]struct{}
}

func (firedTracer) Enabled() bool               { return true }
func (firedTracer) Config() topdown.TraceConfig { return topdown.TraceConfig{} }
func (f firedTracer) TraceEvent(e topdown.Event) {
	rule, ok := e.Node.(*ast.Rule)
	if !ok || e.Op != topdown.ExitOp || rule.Location == nil {
		return
	}
	if code, ok := f.at[place{rule.Location.File, rule.Location.Row}]; ok {
		f.codes[code] = struct{}{}
	}
}
