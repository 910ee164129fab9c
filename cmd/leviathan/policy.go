package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"leviathan/gateway"
	"leviathan/gateway/engine"
	"leviathan/policies"
)

// embeddedDir is where the embedded bundle's files are in this repository.
const embeddedDir = "policies"

func (o operator) policy() *cobra.Command {
	return family("policy", "The Rego policies that decide", append(o.policyAuthoring(), o.policyStatus(), o.policyHistory(), o.policyReplay(), o.policyActivate(), o.policyRollback(), o.policyCoverage(),
		o.policyTest(), o.policyCodes(), o.policyEval(), o.policyMutate())...)
}

// loadBundle loads a folder, or with no name the bundle that the binary has.
// Where is what the names of its files are relative to.
func loadBundle(ctx context.Context, args []string) (s *engine.Snapshot, where string, err error) {
	if len(args) == 0 {
		s, err = engine.LoadFS(ctx, policies.FS, engine.Options{})
		return s, embeddedDir, err
	}
	s, err = engine.LoadDir(ctx, args[0], engine.Options{})
	return s, args[0], err
}

// writeProblems writes every problem of a refused bundle, a line each.
func writeProblems(w io.Writer, where string, problems []gateway.Diagnostic) error {
	for _, d := range problems {
		if d.File != "" {
			d.File = filepath.Join(where, d.File)
		}
		if _, err := fmt.Fprintln(w, printableLines(d.String())); err != nil {
			return err
		}
	}
	return nil
}

// cannotLoad says why a bundle was refused; the exit code is 2.
func cannotLoad(cmd *cobra.Command, where string, err error) error {
	var refused *engine.LoadError
	if !errors.As(err, &refused) {
		return err
	}
	if err := writeProblems(cmd.ErrOrStderr(), where, refused.Problems); err != nil {
		return err
	}
	return &exitError{code: exitUsage, err: fmt.Errorf("the policies in %s cannot be loaded: refused at the step %s", where, refused.Step)}
}

func (o operator) policyTest() *cobra.Command {
	var out format
	least, longest := 100.0, 10*time.Second
	cmd := &cobra.Command{
		Use:   "test [DIR]",
		Short: "Run the tests of the policies and measure their coverage",
		Long: "Run the tests that a folder of policies has, with the engine, the capabilities and the\n" +
			"strictness of a live decision. Without DIR: the policies that this binary was built with.",
		Args: named("[DIR]"),
	}
	out.flag(cmd)
	cmd.Flags().Float64Var(&least, "min-coverage", least, "the least line coverage that passes, in `PERCENT`")
	cmd.Flags().DurationVar(&longest, "timeout", longest, "how long one test may take; the gate of a gateway gives each 10s")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if longest <= 0 {
			return fmt.Errorf("--timeout %s is not more than 0", longest)
		}
		if least < 0 || least > 100 {
			return fmt.Errorf("--min-coverage %v is not from 0 to 100", least)
		}
		bundle, where, err := loadBundle(cmd.Context(), args)
		if err != nil {
			return cannotLoad(cmd, where, err)
		}
		result, failed := bundle.Test(cmd.Context(), engine.TestOptions{MinCoverage: least, Timeout: longest})
		if failed != nil && len(result.Files) == 0 {
			return cannotLoad(cmd, where, failed) // the tests themselves do not compile
		}
		if err := out.show(cmd, result, func(w io.Writer) error { return writeTests(w, where, result, failed == nil, least) }); err != nil {
			return err
		}
		if cmd.Context().Err() != nil {
			return &exitError{code: exitInterrupted}
		}
		if failed != nil {
			return &exitError{code: exitNo}
		}
		return nil
	}
	return cmd
}

func writeTests(w io.Writer, where string, result engine.TestReport, passed bool, least float64) error {
	var b strings.Builder
	good, skipped := 0, 0
	for _, t := range result.Tests {
		switch {
		case t.Skipped:
			skipped++
		case t.Pass:
			good++
		default:
			fmt.Fprintf(&b, "%s:%d: %s failed: %s\n", filepath.Join(where, t.File), t.Line, t.Name, printable(t.Message))
			for line := range strings.Lines(strings.TrimSpace(t.Output)) {
				fmt.Fprintf(&b, "    %s\n", strings.TrimRight(printableLines(line), "\n"))
			}
		}
	}
	if result.Coverage < least {
		for _, f := range result.Files {
			if len(f.Uncovered) > 0 {
				fmt.Fprintf(&b, "%s:%d: no test evaluates %s\n", filepath.Join(where, f.File), f.Uncovered[0], lineNumbers(f.Uncovered))
			}
		}
	}
	if len(result.Tests) == skipped {
		fmt.Fprintf(&b, "%s has no test to run; policies that nobody tested are not activated\n", where)
	}
	word := "FAIL"
	if passed {
		word = "PASS"
	}
	fmt.Fprintf(&b, "%s: %d passed, %d failed, %d skipped; %d of %d lines covered (%.1f %%, at least %.1f %%)\n", word,
		good, len(result.Tests)-good-skipped, skipped, result.Covered, result.Lines, result.Coverage, least)
	_, err := io.WriteString(w, b.String())
	return err
}

// lineNumbers is "line 7", or "lines 3, 7-9, 12".
func lineNumbers(lines []int) string {
	var parts []string
	for i := 0; i < len(lines); {
		j := i
		for j+1 < len(lines) && lines[j+1] == lines[j]+1 {
			j++
		}
		if part := strconv.Itoa(lines[i]); i == j {
			parts = append(parts, part)
		} else {
			parts = append(parts, part+"-"+strconv.Itoa(lines[j]))
		}
		i = j + 1
	}
	if len(lines) == 1 {
		return "line " + parts[0]
	}
	return "lines " + strings.Join(parts, ", ")
}

func (o operator) policyCodes() *cobra.Command {
	var out format
	cmd := &cobra.Command{
		Use:   "codes [DIR]",
		Short: "Every code by which something may be denied: what it means and what to do",
		Args:  named("[DIR]"),
	}
	out.flag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		bundle, where, err := loadBundle(cmd.Context(), args)
		if err != nil {
			return cannotLoad(cmd, where, err)
		}
		list := struct {
			Items []engine.Code `json:"items"`
		}{append(bundle.Codes(), engine.Failures()...)}
		slices.SortStableFunc(list.Items, func(a, b engine.Code) int { return cmp.Compare(a.Code, b.Code) })
		return out.show(cmd, list, func(w io.Writer) error {
			g := newGrid(w, "CODE", "TITLE", "WHAT TO DO")
			for _, c := range list.Items {
				g.row(c.Code, c.Title, strings.Join(strings.Fields(c.Remedy), " "))
			}
			return g.end()
		})
	}
	return cmd
}
