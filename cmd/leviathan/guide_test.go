package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestS21Guides runs the console blocks of the guides, in a folder that looks
// like a checkout, and compares what they print with what the page shows.
func TestS21Guides(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, name := range []string{"22_FAILOVER", "invariants", "30_WRITING_POLICIES"} {
		page, err := os.ReadFile(filepath.Join(root, "docs", name+".md"))
		if err != nil {
			t.Fatal(err)
		}
		script, n := scriptOf(string(page))
		if n < 5 {
			t.Fatalf("%s has %d commands: its blocks are not found", name, n)
		}
		if err := os.WriteFile(filepath.Join(dir, strings.ToLower(name)+".txtar"), []byte(script), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	testscript.Run(t, testscript.Params{
		Dir:  dir,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exitcode": exitCodeIs},
		Setup: func(env *testscript.Env) error {
			for _, folder := range []string{"policies", "docs/examples"} {
				if err := os.CopyFS(filepath.Join(env.WorkDir, folder), os.DirFS(filepath.Join(root, folder))); err != nil {
					return err
				}
			}
			return nil
		},
	})
}

// scriptOf makes a script of a page's console blocks: a line that begins with
// "$ " is a command, those after it are what it prints, "…" is anything, and
// "[exit N]" its exit code if that is not 0.
func scriptOf(page string) (script string, commands int) {
	var b strings.Builder
	for _, block := range regexp.MustCompile("(?s)```console\n(.*?)```").FindAllStringSubmatch(page, -1) {
		for _, part := range strings.Split("\n"+block[1], "\n$ ")[1:] {
			lines := strings.Split(strings.TrimRight(part, "\n"), "\n")
			commands++
			fail := ""
			var want []string
			for _, line := range lines[1:] {
				switch {
				case strings.HasPrefix(line, "[exit "):
					fail = "! "
				case line != "…":
					want = append(want, "^"+strings.ReplaceAll(regexp.QuoteMeta(line), "…", ".*")+"$")
				}
			}
			fmt.Fprintf(&b, "%sexec sh -c '%s'\n", fail, strings.ReplaceAll(lines[0], "'", "''"))
			for _, line := range want {
				fmt.Fprintf(&b, "stdout '%s'\n", strings.ReplaceAll(line, "'", "''"))
			}
			if len(lines) == 1 {
				b.WriteString("! stdout .\n")
			}
		}
	}
	return b.String(), commands
}
