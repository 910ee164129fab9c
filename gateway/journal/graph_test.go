package journal_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"leviathan/gateway"
	"leviathan/gateway/journal"
)

// graphOf is a journal with three attempts of two tasks, of which one waits
// for the other and for a third, and a claim of another target.
func graphOf(t *testing.T) *journal.Journal {
	t.Helper()
	j := open(t, t.TempDir(), newClock())
	one, two, again := about("demo", "t1", attempt(1)), about("demo", "t2", attempt(2)), about("demo", "t1", attempt(3))
	appendAll(t, j, journal.TargetRegistered{Subject: about("demo", "", ""), Name: "demo", RepoURL: "/r", DefaultBranch: "main"},
		journal.TaskCreated{Subject: about("demo", "t1", ""), Title: "one"}, created(one, 1, "d1"), ended(one, gateway.Cancelled, ""),
		journal.TaskCreated{Subject: about("demo", "t2", ""), Title: "two", Dependencies: []gateway.TaskID{"t1", "t9"}})
	appendAll(t, j, append([]journal.Payload{created(two, 1, "d2")}, toProposed(two, 7)...)...)
	appendAll(t, j, journal.ArtifactCreated{Subject: two, Name: "log", ArtifactID: "x", SHA256: "ab", SizeBytes: 1, StoragePath: "p"}, created(again, 2, "d1"))
	commit(t, j, func(tx *journal.Tx) error {
		_, err := tx.Append(journal.Record{Kind: journal.Event, Origin: journal.External, ID: "claim", Type: "pr.created", Target: "other", Task: "c", Attempt: "c-1",
			Body: json.RawMessage(`{"attempt_id":"c-1","task_id":"c","target_id":"other","pr_number":3}`)})
		return err
	})
	return j
}

// ids are the nodes' own, shortened.
func ids(nodes []gateway.GraphNode) string {
	var out []string
	for _, n := range nodes {
		out = append(out, strings.NewReplacer(string(attempt(1)), "A1", string(attempt(2)), "A2", string(attempt(3)), "A3").Replace(n.NodeID))
	}
	return strings.Join(out, " ")
}

func TestGraphNodesPage(t *testing.T) {
	j := graphOf(t)
	all := "attempt:c-1 pull_request:other#3 attempt:A3 artifact:A2/log pull_request:demo#7 attempt:A2 task:demo/t2 attempt:A1 task:demo/t1 target:demo"
	for _, c := range []struct {
		f    journal.NodeFilter
		want string
	}{
		{journal.NodeFilter{}, all},
		{journal.NodeFilter{Type: gateway.NodeAttempt}, "attempt:c-1 attempt:A3 attempt:A2 attempt:A1"},
		{journal.NodeFilter{Target: "demo", Type: gateway.NodeTask}, "task:demo/t2 task:demo/t1"},
		{journal.NodeFilter{Target: "other"}, "attempt:c-1 pull_request:other#3"},
		{journal.NodeFilter{Target: "none"}, ""},
	} {
		for limit := range 5 {
			f, got := c.f, []gateway.GraphNode{}
			for f.Limit = limit; ; {
				page, err := j.GraphNodes(t.Context(), f)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, page.Items...)
				if f.Token = page.NextPageToken; f.Token == "" {
					break
				}
			}
			if ids(got) != c.want {
				t.Errorf("%+v by %d: %s, want %s", c.f, limit, ids(got), c.want)
			}
			if i := slices.IndexFunc(got, func(n gateway.GraphNode) bool { return n.External != (n.Target == "other") }); i >= 0 {
				t.Errorf("%+v", got[i])
			}
		}
	}
	n, found, err := j.GraphNode(t.Context(), "pull_request:demo#7")
	if err != nil || !found || n.State != "open" || n.Properties["pr_number"] != 7.0 {
		t.Errorf("%+v %v %v", n, found, err)
	}
	if _, found, err := j.GraphNode(t.Context(), "task:demo/none"); err != nil || found {
		t.Errorf("a node that is not there: %v %v", found, err)
	}
	for _, f := range []journal.NodeFilter{{Type: "Thing"}, {Page: journal.Page{Token: "x"}}, {Page: journal.Page{Limit: 1001}}} {
		if _, err := j.GraphNodes(t.Context(), f); gateway.KindOf(err) != gateway.Invalid {
			t.Errorf("%+v: %v", f, err)
		}
	}
}

