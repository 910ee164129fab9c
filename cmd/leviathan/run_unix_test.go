//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A home is a folder with an upstream of one task, whose agent says which
// processes it is and then sleeps.
type home struct {
	dir   string
	agent string // a pipe, on which the agent says its process ids
}

func makeHome(t *testing.T) home {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	// A short name: a long one in a command is taken for a token.
	dir, err := os.MkdirTemp("", "up-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	h := home{dir: dir}
	h.agent = filepath.Join(h.dir, "agent")
	if err := syscall.Mkfifo(h.agent, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"config.yaml": fmt.Sprintf(`autonomy_enabled: true
target_id: demo
target_repo_url: %s/upstream.git
allowed_path_prefixes: [docs/]
sandbox: {mode: optional}
agents:
  sleeper:
    type: command
    sandbox: "off"
    command: [/bin/sh, -c, "trap '' INT; sleep 3600 & echo $! $$ > %s; wait"]
default_agent: sleeper
`, h.dir, h.agent),
		"tree/.leviathan/backlog.yaml": `version: "1"
tasks:
  - {id: sleep, title: Sleep, scope: docs, ready: true, allowed_paths: [docs/a.md]}
`,
	} {
		name = filepath.Join(h.dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"init", "-q", "--bare", "-b", "main", "upstream.git"}, {"-C", "tree", "init", "-q", "-b", "main"}, {"-C", "tree", "add", "--all"},
		{"-C", "tree", "-c", "user.name=A", "-c", "user.email=a@example.invalid", "commit", "-q", "-m", "first"},
		{"-C", "tree", "push", "-q", filepath.Join(h.dir, "upstream.git"), "main"},
	} {
		h.git(t, args...)
	}
	return h
}

// git runs git in the home.
func (h home) git(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = h.dir
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %q: %v: %s", args, err, said)
	}
}

// command is a command line of the binary, which is this test's own.
func (h home) command(ctx context.Context, args ...string) (cmd *exec.Cmd, stdout, stderr *bytes.Buffer) {
	cmd = exec.CommandContext(ctx, "leviathan", args...)
	cmd.Dir = h.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + h.dir, "TMPDIR=" + h.dir}
	stdout, stderr = new(bytes.Buffer), new(bytes.Buffer)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	return cmd, stdout, stderr
}

// awaitAgent waits until the agent runs; it fails when the command ends first.
func (h home) awaitAgent(t *testing.T, ended <-chan error, stdout, stderr fmt.Stringer) (pids []int) {
	t.Helper()
	said := make(chan string, 1)
	go func() {
		line, err := os.ReadFile(h.agent) // waits for the agent to open it
		if err != nil {
			line = []byte(err.Error())
		}
		said <- string(line)
	}()
	select {
	case line := <-said:
		var child, shell int
		if _, err := fmt.Sscan(line, &child, &shell); err != nil {
			t.Fatalf("the agent said %q: %v", line, err)
		}
		return []int{child, shell}
	case err := <-ended:
		t.Fatalf("it ended before the agent ran: %v\n%s%s", err, stdout, stderr)
	}
	return nil
}

func TestUpDrainsWhenItIsInterrupted(t *testing.T) {
	h := makeHome(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	up, stdout, stderr := h.command(ctx, "up", "--state", "state", "--config", "config.yaml", "--listen", "127.0.0.1:0", "--log-level", "error")
	if err := up.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- up.Wait() }()
	pids := h.awaitAgent(t, ended, stdout, stderr)

	t.Run("one state folder has one gateway", func(t *testing.T) {
		other, stdout, stderr := h.command(ctx, "up", "--state", "state", "--config", "config.yaml", "--listen", "127.0.0.1:0", "--until-idle", "--log-level", "error")
		err := other.Run()
		if other.ProcessState.ExitCode() != exitUsage || !strings.Contains(stderr.String(), "state") || stdout.Len() > 0 {
			t.Errorf("a second one: %v\n%s%s", err, stdout, stderr)
		}
	})

	began := time.Now()
	if err := up.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	err := <-ended
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("it took %v to end", took)
	}
	if code := up.ProcessState.ExitCode(); code != exitInterrupted {
		t.Errorf("exit code %d (%v), want %d", code, err, exitInterrupted)
	}
	if said := stderr.String(); said != "" {
		t.Errorf("on stderr is %s", said)
	}
	for _, want := range []string{"listening on http://127.0.0.1:", "draining: ", "running", "cancelled"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("%q is missing in\n%s", want, stdout)
		}
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("process %d of the agent is left: %v", pid, err)
		}
	}
	if left, err := os.ReadDir(filepath.Join(h.dir, "state", "workspaces", "demo")); err != nil || len(left) > 0 {
		t.Errorf("of the workspaces is left: %v, %v", left, err)
	}

	attempts, stdout, stderr := h.command(ctx, "attempts", "--state-dir", "state", "--config", "config.yaml", "--output", "json")
	if err := attempts.Run(); err != nil || strings.Count(stdout.String(), `"attempt_id"`) != 1 || !strings.Contains(stdout.String(), `"state": "cancelled"`) {
		t.Errorf("attempts: %v\n%s%s", err, stdout, stderr)
	}
	verify, stdout, stderr := h.command(ctx, "journal", "verify", "--state", "state")
	if err := verify.Run(); err != nil || !strings.HasPrefix(stdout.String(), "VERIFIED") {
		t.Errorf("journal verify: %v\n%s%s", err, stdout, stderr)
	}
}
