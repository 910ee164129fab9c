package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"leviathan/gateway"
)

// A stage is a gateway with one attempt in each state that lives, and a
// checkout with a commit that only has to be pushed.
type stage struct {
	*world
	reserved, running, pushed, proposed gateway.Reservation
	tree                                string
	started                             gateway.StartResult
}

func newStage(t *testing.T) *stage {
	t.Helper()
	config := strings.NewReplacer("max_running_attempts: 2", "max_running_attempts: 9", "max_open_prs: 3", "max_open_prs: 9").Replace(baseConfig)
	s := &stage{world: newWorld(t, tasksOf(4), config)}
	result := s.cycle()
	s.reserved, s.running, s.pushed, s.proposed = reservation(t, result, "t0"), reservation(t, result, "t1"), reservation(t, result, "t2"), reservation(t, result, "t3")
	s.started = s.startAttempt(s.running)
	for _, r := range []gateway.Reservation{s.pushed, s.proposed} {
		if out, err := s.push(r, s.startAttempt(r), map[string]string{"docs/" + string(r.TaskID) + ".md": "x\n"}); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	if _, err := s.client(s.proposed.Token).OpenPullRequest(context.Background(), s.proposed.AttemptID, gateway.PullRequestRequest{Summary: "s"}); err != nil {
		t.Fatal(err)
	}
	s.tree = s.checkout(s.running)
	s.write(s.tree, map[string]string{"docs/t1.md": "x\n"})
	s.git(s.tree, "add", "--all")
	return s
}

// everythingStops expects that whatever could begin or deliver is denied for
// the code, and that whatever ends work is not.
func (s *stage) everythingStops(code string) {
	s.t.Helper()
	ctx, refs := context.Background(), s.refs()
	if result := s.cycle(); result.Outcome != gateway.CycleDenied || !slices.Contains(reasonCodes(result.Reasons), code) || len(result.Reserved) != 0 {
		s.t.Errorf("%s, cycle: %s %v", code, result.Outcome, result.Reasons)
	}
	s.refused(s.ask("POST", "/v1/attempts/"+string(s.reserved.AttemptID)+"/start", s.reserved.Token, `{"instance":"instance-1"}`), 403, code)
	for name, r := range map[string]gateway.Reservation{"running": s.running, "pushed": s.pushed, "proposed": s.proposed} {
		if beat, err := s.client(r.Token).Heartbeat(ctx, r.AttemptID, gateway.HeartbeatRequest{}); err != nil || beat.Action != gateway.Stop || beat.Reason.Code != code {
			s.t.Errorf("%s, heartbeat of %s: %+v %v", code, name, beat, err)
		}
	}
	if out, err := s.tryGit(s.dir, "ls-remote", s.remote(s.running)); err == nil || !strings.Contains(out, code) {
		s.t.Errorf("%s, fetch: %v\n%s", code, err, out)
	}
	author := s.started.Commit.Author
	id := s.git(s.tree, "-c", "user.name="+author.Name, "-c", "user.email="+author.Email, "commit-tree", "-p", "HEAD", "-m", strings.TrimSuffix(s.started.Commit.Message, "\n"), s.git(s.tree, "write-tree"))
	report := s.rawPush(s.running.Token, s.packOf(s.tree, s.running, id), command(strings.Repeat("0", 40), id, "refs/heads/"+s.running.Branch))
	if !strings.Contains(report, "ng refs/heads/") || !strings.Contains(report, code) {
		s.t.Errorf("%s, push: %q", code, report)
	}
	s.refused(s.ask("POST", "/v1/attempts/"+string(s.pushed.AttemptID)+"/pull-request", s.pushed.Token, `{"summary":"s"}`), 403, code)
	if now := s.refs(); now != refs {
		s.t.Errorf("%s: the upstream had\n%s\nand has\n%s", code, refs, now)
	}
}

func TestS09TheFlippedSwitchDeniesEveryStepWithoutARestart(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	off := strings.Replace(baseConfig, "autonomy_enabled: true", "autonomy_enabled: false", 1)
	s.writeConfig(off)
	s.everythingStops("guard.switched_off")
	// What ends work is never refused, and what the switch stopped counts for nothing.
	ctx := context.Background()
	done, err := s.client(s.running.Token).Finish(ctx, s.running.AttemptID, gateway.FinishRequest{Outcome: "failed", FailureType: gateway.AgentError})
	if err != nil || done.State != gateway.Cancelled {
		t.Errorf("finish: %+v %v", done, err)
	}
	if done, err = s.client(s.proposed.Token).Finish(ctx, s.proposed.AttemptID, gateway.FinishRequest{Outcome: "succeeded"}); err != nil || done.State != gateway.Succeeded {
		t.Errorf("finish: %+v %v", done, err)
	}
	if err := s.client(s.pushed.Token).PutArtifact(ctx, s.pushed.AttemptID, "log", 0, []byte("why")); err != nil {
		t.Errorf("a log of stopped work: %v", err)
	}
	if err := errors.Join(s.client(operator).Cancel(ctx, s.pushed.AttemptID, "r"), s.client(operator).Lost(ctx, s.reserved.AttemptID, gateway.LostRequest{Observed: "job_deleted"}),
		s.client(operator).Halt(ctx, gateway.ReasonRequest{Reason: "r"}), s.client(operator).Resume(ctx, gateway.ReasonRequest{Reason: "r"})); err != nil {
		t.Errorf("an operator: %v", err)
	}
	if state, err := s.journal.State("demo"); err != nil || state.Circuit.Consecutive != 0 {
		t.Errorf("what the switch stopped counts: %+v %v", state.Circuit, err)
	}
}

func TestS09AHaltDeniesEveryStep(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	if err := s.client(operator).Halt(context.Background(), gateway.ReasonRequest{Reason: "drill"}); err != nil {
		t.Fatal(err)
	}
	s.everythingStops("guard.halted_all")
	s.restart() // a halt is a latch
	s.everythingStops("guard.halted_all")
}

func TestS09AConfigThatCannotBeReadDeniesEveryStep(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		spoil func(*stage) error
		code  string
	}{
		"torn":     {func(s *stage) error { return os.WriteFile(s.config, []byte("autonomy_enabled: tr"), 0o644) }, "guard.config_invalid"},
		"empty":    {func(s *stage) error { return os.WriteFile(s.config, nil, 0o644) }, "guard.config_invalid"},
		"gone":     {func(s *stage) error { return os.Remove(s.config) }, "guard.config_invalid"},
		"a folder": {func(s *stage) error { return errors.Join(os.Remove(s.config), os.Mkdir(s.config, 0o755)) }, "guard.config_invalid"},
		"not a bool": {func(s *stage) error {
			s.writeConfig(strings.Replace(baseConfig, "enabled: true", `enabled: "true"`, 1))
			return nil
		}, "guard.config_invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			ctx := context.Background()
			if err := row.spoil(s); err != nil {
				t.Fatal(err)
			}
			beat, err := s.client(s.running.Token).Heartbeat(ctx, s.running.AttemptID, gateway.HeartbeatRequest{})
			if err != nil || beat.Action != gateway.Continue {
				t.Errorf("a half-written save stops work at once: %+v %v", beat, err)
			}
			if result := s.cycle(); result.Outcome != gateway.CycleDenied {
				t.Errorf("but it lets the plan pass: %s %v", result.Outcome, result.Reasons)
			}
			s.clock.add(6 * time.Second)
			s.everythingStops(row.code)
		})
	}
}

