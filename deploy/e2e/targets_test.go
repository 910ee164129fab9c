package e2e_test

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"leviathan/deploy/e2e"
)

// podUser is the user of Leviathan's Pods, to whom the repositories belong.
const podUser = 65532

// A targetSpec is a target that a test has for itself.
type targetSpec struct {
	tasks  []string // NAME or NAME=AGENT
	config string   // lines of its autonomy config
	image  string
}

// targets are all targets. Each has a repository of its own, within the
// gateway's volume.
var targets = map[string]targetSpec{
	"dev":       {tasks: []string{"witness=witness"}},
	"twins":     {tasks: []string{"one", "two", "three", "four"}},
	"kept":      {tasks: []string{"across-a-crash=waiter"}},
	"switched":  {tasks: []string{"runs=waiter", "would-run"}, config: "max_running_attempts: 1"},
	"hung":      {tasks: []string{"hung-agent=sleeper"}, config: "attempt_timeout_seconds: 3"},
	"frozen":    {tasks: []string{"frozen-worker=waiter"}, config: "limits: {lease_seconds: 600, retry_backoff_seconds: 3600}"},
	"orphans":   {tasks: []string{"deleted=waiter"}},
	"keyless":   {tasks: []string{"no-key=keyed"}},
	"imageless": {tasks: []string{"no-image"}, image: "leviathan-worker:never-made"},
	"refused":   {tasks: []string{"refused-by-policy"}},
	"full":      {tasks: []string{"over-quota"}},
	"homeless":  {tasks: []string{"no-node"}, config: "limits: {start_deadline_seconds: 60, retry_backoff_seconds: 3600}"},
	"confined":  {tasks: []string{"waits=waiter"}},
	"greedy":    {tasks: []string{"eats-memory=eater"}},
	"logged":    {tasks: []string{"writes"}},
}

// configOf is the autonomy config of a target.
func configOf(target string) string {
	spec := targets[target]
	common := map[string]string{
		"max_running_attempts":    "8",
		"attempt_timeout_seconds": "300",
		"limits":                  "{retry_backoff_seconds: 3600}",
	}
	var own strings.Builder
	for key, value := range common {
		if !strings.Contains(spec.config, key) {
			fmt.Fprintf(&own, "%s: %s\n", key, value)
		}
	}
	sandbox := "optional"
	if landlock() {
		sandbox = "required"
	}
	return fmt.Sprintf(`autonomy_enabled: true
target_id: %[1]s
target_repo_url: %[6]s
target_branch: main
allowed_path_prefixes: [docs/]
max_open_prs: 20
max_attempts_per_task: 3
circuit_breaker_failures: 20
schedule_cron: "* * * * *"
control_plane_url: http://leviathan-control-plane:8000
worker_image: %[2]s
worker_namespace: leviathan
%[3]s%[4]s
sandbox: {mode: %[5]s}
default_agent: writer
agents:
  writer:
    type: command
    memory_mb: 256
    command: [/bin/sh, -c, "echo written > docs/note.md"]
  witness: # says what the container is
    type: command
    memory_mb: 256
    sandbox: "off"
    task_selectable: true
    command:
      - /bin/sh
      - -c
      - |
        {
          echo "user $(id -u)"
          grep -E '^(CapEff|NoNewPrivs):' /proc/self/status
          if touch /written 2>/dev/null; then echo 'root writable'; else echo 'root read-only'; fi
          if [ -e /var/run/secrets/kubernetes.io ]; then echo 'cluster token'; else echo 'no cluster token'; fi
        } > docs/witness.md
  waiter: # until the test lets it go on
    type: command
    memory_mb: 256
    sandbox: "off"
    task_selectable: true
    command: [/bin/sh, -c, "until [ -e /workspace/go ]; do sleep 0.2; done; echo waited > docs/note.md"]
  sleeper:
    type: command
    memory_mb: 256
    command: [sleep, "3600"]
  eater: # of more than there is, in many processes that are each smaller than the worker
    type: command
    sandbox: "off"
    task_selectable: true
    memory_mb: 96
    command:
      - /bin/sh
      - -c
      - |
        head -c 60000000 /dev/zero > /dev/shm/full
        for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do
          (x=$(head -c 4000000 /dev/zero | tr '\0' x); sleep 3600) &
        done
        wait
  keyed:
    type: command
    memory_mb: 256
    env_from: [E2E_AGENT_KEY]
    command: [/bin/sh, -c, "echo ${E2E_AGENT_KEY:+has} the key > docs/note.md"]
`, target, cmp.Or(spec.image, workerImage), own.String(), spec.config, sandbox, cluster.repository(target))
}

