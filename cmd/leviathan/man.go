package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"leviathan/gateway"
)

// man writes the manual pages. It is for who packs Leviathan, so it is hidden.
func (o operator) man() *cobra.Command {
	return &cobra.Command{
		Use:    "man DIR",
		Short:  "Write a manual page for each command to DIR, which must exist",
		Hidden: true,
		Args:   named("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, root := range []*cobra.Command{cmd.Root(), newCtl(o)} {
				for name, page := range manPages(root) {
					if err := os.WriteFile(filepath.Join(args[0], name), page, 0o644); err != nil {
						return fmt.Errorf("writing a manual page: %w", err)
					}
				}
			}
			return nil
		},
	}
}

// manPages are the pages of root and of each command below it that people see,
// by file name.
func manPages(root *cobra.Command) map[string][]byte {
	pages := map[string][]byte{manName(root) + ".1": manPage(root)}
	for _, sub := range sorted(root) {
		for name, page := range manPages(sub) {
			pages[name] = page
		}
	}
	return pages
}

func manName(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

// manPage is a page in the man macros of troff, the same for the same command.
func manPage(cmd *cobra.Command) []byte {
	var b bytes.Buffer
	name := manName(cmd)
	fmt.Fprintf(&b, ".TH %q 1 \"\" \"Leviathan %s\" \"Leviathan\"\n", strings.ToUpper(name), gateway.Version)
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n.SH SYNOPSIS\n.nf\n%s\n.fi\n", roff(name), roff(cmd.Short), roff(cmd.UseLine()))
	if cmd.Long != "" {
		fmt.Fprintf(&b, ".SH DESCRIPTION\n.nf\n%s\n.fi\n", roff(strings.TrimSpace(cmd.Long)))
	}
	heading := ".SH OPTIONS\n"
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		kind, usage := pflag.UnquoteUsage(f)
		option := "--" + f.Name
		if f.Shorthand != "" {
			option = "-" + f.Shorthand + ", " + option
		}
		fmt.Fprintf(&b, "%s.TP\n\\fB%s\\fR %s\n%s\n", heading, roff(option), roff(kind), roff(usage))
		heading = ""
	})
	if cmd.Example != "" {
		fmt.Fprintf(&b, ".SH EXAMPLES\n.nf\n%s\n.fi\n", roff(strings.TrimRight(cmd.Example, "\n")))
	}
	var also []string
	if cmd.HasParent() {
		also = append(also, roff(manName(cmd.Parent()))+"(1)")
	}
	for _, sub := range sorted(cmd) {
		also = append(also, roff(manName(sub))+"(1)")
	}
	if len(also) > 0 {
		fmt.Fprintf(&b, ".SH SEE ALSO\n%s\n", strings.Join(also, ", "))
	}
	return b.Bytes()
}

// roff is text that troff shows as it is: nothing in it is a request or an
// escape, a hyphen is one that can be pasted, and no byte needs an encoding.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	var b strings.Builder
	for _, r := range strings.Join(lines, "\n") {
		if r < 0x80 {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, `\[u%04X]`, r)
		}
	}
	return b.String()
}
