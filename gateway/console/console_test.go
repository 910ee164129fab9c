package console_test

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

const limitsPage = "/limits?target=demo&key=max_open_prs&value=4"

var allPages = []string{"/", "/tasks", "/attempts", "/attempts/" + attemptID, "/decisions", "/decisions/" + decisionID, "/policy", "/journal", "/graph", limitsPage,
	"/act/halt", "/act/resume?target=demo", "/act/reset?target=demo", "/act/cancel?attempt=" + attemptID, "/act/retry?target=demo&task=guide"}

func TestEveryPageKeepsToItself(t *testing.T) {
	m := newRoom(t)
	cookie := m.signIn(operatorToken)
	for _, path := range append([]string{"/login", "/assets/style.css", "/assets/none", "/attempts/unknown", "/act/none"}, allPages...) {
		h := m.ask(path, cookie, nil).Header()
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
			"X-Content-Type-Options":  "nosniff", "Referrer-Policy": "no-referrer"} {
			if h.Get(name) != want {
				t.Errorf("%s: %s is %q", path, name, h.Get(name))
			}
		}
		if !strings.HasPrefix(path, "/assets/s") && h.Get("Cache-Control") != "no-store" {
			t.Errorf("%s may be kept: %q", path, h.Get("Cache-Control"))
		}
	}
}

var hrefs = regexp.MustCompile(`(?:href|src|action)="([^"]*)"`)

func TestHostileTextStaysText(t *testing.T) {
	m := newRoom(t)
	cookie := m.signIn(operatorToken)
	for _, path := range allPages {
		w := m.ask(path, cookie, nil)
		body := w.Body.String()
		if w.Code != http.StatusOK {
			t.Errorf("%s: %d %s", path, w.Code, body)
			continue
		}
		if strings.Contains(body, "<script>") || strings.Contains(body, " style=") || strings.ContainsAny(body, "\x1b\u202e") {
			t.Errorf("%s shows what it was given as it is", path)
		}
		if !strings.HasPrefix(path, "/act/") && !strings.Contains(body, "alert(&#39;x&#39;)&lt;/script&gt;⟨ESC⟩[2J⟨U+202E⟩") {
			t.Errorf("%s does not show the hostile text at all: the test sees nothing", path)
		}
		if strings.Contains(body, operatorToken) {
			t.Errorf("%s shows the token", path)
		}
		for _, link := range hrefs.FindAllStringSubmatch(body, -1) {
			if !strings.HasPrefix(link[1], "/") && !strings.HasPrefix(link[1], "?") && !strings.HasPrefix(link[1], "#") {
				t.Errorf("%s links to %s", path, link[1])
			}
		}
	}
	for page, route := range map[string]string{"/attempts": "/v1/attempts", "/graph": "/v1/graph"} {
		list := m.api.answers[route]
		for address, link := range map[string]bool{"https://forge.example/pull/7": true, "http://forge.example/pull/7": false, "https://user@forge.example/": false,
			"file://host/pull/7": false, "https:pull": false, "//forge.example/": false} {
			m.api.answers[route] = strings.Replace(list, "javascript:alert(1)", address, 1)
			body := m.ask(page, cookie, nil).Body.String()
			if strings.Contains(body, `<a href="`+address+`" rel="noopener noreferrer">`) != link || !link && strings.Contains(body, "open it") {
				t.Errorf("%s: %s is a link: %t is wanted", page, address, link)
			}
		}
	}
}

func TestPagesSayWhatTheAPISays(t *testing.T) {
	m := newRoom(t)
	cookie := m.signIn(operatorToken)
	for path, wants := range map[string][]string{
		"/":                        {">halted<", "not proved", `<progress value="3" max="3"`, "3 of 3 · full", "Lift the halt…", "Reset the breaker…", "limits.open_prs", "unknown</span> <strong>mirror"},
		"/tasks":                   {"limits.attempts", "2026-11-25 00:55:24 UTC", "4 min 35 s ago", "Retry…", "More tasks"},
		"/attempts/" + attemptID:   {"file:///", "no objection", "refused</span>", "the worker's claim", "exit 2", "× 2", "claimed</span>", "4 B of", "Cancel…"},
		"/decisions?outcome=deny":  {"Older decisions", "/decisions?outcome=deny&amp;page_token="},
		"/decisions/" + decisionID: {"Why, step by step", "scope.outside_prefix"},
		"/policy":                  {"refused</span>", "<strong>2</strong> deny to allow", "4 questions compared", "start"},
		"/journal":                 {"leviathan journal verify", "record 11"},
		"/graph":                   {`aria-labelledby="graph-title"`, "pull request #7", "1 target, 1 task"},
		limitsPage: {"max_open_prs</code> 4 in place of 3", "1 task</strong> would be treated otherwise", "would reserve 1 task.", "would reserve 2 tasks.", "limits.open_prs", "differs</span>", "7 other tasks",
			`<option value="max_open_prs" selected>`, `name="value" type="number" inputmode="numeric" min="0" max="2147483647" step="1" required value="4"`},
		"/act/halt":                         {"Halt all targets?", "<strong>1 attempt</strong>"},
		"/act/retry?target=demo&task=guide": {"Retry the task guide?", `name="task" value="guide"`},
	} {
		body := strings.ReplaceAll(m.ask(path, cookie, nil).Body.String(), "\u00a0", " ")
		for _, want := range wants {
			if !strings.Contains(body, want) {
				t.Errorf("%s lacks %q", path, want)
			}
		}
	}
	// The refused path stands before the one nobody objects to.
	body := m.ask("/attempts/"+attemptID, cookie, nil).Body.String()
	if refused, fine := strings.Index(body, "<code>src/"), strings.Index(body, "<code>docs/fine.md"); refused < 0 || fine < refused {
		t.Errorf("the refused path stands at %d, the other at %d", refused, fine)
	}
}