// landlock reports whether the kernel can confine an agent. Where it cannot, the
// worker's own tests say so.
func landlock() bool {
	const versionQuery = 1
	abi, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, versionQuery)
	return errno == 0 && abi >= 4
}

func (w *world) state() string                 { return w.node.Claim(namespace, "leviathan-state") }
func (w *world) upstream(target string) string { return filepath.Join(w.upstreams(), target+".git") }

// upstreams is where the targets' repositories are: within the gateway's volume,
// or where a GitHub serves them.
func (w *world) upstreams() string {
	if w.github {
		return filepath.Join(w.dir, "github", githubOwner)
	}
	return filepath.Join(w.state(), "upstreams")
}

// repository is how a target's repository is called in its config.
func (w *world) repository(target string) string {
	if w.github {
		return "https://" + githubHost + "/" + githubOwner + "/" + target + ".git"
	}
	return "/var/lib/leviathan/upstreams/" + target + ".git"
}

// makeUpstreams makes the targets' repositories, and the folder that will be the
// gateway's volume.
func (w *world) makeUpstreams(ctx context.Context) error {
	for _, dir := range []string{w.state(), w.upstreams(), filepath.Join(w.dir, "trees")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := own(dir); err != nil {
			return err
		}
	}
	for target, spec := range targets {
		if _, err := w.git(ctx, "init", "--quiet", "--bare", "--initial-branch=main", w.upstream(target)); err != nil {
			return err
		}
		if _, err := w.git(ctx, "--git-dir", w.upstream(target), "config", "http.receivepack", "true"); err != nil {
			return err
		}
		if err := w.commit(ctx, target, spec.tasks); err != nil {
			return err
		}
	}
	return nil
}

func own(path string) error {
	if e2e.Alone() || cluster.github { // nobody else writes to them
		return nil
	}
	return os.Chown(path, podUser, podUser)
}

// commit puts a backlog of these tasks at the head of a target's branch.
func (w *world) commit(ctx context.Context, target string, tasks []string) error {
	tree := filepath.Join(w.dir, "trees", target)
	if _, err := os.Stat(tree); err != nil {
		if _, err := w.git(ctx, "clone", "--quiet", w.upstream(target), tree); err != nil {
			return err
		}
	}
	var b strings.Builder
	b.WriteString("version: \"1\"\ntasks:\n")
	for _, task := range tasks {
		name, agent, _ := strings.Cut(task, "=")
		fmt.Fprintf(&b, "  - {id: %s, title: The task %s, ready: true, scope: docs, agent: %s, allowed_paths: [docs/], acceptance_criteria: [it is done]}\n", name, name, cmp.Or(agent, "writer"))
	}
	for name, text := range map[string]string{".leviathan/backlog.yaml": b.String(), "docs/index.md": "# Documents\n"} {
		file := filepath.Join(tree, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := own(filepath.Dir(file)); err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return err
		}
	}
	for _, args := range [][]string{{"add", "--all"}, {"commit", "--quiet", "--message", "The backlog"}, {"push", "--quiet", "origin", "HEAD:main"}} {
		if _, err := w.git(ctx, append([]string{"-C", tree}, args...)...); err != nil {
			return err
		}
	}
	return nil
}

// git runs git as the user of the Pods, to whom the repositories belong.
func (w *world) git(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = w.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull,
		"GIT_AUTHOR_NAME=A Human", "GIT_AUTHOR_EMAIL=human@leviathan.invalid", "GIT_COMMITTER_NAME=A Human", "GIT_COMMITTER_EMAIL=human@leviathan.invalid"}
	asPodUser(cmd)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

// asPodUser makes a command run as the user of the Pods, so that what it writes
// beside theirs is theirs.
func asPodUser(cmd *exec.Cmd) {
	if !e2e.Alone() && !cluster.github {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: podUser, Gid: podUser}}
	}
}
