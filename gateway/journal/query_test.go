package journal_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"leviathan/gateway"
	"leviathan/gateway/journal"
)

// No query that a user waits for reads a table from end to end or sorts more
// than the few that are live.
func TestQueryPlans(t *testing.T) {
	j := open(t, t.TempDir(), newClock())
	few := map[string]bool{"live attempts": true, "live attempts of target": true, "state's attempts": true, "all live attempts": true, "intents": true,
		// Actions are few, and so are codes; their rows are found by the index.
		"count of code": true, "count of code by time": true, "count of fresh codes": true,
		// A page of each type by its index, and the pages sorted.
		"nodes": true, "nodes of target": true, "nodes of type": true, "nodes of type and target": true,
		"edges": true, "edges of node": true, "edges of type": true}
	for _, p := range journal.Plans() {
		steps, err := j.Explain(t.Context(), p)
		if err != nil {
			t.Fatalf("%s: %v", p.Name, err)
		}
		text := strings.Join(steps, "\n")
		for _, s := range steps {
			scan := strings.HasPrefix(s, "SCAN") && !strings.Contains(s, "INDEX") && s != "SCAN CONSTANT ROW" &&
				s != "SCAN one" && // the codes found so far
				s != "SCAN decision_fresh" // 255 rows at most
			if scan && !(few[p.Name] && strings.Contains(s, "SCAN (")) {
				t.Errorf("%s reads a whole table:\n%s", p.Name, text)
			}
			if strings.Contains(s, "TEMP B-TREE") && !few[p.Name] {
				t.Errorf("%s sorts:\n%s", p.Name, text)
			}
		}
		if !strings.Contains(text, "SEARCH") && !strings.Contains(text, "COVERING INDEX") {
			t.Errorf("%s uses no index:\n%s", p.Name, text)
		}
	}
}

func TestAttemptLists(t *testing.T) {
	c := newClock()
	j := open(t, t.TempDir(), c)
	for i := range 7 {
		c.add(time.Second)
		target := gateway.TargetID([]string{"a", "b"}[i%2])
		s := about(target, gateway.TaskID(fmt.Sprint("t", i)), attempt(i+1))
		appendAll(t, j, created(s, 1, "d1"), started(s))
		if i < 4 {
			appendAll(t, j, journal.AttemptEnded{Subject: s, End: journal.End{Status: gateway.Failed, FailureType: gateway.Timeout, ErrorSummary: "slow"}})
		}
	}
	ids := func(f journal.AttemptFilter) string {
		var out []string
		for pages := 0; ; pages++ {
			l, err := j.Attempts(t.Context(), f)
			if err != nil {
				t.Fatal(err)
			}
			if l.Count != len(l.Attempts) || pages > 9 {
				t.Fatalf("count %d of %d, page %d", l.Count, len(l.Attempts), pages)
			}
			for _, a := range l.Attempts {
				out = append(out, strings.TrimLeft(string(a.AttemptID[3:]), "0"))
			}
			if l.NextPageToken == "" {
				return strings.Join(out, " ")
			}
			f.Token = l.NextPageToken
		}
	}
	for _, c := range []struct {
		f    journal.AttemptFilter
		want string
	}{
		{journal.AttemptFilter{}, "7 6 5 4 3 2 1"},
		{journal.AttemptFilter{Page: journal.Page{Limit: 2}}, "7 6 5 4 3 2 1"},
		{journal.AttemptFilter{Page: journal.Page{Limit: 7}}, "7 6 5 4 3 2 1"},
		{journal.AttemptFilter{Target: "a", Page: journal.Page{Limit: 3}}, "7 5 3 1"},
		{journal.AttemptFilter{State: "live", Page: journal.Page{Limit: 1}}, "7 6 5"},
		{journal.AttemptFilter{State: "live", Target: "b"}, "6"},
		{journal.AttemptFilter{State: "failed", Target: "b", Page: journal.Page{Limit: 1}}, "4 2"},
		{journal.AttemptFilter{State: "succeeded"}, ""},
	} {
		if got := ids(c.f); got != c.want {
			t.Errorf("%+v: %s, want %s", c.f, got, c.want)
		}
	}
	for _, p := range []journal.Page{{Limit: -1}, {Limit: 1001}, {Token: "x"}, {Token: "b-1"}} {
		if _, err := j.Attempts(t.Context(), journal.AttemptFilter{Page: p}); gateway.KindOf(err) != gateway.Invalid {
			t.Errorf("page %+v: %v", p, err)
		}
	}
	f, err := j.Failures(t.Context(), "a", journal.Page{Limit: 1})
	if err != nil || f.Count != 1 || f.NextPageToken == "" || f.Failures[0].Error != "slow" || f.Failures[0].AttemptID != attempt(3) {
		t.Errorf("failures %+v, %v", f, err)
	}
	live, err := j.LiveAttempts(t.Context(), "")
	if err != nil || len(live) != 3 || live[0].ID != attempt(5) || live[0].Task.Title != "a task" {
		t.Errorf("live %v, %v", live, err)
	}
	if live, err = j.LiveAttempts(t.Context(), "b"); err != nil || len(live) != 1 {
		t.Errorf("live of b %v, %v", live, err)
	}
}

