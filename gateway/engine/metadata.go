package engine

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"leviathan/gateway"
)

// The one question that is asked, and the bounds of what its METADATA may set.
const (
	entrypoint      = "data.leviathan.main.decision"
	resultVar       = "x"
	fallback        = 50 * time.Millisecond
	longestDeadline = time.Minute
)

// denyRule is the name of the rules that deny; each needs a code of its own.
const denyRule = "deny"

// codeLabel is the key under which a rule's code is labelled for the tracker
// of evaluated rules.
const codeLabel = "leviathan.code"

// A Code is the documentation of one reason, from its rule's METADATA.
type Code struct {
	Code        string `json:"code"`
	Title       string `json:"title"`
	Description string `json:"description"`
	Message     string `json:"message"`
	Remedy      string `json:"remedy"`
	// Severity is of rules that check a repository: error, warning or note.
	Severity string `json:"severity,omitempty"`
	Package  string `json:"package"` // without "data."
	File     string `json:"file"`
	Line     int    `json:"line"` // of the rule
}

var codeForm = regexp.MustCompile(`^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$`)

// labelCodes labels the rules that have codes, so that a decision can tell
// which of them fired. It comes before the modules are compiled, which copies
// them.
func labelCodes(modules map[string]*ast.Module) {
	for _, m := range modules {
		for _, a := range m.Annotations {
			code, ok := a.Custom["code"].(string)
			if !ok || ast.NewAnnotationsRef(a).GetRule() == nil {
				continue
			}
			if a.Labels == nil {
				a.Labels = map[string]any{}
			}
			a.Labels[codeLabel] = strings.TrimSpace(code)
		}
	}
}

// readCodes collects and checks the codes of the live modules.
func readCodes(modules map[string]*ast.Module) ([]Code, error) {
	var codes []Code
	var problems []gateway.Diagnostic
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		m := modules[name]
		for _, a := range m.Annotations {
			rule := ast.NewAnnotationsRef(a).GetRule() // nil for a package's
			if _, ok := a.Custom["code"]; !ok || rule == nil {
				continue
			}
			code, wrong := readCode(m, a, rule)
			problems = append(problems, wrong...)
			codes = append(codes, code)
		}
		for _, rule := range m.Rules {
			if ruleName(rule) == denyRule && !hasCode(rule) {
				problems = append(problems, at(rule.Location, "the rule %s has no METADATA with custom.code", denyRule))
			}
		}
	}
	slices.SortStableFunc(codes, func(a, b Code) int { return cmp.Compare(a.Code, b.Code) })
	own := Failures()
	for i, c := range codes {
		d := gateway.Diagnostic{File: c.File, Line: c.Line}
		if i > 0 && codes[i-1].Code == c.Code {
			d.Message = fmt.Sprintf("code %s is used already at %s:%d", c.Code, codes[i-1].File, codes[i-1].Line)
			problems = append(problems, d)
		}
		if slices.ContainsFunc(own, func(o Code) bool { return o.Code == c.Code }) {
			d.Message = fmt.Sprintf("code %s belongs to the engine", c.Code)
			problems = append(problems, d)
		}
	}
	return codes, refuseAll(StepMetadata, problems)
}

// readCode checks the METADATA of one rule with a code.
func readCode(m *ast.Module, a *ast.Annotations, rule *ast.Rule) (Code, []gateway.Diagnostic) {
	text := func(key string) string { s, _ := a.Custom[key].(string); return strings.TrimSpace(s) }
	code := Code{
		Code:        text("code"),
		Title:       strings.TrimSpace(a.Title),
		Description: strings.TrimSpace(a.Description),
		Message:     text("message"),
		Remedy:      text("remedy"),
		Severity:    text("severity"),
		Package:     strings.TrimPrefix(m.Package.Path.String(), "data."),
		File:        rule.Location.File,
		Line:        rule.Location.Row,
	}
	var problems []gateway.Diagnostic
	if !codeForm.MatchString(code.Code) {
		problems = append(problems, at(rule.Location, "custom.code %q is not <package>.<snake_case>", a.Custom["code"]))
	}
	for _, field := range [][2]string{
		{"title", code.Title}, {"description", code.Description},
		{"custom.message", code.Message}, {"custom.remedy", code.Remedy},
	} {
		if field[1] == "" {
			problems = append(problems, at(rule.Location, "METADATA of code %s has no %s", code.Code, field[0]))
		}
	}
	return code, problems
}

