package report_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"flag"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leviathan/gateway"
	"leviathan/invariants/report"
)

var update = flag.Bool("update", false, "write the golden files anew")

func one(code, file string, line int, severity gateway.Severity, message string) gateway.Violation {
	return gateway.Violation{Code: code, Severity: severity, Message: message, Remedy: "Mend it.", Rule: "leviathan.invariants.docs",
		File: file, Line: line, Column: 2, Subject: "x"}
}

// sample has everything that a form must show, with text that tries to break
// each of them.
func sample() *report.Report {
	hostile := one("docs.dead", "a b/ü,c.md", 7, gateway.SeverityError, "it says <b>|x|</b> & \x1b[31m100%\n::error::no")
	r := &report.Report{Version: "1.0.0", Revision: "0.5.0", PolicyDigest: "sha256:00", Fixed: 1, Unchanged: 2,
		Categories: []report.Category{
			{Name: "docs", Title: "Documents", Violations: []gateway.Violation{hostile, one("docs.old", "b.md", 1, gateway.SeverityWarning, "old")}},
			{Name: "held", Title: "Held", Violations: []gateway.Violation{}},
			{Name: "lost", Title: "Lost", Verdict: report.Unknown, Why: "no facts", Violations: []gateway.Violation{}},
		},
		Waived:    []report.Waived{{Violation: one("docs.dead", "w.md", 3, gateway.SeverityError, "waived"), Reason: "soon", Owner: "ada", Expires: "2026-03-01"}},
		Baselined: []gateway.Violation{one("docs.dead", "k.md", 4, gateway.SeverityError, "known")},
		Rules: []report.Rule{{Code: "docs.dead", Severity: gateway.SeverityError, Title: "Dead", Description: "Is dead.", Remedy: "Mend it."},
			{Code: "docs.old", Severity: gateway.SeverityWarning, Title: "Old", Description: "Is old.", Remedy: "Mend it."}}}
	r.Settle()
	return r
}

func TestEveryFormIsAsItWas(t *testing.T) {
	for _, format := range report.Formats() {
		var b bytes.Buffer
		if err := report.Write(&b, format, sample()); err != nil {
			t.Fatal(err)
		}
		file := "testdata/" + format + ".golden"
		if *update {
			if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatalf("%v; run go test ./invariants/report -update", err)
		}
		if diff := cmp.Diff(string(want), b.String()); diff != "" {
			t.Errorf("%s (run with -update): want -, got +\n%s", format, diff)
		}
	}
	if err := report.Write(io.Discard, "pdf", sample()); err == nil {
		t.Error("a form that does not exist was written")
	}
}

// A hostile text is one line of one violation in every form.
func TestNoTextBreaksAForm(t *testing.T) {
	write := func(format string) string {
		var b bytes.Buffer
		if err := report.Write(&b, format, sample()); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	if text := write("text") + write("markdown"); strings.ContainsRune(text, '\x1b') {
		t.Error("an escape sequence reaches the terminal")
	}
	for line := range strings.Lines(write("github")) {
		if strings.HasPrefix(line, "::error::") {
			t.Error("a message became a command of the runner")
		}
	}
	for line := range strings.Lines(write("markdown")) {
		if strings.Contains(line, "<b>") {
			t.Error("a message became markup")
		}
	}
	var suites struct {
		Failures int `xml:"failures,attr"`
		Errors   int `xml:"errors,attr"`
	}
	if err := xml.Unmarshal([]byte(write("junit")), &suites); err != nil || suites.Failures != 1 || suites.Errors != 1 {
		t.Errorf("JUnit: %+v, %v", suites, err)
	}
	var sarif struct {
		Runs []struct {
			Invocations []struct{ ExecutionSuccessful bool }
			Results     []struct {
				RuleIndex    *int
				Suppressions []any
			}
		}
	}
	if err := json.Unmarshal([]byte(write("sarif")), &sarif); err != nil {
		t.Fatal(err)
	}
	run := sarif.Runs[0]
	if run.Invocations[0].ExecutionSuccessful || len(run.Results) != 4 || len(run.Results[0].Suppressions) != 0 || len(run.Results[3].Suppressions) != 1 {
		t.Errorf("SARIF: %+v", run)
	}
}

func TestUnknownIsNeverAPass(t *testing.T) {
	r := sample()
	if r.Verdict != report.Unknown {
		t.Errorf("with a category that could not run: %s", r.Verdict)
	}
	r.Categories = r.Categories[:2]
	if r.Settle(); r.Verdict != report.Violated || r.Categories[0].Verdict != report.Violated || r.Categories[1].Verdict != report.Held {
		t.Errorf("with an error: %s", r.Verdict)
	}
	r.Categories[0].Violations = r.Categories[0].Violations[1:]
	if r.Settle(); r.Verdict != report.Held {
		t.Errorf("with a warning alone: %s", r.Verdict)
	}
}

func TestAFingerprintSurvivesAMove(t *testing.T) {
	a := one("docs.dead", "a.md", 7, gateway.SeverityError, "gone")
	b := a
	b.Line, b.Column = 90, 1
	if report.Fingerprint(a) != report.Fingerprint(b) {
		t.Error("another line is another violation")
	}
	for _, change := range []func(*gateway.Violation){
		func(v *gateway.Violation) { v.Code = "docs.old" }, func(v *gateway.Violation) { v.File = "b.md" },
		func(v *gateway.Violation) { v.Subject = "y" }, func(v *gateway.Violation) { v.Message = "lost" },
	} {
		c := a
		if change(&c); report.Fingerprint(c) == report.Fingerprint(a) {
			t.Errorf("%+v has the fingerprint of %+v", c, a)
		}
	}
}
