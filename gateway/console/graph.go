package console

import (
	"fmt"
	"net/url"
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
type graphRow struct{ gateway.AttemptItem }

func (k *Console) graph(v *visit) error {
	status, err := v.client.Status(v.r.Context())
	if err != nil {
		return err
	}
	body := graphBody{Target: v.target(status)}
	for _, t := range status.Targets {
		body.Targets = append(body.Targets, t.Target)
	}
	list, err := v.client.Attempts(v.r.Context(), gateway.AttemptQuery{Target: body.Target, Limit: maxGraph})
	if err != nil {
		return err
	}
	body.More = list.NextPageToken != ""
	body.draw(list.Attempts)
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

// draw lays the attempts out, newest first: one row each, with its task beside
// the first of them and its pull request behind it.
func (b *graphBody) draw(attempts []gateway.AttemptItem) {
	order, by := []gateway.TaskID{}, map[gateway.TaskID][]gateway.AttemptItem{}
	for _, a := range attempts {
		if _, ok := by[a.TaskID]; !ok {
			order = append(order, a.TaskID)
		}
		by[a.TaskID] = append(by[a.TaskID], a)
		b.Rows = append(b.Rows, graphRow{a})
	}
	if len(attempts) == 0 {
		return
	}
	target := b.add(0, 0, "target", string(b.Target), tone{}, "/tasks?target="+url.QueryEscape(string(b.Target)))
	row := 0
	for _, id := range order {
		task := b.add(1, row, "task", string(id), tone{plural(len(by[id]), "attempt"), "idle"}, "/decisions?task="+url.QueryEscape(string(id)))
		b.join(target, task)
		for _, a := range by[id] {
			state := label(a.State)
			if a.External {
				state.Text += " (claimed)"
			}
			attempt := b.add(2, row, "attempt", fmt.Sprintf("#%d %s", a.AttemptNumber, short(a.AttemptID)), state, path("attempts", a.AttemptID))
			b.join(task, attempt)
			if a.PRNumber != nil {
				b.join(attempt, b.add(3, row, "pull request", "#"+deref(a.PRNumber), tone{}, external(a.PRURL)))
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
