package server_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"leviathan/gateway"
	"leviathan/gateway/forge"
	"leviathan/gateway/journal"
	"leviathan/gateway/server"
)

// A log is written by many and read at the end.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (w *world) status() gateway.Status {
	w.t.Helper()
	st, err := w.client(operator).Status(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	return st
}

// metric is the value of a metric without labels.
func (w *world) metric(name string) float64 {
	w.t.Helper()
	for line := range strings.Lines(w.ask("GET", "/metrics", operator, "").body) {
		if text, ok := strings.CutPrefix(line, name+" "); ok {
			value, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
			if err != nil {
				w.t.Fatal(err)
			}
			return value
		}
	}
	w.t.Fatalf("there is no metric %s", name)
	return 0
}

// forgeProblem is what the status says of the fact forge.
func (w *world) forgeProblem() (problem string, known bool) {
	w.t.Helper()
	for _, f := range w.status().Targets[0].Facts {
		if f.Name == "forge" {
			return f.Problem, f.Known
		}
	}
	w.t.Fatal("the status has no fact forge")
	return "", false
}

func (w *world) allowed(action string) int {
	w.t.Helper()
	list, err := w.journal.Decisions(context.Background(), journal.DecisionFilter{Action: action, Outcome: "allow", Page: journal.Page{Limit: 100}})
	if err != nil {
		w.t.Fatal(err)
	}
	return len(list.Items)
}

func TestGitHubHasAWholeAttempt(t *testing.T) {
	t.Parallel()
	w, f := newGitHubWorld(t)
	logs := &log{}
	w.logs = logs
	w.start()
	ctx := context.Background()
	r := reservation(t, w.cycle(), "guide")
	pr := w.deliver(r, map[string]string{"docs/guide.md": "# Guide\n"})
	if pr.Number != 1 || pr.URL != f.url+"/acme/app/pull/1" {
		t.Errorf("pull request %+v", pr)
	}
	w.server.Idle()
	a, _, err := w.journal.Attempt(ctx, r.AttemptID)
	if err != nil || a.PullRequest.TextDigest == "" || string(a.PushedCommit) != f.at(r.Branch) {
		t.Errorf("the receipt is %+v, %v", a.PullRequest, err)
	}
	w.server.Observe(ctx, "demo")
	w.server.Idle()
	if got := w.allowed(gateway.ActionPullRequestNote); got != 1 && got != 2 { // whether the end was seen by the first is chance
		t.Errorf("%d decisions about notes", got)
	}
	f.change(func() {
		if len(f.comments) != 1 || !strings.Contains(f.comments[0]["body"].(string), "succeeded") || !strings.Contains(f.comments[0]["body"].(string), string(a.DecisionID)) {
			t.Errorf("comments: %v", f.comments)
		}
		if len(f.labels) == 0 || f.labels[0] != "[leviathan]" {
			t.Errorf("labels: %v", f.labels)
		}
		basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("x-access-token:"+canary))
		for auth := range f.auths {
			if auth != basic && auth != "Bearer "+canary && auth != "token "+canary {
				t.Errorf("the credential was sent as %q", auth)
			}
		}
	})
	warnings := strings.Join(w.status().Warnings, "\n")
	for _, want := range []string{"personal token", "target demo: ", "protect", "can administer", "the check run of pull request 1"} {
		if strings.Count(warnings, want) == 0 {
			t.Errorf("the status does not warn of %q: %s", want, warnings)
		}
	}
	if strings.Count(warnings, "GitHub is spoken to by a personal token") != 1 {
		t.Errorf("the token is warned of more than once: %s", warnings)
	}
	before := w.journal.Seq()
	w.server.Observe(ctx, "demo")
	w.server.Idle()
	if after := w.journal.Seq(); after != before {
		t.Errorf("nothing new wrote %d records", after-before)
	}
	if left := w.metric("leviathan_forge_budget_remaining"); left != 4321 {
		t.Errorf("the metrics show %v as left of the budget", left)
	}
	f.change(func() { f.pulls[0]["state"], f.pulls[0]["merged_at"] = "closed", "2026-03-01T12:00:00Z" })
	w.server.Observe(ctx, "demo")
	if n := w.events()["pr.merged"]; n != 1 {
		t.Errorf("%d merges seen", n)
	}
	if strings.Contains(logs.String(), canary) {
		t.Error("the token is in the log")
	}
}