func TestGraphEdgesPage(t *testing.T) {
	j := graphOf(t)
	two := "attempt:" + string(attempt(2))
	for _, c := range []struct {
		f    journal.EdgeFilter
		want string
	}{
		{journal.EdgeFilter{}, "t2>t1 t2>t9 A2>log A2>#7 c-1>#3"},
		{journal.EdgeFilter{Type: gateway.EdgeDependsOn}, "t2>t1 t2>t9"},
		{journal.EdgeFilter{Node: two}, "A2>log A2>#7"},
		{journal.EdgeFilter{Node: "pull_request:demo#7"}, "A2>#7"},
		{journal.EdgeFilter{Node: "task:demo/t9", Type: gateway.EdgeDependsOn}, "t2>t9"},
		{journal.EdgeFilter{Node: "task:demo/t9", Type: gateway.EdgeProduced}, ""},
	} {
		for limit := range 3 {
			f, got := c.f, []string{}
			for f.Limit = limit; ; {
				page, err := j.GraphEdges(t.Context(), f)
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range page.Items {
					short := strings.NewReplacer("task:demo/", "", two, "A2", "attempt:", "", "artifact:"+string(attempt(2))+"/", "", "pull_request:demo", "", "pull_request:other", "")
					got = append(got, short.Replace(e.Source+">"+e.Sink))
					if e.External != strings.Contains(e.Source, "c-1") {
						t.Errorf("%+v", e)
					}
				}
				if f.Token = page.NextPageToken; f.Token == "" {
					break
				}
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("%+v by %d: %s, want %s", c.f, limit, got, c.want)
			}
		}
	}
	for _, f := range []journal.EdgeFilter{{Type: "CONTAINS"}, {Page: journal.Page{Token: "x"}}, {Page: journal.Page{Token: "!"}}, {Page: journal.Page{Limit: -1}}} {
		if _, err := j.GraphEdges(t.Context(), f); gateway.KindOf(err) != gateway.Invalid {
			t.Errorf("%+v: %v", f, err)
		}
	}
}

func TestGraphPicture(t *testing.T) {
	j := graphOf(t)
	for _, c := range []struct {
		target gateway.TargetID
		limit  int
		nodes  string
		edges  int
		cut    bool
	}{
		{"demo", 200, "target:demo task:demo/t1 task:demo/t2 attempt:A3 attempt:A2 attempt:A1 artifact:A2/log pull_request:demo#7", 9, false},
		{"demo", 1, "target:demo task:demo/t1 attempt:A3", 2, true},
		{"", 1, "attempt:c-1 pull_request:other#3", 1, true}, // the claim of its task was not repeated with the pull request
		{"none", 1, "", 0, false},
	} {
		g, err := j.Graph(t.Context(), c.target, c.limit)
		if err != nil {
			t.Fatal(err)
		}
		if ids(g.Nodes) != c.nodes || len(g.Edges) != c.edges || g.Truncated != c.cut {
			t.Errorf("%s by %d: %s, %d edges, truncated %v: %+v", c.target, c.limit, ids(g.Nodes), len(g.Edges), g.Truncated, g.Edges)
		}
		for _, e := range g.Edges {
			if !slices.ContainsFunc(g.Nodes, func(n gateway.GraphNode) bool { return n.NodeID == e.Source }) {
				t.Errorf("the edge %+v begins nowhere", e)
			}
		}
	}
	if _, err := j.Graph(t.Context(), "demo", 201); gateway.KindOf(err) != gateway.Invalid {
		t.Errorf("a picture of 201: %v", err)
	}
	if text := fmt.Sprint(gateway.EdgeTypes(), gateway.NodeTypes()); text != "[DEPENDS_ON PRODUCED] [Target Task Attempt Artifact PullRequest]" {
		t.Error(text)
	}
}
