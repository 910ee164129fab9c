package server_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"leviathan/gateway"
	"leviathan/gateway/server"
)

// somePath fills a route's names with something that is well formed.
func somePath(path string) string {
	return strings.NewReplacer("{target}", "demo", "{task}", "guide", "{attempt}", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "{name}", "log",
		"{decision}", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "{token}", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "{node}", "task:demo%2Fguide").Replace(path)
}

func TestS15EveryRouteButTheOpenOnesNeedsAToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	r := reservation(t, w.cycle(), "guide")
	cut := len(r.Token) - 20
	forged := r.Token[:cut] + strings.Map(func(c rune) rune {
		if c == 'A' {
			return 'B'
		}
		return 'A'
	}, r.Token[cut:])
	header, _, _ := strings.Cut(r.Token, ".")
	_, rest, _ := strings.Cut(r.Token, ".")
	tokens := map[string]string{"none": "", "wrong": "wrong", "longer": operator + "x", "shorter": operator[:len(operator)-1],
		"component": "lev_reader_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "forged": forged,
		"unsigned": "eyJhbGciOiJub25lIn0." + rest[:strings.LastIndex(rest, ".")+1], "half": header}
	before := w.journal.Seq()
	opened := []string{}
	for _, row := range server.Table() {
		if row.Open {
			opened = append(opened, row.Path)
			continue
		}
		for name, token := range tokens {
			a := w.ask(row.Method, somePath(row.Path), token, "")
			if a.status != 401 {
				t.Errorf("%s %s with token %s: %d", row.Method, row.Path, name, a.status)
				continue
			}
			p := a.problem(t)
			if a.header.Get("WWW-Authenticate") == "" || p.Type != "https://leviathan.invalid/problems/unauthenticated" {
				t.Errorf("%s %s: header %v, problem %+v", row.Method, row.Path, a.header, p)
			}
			if token != "" && strings.Contains(a.body, token) {
				t.Errorf("%s %s shows the token", row.Method, row.Path)
			}
		}
	}
	if want := []string{"/health", "/healthz", "/health/ready", "/.well-known/jwks.json", "/v1/forge/github/webhook"}; !slices.Equal(opened, want) {
		t.Errorf("open routes are %v, want %v", opened, want)
	}
	for _, path := range opened[:4] { // a webhook's has its own test
		if a := w.ask("GET", path, "", ""); a.status != 200 {
			t.Errorf("GET %s without a token: %d", path, a.status)
		}
	}
	if after := w.journal.Seq(); after != before {
		t.Errorf("strangers wrote %d records", after-before)
	}
	if a := w.ask("GET", "/metrics", operator, ""); !strings.Contains(a.body, fmt.Sprintf("leviathan_authentication_failures_total %d", len(tokens)*(len(server.Table())-len(opened)))) {
		t.Error("failed authentications are not counted")
	}
}

func TestGitAcceptsTheTokenAsPassword(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	for _, password := range []string{"", "wrong"} {
		url := strings.Replace(w.http.URL, "http://", "http://anyone:"+password+"@", 1) + "/git/demo.git"
		if out, err := w.tryGit(w.dir, "ls-remote", url); err == nil {
			t.Errorf("password %q: %s", password, out)
		}
	}
	url := strings.Replace(w.http.URL, "http://", "http://anyone:"+operator+"@", 1) + "/git/demo.git"
	if out := w.git(w.dir, "ls-remote", url); !strings.Contains(out, "refs/heads/main") || strings.Contains(out, "refs/heads/agent") {
		t.Errorf("an operator sees %s", out)
	}
}

// keysOf are an object's keys, sorted.
func keysOf(t *testing.T, body string) []string {
	t.Helper()
	var object map[string]json.RawMessage
	if err := json.Unmarshal([]byte(body), &object); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return slices.Sorted(maps.Keys(object))
}