// The form asks with GET, as a reader, and says on the page what is wrong with
// what was asked.
func TestAnotherLimitIsAskedByAForm(t *testing.T) {
	m := newRoom(t)
	reader := m.signIn(readerToken)
	overview := m.ask("/", reader, nil).Body.String()
	for _, want := range []string{`<form class="filter" method="get" action="/limits"`, `<input type="hidden" name="target" value="demo">`, `<label for="limit-demo">`, `<label for="value-demo">`,
		`<option value="max_open_prs">max open prs</option>`, `<option value="limits.max_tasks_per_day">`} {
		if !strings.Contains(overview, want) {
			t.Errorf("the overview lacks %s", want)
		}
	}
	if w := m.ask(limitsPage, reader, nil); w.Code != http.StatusOK || !m.api.has("GET /v1/targets/demo/plan ") {
		t.Errorf("a reader asks: %d, asked %v", w.Code, m.api.asked)
	}
	if w := m.ask(limitsPage, nil, nil); w.Code != http.StatusSeeOther {
		t.Errorf("a stranger asks: %d", w.Code)
	}
	if w := m.ask(limitsPage, reader, url.Values{}); w.Code == http.StatusOK {
		t.Errorf("it takes a form that is posted: %d", w.Code)
	}
	for path, want := range map[string]string{
		"/limits?target=demo": "Show what would change",
		"/limits":             `name="target" value="demo"`,
		"/limits?target=demo&key=max_open_prs&value=x":       "The value is a whole number",
		"/limits?target=demo&key=%3Cb%3E&value=":             `<option value="&lt;b&gt;" selected>`,
		"/limits?target=demo&key=limits.max_files&value=100": `<option value="limits.max_files" selected>`,
	} {
		if w := m.ask(path, reader, nil); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d, lacks %q", path, w.Code, want)
		}
	}
	if w := m.ask("/limits?target=gone&key=max_open_prs&value=4", reader, nil); w.Code != http.StatusNotFound {
		t.Errorf("a target that is not there: %d", w.Code)
	}
}

func TestWhatFailsIsSaid(t *testing.T) {
	m := newRoom(t)
	cookie := m.signIn(operatorToken)
	delete(m.api.answers, "/v1/policy")
	if w := m.ask("/policy", cookie, nil); w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "<h1>") {
		t.Errorf("a refused page: %d %s", w.Code, w.Body)
	}
	m.api.answers["/v1/policy"] = "panic"
	if w := m.ask("/policy", cookie, nil); w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "the API is broken") {
		t.Errorf("an API that panics: %d %s", w.Code, w.Body)
	}
	delete(m.api.answers, "/v1/decisions")
	if w := m.ask("/", cookie, nil); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "The refusals could not be read") {
		t.Errorf("a part that is missing: %d", w.Code)
	}
	delete(m.api.answers, "/v1/decisions/"+decisionID+"/why")
	if w := m.ask("/decisions/"+decisionID, cookie, nil); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "It cannot be shown here") {
		t.Errorf("a decision that cannot be explained: %d", w.Code)
	}
	m.api.mu.Lock()
	m.api.tokens[operatorToken] = false
	m.api.mu.Unlock()
	for range 2 { // the first ends the session, the second finds none
		if w := m.ask("/", cookie, nil); w.Code != http.StatusSeeOther {
			t.Errorf("a token that is no longer good: %d", w.Code)
		}
	}
}

