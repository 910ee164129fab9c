package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"leviathan/invariants"
	"leviathan/invariants/facts"
	checkreport "leviathan/invariants/report"
)

// An actionFile is a composite action of GitHub.
type actionFile struct {
	Inputs map[string]struct {
		Description string
		Default     *string
	}
	Outputs map[string]struct{ Value string }
	Runs    struct {
		Using string
		Steps []actionStep
	}
}

type actionStep struct {
	ID, If, Uses, Run, Shell string
	Env, With                map[string]string
}

const actionFolder = "../../.github/actions/invariants"

func readAction(t *testing.T) (a actionFile) {
	t.Helper()
	readYAML(t, filepath.Join(actionFolder, "action.yml"), &a)
	return a
}

// readYAML reads a file of one document as the gate itself does.
func readYAML(t *testing.T, file string, into any) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	d := factsOf(t, "one.yaml", string(data)).Documents["one.yaml#0"]
	if d == nil {
		t.Fatalf("%s is no YAML", file)
	}
	text, err := json.Marshal(d.Value)
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// factsOf are the facts about one file.
func factsOf(t *testing.T, name, text string) *facts.Facts {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	found, err := facts.Read(t.Context(), dir, facts.Options{})
	if err != nil || len(found.Problems) > 0 {
		t.Fatalf("%s: %v %v", name, err, found)
	}
	return found
}

// commandsOf are the command lines of this command in a script.
func commandsOf(t *testing.T, script string) (lines [][]string) {
	t.Helper()
	for _, c := range factsOf(t, "run.sh", script).Scripts["run.sh"].Commands {
		if c.Words[0] == "leviathan" {
			lines = append(lines, c.Words)
		}
	}
	return lines
}

// takes parses a command line as the command would, and does nothing.
func takes(t *testing.T, words []string) {
	t.Helper()
	cmd, rest, err := newRoot().Find(words[1:])
	if err != nil || !cmd.Runnable() {
		t.Errorf("%v: no such command: %v", words, err)
		return
	}
	if err := cmd.ParseFlags(rest); err != nil {
		t.Errorf("%v: %v", words, err)
		return
	}
	if err := cmd.ValidateArgs(cmd.Flags().Args()); err != nil {
		t.Errorf("%v: %v", words, err)
	}
}

// named are the inputs and variables that a text refers to.
var (
	inputRef    = regexp.MustCompile(`\$\{\{ inputs\.([a-z-]+) \}\}`)
	pinnedUse   = regexp.MustCompile(`^[a-z-]+/[a-z-]+@[0-9a-f]{40}$`)
	variableRef = regexp.MustCompile(`\$\{([A-Z_]+)\}`)
)

func TestTheActionIsSound(t *testing.T) {
	a := readAction(t)
	if a.Runs.Using != "composite" || len(a.Runs.Steps) == 0 {
		t.Fatalf("it is no composite action: %+v", a)
	}
	used, gates := map[string]bool{}, 0
	for i, step := range a.Runs.Steps {
		if step.Uses != "" && !pinnedUse.MatchString(step.Uses) {
			t.Errorf("step %d uses %s, which is not pinned by digest", i, step.Uses)
		}
		if step.Run != "" && step.Shell != "bash" {
			t.Errorf("step %d names no shell, as each of an action must", i)
		}
		if inputRef.MatchString(step.Run) || strings.Contains(step.Run, "${{") {
			t.Errorf("step %d puts an expression into a script, where its value is code", i)
		}
		for _, values := range []map[string]string{step.Env, step.With} {
			for _, value := range values {
				for _, ref := range inputRef.FindAllStringSubmatch(value, -1) {
					used[ref[1]] = true
				}
			}
		}
		for _, ref := range variableRef.FindAllStringSubmatch(step.Run, -1) {
			if _, ok := step.Env[ref[1]]; !ok && !strings.HasPrefix(ref[1], "GITHUB_") {
				t.Errorf("step %d reads %s, which nothing sets", i, ref[1])
			}
		}
		for _, words := range commandsOf(t, step.Run) {
			gates++
			takes(t, words)
		}
	}
	if gates != 1 {
		t.Errorf("the gate is run %d times", gates)
	}
	for name, input := range a.Inputs {
		if !used[name] || input.Description == "" || input.Default == nil {
			t.Errorf("the input %s: used %v, %+v", name, used[name], input)
		}
		delete(used, name)
	}
	for name := range used {
		t.Errorf("there is no input %s", name)
	}
	if last := a.Runs.Steps[len(a.Runs.Steps)-1]; !strings.HasPrefix(last.Uses, "actions/upload-artifact@") || last.If != "always()" {
		t.Errorf("what was found is kept only if it held: %+v", last)
	}
	for _, path := range []string{"go.mod", "go.sum", "cmd/leviathan"} { // what the steps before it name, from the action's folder
		if _, err := os.Stat(filepath.Join(actionFolder, "../../..", path)); err != nil {
			t.Error(err)
		}
	}
}