// What stands beside a pull request is of the attempt's own decisions and of
// the paths that it changed.
func TestGitHubPullRequestHasItsReviewersAndItsCheckRun(t *testing.T) {
	t.Parallel()
	w, f := newGitHubWorld(t)
	f.files = map[string]string{".github/CODEOWNERS": "* @all\ndocs/ @ann @acme/writers\n"}
	w.byApp(f)
	w.start()
	r := reservation(t, w.cycle(), "guide")
	w.deliver(r, map[string]string{"docs/guide.md": "# Guide\n"})
	w.server.Idle()
	a, _, err := w.journal.Attempt(context.Background(), r.AttemptID)
	if err != nil {
		t.Fatal(err)
	}
	f.change(func() {
		if len(f.reviewers) == 0 || f.reviewers[0] != "[ann] [writers]" {
			t.Errorf("asked for a review: %v", f.reviewers)
		}
		if len(f.checks) != 1 {
			t.Fatalf("%d check runs", len(f.checks))
		}
		check, output := f.checks[0], f.checks[0]["output"].(object)
		if check["name"] != forge.CheckName || check["head_sha"] != string(a.PushedCommit) || !strings.Contains(fmt.Sprint(output["annotations"]), "docs/guide.md") {
			t.Errorf("the check run is %v", check)
		}
		for _, id := range []gateway.DecisionID{a.DecisionID, a.StartDecision, a.PullRequest.DecisionID} {
			if id == "" || !strings.Contains(output["summary"].(string), string(id)) {
				t.Errorf("the check run does not name the decision %q: %v", id, output["summary"])
			}
		}
	})
	message := w.git(w.upstream, "log", "-1", "--format=%(trailers)", "refs/heads/"+r.Branch)
	if want := fmt.Sprintf("Leviathan-Task: guide\nLeviathan-Attempt: %s\nLeviathan-Decision: %s", r.AttemptID, a.DecisionID); message != want {
		t.Errorf("the commit upstream has the trailers\n%s\nwant\n%s", message, want)
	}
}

func TestGitHubPullRequestEditedByAHumanIsLeftAlone(t *testing.T) {
	t.Parallel()
	w, f := newGitHubWorld(t)
	w.start()
	r := reservation(t, w.cycle(), "guide")
	if out, err := w.push(r, w.startAttempt(r), map[string]string{"docs/guide.md": "# Guide\n"}); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if _, err := w.client(r.Token).OpenPullRequest(context.Background(), r.AttemptID, gateway.PullRequestRequest{}); err != nil {
		t.Fatal(err)
	}
	w.server.Idle()
	f.change(func() { f.pulls[0]["title"] = "my own words" })
	w.giveUp(r)
	w.server.Observe(context.Background(), "demo")
	w.server.Idle()
	f.change(func() {
		if len(f.comments) != 1 || !strings.Contains(f.comments[0]["body"].(string), "proposed") {
			t.Errorf("comments: %v", f.comments)
		}
	})
}

func TestGitHubIsNotAnnotatedWhileHalted(t *testing.T) {
	t.Parallel()
	w, f := newGitHubWorld(t)
	w.start()
	w.deliver(reservation(t, w.cycle(), "guide"), map[string]string{"docs/guide.md": "# Guide\n"})
	w.server.Idle()
	f.change(func() { f.comments = nil })
	w.restart()
	if a := w.ask("POST", "/v1/autonomy/halt", operator, `{"reason":"stop"}`); a.status != 200 {
		t.Fatalf("halt: %d %s", a.status, a.body)
	}
	w.server.Observe(context.Background(), "demo")
	w.server.Idle()
	f.change(func() {
		if len(f.comments) != 0 {
			t.Errorf("comments: %v", f.comments)
		}
	})
	if a := w.ask("POST", "/v1/autonomy/resume", operator, `{"reason":"go on"}`); a.status != 200 {
		t.Fatalf("resume: %d %s", a.status, a.body)
	}
	w.clock.add(11 * time.Minute)
	w.server.Observe(context.Background(), "demo")
	w.server.Idle()
	f.change(func() {
		if len(f.comments) != 1 {
			t.Errorf("comments after the halt: %v", f.comments)
		}
	})
}

