package invariants

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"leviathan/gateway"
	"leviathan/invariants/report"
)

// changedFiles asks git which files differ from the point where the work left
// base: committed, not committed, and new ones.
func changedFiles(ctx context.Context, dir, base string) (map[string]bool, error) {
	if base == "" || strings.HasPrefix(base, "-") {
		return nil, fmt.Errorf("find the changed files: %q is no revision", base)
	}
	changed := map[string]bool{}
	for _, args := range [][]string{
		{"diff", "--name-only", "--no-renames", "--no-ext-diff", "--relative", "-z", "--merge-base", base, "--"},
		{"ls-files", "--others", "--exclude-standard", "-z"},
	} {
		out, err := runGit(ctx, dir, args)
		if err != nil {
			return nil, fmt.Errorf("find the files changed since %s: %w", base, err)
		}
		for name := range strings.SplitSeq(out, "\x00") {
			if name != "" {
				changed[name] = true
			}
		}
	}
	return changed, nil
}

func runGit(ctx context.Context, dir string, args []string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", dir, "-c", "core.fsmonitor=false"}, args...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		if text := strings.TrimSpace(stderr.String()); text != "" {
			err = errors.New(text)
		}
		return "", fmt.Errorf("git %s: %w", args[0], err)
	}
	return stdout.String(), nil
}

// onlyChanged takes violations in other files out of the count. What is wrong
// with a waiver counts always: that its file did not change is the point.
func onlyChanged(r *report.Report, changed map[string]bool) {
	for i := range r.Categories {
		c := &r.Categories[i]
		kept := []gateway.Violation{}
		for _, v := range c.Violations {
			if changed[v.File] || c.Name == waiversCategory {
				kept = append(kept, v)
				continue
			}
			r.Unchanged++
		}
		c.Violations = kept
	}
}
