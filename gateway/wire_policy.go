package gateway

import "encoding/json"

// A PolicyStatus says which policy governs, and what became of the newest
// candidate: GET /v1/policy.
type PolicyStatus struct {
	Active PolicyVersion `json:"active"`
	// Previous is what a rollback without a revision returns to; nil if no
	// other policy ever governed.
	Previous *PolicyVersion `json:"previous"`
	// Candidate is what the source has, if it is not what governs.
	Candidate *PolicyCandidate `json:"candidate"`
	// Source is where policies come from, and SourceProblem why it cannot be
	// read; the policy that governs goes on.
	Source        string `json:"source"`
	SourceProblem string `json:"source_problem,omitempty"`
	// MaskedDecisions is the number of decisions of which a mask took parts
	// before they were stored: they cannot be replayed.
	MaskedDecisions int64 `json:"masked_decisions"`
}

// A PolicyVersion is a policy that governs or governed.
type PolicyVersion struct {
	Revision     string `json:"revision"`
	PolicyDigest string `json:"policy_digest"`
	Source       string `json:"source"`
	// Cause is start, reload or rollback.
	Cause string `json:"cause"`
	Since Time   `json:"since"`
	By    string `json:"by,omitempty"`
}

// A PolicyCandidate is a policy on its way through the gate.
type PolicyCandidate struct {
	Revision     string       `json:"revision"`
	PolicyDigest string       `json:"policy_digest"`
	Source       string       `json:"source"`
	SeenAt       Time         `json:"seen_at"`
	Steps        []PolicyStep `json:"steps"`
	// Problem says why it is not active.
	Problem string   `json:"problem"`
	Reasons []Reason `json:"reasons"`
	// DecisionID is the decision that refused it; empty if it did not come so
	// far.
	DecisionID DecisionID `json:"decision_id,omitempty"`
	// Flips are the counts of its replay; nil if it did not come so far.
	Flips FlipCounts `json:"flips"`
	// Shadow is what it would have answered to live questions since.
	Shadow *ShadowReport `json:"shadow"`
}

// How a step of the gate ended.
const (
	StepHeld     = "held"
	StepRefused  = "refused"
	StepNotAsked = "not_asked"
)

// A PolicyStep is one step of the gate and how it ended.
type PolicyStep struct {
	Step     string       `json:"step"`
	Outcome  string       `json:"outcome"`
	Seconds  float64      `json:"seconds"`
	Detail   string       `json:"detail,omitempty"`
	Problems []Diagnostic `json:"problems,omitempty"`
}

// A FlipClass says how another policy's answer differs from the one on record.
type FlipClass string

// The classes, the gravest first. An answer is of the first that fits.
const (
	// FlipError: the other policy gives no answer that can be used.
	FlipError FlipClass = "error"
	// FlipDenyToAllow: what was denied would be allowed.
	FlipDenyToAllow FlipClass = "deny_to_allow"
	// FlipAllowToDeny: what was allowed would be denied.
	FlipAllowToDeny FlipClass = "allow_to_deny"
	// FlipReasons: denied both times, for other reasons.
	FlipReasons FlipClass = "reasons"
	// FlipObligations: the same answer with other demands: other tasks
	// reserved, another lease.
	FlipObligations FlipClass = "obligations"
)

// FlipClasses are all classes, the gravest first.
func FlipClasses() []FlipClass {
	return []FlipClass{FlipError, FlipDenyToAllow, FlipAllowToDeny, FlipReasons, FlipObligations}
}

// FlipCounts are numbers of flips by class.
type FlipCounts map[FlipClass]int

// A Flip is one decision that another policy would decide differently.
type Flip struct {
	Class    FlipClass  `json:"class"`
	Decision DecisionID `json:"decision_id"`
	Seq      int64      `json:"seq,omitempty"` // of the record; 0 for a live question
	Action   string     `json:"action"`
	Target   TargetID   `json:"target,omitempty"`
	Task     TaskID     `json:"task_id,omitempty"`
	Attempt  AttemptID  `json:"attempt_id,omitempty"`
	DryRun   bool       `json:"dry_run"`
	// Gone and New are the codes of the reasons that only the record, and only
	// the other policy, gives.
	Gone []string `json:"gone"`
	New  []string `json:"new"`
}

// A FlipGroup counts the flips that have one thing in common: a rule's code,
// an action, a task or a target.
type FlipGroup struct {
	Name   string     `json:"name"`
	Counts FlipCounts `json:"counts"`
}

