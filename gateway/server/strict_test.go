package server_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"leviathan/gateway"
	"leviathan/gateway/server"
)

// A name of another letter case is no name of ours, and what is wrong within an
// event is named with the event; what is free may have any two names.
func TestNamesInABodyAreExact(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	event := func(more string) string {
		return `{"bundle_id":"b","events":[{"event_id":"e","event_type":"note.made","timestamp":"2026-01-28T10:00:00Z","payload":{}` + more + `}]}`
	}
	for _, c := range []struct{ path, body, field string }{
		{"/v1/tokens", `{"ROLE":"reader"}`, "ROLE"},
		{"/v1/tokens", `{"role":"reader","role":"ingest"}`, "role"},
		{"/v1/tokens", `[]`, ""},
		{"/v1/targets/demo/cycle", `{"Capacity":0}`, "Capacity"},
		{"/v1/events/ingest", event(`,"prev_hash":"x"`), "events[0].prev_hash"},
		{"/v1/events/ingest", event(`,"actor_id":"a","Actor_ID":"b"`), "events[0].Actor_ID"},
		{"/v1/events/ingest", strings.Replace(event(""), "2026-01-28T10", "soon", 1), "events[0].timestamp"},
		{"/v1/events/ingest", strings.Replace(event(""), "{}", `{"a":{"b":1,"b":2}}`, 1), "events[0].payload.a.b"},
	} {
		if p := w.refused(w.ask("POST", c.path, operator, c.body), 422, ""); p.Field != c.field || strings.HasPrefix(p.Detail, " ") {
			t.Errorf("%s: field %q, %s", c.body, p.Field, p.Detail)
		}
	}
	if a := w.ask("POST", "/v1/events/ingest", operator, strings.Replace(event(""), "{}", `{"k":1,"K":2}`, 1)); a.status != 200 {
		t.Errorf("two names of a payload: %d %s", a.status, a.body)
	}
}

// Who follows the journal is gone with the token.
func TestAStreamEndsWithItsToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	made, err := w.client(operator).CreateToken(ctx, gateway.TokenRequest{Role: gateway.RoleReader, ExpiresIn: "1h"})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/v1/events?follow=true", "/v1/decisions?follow=true"} {
		token := made.Token
		if strings.Contains(path, "decisions") {
			other, err := w.client(operator).CreateToken(ctx, gateway.TokenRequest{Role: gateway.RoleReader, ExpiresIn: "1h"})
			if err != nil {
				t.Fatal(err)
			}
			made, token = other, other.Token
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.http.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Accept", "application/x-ndjson")
		resp, err := w.http.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(resp.Body)
		lines.Buffer(nil, 1<<22)
		if !lines.Scan() {
			t.Fatalf("%s says nothing: %v", path, lines.Err())
		}
		if err := w.client(operator).RevokeToken(ctx, made.ID); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() { // until the gateway ends it
			if strings.Contains(lines.Text(), `"token.revoked"`) {
				t.Errorf("%s goes on after the end of its token: %s", path, lines.Text())
			}
		}
		if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestEventsArePagedByTheTokenOfThePage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	w.cycle()
	var all, paged []int64
	type page struct {
		Items         []gateway.Event `json:"items"`
		NextPageToken string          `json:"next_page_token"`
	}
	read := func(query string) (p page) {
		t.Helper()
		if err := json.Unmarshal([]byte(w.ask("GET", "/v1/events?"+query, operator, "").body), &p); err != nil {
			t.Fatal(err)
		}
		return p
	}
	for _, e := range read("limit=1000").Items {
		all = append(all, e.Seq)
	}
	for token := ""; ; {
		p := read("limit=2&page_token=" + token)
		for _, e := range p.Items {
			paged = append(paged, e.Seq)
		}
		if token = p.NextPageToken; token == "" || len(paged) > len(all) {
			break
		}
	}
	if len(all) < 3 || !slices.Equal(all, paged) {
		t.Errorf("%v page by page, %v at once", paged, all)
	}
	w.refused(w.ask("GET", "/v1/events?page_token=zzz", operator, ""), 422, "")
	w.refused(w.ask("GET", "/v1/attempts?state=bogus", operator, ""), 422, "")
	w.cycle()
	for query, want := range map[string]int{"?limit=1": 1, "": 2} {
		if a := w.ask("GET", "/v1/decisions"+query, operator, "", "Accept", "application/x-ndjson"); strings.Count(a.body, "\n") != want {
			t.Errorf("%q has %d lines of two decisions", query, strings.Count(a.body, "\n"))
		}
	}
}

