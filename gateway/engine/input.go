package engine

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// A Part is one top-level key of the input: its canonical JSON, the digest of
// that, and its form inside the engine, built once. A Part is immutable and
// may be shared by any number of concurrent decisions; do not change JSON.
type Part struct {
	Name string
	// JSON is the RFC 8785 form of the value: exactly what the policy sees.
	JSON []byte
	// Digest is "sha256:" and the hex digest of JSON.
	Digest string

	name, value *ast.Term
}

var partName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

// NewPart marshals v as the input's key name. A json.RawMessage is taken as
// it is. Numbers are IEEE 754 doubles, as RFC 8785 has them: an integer beyond
// 2^53 loses digits, for the policy and for the record alike. It fails for a
// name that is not lower_snake_case and for a value without a JSON form.
func NewPart(name string, v any) (Part, error) {
	if !partName.MatchString(name) {
		return Part{}, fmt.Errorf("name input part %q: not lower_snake_case", name)
	}
	value, size, err := valueOf(v)
	if err != nil {
		return Part{}, fmt.Errorf("make input part %s: %w", name, err)
	}
	text, err := appendJSON(make([]byte, 0, size), value)
	if err != nil {
		return Part{}, fmt.Errorf("write input part %s: %w", name, err)
	}
	return Part{
		Name:   name,
		JSON:   text,
		Digest: digestOf(text),
		name:   ast.NewTerm(ast.String(name)),
		value:  ast.NewTerm(value),
	}, nil
}

// RecordedPart is the part that was recorded with this JSON, which is canonical:
// what NewPart makes of it, but that Digest is left out until it is asked for
// by Input.Digest. It fails for what is not JSON.
func RecordedPart(name string, canonical json.RawMessage) (Part, error) {
	if !partName.MatchString(name) {
		return Part{}, fmt.Errorf("name input part %q: not lower_snake_case", name)
	}
	value, err := readValue(canonical)
	if err != nil {
		return Part{}, fmt.Errorf("read input part %s: %w", name, err)
	}
	return Part{Name: name, JSON: canonical, name: ast.NewTerm(ast.String(name)), value: ast.NewTerm(value)}, nil
}

// valueOf is v inside the engine, and how many bytes its JSON has about.
func valueOf(v any) (value ast.Value, size int, err error) {
	if raw, ok := v.(json.RawMessage); ok {
		value, err = readValue(raw)
		return value, len(raw), err
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, 0, err
	}
	value, err = readValid(raw)
	return value, len(raw), err
}

// digestOf is "sha256:" and the hex digest of b.
func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// An Input is what a policy is asked about: its parts, in any order, each
// name once.
type Input []Part

// Digest identifies the input: the SHA-256, as "sha256:…", over a line
// "name digest" for each part, sorted by name.
func (in Input) Digest() string {
	sorted := slices.SortedFunc(slices.Values(in), func(a, b Part) int { return cmp.Compare(a.Name, b.Name) })
	var text []byte
	for _, p := range sorted {
		if p.Digest == "" {
			p.Digest = digestOf(p.JSON)
		}
		text = append(append(append(append(text, p.Name...), ' '), p.Digest...), '\n')
	}
	return digestOf(text)
}

// JSON is the whole input as one canonical JSON object, for replay and for
// reading. It fails if a name occurs twice.
func (in Input) JSON() ([]byte, error) {
	obj, err := in.object()
	if err != nil {
		return nil, err
	}
	return appendJSON(nil, obj)
}

// object puts the parts together; the values are shared, not copied.
func (in Input) object() (ast.Object, error) {
	pairs := make([][2]*ast.Term, len(in))
	for i, p := range in {
		if p.value == nil {
			return nil, fmt.Errorf("input part %d (%q) was not made by NewPart", i, p.Name)
		}
		for _, other := range in[:i] {
			if other.Name == p.Name {
				return nil, fmt.Errorf("input part %q occurs twice", p.Name)
			}
		}
		pairs[i] = [2]*ast.Term{p.name, p.value}
	}
	return ast.NewObject(pairs...), nil
}
