package worker_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"

	"leviathan/gateway"
	"leviathan/worker"
)

// needLandlock skips where a required sandbox cannot be built.
func needLandlock(t *testing.T) {
	t.Helper()
	if abi, err := ll.LandlockGetABIVersion(); err != nil || abi < 4 {
		t.Skipf("this kernel has no Landlock ABI 4 (it has %d: %v)", abi, err)
	}
}

func TestAttemptIsDelivered(t *testing.T) {
	needLandlock(t)
	g := newGateway(t, map[string]string{"README.md": "hello\n", "run.sh": "#!/bin/sh\n"})
	g.start.Agent.Stdin = "prompt"
	g.start.Agent.Env = map[string]string{"MODE": "fast"}
	g.start.Agent.EnvFrom = []string{"API_KEY"}
	g.start.Verify = []gateway.VerifySpec{{Name: "Docs", Command: []string{"sh", "-c", "cat docs/a.md && touch built && ! env | grep -q KEY"}}}
	g.sh(`cat > docs/a.md && env >> docs/a.md && cat "$LEVIATHAN_TASK_FILE" > docs/task && echo "fine @you" > "$LEVIATHAN_SUMMARY_FILE" && echo done`)
	c := g.config()
	c.Env = map[string]string{"API_KEY": "k-0123", "OTHER": "o-0123"}
	c.Now = func() time.Time { return time.Unix(1_700_000_000, 0) }
	// The key would be found in the tree, so the agent hides it.
	g.start.Agent.Command[2] = strings.Replace(g.start.Agent.Command[2], "env >>", "test $API_KEY = k-0123 && env | grep -v KEY >>", 1)

	outcome := g.run(c)
	if outcome.State != gateway.Succeeded || outcome.PullRequest == nil || outcome.PullRequest.Number != 1 {
		t.Fatalf("outcome is %+v\n%s", outcome, g.artifact("agent.log"))
	}
	if g.branch() != string(outcome.Commit) {
		t.Errorf("%q was pushed, not %s", g.branch(), outcome.Commit)
	}
	want := fmt.Sprintf("tree %s\nparent %s\nauthor Leviathan. <l@example.invalid> 1700000000 +0000\ncommitter Leviathan. <l@example.invalid> 1700000000 +0000\n\n%s",
		outcome.Tree, g.start.BaseCommit, g.start.Commit.Message)
	if got := git(t, g.repo, "cat-file", "commit", g.branch()); got != want {
		t.Errorf("the commit is\n%s\nwant\n%s", got, want)
	}
	git(t, g.repo, "fsck", "--strict", g.branch())
	if got := git(t, g.repo, "diff-tree", "-r", "--name-status", "main", g.branch()); got != "A\tdocs/a.md\nA\tdocs/task\n" {
		t.Errorf("changes are\n%s", got)
	}
	doc := git(t, g.repo, "show", g.branch()+":docs/a.md")
	for _, part := range []string{"Write docs", "it is written", "MODE=fast", "TZ=UTC", "HOME=" + c.Workspace + "/tmp"} {
		if !strings.Contains(doc, part) {
			t.Errorf("the agent did not see %q in\n%s", part, doc)
		}
	}
	if strings.Contains(doc, "OTHER") || strings.Contains(doc, "GIT_") || strings.Contains(doc, token) {
		t.Errorf("the agent saw too much:\n%s", doc)
	}
	if len(g.summaries) != 1 || g.summaries[0] != "fine @you" {
		t.Errorf("summaries are %q", g.summaries)
	}
	if len(g.evidence) != 1 || g.evidence[0].Tree != outcome.Tree || g.evidence[0].Results[0].ExitCode != 0 || g.evidence[0].Results[0].Artifact != "verify-docs.log" {
		t.Errorf("evidence is %+v\n%s", g.evidence, g.artifact("verify-docs.log"))
	}
	if log := g.artifact("agent.log"); !strings.Contains(log, "done\n") || !strings.Contains(log, "sandbox: Landlock ABI") {
		t.Errorf("agent.log is %q", log)
	}
	if len(g.events) != 3 {
		t.Errorf("events are %v", g.events)
	}
}

