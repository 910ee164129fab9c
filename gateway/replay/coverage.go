package replay

import (
	"context"
	"slices"

	"leviathan/gateway"
	"leviathan/gateway/engine"
	"leviathan/gateway/journal"
)

// Coverage joins what the policy can say with what it did say since a time,
// and with what its own tests make it say. It runs the tests.
func Coverage(ctx context.Context, j *journal.Journal, policy *engine.Snapshot, since gateway.Time) (gateway.PolicyCoverage, error) {
	counts, err := j.RuleCounts(ctx, since)
	if err != nil {
		return gateway.PolicyCoverage{}, err
	}
	fired := map[string]int64{}
	for _, c := range counts {
		fired[c.Code] += c.Count
	}
	report := gateway.PolicyCoverage{Revision: policy.Revision(), Since: since, Items: []gateway.RuleCoverage{}}
	tests, failed := policy.Test(ctx, engine.TestOptions{})
	if err := ctx.Err(); err != nil {
		return report, err
	}
	if failed != nil {
		report.TestProblem = failed.Error()
	}
	for _, code := range policy.Codes() {
		report.Items = append(report.Items, gateway.RuleCoverage{Code: code.Code, Title: code.Title, Package: code.Package,
			File: code.File, Line: code.Line, Fired: fired[code.Code], Tested: tested(tests, code)})
	}
	return report, nil
}

// tested reports whether a test makes the rule succeed: only then is the line
// of its head covered.
func tested(tests engine.TestReport, code engine.Code) bool {
	i := slices.IndexFunc(tests.Files, func(f engine.FileCoverage) bool { return f.File == code.File })
	return i >= 0 && !slices.Contains(tests.Files[i].Uncovered, code.Line)
}
