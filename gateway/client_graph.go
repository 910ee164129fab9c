package gateway

import (
	"context"
	"net/http"
)

// A GraphQuery narrows a list of the graph; zero fields do not.
type GraphQuery struct {
	Type   string
	Target TargetID // nodes alone
	Node   string   // edges alone: those that begin or end there
	Limit  int
	// PageToken is the NextPageToken of the page before.
	PageToken string
}

// Graph is the newest attempts of a target, or of all for an empty one, with
// what they belong to and what they left. A limit of 0 leaves the number of
// attempts to the gateway.
func (c *Client) Graph(ctx context.Context, target TargetID, limit int) (Graph, error) {
	var out Graph
	err := c.do(ctx, call{method: http.MethodGet, path: []string{"v1", "graph"}, idempotent: true,
		query: query("target", string(target), "limit", positive(limit))}, &out)
	return out, err
}

// GraphNodes lists nodes, newest first, a page at a time.
func (c *Client) GraphNodes(ctx context.Context, q GraphQuery) (GraphNodeList, error) {
	var out GraphNodeList
	err := c.do(ctx, call{method: http.MethodGet, path: []string{"v1", "graph", "nodes"}, idempotent: true,
		query: query("type", q.Type, "target", string(q.Target), "limit", positive(q.Limit), "page_token", q.PageToken)}, &out)
	return out, err
}

// GraphNode is one node by its id, such as task:demo/guide. An id that the
// graph does not have is ErrNotFound.
func (c *Client) GraphNode(ctx context.Context, id string) (GraphNode, error) {
	var out GraphNode
	err := c.do(ctx, call{method: http.MethodGet, path: []string{"v1", "graph", "nodes", id}, idempotent: true}, &out)
	return out, err
}

// GraphEdges lists edges, a page at a time.
func (c *Client) GraphEdges(ctx context.Context, q GraphQuery) (GraphEdgeList, error) {
	var out GraphEdgeList
	err := c.do(ctx, call{method: http.MethodGet, path: []string{"v1", "graph", "edges"}, idempotent: true,
		query: query("type", q.Type, "node", q.Node, "limit", positive(q.Limit), "page_token", q.PageToken)}, &out)
	return out, err
}
