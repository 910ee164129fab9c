package facts

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Helpers that look into JSON values as documents have them. A value of
// another type than asked for is as good as none: what it means is a rule's.

// find is the value at the keys, nil if there is none.
func find(value any, keys ...string) any {
	for _, key := range keys {
		object, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = object[key]
	}
	return value
}

// textAt is the string at the keys, or "".
func textAt(value any, keys ...string) string {
	s, _ := find(value, keys...).(string)
	return s
}

// object is the mapping at the keys, or nil.
func object(value any, keys ...string) map[string]any {
	m, _ := find(value, keys...).(map[string]any)
	return m
}

// list is the list at the keys, or nil.
func list(value any, keys ...string) []any {
	l, _ := find(value, keys...).([]any)
	return l
}

// texts are the strings of a list, or the one string that stands for it.
func texts(value any) []string {
	switch v := value.(type) {
	case string:
		return []string{v}
	case []any:
		out := make([]string, 0, len(v))
		for _, item := range v {
			if s, ok := item.(string); ok {
				out = append(out, s)
			}
		}
		return out
	}
	return nil
}

// textMap are the members that are strings, and numbers and booleans as text.
func textMap(value any) map[string]string {
	out := map[string]string{}
	for k, v := range object(value) {
		out[k] = plain(v)
	}
	return out
}

// plain is a scalar as text.
func plain(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}

// number is a whole number, 0 for anything else.
func number(v any) int {
	n, _ := v.(json.Number)
	i, err := strconv.Atoi(n.String())
	if err != nil {
		return 0
	}
	return i
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

// escape is a key as a part of a JSON pointer.
func escape(key string) string {
	if !strings.ContainsAny(key, "~/") {
		return key
	}
	return pointerEscapes.Replace(key)
}

var pointerPlain = strings.NewReplacer("~1", "/", "~0", "~")

// unescape is the key that a part of a JSON pointer stands for.
func unescape(part string) string { return pointerPlain.Replace(part) }

// place is where the pointer's node stands, or else the nearest one above it.
func (d *Document) place(pointer string) Place {
	for {
		if at, ok := d.At[pointer]; ok {
			return Place{d.File, at[0], at[1]}
		}
		i := strings.LastIndexByte(pointer, '/')
		if i < 0 {
			return Place{d.File, d.Line, d.Column}
		}
		pointer = pointer[:i]
	}
}
