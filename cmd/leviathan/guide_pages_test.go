package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// notRunReasons are the only reasons for which a page's commands are not run.
// A block that is not run says which, in a comment before it.
var notRunReasons = []string{"needs a cluster", "needs GitHub", "needs a registry", "builds or tests this repository"}

// A page is a document in Markdown that people read.
type page struct {
	name   string // below the checkout, with slashes
	text   string
	blocks []block
}

// A block is a fenced part of a page.
type block struct {
	language, text, heading string
	notRun                  string // why its commands are not run; "" if they are
	line                    int
}

var programs = regexp.MustCompile(`(?m)^(\$ |(sudo )?(\./|bin/)?(leviathan|make|git|kubectl|kind|docker|go|opa|curl|helm|promtool|bin/opa) )`)

// holdsCommands reports whether a reader would take the block for commands.
func (b block) holdsCommands() bool {
	switch b.language {
	case "console", "sh", "bash", "shell":
		return true
	case "", "text":
		return programs.MatchString(b.text)
	}
	return false
}

// generated reports whether the page is written by the program itself, from
// its own commands.
func (p page) generated() bool {
	return strings.Contains(p.text, strings.TrimSpace(madeBy)) || p.name == "docs/cli.md"
}

// commands are those that are run.
func (p page) commands() (all []consoleCommand) {
	for _, b := range p.blocks {
		if b.language != "console" || b.notRun != "" {
			continue
		}
		commands, err := consoleCommands(b.text)
		if err != nil {
			panic(fmt.Sprintf("%s:%d: %v", p.name, b.line, err)) // a test's own input
		}
		all = append(all, commands...)
	}
	return all
}

var (
	fence = regexp.MustCompile("^\\s*```(\\w*)$")
	mark  = regexp.MustCompile(`^\s*<!-- not run: (.+) -->$`)
)

// readPage takes the blocks of a page, with the heading that each stands below
// and the mark before it.
func readPage(name, text string) page {
	p := page{name: name, text: text}
	heading, reason := "", ""
	var open *block
	for i, line := range strings.Split(text, "\n") {
		switch m := fence.FindStringSubmatch(line); {
		case open != nil && m != nil:
			p.blocks = append(p.blocks, *open)
			open, reason = nil, ""
		case open != nil:
			open.text += line + "\n"
		case m != nil:
			open = &block{language: m[1], heading: heading, notRun: reason, line: i + 1}
		case mark.MatchString(line):
			reason = mark.FindStringSubmatch(line)[1]
		case strings.HasPrefix(line, "#"):
			heading, reason = strings.TrimLeft(line, "# "), ""
		case strings.TrimSpace(line) != "":
			reason = ""
		}
	}
	return p
}

