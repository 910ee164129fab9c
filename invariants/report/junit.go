package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"leviathan/gateway"
)

type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Name    string        `xml:"name,attr"`
	Class   string        `xml:"classname,attr"`
	Failure *junitMessage `xml:"failure,omitempty"`
	Error   *junitMessage `xml:"error,omitempty"`
	Output  string        `xml:"system-out,omitempty"`
}

type junitMessage struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",chardata"`
}

// writeJUnit writes a suite for each category and a case for each of its
// rules, which fails if the rule found an error.
func writeJUnit(w io.Writer, r *Report) error {
	all := junitSuites{Name: "invariants"}
	for _, c := range r.Categories {
		suite := suiteOf(c, r.Rules)
		all.Tests, all.Failures, all.Errors = all.Tests+suite.Tests, all.Failures+suite.Failures, all.Errors+suite.Errors
		all.Suites = append(all.Suites, suite)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func suiteOf(c Category, rules []Rule) junitSuite {
	suite := junitSuite{Name: c.Name}
	if c.Verdict == Unknown {
		suite.Tests, suite.Errors = 1, 1
		suite.Cases = []junitCase{{Name: c.Name, Class: c.Name, Error: &junitMessage{Message: c.Why, Type: string(Unknown)}}}
		return suite
	}
	for _, code := range codesOf(c, rules) {
		one := junitCase{Name: code, Class: c.Name}
		var failures, notes []string
		for _, v := range c.Violations {
			text := fmt.Sprintf("%s: %s. %s", place(v), v.Message, v.Remedy)
			switch {
			case v.Code != code:
			case v.Severity == gateway.SeverityError:
				failures = append(failures, text)
			default:
				notes = append(notes, text)
			}
		}
		if len(failures) > 0 {
			suite.Failures++
			one.Failure = &junitMessage{Message: fmt.Sprintf("%d violations of %s", len(failures), code), Type: code, Text: strings.Join(failures, "\n")}
		}
		one.Output = strings.Join(notes, "\n")
		suite.Cases = append(suite.Cases, one)
		suite.Tests++
	}
	return suite
}

// codesOf are the codes of a category's rules, and others that it reported.
func codesOf(c Category, rules []Rule) (codes []string) {
	seen := map[string]bool{}
	add := func(code string) {
		if !seen[code] {
			seen[code] = true
			codes = append(codes, code)
		}
	}
	for _, rule := range rules {
		if strings.HasPrefix(rule.Code, c.Name+".") {
			add(rule.Code)
		}
	}
	for _, v := range c.Violations {
		add(v.Code)
	}
	return codes
}
