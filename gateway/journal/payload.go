package journal

import (
	"encoding/json"

	"leviathan/gateway"
)

// A Payload is what an event of one type says. The structs below are the only
// payloads that projections are folded from.
type Payload interface {
	// EventType is the type of the event that carries the payload.
	EventType() string
	// Ref is what the event is about: the record's target, task and attempt.
	Ref() Subject
}

// A Subject is what an event is about. Empty ids mean none.
type Subject struct {
	TargetID  gateway.TargetID  `json:"target_id,omitempty"`
	TaskID    gateway.TaskID    `json:"task_id,omitempty"`
	AttemptID gateway.AttemptID `json:"attempt_id,omitempty"`
}

// Ref returns s.
func (s Subject) Ref() Subject { return s }

// NewEvent makes the gateway's own event of a payload, said by actor.
func NewEvent(actor string, p Payload) Record {
	about := p.Ref()
	return Record{
		Kind: Event, Origin: Gateway, Type: p.EventType(), Actor: actor,
		Target: about.TargetID, Task: about.TaskID, Attempt: about.AttemptID, Body: p,
	}
}

// TargetRegistered says that the gateway loaded a target for the first time,
// or that its URL or branch changed.
type TargetRegistered struct {
	Subject
	Name          string `json:"name"`
	RepoURL       string `json:"repo_url"`
	DefaultBranch string `json:"default_branch"`
}

// TaskCreated says that a task was first reserved, blocked or completed.
type TaskCreated struct {
	Subject
	Title              string           `json:"title"`
	Scope              string           `json:"scope"`
	Priority           gateway.Priority `json:"priority"`
	EstimatedSize      string           `json:"estimated_size"`
	AllowedPaths       []string         `json:"allowed_paths"`
	AcceptanceCriteria []string         `json:"acceptance_criteria"`
	Dependencies       []gateway.TaskID `json:"dependencies,omitempty"`
	Status             string           `json:"status"`
}

// TaskBlocked says that a task ran out of attempts under the digest.
type TaskBlocked struct {
	Subject
	Digest string `json:"digest"`
	Reason string `json:"reason"`
}

// TaskUnblocked says that an operator wants the task tried again: its counts
// begin anew and a human's close no longer holds.
type TaskUnblocked struct {
	Subject
	Reason string `json:"reason"`
	By     string `json:"by"`
}

// TaskCompleted says that the task's work is done, for good.
type TaskCompleted struct {
	Subject
	Reason   string `json:"reason"`
	PRNumber int    `json:"pr_number,omitempty"`
}

// RetryScheduled says when a failed task may run again.
type RetryScheduled struct {
	Subject
	NotBefore gateway.Time `json:"not_before"`
}

// CircuitOpened says that the target's breaker opened. Cause is failures or
// infrastructure.
type CircuitOpened struct {
	Subject
	Cause           string       `json:"cause"`
	Until           gateway.Time `json:"until"`
	CooldownSeconds int64        `json:"cooldown_seconds"`
}

// CircuitHalfOpened says that one probe may run. Probe is its attempt id.
type CircuitHalfOpened struct {
	Subject
	Probe gateway.AttemptID `json:"probe"`
}

// CircuitClosed says that the breaker closed; the failures before it no longer
// count for it.
type CircuitClosed struct {
	Subject
	Reason string `json:"reason"`
	By     string `json:"by,omitempty"`
}

// AutonomyHalted latches a halt: of Subject's target, or of all when empty.
type AutonomyHalted struct {
	Subject
	Reason string `json:"reason"`
	By     string `json:"by"`
}

// AutonomyResumed releases the halt of Subject's target, or the one of all.
type AutonomyResumed struct {
	Subject
	Reason string `json:"reason"`
	By     string `json:"by"`
}

// TokenCreated says that a component's token exists. Hash is the hex SHA-256
// of its secret; an empty target means all.
type TokenCreated struct {
	Subject
	ID        string       `json:"id"`
	Role      gateway.Role `json:"role"`
	Hash      string       `json:"hash"`
	ExpiresAt gateway.Time `json:"expires_at"`
}

