package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Each command that people see has a page that names each of its flags, with
// no request in it that the writer did not make; where a formatter is
// installed, it takes each page without a warning.
func TestManualPages(t *testing.T) {
	dir := t.TempDir()
	if got := executeOn(t.Context(), newRoot(), "man", dir); got.code != exitDone || got.stdout != "" || got.stderr != "" {
		t.Fatalf("exit %d, %s%s", got.code, got.stdout, got.stderr)
	}
	requests := map[string]bool{".TH": true, ".SH": true, ".nf": true, ".fi": true, ".TP": true}
	var files []string
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		file := filepath.Join(dir, manName(cmd)+".1")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Error(err)
			return
		}
		files = append(files, file)
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden && !strings.Contains(string(text), `\fB`+roff("--"+f.Name)+`\fR`) && !strings.Contains(string(text), roff(", --"+f.Name)+`\fR`) {
				t.Errorf("%s does not name --%s", file, f.Name)
			}
		})
		for line := range strings.Lines(string(text)) {
			if word, _, _ := strings.Cut(strings.TrimSpace(line), " "); strings.HasPrefix(line, ".") && !requests[word] || strings.HasPrefix(line, "'") {
				t.Errorf("%s has the line %q", file, line)
			}
		}
		for _, sub := range sorted(cmd) {
			walk(sub)
		}
	}
	walk(newRoot())
	walk(newCtl(operatorHere()))
	if len(files) < 75 {
		t.Errorf("only %d pages", len(files))
	}
	if got := executeOn(t.Context(), newRoot(), "man", filepath.Join(dir, "absent")); got.code != exitUsage {
		t.Errorf("a folder that is not there: exit %d", got.code)
	}
	for _, formatter := range [][]string{{"mandoc", "-T", "lint", "-W", "error"}, {"groff", "-man", "-Tutf8", "-ww", "-z"}} {
		if _, err := exec.LookPath(formatter[0]); err != nil {
			t.Logf("%s is not installed", formatter[0])
			continue
		}
		for _, file := range files {
			if said, err := exec.CommandContext(t.Context(), formatter[0], append(formatter[1:], file)...).CombinedOutput(); err != nil || formatter[0] == "groff" && len(said) > 0 {
				t.Errorf("%s of %s: %v: %s", formatter[0], file, err, said)
			}
		}
	}
}
