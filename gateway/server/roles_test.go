package server_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"leviathan/gateway"
)

// The columns of the matrix, in the order in which they ask: whoever may act
// asks last, so that what it does changes no other answer.
var columns = []string{"bound", "reader", "ingest", "B", "A", "scheduler", "operator"}

func TestRolesMayAskWhatTheirRoleSays(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	result := w.cycle()
	a, b := reservation(t, result, "guide"), reservation(t, result, "notes")
	w.startAttempt(a)
	if err := w.client(a.Token).PutArtifact(context.Background(), a.AttemptID, "log", 0, []byte("x")); err != nil {
		t.Fatal(err)
	}
	tokens := map[string]string{"bound": w.token("scheduler", "other"), "reader": w.token("reader", ""), "ingest": w.token("ingest", ""),
		"A": a.Token, "B": b.Token, "scheduler": w.token("scheduler", ""), "operator": operator}
	own := "/v1/attempts/" + string(a.AttemptID)
	event := fmt.Sprintf(`{"events":[{"event_id":"%%s","event_type":"note.made","timestamp":"2026-01-28T10:00:00Z","target":"demo","attempt_id":"%s","payload":{}}]}`, a.AttemptID)
	for _, row := range []struct {
		request string
		body    string
		want    string // statuses in the order of columns; "-" asks nothing
	}{
		{"GET /v1/autonomy/status", "", "200 200 403 403 403 200 200"},
		{"GET /v1/attempts", "", "200 200 403 403 403 200 200"},
		{"GET " + own, "", "403 200 403 403 200 200 200"},
		{"GET " + own + "/artifacts/log", "", "403 200 403 403 403 403 200"},
		{"GET /v1/failures", "", "403 200 403 403 403 403 200"},
		{"GET /v1/decisions", "", "403 200 403 403 403 403 200"},
		{"GET /v1/events", "", "403 200 403 403 403 403 200"},
		{"GET /v1/events/recent", "", "403 200 403 403 403 403 200"},
		{"GET /v1/graph/summary", "", "403 200 403 403 403 403 200"},
		{"GET /v1/graph", "", "403 200 403 403 403 403 200"},
		{"GET /v1/graph/nodes", "", "403 200 403 403 403 403 200"},
		{"GET /v1/graph/nodes/task:demo%2Fguide", "", "403 200 403 403 403 403 200"},
		{"GET /v1/graph/edges", "", "403 200 403 403 403 403 200"},
		{"GET /v1/journal/checkpoint", "", "403 200 403 403 403 403 200"},
		{"GET /metrics", "", "403 200 403 403 403 403 200"},
		{"GET /v1/tokens", "", "403 403 403 403 403 403 200"},
		{"GET /v1/invariants", "", "403 200 403 403 403 403 200"},
		{"POST /v1/invariants/check?category=tree", `{"problems":[]}`, "403 200 403 403 403 403 200"},
		{"GET /v1/targets/demo/tasks", "", "403 200 403 403 403 403 200"},
		{"GET /v1/targets/demo/plan?key=max_open_prs&value=5", "", "403 200 403 403 403 403 200"},
		{"POST /v1/targets/demo/cycle", "{}", "403 403 403 403 403 200 200"},
		{"POST " + own + "/start", `{"instance":"another-instance"}`, "403 403 403 403 409 403 -"},
		{"POST " + own + "/heartbeat", "{}", "403 403 403 403 200 403 200"},
		{"PUT " + own + "/artifacts/other?offset=0", "x", "403 403 403 403 200 403 200"},
		{"POST " + own + "/evidence", `{"tree":"0123456789012345678901234567890123456789","results":[]}`, "403 403 403 403 200 403 200"},
		{"POST " + own + "/pull-request", `{"summary":"s"}`, "403 403 403 403 403 403 403"},
		{"POST /v1/events/ingest", event, "403 403 200 403 200 200 200"},
		{"POST /v1/targets/demo/tasks/guide/retry", `{"reason":"r"}`, "403 403 403 403 403 403 200"},
		{"POST /v1/targets/demo/circuit/reset", `{"reason":"r"}`, "403 403 403 403 403 403 200"},
		{"POST /v1/autonomy/halt", `{"reason":"r"}`, "403 403 403 403 403 403 200"},
		{"POST /v1/autonomy/resume", `{"reason":"r"}`, "403 403 403 403 403 403 200"},
		{"POST /v1/clock/accept", `{"reason":"r"}`, "403 403 403 403 403 403 200"},
		{"POST /v1/tokens", `{"role":"reader"}`, "403 403 403 403 403 403 201"},
		{"POST " + own + "/finish", `{"outcome":"failed","failure_type":"timeout"}`, "403 403 403 403 - 403 -"},
		{"POST " + own + "/cancel", `{"reason":"r"}`, "403 403 403 403 403 403 -"},
		{"POST " + own + "/invalidate", `{"reason":"r"}`, "403 403 403 403 403 403 -"},
		{"POST " + own + "/lost", `{"observed":"oom"}`, "403 403 403 403 403 200 409"},
	} {
		method, path, _ := strings.Cut(row.request, " ")
		for i, want := range strings.Fields(row.want) {
			if want == "-" {
				continue
			}
			who, body := columns[i], row.body
			if strings.Contains(body, "%s") {
				body = fmt.Sprintf(body, "event-of-"+who)
			}
			got := w.ask(method, path, tokens[who], body)
			if fmt.Sprint(got.status) != want {
				t.Errorf("%s by %s: %d, want %s: %s", row.request, who, got.status, want, got.body)
				continue
			}
			if got.status == 403 {
				w.journalled(got.problem(t), row.request+" by "+who)
			}
		}
	}
}