// s10 are config inputs and what each must mean, everywhere.
var s10 = []struct {
	name, text string
	on         bool
}{
	{"as it is", baseConfig, true},
	{"off", strings.Replace(baseConfig, "enabled: true", "enabled: false", 1), false},
	{"quoted", strings.Replace(baseConfig, "enabled: true", `enabled: "true"`, 1), false},
	{"yes", strings.Replace(baseConfig, "enabled: true", "enabled: yes", 1), false},
	{"on", strings.Replace(baseConfig, "enabled: true", "enabled: on", 1), false},
	{"one", strings.Replace(baseConfig, "enabled: true", "enabled: 1", 1), false},
	{"null", strings.Replace(baseConfig, "enabled: true", "enabled:", 1), false},
	{"missing", strings.Replace(baseConfig, "autonomy_enabled: true\n", "", 1), false},
	{"twice", "autonomy_enabled: false\n" + baseConfig, false},
	{"a typo", strings.Replace(baseConfig, "max_open_prs", "max_open_pr", 1), false},
	{"a zero limit", strings.Replace(baseConfig, "max_open_prs: 3", "max_open_prs: 0", 1), false},
	{"a negative limit", strings.Replace(baseConfig, "max_open_prs: 3", "max_open_prs: -1", 1), false},
	{"a word for a number", strings.Replace(baseConfig, "max_open_prs: 3", "max_open_prs: many", 1), false},
	{"a prefix that is all", strings.Replace(baseConfig, "[docs/, tests/]", `["/"]`, 1), false},
	{"no prefix", strings.Replace(baseConfig, "[docs/, tests/]", "[]", 1), false},
	{"two documents", baseConfig + "---\nautonomy_enabled: true\n", false},
	{"an alias bomb", "a: &a [x, x]\nb: &b [*a, *a]\n" + baseConfig, false},
	{"tabs", "\t" + baseConfig, false},
	{"empty", "", false},
}

