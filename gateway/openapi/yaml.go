package openapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// An object is a mapping in the order in which it is written.
type object []member

type member struct {
	key   string
	value any
}

// with is o and one more member, unless its value is nothing.
func (o object) with(key string, value any) object {
	switch v := value.(type) {
	case nil:
		return o
	case string:
		if v == "" {
			return o
		}
	case []any:
		if len(v) == 0 {
			return o
		}
	case object:
		if v == nil {
			return o
		}
	}
	return append(o, member{key, value})
}

// plain is text that YAML takes as it is, and never as anything else.
var plain = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_./{}$-]*( [A-Za-z0-9(][A-Za-z0-9_./()-]*)*$`)

var words = []string{"null", "true", "false", "yes", "no", "on", "off", "y", "n"}

// scalar is text as a plain or a double-quoted scalar. JSON's form of a string
// is one of YAML's.
func scalar(s string) (string, error) {
	if plain.MatchString(s) && !slices.Contains(words, strings.ToLower(s)) && len(s) < 200 {
		return s, nil
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return "", fmt.Errorf("writing %q: %w", s, err)
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

// write writes a value after a key or a dash, at a depth.
func write(b *bytes.Buffer, value any, depth int, inList bool) error {
	indent := strings.Repeat("  ", depth)
	switch v := value.(type) {
	case object:
		if len(v) == 0 {
			b.WriteString(" {}\n")
			return nil
		}
		for i, m := range v {
			switch {
			case i == 0 && inList:
				b.WriteByte(' ')
			case i == 0:
				b.WriteString("\n" + indent)
			default:
				b.WriteString(indent)
			}
			key, err := scalar(m.key)
			if err != nil {
				return err
			}
			b.WriteString(key + ":")
			if err := write(b, m.value, depth+1, false); err != nil {
				return err
			}
		}
	case []any:
		if len(v) == 0 {
			b.WriteString(" []\n")
			return nil
		}
		for i, item := range v {
			switch {
			case i == 0 && inList:
				b.WriteByte(' ')
			case i == 0:
				b.WriteString("\n" + indent)
			default:
				b.WriteString(indent)
			}
			b.WriteByte('-')
			if err := write(b, item, depth+1, true); err != nil {
				return err
			}
		}
	case map[string]any:
		var o object
		for _, key := range slices.Sorted(maps.Keys(v)) {
			o = append(o, member{key, v[key]})
		}
		return write(b, o, depth, inList)
	case string:
		text, err := scalar(v)
		if err != nil {
			return err
		}
		b.WriteString(" " + text + "\n")
	case nil, bool, int, int64, float64, json.Number:
		data, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("writing %v: %w", v, err)
		}
		b.WriteString(" " + string(data) + "\n")
	default:
		return fmt.Errorf("writing a %T: no such value", value)
	}
	return nil
}
