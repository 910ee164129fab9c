package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"

	"leviathan/gateway"
)

// What the gateway sends may have been written by anybody: a task's title by
// whoever can commit to the target, a log by an agent. Nothing of it may move
// the cursor, colour or rename the terminal, or turn text around.

// sequences are the escape sequences that only move or colour. They are taken
// out whole; of any other the introducer goes and its text stays visible, so
// that nothing can be hidden from the reader.
var sequences = regexp.MustCompile("(?:\x1b\\[|\u009b)[0-?]{0,32}[ -/]{0,8}[@-~]")

// printable makes one line of s, with single spaces.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		return visible(r)
	}, sequences.ReplaceAllString(s, ""))
	return strings.Join(strings.Fields(s), " ")
}

// printableLines keeps the lines and tabs of s.
func printableLines(s string) string {
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(sequences.ReplaceAllString(s, ""))
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return r
		}
		return visible(r)
	}, s)
}

// visible drops what is not seen or rearranges what is: control characters,
// and format characters but the joiners that scripts and emoji need.
func visible(r rune) rune {
	const nonJoiner, joiner = '\u200c', '\u200d'
	switch {
	case r == nonJoiner, r == joiner:
		return r
	case unicode.IsControl(r), unicode.Is(unicode.Cf, r), unicode.Is(unicode.Zl, r), unicode.Is(unicode.Zp, r):
		return -1
	}
	return r
}

// copyPrintable writes r to w, line by line, as printableLines would.
func copyPrintable(w io.Writer, r io.Reader) error {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		if _, werr := io.WriteString(w, printableLines(line)); werr != nil {
			return werr
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// printableJSON escapes within JSON what printable would drop, so that the document
// says the same and a terminal shows it.
func printableJSON(doc []byte) []byte {
	var out bytes.Buffer
	for _, r := range string(doc) {
		switch {
		case r == '\n', visible(r) == r:
			out.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&out, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
	}
	return out.Bytes()
}

// shortTime is t to the second, in UTC; a dash for the zero time.
func shortTime(t gateway.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02T15:04:05Z")
}

// span is d in its two greatest units: 4d3h, 2h5m, 3m20s, 12s.
func span(d time.Duration) string {
	s := int64(max(d, 0).Seconds())
	units := []struct {
		name string
		size int64
	}{{"d", 86400}, {"h", 3600}, {"m", 60}, {"s", 1}}
	for i, u := range units {
		if s < u.size && u.size > 1 {
			continue
		}
		out := strconv.FormatInt(s/u.size, 10) + u.name
		if i+1 < len(units) {
			if rest := s % u.size / units[i+1].size; rest > 0 {
				out += strconv.FormatInt(rest, 10) + units[i+1].name
			}
		}
		return out
	}
	return "0s"
}

// relative says how far t is from now: "3m20s ago", "in 12s".
func relative(t gateway.Time, now time.Time) string {
	switch d := now.Sub(t.Time); {
	case t.IsZero():
		return "never"
	case d >= 0:
		return span(d) + " ago"
	default:
		return "in " + span(-d)
	}
}

// lengthOf reads a span of time: a Go duration, or whole days as in 30d.
func lengthOf(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n > 0 && n <= 36500 {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%q is not a length of time such as 90m, 36h or 30d", text)
	}
	return d, nil
}

// plural is "1 task", "2 tasks".
func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + one + "s"
}

// orDash is s, cleaned, or a dash where there is nothing.
func orDash[T ~string](s T) string {
	if t := printable(string(s)); t != "" {
		return t
	}
	return "-"
}

// clip shortens s to n characters.
func clip(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}
