package main

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"strings"

	"leviathan/gateway"
)

// title is a node in a few words, safe for a terminal.
func title(n gateway.GraphNode) string {
	value := func(key string) string {
		text, err := plainValue(n.Properties[key])
		if err != nil {
			return ""
		}
		return clip(printable(text), 80)
	}
	text := n.NodeID
	switch n.NodeType {
	case gateway.NodeTarget:
		text = "target " + string(n.Target)
	case gateway.NodeTask:
		text = strings.TrimRight("task "+value("task_id")+"  "+value("title"), " ")
	case gateway.NodeAttempt:
		text = "attempt " + value("attempt_id")
		if number := value("attempt_number"); number != "" {
			text += " (" + number + ")"
		}
	case gateway.NodeArtifact:
		text = "artifact " + value("name")
	case gateway.NodePullRequest:
		text = strings.TrimRight("pull request #"+value("pr_number")+"  "+value("pr_url"), " ")
	}
	text = printable(text)
	if n.State != "" {
		text += "  " + printable(n.State)
	}
	if n.External {
		text += "  (claimed)"
	}
	return text
}

// writeGraph writes a graph as lines below each other, each node once below
// what contains or produced it.
func writeGraph(w io.Writer, g gateway.Graph) error {
	out := bufio.NewWriter(w)
	if len(g.Nodes) == 0 {
		fmt.Fprintln(out, "no attempt yet")
		return out.Flush()
	}
	nodes, below, inner, waits := map[string]gateway.GraphNode{}, map[string][]string{}, map[string]bool{}, map[string][]string{}
	for _, n := range g.Nodes {
		nodes[n.NodeID] = n
	}
	for _, e := range g.Edges {
		switch _, known := nodes[e.Sink]; {
		case e.EdgeType == gateway.EdgeDependsOn:
			waits[e.Source] = append(waits[e.Source], printable(e.Sink))
		case known && !inner[e.Sink]:
			below[e.Source], inner[e.Sink] = append(below[e.Source], e.Sink), true
		}
	}
	written := map[string]bool{}
	var write func(id string, depth int)
	write = func(id string, depth int) {
		if written[id] {
			return // a claim may go in circles
		}
		written[id] = true
		indent := strings.Repeat("  ", depth)
		fmt.Fprintf(out, "%s%s\n", indent, title(nodes[id]))
		if len(waits[id]) > 0 {
			fmt.Fprintf(out, "%s  waits for %s\n", indent, strings.Join(waits[id], ", "))
		}
		for _, sub := range below[id] {
			write(sub, depth+1)
		}
	}
	for _, n := range g.Nodes {
		if !inner[n.NodeID] {
			write(n.NodeID, 0)
		}
	}
	if g.Truncated {
		fmt.Fprintln(out, "there are older attempts: raise --limit, or see leviathan attempts")
	}
	return out.Flush()
}

// shapes are the forms of nodes in a drawing.
var shapes = map[string]string{gateway.NodeTarget: "folder", gateway.NodeTask: "note", gateway.NodeAttempt: "box", gateway.NodeArtifact: "component", gateway.NodePullRequest: "ellipse"}

// writeDot writes a graph in Graphviz's language.
func writeDot(w io.Writer, g gateway.Graph) error {
	out := bufio.NewWriter(w)
	fmt.Fprint(out, "digraph leviathan {\n  rankdir=LR;\n")
	for _, n := range g.Nodes {
		style := ""
		if n.External {
			style = ", style=dotted"
		}
		fmt.Fprintf(out, "  %s [label=%s, shape=%s%s];\n", dotText(n.NodeID), dotText(title(n)), cmp.Or(shapes[n.NodeType], "box"), style)
	}
	for _, e := range g.Edges {
		style := ""
		if e.EdgeType == gateway.EdgeDependsOn {
			style = " [label=\"waits for\", style=dashed]"
		}
		fmt.Fprintf(out, "  %s -> %s%s;\n", dotText(e.Source), dotText(e.Sink), style)
	}
	if g.Truncated {
		fmt.Fprint(out, "  label=\"The newest attempts; there are older ones.\";\n")
	}
	fmt.Fprint(out, "}\n")
	return out.Flush()
}

// dotText is text as a quoted string of Graphviz: without control characters,
// and with nothing in it that it would take as an escape or an end.
func dotText(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(printable(s)) + `"`
}