func TestActionsAreTheOperatorsAndSayWhy(t *testing.T) {
	m := newRoom(t)
	operator, reader := m.signIn(operatorToken), m.signIn(readerToken)
	for path, call := range map[string]string{
		"/act/halt":   `POST /v1/autonomy/halt {"target":"demo","reason":"a drill"}`,
		"/act/resume": `POST /v1/autonomy/resume {"target":"demo","reason":"a drill"}`,
		"/act/reset":  `POST /v1/targets/demo/circuit/reset {"reason":"a drill"}`,
		"/act/cancel": `POST /v1/attempts/` + attemptID + `/cancel {"reason":"a drill"}`,
		"/act/retry":  `POST /v1/targets/demo/tasks/guide/retry {"reason":"a drill"}`,
	} {
		form := url.Values{"target": {"demo"}, "task": {"guide"}, "attempt": {attemptID}}
		if w := m.ask(path, operator, form); w.Code != http.StatusUnprocessableEntity || m.api.has(call) {
			t.Errorf("%s without a reason: %d", path, w.Code)
		}
		form.Set("reason", " a drill ")
		if w := m.ask(path, operator, form, "Sec-Fetch-Site", "cross-site"); w.Code != http.StatusForbidden {
			t.Errorf("%s from another site: %d", path, w.Code)
		}
		if w := m.ask(path, operator, form, "Origin", "https://evil.example"); w.Code != http.StatusForbidden {
			t.Errorf("%s from another origin: %d", path, w.Code)
		}
		if w := m.ask(path, nil, form); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/login?next=%2F" {
			t.Errorf("%s by a stranger: %d to %s", path, w.Code, w.Header().Get("Location"))
		}
		if m.api.has(call) {
			t.Fatalf("%s reached the API before it was asked rightly", path)
		}
		w := m.ask(path, operator, form, "Sec-Fetch-Site", "same-origin")
		if w.Code != http.StatusSeeOther || !m.api.has(call) {
			t.Errorf("%s: %d, asked %v", path, w.Code, m.api.asked)
		}
		if body := m.ask("/", operator, nil).Body.String(); !strings.Contains(body, `class="done"`) {
			t.Errorf("%s: nothing says that it is done", path)
		}
		if body := m.ask("/", operator, nil).Body.String(); strings.Contains(body, `class="done"`) {
			t.Errorf("%s: it is said twice", path)
		}
		if w := m.ask(path+"?target=demo&task=guide&attempt="+attemptID, reader, nil); w.Code != http.StatusForbidden {
			t.Errorf("%s for a reader: %d", path, w.Code)
		}
	}
	for _, path := range []string{"/", "/tasks", "/attempts/" + attemptID} {
		if w := m.ask(path, reader, nil); w.Code != http.StatusOK || strings.Contains(w.Body.String(), "/act/") {
			t.Errorf("%s offers a reader an action", path)
		}
	}
	if w := m.ask("/act/reset", operator, nil); w.Code != http.StatusUnprocessableEntity {
		t.Errorf("an action about nothing: %d", w.Code)
	}
}

func TestAStreamTellsOfNewRecordsAndEndsWithTheSession(t *testing.T) {
	m := newRoom(t)
	server := httptest.NewServer(m.console)
	defer server.Close()
	cookie := m.signIn(readerToken)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	open := func(c *http.Cookie) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/events-stream", nil)
		if err != nil {
			t.Fatal(err)
		}
		if c != nil {
			r.AddCookie(c)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	if resp := open(nil); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a stranger follows: %d", resp.StatusCode)
	}
	resp := open(cookie)
	if kind := resp.Header.Get("Content-Type"); kind != "text/event-stream" {
		t.Fatalf("the stream is %s", kind)
	}
	m.api.events <- `{"event_id":"n","event_type":"attempt.failed","timestamp":"2026-11-25T00:55:24Z","payload":{"x":"` + "secret" + `"},"seq":99}`
	lines, seen := bufio.NewScanner(resp.Body), ""
	for lines.Scan() && !strings.Contains(seen, "data: 99") {
		seen += lines.Text() + "\n"
	}
	if !strings.Contains(seen, "event: change\ndata: 99") || strings.Contains(seen, "secret") {
		t.Errorf("the stream says %q", seen)
	}
	var more []*http.Response
	for range 7 {
		more = append(more, open(cookie))
	}
	if last := open(cookie); last.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a ninth stream: %d", last.StatusCode)
	}
	if w := m.ask("/logout", cookie, url.Values{}); w.Code != http.StatusSeeOther || m.lives(cookie) {
		t.Errorf("signing out: %d", w.Code)
	}
	for _, r := range append(more, resp) {
		for s := bufio.NewScanner(r.Body); s.Scan(); { // ends, or the test runs out of time
		}
	}
	if ctx.Err() != nil {
		t.Error("streams outlive their session")
	}
}
