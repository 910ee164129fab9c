package server_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"leviathan/gateway"
)

func TestABatchFollowsItsSemantic(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	w.cycle()
	yes, no := `{"action":{"name":"autonomy.halt"}}`, `{"action":{"name":"pull_request.merge"}}`
	batch := func(semantic, evaluations string) string {
		return fmt.Sprintf(`{"subject":{"type":"component","id":"operator"},"resource":{"type":"target","id":"demo"},"options":{"evaluations_semantic":%q},"evaluations":[%s]}`, semantic, evaluations)
	}
	for _, row := range []struct{ semantic, asked, want string }{
		{"", yes + "," + no + "," + yes, "true false true"},
		{"execute_all", yes + "," + no + "," + yes, "true false true"},
		{"deny_on_first_deny", yes + "," + no + "," + yes, "true false"},
		{"permit_on_first_permit", no + "," + yes + "," + no, "false true"},
		{"deny_on_first_deny", yes + "," + yes, "true true"},
	} {
		before := w.journal.Seq()
		a := w.ask("POST", "/access/v1/evaluations", operator, batch(row.semantic, row.asked))
		got := []string{}
		for _, part := range strings.Split(a.body, `"decision":`)[1:] {
			got = append(got, part[:strings.IndexAny(part, ",}")])
		}
		if a.status != 200 || strings.Join(got, " ") != row.want {
			t.Errorf("%s: %d %v, want %s: %s", row.semantic, a.status, got, row.want, a.body)
		}
		if n := strings.Count(a.body, `"dry_run":true`); n != len(got) || w.journal.Seq()-before != int64(len(got)) {
			t.Errorf("%s: %d answers, %d marked dry, %d records", row.semantic, len(got), n, w.journal.Seq()-before)
		}
	}
	if p := w.refused(w.ask("POST", "/access/v1/evaluations", operator, batch("maybe", yes)), 422, ""); p.Field != "options.evaluations_semantic" {
		t.Errorf("an unknown semantic names %q", p.Field)
	}
	w.refused(w.ask("POST", "/access/v1/evaluations", operator, batch("", strings.Repeat(yes+",", 100)+yes)), 413, "")
	one := w.ask("POST", "/access/v1/evaluations", operator, strings.Replace(batch("", ""), `"evaluations":[]`, `"action":{"name":"autonomy.halt"}`, 1))
	if one.status != 200 || !strings.Contains(one.body, `"decision":true`) || strings.Contains(one.body, `"evaluations"`) {
		t.Errorf("a batch without evaluations is one question: %d %s", one.status, one.body)
	}
	for _, d := range w.decisions() {
		if !d.DryRun && d.Action == "autonomy.halt" {
			t.Error("a dry run is recorded as if it had been meant")
		}
	}
	if state, err := w.journal.State("demo"); err != nil || state.HaltAll != nil || state.HaltTarget != nil {
		t.Errorf("a dry run halted something: %+v %v", state, err)
	}
}

