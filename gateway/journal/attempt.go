package journal

import (
	"encoding/json"

	"leviathan/gateway"
)

// An Attempt is one run at a task as the journal knows it: the `attempt` part
// of a policy's input, and in Go more for the server. It is shared and must
// not be changed; set Lease on a copy.
type Attempt struct {
	ID              gateway.AttemptID    `json:"id"`
	TaskID          gateway.TaskID       `json:"task_id"`
	Target          gateway.TargetID     `json:"target"`
	State           gateway.AttemptState `json:"state"`
	Number          int                  `json:"number"`
	Digest          string               `json:"digest"`
	BaseCommit      gateway.OID          `json:"base_commit"`
	Branch          string               `json:"branch"`
	Agent           string               `json:"agent"`
	Instance        string               `json:"instance"`
	CreatedUS       int64                `json:"created_us"`
	StartDeadlineUS int64                `json:"start_deadline_us"`
	DeadlineUS      int64                `json:"deadline_us"`
	PushAttempts    int                  `json:"push_attempts"` // refused pushes
	HasPushIntent   bool                 `json:"has_push_intent"`
	PushedCommit    gateway.OID          `json:"pushed_commit"`
	Evidence        *gateway.Evidence    `json:"evidence"`
	Probe           bool                 `json:"probe"`
	// Lease is not the journal's: leases count in monotonic time, which the
	// process that renews them has. The journal leaves it zero.
	Lease Lease        `json:"lease"`
	Task  gateway.Task `json:"task"` // as it was reserved

	// Seq is the last record that changed the attempt, lease.renewed,
	// push.refused and attempt.evidence included, which leave FactsSeq alone.
	Seq            int64               `json:"-"`
	TimeoutSeconds int64               `json:"-"`
	LeaseSeconds   int64               `json:"-"`
	LeaseExpiresAt gateway.Time        `json:"-"` // in the time of records
	StartedAt      gateway.Time        `json:"-"`
	EndedAt        gateway.Time        `json:"-"`
	FailureType    gateway.FailureType `json:"-"`
	ErrorSummary   string              `json:"-"`
	Invalidated    bool                `json:"-"`
	Progress       string              `json:"-"`
	DecisionID     gateway.DecisionID  `json:"-"` // that reserved it
	// StartDecision is the decision that started it.
	StartDecision gateway.DecisionID `json:"-"`
	TraceParent   string             `json:"-"` // see AttemptCreated
	Intent        *PushIntent        `json:"-"` // a push without receipt
	PushedTree    gateway.OID        `json:"-"`
	PullRequest   *PullRequest       `json:"-"`
}

// A Lease is how long an attempt lives without a heartbeat.
type Lease struct {
	Known            bool  `json:"known"`
	Live             bool  `json:"live"`
	RemainingSeconds int64 `json:"remaining_seconds"`
}

// A PullRequest is an attempt's pull request as it was last seen.
type PullRequest struct {
	AttemptID  gateway.AttemptID        `json:"attempt_id"`
	TaskID     gateway.TaskID           `json:"task_id"`
	Target     gateway.TargetID         `json:"target"`
	Number     int                      `json:"pr_number"` // 0: not known yet
	URL        string                   `json:"pr_url"`
	Branch     string                   `json:"branch_name"`
	Commit     gateway.OID              `json:"commit_sha"`
	Title      string                   `json:"title"`
	State      gateway.PullRequestState `json:"state"`
	How        string                   `json:"how,omitempty"`
	IntendedAt gateway.Time             `json:"intended_at"`
	CreatedAt  gateway.Time             `json:"created_at"`
	EndedAt    gateway.Time             `json:"ended_at"`
	DecisionID gateway.DecisionID       `json:"decision_id"`
	// TextDigest is that of the receipt, by which a human's edit is seen. No
	// policy is told.
	TextDigest string `json:"-"`
	// Review, Conflicts and Edited are what the forge showed last of an open
	// one. Edited says that a human took it over: it is never touched again.
	Review    string `json:"review,omitempty"`
	Conflicts bool   `json:"conflicts,omitempty"`
	Edited    bool   `json:"edited,omitempty"`
}

