//go:build linux

package worker_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"leviathan/gateway"
	"leviathan/worker"
)

// needLandlock skips where a required sandbox cannot be built.
func needLandlock(t *testing.T) {
	t.Helper()
	if err := worker.SandboxAvailable(); err != nil {
		t.Skip(err)
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
	if strings.Contains(doc, "OTHER") || strings.Contains(doc, "GIT_CONFIG_COUNT") || strings.Contains(doc, token) {
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

func TestRefusalsOfTheGateway(t *testing.T) {
	needLandlock(t)
	refuse := func(k gateway.Kind, times int) func(int) *gateway.Error {
		return func(n int) *gateway.Error {
			if n > times {
				return nil
			}
			return &gateway.Error{Kind: k, Detail: "no", Reasons: []gateway.Reason{{Code: "delivery.no", Message: "because"}}}
		}
	}
	halted := func(int) (gateway.HeartbeatResult, bool) {
		return gateway.HeartbeatResult{Action: gateway.Stop, Reason: &gateway.Reason{Code: "guard.halted", Message: "halted"}}, true
	}
	for _, k := range []struct {
		name   string
		adjust func(g *fakeGateway)
		state  gateway.AttemptState
		kind   gateway.FailureType
		says   string
		events int
	}{
		{"the pull request is denied", func(g *fakeGateway) { g.propose = refuse(gateway.Forbidden, 9) }, gateway.Failed, gateway.Denied, "delivery.no: because", 2},
		{"the forge is unknown for a moment", func(g *fakeGateway) { g.propose = refuse(gateway.Unknown, 2) }, gateway.Succeeded, "", "", 2},
		{"the fetch is refused", func(g *fakeGateway) { g.fetch = refuse(gateway.Forbidden, 9) }, gateway.Failed, gateway.Internal, "403", 0},
		{"the fetch is refused by a halt", func(g *fakeGateway) {
			g.fetch, g.beat, g.start.Heartbeat = refuse(gateway.Forbidden, 9), halted, 10
		}, gateway.Cancelled, "", "guard.halted", 0},
		{"the gateway is away for a moment", func(g *fakeGateway) { g.fetch = refuse(gateway.Unknown, 1) }, gateway.Succeeded, "", "", 2},
		{"events are not taken at first", func(g *fakeGateway) {
			g.ingest = refuse(gateway.Unknown, 1)
			g.start.Agent.Command[2] += "; sleep 4"
		}, gateway.Succeeded, "", "", 2},
	} {
		t.Run(k.name, func(t *testing.T) {
			g := newGateway(t, map[string]string{"README.md": "x"})
			g.sh("echo x > docs/x")
			k.adjust(g)
			outcome := g.run(g.config())
			if outcome.State != k.state || outcome.FailureType != k.kind || !strings.Contains(outcome.Summary, k.says) {
				t.Errorf("outcome is %+v, want %s %s saying %q", outcome, k.state, k.kind, k.says)
			}
			if len(g.events) != k.events {
				t.Errorf("events are %v", g.events)
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