func TestHowAttemptsFail(t *testing.T) {
	needLandlock(t)
	big := strings.Repeat("echo 0123456789012345678901234567890123456789; ", 100)
	for _, k := range []struct {
		name   string
		script string
		adjust func(g *fakeGateway)
		want   gateway.FailureType
		says   string
	}{
		{"agent_error", "echo to stderr >&2; exit 3", nil, gateway.AgentError, "exit code 3 (sandbox: Landlock"},
		{"the sandbox stops it", "echo x > README.md", nil, gateway.AgentError, "Permission denied"},
		{"no such program", "", func(g *fakeGateway) { g.start.Agent.Command = []string{"no-such-program"} }, gateway.AgentError, "no such program in the sandbox"},
		{"killed", "kill -9 $$", nil, gateway.AgentError, "exit code 137"},
		{"no_change", "true", nil, gateway.NoChange, "changed nothing"},
		{"only ignored files", "echo x > docs/x.log", nil, gateway.NoChange, "docs/x.log"},
		{"verify_failed", "echo x > docs/x", func(g *fakeGateway) {
			g.start.Verify = []gateway.VerifySpec{{Name: "ok", Command: []string{"true"}}, {Name: "no", Command: []string{"false"}}}
		}, gateway.VerifyFailed, "no (exit code 1)"},
		{"verification hangs", "echo x > docs/x", func(g *fakeGateway) {
			g.start.Verify = []gateway.VerifySpec{{Name: "no", Command: []string{"sleep", "60"}, TimeoutSeconds: 1}}
		}, gateway.VerifyFailed, "no (exit code 124)"},
		{"denied", "echo x > docs/x", func(g *fakeGateway) {
			hook := "#!/bin/sh\necho 'scope.outside_prefix: docs/x is outside src/'\necho 'decision 01J'\nexit 1\n"
			if err := os.WriteFile(filepath.Join(g.repo, "hooks", "pre-receive"), []byte(hook), 0o755); err != nil {
				g.t.Fatal(err)
			}
		}, gateway.Denied, "scope.outside_prefix: docs/x is outside src/; decision 01J"},
		{"missing env", "true", func(g *fakeGateway) { g.start.Agent.EnvFrom = []string{"KEY"} }, gateway.Launch, "KEY"},
		{"a link in the way", "true", func(g *fakeGateway) { g.start.Task.AllowedPaths = []string{"link/"} }, gateway.Sandbox, "link is a symbolic link"},
		{"reads that show neighbours", "true", func(g *fakeGateway) { g.start.Sandbox.Read = []string{"/"} }, gateway.Sandbox, "all attempts"},
		{"another base", "true", func(g *fakeGateway) { g.start.BaseCommit = gateway.OID(strings.Repeat("a", 40)) }, gateway.Internal, "as HEAD"},
		{"output is capped", big + "exit 1", func(g *fakeGateway) { g.start.Agent.OutputMaxKB = 1 }, gateway.AgentError, "exit code 1"},
	} {
		t.Run(k.name, func(t *testing.T) {
			g := newGateway(t, map[string]string{"README.md": "x", ".gitignore": "*.log\n", "link": "-> /tmp"})
			g.sh(k.script)
			if k.adjust != nil {
				k.adjust(g)
			}
			outcome := g.run(g.config())
			if outcome.State != gateway.Failed || outcome.FailureType != k.want || !strings.Contains(outcome.Summary, k.says) {
				t.Errorf("outcome is %+v, want %s saying %q\n%s", outcome, k.want, k.says, g.artifact("agent.log"))
			}
			if g.branch() != "" || len(g.summaries) != 0 {
				t.Error("something was delivered")
			}
			if k.name == "output is capped" {
				if log := g.artifact("agent.log"); len(log) > 1024 || strings.Count(log, "[output truncated: more than 1 KB]") != 1 {
					t.Errorf("the log has %d bytes: %q", len(log), log)
				}
			}
		})
	}
}

func TestScaffoldIsDelivered(t *testing.T) {
	needLandlock(t)
	g := newGateway(t, map[string]string{"docs/old.md": "old"})
	g.start.Agent = gateway.AgentSpec{Name: "scaffold", Type: gateway.AgentScaffold}
	g.start.Task.AllowedPaths = []string{"docs/old.md", "docs/new.md"}
	if outcome := g.run(g.config()); outcome.State != gateway.Succeeded {
		t.Fatalf("outcome is %+v", outcome)
	}
	if got := git(t, g.repo, "show", g.branch()+":docs/new.md"); !strings.Contains(got, "- [ ] it is written") {
		t.Errorf("the skeleton is %q", got)
	}
	if got := git(t, g.repo, "show", g.branch()+":docs/old.md"); got != "old" {
		t.Errorf("the old file is %q", got)
	}
}

// alive reports whether any of the processes, listed in the file, runs.
func alive(t *testing.T, file string) bool {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil || len(strings.Fields(string(data))) == 0 {
		t.Fatalf("no processes in %s: %v", file, err)
	}
	for _, field := range strings.Fields(string(data)) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err == nil && !strings.Contains(string(stat), ") Z ") {
			return true
		}
	}
	return false
}

// strays leaves processes in sessions of their own, one of them an orphan.
const strays = `setsid sh -c 'echo $$ >> "$TMPDIR/pids"; trap "" TERM HUP; sleep 300' </dev/null >/dev/null 2>&1 &
(setsid sh -c 'echo $$ >> "$TMPDIR/pids"; sleep 300' &)
while [ "$(wc -l < "$TMPDIR/pids" || echo 0)" -lt 2 ]; do sleep 0.05; done
`

func TestS22HungAgentTimesOutAndItsTreeIsGone(t *testing.T) {
	needLandlock(t)
	g := newGateway(t, map[string]string{"README.md": "x"})
	g.start.TimeoutSeconds = 2
	g.sh(strays + `echo $$ >> "$TMPDIR/pids"; echo working; sleep 300`)
	c := g.config()
	outcome := g.run(c)
	if outcome.FailureType != gateway.Timeout || !strings.Contains(outcome.Summary, "working") {
		t.Errorf("outcome is %+v", outcome)
	}
	if alive(t, filepath.Join(c.Workspace, "tmp", "pids")) {
		t.Error("a process of the agent is left")
	}
}

