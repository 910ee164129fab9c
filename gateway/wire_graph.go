package gateway

// The types of nodes, in the order from a target to what came of it.
const (
	NodeTarget      = "Target"
	NodeTask        = "Task"
	NodeAttempt     = "Attempt"
	NodeArtifact    = "Artifact"
	NodePullRequest = "PullRequest"
)

// NodeTypes lists the types of nodes, in the order above.
func NodeTypes() []string {
	return []string{NodeTarget, NodeTask, NodeAttempt, NodeArtifact, NodePullRequest}
}

// The types of edges. The journal stores EdgeDependsOn, from a task to one
// that it waits for, and EdgeProduced, from an attempt to what it left.
// EdgeContains is drawn from the nodes themselves, in a Graph alone: from a
// target to its tasks, and from a task to its attempts.
const (
	EdgeDependsOn = "DEPENDS_ON"
	EdgeProduced  = "PRODUCED"
	EdgeContains  = "CONTAINS"
)

// EdgeTypes lists the types of edges that the journal stores.
func EdgeTypes() []string { return []string{EdgeDependsOn, EdgeProduced} }

// A GraphNode is a node of the graph with where it belongs. State is an
// attempt's or a pull request's, empty for the other types.
type GraphNode struct {
	Node
	Target TargetID `json:"target"`
	State  string   `json:"state"`
	// External marks what an ingested event claimed.
	External bool `json:"external"`
}

// A GraphEdge leads from the node Source to the node Sink. A node that only
// edges name, such as a task that another waits for and that never began, is
// in no list of nodes.
type GraphEdge struct {
	EdgeType string `json:"edge_type"`
	Source   string `json:"source"`
	Sink     string `json:"sink"`
	External bool   `json:"external"`
}

// A Graph is a piece of the graph, as a picture shows it: the newest attempts
// with their targets, tasks, artifacts and pull requests, newest first by type
// in the order of NodeTypes: GET /v1/graph.
type Graph struct {
	Nodes []GraphNode `json:"nodes"`
	Edges []GraphEdge `json:"edges"`
	// Truncated says that there are older attempts.
	Truncated bool `json:"truncated"`
}

// A GraphNodeList is a page of nodes, newest first: GET /v1/graph/nodes.
type GraphNodeList struct {
	Items         []GraphNode `json:"items"`
	NextPageToken string      `json:"next_page_token,omitempty"`
}

// A GraphEdgeList is a page of edges, in order of type, source and sink: GET
// /v1/graph/edges.
type GraphEdgeList struct {
	Items         []GraphEdge `json:"items"`
	NextPageToken string      `json:"next_page_token,omitempty"`
}