// Who may not ask is told that, and nothing of facts that nobody looked up.
func TestARoleThatMayNotPushIsToldThat(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	made, err := w.client(operator).CreateToken(t.Context(), gateway.TokenRequest{Role: gateway.RoleReader, ExpiresIn: "1h"})
	if err != nil {
		t.Fatal(err)
	}
	for token, code := range map[string]string{operator: "access.attempt_target", made.Token: "access.role"} {
		a := w.ask("POST", "/git/demo.git/git-receive-pack", token, "0000")
		if a.status != 403 || !strings.Contains(a.body, code) || strings.Contains(a.body, "unknown.") {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
}

// A human's push ends with the reason on the screen, before anything is sent.
func TestAPushWithoutAnAttemptSaysWhy(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	clone := filepath.Join(w.dir, "mine")
	url := strings.Replace(w.http.URL, "http://", "http://x:"+operator+"@", 1) + "/git/demo.git"
	w.git(w.dir, "clone", "--quiet", url, clone)
	out, err := w.tryGit(clone, "push", "origin", "HEAD:refs/heads/agent/mine")
	if err == nil || !strings.Contains(out, "change.push is denied") || !strings.Contains(out, "access.attempt_target") {
		t.Errorf("%v: %s", err, out)
	}
}

// What outsiders claim of an attempt is marked wherever it is shown.
func TestClaimsAreMarkedWhereverTheyAreShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	r := reservation(t, w.cycle(), "guide")
	body := `{"target":"demo","bundle_id":"b","events":[{"event_id":"claim","event_type":"note.made","timestamp":"2026-01-28T10:00:00Z","attempt_id":"` +
		string(r.AttemptID) + `","payload":{}}]}`
	if a := w.ask("POST", "/v1/events/ingest", operator, body); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	for _, path := range []string{"/v1/attempts/" + string(r.AttemptID), "/v1/graph/summary", "/v1/events?limit=1000", "/v1/events/recent"} {
		a := w.ask("GET", path, operator, "")
		var found bool
		for _, part := range strings.Split(a.body, `"event_id"`)[1:] {
			claimed := strings.HasPrefix(part, `:"claim"`)
			found = found || claimed
			if origin := map[bool]string{true: "external", false: "gateway"}[claimed]; !strings.Contains(part, `"origin":"`+origin+`"`) {
				t.Errorf("%s does not say that it is %s: %s", path, origin, part)
			}
		}
		if !found {
			t.Errorf("%s has no claim", path)
		}
	}
}

// The token that a gateway makes for its operator opens the console, too.
func TestTheMadeTokenOfTheOperatorSignsIn(t *testing.T) {
	t.Parallel()
	const made = "lev_operator_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	w := newUpstream(t, baseBacklog, baseConfig)
	w.tune = func(c *server.Config) { c.OperatorToken = made }
	w.start()
	for token, want := range map[string]int{made: http.StatusSeeOther, made + "x": http.StatusUnauthorized, "lev_ingest_x": http.StatusUnauthorized} {
		client := *w.http.Client()
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		resp, err := client.PostForm(w.http.URL+"/login", url.Values{"token": {token}})
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
		if resp.StatusCode != want {
			t.Errorf("%s: %d, want %d", token, resp.StatusCode, want)
		}
	}
}
