package server_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"leviathan/gateway"
	"leviathan/gateway/journal"
)

// token makes a component's token. An empty target binds it to none.
func (w *world) token(role gateway.Role, target gateway.TargetID) string {
	w.t.Helper()
	req := gateway.TokenRequest{Role: role}
	if target != "" {
		req.Target = &target
	}
	made, err := w.client(operator).CreateToken(context.Background(), req)
	if err != nil {
		w.t.Fatal(err)
	}
	return made.Token
}

// An answer is one raw answer of the gateway.
type answer struct {
	status int
	header http.Header
	body   string
}

// problem decodes the answer as one of RFC 9457.
func (a answer) problem(t testing.TB) gateway.Problem {
	t.Helper()
	var p gateway.Problem
	if got := a.header.Get("Content-Type"); got != gateway.ProblemMediaType {
		t.Fatalf("status %d has type %q: %s", a.status, got, a.body)
	}
	if err := json.Unmarshal([]byte(a.body), &p); err != nil {
		t.Fatalf("%v in %s", err, a.body)
	}
	if p.Status != a.status || p.Detail == "" || p.Title == "" || !strings.HasPrefix(p.Type, gateway.ProblemType) {
		t.Errorf("problem %+v of status %d", p, a.status)
	}
	return p
}

// ask makes one raw request.
func (w *world) ask(method, path, token, body string, header ...string) answer {
	w.t.Helper()
	req, err := http.NewRequest(method, w.http.URL+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer{status: resp.StatusCode, header: resp.Header, body: string(data)}
}

// refused expects an answer of the status, with the code among its reasons or
// as its own; "" for any.
func (w *world) refused(a answer, status int, code string) gateway.Problem {
	w.t.Helper()
	if a.status != status {
		w.t.Errorf("status %d, want %d: %s", a.status, status, a.body)
		return gateway.Problem{}
	}
	p := a.problem(w.t)
	if code == "" || p.Code == code {
		return p
	}
	for _, r := range p.Reasons {
		if r.Code == code {
			return p
		}
	}
	w.t.Errorf("no %s in %+v", code, p)
	return p
}

// events counts the gateway's events of each type.
func (w *world) events() map[string]int {
	w.t.Helper()
	count := map[string]int{}
	for _, e := range w.log() {
		count[e.EventType]++
	}
	return count
}

// log is every event, oldest first.
func (w *world) log() []journal.LoggedEvent {
	w.t.Helper()
	all, after := []journal.LoggedEvent{}, int64(0)
	for {
		page, err := w.journal.Events(context.Background(), journal.EventFilter{After: after}, 500)
		if err != nil {
			w.t.Fatal(err)
		}
		if len(page) == 0 {
			return all
		}
		all, after = append(all, page...), page[len(page)-1].Seq
	}
}

// decisions is every decision with its input, oldest first.
func (w *world) decisions() []gateway.DecisionItem {
	w.t.Helper()
	ctx, all, page := context.Background(), []gateway.DecisionItem{}, ""
	for {
		list, err := w.journal.Decisions(ctx, journal.DecisionFilter{Page: journal.Page{Limit: 200, Token: page}})
		if err != nil {
			w.t.Fatal(err)
		}
		for _, d := range list.Items {
			whole, ok, err := w.journal.Decision(ctx, d.ID)
			if err != nil || !ok {
				w.t.Fatalf("decision %s: %v %v", d.ID, ok, err)
			}
			all = append(all, whole.DecisionItem)
		}
		if page = list.NextPageToken; page == "" {
			break
		}
	}
	for i, j := 0, len(all)-1; i < j; i, j = i+1, j-1 {
		all[i], all[j] = all[j], all[i]
	}
	return all
}