// selectAttempt reads every column of an attempt with its pull request, if it
// has one that is not void.
const selectAttempt = `SELECT
	a.attempt, a.task, a.target, a.state, a.number, a.digest, a.base_commit, a.branch, a.agent, a.instance,
	a.created_us, a.start_deadline_us, a.deadline_us, a.push_attempts, a.intent, a.pushed_commit, a.pushed_tree,
	a.evidence, a.probe, a.snapshot, a.seq, a.timeout_seconds, a.lease_seconds, a.lease_us, a.started_us, a.ended_us,
	a.failure_type, a.error_summary, a.invalidated, a.progress, a.decision_id, a.start_decision_id,
	p.number, p.url, p.branch, p.commit_sha, p.title, p.state, p.how, p.intended_us, p.created_us, p.ended_us, p.decision_id, p.text_digest,
	p.review, p.conflicts, p.edited, a.trace_parent
	FROM attempt a LEFT JOIN pull_request p ON p.attempt = a.attempt AND p.state <> 'void' `

// scanAttempt reads a row of selectAttempt.
func scanAttempt(r row) (*Attempt, error) {
	a := &Attempt{
		ID: gateway.AttemptID(r.str(0)), TaskID: gateway.TaskID(r.str(1)), Target: gateway.TargetID(r.str(2)),
		State: gateway.AttemptState(r.str(3)), Number: r.int(4), Digest: r.str(5), BaseCommit: gateway.OID(r.str(6)),
		Branch: r.str(7), Agent: r.str(8), Instance: r.str(9), CreatedUS: r.int64(10), StartDeadlineUS: r.int64(11),
		DeadlineUS: r.int64(12), PushAttempts: r.int(13), PushedCommit: gateway.OID(r.str(15)),
		PushedTree: gateway.OID(r.str(16)), Probe: r.bool(18), Seq: r.int64(20), TimeoutSeconds: r.int64(21),
		LeaseSeconds: r.int64(22), LeaseExpiresAt: r.time(23), StartedAt: r.time(24), EndedAt: r.time(25),
		FailureType: gateway.FailureType(r.str(26)), ErrorSummary: r.str(27), Invalidated: r.bool(28),
		Progress: r.str(29), DecisionID: gateway.DecisionID(r.str(30)), StartDecision: gateway.DecisionID(r.str(31)),
		TraceParent: r.str(47),
	}
	if err := json.Unmarshal([]byte(r.str(19)), &a.Task); err != nil {
		return nil, err
	}
	if s := r.str(14); s != "" {
		a.Intent = &PushIntent{}
		if err := json.Unmarshal([]byte(s), a.Intent); err != nil {
			return nil, err
		}
		a.HasPushIntent = true
	}
	if s := r.str(17); s != "" {
		a.Evidence = &gateway.Evidence{}
		if err := json.Unmarshal([]byte(s), a.Evidence); err != nil {
			return nil, err
		}
	}
	if r[37] != nil {
		a.PullRequest = scanPull(r[32:], a.ID, a.TaskID, a.Target)
	}
	return a, nil
}

// scanPull reads number, url, branch, commit_sha, title, state, how,
// intended_us, created_us, ended_us, decision_id, text_digest, review,
// conflicts and edited.
func scanPull(r row, id gateway.AttemptID, task gateway.TaskID, target gateway.TargetID) *PullRequest {
	return &PullRequest{
		AttemptID: id, TaskID: task, Target: target, Number: r.int(0), URL: r.str(1), Branch: r.str(2),
		Commit: gateway.OID(r.str(3)), Title: r.str(4), State: gateway.PullRequestState(r.str(5)), How: r.str(6),
		IntendedAt: r.time(7), CreatedAt: r.time(8), EndedAt: r.time(9), DecisionID: gateway.DecisionID(r.str(10)),
		TextDigest: r.str(11), Review: r.str(12), Conflicts: r.bool(13), Edited: r.bool(14),
	}
}