// The script of the action is run as a runner runs it.
func TestTheActionRunsTheGate(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash is not installed")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(self, filepath.Join(dir, "leviathan")); err != nil {
		t.Fatal(err)
	}
	steps := readAction(t).Runs.Steps
	i := slices.IndexFunc(steps, func(s actionStep) bool { return s.ID == "check" })
	for name, row := range map[string]struct {
		text string
		code int
	}{
		"held":          {"# Good\n", exitDone},
		"violated":      {"# Bad\n\n[it](gone.md)\n", exitNo},
		"could not run": {"", exitUsage},
	} {
		work := t.TempDir()
		repository := filepath.Join(work, "-a repository") // which is no flag, and two words
		if err := os.Mkdir(repository, 0o755); err != nil {
			t.Fatal(err)
		}
		if row.text != "" {
			if err := os.WriteFile(filepath.Join(repository, "README.md"), []byte(row.text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		cmd := exec.Command(bash, "--noprofile", "--norc", "-eo", "pipefail", "-c", steps[i].Run)
		cmd.Dir = work
		kept := filepath.Join(work, "kept")
		cmd.Env = append(os.Environ(), "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"), "CHECKED_PATH=-a repository", "SETTINGS=", "FORMAT=github", "BASELINE=",
			"CHANGED_ONLY=", "KEPT="+kept, "GITHUB_OUTPUT="+filepath.Join(work, "output"), "GITHUB_STEP_SUMMARY="+filepath.Join(work, "summary.md"))
		out, err := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != row.code {
			t.Errorf("%s: exit code %d, %v: %s", name, code, err, out)
		}
		if row.code == exitUsage {
			continue
		}
		if (row.code == exitNo) != strings.Contains(string(out), "::error file=README.md,line=3,") {
			t.Errorf("%s: the annotations are %s", name, out)
		}
		output, err := os.ReadFile(filepath.Join(work, "output"))
		sarif, ok := strings.CutPrefix(strings.TrimSpace(string(output)), "sarif=")
		if data, failed := os.ReadFile(sarif); err != nil || !ok || failed != nil || !json.Valid(data) {
			t.Errorf("%s: the output %q (%v) names no report: %v", name, output, err, failed)
		}
		for _, file := range []string{filepath.Join(kept, "journal", "leviathan.db"), filepath.Join(work, "summary.md")} {
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestTheHookRunsTheGate(t *testing.T) {
	var hooks []struct {
		ID, Name, Description, Entry, Language string
		PassFilenames                          bool `json:"pass_filenames"`
		AlwaysRun                              bool `json:"always_run"`
	}
	readYAML(t, "../../.pre-commit-hooks.yaml", &hooks)
	if len(hooks) != 1 || hooks[0].ID != "leviathan-invariants" || hooks[0].Language != "golang" || hooks[0].PassFilenames || !hooks[0].AlwaysRun {
		t.Fatalf("the hooks are %+v", hooks)
	}
	takes(t, strings.Fields(hooks[0].Entry))
}

// The starter workflow hands the action inputs that it has, and runs a command
// that exists.
func TestTheStarterWorkflowUsesWhatExists(t *testing.T) {
	inputs := readAction(t).Inputs
	for action, steps := range map[string]int{"": 1, "ada/leviathan@0123456789abcdef0123456789abcdef01234567": 0} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "README.md"), []byte("# Example\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, _, err := invariants.Init(t.Context(), dir, action); err != nil {
			t.Fatal(err)
		}
		var workflow struct {
			Jobs map[string]struct {
				Steps []struct {
					Uses, Run string
					With      map[string]string
				}
			}
		}
		readYAML(t, filepath.Join(dir, ".github/workflows/invariants.yml"), &workflow)
		runs, uses := 0, 0
		for _, step := range workflow.Jobs["invariants"].Steps {
			for _, words := range commandsOf(t, step.Run) {
				runs++
				takes(t, words)
			}
			if step.Uses == "" {
				continue
			}
			uses++
			for name := range step.With {
				if _, ok := inputs[name]; !ok {
					t.Errorf("the workflow gives the action %s, which it does not take", name)
				}
			}
		}
		if runs != steps || uses != 1-steps {
			t.Errorf("with the action %q the gate is run %d times, the action %d times", action, runs, uses)
		}
	}
	if !slices.Contains(checkreport.Formats(), *inputs["format"].Default) {
		t.Errorf("the action's format is %s", *inputs["format"].Default)
	}
}
