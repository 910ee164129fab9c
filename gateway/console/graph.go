package console

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"leviathan/gateway"
)

const (
	// maxGraph is how many attempts the picture shows, the newest.
	maxGraph = 40

	nodeWidth, nodeHeight = 200, 40
	columnStep, rowStep   = 250, 54
	margin                = 10
)

// graphBody is the picture of target, task, attempt and pull request, and the
// same as text.
type graphBody struct {
	Target        gateway.TargetID
	Targets       []gateway.TargetID
	Width, Height int
	Nodes         []graphNode
	Edges         []graphEdge
	Rows          []graphRow
	More          bool // older attempts are left out
	Counts        []string
	Problem       string // why the counts are missing
}

// A graphNode is a box. Link leads to its page, or is empty.
type graphNode struct {
	X, Y          int
	Kind, Name    string
	State         tone
	Link          string
	TextX, TextY  int
	StateY, Width int
	Height        int
}

// A graphEdge is a line from the right side of a box to the left of another.
type graphEdge struct{ X1, Y1, XM, X2, Y2 int }

// A graphRow is one attempt in words.
type graphRow struct {
	TaskID    string
	AttemptID string
	Number    string // of the attempt at its task; "" where nobody says
	State     string
	External  bool
	Pulls     []graphPull
}

// A graphPull is a pull request that an attempt left.
type graphPull struct{ Number, State, URL string }

func (k *Console) graph(v *visit) error {
	status, err := v.client.Status(v.r.Context())
	if err != nil {
		return err
	}
	body := graphBody{Target: v.target(status)}
	for _, t := range status.Targets {
		body.Targets = append(body.Targets, t.Target)
	}
	graph, err := v.client.Graph(v.r.Context(), body.Target, maxGraph)
	if err != nil {
		return err
	}
	body.More, body.Rows = graph.Truncated, rowsOf(graph)
	body.draw()
	summary, err := v.client.GraphSummary(v.r.Context())
	if err != nil {
		body.Problem = err.Error()
	}
	for _, kind := range []string{"Target", "Task", "Attempt", "PullRequest"} {
		if n, ok := summary.NodesByType[kind]; ok {
			body.Counts = append(body.Counts, plural(n, nouns[kind]))
		}
	}
	return k.show(v, "graph", &page{Title: "Graph of " + string(body.Target), Section: "graph", Live: true, Body: body})
}

// nouns are the types of nodes as a reader calls them.
var nouns = map[string]string{"Target": "target", "Task": "task", "Attempt": "attempt", "PullRequest": "pull request"}

// rowsOf are the attempts of a graph, each with its task and what it left.
func rowsOf(graph gateway.Graph) []graphRow {
	nodes := map[string]gateway.GraphNode{}
	for _, n := range graph.Nodes {
		nodes[n.NodeID] = n
	}
	task, pulls := map[string]string{}, map[string][]graphPull{}
	for _, e := range graph.Edges {
		from, to := nodes[e.Source], nodes[e.Sink]
		switch {
		case e.EdgeType == gateway.EdgeContains && to.NodeType == gateway.NodeAttempt:
			task[e.Sink] = property(from, "task_id")
		case e.EdgeType == gateway.EdgeProduced && to.NodeType == gateway.NodePullRequest:
			pulls[e.Source] = append(pulls[e.Source], graphPull{property(to, "pr_number"), to.State, property(to, "pr_url")})
		}
	}
	var rows []graphRow
	for _, n := range graph.Nodes {
		if n.NodeType == gateway.NodeAttempt {
			rows = append(rows, graphRow{TaskID: task[n.NodeID], AttemptID: property(n, "attempt_id"), Number: property(n, "attempt_number"),
				State: n.State, External: n.External, Pulls: pulls[n.NodeID]})
		}
	}
	return rows
}

// property is a property of a node as text, empty where it has none.
func property(n gateway.GraphNode, name string) string {
	switch v := n.Properties[name].(type) {
	case nil:
		return ""
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	default:
		return fmt.Sprint(v)
	}
}

// draw lays the attempts out, newest first: one row each, with its task beside
// the first of them and its pull requests behind it.
func (b *graphBody) draw() {
	order, by := []string{}, map[string][]graphRow{}
	for _, r := range b.Rows {
		if _, ok := by[r.TaskID]; !ok {
			order = append(order, r.TaskID)
		}
		by[r.TaskID] = append(by[r.TaskID], r)
	}
	if len(b.Rows) == 0 {
		return
	}
	target := b.add(0, 0, "target", string(b.Target), tone{}, "/tasks?target="+url.QueryEscape(string(b.Target)))
	row := 0
	for _, id := range order {
		task := b.add(1, row, "task", id, tone{plural(len(by[id]), "attempt"), "idle"}, "/decisions?task="+url.QueryEscape(id))
		b.join(target, task)
		for _, r := range by[id] {
			state := label(r.State)
			if r.External {
				state.Text += " (claimed)"
			}
			attempt := b.add(2, row, "attempt", strings.TrimPrefix("#"+r.Number+" ", "# ")+short(r.AttemptID), state, path("attempts", r.AttemptID))
			b.join(task, attempt)
			for i, pull := range r.Pulls {
				if i > 0 {
					row++
				}
				b.join(attempt, b.add(3, row, "pull request", "#"+pull.Number, label(pull.State), external(pull.URL)))
			}
			row++
		}
	}
	b.Width, b.Height = 3*columnStep+nodeWidth+2*margin, row*rowStep-(rowStep-nodeHeight)+2*margin
}

func (b *graphBody) add(column, row int, kind, name string, state tone, link string) graphNode {
	n := graphNode{X: margin + column*columnStep, Y: margin + row*rowStep, Kind: kind, Name: clip(name, 24), State: state, Link: link, Width: nodeWidth, Height: nodeHeight}
	n.TextX, n.TextY, n.StateY = n.X+10, n.Y+17, n.Y+32
	b.Nodes = append(b.Nodes, n)
	return n
}

func (b *graphBody) join(from, to graphNode) {
	e := graphEdge{X1: from.X + nodeWidth, Y1: from.Y + nodeHeight/2, X2: to.X, Y2: to.Y + nodeHeight/2}
	e.XM = e.X2 - (columnStep-nodeWidth)/2
	b.Edges = append(b.Edges, e)
}

// clip is a text's first n characters.
func clip(s string, n int) string {
	runes := []rune(strings.ToValidUTF8(s, "\uFFFD"))
	if len(runes) <= n {
		return s
	}
	return string(runes[:n-1]) + "…"
}
