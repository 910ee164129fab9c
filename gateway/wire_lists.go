package gateway

import "encoding/json"

// An AttemptItem is an attempt in a list.
type AttemptItem struct {
	AttemptID     AttemptID    `json:"attempt_id"`
	TaskID        TaskID       `json:"task_id"`
	Target        TargetID     `json:"target"`
	Status        AttemptState `json:"status"`
	State         AttemptState `json:"state"`
	AttemptNumber int          `json:"attempt_number"`
	Timestamp     Time         `json:"timestamp"`
	StartedAt     Time         `json:"started_at"`
	EndedAt       Time         `json:"ended_at"`
	FailureType   FailureType  `json:"failure_type,omitempty"`
	ErrorSummary  string       `json:"error_summary,omitempty"`
	Invalidated   bool         `json:"invalidated,omitempty"`
	PRURL         *string      `json:"pr_url"`
	PRNumber      *int         `json:"pr_number"`
	// The rest is what the forge showed last of the pull request. Review,
	// conflicts and edits are known of one on GitHub alone: see PullRequestItem.
	PRState     PullRequestState `json:"pr_state,omitempty"`
	PRReview    string           `json:"pr_review,omitempty"`
	PRConflicts bool             `json:"pr_conflicts,omitempty"`
	PREdited    bool             `json:"pr_edited,omitempty"`
	// External marks what an ingested event claimed.
	External bool `json:"external,omitempty"`
}

// An AttemptList is a page of attempts. The key is that of release 0.4.
type AttemptList struct {
	Attempts      []AttemptItem `json:"attempts"`
	Count         int           `json:"count"`
	NextPageToken string        `json:"next_page_token,omitempty"`
}

// A Node is a node of the graph, as release 0.4 showed it.
type Node struct {
	NodeID     string         `json:"node_id"`
	NodeType   string         `json:"node_type"`
	Properties map[string]any `json:"properties"`
	CreatedAt  Time           `json:"created_at"`
	UpdatedAt  Time           `json:"updated_at"`
}

// An AttemptDetail is all that the journal has about one attempt. Unknown ids
// answer with a nil node and empty lists.
type AttemptDetail struct {
	Node      *Node      `json:"attempt_node"`
	Events    []Event    `json:"events"`
	Artifacts []Artifact `json:"artifacts"`
}

// A PullRequestItem is a pull request as the forge showed it last.
type PullRequestItem struct {
	Number    int              `json:"pr_number"` // 0: not seen yet
	URL       string           `json:"pr_url"`
	AttemptID AttemptID        `json:"attempt_id"`
	TaskID    TaskID           `json:"task_id"`
	State     PullRequestState `json:"state"`
	// Review is none, commented, approved or changes_requested; empty where
	// the forge has no reviews.
	Review string `json:"review,omitempty"`
	// Conflicts says that its branch no longer goes with its base.
	Conflicts bool `json:"conflicts,omitempty"`
	// Edited says that a human changed it: the gateway never touches it again.
	Edited bool `json:"edited,omitempty"`
}

// A TaskItem is a task in a list, with what keeps it from running.
type TaskItem struct {
	TaskID         TaskID   `json:"task_id"`
	Title          string   `json:"title"`
	Status         string   `json:"status"` // open, running, proposed, completed, blocked, closed or invalid
	Eligible       bool     `json:"eligible"`
	Reasons        []Reason `json:"reasons"`
	NextEligibleAt Time     `json:"next_eligible_at"`
	Digest         string   `json:"digest"`
	Attempts       int      `json:"attempts"`
	Line           int      `json:"line"`
	// PullRequest is the task's open one.
	PullRequest *PullRequestItem `json:"pull_request,omitempty"`
}

// A TaskList is a page of a target's tasks.
type TaskList struct {
	Items         []TaskItem `json:"items"`
	NextPageToken string     `json:"next_page_token,omitempty"`
}

// A DecisionItem is a recorded decision.
type DecisionItem struct {
	ID           DecisionID      `json:"id"`
	Action       string          `json:"action"`
	Subject      json.RawMessage `json:"subject"`
	Resource     json.RawMessage `json:"resource"`
	Decision     bool            `json:"decision"`
	Reasons      []Reason        `json:"reasons"`
	Input        json.RawMessage `json:"input,omitempty"`
	Result       json.RawMessage `json:"result,omitempty"`
	Revision     string          `json:"revision"`
	PolicyDigest string          `json:"policy_digest"`
	InputDigest  string          `json:"input_digest"`
	DryRun       bool            `json:"dry_run"`
	Masked       bool            `json:"masked,omitempty"` // a mask took parts of it before it was recorded
	Target       TargetID        `json:"target,omitempty"`
	TaskID       TaskID          `json:"task_id,omitempty"`
	AttemptID    AttemptID       `json:"attempt_id,omitempty"`
	Recorded     Recorded        `json:"recorded"`
}

// Recorded is where a record stands in the journal.
type Recorded struct {
	Seq  int64  `json:"seq"`
	At   Time   `json:"at"`
	Leaf string `json:"leaf"` // hex SHA-256
}

// A DecisionList is a page of decisions, newest first.
type DecisionList struct {
	Items         []DecisionItem `json:"items"`
	NextPageToken string         `json:"next_page_token,omitempty"`
}
