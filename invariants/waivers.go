package invariants

import (
	"regexp"
	"strings"
	"time"

	"leviathan/gateway"
	"leviathan/gateway/engine"
	"leviathan/invariants/report"
)

// The categories that always run: without the first no other can be trusted,
// and the second judges what would hide the others.
const (
	treeCategory    = "tree"
	waiversCategory = "waivers"
)

// A waiverFact is a waiver as its policy sees it.
type waiverFact struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Code    string `json:"code"`
	Glob    string `json:"glob"`
	Reason  string `json:"reason"`
	Owner   string `json:"owner"`
	Expires string `json:"expires"`
	Matches int    `json:"matches"`
	// Checked says that the category of its code was checked, so that no match
	// means that there is none.
	Checked bool `json:"checked"`
}

// covers reports whether the waiver is about the violation.
func (w Waiver) covers(v gateway.Violation) bool {
	return globOf(w.Code).MatchString(v.Code) && globOf(w.Path).MatchString(v.File)
}

// waiverFacts are the waivers with how many of the violations each matches.
func waiverFacts(s Settings, categories []report.Category) []waiverFact {
	out := make([]waiverFact, 0, len(s.Waivers))
	for _, w := range s.Waivers {
		fact := waiverFact{s.File, w.Line, w.Column, w.Code, w.Path, w.Reason, w.Owner, w.Expires, 0, false}
		for _, c := range categories {
			fact.Checked = fact.Checked || strings.HasPrefix(w.Code, c.Name+".") && c.Verdict != report.Unknown
			for _, v := range c.Violations {
				if w.covers(v) {
					fact.Matches++
				}
			}
		}
		out = append(out, fact)
	}
	return out
}

// waiverInput is what the policy is asked about the waivers, but for the name of
// their category.
func waiverInput(facts []waiverFact, now time.Time) (engine.Input, error) {
	var in engine.Input
	for _, part := range []struct {
		name  string
		value any
	}{{"waivers", facts}, {"today", now.UTC().Format(time.DateOnly)},
		{"in_a_year", now.UTC().AddDate(1, 0, 0).Format(time.DateOnly)}} {
		made, err := engine.PartOf(part.name, part.value)
		if err != nil {
			return nil, err
		}
		in = append(in, made)
	}
	return in, nil
}

// waive moves the violations that a waiver covers out of their categories. A
// waiver that its own policy denied covers nothing.
func waive(r *report.Report, waivers []Waiver, denied []gateway.Violation) {
	refused := map[int]bool{}
	for _, v := range denied {
		refused[v.Line] = true
	}
	for i := range r.Categories {
		c := &r.Categories[i]
		if c.Name == waiversCategory {
			continue
		}
		kept := []gateway.Violation{}
	violations:
		for _, v := range c.Violations {
			for _, w := range waivers {
				if !refused[w.Line] && w.covers(v) {
					r.Waived = append(r.Waived, report.Waived{Violation: v, Reason: w.Reason, Owner: w.Owner, Expires: w.Expires})
					continue violations
				}
			}
			kept = append(kept, v)
		}
		c.Violations = kept
	}
}

// globOf compiles a glob over slash-separated paths: * and ? stay within a
// folder, ** does not.
func globOf(glob string) *regexp.Regexp {
	var b strings.Builder
	b.WriteString(`^`)
	for i := 0; i < len(glob); i++ {
		switch {
		case strings.HasPrefix(glob[i:], "**/"):
			b.WriteString(`(?:.*/)?`)
			i += 2
		case strings.HasPrefix(glob[i:], "**"):
			b.WriteString(`.*`)
			i++
		case glob[i] == '*':
			b.WriteString(`[^/]*`)
		case glob[i] == '?':
			b.WriteString(`[^/]`)
		default:
			b.WriteString(regexp.QuoteMeta(glob[i : i+1]))
		}
	}
	b.WriteString(`$`)
	return regexp.MustCompile(b.String())
}
