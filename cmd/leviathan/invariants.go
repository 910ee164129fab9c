package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"leviathan/gateway"
	"leviathan/gateway/server"
	"leviathan/invariants"
	"leviathan/invariants/facts"
	checkreport "leviathan/invariants/report"
)

func (o operator) invariants() *cobra.Command {
	return family("invariants", "The CI gate: what must be true of a repository", o.invariantsCheck(), o.invariantsFacts(), o.invariantsInit())
}

// pathOf is the PATH of a command, by default where it runs.
func pathOf(args []string) string {
	if len(args) == 0 {
		return "."
	}
	return args[0]
}

// checkHeap is how many bytes a check may have before its garbage is collected
// at all: about half of what it should need at most.
const checkHeap = 120 << 20

func (o operator) invariantsCheck() *cobra.Command {
	var opts invariants.Options
	var format string
	var reports []string
	by := &connection{operator: o}
	cmd := &cobra.Command{
		Use:   "check [PATH]",
		Short: "Check a repository against every invariant; the exit code is the verdict",
		Long: "Read the repository at PATH, ask every category's policy about it, and report each violation with its place and its remedy.\n" +
			"Exit codes: 0 held · 1 violated · 2 could not run: no facts, no rules, a policy that fails; that is never a pass.\n" +
			"Each verdict is a decision in a journal; with --state it is kept, and with --gateway a gateway decides and its journal has it.\n" +
			"Settings and waivers: " + invariants.SettingsFile + ".",
		Example: "leviathan invariants check --report sarif=gate.sarif --report markdown=summary.md\n" +
			"leviathan invariants check --changed-only origin/main\n" +
			"leviathan invariants check --gateway https://leviathan.example.com --token-file reader.token",
		Args: named("[PATH]"),
	}
	f := cmd.Flags()
	f.StringVarP(&format, "output", "o", "text", "`FORMAT` of what is printed: "+strings.Join(checkreport.Formats(), ", "))
	f.StringArrayVar(&reports, "report", nil, "write another report, as `FORMAT=FILE`; may be given several times")
	f.StringVar(&opts.Settings, "settings", "", "read the settings from this `FILE` of the repository, instead of "+invariants.SettingsFile)
	f.StringSliceVar(&opts.Categories, "category", nil, "check only this `CATEGORY`; may be given several times")
	f.StringVar(&opts.State, "state", "", "keep the journal of the verdicts in this `DIR`; by default it is temporary")
	f.StringVar(&opts.Baseline, "baseline", "", "do not count the violations of this `FILE`")
	f.StringVar(&opts.WriteBaseline, "write-baseline", "", "write what was found to this `FILE`, as a baseline")
	f.StringVar(&opts.ChangedSince, "changed-only", "", "count only violations in files that changed since the work left `BASE`, a git revision")
	f.StringVar(&by.url, "gateway", "", "ask the gateway at this `URL` for the verdicts, and have them in its journal; a reader's token is enough")
	f.StringVar(&by.tokenFile, "token-file", "", "`PATH` of a file that holds the token for --gateway, or - for stdin (default $"+tokenVariable+")")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		wanted, err := parseReports(format, reports)
		if err != nil {
			return err
		}
		defer collectLate(checkHeap)()
		opts.Dir, opts.Now, opts.Binary = pathOf(args), o.now, binaryOf(cmd.Root())
		result, err := by.checkInvariants(cmd, opts)
		if err != nil {
			return couldNotRun(cmd.Context(), err)
		}
		for _, w := range wanted {
			if err := w.write(cmd.OutOrStdout(), result); err != nil {
				return err
			}
		}
		switch result.Verdict {
		case checkreport.Held:
			return nil
		case checkreport.Violated:
			return &exitError{code: exitNo}
		default:
			return &exitError{code: exitUsage}
		}
	}
	return cmd
}

// checkInvariants checks here, or at the gateway if there is a URL.
func (c *connection) checkInvariants(cmd *cobra.Command, opts invariants.Options) (*checkreport.Report, error) {
	if c.url == "" {
		if c.tokenFile != "" {
			return nil, errors.New("--token-file is for --gateway, which is missing")
		}
		return invariants.Check(cmd.Context(), opts)
	}
	s, err := c.open(cmd)
	if errors.Is(err, errNoToken) {
		return nil, fmt.Errorf("%w for the gateway: name a file with --token-file, or set %s", errNoToken, tokenVariable)
	}
	if err != nil {
		return nil, err
	}
	opts.Gateway = s.Client
	result, err := invariants.Check(cmd.Context(), opts)
	var asked *gateway.Error
	if errors.As(err, &asked) {
		err = s.explain(cmd.Context(), "asking the gateway for the verdicts", err)
	}
	return result, err
}

