package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"leviathan/gateway"
	"leviathan/gateway/engine"
)

// demoFrozen is the task whose pull request the stricter sample policy would
// not have let happen.
const demoFrozen gateway.TaskID = "test-skeleton"

// showReplay decides the demo's own decisions again under a stricter policy,
// which it writes to a folder, shows what flips, and holds it to what must.
func (u *up) showReplay(ctx context.Context, dir string, out io.Writer) (candidate string, err error) {
	candidate = filepath.Join(dir, "stricter")
	if err := writePolicies(candidate); err != nil {
		return "", fmt.Errorf("writing the stricter policies: %w", err)
	}
	rule, err := demoFiles.ReadFile("demo/stricter.rego")
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(candidate, "delivery", "frozen.rego"), rule, 0o644); err != nil {
		return "", fmt.Errorf("writing the stricter policies: %w", err)
	}
	s, err := engine.LoadDir(ctx, candidate, engine.Options{})
	if err != nil {
		return "", err
	}
	bundle, err := s.Bytes()
	if err != nil {
		return "", err
	}
	report, err := u.client.ReplayPolicy(ctx, bundle, gateway.Time{}, "")
	if err != nil {
		return "", fmt.Errorf("replaying the demo's decisions: %w", err)
	}
	fmt.Fprintf(out, "\nwhat a stricter policy would have changed (it freezes tests/)\n")
	if err := writeReplay(out, report); err != nil {
		return "", err
	}
	return candidate, checkReplay(report, out)
}

// checkReplay compares the flips with those that must be.
func checkReplay(r gateway.ReplayReport, out io.Writer) error {
	lost := func(p gateway.LostPull) bool { return p.Task == demoFrozen }
	if r.Counts[gateway.FlipAllowToDeny] >= 1 && r.Counts[gateway.FlipDenyToAllow]+r.Counts[gateway.FlipError] == 0 &&
		len(r.PullRequests) == 1 && slices.ContainsFunc(r.PullRequests, lost) && r.Unchanged > 0 {
		return nil
	}
	fmt.Fprintf(out, "\nnot as expected: the stricter policy must deny the push of %s and nothing that was delivered besides\n", demoFrozen)
	return &exitError{code: exitNo}
}