// TokenRevoked says that the token is no longer good.
type TokenRevoked struct {
	Subject
	ID string `json:"id"`
}

// An UnlistedPull is an open pull request with our branch prefix that the
// journal does not know.
type UnlistedPull struct {
	Number int    `json:"number"`
	Branch string `json:"branch"`
}

// ForgeObserved says what the forge showed of a target's pull requests.
type ForgeObserved struct {
	Subject
	ObservedAt gateway.Time   `json:"observed_at"`
	Source     string         `json:"source"`
	Unlisted   []UnlistedPull `json:"unlisted"`
}

// ForgeProbed says how safe the settings of the target's repository were seen
// to be, or why that could not be found out. A gateway appends one at its first
// look and whenever it sees another.
type ForgeProbed struct {
	Subject
	ObservedAt gateway.Time        `json:"observed_at"`
	Source     string              `json:"source"`
	Problem    string              `json:"problem,omitempty"`
	Probe      *gateway.ForgeProbe `json:"probe"` // null with a Problem
}

// ConfigObserved says that the target's config file changed.
type ConfigObserved struct {
	Subject
	State      string       `json:"state"` // valid, invalid or absent
	Digest     string       `json:"digest"`
	Reason     string       `json:"reason,omitempty"`
	Source     string       `json:"source"`
	ObservedAt gateway.Time `json:"observed_at"`
}

// BundleActivated says that decisions are made by this policy from here on.
type BundleActivated struct {
	Subject
	Revision     string `json:"revision"`
	PolicyDigest string `json:"policy_digest"`
	Source       string `json:"source"`
	By           string `json:"by,omitempty"`
	// Cause is start, reload or rollback.
	Cause string `json:"cause,omitempty"`
	// Accepted are the classes of flips that By took, knowing them.
	Accepted []AcceptedFlips `json:"accepted,omitempty"`
	// Steps are those of the gate that the bundle passed, in order.
	Steps []GateStep `json:"steps,omitempty"`
}

// AcceptedFlips is a class of flips that somebody accepted, and why.
type AcceptedFlips struct {
	Class  string `json:"class"`
	Reason string `json:"reason"`
}

// A GateStep is one step of the gate that a bundle passed.
type GateStep struct {
	Step    string  `json:"step"`
	Seconds float64 `json:"seconds"`
	Detail  string  `json:"detail,omitempty"`
}

// BundleRejected says that a policy was not taken, and why. Step is the one of
// the gate that refused it, and Problems what it found.
type BundleRejected struct {
	Subject
	Revision     string               `json:"revision"`
	Source       string               `json:"source"`
	Reason       string               `json:"reason"`
	Step         string               `json:"step,omitempty"`
	PolicyDigest string               `json:"policy_digest,omitempty"`
	Problems     []gateway.Diagnostic `json:"problems,omitempty"`
}

// CycleCompleted says how one cycle ended.
type CycleCompleted struct {
	Subject
	CycleID    string              `json:"cycle_id"`
	DecisionID gateway.DecisionID  `json:"decision_id"`
	Outcome    string              `json:"outcome"`
	HeadCommit gateway.OID         `json:"head_commit"`
	Reserved   []gateway.AttemptID `json:"reserved"`
	Skipped    int                 `json:"skipped"`
}

// ClockAccepted says that the operator takes the wall clock as it is: later
// records start from it, even where that is before this record.
type ClockAccepted struct {
	Subject
	By            string `json:"by"`
	Reason        string `json:"reason"`
	BehindSeconds int64  `json:"behind_seconds"`
}

// GatewayStarted says that a process took over the journal.
type GatewayStarted struct {
	Subject
	Version string `json:"version"`
	Host    string `json:"host,omitempty"`
}

// RefusedEvicted says that refused pushes were removed to make room for newer
// ones, or because of their age.
type RefusedEvicted struct {
	Subject
	Decisions []string `json:"decisions"`
}

// ViolationDetected says that something was seen which no decision allowed.
type ViolationDetected struct {
	Subject
	Code   string          `json:"code"`
	Detail string          `json:"detail"`
	Facts  json.RawMessage `json:"facts,omitempty"`
}
