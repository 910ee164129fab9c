package engine

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"leviathan/gateway"
)

// readFindings makes a Result of the set of violations that a rule gave: its
// errors are the reasons, all are the obligation "violations", sorted. Anything
// but a set of well-formed violations is refused.
func readFindings(v ast.Value) (Result, error) {
	set, ok := v.(ast.Set)
	if !ok {
		return Result{}, fmt.Errorf("the answer is of type %s, not set", ast.ValueName(v))
	}
	found := make([]gateway.Violation, 0, set.Len())
	err := set.Iter(func(t *ast.Term) error {
		one, err := readFinding(t.Value)
		found = append(found, one)
		return err
	})
	if err != nil {
		return Result{}, err
	}
	slices.SortFunc(found, CompareViolations)
	r := Result{Reasons: []gateway.Reason{}}
	for _, f := range found {
		if f.Severity == gateway.SeverityError {
			r.Reasons = append(r.Reasons, gateway.Reason{Code: f.Code, Message: f.Message, Rule: f.Rule, Path: f.File, Remedy: f.Remedy})
		}
	}
	slices.SortFunc(r.Reasons, func(a, b gateway.Reason) int {
		return cmp.Or(cmp.Compare(a.Code, b.Code), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Message, b.Message),
			cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Remedy, b.Remedy))
	})
	r.Reasons = slices.Compact(r.Reasons)
	part, err := PartOf("obligations", map[string]any{"violations": found})
	if err != nil {
		return Result{}, err
	}
	r.Obligations, r.Allow = json.RawMessage(part.JSON), len(r.Reasons) == 0
	r.JSON = r.encode()
	return r, nil
}

// CompareViolations orders violations by place, then by code and text.
func CompareViolations(a, b gateway.Violation) int {
	return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
		cmp.Compare(a.Code, b.Code), cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Message, b.Message),
		cmp.Compare(a.Severity, b.Severity), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Remedy, b.Remedy))
}

// readFinding reads one violation: exactly the fields of gateway.Violation.
func readFinding(v ast.Value) (f gateway.Violation, err error) {
	obj, ok := v.(ast.Object)
	if !ok {
		return f, fmt.Errorf("a violation is of type %s, not object", ast.ValueName(v))
	}
	texts := map[string]*string{"code": &f.Code, "severity": (*string)(&f.Severity), "message": &f.Message, "remedy": &f.Remedy,
		"rule": &f.Rule, "file": &f.File, "subject": &f.Subject}
	numbers := map[string]*int{"line": &f.Line, "column": &f.Column}
	err = obj.Iter(func(k, t *ast.Term) error {
		name, _ := k.Value.(ast.String)
		switch value := t.Value.(type) {
		case ast.String:
			if into := texts[string(name)]; into != nil {
				*into = string(value)
				return nil
			}
		case ast.Number:
			if into := numbers[string(name)]; into != nil {
				n, ok := value.Int()
				if !ok || n < 0 {
					return fmt.Errorf("%s of a violation is %s, not a whole number", k, value)
				}
				*into = n
				return nil
			}
		}
		return fmt.Errorf("%s of a violation is an unknown key or of the wrong type, %s", k, ast.ValueName(t.Value))
	})
	switch {
	case err != nil:
		return f, err
	case obj.Len() != len(texts)+len(numbers):
		return f, fmt.Errorf("a violation of code %q lacks a field: it has %d of %d", f.Code, obj.Len(), len(texts)+len(numbers))
	case f.Code == "" || f.Message == "" || f.Rule == "":
		return f, errors.New("a violation has no code, message or rule")
	case f.Severity != gateway.SeverityError && f.Severity != gateway.SeverityWarning && f.Severity != gateway.SeverityNote:
		return f, fmt.Errorf("severity %q of a violation of code %s is not error, warning or note", f.Severity, f.Code)
	}
	return f, nil
}