func TestAttemptDetail(t *testing.T) {
	j := open(t, t.TempDir(), newClock())
	s := about("demo", "t1", attempt(1))
	appendAll(t, j, append([]journal.Payload{created(s, 1, "d1")}, toProposed(s, 7)...)...)
	for _, size := range []int64{1, 5} {
		appendAll(t, j, journal.ArtifactCreated{Subject: s, Name: "log", ArtifactID: fmt.Sprint(size), SHA256: "ab", SizeBytes: size, StoragePath: "p"})
	}
	d, err := j.AttemptDetail(t.Context(), s.AttemptID)
	if err != nil {
		t.Fatal(err)
	}
	if d.Node.NodeType != "Attempt" || d.Node.Properties["status"] != "proposed" || d.Node.Properties["pr_number"] != 7.0 {
		t.Errorf("node %+v", d.Node)
	}
	if len(d.Events) != 8 || d.Events[0].EventType != "attempt.created" || d.Events[0].ActorID != "test" || d.Events[0].Seq != 1 {
		t.Errorf("events %+v", d.Events)
	}
	if len(d.Artifacts) != 1 || d.Artifacts[0].SizeBytes != 5 {
		t.Errorf("artifacts %+v", d.Artifacts)
	}
	if a, err := j.Artifacts(t.Context(), s.AttemptID); err != nil || len(a) != 1 || a[0].StoragePath != "p" || a[0].ID != "5" {
		t.Errorf("artifacts %+v, %v", a, err)
	}
	d, err = j.AttemptDetail(t.Context(), "unknown")
	if err != nil || d.Node != nil || d.Events == nil || len(d.Events) != 0 || d.Artifacts == nil {
		t.Errorf("unknown attempt: %+v, %v", d, err)
	}
	g, err := j.GraphSummary(t.Context())
	if err != nil || g.NodesByType["Attempt"] != 1 || g.NodesByType["PullRequest"] != 1 || g.NodesByType["Artifact"] != 1 || g.EdgesByType["PRODUCED"] != 2 {
		t.Errorf("graph %+v, %v", g, err)
	}
	if len(g.RecentEvents) != 8 || g.RecentEvents[0].EventType != "artifact.created" {
		t.Errorf("recent %+v", g.RecentEvents)
	}
	pulls, err := j.PullRequests(t.Context(), "demo", journal.Page{})
	if err != nil || len(pulls.Items) != 1 || pulls.Items[0].Number != 7 || pulls.Items[0].State != gateway.PullRequestOpen {
		t.Errorf("pull requests %+v, %v", pulls, err)
	}
}

