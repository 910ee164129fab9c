package gateway

import (
	"context"
	"io"
	"net/http"
	"strconv"
)

// The calls that make an attempt's life: the scheduler's, then the worker's
// in the order in which it makes them, then the operator's.

func attemptPath(id AttemptID, rest ...string) []string {
	return append([]string{"v1", "attempts", string(id)}, rest...)
}

func targetPath(target TargetID, rest ...string) []string {
	return append([]string{"v1", "targets", string(target)}, rest...)
}

// Cycle asks for one plan of a target's backlog. A denied or unknown outcome
// is a result, not an error. A lost answer is safe to ask again: the result
// lists also the attempts that are still reserved.
func (c *Client) Cycle(ctx context.Context, target TargetID, req CycleRequest) (CycleResult, error) {
	var out CycleResult
	err := c.do(ctx, call{method: http.MethodPost, path: targetPath(target, "cycle"), body: req, idempotent: true, long: true}, &out)
	return out, err
}

// Lost reports a worker that is gone.
func (c *Client) Lost(ctx context.Context, id AttemptID, req LostRequest) error {
	return c.do(ctx, call{method: http.MethodPost, path: attemptPath(id, "lost"), body: req}, nil)
}

// Start takes the attempt's lease and learns what may run. The same instance
// gets the same answer again; another one gets ErrConflict with the code
// attempt.already_started.
func (c *Client) Start(ctx context.Context, id AttemptID, req StartRequest) (StartResult, error) {
	var out StartResult
	err := c.do(ctx, call{method: http.MethodPost, path: attemptPath(id, "start"), body: req, idempotent: true, long: true}, &out)
	return out, err
}

// Heartbeat renews the lease. It is sent once: its rhythm is the caller's.
func (c *Client) Heartbeat(ctx context.Context, id AttemptID, req HeartbeatRequest) (HeartbeatResult, error) {
	var out HeartbeatResult
	err := c.do(ctx, call{method: http.MethodPost, path: attemptPath(id, "heartbeat"), body: req, tries: 1}, &out)
	return out, err
}

// PutArtifact appends data to the attempt's artifact at offset, which is the
// artifact's size so far. A piece that had arrived is accepted again when it
// says the same; ErrConflict means that the artifact has another size.
func (c *Client) PutArtifact(ctx context.Context, id AttemptID, name string, offset int64, data []byte) error {
	if data == nil {
		data = []byte{}
	}
	return c.do(ctx, call{method: http.MethodPut, path: attemptPath(id, "artifacts", name),
		query: query("offset", strconv.FormatInt(offset, 10)), raw: data, idempotent: true}, nil)
}

// GetArtifact reads an artifact. The caller closes it.
func (c *Client) GetArtifact(ctx context.Context, id AttemptID, name string) (io.ReadCloser, error) {
	return c.stream(ctx, call{method: http.MethodGet, path: attemptPath(id, "artifacts", name), accept: "text/plain", idempotent: true})
}

// Evidence records what the worker's verifications said about a tree.
func (c *Client) Evidence(ctx context.Context, id AttemptID, evidence Evidence) error {
	if evidence.Results == nil {
		evidence.Results = []EvidenceResult{}
	}
	return c.do(ctx, call{method: http.MethodPost, path: attemptPath(id, "evidence"), body: evidence}, nil)
}

// OpenPullRequest asks for the attempt's pull request. It may be asked again:
// an attempt has at most one.
func (c *Client) OpenPullRequest(ctx context.Context, id AttemptID, req PullRequestRequest) (PullRequestResult, error) {
	var out PullRequestResult
	err := c.do(ctx, call{method: http.MethodPost, path: attemptPath(id, "pull-request"), body: req, idempotent: true, long: true}, &out)
	return out, err
}

// Finish ends the attempt. After a lost answer a second call gets
// ErrConflict, which then says that the first one arrived.
func (c *Client) Finish(ctx context.Context, id AttemptID, req FinishRequest) (FinishResult, error) {
	var out FinishResult
	err := c.do(ctx, call{method: http.MethodPost, path: attemptPath(id, "finish"), body: req}, &out)
	return out, err
}

