package gateway

import "encoding/json"

// An Event is a fact that happened, in the envelope that release 0.4 used
// with the additions of 0.5.
type Event struct {
	EventID       string          `json:"event_id"`
	EventType     string          `json:"event_type"`
	Timestamp     Time            `json:"timestamp"`
	ActorID       string          `json:"actor_id,omitempty"`
	Payload       json.RawMessage `json:"payload"`
	SchemaVersion int             `json:"schema_version,omitempty"`
	Target        TargetID        `json:"target,omitempty"`
	TaskID        TaskID          `json:"task_id,omitempty"`
	AttemptID     AttemptID       `json:"attempt_id,omitempty"`
	// Seq is the record's place in the journal; 0 before it is appended.
	Seq int64 `json:"seq,omitempty"`
	// Origin is who vouches for a record of the journal: gateway, or external
	// for what others claimed. The journal sets it; what a bundle says of it
	// counts for nothing.
	Origin string `json:"origin,omitempty"`
}

// SchemaVersion is the major version of the event schema that this release
// writes. Events of a later one are refused.
const SchemaVersion = 1

// The event types that the gateway itself emits. An attempt's token may not
// append any of them but EventArtifactCreated.
const (
	EventTargetRegistered   = "target.registered"
	EventTaskCreated        = "task.created"
	EventTaskBlocked        = "task.blocked"
	EventTaskUnblocked      = "task.unblocked"
	EventTaskCompleted      = "task.completed"
	EventAttemptCreated     = "attempt.created"
	EventAttemptStarted     = "attempt.started"
	EventAttemptPushed      = "attempt.pushed"
	EventAttemptSucceeded   = "attempt.succeeded"
	EventAttemptFailed      = "attempt.failed"
	EventAttemptCancelled   = "attempt.cancelled"
	EventAttemptExpired     = "attempt.expired"
	EventAttemptInvalidated = "attempt.invalidated"
	EventAttemptEvidence    = "attempt.evidence"
	EventLeaseRenewed       = "lease.renewed"
	EventPushIntended       = "push.intended"
	EventPushVoided         = "push.voided"
	EventPushRefused        = "push.refused"
	EventPullIntended       = "pr.intended"
	EventPullVoided         = "pr.voided"
	EventPullCreated        = "pr.created"
	EventPullObserved       = "pr.observed"
	EventPullMerged         = "pr.merged"
	EventPullClosed         = "pr.closed"
	EventArtifactCreated    = "artifact.created"
	EventRetryScheduled     = "retry.scheduled"
	EventJobSubmitted       = "job.submitted"
	EventCycleCompleted     = "cycle.completed"
	EventAutonomyHalted     = "autonomy.halted"
	EventAutonomyResumed    = "autonomy.resumed"
	EventCircuitOpened      = "circuit.opened"
	EventCircuitHalfOpened  = "circuit.half_opened"
	EventCircuitClosed      = "circuit.closed"
	EventBundleActivated    = "bundle.activated"
	EventBundleRejected     = "bundle.rejected"
	EventViolationDetected  = "violation.detected"
	EventTokenCreated       = "token.created"
	EventTokenRevoked       = "token.revoked"
	EventForgeObserved      = "forge.observed"
	EventForgeProbed        = "forge.probed"
	EventConfigObserved     = "config.observed"
	EventClockAccepted      = "clock.accepted"
	EventGatewayStarted     = "gateway.started"
	EventRefusedEvicted     = "refused.evicted"
)

// EventJobWaiting is what a scheduler claims of a Job whose Pod does not start:
// its payload has reason and message, in Kubernetes' words. The gateway never
// emits it, stores it as any claim, and shows the newest one of an attempt that
// was not started in time.
const EventJobWaiting = "job.waiting"

// EventTypes lists every type that the gateway emits or knows, in the order
// above. Any other type is stored and not projected.
func EventTypes() []string {
	return []string{
		EventTargetRegistered, EventTaskCreated, EventTaskBlocked, EventTaskUnblocked, EventTaskCompleted,
		EventAttemptCreated, EventAttemptStarted, EventAttemptPushed, EventAttemptSucceeded, EventAttemptFailed,
		EventAttemptCancelled, EventAttemptExpired, EventAttemptInvalidated, EventAttemptEvidence, EventLeaseRenewed,
		EventPushIntended, EventPushVoided, EventPushRefused,
		EventPullIntended, EventPullVoided, EventPullCreated, EventPullObserved, EventPullMerged, EventPullClosed,
		EventArtifactCreated, EventRetryScheduled, EventJobSubmitted, EventCycleCompleted,
		EventAutonomyHalted, EventAutonomyResumed, EventCircuitOpened, EventCircuitHalfOpened, EventCircuitClosed,
		EventBundleActivated, EventBundleRejected, EventViolationDetected, EventTokenCreated, EventTokenRevoked,
		EventForgeObserved, EventForgeProbed, EventConfigObserved, EventClockAccepted, EventGatewayStarted, EventRefusedEvicted,
	}
}
