package gateway

import (
	"context"
	"io"
	"net/http"
	"strconv"
)

// Policy says which policy governs, and what became of the newest candidate.
func (c *Client) Policy(ctx context.Context) (PolicyStatus, error) {
	var out PolicyStatus
	err := c.do(ctx, call{method: http.MethodGet, path: []string{"v1", "policy"}, idempotent: true}, &out)
	return out, err
}

// PolicyHistory lists the policies that governed, newest first, at most limit
// of them; 0 leaves it to the gateway.
func (c *Client) PolicyHistory(ctx context.Context, limit int) (PolicyHistory, error) {
	var out PolicyHistory
	err := c.do(ctx, call{method: http.MethodGet, path: []string{"v1", "policy", "history"}, query: query("limit", positive(limit)), idempotent: true}, &out)
	return out, err
}

// PolicyCoverage says which rules were the reason of a decision since a time;
// the zero time means all.
func (c *Client) PolicyCoverage(ctx context.Context, since Time) (PolicyCoverage, error) {
	var out PolicyCoverage
	err := c.do(ctx, call{method: http.MethodGet, path: []string{"v1", "policy", "coverage"}, query: query("since", since.String()), idempotent: true, long: true}, &out)
	return out, err
}

// ReplayPolicy decides the journal again by a candidate, a tar.gz, or by the
// one that waits if bundle is empty. It changes nothing.
func (c *Client) ReplayPolicy(ctx context.Context, bundle []byte, since Time, target TargetID) (ReplayReport, error) {
	var out ReplayReport
	err := c.do(ctx, call{method: http.MethodPost, path: []string{"v1", "policy", "replay"}, query: query("since", since.String(), "target", string(target)),
		raw: bundle, endless: true}, &out)
	return out, err
}

// ActivatePolicy takes the candidate that waits, knowing what it flips.
func (c *Client) ActivatePolicy(ctx context.Context, req PolicyChangeRequest) (PolicyStatus, error) {
	var out PolicyStatus
	err := c.do(ctx, call{method: http.MethodPost, path: []string{"v1", "policy", "activate"}, body: req, endless: true}, &out)
	return out, err
}

// RollBackPolicy makes an earlier policy govern again.
func (c *Client) RollBackPolicy(ctx context.Context, req PolicyChangeRequest) (PolicyStatus, error) {
	var out PolicyStatus
	err := c.do(ctx, call{method: http.MethodPost, path: []string{"v1", "policy", "rollback"}, body: req, long: true}, &out)
	return out, err
}

// A DecisionLogQuery selects decisions in the order of the journal. After is
// the seq of the last one that the caller has; Follow goes on until the
// context ends.
type DecisionLogQuery struct {
	After  int64
	Since  Time
	Target TargetID
	Action string
	Follow bool
}

// DecisionLog streams decisions as lines of JSON in the form of OPA's decision
// log. The caller closes it.
func (c *Client) DecisionLog(ctx context.Context, q DecisionLogQuery) (io.ReadCloser, error) {
	follow := ""
	if q.Follow {
		follow = "true"
	}
	return c.stream(ctx, call{method: http.MethodGet, path: []string{"v1", "decisions"}, accept: "application/x-ndjson", idempotent: true,
		query: query("after", strconv.FormatInt(q.After, 10), "since", q.Since.String(), "target", string(q.Target), "action", q.Action, "follow", follow)})
}

// JournalBackup streams the journal's database as it is now. The caller closes
// it.
func (c *Client) JournalBackup(ctx context.Context) (io.ReadCloser, error) {
	return c.stream(ctx, call{method: http.MethodGet, path: []string{"v1", "journal", "backup"}, accept: "application/vnd.sqlite3"})
}

// JournalExport streams every record, a line of JSON each. The caller closes
// it.
func (c *Client) JournalExport(ctx context.Context) (io.ReadCloser, error) {
	return c.stream(ctx, call{method: http.MethodGet, path: []string{"v1", "journal", "export"}, accept: "application/x-ndjson"})
}

// PruneJournal removes the inputs that only decisions before a time have.
func (c *Client) PruneJournal(ctx context.Context, req PruneRequest) (PruneResult, error) {
	var out PruneResult
	err := c.do(ctx, call{method: http.MethodPost, path: []string{"v1", "journal", "prune"}, body: req, endless: true}, &out)
	return out, err
}

// InclusionProof proves that the record seq is in the tree of the first size.
func (c *Client) InclusionProof(ctx context.Context, seq, size int64) (Proof, error) {
	var out Proof
	err := c.do(ctx, call{method: http.MethodGet, path: []string{"v1", "journal", "inclusion"}, idempotent: true,
		query: query("seq", strconv.FormatInt(seq, 10), "size", strconv.FormatInt(size, 10))}, &out)
	return out, err
}

// ConsistencyProof proves that the tree of the first oldSize records is the
// beginning of the tree of the first size.
func (c *Client) ConsistencyProof(ctx context.Context, oldSize, size int64) (Proof, error) {
	var out Proof
	err := c.do(ctx, call{method: http.MethodGet, path: []string{"v1", "journal", "consistency"}, idempotent: true,
		query: query("old_size", strconv.FormatInt(oldSize, 10), "size", strconv.FormatInt(size, 10))}, &out)
	return out, err
}

// WhyDecision decides one decision again with every step shown: of the rules
// that denied it, or of all.
func (c *Client) WhyDecision(ctx context.Context, id DecisionID, all bool) (DecisionWhy, error) {
	every := ""
	if all {
		every = "true"
	}
	var out DecisionWhy
	err := c.do(ctx, call{method: http.MethodGet, path: []string{"v1", "decisions", string(id), "why"}, query: query("all", every), idempotent: true, long: true}, &out)
	return out, err
}