func TestS16TheShapesOfRelease04(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	result := w.cycle()
	guide, notes := reservation(t, result, "guide"), reservation(t, result, "notes")
	w.deliver(guide, map[string]string{"docs/guide.md": "# Guide\n"})
	w.fail(notes, "agent_error")
	id := string(guide.AttemptID)
	event := `{"event_id":"e1","event_type":"note.made","timestamp":"2026-01-28T10:00:00","actor_id":"a","payload":{"x":1}}`
	for _, row := range []struct {
		method, path, body string
		keys               []string // that the answer has, among others
		has                []string // that its text has
	}{
		{"GET", "/health", "", []string{"status"}, []string{`"status":"healthy"`}},
		{"GET", "/healthz", "", []string{"status"}, []string{`"status":"ok"`}},
		{"GET", "/health/ready", "", []string{"status"}, []string{`"status":"ready"`}},
		{"POST", "/v1/events/ingest", `{"target":"demo","bundle_id":"b","events":[` + event + `],"artifacts":null}`,
			[]string{"ingested", "duplicates", "bundle_id", "status"}, []string{`"ingested":1`, `"duplicates":0`, `"status":"ok"`}},
		{"POST", "/v1/events/ingest", `{"target":"demo","bundle_id":"b","events":[` + event + `]}`, nil, []string{`"ingested":0`, `"duplicates":1`}},
		{"GET", "/v1/autonomy/status", "", []string{"autonomy_enabled", "source", "targets", "policy_revision"},
			[]string{`"autonomy_enabled":true`, `"source":"configmap:`, `"effective":true`, `"open_prs":1`}},
		{"GET", "/v1/graph/summary", "", []string{"nodes_by_type", "edges_by_type", "recent_events"}, []string{`"Attempt":2`, `"PullRequest":1`, `"Task":2`, `"Target":1`}},
		{"GET", "/v1/attempts?target=demo&limit=1", "", []string{"attempts", "count"}, []string{`"count":1`, `"pr_number":null`}},
		{"GET", "/v1/attempts?target=demo", "", nil, []string{`"count":2`, `"pr_number":1`, `"status":"succeeded"`, `"status":"failed"`, `"timestamp":"`}},
		{"GET", "/v1/attempts?target=other", "", nil, []string{`"count":0`, `"attempts":[]`}},
		{"GET", "/v1/attempts/" + id, "", []string{"attempt_node", "events", "artifacts"}, []string{`"node_type":"Attempt"`, `"state":"succeeded"`, `"status":"succeeded"`, `"attempt.pushed"`}},
		{"GET", "/v1/attempts/unknown", "", nil, []string{`"attempt_node":null`, `"events":[]`, `"artifacts":[]`}},
		{"GET", "/v1/failures?target=demo&limit=5", "", []string{"failures", "count"}, []string{`"error":"it did not work"`, `"count":1`, `"task_id":"notes"`}},
		{"GET", "/v1/events/recent?limit=1000", "", nil, []string{`"event_type":"pr.created"`, `"hash":"`, `"payload":{`}},
		{"POST", "/v1/attempts/" + string(notes.AttemptID) + "/invalidate", `{"reason":"flaky"}`, []string{"status", "attempt_id"}, []string{`"status":"invalidated"`, string(notes.AttemptID)}},
	} {
		a := w.ask(row.method, row.path, operator, row.body)
		if a.status != 200 {
			t.Errorf("%s %s: %d %s", row.method, row.path, a.status, a.body)
			continue
		}
		if len(row.keys) > 0 {
			have := keysOf(t, a.body)
			for _, key := range row.keys {
				if !slices.Contains(have, key) {
					t.Errorf("%s %s has %v, not %s", row.method, row.path, have, key)
				}
			}
		}
		for _, text := range row.has {
			if !strings.Contains(a.body, text) {
				t.Errorf("%s %s lacks %s: %s", row.method, row.path, text, a.body)
			}
		}
	}
	w.refused(w.ask("POST", "/v1/events/ingest", operator, `{"target":"demo","bundle_id":"b","events":[`+strings.Replace(event, `"x":1`, `"x":2`, 1)+`]}`), 409, "")
	w.refused(w.ask("POST", "/v1/attempts/01ARZ3NDEKTSV4RRFFQ69G5FAV/invalidate", operator, `{"reason":"r"}`), 404, "")
	w.refused(w.ask("POST", "/v1/attempts/"+id+"/invalidate", operator, `{}`), 422, "")
	for _, limit := range []string{"0", "1001", "-1", "x"} {
		w.refused(w.ask("GET", "/v1/events/recent?limit="+limit, operator, ""), 422, "")
	}
	var recent []map[string]any
	if err := json.Unmarshal([]byte(w.ask("GET", "/v1/events/recent?limit=3", operator, "").body), &recent); err != nil || len(recent) != 3 {
		t.Errorf("recent events: %v %v", recent, err)
	}
}