// A ReplayReport is what a candidate would have decided: POST
// /v1/policy/replay.
type ReplayReport struct {
	Revision     string `json:"revision"`
	PolicyDigest string `json:"policy_digest"`
	// Compared decisions were decided again; Unchanged of them gave the same
	// bytes.
	Compared  int `json:"compared"`
	Unchanged int `json:"unchanged"`
	// NotReplayable counts the decisions that could not be decided again, by
	// why: pruned, masked, or not_the_policys (it ran out of time, or what it
	// was about moved).
	NotReplayable map[string]int `json:"not_replayable"`
	Counts        FlipCounts     `json:"counts"`
	ByRule        []FlipGroup    `json:"by_rule"`
	ByAction      []FlipGroup    `json:"by_action"`
	ByTask        []FlipGroup    `json:"by_task"`
	ByTarget      []FlipGroup    `json:"by_target"`
	// Flips are the first of each class, at most 100 each, in journal order.
	Flips []Flip `json:"flips"`
	// PullRequests are those that the candidate would not have let happen.
	PullRequests []LostPull `json:"pull_requests"`
	// Slow lists the actions that take the candidate more than half of their
	// time.
	Slow    []SlowAction `json:"slow"`
	Seconds float64      `json:"seconds"`
}

// A SlowAction is one of which one evaluation in ten takes this long or longer,
// of at least twenty.
type SlowAction struct {
	Action          string  `json:"action"`
	Seconds         float64 `json:"seconds"`
	DeadlineSeconds float64 `json:"deadline_seconds"`
}

// A LostPull is a pull request that another policy would not have let happen.
type LostPull struct {
	Target     TargetID   `json:"target"`
	Task       TaskID     `json:"task_id"`
	Attempt    AttemptID  `json:"attempt_id"`
	Number     int        `json:"pr_number"`
	URL        string     `json:"pr_url"`
	DecisionID DecisionID `json:"decision_id"` // the first one that would have stopped it
}

// A ShadowReport is what a candidate would have answered to live questions.
type ShadowReport struct {
	Compared int `json:"compared"`
	// Dropped questions came faster than the candidate answered.
	Dropped int        `json:"dropped"`
	Counts  FlipCounts `json:"counts"`
	// Flips are the latest ones, newest first.
	Flips []Flip `json:"flips"`
}

// A PolicyChangeRequest activates the waiting candidate or rolls back: POST
// /v1/policy/activate, POST /v1/policy/rollback.
type PolicyChangeRequest struct {
	// PolicyDigest, or Revision, names the policy that is meant. Empty: the
	// candidate, or the previous policy.
	PolicyDigest string `json:"policy_digest,omitempty"`
	Revision     string `json:"revision,omitempty"`
	// Accept are the classes of flips that the operator has looked at.
	Accept []FlipClass `json:"accept,omitempty"`
	// Reason is required, and journalled with who asked.
	Reason string `json:"reason"`
}

// A PolicyHistory lists the policies that governed, newest first: GET
// /v1/policy/history.
type PolicyHistory struct {
	Items []PolicyVersion `json:"items"`
}

// A PolicyCoverage says which rules were the reason of a decision since a
// time, and which a test makes one: GET /v1/policy/coverage.
type PolicyCoverage struct {
	Revision string         `json:"revision"`
	Since    Time           `json:"since"`
	Items    []RuleCoverage `json:"items"`
	// TestProblem says why the policy's own tests say little: one fails.
	TestProblem string `json:"test_problem,omitempty"`
}

// A RuleCoverage is one rule that denies.
type RuleCoverage struct {
	Code    string `json:"code"`
	Title   string `json:"title"`
	Package string `json:"package"`
	File    string `json:"file"`
	Line    int    `json:"line"`
	Fired   int64  `json:"fired"`
	Tested  bool   `json:"tested"`
}

// A DecisionWhy is one decision, decided again by the policy that decided it:
// GET /v1/decisions/{decision}/why. Rules, of which the API documents give the
// shape, say how far each rule came; Text says the same for a terminal.
type DecisionWhy struct {
	ID      DecisionID      `json:"id"`
	Allow   bool            `json:"allow"`
	Reasons []Reason        `json:"reasons"`
	Rules   json.RawMessage `json:"rules"`
	Text    string          `json:"text"`
}
