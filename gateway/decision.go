package gateway

import "encoding/json"

// A Role is what a credential is good for.
type Role string

// The roles. Gateway is the process itself: its ticker and its git door.
const (
	RoleOperator  Role = "operator"
	RoleScheduler Role = "scheduler"
	RoleReader    Role = "reader"
	RoleIngest    Role = "ingest"
	RoleAttempt   Role = "attempt"
	RoleGateway   Role = "gateway"
)

// An Entity is a subject or a resource of a question, as AuthZEN 1.0 has it.
type Entity struct {
	Type       string         `json:"type"`
	ID         string         `json:"id"`
	Properties map[string]any `json:"properties,omitempty"`
}

// An Action is what the subject wants to do.
type Action struct {
	Name       string         `json:"name"`
	Properties map[string]any `json:"properties,omitempty"`
}

// A Question is what a component asks before it acts: OpenID AuthZEN
// Authorization API 1.0, the body of POST /access/v1/evaluation.
type Question struct {
	Subject  Entity         `json:"subject"`
	Action   Action         `json:"action"`
	Resource Entity         `json:"resource"`
	Context  map[string]any `json:"context,omitempty"`
}

// A Reason says why something was denied, or why a task is not running.
type Reason struct {
	// Code is stable: <package>.<snake_case>.
	Code    string `json:"code"`
	Message string `json:"message"`
	// Rule is the policy package that gave the reason.
	Rule string `json:"rule,omitempty"`
	// Path is the changed path that the reason is about, if it is about one.
	Path   string `json:"path,omitempty"`
	Remedy string `json:"remedy,omitempty"`
}

// A Decision is a recorded answer. Allow is true only if the policy said so
// and gave no reason against it.
type Decision struct {
	ID           DecisionID      `json:"id"`
	Allow        bool            `json:"-"`
	Reasons      []Reason        `json:"reasons"`
	Obligations  json.RawMessage `json:"obligations"`
	Revision     string          `json:"revision"`
	PolicyDigest string          `json:"policy_digest"`
	InputDigest  string          `json:"input_digest"`
	EvaluatedAt  Time            `json:"evaluated_at"`
	DryRun       bool            `json:"dry_run"`
	// Error says why a question of a batch was none that could be asked. Such
	// a one is denied and was not decided: it has no id.
	Error *EvaluationError `json:"error,omitempty"`
}

// An EvaluationError is what is wrong with one question of a batch, as AuthZEN
// 1.0 has it. Status is the HTTP status that the question alone would get.
type EvaluationError struct {
	Status  int    `json:"status"`
	Message string `json:"message"`
}

// An Evaluation is the AuthZEN form of a decision.
type Evaluation struct {
	Decision bool     `json:"decision"`
	Context  Decision `json:"context"`
}

// The actions that questions are asked about.
const (
	ActionCyclePlan         = "cycle.plan"
	ActionAttemptStart      = "attempt.start"
	ActionAgentRun          = "agent.run"
	ActionAttemptHeartbeat  = "attempt.heartbeat"
	ActionRepositoryFetch   = "repository.fetch"
	ActionChangePush        = "change.push"
	ActionAttemptEvidence   = "attempt.evidence"
	ActionArtifactPut       = "artifact.put"
	ActionAttemptFinish     = "attempt.finish"
	ActionPullRequestOpen   = "pull_request.open"
	ActionPullRequestNote   = "pull_request.annotate"
	ActionAttemptLost       = "attempt.lost"
	ActionAttemptExpire     = "attempt.expire"
	ActionAutonomyHalt      = "autonomy.halt"
	ActionAutonomyResume    = "autonomy.resume"
	ActionCircuitReset      = "circuit.reset"
	ActionAttemptCancel     = "attempt.cancel"
	ActionAttemptInvalidate = "attempt.invalidate"
	ActionTaskRetry         = "task.retry"
	ActionClockAccept       = "clock.accept"
	ActionTokenCreate       = "token.create"
	ActionTokenRevoke       = "token.revoke"
	ActionBundleActivate    = "bundle.activate"
	ActionBundleRollback    = "bundle.rollback"
	ActionBundleReplay      = "bundle.replay"
	ActionJournalPrune      = "journal.prune"
	ActionEventAppend       = "event.append"
	ActionForgeObserve      = "forge.observe"
	ActionRouteRead         = "route.read"
	ActionInvariantsCheck   = "invariants.check"
)

// Actions lists every action of the contract, in the order above. Any other
// is denied for everybody.
func Actions() []string {
	return []string{
		ActionCyclePlan, ActionAttemptStart, ActionAgentRun, ActionAttemptHeartbeat, ActionRepositoryFetch, ActionChangePush,
		ActionAttemptEvidence, ActionArtifactPut, ActionAttemptFinish, ActionPullRequestOpen, ActionPullRequestNote,
		ActionAttemptLost, ActionAttemptExpire, ActionAutonomyHalt, ActionAutonomyResume, ActionCircuitReset,
		ActionAttemptCancel, ActionAttemptInvalidate, ActionTaskRetry, ActionClockAccept, ActionTokenCreate, ActionTokenRevoke,
		ActionBundleActivate, ActionBundleRollback, ActionBundleReplay, ActionJournalPrune, ActionEventAppend, ActionForgeObserve,
		ActionRouteRead, ActionInvariantsCheck,
	}
}