func TestS16IngestIsAllOrNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	good := `{"event_id":"good","event_type":"note.made","timestamp":"2026-01-28T10:00:00Z","payload":{}}`
	for _, bad := range []struct{ event, field string }{
		{`{"event_type":"note.made","timestamp":"2026-01-28T10:00:00Z","payload":{}}`, "events[1].event_id"},
		{`{"event_id":"b","event_type":"note","timestamp":"2026-01-28T10:00:00Z","payload":{}}`, "events[1].event_type"},
		{`{"event_id":"b","event_type":"note.made","payload":{}}`, "events[1].timestamp"},
		{`{"event_id":"b","event_type":"note.made","timestamp":"2026-01-28T10:00:00Z","payload":[1]}`, "events[1].payload"},
		{`{"event_id":"b","event_type":"note.made","timestamp":"2026-01-28T10:00:00Z","schema_version":2,"payload":{}}`, "events[1].schema_version"},
		{`{"event_id":"b","event_type":"note.made","timestamp":"2026-01-28T10:00:00Z","target":"..","payload":{}}`, "events[1].target"},
	} {
		p := w.refused(w.ask("POST", "/v1/events/ingest", operator, `{"bundle_id":"b","events":[`+good+`,`+bad.event+`]}`), 422, "")
		if p.Field != bad.field {
			t.Errorf("%s names %q", bad.event, p.Field)
		}
	}
	if n := w.events()["note.made"]; n != 0 {
		t.Errorf("%d events of refused bundles are in the journal", n)
	}
}

// S26: events of release 0.4, which had no version, are taken as version 1;
// those of a version to come are refused, and nothing else is read into them.
func TestS26EventsAreVersioned(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	event := func(id, version string) string {
		return `{"target":"demo","bundle_id":"b","events":[{"event_id":"` + id + `","event_type":"note.made","timestamp":"2026-01-28T10:00:00"` + version +
			`,"actor_id":null,"payload":{"task_id":"guide","attempt_id":"a1"}}]}`
	}
	for _, version := range []string{`,"schema_version":2`, `,"schema_version":-1`} {
		if p := w.refused(w.ask("POST", "/v1/events/ingest", operator, event("later", version)), 422, ""); p.Field != "events[0].schema_version" {
			t.Errorf("%s is refused for %q", version, p.Field)
		}
	}
	for id, version := range map[string]string{"old": "", "new": `,"schema_version":1`} {
		if r := w.ask("POST", "/v1/events/ingest", operator, event(id, version)); r.status != 200 {
			t.Fatalf("%s: %d %s", id, r.status, r.body)
		}
	}
	var recent []gateway.Event
	if err := json.Unmarshal([]byte(w.ask("GET", "/v1/events/recent?limit=2", operator, "").body), &recent); err != nil || len(recent) != 2 {
		t.Fatalf("recent events: %v %v", recent, err)
	}
	for _, e := range recent {
		if e.SchemaVersion != 1 || e.Target != "demo" || e.TaskID != "guide" || e.AttemptID != "a1" || e.Origin != "external" || e.Timestamp.String() != "2026-01-28T10:00:00.000000Z" {
			t.Errorf("it was taken as %+v", e)
		}
	}
}
