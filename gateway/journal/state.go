package journal

import (
	"maps"
	"sync"

	"leviathan/gateway"
)

// A State is what the journal knows about one target, as of FactsSeq: the
// `state` part of a policy's input, and in Go more for the server. It is
// shared and must not be changed.
type State struct {
	FactsSeq int64 `json:"facts_seq"`
	// Open counts pull requests created or intended and not seen merged or
	// closed.
	Open int `json:"open"`
	// InFlight counts attempts that hold a slot themselves: reserved, running
	// or pushed, and without such a pull request.
	InFlight int `json:"in_flight"`
	Live     int `json:"live"`
	// ReservedToday counts the attempts created on ReservedDay; use Today for
	// the count of another day.
	ReservedToday int                           `json:"reserved_today"`
	Circuit       CircuitState                  `json:"circuit"`
	Tasks         map[gateway.TaskID]*TaskState `json:"tasks"`
	// ReservedUS are the times at which the last attempts were created, newest
	// first, at most MaxReserved, in microseconds since 1970 UTC; and OpenPulls
	// what is known of each pull request that Open counts. Both are for rules of
	// an operator's own, in a plan; nil elsewhere.
	ReservedUS []int64    `json:"reserved_us,omitzero"`
	OpenPulls  []OpenPull `json:"open_pulls,omitzero"`

	Target gateway.TargetID `json:"-"`
	// Registered reports whether target.registered was recorded.
	Registered *TargetRegistered `json:"-"`
	// ReservedDay is the last UTC day on which an attempt was created, as
	// 2006-01-02; empty before the first.
	ReservedDay string `json:"-"`
	// Attempts are the live ones. Their leases are as new as the State that
	// the call returned, though renewals do not move FactsSeq.
	Attempts map[gateway.AttemptID]*Attempt `json:"-"`
	// PullRequests are the open and the intended ones, oldest first.
	PullRequests []*PullRequest `json:"-"`
	HaltAll      *gateway.Halt  `json:"-"`
	HaltTarget   *gateway.Halt  `json:"-"`
	// Unlisted is what forge.observed said last, at UnlistedAt.
	Unlisted   []UnlistedPull `json:"-"`
	UnlistedAt gateway.Time   `json:"-"`

	parts *stateParts
}

// A CircuitState is a target's breaker. Times are microseconds since 1970 UTC,
// 0 for none.
type CircuitState struct {
	State           gateway.Circuit `json:"state"`
	Cause           string          `json:"cause"` // "", failures or infrastructure
	OpenedUS        int64           `json:"opened_us"`
	UntilUS         int64           `json:"until_us"`
	CooldownSeconds int64           `json:"cooldown_seconds"`
	// Consecutive counts counted failures since the last pull request or
	// circuit.closed.
	Consecutive int `json:"consecutive"`
	// Infrastructure counts failures of the machinery since then or since the
	// last counted failure.
	Infrastructure int `json:"infrastructure"`
	// InfrastructureTask is the task that all of those are of, if it is one.
	InfrastructureTask gateway.TaskID    `json:"infrastructure_task"`
	Probe              gateway.AttemptID `json:"probe"`
}

// A TaskState is what the journal knows about one task.
type TaskState struct {
	Completed     bool   `json:"completed"`
	ClosedDigest  string `json:"closed_digest"`
	Blocked       bool   `json:"blocked"`
	BlockedDigest string `json:"blocked_digest"`
	Digest        string `json:"digest"` // of the last attempt
	Attempts      int    `json:"attempts"`
	// Counted and Infrastructure are of Digest, since the last task.unblocked.
	Counted        int               `json:"counted"`
	Infrastructure int               `json:"infrastructure"`
	LastFailureUS  int64             `json:"last_failure_us"`
	Live           gateway.AttemptID `json:"live"`
	// OpenPR is the number of the task's open pull request, 0 for none, -1 for
	// an intended one whose number the forge has not said.
	OpenPR int `json:"open_pr"`
}

// MaxReserved is how many of the last reservations a State tells one by one.
const MaxReserved = 256

// An OpenPull is a pull request, open or intended, as a plan's policy sees it.
type OpenPull struct {
	TaskID    gateway.TaskID    `json:"task_id"`
	AttemptID gateway.AttemptID `json:"attempt_id"`
	Number    int               `json:"number"` // 0: the forge has not said
	// IntendedUS is when the gateway set out to open it, in microseconds since
	// 1970 UTC.
	IntendedUS int64 `json:"intended_us"`
	// Review, Conflicts and Edited are what the forge showed last.
	Review    string `json:"review"`
	Conflicts bool   `json:"conflicts"`
	Edited    bool   `json:"edited"`
}

// stateParts keeps the JSON of a State, made at most once for each form.
type stateParts struct {
	once  [2]sync.Once
	part  [2]Part
	error [2]error
}

// Today is the number of attempts created on the UTC day of now. A day before
// the last one seen (a clock that went back) gets the last one's count: too
// many rather than too few.
func (s *State) Today(now gateway.Time) int {
	if now.UTC().Format(dayLayout) > s.ReservedDay {
		return 0
	}
	return s.ReservedToday
}

const dayLayout = "2006-01-02"

// Part is the state as a part of a policy's input at the time now: canonical
// JSON with its digest, made once and shared. Safe for concurrent use.
func (s *State) Part(now gateway.Time) (Part, error) {
	form := 0
	if s.Today(now) != s.ReservedToday {
		form = 1
	}
	p := s.parts
	p.once[form].Do(func() {
		view := *s
		if form == 1 {
			view.ReservedToday = 0
		}
		p.part[form], p.error[form] = NewPart(&view)
	})
	return p.part[form], p.error[form]
}

// NewPart is v as a part: its canonical JSON and the digest of that.
func NewPart(v any) (Part, error) {
	b, err := Canonical(v)
	if err != nil {
		return Part{}, err
	}
	return PartOf(b), nil
}

// PartOf is canonical JSON as a part.
func PartOf(canonical []byte) Part { return Part{Digest: digestText(sum(canonical)), Bytes: canonical} }

// with is a copy of s that shares what did not change and can be filled anew.
func (s *State) with(seq int64) *State {
	next := *s
	next.FactsSeq = seq
	next.Tasks = maps.Clone(s.Tasks)
	next.parts = &stateParts{}
	return &next
}
