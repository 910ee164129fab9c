package engine

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/tester"

	"leviathan/gateway"
)

// TestOptions say how the bundle's own tests are run.
type TestOptions struct {
	// Timeout bounds each test. 0 means 30 s.
	Timeout time.Duration
	// MinCoverage is the least line coverage, in percent, that passes. 0 asks
	// for none.
	MinCoverage float64
}

// A TestReport is what the tests of a bundle said, in an order that does not
// change.
type TestReport struct {
	Tests []TestResult   `json:"tests"`
	Files []FileCoverage `json:"files"` // of the policies, not of the tests
	// Covered and Lines count the lines of all policies; Coverage is percent.
	Covered  int     `json:"covered"`
	Lines    int     `json:"lines"`
	Coverage float64 `json:"coverage"`
}

// A TestResult is one test's.
type TestResult struct {
	Name    string `json:"name"`
	Package string `json:"package"` // without "data."
	File    string `json:"file"`
	Line    int    `json:"line"`
	Pass    bool   `json:"pass"`
	Skipped bool   `json:"skipped,omitempty"` // its name begins with todo_; it does not count as a test
	Output  string `json:"output,omitempty"`  // what it printed
	Message string `json:"message,omitempty"` // why it failed
}

// A FileCoverage is how much of one policy file the tests have evaluated.
type FileCoverage struct {
	File      string  `json:"file"`
	Covered   int     `json:"covered"`
	Lines     int     `json:"lines"`
	Coverage  float64 `json:"coverage"` // percent; 100 for a file without rules
	Uncovered []int   `json:"uncovered,omitempty"`
}

// Test runs the tests that the bundle itself contains, with the capabilities
// and the strictness of a decision, and measures the coverage. The error is nil
// only if there is at least one test, all pass, and the coverage suffices;
// otherwise a *LoadError at StepTest names each failure, and the report is as
// complete as the run was.
func (s *Snapshot) Test(ctx context.Context, opts TestOptions) (TestReport, error) {
	results, tracer, err := s.runTests(ctx, opts)
	if err != nil {
		return TestReport{}, err
	}
	var report TestReport
	for _, r := range results {
		report.Tests = append(report.Tests, testResult(r))
	}
	slices.SortFunc(report.Tests, func(a, b TestResult) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Name, b.Name))
	})
	report.measure(tracer.Report(liveModules(s.modules)))
	if err := ctx.Err(); err != nil {
		return report, refuse(StepTest, "", err, "run tests: %v", err)
	}
	return report, report.verdict(opts)
}

// runTests compiles everything, tests too, and runs every test.
func (s *Snapshot) runTests(ctx context.Context, opts TestOptions) (_ []*tester.Result, _ *cover.Cover, err error) {
	manifest, err := readManifest(s.files)
	if err != nil {
		return nil, nil, err
	}
	data, err := readData(s.files, manifest)
	if err != nil {
		return nil, nil, err
	}
	store := newStore(data)
	txn, err := store.NewTransaction(ctx, storage.TransactionParams{})
	if err != nil {
		return nil, nil, refuse(StepTest, "", err, "open the bundle's data: %v", err)
	}
	defer store.Abort(ctx, txn)

	tracer := cover.New()
	results, err := tester.NewRunner().
		SetCompiler(newCompiler(data, true)).
		SetStore(store).
		SetModules(s.modules).
		SetCoverageRuns(nil).
		SetCoverageQueryTracer(tracer).
		CapturePrintOutput(true).
		RaiseBuiltinErrors(true).
		SetTimeout(cmp.Or(opts.Timeout, 30*time.Second)).
		RunTests(ctx, txn)
	if err != nil {
		return nil, nil, refuseAll(StepTest, diagnostics("", err))
	}
	var collected []*tester.Result
	for r := range results {
		collected = append(collected, r)
	}
	return collected, tracer, nil
}

func testResult(r *tester.Result) TestResult {
	out := TestResult{
		Name:    r.Name,
		Package: strings.TrimPrefix(r.Package, "data."),
		Pass:    r.Pass(),
		Skipped: r.Skip,
		Output:  string(r.Output),
	}
	if r.Location != nil {
		out.File, out.Line = r.Location.File, r.Location.Row
	}
	switch {
	case r.Error != nil:
		out.Message = r.Error.Error()
	case r.Fail:
		out.Message = "the test is not true"
		for names, sub := range r.SubResults.Iter {
			if sub.Fail && len(sub.SubResults) == 0 {
				out.Message += "; case " + path.Join(names...)
			}
		}
	}
	return out
}

// measure fills in the coverage.
func (t *TestReport) measure(report cover.Report) {
	for name, f := range report.Files {
		if isTest(name) {
			continue
		}
		file := FileCoverage{File: name, Coverage: 100}
		covered, uncovered := rows(f.Covered), rows(f.NotCovered)
		// A line of which some expression was not evaluated is not covered.
		for row := range uncovered {
			delete(covered, row)
			file.Uncovered = append(file.Uncovered, row)
		}
		slices.Sort(file.Uncovered)
		file.Covered, file.Lines = len(covered), len(covered)+len(uncovered)
		if file.Lines > 0 {
			file.Coverage = 100 * float64(file.Covered) / float64(file.Lines)
		}
		t.Covered, t.Lines = t.Covered+file.Covered, t.Lines+file.Lines
		t.Files = append(t.Files, file)
	}
	slices.SortFunc(t.Files, func(a, b FileCoverage) int { return cmp.Compare(a.File, b.File) })
	if t.Lines > 0 {
		t.Coverage = 100 * float64(t.Covered) / float64(t.Lines)
	}
}

// rows are the first lines of the ranges: where an expression spans several
// lines, its parts are ranges of their own.
func rows(ranges []cover.Range) map[int]struct{} {
	set := make(map[int]struct{}, len(ranges))
	for _, r := range ranges {
		set[r.Start.Row] = struct{}{}
	}
	return set
}

// verdict is nil if the report passes.
func (t *TestReport) verdict(opts TestOptions) error {
	var problems []gateway.Diagnostic
	ran := 0
	for _, r := range t.Tests {
		if !r.Skipped {
			ran++
		}
		if r.Pass || r.Skipped {
			continue
		}
		message := fmt.Sprintf("test %s failed: %s", r.Name, r.Message)
		if output := strings.TrimSpace(r.Output); output != "" {
			message += "; it printed: " + output
		}
		problems = append(problems, gateway.Diagnostic{File: r.File, Line: r.Line, Message: message})
	}
	if ran == 0 {
		problems = append(problems, gateway.Diagnostic{Message: "the bundle has no tests; a bundle that nobody tested is not activated"})
	}
	if t.Coverage < opts.MinCoverage {
		for _, f := range t.Files {
			for _, line := range f.Uncovered {
				problems = append(problems, gateway.Diagnostic{File: f.File, Line: line, Message: "no test evaluates this line"})
			}
		}
		problems = append(problems, gateway.Diagnostic{
			Message: fmt.Sprintf("the tests cover %.1f %% of the lines; %.1f %% are asked for", t.Coverage, opts.MinCoverage)})
	}
	return refuseAll(StepTest, problems)
}
