package server_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"leviathan/gateway"
)

// A browser is what a person has: cookies, and redirects that are followed.
type browser struct {
	w    *world
	http *http.Client
}

func (w *world) browser() *browser {
	w.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return &browser{w, &http.Client{Jar: jar}}
}

func (b *browser) get(path string) (int, string) {
	b.w.t.Helper()
	resp, err := b.http.Get(b.w.http.URL + path)
	return b.read(resp, err)
}

func (b *browser) post(path string, form url.Values) (int, string) {
	b.w.t.Helper()
	resp, err := b.http.PostForm(b.w.http.URL+path, form)
	return b.read(resp, err)
}

func (b *browser) read(resp *http.Response, err error) (int, string) {
	b.w.t.Helper()
	if err != nil {
		b.w.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.w.t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func (b *browser) signIn(token string) {
	b.w.t.Helper()
	if status, body := b.post("/login", url.Values{"token": {token}}); status != 200 || !strings.Contains(body, "<h1>Overview</h1>") {
		b.w.t.Fatalf("signing in: %d %s", status, body)
	}
}

var internalLink = regexp.MustCompile(`(?:href|src)="(/[^"]*)"`)

// TestConsole walks the real console over the real gateway: what it shows is
// what the API says, and what it does is decided and journalled.
func TestConsole(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	result := w.cycle()
	guide, notes := reservation(t, result, "guide"), reservation(t, result, "notes")
	started := w.startAttempt(guide)
	if _, err := w.push(guide, started, map[string]string{"src/evil.txt": "x", "docs/guide.md": "a\n"}); err == nil {
		t.Fatal("a push outside the scope passed")
	}
	if err := w.client(guide.Token).PutArtifact(context.Background(), guide.AttemptID, "agent.log", 0, []byte("<script>alert(1)</script>\x1b[31m\n")); err != nil {
		t.Fatal(err)
	}
	b := w.browser()
	if status, body := b.get("/attempts"); status != 200 || !strings.Contains(body, `name="token"`) {
		t.Fatalf("without a session: %d %s", status, body)
	}
	b.signIn(operator)

	pages := map[string][]string{
		"/":                                    {"demo", "proved", "open pull requests", "Halt all…", "scope.outside_prefix"},
		"/tasks?target=demo":                   {"Write a guide", "schedule.running", "Wait for it to end, or cancel it."},
		"/attempts":                            {"guide", "notes"},
		"/attempts/" + string(guide.AttemptID): {"&lt;script&gt;alert(1)&lt;/script&gt;⟨ESC⟩[31m", "src/evil.txt", "no objection", "push.refused", "Cancel…"},
		"/decisions?action=change.push":        {"scope.outside_task"},
		"/policy":                              {"Active"},
		"/journal":                             {"leviathan-journal", "attempt.started"},
		"/graph":                               {"<svg role=\"img\"", "The same as text", "demo → guide → <a", "demo → notes → <a"},
		"/limits?target=demo&key=max_running_attempts&value=3": {"max_running_attempts</code> 3 in place of 2", "the backlog</a>", "It would reserve 0 tasks."},
		"/act/halt?target=demo":                                {"What will happen", "<strong>2 attempts</strong>"},
	}
	seen := map[string]bool{}
	for path, wants := range pages {
		status, body := b.get(path)
		if status != 200 {
			t.Errorf("%s: %d %s", path, status, body)
		}
		for _, want := range wants {
			if !strings.Contains(body, want) {
				t.Errorf("%s lacks %q", path, want)
			}
		}
		if strings.Contains(body, operator) {
			t.Errorf("%s shows the token", path)
		}
		for _, m := range internalLink.FindAllStringSubmatch(body, -1) {
			seen[strings.ReplaceAll(m[1], "&amp;", "&")] = true
		}
	}
	if len(seen) < 20 {
		t.Errorf("only %d links were found: %v", len(seen), seen)
	}
	for path := range seen {
		if status, body := b.get(path); status != 200 {
			t.Errorf("link %s: %d %s", path, status, body)
		}
	}

	// An action is the API's: decided, journalled, and by the operator.
	if status, body := b.post("/act/halt", url.Values{"target": {"demo"}, "reason": {"a drill"}}); status != 200 || !strings.Contains(body, "a drill") || !strings.Contains(body, "Halted. Nothing") {
		t.Fatalf("halt: %d %s", status, body)
	}
	list, err := w.client(operator).Decisions(context.Background(), gateway.DecisionQuery{Action: gateway.ActionAutonomyHalt})
	if err != nil || len(list.Items) != 1 || !list.Items[0].Decision {
		t.Fatalf("decisions about the halt: %+v, %v", list.Items, err)
	}
	if n := w.events()[gateway.EventAutonomyHalted]; n != 1 {
		t.Errorf("%d halts are journalled", n)
	}
	if status, body := b.post("/act/cancel", url.Values{"attempt": {string(notes.AttemptID)}, "reason": {"a drill"}}); status != 200 || w.state(notes.AttemptID) != gateway.Cancelled {
		t.Errorf("cancel: %d %s", status, body)
	}

	// The session opens nothing but the console.
	if status, _ := b.get("/v1/autonomy/status"); status != 401 {
		t.Errorf("the API takes the console's session: %d", status)
	}
}

func TestConsoleReaderLooksAndChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	r := reservation(t, w.cycle(), "guide")
	tokens := map[gateway.Role]string{}
	for _, role := range []gateway.Role{gateway.RoleReader, gateway.RoleScheduler} {
		made, err := w.client(operator).CreateToken(context.Background(), gateway.TokenRequest{Role: role, ExpiresIn: "1h"})
		if err != nil {
			t.Fatal(err)
		}
		tokens[role] = made.Token
	}
	for name, token := range map[string]string{"none": "", "wrong": "wrong", "a scheduler's": tokens[gateway.RoleScheduler], "an attempt's": r.Token} {
		if status, body := w.browser().post("/login", url.Values{"token": {token}}); status != 401 || !strings.Contains(body, "The sign-in failed.") {
			t.Errorf("%s token: %d", name, status)
		}
	}
	if a := w.ask("GET", "/metrics", operator, ""); !strings.Contains(a.body, fmt.Sprintf("leviathan_authentication_failures_total %d", 3)) {
		t.Error("failed sign-ins are not counted") // the attempt's token is genuine, and denied by policy
	}
	b := w.browser()
	b.signIn(tokens[gateway.RoleReader])
	for _, path := range []string{"/", "/tasks", "/attempts/" + string(r.AttemptID)} {
		if status, body := b.get(path); status != 200 || strings.Contains(body, "/act/") {
			t.Errorf("%s offers a reader an action (%d)", path, status)
		}
	}
	if status, _ := b.get("/act/halt"); status != 403 {
		t.Errorf("a reader sees the confirmation: %d", status)
	}
	if status, body := b.post("/act/halt", url.Values{"reason": {"mischief"}}); status != 403 || !strings.Contains(body, "access.role") {
		t.Errorf("a reader halts: %d %s", status, body)
	}
	if n := w.events()[gateway.EventAutonomyHalted]; n != 0 {
		t.Errorf("%d halts are journalled", n)
	}

	// A revoked token ends the session.
	items, err := w.client(operator).Tokens(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(items.Items, func(item gateway.TokenItem) bool { return item.Role == gateway.RoleReader })
	if err := w.client(operator).RevokeToken(context.Background(), items.Items[i].ID); err != nil {
		t.Fatal(err)
	}
	if _, body := b.get("/"); !strings.Contains(body, `name="token"`) {
		t.Error("a revoked token still has a session")
	}
}