// couldNotRun is the error of a check that has no verdict.
func couldNotRun(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return &exitError{code: exitInterrupted}
	}
	return &exitError{code: exitUsage, err: errors.New(printableLines(err.Error()))}
}

// A wantedReport is one form of the report and where it goes; no file is
// standard output.
type wantedReport struct{ format, file string }

func parseReports(format string, reports []string) ([]wantedReport, error) {
	wanted := []wantedReport{{format: format}}
	for _, r := range reports {
		name, file, ok := strings.Cut(r, "=")
		if !ok || file == "" {
			return nil, fmt.Errorf("--report %s is not FORMAT=FILE", r)
		}
		wanted = append(wanted, wantedReport{name, file})
	}
	for _, w := range wanted {
		if err := checkreport.Write(io.Discard, w.format, &checkreport.Report{}); err != nil {
			return nil, err
		}
	}
	return wanted, nil
}

func (w wantedReport) write(stdout io.Writer, result *checkreport.Report) error {
	var b bytes.Buffer
	if err := checkreport.Write(&b, w.format, result); err != nil {
		return err
	}
	if w.file == "" {
		text := b.Bytes()
		if w.format == "json" || w.format == "sarif" {
			text = printableJSON(text)
		}
		_, err := stdout.Write(text)
		return err
	}
	if err := os.WriteFile(w.file, b.Bytes(), 0o644); err != nil {
		return fmt.Errorf("writing the %s report: %w", w.format, err)
	}
	return nil
}

func (o operator) invariantsFacts() *cobra.Command {
	var schema bool
	var settings string
	cmd := &cobra.Command{
		Use:   "facts [PATH]",
		Short: "Print the document about a repository that the rules of the invariants see",
		Long: "Print, as JSON, the input of every category's policy: feed it to `opa eval --input` to write a rule.\n" +
			"With --schema: the JSON schema of that document.",
		Args: named("[PATH]"),
	}
	cmd.Flags().StringVar(&settings, "settings", "", "read the settings from this `FILE` of the repository, instead of "+invariants.SettingsFile)
	cmd.Flags().BoolVar(&schema, "schema", false, "print the JSON schema of the document instead")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var doc []byte
		var err error
		if schema {
			doc, err = facts.Schema()
		} else {
			doc, err = invariants.Document(cmd.Context(), pathOf(args), settings, binaryOf(cmd.Root()))
		}
		if err != nil {
			return couldNotRun(cmd.Context(), err)
		}
		_, err = cmd.OutOrStdout().Write(printableJSON(doc))
		return err
	}
	return cmd
}

func (o operator) invariantsInit() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "init [PATH]",
		Short: "Write starter settings and a workflow for a repository",
		Long: "Write " + invariants.SettingsFile + " with the categories that this repository has something for, and a GitHub workflow\n" +
			"that runs the gate. Files that exist are left alone.",
		Example: "leviathan invariants init --action OWNER/leviathan@0123456789abcdef0123456789abcdef01234567",
		Args:    named("[PATH]"),
	}
	var action string
	cmd.Flags().StringVar(&action, "action", "", "let the workflow build the gate from `OWNER/REPOSITORY@COMMIT` on GitHub; without it the runner must have leviathan")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		written, kept, err := invariants.Init(cmd.Context(), pathOf(args), action)
		if err != nil {
			return couldNotRun(cmd.Context(), err)
		}
		for _, file := range written {
			if _, err := fmt.Fprintf(cmd.OutOrStdout(), "wrote %s\n", file); err != nil {
				return err
			}
		}
		for _, file := range kept {
			if _, err := fmt.Fprintf(cmd.OutOrStdout(), "left %s as it is\n", file); err != nil {
				return err
			}
		}
		return nil
	}
	return cmd
}

// binaryOf is what this binary can do, for rules about its own repository.
func binaryOf(root *cobra.Command) facts.Binary {
	b := facts.Binary{Version: gateway.Version, Commands: map[string]facts.Command{}}
	for _, r := range server.Routes() {
		b.Routes = append(b.Routes, facts.Route{Method: r.Method, Path: r.Path, Action: r.Action, Summary: r.Summary})
	}
	addCommand(b.Commands, root)
	return b
}

// addCommand adds a command and those below it. One that has some below it does
// something itself when it has flags of its own: a mere family has none.
func addCommand(into map[string]facts.Command, cmd *cobra.Command) {
	known := facts.Command{Flags: map[string]string{}, Runs: !cmd.HasSubCommands()}
	cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) { known.Runs = known.Runs || cmd.HasParent() && f.Name != "help" })
	add := func(f *pflag.Flag) { known.Flags[f.Name] = f.Value.Type() }
	cmd.LocalFlags().VisitAll(add)
	cmd.InheritedFlags().VisitAll(add)
	into[cmd.CommandPath()] = known
	for _, sub := range cmd.Commands() {
		addCommand(into, sub)
	}
}
