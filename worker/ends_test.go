//go:build linux

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

	"golang.org/x/sys/unix"

	"leviathan/gateway"
	"leviathan/worker"
)

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

func TestConfigIsChecked(t *testing.T) {
	good := (&fakeGateway{t: t}).configFor("http://127.0.0.1:1")
	for name, spoil := range map[string]func(c *worker.Config){
		"Workspace": func(c *worker.Config) { c.Workspace = "relative" },
		"GitBinary": func(c *worker.Config) { c.GitBinary = "git" },
		"Self":      func(c *worker.Config) { c.Self = "" },
		"Client":    func(c *worker.Config) { c.Client = nil },
		"attempt":   func(c *worker.Config) { c.Attempt = "x" },
		"Token":     func(c *worker.Config) { c.Token = "" },
		"not empty": func(c *worker.Config) {
			if err := os.MkdirAll(filepath.Join(c.Workspace, "other"), 0o700); err != nil {
				t.Fatal(err)
			}
		},
	} {
		c := good
		spoil(&c)
		if _, err := worker.Run(t.Context(), c); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
