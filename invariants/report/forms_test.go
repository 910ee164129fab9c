package report_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/rego"

	"leviathan/invariants/report"
)

func written(t *testing.T, format string, r *report.Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := report.Write(&b, format, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// sarifProblems is what the schema of SARIF 2.1.0 has against a document.
func sarifProblems(t *testing.T, document any) []any {
	t.Helper()
	data, err := os.ReadFile("testdata/sarif-2.1.0.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema any
	if err := json.Unmarshal(data, &schema); err != nil {
		t.Fatal(err)
	}
	got, err := rego.New(rego.Query("[_, problems] = json.match_schema(input.document, input.schema)"),
		rego.Input(map[string]any{"document": document, "schema": schema})).Eval(t.Context())
	if err != nil || len(got) != 1 {
		t.Fatalf("asking the schema: %v %v", got, err)
	}
	problems, _ := got[0].Bindings["problems"].([]any)
	return problems
}

func TestSARIFIsOfItsSchema(t *testing.T) {
	empty := &report.Report{}
	empty.Settle()
	for name, r := range map[string]*report.Report{"everything": sample(), "nothing": empty} {
		var document map[string]any
		if err := json.Unmarshal([]byte(written(t, "sarif", r)), &document); err != nil {
			t.Fatal(err)
		}
		if problems := sarifProblems(t, document); len(problems) != 0 {
			t.Errorf("%s: %v", name, problems)
		}
		document["runs"].([]any)[0].(map[string]any)["results"] = "many"
		if problems := sarifProblems(t, document); len(problems) == 0 {
			t.Errorf("%s: the schema takes what is no SARIF", name)
		}
	}
}

// JUnit's form says what the report says, read as CI systems read it.
func TestJUnitIsReadBack(t *testing.T) {
	type message struct {
		Text string `xml:",chardata"`
		Type string `xml:"type,attr"`
	}
	var all struct {
		Tests, Failures, Errors int `xml:",attr"`
		Suites                  []struct {
			Name  string `xml:"name,attr"`
			Cases []struct {
				Name    string   `xml:"name,attr"`
				Failure *message `xml:"failure"`
				Error   *message `xml:"error"`
				Output  string   `xml:"system-out"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	text := strings.NewReplacer(` tests="`, ` Tests="`, ` failures="`, ` Failures="`, ` errors="`, ` Errors="`).Replace(written(t, "junit", sample()))
	if err := xml.Unmarshal([]byte(text), &all); err != nil {
		t.Fatal(err)
	}
	tests, failures, broken := 0, 0, 0
	for _, suite := range all.Suites {
		for _, c := range suite.Cases {
			tests++
			switch {
			case c.Failure != nil:
				failures++
				if c.Name != "docs.dead" || c.Failure.Type != "docs.dead" || !strings.Contains(c.Failure.Text, "a b/ü,c.md:7:2: it says <b>|x|</b> &") {
					t.Errorf("the failure is %s: %+v", c.Name, c.Failure)
				}
			case c.Error != nil:
				broken++
				if suite.Name != "lost" {
					t.Errorf("%s could not run", suite.Name)
				}
			case c.Name == "docs.old" && !strings.Contains(c.Output, "b.md:1:2"):
				t.Errorf("a warning is lost: %q", c.Output)
			}
		}
	}
	if tests != all.Tests || failures != 1 || all.Failures != 1 || broken != 1 || all.Errors != 1 {
		t.Errorf("%d tests, %d failures and %d errors, the form says %d, %d and %d", tests, failures, broken, all.Tests, all.Failures, all.Errors)
	}
}

// Annotations are read back as the runner reads them: commands of one line, whose
// properties end at commas and whose texts are escaped.
func TestAnnotationsAreReadBack(t *testing.T) {
	data := strings.NewReplacer("%25", "%", "%0D", "\r", "%0A", "\n")
	property := strings.NewReplacer("%25", "%", "%0D", "\r", "%0A", "\n", "%3A", ":", "%2C", ",")
	r, found := sample(), 0
	for line := range strings.Lines(written(t, "github", r)) {
		head, text, ok := strings.Cut(strings.TrimPrefix(strings.TrimSuffix(line, "\n"), "::"), "::")
		command, list, _ := strings.Cut(head, " ")
		values := map[string]string{}
		for pair := range strings.SplitSeq(list, ",") {
			name, value, _ := strings.Cut(pair, "=")
			values[name] = property.Replace(value)
		}
		if !ok || !strings.HasPrefix(line, "::") {
			t.Errorf("no command: %q", line)
		}
		if values["file"] == "" {
			continue // a category that could not run
		}
		v := r.Violations()[found]
		found++
		if (command == "error") != (v.Severity == "error") || values["file"] != v.File || values["line"] != strconv.Itoa(v.Line) || values["col"] != strconv.Itoa(v.Column) ||
			values["title"] != v.Code || !strings.HasSuffix(data.Replace(text), v.Remedy) {
			t.Errorf("%+v became %s %v %q", v, command, values, text)
		}
	}
	if found != len(r.Violations()) {
		t.Errorf("%d annotations of %d violations", found, len(r.Violations()))
	}
}
