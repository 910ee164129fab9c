package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/spf13/cobra"

	"leviathan/gateway"
	"leviathan/worker"
)

//go:embed all:demo
var demoFiles embed.FS

func demoCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use: "demo", GroupID: "run", Args: cobra.NoArgs,
		Short: "Show everything at work on a sample repository",
		Long: `Make a sample repository with a backlog, run gateway, scheduler and workers on it
until every task is done or waits for a human, and print what became of each
task and why. It leaves nothing running, and fails if an outcome is not the
expected one.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runDemo(cmd.Context(), dir, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "folder for the sample, which must be empty or not exist; a temporary one if this is empty")
	return cmd
}

// demoOutcome is what the demo must show of a task.
type demoOutcome struct {
	status   string
	attempts int
	code     string // of a reason, or the failure type of the last attempt
}

var demoOutcomes = map[gateway.TaskID]demoOutcome{
	"write-guide":     {"proposed", 1, ""},
	"test-skeleton":   {"proposed", 1, ""},
	"translate-guide": {"open", 0, "schedule.dependency"},
	"someday":         {"open", 0, "schedule.not_ready"},
	"quoted-ready":    {"invalid", 0, "schedule.invalid"},
	"rewrite-core":    {"open", 0, "scope.outside_prefix"},
	"always-fails":    {"blocked", 2, "agent_error"},
	"leaves-scope":    {"blocked", 2, "denied"},
	"breaks-out":      {"blocked", 2, "agent_error"},
	"hangs":           {"blocked", 2, "timeout"},
}

// needsSandbox is the task that shows nothing where there is no sandbox.
const needsSandbox gateway.TaskID = "breaks-out"

func runDemo(ctx context.Context, dir string, out, stderr io.Writer) error {
	began := time.Now()
	dir, err := demoDir(dir)
	if err != nil {
		return err
	}
	sandboxed := worker.SandboxAvailable() == nil
	config, err := makeDemo(ctx, dir, sandboxed)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "sample repository  %s\nconfig             %s\n", filepath.Join(dir, "upstream.git"), config)
	if !sandboxed {
		fmt.Fprintf(out, "sandbox            not available: %v; %s shows nothing here\n", worker.SandboxAvailable(), needsSandbox)
	}
	fmt.Fprintln(out)
	state := filepath.Join(dir, "state")
	u, err := openUp(ctx, gatewayOptions{state: state, config: config, listen: "127.0.0.1:0", logLevel: "error"}, stderr)
	if err != nil {
		return err
	}
	var rows []taskRow
	var stricter string
	if err = u.run(ctx, out, true); err == nil {
		rows, err = u.report(ctx, out)
	}
	if err == nil {
		stricter, err = u.showReplay(ctx, dir, out)
	}
	if err = finished(ctx, err, u.Close()); err != nil {
		return err
	}
	fmt.Fprintf(out, "\ndone in %.1f s; nothing is left running. Next, try\n", time.Since(began).Seconds())
	for _, next := range []string{"status", "tasks why leaves-scope", "decisions list --outcome deny", "policy replay --candidate " + stricter} {
		fmt.Fprintf(out, "  bin/leviathan %s --state %s --config %s\n", next, state, config)
	}
	return checkDemo(rows, sandboxed, out)
}

// demoDir is the folder of the sample: empty, and resolved, so that what is
// printed can be pasted.
func demoDir(dir string) (string, error) {
	if dir == "" {
		return os.MkdirTemp("", "leviathan-demo-")
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if len(entries) > 0 {
		return "", fmt.Errorf("--dir %s is not empty; the demo does not write into what is there", dir)
	}
	return filepath.Abs(dir)
}

// makeDemo writes the sample repository and its config.
func makeDemo(ctx context.Context, dir string, sandboxed bool) (config string, err error) {
	upstream, tree := filepath.Join(dir, "upstream.git"), filepath.Join(dir, "tree")
	files, err := fs.Sub(demoFiles, "demo/tree")
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	if err := os.CopyFS(tree, files); err != nil {
		return "", fmt.Errorf("writing the sample: %w", err)
	}
	for _, args := range [][]string{
		{"init", "--quiet", "--bare", "--initial-branch=main", upstream},
		{"-C", tree, "init", "--quiet", "--initial-branch=main"},
		{"-C", tree, "add", "--all"},
		{"-C", tree, "-c", "user.name=Demo", "-c", "user.email=demo@leviathan.invalid", "commit", "--quiet", "--message", "The sample project"},
		{"-C", tree, "push", "--quiet", upstream, "main"},
	} {
		cmd := exec.CommandContext(ctx, "git", args...)
		cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull)
		if said, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, said)
		}
	}
	if err := os.RemoveAll(tree); err != nil {
		return "", err
	}
	text, err := template.ParseFS(demoFiles, "demo/config.yaml.tmpl")
	if err != nil {
		return "", err
	}
	mode := gateway.SandboxRequired
	if !sandboxed {
		mode = gateway.SandboxOptional
	}
	config = filepath.Join(dir, "config.yaml")
	f, err := os.OpenFile(config, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return "", err
	}
	return config, errors.Join(text.Execute(f, map[string]string{"Upstream": upstream, "Sandbox": mode}), f.Close())
}

// checkDemo compares what happened with what must.
func checkDemo(rows []taskRow, sandboxed bool, out io.Writer) error {
	var wrong []string
	seen := map[gateway.TaskID]bool{}
	for _, r := range rows {
		want, ok := demoOutcomes[r.task.TaskID]
		seen[r.task.TaskID] = true
		if !sandboxed && r.task.TaskID == needsSandbox {
			continue
		}
		if got := (demoOutcome{r.task.Status, r.task.Attempts, want.code}); !ok || got != want || !r.says(want.code) {
			wrong = append(wrong, fmt.Sprintf("%s: got %s after %d attempts (%s), expected %s after %d (%s)",
				r.task.TaskID, r.task.Status, r.task.Attempts, r.why(), want.status, want.attempts, want.code))
		}
	}
	for id := range demoOutcomes {
		if !seen[id] {
			wrong = append(wrong, string(id)+": not in the backlog")
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	slices.Sort(wrong)
	fmt.Fprintln(out, "\nnot as expected:\n  "+strings.Join(wrong, "\n  "))
	return &exitError{code: exitNo}
}

// says reports whether the row gives the code as its reason.
func (r taskRow) says(code string) bool {
	if code == "" || (r.last != nil && string(r.last.FailureType) == code) {
		return true
	}
	return slices.ContainsFunc(r.task.Reasons, func(reason gateway.Reason) bool { return reason.Code == code })
}

// runCommands are the commands that run something.
func runCommands() []*cobra.Command {
	return []*cobra.Command{demoCommand(), upCommand(), gatewayCommand(), schedulerCommand(), workerCommand(), spiderCommand(), benchCommand()}
}
