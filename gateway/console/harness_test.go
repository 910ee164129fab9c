package console_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"leviathan/gateway/console"
)

const (
	operatorToken = "operator-token"
	readerToken   = "lev_reader_token"
	attemptID     = "01M8836HT5KKN36YP2WQ8R8BBH"
	decisionID    = "01M8836J37FZQMZAJP1VET6SCD"
	evil          = "<script>alert('x')</script>\x1b[2J\u202e"
)

// An api answers as the gateway did, with hostile text wherever others write.
type api struct {
	mu      sync.Mutex
	tokens  map[string]bool
	answers map[string]string // by path
	asked   []string          // METHOD path body
	events  chan string       // lines of the followed stream
}

func newAPI(t *testing.T) *api {
	t.Helper()
	hostile, err := json.Marshal(evil)
	if err != nil {
		t.Fatal(err)
	}
	fill := strings.NewReplacer("EVIL", strings.Trim(string(hostile), `"`), "ATTEMPT", attemptID, "DECISION", decisionID).Replace
	const at = `"2026-11-25T00:55:24.366381Z"`
	attempt := `{"attempt_id":"ATTEMPT","task_id":"EVIL","target":"demo","status":"running","state":"running","attempt_number":1,"timestamp":` + at +
		`,"started_at":` + at + `,"ended_at":null,"pr_url":"javascript:alert(1)","pr_number":7,"error_summary":"EVIL","failure_type":"agent_error"}`
	decision := `{"id":"DECISION","action":"change.push","subject":{"id":"EVIL"},"resource":{"id":"EVIL"},"decision":false,"reasons":[{"code":"scope.outside_prefix","message":"EVIL is outside",` +
		`"rule":"leviathan.scope","path":"src/EVIL","remedy":"EVIL"}],"input":{"changes":[{"path":"docs/fine.md","op":"add","size":3},{"path":"src/EVIL","op":"add","size":1}]},` +
		`"revision":"0.5.0","policy_digest":"sha256:00","input_digest":"sha256:00","target":"demo","task_id":"EVIL","attempt_id":"ATTEMPT","recorded":{"seq":15,"at":` + at + `,"leaf":"13af"}}`
	event := `{"event_id":"e","event_type":"attempt.started","timestamp":` + at + `,"actor_id":"EVIL","payload":{"decision_id":"DECISION","lease_expires_at":` + at + `,"progress":"EVIL"},"seq":11,"attempt_id":"ATTEMPT"}`
	claim := `{"event_id":"f","event_type":"EVIL","timestamp":` + at + `,"payload":[1],"seq":12,"origin":"external"}`
	beat := `{"event_id":"g","event_type":"lease.renewed","timestamp":` + at + `,"payload":{"lease_expires_at":` + at + `},"seq":13}`
	piece := `{"event_id":"i","event_type":"artifact.created","timestamp":` + at + `,"payload":{"name":"agent.log","size_bytes":9},"seq":14}`
	a := &api{tokens: map[string]bool{operatorToken: true, readerToken: true, "lev_scheduler_token": true}, events: make(chan string), answers: map[string]string{}}
	for path, body := range map[string]string{
		"/v1/autonomy/status": `{"autonomy_enabled":true,"source":"EVIL","version":"0.5.0","policy_revision":"EVIL","policy_problem":"EVIL","clock":"ok","warnings":["EVIL"],"kill_switch":{"proved_at":null,"problem":"EVIL"},` +
			`"targets":[{"target":"demo","autonomy_enabled":true,"effective":false,"reasons":[{"code":"limits.open_prs","message":"EVIL","remedy":"EVIL"}],"config_state":"valid","config_file":"EVIL","halt":{"reason":"EVIL","at":` + at + `,"by":"EVIL"},` +
			`"circuit":{"state":"open","cause":"EVIL","consecutive_failures":3},"open_prs":3,"limits":{"max_open_prs":3,"max_attempts_per_task":2},"facts":[{"name":"mirror","source":"EVIL","problem":"EVIL"}]}]}`,
		"/v1/targets/demo/tasks": `{"items":[{"task_id":"EVIL","title":"EVIL","status":"blocked","eligible":false,"attempts":2,"reasons":[{"code":"limits.attempts","message":"EVIL","remedy":"EVIL"}],"next_eligible_at":` + at + `}],"next_page_token":"EVIL"}`,
		"/v1/targets/demo/plan": `{"target":"demo","as_of":` + at + `,"revision":"EVIL","policy_digest":"sha256:00","key":"max_open_prs","now":3,"then":4,"plan_now":{"decision":true,"reasons":[],"reserved":1},` +
			`"plan_then":{"decision":true,"reasons":[],"reserved":2},"tasks":[{"task_id":"EVIL","title":"EVIL","differs":true,"now":{"reserved":false,"reasons":[{"code":"limits.open_prs","message":"EVIL","remedy":"EVIL"}],` +
			`"next_eligible_at":` + at + `},"then":{"reserved":true,"reasons":[]}},{"task_id":"guide","title":"EVIL","differs":false,"now":{"reserved":true,"reasons":[]},"then":{"reserved":true,"reasons":[]}}],"same":7}`,
		"/v1/attempts": `{"attempts":[` + attempt + `],"count":1,"next_page_token":"EVIL"}`,
		"/v1/attempts/ATTEMPT": `{"attempt_node":{"node_id":"attempt:x","node_type":"Attempt","properties":{"task_id":"EVIL","target_id":"demo","state":"running","agent":"EVIL","pr_number":7,"pr_url":"file:///EVIL","error_summary":"EVIL"}},` +
			`"events":[` + event + `,` + beat + `,` + piece + `,` + beat + `,` + claim + `,{"event_id":"h","event_type":"attempt.evidence","timestamp":` + at + `,"payload":{"tree":"t","results":[{"name":"EVIL","exit_code":2,"artifact":"EVIL"}]},"seq":14}],"artifacts":[{"name":"agent.log","size_bytes":9}]}`,
		"/v1/attempts/ATTEMPT/artifacts/agent.log": "EVIL",
		"/v1/decisions":              `{"items":[` + decision + `],"next_page_token":"EVIL"}`,
		"/v1/decisions/DECISION":     decision,
		"/v1/decisions/DECISION/why": `{"id":"DECISION","text":"EVIL"}`,
		"/v1/policy": `{"active":{"revision":"EVIL","by":"EVIL"},"source":"EVIL","source_problem":"EVIL","candidate":{"revision":"EVIL","problem":"EVIL","steps":[{"step":"tests","outcome":"refused","detail":"EVIL","problems":[{"message":"EVIL"}]}],` +
			`"flips":{"deny_to_allow":2},"shadow":{"compared":4,"counts":{"error":1},"flips":[{"class":"error","decision_id":"DECISION","task_id":"EVIL","new":["EVIL"]}]}}}`,
		"/v1/policy/history":     `{"items":[{"revision":"EVIL","source":"EVIL","cause":"start"}]}`,
		"/v1/journal/checkpoint": "leviathan-journal\nEVIL\n",
		"/v1/events/recent":      `[` + event + `,` + claim + `]`,
		"/v1/graph": `{"nodes":[{"node_id":"target:demo","node_type":"Target","properties":{}},{"node_id":"t","node_type":"Task","properties":{"task_id":"EVIL"}},` +
			`{"node_id":"a","node_type":"Attempt","properties":{"attempt_id":"ATTEMPT","attempt_number":1},"state":"EVIL"},{"node_id":"p","node_type":"PullRequest","properties":{"pr_number":7,"pr_url":"javascript:alert(1)"},"state":"EVIL"}],` +
			`"edges":[{"edge_type":"CONTAINS","source":"t","sink":"a"},{"edge_type":"PRODUCED","source":"a","sink":"p"}],"truncated":true}`,
		"/v1/graph/summary": `{"nodes_by_type":{"Target":1,"Task":1}}`,
		"/v1/autonomy/halt": `{"status":"ok"}`, "/v1/autonomy/resume": `{"status":"ok"}`, "/v1/attempts/ATTEMPT/cancel": `{"status":"ok"}`,
		"/v1/targets/demo/circuit/reset": `{"status":"ok"}`, "/v1/targets/demo/tasks/guide/retry": `{"status":"ok"}`,
	} {
		if strings.HasSuffix(path, ".log") || strings.HasSuffix(path, "checkpoint") {
			a.answers[fill(path)] = strings.ReplaceAll(body, "EVIL", evil)
		} else {
			a.answers[fill(path)] = fill(body)
		}
	}
	return a
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	a.mu.Lock()
	a.asked = append(a.asked, r.Method+" "+r.URL.Path+" "+string(body))
	known := a.tokens[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
	answer, ok := a.answers[r.URL.Path]
	a.mu.Unlock()
	switch {
	case !known:
		w.WriteHeader(http.StatusUnauthorized)
	case r.URL.Path == "/v1/events":
		a.follow(w, r)
	case answer == "panic":
		panic("the API is broken")
	case !ok:
		w.WriteHeader(http.StatusNotFound)
	default:
		if _, err := io.WriteString(w, answer); err != nil {
			panic(err)
		}
	}
}

func (a *api) follow(w http.ResponseWriter, r *http.Request) {
	for {
		select {
		case <-r.Context().Done():
			return
		case line := <-a.events:
			if _, err := io.WriteString(w, line+"\n"); err != nil {
				return
			}
		}
	}
}

// has reports whether the API was asked for something that begins so.
func (a *api) has(prefix string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, asked := range a.asked {
		if strings.HasPrefix(asked, prefix) {
			return true
		}
	}
	return false
}

// A room is a console with its API and a clock that a test moves.
type room struct {
	t       *testing.T
	api     *api
	console *console.Console
	mu      sync.Mutex
	at      time.Time
	refused int
}

func newRoom(t *testing.T) *room {
	t.Helper()
	m := &room{t: t, api: newAPI(t), at: time.Date(2026, 11, 25, 1, 0, 0, 0, time.UTC)}
	var err error
	m.console, err = console.New(console.Config{API: m.api, Logger: slog.New(slog.DiscardHandler), Refused: func() { m.refused++ }, Now: func() time.Time {
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.at
	}})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (m *room) pass(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.at = m.at.Add(d)
}

// ask sends one request; a form makes it a POST.
func (m *room) ask(path string, cookie *http.Cookie, form url.Values, headers ...string) *httptest.ResponseRecorder {
	m.t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	if form != nil {
		r = httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	if cookie != nil {
		r.AddCookie(cookie)
	}
	w := httptest.NewRecorder()
	m.console.ServeHTTP(w, r)
	return w
}

// signIn makes a session and returns its cookie.
func (m *room) signIn(token string) *http.Cookie {
	m.t.Helper()
	w := m.ask("/login", nil, url.Values{"token": {token}})
	cookies := w.Result().Cookies()
	if w.Code != http.StatusSeeOther || len(cookies) != 1 {
		m.t.Fatalf("sign-in: %d %s", w.Code, w.Body)
	}
	return cookies[0]
}

// lives reports whether a cookie's session opens the overview.
func (m *room) lives(c *http.Cookie) bool {
	m.t.Helper()
	return m.ask("/", c, nil).Code == http.StatusOK
}
