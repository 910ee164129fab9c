package gateway

// A Proof is a proof of RFC 6962 about the journal's tree: that the record Seq
// is in the tree of Size records (GET /v1/journal/inclusion), or that the tree
// of OldSize records is its beginning (GET /v1/journal/consistency). Hashes are
// in base64.
type Proof struct {
	Seq     int64    `json:"seq,omitempty"`
	OldSize int64    `json:"old_size,omitempty"`
	Size    int64    `json:"size"`
	Hashes  []string `json:"hashes"`
}

// A PruneRequest removes the inputs that only decisions before a time have:
// POST /v1/journal/prune.
type PruneRequest struct {
	Before Time   `json:"before"`
	Reason string `json:"reason"`
}

// A PruneResult says how many parts of inputs were removed.
type PruneResult struct {
	Removed    int        `json:"removed"`
	DecisionID DecisionID `json:"decision_id"`
}