func TestS10StatusCycleAndPolicyAgreeOnEveryConfig(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	w.cycle()
	ctx := context.Background()
	for _, row := range s10 {
		w.writeConfig(row.text)
		w.clock.add(10 * time.Second)
		status, err := w.client(operator).Status(ctx)
		if err != nil {
			t.Fatal(err)
		}
		var effective bool
		for _, one := range status.Targets {
			effective = effective || one.Effective || one.AutonomyEnabled
		}
		if status.AutonomyEnabled != row.on || effective != row.on {
			t.Errorf("%s: status says enabled %v, effective %v", row.name, status.AutonomyEnabled, effective)
		}
		if strings.HasPrefix(status.Source, "configmap:") != (row.on || row.name == "off") {
			t.Errorf("%s: source %q", row.name, status.Source)
		}
		result := w.cycle()
		if (result.Outcome == gateway.CycleWorked || result.Outcome == gateway.CycleIdle) != row.on || len(result.Reserved) > 0 != row.on {
			t.Errorf("%s: cycle %s %v", row.name, result.Outcome, result.Reasons)
		}
		asked, err := w.client(operator).Evaluate(ctx, gateway.Question{Subject: gateway.Entity{Type: "component", ID: "scheduler"},
			Action: gateway.Action{Name: "cycle.plan"}, Resource: gateway.Entity{Type: "target", ID: "demo"}})
		if err != nil || asked.Decision != row.on {
			t.Errorf("%s: policy %+v %v", row.name, asked, err)
		}
	}
}

func TestTwoFilesWithOneTargetAreBothOff(t *testing.T) {
	t.Parallel()
	w := newUpstream(t, baseBacklog, baseConfig)
	folder := filepath.Join(w.dir, "autonomy")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	w.config = filepath.Join(folder, "a.yaml")
	w.writeConfig(baseConfig)
	w.configs = folder
	w.start()
	if len(w.cycle().Reserved) != 2 {
		t.Fatal("one file works")
	}
	w.config = filepath.Join(folder, "b.yaml")
	w.writeConfig(baseConfig)
	w.clock.add(10 * time.Second)
	var status gateway.Status
	a := w.ask("GET", "/v1/autonomy/status", operator, "")
	if err := json.Unmarshal([]byte(a.body), &status); err != nil || status.AutonomyEnabled {
		t.Errorf("status with two files: %v %s", err, a.body)
	}
	if result := w.cycle(); result.Outcome != gateway.CycleDenied || len(result.Reserved) != 0 {
		t.Errorf("cycle with two files: %s %v", result.Outcome, fmt.Sprint(result.Reasons))
	}
	if err := os.Remove(w.config); err != nil {
		t.Fatal(err)
	}
	w.clock.add(10 * time.Second)
	if result := w.cycle(); len(result.Reserved) != 2 {
		t.Errorf("with one again: %s %v", result.Outcome, result.Reasons)
	}
}
