package engine

import (
	"context"
	"errors"
	"fmt"
)

// errTested is what the gate is not for.
var errTested = errors.New("the gate tests a bundle whole, and this one was loaded as one that passed it before")

// Gate takes a bundle through every step that a bundle alone can fail: those
// of loading, which load takes, then the schema of the input, the bundle's own
// tests, and their coverage if tests asks for any. It returns the results of
// all steps as far as it came, and an error, a *LoadError wherever the bundle
// is to blame, exactly if the bundle must not be activated.
//
// What it does not know is left to the caller: replay, and who may activate.
func Gate(ctx context.Context, tests TestOptions, load func(context.Context) (*Snapshot, error)) (*Snapshot, []StepResult, error) {
	s, err := load(ctx)
	if err != nil {
		var refused *LoadError
		if errors.As(err, &refused) {
			return nil, refused.Steps, err
		}
		return nil, nil, err
	}
	if s.opts.Tested {
		return nil, s.steps, errTested
	}
	r := recorder{results: append([]StepResult{}, s.steps...)}
	if err := r.run(StepSchema, s.checkInput); err != nil {
		return nil, r.results, err
	}
	var report TestReport
	tests.NoCoverage = tests.MinCoverage == 0
	err = r.run(StepTest, func() (detail string, err error) {
		if report, err = s.runSuite(ctx, tests); err != nil {
			return "", err
		}
		return fmt.Sprintf("%d tests", len(report.Tests)), report.failures()
	})
	if err != nil {
		return nil, r.results, err
	}
	if tests.NoCoverage {
		return s, append(r.results, StepResult{Step: StepCoverage, Detail: "no least coverage is asked for"}), nil
	}
	err = r.run(StepCoverage, func() (string, error) {
		return fmt.Sprintf("%.1f %% of %d lines", report.Coverage, report.Lines), report.gaps(tests.MinCoverage)
	})
	if err != nil {
		return nil, r.results, err
	}
	return s, r.results, nil
}
