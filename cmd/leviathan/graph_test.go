package main

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"leviathan/gateway"
)

// Whatever a node is called, a drawing is a drawing: each line is one
// statement, and nothing in a name ends its string or begins an escape.
func TestDotTakesAnyName(t *testing.T) {
	text := `"(?:[^"\\]|\\\\|\\")*"`
	statement := regexp.MustCompile(`^  (?:rankdir=LR|label=` + text + `|` + text + `(?: -> ` + text + `)?(?: \[[a-z]+=(?:` + text + `|\w+)(?:, [a-z]+=(?:` + text + `|\w+))*\])?);$`)
	for _, name := range []string{`plain`, `"`, `\`, `\"`, `a\`, "line\nbreak", "\x00\x1b[2J", `"]; evil [label="`, `\N\G\l`, "</b>", "\u202e", "\xff", ""} {
		g := gateway.Graph{Truncated: true, Nodes: []gateway.GraphNode{
			{Node: gateway.Node{NodeID: "task:" + name, NodeType: gateway.NodeTask, Properties: map[string]any{"task_id": name, "title": name}}, State: name, External: true},
			{Node: gateway.Node{NodeID: name, NodeType: name}}},
			Edges: []gateway.GraphEdge{{EdgeType: gateway.EdgeDependsOn, Source: "task:" + name, Sink: name}, {EdgeType: gateway.EdgeProduced, Source: name, Sink: "task:" + name}}}
		var b bytes.Buffer
		if err := writeDot(&b, g); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
		if len(lines) != 8 || lines[0] != "digraph leviathan {" || lines[7] != "}" {
			t.Fatalf("%q makes\n%s", name, b.String())
		}
		for _, line := range lines[1:7] {
			if !statement.MatchString(line) {
				t.Errorf("%q makes the line %s", name, line)
			}
		}
	}
}

// A claim may say that a node is below itself; a tree ends all the same.
func TestATreeOfACircleEnds(t *testing.T) {
	g := gateway.Graph{Nodes: []gateway.GraphNode{{Node: gateway.Node{NodeID: "a", NodeType: "x"}}, {Node: gateway.Node{NodeID: "b", NodeType: "x"}}, {Node: gateway.Node{NodeID: "c", NodeType: "x"}}},
		Edges: []gateway.GraphEdge{{EdgeType: gateway.EdgeProduced, Source: "a", Sink: "b"}, {EdgeType: gateway.EdgeProduced, Source: "b", Sink: "b"}, {EdgeType: gateway.EdgeProduced, Source: "b", Sink: "c"}}}
	var b bytes.Buffer
	if err := writeGraph(&b, g); err != nil || b.String() != "a\n  b\n    c\n" {
		t.Errorf("%v\n%s", err, b.String())
	}
}