// Cancel stops an attempt.
func (c *Client) Cancel(ctx context.Context, id AttemptID, reason string) error {
	return c.do(ctx, call{method: http.MethodPost, path: attemptPath(id, "cancel"), body: ReasonRequest{Reason: reason}}, nil)
}

// Invalidate takes an attempt out of the task's count and the breaker's; a
// live one is cancelled first.
func (c *Client) Invalidate(ctx context.Context, id AttemptID, reason string) error {
	return c.do(ctx, call{method: http.MethodPost, path: attemptPath(id, "invalidate"), body: ReasonRequest{Reason: reason}}, nil)
}

// Retry unblocks a task that has used up its attempts or was closed by a
// human.
func (c *Client) Retry(ctx context.Context, target TargetID, task TaskID, reason string) error {
	return c.do(ctx, call{method: http.MethodPost, path: targetPath(target, "tasks", string(task), "retry"), body: ReasonRequest{Reason: reason}}, nil)
}

// An AttemptQuery narrows a list of attempts; zero fields do not. State is a
// state, or "live" for every attempt that has not ended.
type AttemptQuery struct {
	Target    TargetID
	State     string
	Limit     int
	PageToken string
}

// Attempts lists attempts, newest first, a page at a time.
func (c *Client) Attempts(ctx context.Context, q AttemptQuery) (AttemptList, error) {
	var out AttemptList
	err := c.do(ctx, call{method: http.MethodGet, path: []string{"v1", "attempts"}, idempotent: true,
		query: query("target", string(q.Target), "state", q.State, "limit", positive(q.Limit), "page_token", q.PageToken)}, &out)
	return out, err
}

// Attempt shows one attempt with its events and artifacts. An unknown id has
// a nil node.
func (c *Client) Attempt(ctx context.Context, id AttemptID) (AttemptDetail, error) {
	var out AttemptDetail
	err := c.do(ctx, call{method: http.MethodGet, path: attemptPath(id), idempotent: true}, &out)
	return out, err
}

// Tasks lists a target's backlog with what keeps each task from running.
func (c *Client) Tasks(ctx context.Context, target TargetID, pageToken string) (TaskList, error) {
	var out TaskList
	err := c.do(ctx, call{method: http.MethodGet, path: targetPath(target, "tasks"), idempotent: true,
		query: query("page_token", pageToken)}, &out)
	return out, err
}

// TryLimit is a target's next plan as it is, and with another value of the
// limit of its config that key names, such as max_open_prs or
// limits.max_tasks_per_day. Nothing changes by it. A key that is no limit, and
// a value with which no config would load, are ErrInvalid; a config that is not
// valid now is ErrConflict.
func (c *Client) TryLimit(ctx context.Context, target TargetID, key string, value int) (PlanTrial, error) {
	var out PlanTrial
	err := c.do(ctx, call{method: http.MethodGet, path: targetPath(target, "plan"), idempotent: true, long: true,
		query: query("key", key, "value", strconv.Itoa(value))}, &out)
	return out, err
}

// A Failure is a failed attempt in a list, as release 0.4 showed it. Error is
// the attempt's error summary.
type Failure struct {
	AttemptID AttemptID `json:"attempt_id"`
	TaskID    TaskID    `json:"task_id"`
	Target    TargetID  `json:"target"`
	Error     string    `json:"error"`
	Timestamp Time      `json:"timestamp"`
}

// A FailureList is a page of failures. The key is that of release 0.4.
type FailureList struct {
	Failures      []Failure `json:"failures"`
	Count         int       `json:"count"`
	NextPageToken string    `json:"next_page_token,omitempty"`
}

// Failures lists failed attempts, newest first. An empty target means all, a
// limit of 0 the server's default.
func (c *Client) Failures(ctx context.Context, target TargetID, limit int) (FailureList, error) {
	var out FailureList
	err := c.do(ctx, call{method: http.MethodGet, path: []string{"v1", "failures"}, idempotent: true,
		query: query("target", string(target), "limit", positive(limit))}, &out)
	return out, err
}
