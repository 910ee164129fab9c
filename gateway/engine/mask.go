package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage"
)

// maskRoot is the one place beside root that a bundle may fill: OPA's own
// place for what masks the decision log.
const maskRoot = "system/log"

// maskEntrypoint is the mask: a set of rules, each a JSON pointer as text, which
// is removed, or an object of op (remove or upsert), path and value.
const maskEntrypoint = "data.system.log.mask"

// A MaskRule takes something out of a decision before it is recorded.
type MaskRule struct {
	// Path begins with input or result; below a list it has indices.
	Path []string
	// Value stands in for what was there; nil removes it.
	Value json.RawMessage
}

// Pointer is the path as a JSON pointer.
func (m MaskRule) Pointer() string {
	escape := strings.NewReplacer("~", "~0", "/", "~1")
	var b strings.Builder
	for _, part := range m.Path {
		b.WriteString("/" + escape.Replace(part))
	}
	return b.String()
}

// prepareMask prepares the mask of a bundle that has one.
func prepareMask(ctx context.Context, compiler *ast.Compiler, store storage.Store) (*rego.PreparedEvalQuery, error) {
	if len(compiler.GetRulesExact(ast.MustParseRef(maskEntrypoint))) == 0 {
		return nil, nil
	}
	query, err := rego.New(
		rego.Query(resultVar+" = "+maskEntrypoint),
		rego.Compiler(compiler),
		rego.Store(store),
		rego.StrictBuiltinErrors(true),
		rego.GenerateJSON(func(term *ast.Term, _ *rego.EvalContext) (any, error) { return term.Value, nil }),
	).PrepareForEval(ctx)
	if err != nil {
		return nil, refuse(StepEntrypoint, "", err, "prepare %s: %v", maskEntrypoint, err)
	}
	return &query, nil
}

// Masks reports whether the bundle masks what is recorded.
func (s *Snapshot) Masks() bool { return s != nil && s.mask != nil }

// Mask asks the bundle what must be taken out of a decision, which it sees in
// the form of a decision log's event: input and result among its members. Any
// error means that what to hide is not known, so that nothing may be shown.
func (s *Snapshot) Mask(ctx context.Context, event any) ([]MaskRule, error) {
	if !s.Masks() {
		return nil, nil
	}
	seen, err := ast.InterfaceToValue(event)
	if err != nil {
		return nil, fmt.Errorf("convert an event for the mask: %w", err)
	}
	asked := &Snapshot{query: *s.mask}
	value, failure := asked.evaluate(ctx, s.deadlines.byDefault, seen)
	if failure != nil {
		return nil, fmt.Errorf("evaluate %s: %s", maskEntrypoint, failure.Reasons[0].Message)
	}
	var rules []MaskRule
	each := func(t *ast.Term) error {
		rule, err := readMaskRule(t.Value)
		rules = append(rules, rule)
		return err
	}
	switch v := value.(type) {
	case ast.Set:
		err = v.Iter(each)
	case *ast.Array:
		err = v.Iter(each)
	default:
		err = fmt.Errorf("%s is of type %s, not set", maskEntrypoint, ast.ValueName(value))
	}
	return rules, err
}

func readMaskRule(v ast.Value) (MaskRule, error) {
	if text, ok := v.(ast.String); ok {
		path, err := maskPath(string(text))
		return MaskRule{Path: path}, err
	}
	object, ok := v.(ast.Object)
	if !ok {
		return MaskRule{}, fmt.Errorf("a mask is of type %s, not string or object", ast.ValueName(v))
	}
	member := func(name string) string {
		if t := object.Get(ast.InternedTerm(name)); t != nil {
			if text, ok := t.Value.(ast.String); ok {
				return string(text)
			}
		}
		return ""
	}
	path, err := maskPath(member("path"))
	if err != nil {
		return MaskRule{}, err
	}
	switch op := member("op"); op {
	case "remove":
		return MaskRule{Path: path}, nil
	case "upsert":
		value := object.Get(ast.InternedTerm("value"))
		if value == nil {
			return MaskRule{}, errors.New("a mask with op upsert has no value")
		}
		text, err := appendJSON(nil, value.Value)
		if err != nil {
			return MaskRule{}, fmt.Errorf("write the value of a mask: %w", err)
		}
		return MaskRule{Path: path, Value: text}, nil
	default:
		return MaskRule{}, fmt.Errorf("the op %q of a mask is neither remove nor upsert", op)
	}
}

// maskPath reads a JSON pointer into input or result.
func maskPath(pointer string) ([]string, error) {
	rest, ok := strings.CutPrefix(pointer, "/")
	if !ok {
		return nil, fmt.Errorf("the path %q of a mask is no JSON pointer", pointer)
	}
	unescape := strings.NewReplacer("~1", "/", "~0", "~")
	path := strings.Split(rest, "/")
	for i := range path {
		path[i] = unescape.Replace(path[i])
	}
	if path[0] != "input" && path[0] != "result" {
		return nil, fmt.Errorf("the path %q of a mask begins with neither input nor result", pointer)
	}
	return path, nil
}