func TestADryRunIsAboutOneself(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	result := w.cycle()
	a, b := reservation(t, result, "guide"), reservation(t, result, "notes")
	w.startAttempt(a)
	w.startAttempt(b)
	change := func(subject string, id gateway.AttemptID, path string) string {
		return fmt.Sprintf(`{"subject":{"type":"component","id":%q},"action":{"name":"change.push"},"resource":{"type":"changeset","id":%q,"properties":{"target":"demo","changes":[{"path":%q,"op":"add","new_mode":"100644","size":12}]}},"context":{}}`, subject, id, path)
	}
	for name, row := range map[string]struct {
		token, body string
		status      int
		has         string
	}{
		"its own change":           {a.Token, change("worker", a.AttemptID, "docs/guide.md"), 200, `"decision":true`},
		"its own, out of scope":    {a.Token, change("worker", a.AttemptID, "src/x.go"), 200, `"scope.outside_prefix"`},
		"by its own id":            {a.Token, change(string(a.AttemptID), a.AttemptID, "docs/guide.md"), 200, `"decision":true`},
		"another's":                {b.Token, change("worker", a.AttemptID, "docs/guide.md"), 403, "own attempt"},
		"another subject":          {a.Token, change("operator", a.AttemptID, "docs/guide.md"), 403, "about itself"},
		"a scheduler as worker":    {w.token("scheduler", ""), change("worker", a.AttemptID, "docs/guide.md"), 403, "about itself"},
		"a reader about anyone":    {w.token("reader", ""), change("worker", a.AttemptID, "docs/guide.md"), 200, `"decision":true`},
		"changes of another shape": {a.Token, strings.Replace(change("worker", a.AttemptID, "x"), `"size":12`, `"size":"12"`, 1), 422, "resource.properties.changes"},
	} {
		got := w.ask("POST", "/access/v1/evaluation", row.token, row.body)
		if got.status != row.status || !strings.Contains(got.body, row.has) {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	list, err := w.client(operator).Decisions(context.Background(), gateway.DecisionQuery{Action: "change.push"})
	if err != nil || len(list.Items) != 4 {
		t.Fatalf("%d decisions, %v", len(list.Items), err)
	}
	for _, d := range list.Items {
		if !d.DryRun || !strings.Contains(string(d.Subject), `"asked_by":"`) || strings.Contains(string(d.Subject), `"asked_by":"worker"`) {
			t.Errorf("decision %s: dry %v, subject %s", d.ID, d.DryRun, d.Subject)
		}
	}
	if n := w.events()["push.refused"]; n != 0 {
		t.Errorf("dry runs used up %d pushes", n)
	}
}

func TestEvaluationsAreRateLimitedPerToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	r := reservation(t, w.cycle(), "guide")
	reader, other := w.token("reader", ""), w.token("reader", "")
	question := `{"subject":{"type":"component","id":"worker"},"action":{"name":"attempt.heartbeat"},"resource":{"type":"attempt","id":"` + string(r.AttemptID) + `"}}`
	for _, row := range []struct {
		name, token string
		burst, rate int
	}{{"attempt", r.Token, 20, 10}, {"reader", reader, 40, 20}} {
		for n := range row.burst {
			if a := w.ask("POST", "/access/v1/evaluation", row.token, question); a.status != 200 {
				t.Fatalf("%s: question %d: %d %s", row.name, n, a.status, a.body)
			}
		}
		before := w.journal.Seq()
		a := w.ask("POST", "/access/v1/evaluation", row.token, question)
		w.refused(a, 429, "")
		if a.header.Get("Retry-After") != "1" || w.journal.Seq() != before {
			t.Errorf("%s: Retry-After %q, %d records", row.name, a.header.Get("Retry-After"), w.journal.Seq()-before)
		}
		w.clock.add(time.Second)
		passed := 0
		for range row.rate + 5 {
			if w.ask("POST", "/access/v1/evaluation", row.token, question).status == 200 {
				passed++
			}
		}
		if passed != row.rate {
			t.Errorf("%s: %d passed in the next second, want %d", row.name, passed, row.rate)
		}
	}
	batch := func(n int) string {
		return fmt.Sprintf(`{"subject":{"type":"component","id":"worker"},"action":{"name":"attempt.heartbeat"},"resource":{"type":"attempt","id":%q},"evaluations":[%s{}]}`, r.AttemptID, strings.Repeat("{},", n-1))
	}
	w.refused(w.ask("POST", "/access/v1/evaluations", other, batch(41)), 413, "")
	if a := w.ask("POST", "/access/v1/evaluations", other, batch(30)); a.status != 200 {
		t.Errorf("a batch of thirty: %d %s", a.status, a.body)
	}
	before := w.journal.Seq()
	w.refused(w.ask("POST", "/access/v1/evaluations", other, batch(30)), 429, "")
	if w.journal.Seq() != before {
		t.Error("a batch that is refused was half done")
	}
	for range 60 {
		if a := w.ask("POST", "/access/v1/evaluation", operator, question); a.status != 200 {
			t.Fatalf("the operator: %d %s", a.status, a.body)
		}
	}
}
