package journal

import "leviathan/gateway"

// The type of the event that carries each payload.

func (TargetRegistered) EventType() string   { return gateway.EventTargetRegistered }
func (TaskCreated) EventType() string        { return gateway.EventTaskCreated }
func (TaskBlocked) EventType() string        { return gateway.EventTaskBlocked }
func (TaskUnblocked) EventType() string      { return gateway.EventTaskUnblocked }
func (TaskCompleted) EventType() string      { return gateway.EventTaskCompleted }
func (RetryScheduled) EventType() string     { return gateway.EventRetryScheduled }
func (CircuitOpened) EventType() string      { return gateway.EventCircuitOpened }
func (CircuitHalfOpened) EventType() string  { return gateway.EventCircuitHalfOpened }
func (CircuitClosed) EventType() string      { return gateway.EventCircuitClosed }
func (AutonomyHalted) EventType() string     { return gateway.EventAutonomyHalted }
func (AutonomyResumed) EventType() string    { return gateway.EventAutonomyResumed }
func (TokenCreated) EventType() string       { return gateway.EventTokenCreated }
func (TokenRevoked) EventType() string       { return gateway.EventTokenRevoked }
func (ForgeObserved) EventType() string      { return gateway.EventForgeObserved }
func (ForgeProbed) EventType() string        { return gateway.EventForgeProbed }
func (ConfigObserved) EventType() string     { return gateway.EventConfigObserved }
func (BundleActivated) EventType() string    { return gateway.EventBundleActivated }
func (BundleRejected) EventType() string     { return gateway.EventBundleRejected }
func (CycleCompleted) EventType() string     { return gateway.EventCycleCompleted }
func (ClockAccepted) EventType() string      { return gateway.EventClockAccepted }
func (GatewayStarted) EventType() string     { return gateway.EventGatewayStarted }
func (RefusedEvicted) EventType() string     { return gateway.EventRefusedEvicted }
func (ViolationDetected) EventType() string  { return gateway.EventViolationDetected }
func (AttemptCreated) EventType() string     { return gateway.EventAttemptCreated }
func (AttemptStarted) EventType() string     { return gateway.EventAttemptStarted }
func (LeaseRenewed) EventType() string       { return gateway.EventLeaseRenewed }
func (AttemptEvidence) EventType() string    { return gateway.EventAttemptEvidence }
func (PushIntended) EventType() string       { return gateway.EventPushIntended }
func (PushVoided) EventType() string         { return gateway.EventPushVoided }
func (PushRefused) EventType() string        { return gateway.EventPushRefused }
func (AttemptPushed) EventType() string      { return gateway.EventAttemptPushed }
func (PullIntended) EventType() string       { return gateway.EventPullIntended }
func (PullVoided) EventType() string         { return gateway.EventPullVoided }
func (PullCreated) EventType() string        { return gateway.EventPullCreated }
func (PullObserved) EventType() string       { return gateway.EventPullObserved }
func (PullMerged) EventType() string         { return gateway.EventPullMerged }
func (PullClosed) EventType() string         { return gateway.EventPullClosed }
func (AttemptInvalidated) EventType() string { return gateway.EventAttemptInvalidated }
func (ArtifactCreated) EventType() string    { return gateway.EventArtifactCreated }

// EventType is attempt.succeeded, attempt.failed, attempt.cancelled or
// attempt.expired, after the status.
func (e AttemptEnded) EventType() string { return "attempt." + string(e.Status) }