// journalled expects a denial's decision in the journal, as a denial.
func (w *world) journalled(p gateway.Problem, what string) {
	w.t.Helper()
	if p.DecisionID == nil || len(p.Reasons) == 0 {
		w.t.Errorf("%s: a denial without decision or reasons: %+v", what, p)
		return
	}
	d, ok, err := w.journal.Decision(context.Background(), *p.DecisionID)
	if err != nil || !ok || d.Decision || len(d.Reasons) != len(p.Reasons) {
		w.t.Errorf("%s: decision %s in the journal is %+v (%v %v)", what, *p.DecisionID, d, ok, err)
	}
}

func TestGitIsForTheOwnAttemptAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	result := w.cycle()
	a, b := reservation(t, result, "guide"), reservation(t, result, "notes")
	startedA := w.startAttempt(a)
	w.startAttempt(b)
	tree := w.checkout(a)
	w.write(tree, map[string]string{"docs/guide.md": "# Guide\n"})
	w.git(tree, "add", "--all")
	for name, token := range map[string]string{"B": b.Token, "reader": w.token("reader", ""), "operator": operator, "scheduler": w.token("scheduler", ""), "ingest": w.token("ingest", "")} {
		w.git(tree, "remote", "set-url", "origin", strings.Replace(w.http.URL, "http://", "http://x:"+token+"@", 1)+"/git/demo.git")
		if out, err := w.pushTree(tree, a, startedA); err == nil {
			t.Errorf("%s pushed A's branch:\n%s", name, out)
		}
		w.git(tree, "reset", "--quiet", "--soft", "HEAD^")
	}
	for name, token := range map[string]string{"scheduler": w.token("scheduler", ""), "bound": w.token("reader", "other"), "ingest": w.token("ingest", "")} {
		out, err := w.tryGit(w.dir, "ls-remote", strings.Replace(w.http.URL, "http://", "http://x:"+token+"@", 1)+"/git/demo.git")
		if err == nil || !strings.Contains(out, "access.") {
			t.Errorf("%s fetches: %v\n%s", name, err, out)
		}
	}
	if refs := w.git(w.upstream, "for-each-ref", "--format=%(refname)"); refs != "refs/heads/main" {
		t.Errorf("the upstream has %s", refs)
	}
}