func TestPullRequestsOfOneInstantPage(t *testing.T) {
	j := open(t, t.TempDir(), newClock()) // the clock stands still
	for i := range 5 {
		s := about("demo", gateway.TaskID(fmt.Sprint("t", i)), attempt(i+1))
		appendAll(t, j, append([]journal.Payload{created(s, 1, "d1")}, toProposed(s, i+1)...)...)
	}
	var got []int
	for p := (journal.Page{Limit: 2}); ; {
		l, err := j.PullRequests(t.Context(), "demo", p)
		if err != nil {
			t.Fatal(err)
		}
		for _, pr := range l.Items {
			got = append(got, pr.Number)
		}
		if p.Token = l.NextPageToken; p.Token == "" {
			break
		}
	}
	if fmt.Sprint(got) != "[5 4 3 2 1]" {
		t.Fatalf("pages hold %v", got)
	}
	if _, err := j.PullRequests(t.Context(), "demo", journal.Page{Token: "z"}); gateway.KindOf(err) != gateway.Invalid {
		t.Errorf("token z: %v", err)
	}
}

func TestEventLists(t *testing.T) {
	j := open(t, t.TempDir(), newClock())
	appendAll(t, j, registered("a"), registered("b"))
	decide(t, j, journal.Record{Type: "route.read", Target: "a"}, nil)
	appendAll(t, j, created(about("a", "t1", attempt(1)), 1, "d"), journal.GatewayStarted{Version: "v"})
	seqs := func(f journal.EventFilter, limit int, newest bool) string {
		list := j.Events
		if newest {
			list = j.RecentEvents
		}
		events, err := list(t.Context(), f, limit)
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, e := range events {
			if len(e.Hash) != 64 || e.Origin != journal.Gateway || len(e.Payload) == 0 {
				t.Errorf("event %+v", e)
			}
			out = append(out, fmt.Sprint(e.Seq))
		}
		return strings.Join(out, " ")
	}
	for _, c := range []struct {
		f      journal.EventFilter
		limit  int
		newest bool
		want   string
	}{
		{journal.EventFilter{}, 0, false, "1 2 4 5"}, {journal.EventFilter{After: 2}, 1, false, "4"}, {journal.EventFilter{}, 2, true, "5 4"},
		{journal.EventFilter{Target: "a"}, 0, false, "1 4"}, {journal.EventFilter{Task: "t1"}, 0, true, "4"},
		{journal.EventFilter{Attempt: attempt(1)}, 0, false, "4"}, {journal.EventFilter{Type: "target.registered"}, 0, true, "2 1"},
		{journal.EventFilter{Origin: journal.External}, 0, false, ""},
	} {
		if got := seqs(c.f, c.limit, c.newest); got != c.want {
			t.Errorf("%+v: %s, want %s", c, got, c.want)
		}
	}
	if _, err := j.RecentEvents(t.Context(), journal.EventFilter{}, 1001); gateway.KindOf(err) != gateway.Invalid {
		t.Errorf("limit 1001: %v", err)
	}
}

