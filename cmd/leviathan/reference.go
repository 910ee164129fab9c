package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"leviathan/gateway/engine"
	"leviathan/gateway/server"
	"leviathan/policies"
)

// generated are the pages of docs/ that are made from what they describe:
// commands, routes, policies, and the comments of source, the tree's root.
func generated(ctx context.Context, root *cobra.Command, source fs.FS) (map[string][]byte, error) {
	snapshot, err := engine.LoadFS(ctx, policies.FS, engine.Options{})
	if err != nil {
		return nil, err
	}
	api, err := openAPI(source)
	if err != nil {
		return nil, err
	}
	return map[string][]byte{
		"cli.md":       append(referenceOf(root), calls04Of(newCtl(operatorHere()))...),
		"api.md":       routesOf(server.Routes(), server.Kinds()),
		"openapi.yaml": api,
		"policies.md":  codesOf(snapshot.Codes(), engine.Failures()),
	}, nil
}

// reference writes the generated pages. It is for who builds Leviathan, so it
// is hidden.
func (o operator) reference() *cobra.Command {
	return &cobra.Command{
		Use:    "docs DIR",
		Short:  "Write the generated pages of the documentation to DIR, the folder docs of the source tree",
		Hidden: true,
		Args:   named("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			pages, err := generated(cmd.Context(), cmd.Root(), os.DirFS(filepath.Join(args[0], "..")))
			if err != nil {
				return err
			}
			for name, page := range pages {
				if err := os.WriteFile(filepath.Join(args[0], name), page, 0o644); err != nil {
					return fmt.Errorf("writing a page: %w", err)
				}
			}
			rows, err := troubleshooting(cmd.Context())
			if err != nil {
				return err
			}
			return rewriteRows(filepath.Join(args[0], runbookPage), rows)
		},
	}
}

// referenceOf is the reference of a whole command line, the same text for the
// same commands.
func referenceOf(root *cobra.Command) []byte {
	var b bytes.Buffer
	b.WriteString("# The command line\n\n<!-- Made by `make docs` from the commands themselves. Do not edit. -->\n\n")
	fmt.Fprintf(&b, "`%s` is one binary; every role is a subcommand. %s\n\n", root.Name(), sentence(root.Short))
	b.WriteString("Exit codes: 0 done · 1 the answer is no (denied, violated, not verified) · 2 used wrongly or could not run · " +
		"3 the gateway or a fact is unreachable · 4 something was not seen to stop · 130 interrupted.\n\n" +
		"`leviathan completion bash`, `zsh`, `fish` or `powershell` writes the script that completes commands, flags and, where a gateway answers, the ids that it knows. " +
		"`leviathan man DIR` writes a manual page for each command.\n")
	if shared := sharedFlags(root); len(shared) > 0 {
		b.WriteString("\nCommands that ask a gateway have these flags; below they are called *the connection flags*.\n\n")
		writeFlags(&b, shared)
	}
	for _, group := range root.Groups() {
		fmt.Fprintf(&b, "\n## %s\n", strings.TrimSuffix(group.Title, ":"))
		for _, cmd := range sorted(root) {
			if cmd.GroupID == group.ID {
				writeCommand(&b, cmd)
			}
		}
	}
	return b.Bytes()
}

// calls04Of are the calls of the earlier release, which the help of root does
// not list.
func calls04Of(root *cobra.Command) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "\n## The calls of release 0.4: `%s`\n\n%s\n\n```\n%s\n```\n", root.Name(), root.Long, root.Example)
	for _, cmd := range sorted(root) {
		writeCommand(&b, cmd)
	}
	return b.Bytes()
}

// sorted are the subcommands that people see, in order of name.
func sorted(cmd *cobra.Command) []*cobra.Command {
	cmds := slices.DeleteFunc(slices.Clone(cmd.Commands()), func(c *cobra.Command) bool { return !c.IsAvailableCommand() })
	slices.SortStableFunc(cmds, func(a, b *cobra.Command) int { return strings.Compare(a.Name(), b.Name()) })
	return cmds
}

