package engine

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"leviathan/gateway"
)

// A Step is the part of the way to activation at which a bundle was refused.
type Step string

// The steps, in their order.
const (
	StepRead       Step = "read"
	StepParse      Step = "parse"
	StepCompile    Step = "compile"
	StepMetadata   Step = "metadata"
	StepEntrypoint Step = "entrypoint"
	StepSchema     Step = "schema"
	StepTest       Step = "test"
	StepCoverage   Step = "coverage"
)

// Steps are all steps in their order.
func Steps() []Step {
	return []Step{StepRead, StepParse, StepCompile, StepMetadata, StepEntrypoint, StepSchema, StepTest, StepCoverage}
}

// A LoadError says why a bundle was refused: at which step, and every problem
// found there with its file and line. Paths are relative to the bundle.
type LoadError struct {
	Step     Step
	Problems []gateway.Diagnostic
	// Steps are the steps as far as this one.
	Steps []StepResult
	err   error // the cause, where there is one outside the bundle
}

// shownProblems bounds the text of an error; Problems has them all.
const shownProblems = 10

// Error lists the first problems as file:line:column: message.
func (e *LoadError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "policy bundle refused at step %s: ", e.Step)
	for i, p := range e.Problems {
		if i == shownProblems {
			fmt.Fprintf(&b, "; and %d more", len(e.Problems)-i)
			break
		}
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(p.String())
	}
	return b.String()
}

// Unwrap is the cause: an I/O error or a context's, or nil.
func (e *LoadError) Unwrap() error { return e.err }

// refuse makes a LoadError with one problem; cause may be nil.
func refuse(step Step, file string, cause error, format string, args ...any) *LoadError {
	return &LoadError{
		Step:     step,
		Problems: []gateway.Diagnostic{{File: file, Message: fmt.Sprintf(format, args...)}},
		err:      cause,
	}
}

// refuseAll makes a LoadError with the problems in order of file, line and
// column, each once; nil if there are none.
func refuseAll(step Step, problems []gateway.Diagnostic) error {
	if len(problems) == 0 {
		return nil
	}
	slices.SortStableFunc(problems, func(a, b gateway.Diagnostic) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Col, b.Col), cmp.Compare(a.Message, b.Message))
	})
	return &LoadError{Step: step, Problems: slices.Compact(problems)}
}

// diagnostics turns what OPA's parser, compiler or evaluator said into
// problems; file is where an error without a location belongs.
func diagnostics(file string, err error) []gateway.Diagnostic {
	var many ast.Errors
	if !errors.As(err, &many) {
		var one *ast.Error
		if !errors.As(err, &one) {
			return []gateway.Diagnostic{{File: file, Message: err.Error()}}
		}
		many = ast.Errors{one}
	}
	problems := make([]gateway.Diagnostic, 0, len(many))
	for _, e := range many {
		message := e.Code + ": " + explain(e.Message)
		if e.Details != nil {
			message += ": " + strings.TrimSpace(strings.Join(e.Details.Lines(), " "))
		}
		d := at(e.Location, "%s", message)
		if d.File == "" {
			d.File = file
		}
		problems = append(problems, d)
	}
	return problems
}

// at is a problem at a place in a module.
func at(loc *ast.Location, format string, args ...any) gateway.Diagnostic {
	d := gateway.Diagnostic{Message: fmt.Sprintf(format, args...)}
	if loc != nil {
		d.File, d.Line, d.Col = loc.File, loc.Row, loc.Col
	}
	return d
}
