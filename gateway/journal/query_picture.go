package journal

import (
	"context"
	"strconv"

	"leviathan/gateway"
)

const (
	sqlProduced = `SELECT type, source, sink, external FROM edge WHERE type = 'PRODUCED' AND source = ? ORDER BY sink`
	sqlDepends  = `SELECT type, source, sink, external FROM edge WHERE type = 'DEPENDS_ON' AND source = ? ORDER BY sink`
)

// maxPicture bounds the attempts of one picture.
const maxPicture = 200

// Graph is the newest attempts of a target, or of all, with their targets and
// tasks and what they left, in one snapshot. Limit is 1 to 200 attempts.
func (j *Journal) Graph(ctx context.Context, target gateway.TargetID, limit int) (gateway.Graph, error) {
	if limit < 1 || limit > maxPicture {
		return gateway.Graph{}, &gateway.Error{Kind: gateway.Invalid, Field: "limit", Detail: "limit is a number from 1 to " + strconv.Itoa(maxPicture)}
	}
	p := picture{ctx: ctx, seen: map[string]bool{}, drawn: map[gateway.GraphEdge]bool{}, nodes: map[string][]gateway.GraphNode{}, out: gateway.Graph{Nodes: []gateway.GraphNode{}, Edges: []gateway.GraphEdge{}}}
	sql, args := sqlNodes(NodeFilter{Target: target}, []string{gateway.NodeAttempt}, noBound, "", limit+1)
	err := j.list(ctx, "draw graph", func(db *conn) error {
		p.db = db
		var attempts []gateway.GraphNode
		err := db.query(ctx, sql, args, func(r row) error {
			n, err := scanNode(r)
			attempts = append(attempts, n)
			return err
		})
		if err != nil {
			return err
		}
		if p.out.Truncated = len(attempts) > limit; p.out.Truncated {
			attempts = attempts[:limit]
		}
		for _, a := range attempts {
			if err := p.attempt(a); err != nil {
				return err
			}
		}
		return nil
	})
	for _, typ := range gateway.NodeTypes() {
		p.out.Nodes = append(p.out.Nodes, p.nodes[typ]...)
	}
	return p.out, err
}

// A picture collects the nodes and edges around attempts, each once.
type picture struct {
	ctx   context.Context
	db    *conn
	seen  map[string]bool
	drawn map[gateway.GraphEdge]bool
	nodes map[string][]gateway.GraphNode
	out   gateway.Graph
}

func (p *picture) attempt(a gateway.GraphNode) error {
	task, _ := a.Properties["task_id"].(string)
	of := taskNode(a.Target, gateway.TaskID(task))
	if a.Target != "" && task != "" {
		if err := p.task(a.Target, gateway.TaskID(task), of); err != nil {
			return err
		}
		p.edge(gateway.GraphEdge{EdgeType: gateway.EdgeContains, Source: of, Sink: a.NodeID, External: a.External})
	}
	p.add(a)
	edges, err := p.edges(sqlProduced, a.NodeID)
	for _, e := range edges {
		if err := p.node(e.Sink); err != nil {
			return err
		}
		p.edge(e)
	}
	return err
}

// task draws an attempt's task and target, and what the task waits for.
func (p *picture) task(target gateway.TargetID, id gateway.TaskID, of string) error {
	if p.seen[of] {
		return nil
	}
	root := targetNode(target)
	if err := p.named(root, gateway.NodeTarget, target, map[string]any{"target_id": string(target)}); err != nil {
		return err
	}
	if err := p.named(of, gateway.NodeTask, target, map[string]any{"target_id": string(target), "task_id": string(id)}); err != nil {
		return err
	}
	p.edge(gateway.GraphEdge{EdgeType: gateway.EdgeContains, Source: root, Sink: of})
	edges, err := p.edges(sqlDepends, of)
	for _, e := range edges {
		p.edge(e)
	}
	return err
}

// node draws a node of the journal's.
func (p *picture) node(id string) error {
	if p.seen[id] {
		return nil
	}
	n, found, err := oneNode(p.ctx, p.db, id)
	if found {
		p.add(n)
	}
	return err
}

// named draws a node that others name, even where only their claims do.
func (p *picture) named(id, typ string, target gateway.TargetID, properties map[string]any) error {
	if err := p.node(id); err != nil || p.seen[id] {
		return err
	}
	p.add(gateway.GraphNode{Node: gateway.Node{NodeID: id, NodeType: typ, Properties: properties}, Target: target, External: true})
	return nil
}

func (p *picture) add(n gateway.GraphNode) {
	if !p.seen[n.NodeID] {
		p.seen[n.NodeID] = true
		p.nodes[n.NodeType] = append(p.nodes[n.NodeType], n)
	}
}

func (p *picture) edge(e gateway.GraphEdge) {
	if !p.drawn[e] {
		p.drawn[e] = true
		p.out.Edges = append(p.out.Edges, e)
	}
}

func (p *picture) edges(sql, id string) (edges []gateway.GraphEdge, err error) {
	err = p.db.query(p.ctx, sql, []any{id}, func(r row) error {
		edges = append(edges, scanEdge(r))
		return nil
	})
	return edges, err
}