// hasCode reports whether METADATA of this very rule has a code.
func hasCode(rule *ast.Rule) bool {
	return slices.ContainsFunc(rule.Annotations, func(a *ast.Annotations) bool {
		_, ok := a.Custom["code"]
		return ok && a.Scope == "rule"
	})
}

// ruleName is the first word of the rule's head.
func ruleName(rule *ast.Rule) string {
	if name, ok := rule.Head.Ref()[0].Value.(ast.Var); ok {
		return string(name)
	}
	return ""
}

// deadlines are the entrypoint's: one for each action that has its own.
type deadlines struct {
	byDefault time.Duration
	byAction  map[string]time.Duration
}

func (d deadlines) of(action string) time.Duration {
	if own, ok := d.byAction[action]; ok {
		return own
	}
	return d.byDefault
}

// Entrypoints are the references that are asked of a bundle: the decision, the
// mask and the checks, of which all below counts. A rule that none of them
// depends on changes no answer.
func Entrypoints() []string { return []string{entrypoint, maskEntrypoint, checksUnder} }

// findEntrypoint says where the question is answered.
func findEntrypoint(compiler *ast.Compiler) error {
	rules := compiler.GetRulesExact(ast.MustParseRef(entrypoint))
	if len(rules) == 0 {
		return refuse(StepEntrypoint, "", nil, "the bundle does not define %s", entrypoint)
	}
	for _, rule := range rules {
		if len(rule.Head.Args) > 0 {
			return refuseAll(StepEntrypoint, []gateway.Diagnostic{at(rule.Location, "%s is a function", entrypoint)})
		}
	}
	return nil
}

// readDeadlines finds the deadlines in the METADATA of the entrypoint, which
// need not exist: custom.deadline_ms, an object from action, or "default", to
// milliseconds.
func readDeadlines(compiler *ast.Compiler) (deadlines, error) {
	d := deadlines{byDefault: fallback, byAction: map[string]time.Duration{}}
	set := compiler.GetAnnotationSet()
	var problems []gateway.Diagnostic
	var from *ast.Location
	for _, rule := range compiler.GetRulesExact(ast.MustParseRef(entrypoint)) {
		for _, ref := range set.Chain(rule) {
			if ref.Annotations == nil || ref.Annotations.Custom["deadline_ms"] == nil {
				continue
			}
			if from != nil && !from.Equal(ref.Annotations.Location) {
				problems = append(problems, at(ref.Annotations.Location, "custom.deadline_ms of %s is given twice", entrypoint))
				continue
			}
			if from == nil {
				from = ref.Annotations.Location
				problems = append(problems, d.read(ref.Annotations)...)
			}
		}
	}
	return d, refuseAll(StepMetadata, problems)
}

// read takes the deadlines from one annotation.
func (d *deadlines) read(a *ast.Annotations) []gateway.Diagnostic {
	values, ok := a.Custom["deadline_ms"].(map[string]any)
	if !ok {
		return []gateway.Diagnostic{at(a.Location, "custom.deadline_ms is not an object")}
	}
	var problems []gateway.Diagnostic
	for _, action := range slices.Sorted(maps.Keys(values)) {
		ms, err := number(values[action])
		limit := time.Duration(ms) * time.Millisecond
		switch {
		case err != nil:
			problems = append(problems, at(a.Location, "custom.deadline_ms of %s: %v", action, err))
		case ms < 1 || ms > longestDeadline.Milliseconds():
			problems = append(problems, at(a.Location, "custom.deadline_ms of %s: %d is not within 1..%d", action, ms, longestDeadline.Milliseconds()))
		case action == "default":
			d.byDefault = limit
		default:
			d.byAction[action] = limit
		}
	}
	return problems
}