func checkout(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// pagesOf are the documents of a checkout: README and the like, .github, docs
// and deploy.
func pagesOf(t *testing.T, root string) []page {
	t.Helper()
	var pages []page
	read := func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(name) != ".md" {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		short, err := filepath.Rel(root, name)
		pages = append(pages, readPage(filepath.ToSlash(short), string(text)))
		return err
	}
	for _, folder := range []string{"docs", "deploy", ".github"} {
		if err := filepath.WalkDir(filepath.Join(root, folder), read); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"README.md", "CHANGELOG.md"} {
		info, err := os.Stat(filepath.Join(root, name))
		if err == nil {
			err = read(filepath.Join(root, name), fs.FileInfoToDirEntry(info), nil)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	slices.SortFunc(pages, func(a, b page) int { return cmp.Compare(a.name, b.name) })
	return pages
}

// Every block of commands is run, or marked with a reason that is on the list;
// a golden file names the marked ones, so that a new one is seen in review.
func TestS21NoBlockOfCommandsIsLeftOutSilently(t *testing.T) {
	var marked strings.Builder
	for _, p := range pagesOf(t, checkout(t)) {
		if p.generated() {
			continue
		}
		for _, b := range p.blocks {
			if b.language == "console" {
				if _, err := consoleCommands(b.text); err != nil {
					t.Errorf("%s:%d: %v", p.name, b.line, err)
				}
			}
			switch {
			case !b.holdsCommands() && b.notRun != "":
				t.Errorf("%s:%d is marked as not run and has no commands", p.name, b.line)
			case !b.holdsCommands(), b.notRun == "" && b.language == "console":
			case b.notRun == "":
				t.Errorf("%s:%d has commands that no test runs: make it a console block with what they print, or mark it with <!-- not run: REASON -->", p.name, b.line)
			case !slices.Contains(notRunReasons, b.notRun):
				t.Errorf("%s:%d is not run because it %q, which is no reason; the reasons are %q", p.name, b.line, b.notRun, notRunReasons)
			default:
				first, _, _ := strings.Cut(strings.TrimPrefix(b.text, "$ "), "\n")
				fmt.Fprintf(&marked, "%s | %s | %s | %s\n", p.name, b.heading, b.notRun, first)
			}
		}
	}
	golden(t, "docs-not-run", marked.String())
}

var (
	inline   = regexp.MustCompile("`(leviathan [^`]+)`")
	typed    = regexp.MustCompile(`(?m)(?:^(?:\$ |> )?|[|&;(] *|exec )(?:bin/)?leviathan((?: [^|>&;\n#]*)?)`)
	given    = regexp.MustCompile(`(?:-f|-k|docker build) (deploy/[\w./-]+)`)
	made     = regexp.MustCompile("(?m)(?:^|[`\\s])make ([a-z][a-z0-9-]*)")
	quoted   = regexp.MustCompile(`"[^"]*"|'[^']*'|\$\([^)]*\)`)
	makeRule = regexp.MustCompile(`(?m)^([a-z][a-z0-9-]*):`)
)

// What a page tells a reader to type exists, whether it is run or not: each
// command of the binary with its flags, each target of make, each manifest.
func TestS21EveryCommandOfThePagesExists(t *testing.T) {
	root := checkout(t)
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	targets := map[string]bool{}
	for _, m := range makeRule.FindAllStringSubmatch(string(makefile), -1) {
		targets[m[1]] = true
	}
	commands := 0
	for _, p := range pagesOf(t, root) {
		var lines []string
		for _, m := range inline.FindAllStringSubmatch(p.text, -1) {
			lines = append(lines, m[1])
		}
		for _, b := range p.blocks {
			if !b.holdsCommands() {
				continue
			}
			lines = append(lines, strings.ReplaceAll(b.text, "\\\n", " "))
			for _, m := range given.FindAllStringSubmatch(b.text, -1) {
				if _, err := os.Stat(filepath.Join(root, m[1])); err != nil && !strings.Contains(m[1], "/mine") {
					t.Errorf("%s:%d: %v", p.name, b.line, err)
				}
			}
			for _, m := range made.FindAllStringSubmatch(b.text, -1) {
				if !targets[m[1]] {
					t.Errorf("%s:%d: the Makefile has no target %s", p.name, b.line, m[1])
				}
			}
		}
		for _, line := range lines {
			for _, m := range typed.FindAllStringSubmatch(quoted.ReplaceAllString(line, "X"), -1) {
				commands++
				if err := commandExists(strings.Fields(m[1])); err != nil {
					t.Errorf("%s: leviathan%s: %v", p.name, m[1], err)
				}
			}
		}
	}
	if commands < 100 {
		t.Errorf("%d commands in all pages: they are not found", commands)
	}
}

// commandExists reports what of a command line the binary does not have.
func commandExists(args []string) error {
	root := newRoot()
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	cmd, rest, err := root.Find(args)
	if err != nil {
		return err
	}
	if cmd.HasSubCommands() && len(rest) > 0 && !strings.HasPrefix(rest[0], "-") && rest[0] != "…" && cmd.ValidateArgs(rest[:1]) != nil {
		return fmt.Errorf("%s has no command %s", cmd.CommandPath(), rest[0])
	}
	for _, arg := range rest {
		name, _, _ := strings.Cut(strings.TrimRight(arg, "`,.)…"), "=")
		switch {
		case strings.HasPrefix(name, "--"):
			if f := flagOf(cmd, strings.TrimPrefix(name, "--")); !f {
				return fmt.Errorf("%s has no flag %s", cmd.CommandPath(), name)
			}
		case len(name) == 2 && name[0] == '-' && name != "--":
			if cmd.Flags().ShorthandLookup(name[1:]) == nil && name != "-h" {
				return fmt.Errorf("%s has no flag %s", cmd.CommandPath(), name)
			}
		}
	}
	return nil
}

func flagOf(cmd *cobra.Command, name string) bool {
	return name == "help" || cmd.Flags().Lookup(name) != nil || cmd.InheritedFlags().Lookup(name) != nil || (name == "version" && !cmd.HasParent())
}

func asExit(err error, exit **exec.ExitError) bool { return errors.As(err, exit) }