func TestDecisionLists(t *testing.T) {
	for _, stepped := range []bool{false, true} {
		c := newClock()
		j := open(t, t.TempDir(), c)
		start := gateway.At(c.Now())
		for i := range 6 {
			r := journal.Record{
				Type: []string{"cycle.plan", "change.push"}[i%2], Target: "demo", Task: gateway.TaskID(fmt.Sprint("t", i%3)),
				Decision: &journal.DecisionIndex{Allow: i%3 == 0, Revision: fmt.Sprint("r", i/3), Masked: i%3 == 2},
			}
			if i%3 != 0 {
				r.Decision.Codes = []string{"limits.backoff", fmt.Sprint("x.c", i), "limits.backoff"}
			}
			if i == 5 {
				r.Attempt = attempt(1)
			}
			decide(t, j, r, nil)
			c.add(time.Minute)
		}
		if stepped {
			appendAll(t, j, journal.ClockAccepted{})
		}
		list := func(f journal.DecisionFilter) string {
			var out []string
			for {
				l, err := j.Decisions(t.Context(), f)
				if err != nil {
					t.Fatal(err)
				}
				for _, d := range l.Items {
					out = append(out, fmt.Sprint(d.Recorded.Seq))
					if d.Masked != (d.Recorded.Seq%3 == 0) {
						t.Errorf("decision %d: masked %v", d.Recorded.Seq, d.Masked)
					}
					if len(d.Recorded.Leaf) != 64 || string(d.Subject) != `{"id":"w","type":"component"}` {
						t.Errorf("decision %+v", d)
					}
				}
				if f.Token = l.NextPageToken; f.Token == "" {
					return strings.Join(out, " ")
				}
			}
		}
		two := journal.Page{Limit: 2}
		at := func(minutes int) gateway.Time { return gateway.At(start.Add(time.Duration(minutes) * time.Minute)) }
		for _, c := range []struct {
			f    journal.DecisionFilter
			want string
		}{
			{journal.DecisionFilter{Page: two}, "6 5 4 3 2 1"},
			{journal.DecisionFilter{Action: "cycle.plan", Page: two}, "5 3 1"},
			{journal.DecisionFilter{Outcome: "allow"}, "4 1"},
			{journal.DecisionFilter{Outcome: "deny", Page: two}, "6 5 3 2"},
			{journal.DecisionFilter{Code: "limits.backoff", Page: two}, "6 5 3 2"},
			{journal.DecisionFilter{Code: "x.c4"}, "5"},
			{journal.DecisionFilter{Task: "t2", Target: "demo"}, "6 3"},
			{journal.DecisionFilter{Attempt: attempt(1)}, "6"},
			{journal.DecisionFilter{Target: "other"}, ""},
			{journal.DecisionFilter{Revision: "r0", Page: two}, "3 2 1"},
			{journal.DecisionFilter{Outcome: "allow", Page: journal.Page{Limit: 1}}, "4 1"},
			{journal.DecisionFilter{Masked: true, Page: journal.Page{Limit: 1}}, "6 3"},
			{journal.DecisionFilter{Masked: true, Action: "cycle.plan", Since: at(1), Until: at(5), Page: two}, "3"},
			{journal.DecisionFilter{Code: "limits.backoff", Target: "demo", Task: "t2", Revision: "r0", Action: "cycle.plan", Outcome: "deny"}, "3"},
			{journal.DecisionFilter{Target: "demo", Until: at(3), Page: two}, "3 2 1"},
			{journal.DecisionFilter{Since: at(2), Until: at(4), Page: journal.Page{Limit: 1}}, "4 3"},
			{journal.DecisionFilter{Since: at(4), Code: "limits.backoff"}, "6 5"},
			{journal.DecisionFilter{Since: at(99)}, ""},
			{journal.DecisionFilter{Until: start}, ""},
		} {
			if got := list(c.f); got != c.want {
				t.Errorf("clock stepped %v: %+v: %s, want %s", stepped, c.f, got, c.want)
			}
		}
		if _, err := j.Decisions(t.Context(), journal.DecisionFilter{Outcome: "maybe"}); gateway.KindOf(err) != gateway.Invalid {
			t.Errorf("outcome maybe: %v", err)
		}
	}
}

func TestTokens(t *testing.T) {
	c := newClock()
	j := open(t, t.TempDir(), c)
	hash := strings.Repeat("ab", 32)
	appendAll(t, j, journal.TokenCreated{ID: "k1", Role: gateway.RoleReader, Hash: hash, ExpiresAt: gateway.At(c.Now().Add(time.Hour))})
	k, found, err := j.TokenByHash(t.Context(), hash)
	if err != nil || !found || k.ID != "k1" || k.Role != gateway.RoleReader || !k.Live(gateway.At(c.Now())) {
		t.Fatalf("token %+v, %v, %v", k, found, err)
	}
	if k.Live(gateway.At(c.Now().Add(time.Hour))) {
		t.Error("an expired token is live")
	}
	appendAll(t, j, journal.TokenRevoked{ID: "k1"})
	if k, _, _ = j.TokenByHash(t.Context(), hash); k.Live(gateway.At(c.Now())) {
		t.Error("a revoked token is live")
	}
	if _, found, err := j.TokenByHash(t.Context(), "x"); found || err != nil {
		t.Errorf("unknown token: %v, %v", found, err)
	}
	if l, err := j.Tokens(t.Context()); err != nil || len(l.Items) != 1 || l.Items[0].RevokedAt.IsZero() {
		t.Errorf("tokens %+v, %v", l, err)
	}
}
