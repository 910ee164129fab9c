package main

import (
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// readersShell runs one command of a page as the shell of a reader does who types
// them one after the other: the folder and the variables of the command before
// are there, and stdout and stderr come in one stream.
const readersShell = `cd "$WORK" && test ! -f .page/env || . ./.page/env
test ! -f "$WORK/.page/cwd" || cd "$(cat "$WORK/.page/cwd")"
trap 'code=$?; export -p > "$WORK/.page/env"; pwd > "$WORK/.page/cwd"; exit $code' EXIT
. "$WORK/.page/$1" 2>&1
`

// TestS21Guides runs the console blocks of every page, each page in a folder
// of its own that looks like a checkout, and compares what they print with
// what the page shows.
func TestS21Guides(t *testing.T) {
	root, dir := checkout(t), t.TempDir()
	wants := map[string]consoleCommand{}
	ran := map[string]bool{}
	for _, page := range pagesOf(t, root) {
		commands := page.commands()
		if len(commands) == 0 {
			continue
		}
		name := strings.ToLower(strings.NewReplacer("/", "-", ".md", "").Replace(page.name))
		ran[strings.TrimSuffix(path.Base(page.name), ".md")] = true
		if err := os.WriteFile(filepath.Join(dir, name+".txtar"), []byte(scriptOf(name, commands, freeAddress(t), wants)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"22_FAILOVER", "21_OPERATIONS_AUTONOMY", "01_QUICKSTART", "30_WRITING_POLICIES", "invariants"} {
		if !ran[name] {
			t.Errorf("%s has no command that is run: its blocks are not found", name)
		}
	}
	testscript.Run(t, testscript.Params{
		Dir: dir,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"page": func(ts *testscript.TestScript, _ bool, args []string) {
			runCommand(ts, args[0], wants[args[1]])
		}},
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", filepath.Join(env.WorkDir, ".page", "home"))
			for _, folder := range []string{"policies", "docs/examples", "deploy/base", "deploy/overlays", "deploy/components"} {
				if err := os.CopyFS(filepath.Join(env.WorkDir, folder), os.DirFS(filepath.Join(root, folder))); err != nil {
					return err
				}
			}
			return nil
		},
	})
}

// runCommand runs a command of a page and holds what it prints, and its exit
// code, to the page.
func runCommand(ts *testscript.TestScript, file string, want consoleCommand) {
	code := 0
	if err := ts.Exec("sh", ".page/session", file); err != nil {
		var exit *exec.ExitError
		if code = -1; asExit(err, &exit) {
			code = exit.ExitCode()
		}
	}
	got := ts.ReadFile("stdout")
	if code != want.exit {
		ts.Fatalf("$ %s\nexit code %d, the page says %d\n%s", want.text, code, want.exit, got)
	}
	if !want.shows.MatchString(got) {
		ts.Fatalf("$ %s\nthe page shows\n%s\nand this is printed:\n%s", want.text, strings.Join(want.output, "\n"), got)
	}
}

// scriptOf makes a script of a page's commands. Where a page listens on the
// gateway's usual port the script takes a free one, so that pages can run
// beside each other and beside a gateway of the machine.
func scriptOf(name string, commands []consoleCommand, address string, wants map[string]consoleCommand) string {
	var steps, files strings.Builder
	steps.WriteString("[!unix] skip 'the commands are for a Unix shell'\n[!exec:git] skip 'git is not installed'\n")
	if slices.ContainsFunc(commands, func(c consoleCommand) bool { return strings.HasPrefix(c.text, "openssl ") }) {
		steps.WriteString("[!exec:openssl] skip 'openssl is not installed'\n")
	}
	fmt.Fprintf(&steps, "env LEVIATHAN_GATEWAY=http://%s\n", address)
	fmt.Fprintf(&files, "-- .page/session --\n%s-- .page/home/.gitconfig --\n[user]\n\tname = Ada\n\temail = ada@example.org\n", readersShell)
	for i, c := range commands {
		text := strings.ReplaceAll(c.text, usualAddress, address)
		if behind, ok := strings.CutSuffix(text, " &"); ok {
			// The script's end interrupts what still runs: the command itself.
			text = "exec " + behind
			fmt.Fprintf(&steps, "exec sh .page/session %d &\n", i)
		} else {
			key := fmt.Sprintf("%s:%d", name, i)
			wants[key] = c
			fmt.Fprintf(&steps, "page %d %s\n", i, key)
		}
		fmt.Fprintf(&files, "-- .page/%d --\n%s\n", i, text)
	}
	return steps.String() + files.String()
}

// usualAddress is where a gateway listens if nobody says otherwise.
const usualAddress = "127.0.0.1:8000"

// A consoleCommand is what a page says to type, and what it says is printed.
type consoleCommand struct {
	text   string
	output []string
	shows  *regexp.Regexp
	exit   int
}

// consoleCommands are the commands of a console block: a line that begins with
// "$ " is one, with the lines of its here-document. What follows is what it
// prints, with "…" for anything in a line or, alone, for any lines; "[exit N]"
// is its exit code if that is not 0.
func consoleCommands(block string) ([]consoleCommand, error) {
	var all []consoleCommand
	end := "" // of the here-document that is open
	for _, line := range strings.Split(strings.TrimRight(block, "\n"), "\n") {
		text, ok := strings.CutPrefix(line, "$ ")
		switch {
		case end != "":
			all[len(all)-1].text += "\n" + line
			if line == end {
				end = ""
			}
			continue
		case ok:
			all = append(all, consoleCommand{text: text})
			if m := hereDocument.FindStringSubmatch(text); m != nil {
				end = m[1]
			}
			continue
		case len(all) == 0:
			return nil, fmt.Errorf("the block begins with %q and not with a command", line)
		}
		c := &all[len(all)-1]
		if code := exitLine.FindStringSubmatch(line); code != nil {
			c.exit, _ = strconv.Atoi(code[1]) // up to three digits
			continue
		}
		c.output = append(c.output, line)
	}
	if end != "" {
		return nil, fmt.Errorf("the here-document has no %s at its end", end)
	}
	for i := range all {
		all[i].shows = shownBy(all[i].output)
	}
	return all, nil
}

var hereDocument = regexp.MustCompile(`<<'?([A-Z]+)'?`)

var exitLine = regexp.MustCompile(`^\[exit (\d{1,3})\]$`)

// shownBy matches the whole of an output that a page shows as lines.
func shownBy(lines []string) *regexp.Regexp {
	var b strings.Builder
	b.WriteString(`\A`)
	for _, line := range lines {
		if line == "…" {
			b.WriteString(`(?:.*\n)*`)
			continue
		}
		b.WriteString(strings.ReplaceAll(regexp.QuoteMeta(line), "…", ".*") + `\n`)
	}
	return regexp.MustCompile(b.String() + `\z`)
}
