package engine

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/ast"
)

// readValue reads text, one JSON value, into OPA's form: as encoding/json
// reads it, with each number as RFC 8785 writes it, so that what the policy
// sees is what the canonical JSON says.
func readValue(text []byte) (ast.Value, error) {
	if !json.Valid(text) {
		var v any
		if err := json.Unmarshal(text, &v); err != nil {
			return nil, err
		}
		return nil, errNotJSON
	}
	return readValid(text)
}

// readValid is readValue of what is known to be JSON.
func readValid(text []byte) (ast.Value, error) {
	r := reader{text: text, converter: converter{keys: map[string]*ast.Term{}}}
	return r.value()
}

// A reader goes through a valid JSON text once.
type reader struct {
	text []byte
	at   int
	converter
}

// next moves to the next token, and is its first byte.
func (r *reader) next() byte {
	for r.text[r.at] <= ' ' {
		r.at++
	}
	return r.text[r.at]
}

func (r *reader) value() (ast.Value, error) {
	switch r.next() {
	case '{':
		return r.object()
	case '[':
		return r.array()
	case '"':
		s, err := r.string()
		return ast.String(s), err
	case 't':
		r.at += len("true")
		return ast.Boolean(true), nil
	case 'f':
		r.at += len("false")
		return ast.Boolean(false), nil
	case 'n':
		r.at += len("null")
		return ast.NullValue, nil
	default:
		return r.number()
	}
}

func (r *reader) number() (ast.Value, error) {
	start := r.at
	for r.at < len(r.text) && isNumeric(r.text[r.at]) {
		r.at++
	}
	s, err := canonicalNumber(string(r.text[start:r.at]))
	return ast.Number(s), err
}

func isNumeric(c byte) bool {
	return c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E'
}

// quoted is the string at this place with its quotes, and whether it stands
// for itself.
func (r *reader) quoted() (text []byte, plain bool) {
	start := r.at
	ascii, escaped := true, false
	for r.at++; r.text[r.at] != '"'; r.at++ {
		switch c := r.text[r.at]; {
		case c == '\\':
			escaped = true
			r.at++
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	r.at++
	text = r.text[start:r.at]
	return text, !escaped && (ascii || utf8.Valid(text))
}

func (r *reader) string() (string, error) {
	text, plain := r.quoted()
	if plain {
		return string(text[1 : len(text)-1]), nil
	}
	var s string
	if err := json.Unmarshal(text, &s); err != nil {
		return "", fmt.Errorf("read string %.40q: %w", text, err)
	}
	return s, nil
}

func (r *reader) array() (ast.Value, error) {
	r.at++
	var terms []*ast.Term
	for r.next() != ']' {
		if r.text[r.at] == ',' {
			r.at++
		}
		v, err := r.value()
		if err != nil {
			return nil, err
		}
		terms = append(terms, ast.NewTerm(v))
	}
	r.at++
	return ast.NewArray(terms...), nil
}

// object is the object at this place. Of a key that occurs twice the last
// value counts.
func (r *reader) object() (ast.Value, error) {
	r.at++
	var room [16][2]*ast.Term
	pairs := room[:0]
	for r.next() != '}' {
		if r.text[r.at] == ',' {
			r.at++
			r.next()
		}
		key, err := r.member()
		if err != nil {
			return nil, err
		}
		r.next()
		r.at++ // the colon
		v, err := r.value()
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, [2]*ast.Term{key, ast.NewTerm(v)})
	}
	r.at++
	return ast.NewObject(lastOfEach(pairs)...), nil
}

// lastOfEach leaves each key once, with its last value. One reader has one term
// for each key.
func lastOfEach(pairs [][2]*ast.Term) [][2]*ast.Term {
	const few = 16
	if len(pairs) <= few {
		for i := range pairs {
			for _, later := range pairs[i+1:] {
				if pairs[i][0] == later[0] {
					return lastByKey(pairs)
				}
			}
		}
		return pairs
	}
	return lastByKey(pairs)
}

func lastByKey(pairs [][2]*ast.Term) [][2]*ast.Term {
	places := make(map[*ast.Term]int, len(pairs))
	kept := pairs[:0]
	for _, pair := range pairs {
		if at, ok := places[pair[0]]; ok {
			kept[at] = pair
			continue
		}
		places[pair[0]] = len(kept)
		kept = append(kept, pair)
	}
	return kept
}

// member is the term of the key at this place.
func (r *reader) member() (*ast.Term, error) {
	start := r.at
	text, plain := r.quoted()
	if plain {
		if known, ok := r.keys[string(text[1:len(text)-1])]; ok {
			return known, nil
		}
	}
	r.at = start
	name, err := r.string()
	return r.key(name), err
}
