package release04

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
)

// canonical writes a document as release 0.4 hashed it: keys sorted at every
// level, no spaces, ASCII alone, and numbers as Python writes them.
func canonical(w *bytes.Buffer, v any) error {
	switch v := v.(type) {
	case nil:
		w.WriteString("null")
	case bool:
		w.WriteString(strconv.FormatBool(v))
	case string:
		quote(w, v)
	case json.Number:
		text, err := number(string(v))
		if err != nil {
			return err
		}
		w.WriteString(text)
	case []any:
		w.WriteByte('[')
		for i, item := range v {
			if i > 0 {
				w.WriteByte(',')
			}
			if err := canonical(w, item); err != nil {
				return err
			}
		}
		w.WriteByte(']')
	case map[string]any:
		w.WriteByte('{')
		for i, key := range sortedKeys(v) {
			if i > 0 {
				w.WriteByte(',')
			}
			quote(w, key)
			w.WriteByte(':')
			if err := canonical(w, v[key]); err != nil {
				return err
			}
		}
		w.WriteByte('}')
	default:
		return fmt.Errorf("a %T is no JSON", v)
	}
	return nil
}

// sortedKeys are in the order of code points, which is that of UTF-8 bytes.
func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

var short = map[rune]string{'"': `\"`, '\\': `\\`, '\b': `\b`, '\f': `\f`, '\n': `\n`, '\r': `\r`, '\t': `\t`}

// quote writes a text in ASCII: what is no printable ASCII is escaped, beyond
// the first plane as two halves.
func quote(w *bytes.Buffer, s string) {
	w.WriteByte('"')
	for _, r := range s {
		switch escape, ok := short[r]; {
		case ok:
			w.WriteString(escape)
		case r >= ' ' && r <= '~':
			w.WriteByte(byte(r))
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(w, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(w, `\u%04x`, r)
		}
	}
	w.WriteByte('"')
}

// number writes a number as Python's json does after reading it: an integer of
// any length as it is, all others as the shortest decimal that reads back.
func number(text string) (string, error) {
	if !strings.ContainsAny(text, ".eE") {
		if text == "-0" {
			return "0", nil
		}
		return text, nil
	}
	f, err := strconv.ParseFloat(text, 64)
	switch {
	case errors.Is(err, strconv.ErrRange) && math.IsInf(f, 1):
		return "Infinity", nil
	case errors.Is(err, strconv.ErrRange) && math.IsInf(f, -1):
		return "-Infinity", nil
	case err != nil:
		return "", fmt.Errorf("%q is no number", text)
	}
	return repr(f), nil
}

// repr is Python's repr of a float: an exponent below -4 and from 16 on.
func repr(f float64) string {
	digits := strconv.FormatFloat(f, 'e', -1, 64)
	mantissa, exponent, _ := strings.Cut(digits, "e")
	e, err := strconv.Atoi(exponent)
	if f != 0 && err == nil && (e < -4 || e >= 16) {
		sign := "+"
		if e < 0 {
			sign, e = "-", -e
		}
		return fmt.Sprintf("%se%s%02d", mantissa, sign, e)
	}
	plain := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(plain, ".") {
		plain += ".0"
	}
	return plain
}

// isoformat writes a time as Python's datetime.isoformat does: microseconds
// when there are some, and the zone as an offset, or none.
func isoformat(text string) (string, time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999"} {
		t, err := time.Parse(layout, text)
		if err != nil {
			continue
		}
		out := "2006-01-02T15:04:05"
		if t.Nanosecond()/1000 != 0 {
			out += ".000000"
		}
		if strings.Contains(layout, "Z07:00") {
			out += "-07:00"
		}
		return t.Format(out), t, nil
	}
	return "", time.Time{}, fmt.Errorf("%q is no time", text)
}
