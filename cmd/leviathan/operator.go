package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"leviathan/gateway"
)

// An operator is what the operator's commands have of their surroundings.
type operator struct {
	now    func() time.Time
	getenv func(string) string
	// interval is the pause between two looks of a command that watches, when
	// its flag does not say.
	interval time.Duration
}

// operatorCommands are the subcommands by which people look, act and check.
func operatorCommands() []*cobra.Command { return operatorHere().commands() }

// operatorHere is the operator at this process's clock and environment.
func operatorHere() operator {
	return operator{now: time.Now, getenv: os.Getenv, interval: 2 * time.Second}
}

func (o operator) commands() []*cobra.Command {
	in := func(group string, cmds ...*cobra.Command) []*cobra.Command {
		for _, cmd := range cmds {
			cmd.GroupID = group
		}
		return cmds
	}
	all := in("look", o.status(), o.tasks(), o.attempts(), o.decisions(), o.events(), o.journal(), o.graph())
	all = append(all, in("act", o.stop(), o.halt(), o.resume(), o.circuit(), o.token(), o.clock())...)
	all = append(all, in("edit", o.config(), o.backlog(), o.policy(), o.invariants(), o.doctor(), o.version())...)
	all = append(all, hidden(o.calls04())...)
	return append(all, o.reference(), o.man())
}

// family is a command that only has subcommands.
func family(use, short string, members ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use:   use,
		Short: short,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cmd.SetOut(cmd.ErrOrStderr())
			if err := cmd.Help(); err != nil {
				return err
			}
			return &exitError{code: exitUsage}
		},
	}
	cmd.AddCommand(members...)
	return cmd
}

// named asks for one argument for each name; a name in brackets is optional.
func named(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		for i, name := range names {
			if i >= len(args) && !strings.HasPrefix(name, "[") {
				return fmt.Errorf("%s: %s is missing; see %s --help", cmd.CommandPath(), name, cmd.CommandPath())
			}
		}
		if len(args) > len(names) {
			return fmt.Errorf("%s: %q is one argument too many; see %s --help", cmd.CommandPath(), args[len(names)], cmd.CommandPath())
		}
		return nil
	}
}

// A format is how a command shows what it found.
type format string

const (
	asTable format = "table"
	asJSON  format = "json"
)

// String, Set and Type make a format a flag's value.
func (f *format) String() string { return string(*f) }
func (f *format) Type() string   { return "table|json" }
func (f *format) Set(s string) error {
	switch format(s) {
	case asTable, asJSON:
		*f = format(s)
		return nil
	}
	return fmt.Errorf("it is table or json")
}

// flag adds --output to a command.
func (f *format) flag(cmd *cobra.Command) {
	*f = asTable
	cmd.Flags().Var(f, "output", "how to show it")
}

// show writes value as JSON when that is asked for, and else what table
// writes.
func (f *format) show(cmd *cobra.Command, value any, table func(io.Writer) error) error {
	if *f == asJSON {
		return writeJSON(cmd.OutOrStdout(), value)
	}
	return table(cmd.OutOrStdout())
}

// writeJSON writes value indented, safe for a terminal.
func writeJSON(w io.Writer, value any) error {
	doc, err := encode(value, "  ")
	if err != nil {
		return err
	}
	_, err = w.Write(doc)
	return err
}

// encode is value as JSON in one line, or indented, with a line end.
func encode(value any, indent string) ([]byte, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	if err := enc.Encode(value); err != nil {
		return nil, fmt.Errorf("encoding the answer: %w", err)
	}
	return printableJSON([]byte(b.String())), nil
}

// A grid is an aligned table. Its cells are cleaned as they are added.
type grid struct{ w *tabwriter.Writer }

// newGrid starts a table, with a row of headings if there are any.
func newGrid(w io.Writer, headings ...string) grid {
	g := grid{tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)}
	if len(headings) > 0 {
		g.row(headings...)
	}
	return g
}

// row adds a row. An error of the writer is kept for end.
func (g grid) row(cells ...string) {
	for i, c := range cells {
		cells[i] = orDash(c)
	}
	fmt.Fprintln(g.w, strings.Join(cells, "\t"))
}

// end writes the table.
func (g grid) end() error { return g.w.Flush() }

// more says on stderr how to get the next page.
func more(cmd *cobra.Command, token string) {
	if token != "" {
		fmt.Fprintf(cmd.ErrOrStderr(), "there are more: repeat the command with --page-token %s\n", printable(token))
	}
}

// reasons writes each reason with its remedy, indented.
func writeReasons(w io.Writer, indent string, reasons []gateway.Reason) {
	for _, r := range reasons {
		fmt.Fprintf(w, "%s%s  %s\n", indent, orDash(r.Code), printable(r.Message))
		if r.Path != "" {
			fmt.Fprintf(w, "%s  path: %s\n", indent, printable(r.Path))
		}
		if r.Remedy != "" {
			fmt.Fprintf(w, "%s  do:   %s\n", indent, printable(r.Remedy))
		}
	}
}

// codes lists the codes of reasons, each once, in their order.
func codes(reasons []gateway.Reason) string {
	var out []string
	seen := map[string]bool{}
	for _, r := range reasons {
		if !seen[r.Code] {
			seen[r.Code] = true
			out = append(out, r.Code)
		}
	}
	return strings.Join(out, ", ")
}
