// Package report owns how the result of a check is shown: text for people,
// and the forms that CI systems read. One form is one file and one function.
// It decides nothing, reads nothing and knows no rule: every sentence is in
// the Report already.
package report

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"leviathan/gateway"
)

// A Verdict is how a category, or the whole check, ended.
type Verdict string

// The verdicts. Unknown is never a pass: a category without rules, without
// facts, or whose rules failed.
const (
	Held     Verdict = "held"
	Violated Verdict = "violated"
	Unknown  Verdict = "unknown"
)

// A Report is the result of one check. Lists are sorted and never nil.
type Report struct {
	Version      string     `json:"version"` // of the program
	Revision     string     `json:"revision"`
	PolicyDigest string     `json:"policy_digest"`
	Verdict      Verdict    `json:"verdict"`
	Categories   []Category `json:"categories"`
	// Off are the categories that nobody asked for by name and that have nothing
	// to look at here.
	Off    []string `json:"off,omitempty"`
	Waived []Waived `json:"waived"`
	// Baselined are the violations that the baseline has; Fixed counts the
	// baseline's that are no more.
	Baselined []gateway.Violation `json:"baselined"`
	Fixed     int                 `json:"fixed"`
	// Unchanged counts the violations in files that were not changed since the
	// base that the check was limited to.
	Unchanged int    `json:"unchanged"`
	Rules     []Rule `json:"rules"`
}

// A Category is one category's part of a Report.
type Category struct {
	Name       string              `json:"name"`
	Title      string              `json:"title"`
	Verdict    Verdict             `json:"verdict"`
	DecisionID gateway.DecisionID  `json:"decision_id"`
	Why        string              `json:"why,omitempty"` // of Unknown
	Violations []gateway.Violation `json:"violations"`
}

// A Waived violation is one that a waiver covers.
type Waived struct {
	gateway.Violation
	Reason  string `json:"reason"`
	Owner   string `json:"owner"`
	Expires string `json:"expires"`
}

// A Rule is the documentation of one code.
type Rule struct {
	Code        string           `json:"code"`
	Severity    gateway.Severity `json:"severity"`
	Title       string           `json:"title"`
	Description string           `json:"description"`
	Remedy      string           `json:"remedy"`
}

// Violations are all that count, in the order of the categories.
func (r *Report) Violations() []gateway.Violation {
	var all []gateway.Violation
	for _, c := range r.Categories {
		all = append(all, c.Violations...)
	}
	return all
}

// Settle sets the verdicts of the categories that are not Unknown, and the
// whole's: Unknown before Violated before Held.
func (r *Report) Settle() {
	r.Verdict = Held
	for i := range r.Categories {
		c := &r.Categories[i]
		if c.Verdict != Unknown {
			c.Verdict = Held
			if slices.ContainsFunc(c.Violations, func(v gateway.Violation) bool { return v.Severity == gateway.SeverityError }) {
				c.Verdict = Violated
			}
		}
		switch {
		case c.Verdict == Unknown:
			r.Verdict = Unknown
		case c.Verdict == Violated && r.Verdict == Held:
			r.Verdict = Violated
		}
	}
}

// Fingerprint identifies a violation independently of its line: the hex
// SHA-256 of code, file, subject and message.
func Fingerprint(v gateway.Violation) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{v.Code, v.File, v.Subject, v.Message}, "\x00")))
	return hex.EncodeToString(sum[:])
}

// writers are the forms by name.
var writers = map[string]func(io.Writer, *Report) error{
	"text": writeText, "json": writeJSON, "sarif": writeSARIF, "junit": writeJUnit, "github": writeGitHub, "markdown": writeMarkdown,
}

// Formats names the forms, sorted.
func Formats() []string { return slices.Sorted(maps.Keys(writers)) }

// Write writes the report in one of Formats.
func Write(w io.Writer, format string, r *Report) error {
	write, ok := writers[format]
	if !ok {
		return fmt.Errorf("write a report: the format %q is not one of %s", format, strings.Join(Formats(), ", "))
	}
	if err := write(w, r); err != nil {
		return fmt.Errorf("write the %s report: %w", format, err)
	}
	return nil
}

// place is file:line:column, safe to print.
func place(v gateway.Violation) string {
	return fmt.Sprintf("%s:%d:%d", oneLine(v.File), v.Line, v.Column)
}

// oneLine takes out of a text what would break a line or move a cursor.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }), " ")
}

// summary is the last sentence of a report.
func (r *Report) summary() string {
	counts := map[gateway.Severity]int{}
	for _, v := range r.Violations() {
		counts[v.Severity]++
	}
	held, unknown := 0, 0
	for _, c := range r.Categories {
		switch c.Verdict {
		case Held:
			held++
		case Unknown:
			unknown++
		}
	}
	text := fmt.Sprintf("%d of %d categories held, %d errors, %d warnings, %d notes", held, len(r.Categories),
		counts[gateway.SeverityError], counts[gateway.SeverityWarning], counts[gateway.SeverityNote])
	for _, part := range []struct {
		n    int
		word string
	}{{unknown, "could not run"}, {len(r.Waived), "waived"}, {len(r.Baselined), "in the baseline"}, {r.Fixed, "of the baseline fixed"},
		{r.Unchanged, "in unchanged files"}} {
		if part.n > 0 {
			text += fmt.Sprintf(", %d %s", part.n, part.word)
		}
	}
	return text
}
