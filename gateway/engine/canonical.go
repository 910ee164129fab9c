package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gowebpki/jcs"
	"github.com/open-policy-agent/opa/v1/ast"
)

// safeDigits is how many decimal digits always survive an IEEE 754 double.
const safeDigits = 15

// A converter turns values into OPA's form. It keeps one term for each object
// key: lists of like objects repeat theirs.
type converter struct{ keys map[string]*ast.Term }

func (c converter) key(name string) *ast.Term {
	term, ok := c.keys[name]
	if !ok {
		term = ast.NewTerm(ast.String(name))
		c.keys[name] = term
	}
	return term
}

// canonicalNumber is s as RFC 8785 writes it: the shortest text of the
// nearest double.
func canonicalNumber(s string) (string, error) {
	if isSafeInteger(s) {
		return s, nil
	}
	f, err := json.Number(s).Float64()
	if err != nil {
		return "", fmt.Errorf("number %.40s is out of range", s)
	}
	return jcs.NumberToJSON(f)
}

// isSafeInteger reports whether s is an integer that is its own canonical form.
func isSafeInteger(s string) bool {
	digits := strings.TrimPrefix(s, "-")
	if digits == "" || len(digits) > safeDigits || (digits[0] == '0' && s != "0") {
		return false
	}
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return false
		}
	}
	return true
}

var errNotJSON = errors.New("the value has no JSON form")

// appendJSON appends the RFC 8785 form of v. Sets become sorted arrays; keys
// that are not strings become their JSON text, as OPA has it.
func appendJSON(dst []byte, v ast.Value) ([]byte, error) {
	return writer{}.append(dst, v)
}

// A writer writes to one buffer, to which nobody else does. One with spans
// writes an object that occurs many times once, and then copies it; one with
// texts, too, copies what another buffer has.
type writer struct {
	spans map[ast.Object]span
	texts map[ast.Object][]byte
}

// A span is where in the buffer something begins and ends.
type span struct{ from, to int }

func (w writer) append(dst []byte, v ast.Value) ([]byte, error) {
	switch v := v.(type) {
	case ast.Null:
		return append(dst, "null"...), nil
	case ast.Boolean:
		if v {
			return append(dst, "true"...), nil
		}
		return append(dst, "false"...), nil
	case ast.Number:
		s, err := canonicalNumber(string(v))
		return append(dst, s...), err
	case ast.String:
		return appendString(dst, string(v)), nil
	case *ast.Array:
		dst = append(dst, '[')
		var err error
		for i := range v.Len() {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst, err = w.append(dst, v.Elem(i).Value); err != nil {
				return nil, err
			}
		}
		return append(dst, ']'), nil
	case ast.Set:
		return w.append(dst, v.Sorted())
	case ast.Object:
		if at, ok := w.spans[v]; ok {
			return append(dst, dst[at.from:at.to]...), nil
		}
		if text, ok := w.texts[v]; ok {
			return append(dst, text...), nil
		}
		from := len(dst)
		dst, err := w.object(dst, v)
		if err == nil && w.spans != nil {
			w.spans[v] = span{from, len(dst)}
		}
		return dst, err
	default:
		return nil, fmt.Errorf("%w: %s", errNotJSON, ast.ValueName(v))
	}
}

type member struct {
	name  string
	value ast.Value
}

func (w writer) object(dst []byte, obj ast.Object) ([]byte, error) {
	if !allASCII(obj) && !inOrder(obj) {
		return w.sorted(dst, obj)
	}
	dst = append(dst, '{')
	first := true
	err := obj.Iter(func(k, v *ast.Term) (err error) {
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(appendString(dst, string(k.Value.(ast.String))), ':')
		dst, err = w.append(dst, v.Value)
		return err
	})
	if err != nil {
		return nil, err
	}
	return append(dst, '}'), nil
}

// allASCII reports whether the keys are texts of ASCII, whose order by bytes,
// which OPA has them in, is that of RFC 8785.
func allASCII(obj ast.Object) bool {
	return !obj.Until(func(k, _ *ast.Term) bool {
		name, ok := k.Value.(ast.String)
		var bits byte
		for i := range len(name) {
			bits |= name[i]
		}
		return !ok || bits >= utf8.RuneSelf
	})
}

// inOrder reports whether OPA's order of the keys, that of their bytes, is the
// order of RFC 8785 too. It nearly always is.
func inOrder(obj ast.Object) bool {
	last, first := "", true
	return !obj.Until(func(k, _ *ast.Term) bool {
		name, ok := k.Value.(ast.String)
		if !ok || !utf8.ValidString(string(name)) || (!first && compareUTF16(last, string(name)) >= 0) {
			return true
		}
		last, first = string(name), false
		return false
	})
}

// sorted is object for keys of any kind in any order.
func (w writer) sorted(dst []byte, obj ast.Object) ([]byte, error) {
	members := make([]member, 0, obj.Len())
	err := obj.Iter(func(k, v *ast.Term) error {
		name, ok := k.Value.(ast.String)
		if !ok {
			text, err := appendJSON(nil, k.Value)
			if err != nil {
				return err
			}
			name = ast.String(text)
		}
		// Made valid here, so that two keys that become equal are noticed.
		members = append(members, member{strings.ToValidUTF8(string(name), "\uFFFD"), v.Value})
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(members, func(a, b member) int { return compareUTF16(a.name, b.name) })
	dst = append(dst, '{')
	for i, m := range members {
		if i > 0 {
			if members[i-1].name == m.name {
				return nil, fmt.Errorf("%w: an object has the key %q twice", errNotJSON, m.name)
			}
			dst = append(dst, ',')
		}
		dst = append(appendString(dst, m.name), ':')
		if dst, err = w.append(dst, m.value); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}

// compareUTF16 orders strings by their UTF-16 code units, as RFC 8785 sorts
// keys. It differs from the order of bytes only where a character beyond the
// basic plane meets one from U+E000 to U+FFFF.
func compareUTF16(a, b string) int {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	if i == len(a) || i == len(b) {
		return len(a) - len(b)
	}
	if a[i] >= 0xEE && b[i] >= 0xEE && (a[i] >= 0xF0) != (b[i] >= 0xF0) {
		return int(b[i]) - int(a[i]) // the four-byte one is a surrogate pair: lower
	}
	return int(a[i]) - int(b[i])
}

const hexDigits = "0123456789abcdef"

// appendString appends s as RFC 8785 quotes it. Bytes that are not UTF-8 are
// written as U+FFFD, as encoding/json has it.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				dst = append(append(dst, s[start:i]...), "\uFFFD"...)
				start = i + 1
			}
			i += size
			continue
		}
		if c >= 0x20 && c != '"' && c != '\\' {
			i++
			continue
		}
		dst = append(dst, s[start:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, `\b`...)
		case '\t':
			dst = append(dst, `\t`...)
		case '\n':
			dst = append(dst, `\n`...)
		case '\f':
			dst = append(dst, `\f`...)
		case '\r':
			dst = append(dst, `\r`...)
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xF])
		}
		i++
		start = i
	}
	return append(append(dst, s[start:]...), '"')
}