func TestForgeErrorsAreShownWithTheirCodeAndRespected(t *testing.T) {
	t.Parallel()
	w, f := newGitHubWorld(t)
	w.start()
	ctx := context.Background()
	f.change(func() {
		f.refuse = func(rw http.ResponseWriter, _ *http.Request) bool {
			rw.Header().Set("Retry-After", "120")
			rw.WriteHeader(http.StatusTooManyRequests)
			fmt.Fprint(rw, `{"message":"You have exceeded a secondary rate limit"}`)
			return true
		}
	})
	w.server.Observe(ctx, "demo")
	w.server.Idle()
	problem, known := w.forgeProblem()
	if known || !strings.HasPrefix(problem, forge.CodeQuota+": ") || !strings.Contains(problem, "asked again at ") {
		t.Errorf("known %v, %q", known, problem)
	}
	if result := w.cycle(); len(result.Reserved) != 0 {
		t.Errorf("unknown is taken for none: %+v", result.Reserved)
	}
	f.change(func() { f.refuse = nil })
	asked := f.requests()
	w.clock.add(time.Minute)
	w.server.Observe(ctx, "demo")
	w.server.Idle()
	if now := f.requests(); now != asked {
		t.Errorf("GitHub asked for quiet, and was asked %d times", now-asked)
	}
	w.clock.add(2 * time.Minute)
	w.server.Observe(ctx, "demo")
	if problem, known := w.forgeProblem(); !known || problem != "" {
		t.Errorf("and then: known %v, %q", known, problem)
	}
	w.server.Idle()
	// What no budget knows of is respected as well.
	f.change(func() {
		f.refuse = func(rw http.ResponseWriter, _ *http.Request) bool {
			rw.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprint(rw, `{"message":"No server is available"}`)
			return true
		}
	})
	w.server.Observe(ctx, "demo")
	w.server.Idle()
	if problem, known := w.forgeProblem(); known || !strings.HasPrefix(problem, forge.CodeUnreachable+": ") {
		t.Errorf("known %v, %q", known, problem)
	}
	asked = f.requests()
	w.clock.add(3 * time.Second)
	w.server.Observe(ctx, "demo")
	if now := f.requests(); now != asked {
		t.Errorf("GitHub was in trouble, and was asked %d times", now-asked)
	}
	w.clock.add(3 * time.Second)
	w.server.Observe(ctx, "demo")
	if f.requests() == asked {
		t.Error("GitHub is never asked again")
	}
	w.server.Idle()
}

func TestForgeSaysWhyThereIsNone(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		github *forge.GitHubOptions
		code   string
	}{
		"no credential": {nil, forge.CodeCredential},
		"another host":  {&forge.GitHubOptions{Token: forge.NewSecret(canary)}, forge.CodeRepository},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, f := newGitHubWorld(t)
			w.tune = func(c *server.Config) { c.GitHub = row.github }
			w.start()
			w.server.Observe(context.Background(), "demo")
			if problem, known := w.forgeProblem(); known || !strings.HasPrefix(problem, row.code+": ") {
				t.Errorf("known %v, %q", known, problem)
			}
			if result := w.cycle(); len(result.Reserved) != 0 {
				t.Errorf("reserved %+v", result.Reserved)
			}
			f.change(func() {
				if len(f.auths) != 0 {
					t.Errorf("the host was spoken to: %v", f.auths)
				}
			})
		})
	}
}

func TestGitHubSettingsThatCannotWorkEndTheStart(t *testing.T) {
	t.Parallel()
	w := newUpstream(t, baseBacklog, baseConfig)
	w.start()
	for name, opts := range map[string]forge.GitHubOptions{
		"plain http":  {URL: "http://github.example", Token: forge.NewSecret(canary)},
		"no key file": {App: &forge.GitHubApp{ID: 1, InstallationID: 2, KeyFile: filepath.Join(t.TempDir(), "none.pem")}},
		"nothing":     {},
	} {
		s, err := server.New(context.Background(), server.Config{StateDir: t.TempDir(), Journal: w.journal, Engine: w.engine, OperatorToken: operator,
			Logger: slog.New(slog.DiscardHandler), GitHub: &opts})
		if err == nil || !strings.Contains(err.Error(), "setting up GitHub: ") || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: %v %v", name, s, err)
		}
	}
}