func TestAnAttemptClaimsNothingThatTheGatewaySays(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	result := w.cycle()
	a, b := reservation(t, result, "guide"), reservation(t, result, "notes")
	one := func(id, kind, rest string) string {
		return fmt.Sprintf(`{"event_id":"%s","event_type":"%s","timestamp":"2026-01-28T10:00:00Z","payload":{}%s}`, id, kind, rest)
	}
	own := fmt.Sprintf(`,"attempt_id":"%s"`, a.AttemptID)
	for _, kind := range gateway.EventTypes() {
		got := w.ask("POST", "/v1/events/ingest", a.Token, `{"events":[`+one("claim-"+kind, kind, own)+`]}`)
		if kind == gateway.EventArtifactCreated {
			if got.status != 200 {
				t.Errorf("%s: %d %s", kind, got.status, got.body)
			}
			continue
		}
		w.journalled(w.refused(got, 403, "access.event_type"), kind)
	}
	for name, events := range map[string]string{
		"another attempt":         one("x1", "note.made", fmt.Sprintf(`,"attempt_id":"%s"`, b.AttemptID)),
		"none named":              one("x2", "note.made", ""),
		"one of two not named":    one("x3", "note.made", own) + "," + one("x4", "note.made", ""),
		"another target":          one("x5", "note.made", own+`,"target":"other"`),
		"one of another target":   one("x6", "note.made", own) + "," + one("x7", "note.made", own+`,"target":"other"`),
		"another, in the payload": `{"event_id":"x8","event_type":"note.made","timestamp":"2026-01-28T10:00:00Z","payload":{"attempt_id":"` + string(b.AttemptID) + `"}}`,
	} {
		got := w.ask("POST", "/v1/events/ingest", a.Token, `{"events":[`+events+`]}`)
		if got.status != 403 {
			t.Errorf("%s: %d %s", name, got.status, got.body)
			continue
		}
		w.journalled(got.problem(t), name)
	}
	bound := w.token("ingest", "demo")
	w.refused(w.ask("POST", "/v1/events/ingest", bound, `{"events":[`+one("y1", "note.made", `,"target":"other"`)+`]}`), 403, "access.other_target")
	if got := w.ask("POST", "/v1/events/ingest", bound, `{"events":[`+one("y2", "note.made", "")+`]}`); got.status != 200 {
		t.Errorf("a bound token about its own target: %d %s", got.status, got.body)
	}
	// What was claimed changes nothing that the gateway knows.
	if state := w.state(a.AttemptID); state != gateway.Reserved {
		t.Errorf("the attempt is %s", state)
	}
	for _, e := range w.log() {
		if e.Origin != "gateway" && e.EventType != "note.made" && e.EventType != "artifact.created" {
			t.Errorf("a claim of type %s is in the journal", e.EventType)
		}
	}
}

func TestATokenEndsWhenItIsRevokedOrExpires(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	ctx := context.Background()
	made, err := w.client(operator).CreateToken(ctx, gateway.TokenRequest{Role: gateway.RoleReader, ExpiresIn: "1h"})
	if err != nil {
		t.Fatal(err)
	}
	other, err := w.client(operator).CreateToken(ctx, gateway.TokenRequest{Role: gateway.RoleReader, ExpiresIn: "2h"})
	if err != nil {
		t.Fatal(err)
	}
	read := func(token string) error { _, err := w.client(token).Status(ctx); return err }
	if err := errors.Join(read(made.Token), read(other.Token)); err != nil {
		t.Fatal(err)
	}
	if err := w.client(operator).RevokeToken(ctx, other.ID); err != nil {
		t.Fatal(err)
	}
	w.restart() // a revocation outlives the process
	if err := read(other.Token); !errors.Is(err, gateway.ErrUnauthenticated) {
		t.Errorf("a revoked token: %v", err)
	}
	w.clock.add(61 * 60e9)
	if err := read(made.Token); !errors.Is(err, gateway.ErrUnauthenticated) {
		t.Errorf("an expired token: %v", err)
	}
	for body, field := range map[string]string{`{"role":"operator"}`: "role", `{"role":"attempt"}`: "role", `{"role":"gateway"}`: "role", `{}`: "role",
		`{"role":"reader","expires_in":"-1h"}`: "expires_in", `{"role":"reader","expires_in":"soon"}`: "expires_in", `{"role":"reader","target":"../x"}`: "target"} {
		if p := w.refused(w.ask("POST", "/v1/tokens", operator, body), 422, ""); p.Field != field {
			t.Errorf("%s names %q", body, p.Field)
		}
	}
}
