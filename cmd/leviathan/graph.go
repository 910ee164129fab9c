package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"leviathan/gateway"
)

func (o operator) graph() *cobra.Command {
	cmd := family("graph", "Targets, their tasks, the attempts at them and what came of each", o.graphShow(), o.graphList(), o.graphEdges(), o.graphSummary())
	cmd.Long = "The graph of the journal: target → task → attempt → pull request, with artifacts and what tasks wait for.\n" +
		"What others claimed is in it, and marked. The console's page Graph shows the same."
	cmd.Example = "  leviathan graph show --dot | dot -Tsvg > graph.svg"
	return cmd
}

func (o operator) graphShow() *cobra.Command {
	var out format
	var target string
	var limit int
	var dot bool
	cmd := &cobra.Command{
		Use:   "show [NODE]",
		Short: "The newest attempts as a tree, or one node with its edges",
		Long: "Without NODE: the newest attempts below their targets and tasks, with what each left. With --dot the same as Graphviz text.\n" +
			"With NODE, an id as graph list shows it: that node, and the edges that begin or end there.",
		Example: "  leviathan graph show --target demo\n  leviathan graph show task:demo/T-1\n  leviathan graph show --dot | dot -Tsvg > graph.svg",
		Args:    named("[NODE]"),
	}
	conn := o.look(cmd, "state")
	out.flag(cmd)
	cmd.Flags().StringVar(&target, "target", "", "only what is of the target `ID`")
	cmd.Flags().IntVar(&limit, "limit", 40, "at most `N` attempts, up to 200")
	cmd.Flags().BoolVar(&dot, "dot", false, "as text for Graphviz")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case dot && (len(args) > 0 || out == asJSON):
			return errors.New("--dot draws the newest attempts: it goes without NODE and without --output json")
		case len(args) > 0 && (target != "" || cmd.Flags().Changed("limit")):
			return errors.New("one NODE is shown whole: it goes without --target and --limit")
		case limit < 1 || limit > 200:
			return fmt.Errorf("--limit %d is not a number from 1 to 200", limit)
		case len(args) > 0:
			return answered(cmd, conn, out, "showing node "+printable(args[0]), func(ctx context.Context, s *session) (nodeDetail, error) { return s.nodeDetail(ctx, args[0]) }, writeNode)
		}
		write := writeGraph
		if dot {
			write = writeDot
		}
		return answered(cmd, conn, out, "drawing the graph", func(ctx context.Context, s *session) (gateway.Graph, error) {
			return s.Graph(ctx, gateway.TargetID(target), limit)
		}, write)
	}
	return cmd
}

// A nodeDetail is a node with its edges.
type nodeDetail struct {
	Node  gateway.GraphNode   `json:"node"`
	Edges []gateway.GraphEdge `json:"edges"`
}

func (s *session) nodeDetail(ctx context.Context, id string) (nodeDetail, error) {
	node, err := s.GraphNode(ctx, id)
	if err != nil {
		return nodeDetail{}, err
	}
	list, err := s.GraphEdges(ctx, gateway.GraphQuery{Node: id, Limit: 1000})
	return nodeDetail{node, list.Items}, err
}

func writeNode(w io.Writer, d nodeDetail) error {
	g := newGrid(w)
	g.row("node", d.Node.NodeID)
	g.row("type", d.Node.NodeType)
	g.row("target", string(d.Node.Target))
	g.row("seen", shortTime(d.Node.CreatedAt)+" to "+shortTime(d.Node.UpdatedAt))
	if d.Node.External {
		g.row("claimed", "by others; no policy reads it")
	}
	for _, key := range slices.Sorted(maps.Keys(d.Node.Properties)) {
		text, err := plainValue(d.Node.Properties[key])
		if err != nil {
			return err
		}
		if text != "" {
			g.row(printable(key), clip(printable(text), 200))
		}
	}
	err := g.end()
	if len(d.Edges) > 0 {
		_, e := fmt.Fprintln(w, "\nedges")
		err = errors.Join(err, e, edgeGrid(w, d.Edges))
	}
	return err
}