func writeCommand(b *bytes.Buffer, cmd *cobra.Command) {
	fmt.Fprintf(b, "\n### `%s`\n\n%s\n", strings.TrimSuffix(cmd.UseLine(), " [flags]"), sentence(cmd.Short))
	if cmd.Long != "" {
		fmt.Fprintf(b, "\n%s\n", strings.TrimSpace(cmd.Long))
	}
	if sameAsParent(cmd) {
		fmt.Fprintf(b, "\nThe same as `%s`.\n", cmd.Parent().CommandPath())
		return
	}
	own, shared := flagsOf(cmd)
	if len(own) > 0 {
		b.WriteByte('\n')
		writeFlags(b, own)
	}
	switch {
	case len(shared) == len(sharedNames()):
		b.WriteString("\nAnd the connection flags.\n")
	case len(shared) > 0:
		b.WriteString("\nAnd the connection flags, but for --state, which means another thing here.\n")
	}
	if cmd.Example != "" {
		fmt.Fprintf(b, "\n```\n%s\n```\n", strings.TrimRight(cmd.Example, "\n"))
	}
	for _, sub := range sorted(cmd) {
		writeCommand(b, sub)
	}
}

// flagsOf are a command's own flags, and those of its connection.
func flagsOf(cmd *cobra.Command) (own, shared []*pflag.Flag) {
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		switch {
		case f.Hidden, f.Name == "help":
		case isShared(f):
			shared = append(shared, f)
		default:
			own = append(own, f)
		}
	})
	return own, shared
}

// sameAsParent reports whether a list command is what its parent does alone.
func sameAsParent(cmd *cobra.Command) bool {
	if cmd.Name() != "list" {
		return false
	}
	names := func(cmd *cobra.Command) (all []string) {
		own, shared := flagsOf(cmd)
		for _, f := range append(own, shared...) {
			all = append(all, f.Name)
		}
		return all
	}
	return slices.Equal(names(cmd), names(cmd.Parent()))
}

func writeFlags(b *bytes.Buffer, flags []*pflag.Flag) {
	b.WriteString("| flag | meaning |\n| --- | --- |\n")
	for _, f := range flags {
		kind, usage := pflag.UnquoteUsage(f)
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		if kind != "" {
			name += " " + kind
		}
		if !slices.Contains([]string{"", "false", "0", "0s", "[]"}, f.DefValue) {
			usage += " (default " + strings.Replace(f.DefValue, os.TempDir(), "$TMPDIR", 1) + ")"
		}
		cell := strings.NewReplacer("|", `\|`, "\n", " ")
		fmt.Fprintf(b, "| `%s` | %s |\n", cell.Replace(name), cell.Replace(usage))
	}
}

// sharedNames are the flags that every connection has.
func sharedNames() []string { return []string{"gateway", "token-file", "state"} }

// isShared reports whether a flag is one of the connection's.
func isShared(f *pflag.Flag) bool {
	return f != nil && f.Annotations[connectionMark] != nil && slices.Contains(sharedNames(), f.Name)
}

// sharedFlags are the connection's flags, from the first command that has
// them all.
func sharedFlags(cmd *cobra.Command) []*pflag.Flag {
	var flags []*pflag.Flag
	for _, name := range sharedNames() {
		if f := cmd.Flags().Lookup(name); isShared(f) {
			flags = append(flags, f)
		}
	}
	if len(flags) == len(sharedNames()) {
		return flags
	}
	for _, sub := range sorted(cmd) {
		if flags := sharedFlags(sub); flags != nil {
			return flags
		}
	}
	return nil
}

// sentence ends s as a sentence does.
func sentence(s string) string {
	if s == "" || strings.HasSuffix(s, ".") {
		return s
	}
	return s + "."
}
