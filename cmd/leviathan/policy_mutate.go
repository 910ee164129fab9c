package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"leviathan/gateway/engine/authoring"
)

// survivorsFile is where a folder of policies says why a mutant may survive:
// YAML, by a name that no reader of bundles takes for data.
const survivorsFile = "mutation.survivors"

func (o operator) policyMutate() *cobra.Command {
	var out format
	var only string
	least := 95.0
	cmd := &cobra.Command{
		Use:   "mutate [DIR]",
		Short: "Change the policies place by place and see whether their tests notice",
		Long: "Change the policies at one place at a time (a comparison, a condition, a constant, a rule) and run\n" +
			"their tests on each change. Changes that no test notices are listed, with the reason where\n" +
			"DIR/" + survivorsFile + " has one. Without DIR: the policies that this binary was built with.",
		Args: named("[DIR]"),
	}
	out.flag(cmd)
	cmd.Flags().Float64Var(&least, "min-score", least, "the least share of changes noticed that passes, in `PERCENT`")
	cmd.Flags().StringVar(&only, "only", "", "change the rules of this `PACKAGE` only, such as leviathan.limits")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if least < 0 || least > 100 {
			return fmt.Errorf("--min-score %v is not from 0 to 100", least)
		}
		bundle, where, err := loadBundle(cmd.Context(), args)
		if err != nil {
			return cannotLoad(cmd, where, err)
		}
		reasons, err := readSurvivors(cmd, args)
		if err != nil {
			return err
		}
		report, err := authoring.Mutate(cmd.Context(), bundle, authoring.MutateOptions{Package: only})
		if err != nil {
			return fmt.Errorf("mutate %s: %w", where, err)
		}
		stale := report.Explain(survivorsFile, reasons)
		if err := out.show(cmd, report, func(w io.Writer) error { return writeMutants(w, where, report, least) }); err != nil {
			return err
		}
		if err := writeProblems(cmd.ErrOrStderr(), where, stale); err != nil {
			return err
		}
		if len(stale) > 0 || report.Score < least {
			return &exitError{code: exitNo}
		}
		return nil
	}
	return cmd
}

// readSurvivors reads the folder's list of survivors, which may be absent.
func readSurvivors(cmd *cobra.Command, args []string) ([]authoring.Survivor, error) {
	if len(args) == 0 {
		return nil, nil
	}
	data, err := os.ReadFile(filepath.Join(args[0], survivorsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the list of survivors: %w", err)
	}
	list, problems := authoring.ParseSurvivors(survivorsFile, data)
	if len(problems) == 0 {
		return list, nil
	}
	if err := writeProblems(cmd.ErrOrStderr(), args[0], problems); err != nil {
		return nil, err
	}
	return nil, &exitError{code: exitUsage, err: fmt.Errorf("%s cannot be read", filepath.Join(args[0], survivorsFile))}
}

func writeMutants(w io.Writer, where string, report authoring.MutationReport, least float64) error {
	var b strings.Builder
	for _, o := range report.Mutants {
		if o.Fate != authoring.Survived {
			continue
		}
		fmt.Fprintf(&b, "%s:%d:%d: %s: %s survived: %s", filepath.Join(where, o.File), o.Line, o.Col, printable(o.Rule), o.Mutation, printable(o.From))
		if o.To != "" {
			fmt.Fprintf(&b, " became %s", printable(o.To))
		}
		b.WriteByte('\n')
		if o.Reason != "" {
			fmt.Fprintf(&b, "    because: %s\n", printable(o.Reason))
		}
	}
	word := "FAIL"
	if report.Score >= least {
		word = "PASS"
	}
	fmt.Fprintf(&b, "%s: %d of %d mutants killed (%.1f %%, at least %.1f %%), %d survived, %d of the killed by time; %d do not compile; %d not tried, in rules that no answer depends on\n", word,
		report.Killed, report.Killed+report.Survived, report.Score, least, report.Survived, report.TimedOut, report.Invalid, report.Unasked)
	_, err := io.WriteString(w, b.String())
	return err
}