func (o operator) graphList() *cobra.Command {
	var out format
	var page pages
	var target, typ string
	cmd := &cobra.Command{Use: "list", Short: "List nodes, newest first", Args: cobra.NoArgs,
		Long:    "List the nodes of the graph, newest first: " + strings.Join(gateway.NodeTypes(), ", ") + ".",
		Example: "  leviathan graph list --type PullRequest --target demo"}
	conn := o.look(cmd, "state")
	out.flag(cmd)
	page.flags(cmd)
	cmd.Flags().StringVar(&target, "target", "", "only those of the target `ID`")
	cmd.Flags().StringVar(&typ, "type", "", "only those of a `TYPE`: "+strings.Join(gateway.NodeTypes(), ", "))
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if typ != "" && !slices.Contains(gateway.NodeTypes(), typ) {
			return fmt.Errorf("--type %q is not a type of nodes: %s", typ, strings.Join(gateway.NodeTypes(), ", "))
		}
		if err := page.check(); err != nil {
			return err
		}
		return answered(cmd, conn, out, "listing nodes", func(ctx context.Context, s *session) (gateway.GraphNodeList, error) {
			return s.GraphNodes(ctx, gateway.GraphQuery{Type: typ, Target: gateway.TargetID(target), Limit: page.limit, PageToken: page.token})
		}, func(w io.Writer, list gateway.GraphNodeList) error {
			defer more(cmd, list.NextPageToken)
			if len(list.Items) == 0 {
				_, err := fmt.Fprintln(w, "no node")
				return err
			}
			g := newGrid(w, "NODE", "TYPE", "TARGET", "STATE", "SINCE", "CLAIMED")
			for _, n := range list.Items {
				claimed := ""
				if n.External {
					claimed = "yes"
				}
				g.row(printable(n.NodeID), n.NodeType, string(n.Target), printable(n.State), shortTime(n.CreatedAt), claimed)
			}
			return g.end()
		})
	}
	return cmd
}

func (o operator) graphEdges() *cobra.Command {
	var out format
	var page pages
	var node, typ string
	cmd := &cobra.Command{Use: "edges", Short: "List edges: what attempts left, and what tasks wait for", Args: cobra.NoArgs,
		Long:    "List the edges of the graph in their order: PRODUCED, from an attempt to what it left, and DEPENDS_ON, from a task to one that it waits for.",
		Example: "  leviathan graph edges --node task:demo/T-1"}
	conn := o.look(cmd, "state")
	out.flag(cmd)
	page.flags(cmd)
	cmd.Flags().StringVar(&node, "node", "", "only those that begin or end at the node `ID`")
	cmd.Flags().StringVar(&typ, "type", "", "only those of a `TYPE`: "+strings.Join(gateway.EdgeTypes(), ", "))
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if typ != "" && !slices.Contains(gateway.EdgeTypes(), typ) {
			return fmt.Errorf("--type %q is not a type of edges: %s", typ, strings.Join(gateway.EdgeTypes(), ", "))
		}
		if err := page.check(); err != nil {
			return err
		}
		return answered(cmd, conn, out, "listing edges", func(ctx context.Context, s *session) (gateway.GraphEdgeList, error) {
			return s.GraphEdges(ctx, gateway.GraphQuery{Type: typ, Node: node, Limit: page.limit, PageToken: page.token})
		}, func(w io.Writer, list gateway.GraphEdgeList) error {
			defer more(cmd, list.NextPageToken)
			if len(list.Items) == 0 {
				_, err := fmt.Fprintln(w, "no edge")
				return err
			}
			return edgeGrid(w, list.Items)
		})
	}
	return cmd
}

func edgeGrid(w io.Writer, edges []gateway.GraphEdge) error {
	g := newGrid(w, "FROM", "EDGE", "TO")
	for _, e := range edges {
		g.row(printable(e.Source), e.EdgeType, printable(e.Sink))
	}
	return g.end()
}

func (o operator) graphSummary() *cobra.Command {
	var out format
	cmd := &cobra.Command{Use: "summary", Short: "Count nodes and edges by type, with the newest events", Args: cobra.NoArgs,
		Long:    "Count the nodes and edges of the graph by type, what others claimed among them, and show the newest events.",
		Example: "  leviathan graph summary --output json"}
	conn := o.look(cmd, "state")
	out.flag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return answered(cmd, conn, out, "counting the graph", func(ctx context.Context, s *session) (gateway.GraphSummary, error) { return s.GraphSummary(ctx) },
			func(w io.Writer, sum gateway.GraphSummary) error {
				g := newGrid(w, "WHAT", "TYPE", "COUNT")
				for _, kind := range []struct {
					name   string
					counts map[string]int
				}{{"nodes", sum.NodesByType}, {"edges", sum.EdgesByType}} {
					for _, typ := range slices.Sorted(maps.Keys(kind.counts)) {
						g.row(kind.name, printable(typ), strconv.Itoa(kind.counts[typ]))
					}
				}
				err := g.end()
				if len(sum.RecentEvents) > 0 {
					_, e := fmt.Fprintln(w, "\nnewest events")
					err = errors.Join(err, e, eventGrid(w, sum.RecentEvents))
				}
				return err
			})
	}
	return cmd
}