func TestS22ProcessesThatOutliveTheirGroupAreKilled(t *testing.T) {
	for _, mode := range []string{gateway.SandboxRequired, gateway.SandboxOff} {
		t.Run(mode, func(t *testing.T) {
			needLandlock(t)
			g := newGateway(t, map[string]string{"README.md": "x"})
			g.start.Sandbox.Mode = mode
			g.sh(strays + "echo x > docs/x")
			c := g.config()
			if outcome := g.run(c); outcome.State != gateway.Succeeded {
				t.Errorf("outcome is %+v", outcome)
			}
			if alive(t, filepath.Join(c.Workspace, "tmp", "pids")) {
				t.Error("a process of the agent is left")
			}
		})
	}
}

func TestS22AgentThatKillsItsSupervisorLeavesNothing(t *testing.T) {
	g := newGateway(t, map[string]string{"README.md": "x"})
	g.start.Sandbox.Mode = gateway.SandboxOff // in the sandbox the signal does not arrive
	g.sh(strays + "kill -9 $PPID; sleep 300")
	c := g.config()
	if outcome := g.run(c); outcome.FailureType != gateway.AgentError {
		t.Errorf("outcome is %+v", outcome)
	}
	if alive(t, filepath.Join(c.Workspace, "tmp", "pids")) {
		t.Error("a process of the agent is left")
	}
}

func TestStopIsObeyedWithinTwoSeconds(t *testing.T) {
	needLandlock(t)
	g := newGateway(t, map[string]string{"README.md": "x"})
	g.sh(strays + "sleep 300")
	var said time.Time
	g.beat = func(n int) (gateway.HeartbeatResult, bool) {
		if n < 2 {
			return gateway.HeartbeatResult{Action: gateway.Continue}, true
		}
		if said.IsZero() {
			said = time.Now()
		}
		return gateway.HeartbeatResult{Action: gateway.Stop, Reason: &gateway.Reason{Code: "guard.halted", Message: "halted"}}, true
	}
	c := g.config()
	outcome := g.run(c)
	if took := time.Since(said); took > 2*time.Second {
		t.Errorf("stopping took %s", took)
	}
	if outcome.State != gateway.Cancelled || !strings.Contains(outcome.Summary, "guard.halted") || outcome.FailureType != "" {
		t.Errorf("outcome is %+v", outcome)
	}
	if alive(t, filepath.Join(c.Workspace, "tmp", "pids")) || g.branch() != "" {
		t.Error("a process or a branch is left")
	}
}

func TestLostLeaseStopsWithoutAPush(t *testing.T) {
	needLandlock(t)
	g := newGateway(t, map[string]string{"README.md": "x"})
	g.start.LeaseSeconds = 2
	g.sh("echo x > docs/x; sleep 300")
	g.beat = func(int) (gateway.HeartbeatResult, bool) { g.down = true; return gateway.HeartbeatResult{}, false }
	c := g.config()
	c.FinishTimeout = 500 * time.Millisecond
	began := time.Now()
	outcome, err := worker.Run(context.Background(), c)
	if err == nil || outcome.FailureType != gateway.Lost || time.Since(began) > 6*time.Second {
		t.Errorf("outcome is %+v with %v after %s", outcome, err, time.Since(began))
	}
	if _, err := os.Stat(filepath.Join(c.Workspace, "spool", "finish.json")); err != nil {
		t.Errorf("the end is not in the spool: %v", err)
	}
	if g.branch() != "" {
		t.Error("something was pushed")
	}
}

func TestWorkerThatIsToldToEndCancels(t *testing.T) {
	needLandlock(t)
	g := newGateway(t, map[string]string{"README.md": "x"})
	g.sh("sleep 300")
	ctx, cancel := context.WithCancel(context.Background())
	g.beat = func(int) (gateway.HeartbeatResult, bool) {
		cancel()
		return gateway.HeartbeatResult{Action: gateway.Continue}, true
	}
	outcome, err := worker.Run(ctx, g.config())
	if err != nil || outcome.State != gateway.Cancelled || len(g.finish) != 1 {
		t.Errorf("outcome is %+v with %v, reported %+v", outcome, err, g.finish)
	}
}

func TestDeniedStartRunsNothing(t *testing.T) {
	g := newGateway(t, nil)
	g.start.Decision = false
	outcome, err := worker.Run(context.Background(), g.config())
	if !errors.Is(err, gateway.ErrDenied) || outcome.State != "" || len(g.finish) != 0 {
		t.Errorf("outcome is %+v with %v", outcome, err)
	}
}

func TestWorkerIsNotDumpable(t *testing.T) {
	if err := worker.Undumpable(); err != nil {
		t.Fatal(err)
	}
	if got, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); err != nil || got != 0 {
		t.Errorf("dumpable is %d, %v", got, err)
	}
}
