package gateway

import "slices"

// An AttemptState is where one run at a task stands.
type AttemptState string

// The states of an attempt. Reserved, running, pushed and proposed are live;
// the others are terminal.
const (
	Reserved  AttemptState = "reserved"  // a slot is taken, no worker has started
	Running   AttemptState = "running"   // the lease lives, the agent may work
	Pushed    AttemptState = "pushed"    // the commit is on the upstream
	Proposed  AttemptState = "proposed"  // the pull request is open and read back
	Succeeded AttemptState = "succeeded" // the worker said finish after that
	Failed    AttemptState = "failed"    // it ended with a FailureType
	Cancelled AttemptState = "cancelled" // switch, halt or operator stopped it
	Expired   AttemptState = "expired"   // its start deadline or lease ran out
)

// transitions is the one table by which attempts change state.
var transitions = map[AttemptState][]AttemptState{
	"":       {Reserved},
	Reserved: {Running, Failed, Cancelled, Expired},
	Running:  {Pushed, Failed, Cancelled, Expired},
	Pushed:   {Proposed, Failed, Cancelled, Expired},
	Proposed: {Succeeded, Failed, Cancelled, Expired},
}

// CanBecome reports whether an attempt in state s may change to next. The
// empty state is that of an attempt that does not exist yet.
func (s AttemptState) CanBecome(next AttemptState) bool {
	return slices.Contains(transitions[s], next)
}

// Live reports whether the attempt has not ended.
func (s AttemptState) Live() bool {
	return s == Reserved || s == Running || s == Pushed || s == Proposed
}

// InFlight reports whether the attempt itself holds a pull-request slot. From
// Proposed on the pull request holds it.
func (s AttemptState) InFlight() bool { return s == Reserved || s == Running || s == Pushed }

// Leased reports whether the attempt lives by heartbeats.
func (s AttemptState) Leased() bool { return s == Running || s == Pushed || s == Proposed }

// AttemptStates lists every state in the order of an attempt's life.
func AttemptStates() []AttemptState {
	return []AttemptState{Reserved, Running, Pushed, Proposed, Succeeded, Failed, Cancelled, Expired}
}

// A FailureType says why an attempt failed.
type FailureType string

// The failure types. The first six count for the task's attempts and the
// circuit breaker; the others are faults of the machinery and have a count of
// their own.
const (
	AgentError   FailureType = "agent_error"
	Timeout      FailureType = "timeout"
	NoChange     FailureType = "no_change"
	VerifyFailed FailureType = "verify_failed"
	Denied       FailureType = "denied"
	Sandbox      FailureType = "sandbox"

	Lost     FailureType = "lost"
	Launch   FailureType = "launch"
	Upstream FailureType = "upstream"
	Internal FailureType = "internal"
)

// Counts reports whether a failure of this type counts against the task's
// attempt limit and the target's circuit breaker.
func (f FailureType) Counts() bool {
	switch f {
	case AgentError, Timeout, NoChange, VerifyFailed, Denied, Sandbox:
		return true
	}
	return false
}

// Valid reports whether f is one of the failure types.
func (f FailureType) Valid() bool {
	return f.Counts() || f == Lost || f == Launch || f == Upstream || f == Internal
}

// A PullRequestState is where a pull request stands, as it was last observed.
type PullRequestState string

// The states of a pull request. Intended means that it was decided and is not
// yet seen on the forge; it holds its slot like an open one.
const (
	PullRequestIntended PullRequestState = "intended"
	PullRequestOpen     PullRequestState = "open"
	PullRequestMerged   PullRequestState = "merged"
	PullRequestClosed   PullRequestState = "closed"
	// PullRequestVoid is an intent that the forge never showed.
	PullRequestVoid PullRequestState = "void"
)

// A Circuit is the state of a target's breaker.
type Circuit string

// The states of a breaker.
const (
	CircuitClosed   Circuit = "closed"
	CircuitOpen     Circuit = "open"
	CircuitHalfOpen Circuit = "half_open"
)
