package gateway

import (
	"context"
	"io"
	"net/http"
)

// The calls of operators and readers.

// Status says what governs each target now: switch, halts, breakers, limits
// and the age of every fact.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var out Status
	err := c.do(ctx, call{method: http.MethodGet, path: []string{"v1", "autonomy", "status"}, idempotent: true}, &out)
	return out, err
}

// Halt stops a target, or everything when req.Target is nil, until Resume.
func (c *Client) Halt(ctx context.Context, req ReasonRequest) error {
	return c.do(ctx, call{method: http.MethodPost, path: []string{"v1", "autonomy", "halt"}, body: req, idempotent: true}, nil)
}

// Resume lifts a halt.
func (c *Client) Resume(ctx context.Context, req ReasonRequest) error {
	return c.do(ctx, call{method: http.MethodPost, path: []string{"v1", "autonomy", "resume"}, body: req}, nil)
}

// ResetCircuit closes a target's breaker.
func (c *Client) ResetCircuit(ctx context.Context, target TargetID, reason string) error {
	return c.do(ctx, call{method: http.MethodPost, path: targetPath(target, "circuit", "reset"), body: ReasonRequest{Reason: reason}}, nil)
}

// AcceptClock lets a gateway go on whose clock went backwards.
func (c *Client) AcceptClock(ctx context.Context, reason string) error {
	return c.do(ctx, call{method: http.MethodPost, path: []string{"v1", "clock", "accept"}, body: ReasonRequest{Reason: reason}}, nil)
}

// Evaluate asks one question by hand. The answer is journalled and has no
// effect.
func (c *Client) Evaluate(ctx context.Context, q Question) (Evaluation, error) {
	var out Evaluation
	err := c.do(ctx, call{method: http.MethodPost, path: []string{"access", "v1", "evaluation"}, body: q, idempotent: true}, &out)
	out.Context.Allow = out.Decision
	return out, err
}

// A PartialQuestion is one evaluation of a batch; what it leaves out, the
// batch supplies.
type PartialQuestion struct {
	Subject  *Entity        `json:"subject,omitempty"`
	Action   *Action        `json:"action,omitempty"`
	Resource *Entity        `json:"resource,omitempty"`
	Context  map[string]any `json:"context,omitempty"`
}

// The semantics of a batch: ask everything, or stop at the first answer of a
// kind.
const (
	ExecuteAll          = "execute_all"
	DenyOnFirstDeny     = "deny_on_first_deny"
	PermitOnFirstPermit = "permit_on_first_permit"
)

// A Batch is several questions at once, in the form of AuthZEN 1.0: the body
// of POST /access/v1/evaluations. Its own fields are defaults.
type Batch struct {
	PartialQuestion
	Evaluations []PartialQuestion `json:"evaluations"`
	Options     BatchOptions      `json:"options"`
}

// BatchOptions choose the semantics; empty means ExecuteAll.
type BatchOptions struct {
	Semantic string `json:"evaluations_semantic,omitempty"`
}

// EvaluateBatch asks several questions by hand. With a semantics that stops
// early the answers are fewer than the questions.
func (c *Client) EvaluateBatch(ctx context.Context, b Batch) ([]Evaluation, error) {
	var out EvaluationList
	err := c.do(ctx, call{method: http.MethodPost, path: []string{"access", "v1", "evaluations"}, body: b, idempotent: true}, &out)
	for i := range out.Evaluations {
		out.Evaluations[i].Context.Allow = out.Evaluations[i].Decision
	}
	return out.Evaluations, err
}

// A DecisionQuery narrows a list of decisions; zero fields do not.
type DecisionQuery struct {
	Action    string
	Outcome   string // allow or deny
	Code      string // of a reason
	Target    TargetID
	Task      TaskID
	Attempt   AttemptID
	Revision  string
	Since     Time
	Until     Time
	Limit     int
	PageToken string
}

// Decisions lists recorded decisions, newest first, a page at a time, without
// their inputs.
func (c *Client) Decisions(ctx context.Context, q DecisionQuery) (DecisionList, error) {
	var out DecisionList
	err := c.do(ctx, call{method: http.MethodGet, path: []string{"v1", "decisions"}, idempotent: true,
		query: query("action", q.Action, "outcome", q.Outcome, "code", q.Code, "target", string(q.Target),
			"task", string(q.Task), "attempt", string(q.Attempt), "revision", q.Revision,
			"since", q.Since.String(), "until", q.Until.String(),
			"limit", positive(q.Limit), "page_token", q.PageToken)}, &out)
	return out, err
}

// Decision shows one decision with the input it was made from.
func (c *Client) Decision(ctx context.Context, id DecisionID) (DecisionItem, error) {
	var out DecisionItem
	err := c.do(ctx, call{method: http.MethodGet, path: []string{"v1", "decisions", string(id)}, idempotent: true}, &out)
	return out, err
}

// DecisionBundle reads what a refused push carried, as a git bundle. The
// caller closes it.
func (c *Client) DecisionBundle(ctx context.Context, id DecisionID) (io.ReadCloser, error) {
	return c.stream(ctx, call{method: http.MethodGet, path: []string{"v1", "decisions", string(id), "bundle"},
		accept: "application/octet-stream, */*", idempotent: true})
}

// Tokens lists the components' tokens, without their secrets.
func (c *Client) Tokens(ctx context.Context) (TokenList, error) {
	var out TokenList
	err := c.do(ctx, call{method: http.MethodGet, path: []string{"v1", "tokens"}, idempotent: true}, &out)
	return out, err
}

// CreateToken makes a component's token. Its secret is in this answer and
// nowhere else.
func (c *Client) CreateToken(ctx context.Context, req TokenRequest) (TokenResult, error) {
	var out TokenResult
	err := c.do(ctx, call{method: http.MethodPost, path: []string{"v1", "tokens"}, body: req}, &out)
	return out, err
}

// RevokeToken ends a component's token at once.
func (c *Client) RevokeToken(ctx context.Context, id string) error {
	return c.do(ctx, call{method: http.MethodDelete, path: []string{"v1", "tokens", id}}, nil)
}

// Checkpoint is a signed note of the journal's Merkle tree, as text.
func (c *Client) Checkpoint(ctx context.Context) (string, error) {
	var out string
	err := c.do(ctx, call{method: http.MethodGet, path: []string{"v1", "journal", "checkpoint"}, accept: "text/plain", idempotent: true}, &out)
	return out, err
}

// JWKS is the set of public keys that attempts' tokens are signed with (RFC
// 7517), as text.
func (c *Client) JWKS(ctx context.Context) (string, error) {
	var out string
	err := c.do(ctx, call{method: http.MethodGet, path: []string{".well-known", "jwks.json"}, idempotent: true}, &out)
	return out, err
}
