package spider

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"leviathan/gateway"
)

// other is the label of whatever is in no closed set.
const other = "other"

// maxID is the longest id that is kept.
const maxID = 200

// external is the origin of what others claimed.
const external = "external"

// eventTypes are the types that have a label of their own.
var eventTypes = func() map[string]bool {
	known := map[string]bool{}
	for _, t := range gateway.EventTypes() {
		known[t] = true
	}
	return known
}()

// A said is what the fold reads of a payload, of whatever type. A field of
// another form than ours is a claim that says nothing.
type said struct {
	AttemptID   gateway.AttemptID   `json:"attempt_id"`
	TaskID      gateway.TaskID      `json:"task_id"`
	TargetID    gateway.TargetID    `json:"target_id"`
	Digest      string              `json:"digest"`
	FailureType gateway.FailureType `json:"failure_type"`
	PRNumber    int                 `json:"pr_number"`
	Cause       string              `json:"cause"`
	Outcome     string              `json:"outcome"`
	Unlisted    []json.RawMessage   `json:"unlisted"`
}

// count takes one event in. It must have been seen to be new.
func (s *Spider) count(st *state, e *gateway.Event, now time.Time) {
	st.Received++
	st.LastReceived = now.UnixMicro()
	label := e.EventType
	if !eventTypes[label] {
		label = other
	}
	st.Types[label]++
	if e.Origin == external {
		st.Claims++
		return
	}
	if label == other {
		return
	}
	var p said
	if json.Unmarshal(e.Payload, &p) != nil {
		p = said{} // the envelope still says what it says
	}
	f := fold{st: st, event: e, said: p, at: e.Timestamp.UnixMicro(), attempt: e.AttemptID}
	if f.attempt == "" {
		f.attempt = p.AttemptID
	}
	id := e.Target
	if id == "" {
		id = p.TargetID
	}
	taskID := e.TaskID
	if taskID == "" {
		taskID = p.TaskID
	}
	f.named = id != ""
	f.label = st.label(id, s.maxTargets)
	if taskID != "" {
		f.task = string(id) + "/" + string(taskID)
	}
	if len(f.attempt) > maxID || len(f.task) > maxID {
		st.Untracked++
		return
	}
	f.apply()
}

// label is the label of a target: its id while there is room.
func (st *state) label(id gateway.TargetID, most int) string {
	name := string(id)
	if !id.Valid() || st.Targets[name] == nil && st.named() >= most {
		name = other
	}
	return name
}

// named counts the targets with a label of their own.
func (st *state) named() int {
	n := len(st.Targets)
	if st.Targets[other] != nil {
		n--
	}
	return n
}

// A fold is one event on its way into the state.
type fold struct {
	st      *state
	event   *gateway.Event
	said    said
	at      int64 // microseconds
	named   bool  // it is about a target
	label   string
	task    string // key of the task; "" for none
	attempt gateway.AttemptID
}

// target is what is counted under the event's label.
func (f *fold) target() *target {
	t := f.st.Targets[f.label]
	if t == nil {
		t = &target{}
		f.st.Targets[f.label] = t
	}
	return t
}

// within is v if it is one of the known words, else "other".
func within(v string, known ...string) string {
	if slices.Contains(known, v) {
		return v
	}
	return other
}

// add counts in a map that may not be there yet.
func add(m *map[string]uint64, key string) {
	if *m == nil {
		*m = map[string]uint64{}
	}
	(*m)[key]++
}

// apply moves the state by what the event says.
func (f *fold) apply() {
	switch f.event.EventType {
	case gateway.EventTargetRegistered:
		f.target()
	case gateway.EventTaskCreated:
		f.taskCreated()
	case gateway.EventTaskBlocked:
		f.withTask(func(t *task) { t.Blocked = true })
	case gateway.EventTaskUnblocked:
		f.withTask(func(t *task) { t.Blocked, t.Failed, t.Declined = false, nil, "" })
	case gateway.EventTaskCompleted:
		delete(f.st.Tasks, f.task)
	case gateway.EventAttemptCreated:
		f.attemptCreated()
	case gateway.EventAttemptStarted:
		f.moves(gateway.Running)
	case gateway.EventAttemptPushed:
		f.moves(gateway.Pushed)
	case gateway.EventAttemptSucceeded:
		f.ended(gateway.Succeeded)
	case gateway.EventAttemptFailed:
		f.ended(gateway.Failed)
	case gateway.EventAttemptCancelled:
		f.ended(gateway.Cancelled)
	case gateway.EventAttemptExpired:
		f.ended(gateway.Expired)
	case gateway.EventAttemptInvalidated:
		f.withTask(func(t *task) {
			t.Failed = slices.DeleteFunc(t.Failed, func(id gateway.AttemptID) bool { return id == f.attempt })
		})
	case gateway.EventPullIntended, gateway.EventPullCreated, gateway.EventPullVoided, gateway.EventPullMerged, gateway.EventPullClosed, gateway.EventForgeObserved:
		f.applyPull()
	case gateway.EventCycleCompleted:
		t := f.target()
		t.LastCycle = max(t.LastCycle, f.at)
		add(&t.Cycles, within(f.said.Outcome, gateway.CycleWorked, gateway.CycleIdle, gateway.CycleDenied, gateway.CycleUnknown))
	case gateway.EventAutonomyHalted, gateway.EventAutonomyResumed:
		f.halt(f.event.EventType == gateway.EventAutonomyHalted)
	case gateway.EventCircuitOpened:
		f.target().Circuit = string(gateway.CircuitOpen)
		add(&f.target().Opened, within(f.said.Cause, "failures", "infrastructure"))
	case gateway.EventCircuitHalfOpened:
		f.target().Circuit = string(gateway.CircuitHalfOpen)
	case gateway.EventCircuitClosed:
		f.target().Circuit = string(gateway.CircuitClosed)
	}
}

// halt notes that a halt began or ended: of the target, or of all.
func (f *fold) halt(on bool) {
	if on {
		f.st.Halts++
	}
	if !f.named {
		f.st.HaltedAll = on
		return
	}
	f.target().Halted = on
}

// withTask changes a task that is under way; it comes to be when it has to.
func (f *fold) withTask(change func(*task)) {
	if f.task == "" {
		return
	}
	t := f.st.Tasks[f.task]
	if t == nil {
		if len(f.st.Tasks) >= maxTracked {
			f.st.Untracked++
			return
		}
		f.target()
		t = &task{Target: f.label}
		f.st.Tasks[f.task] = t
	}
	change(t)
}

func (f *fold) taskCreated() {
	f.withTask(func(t *task) {
		if t.Ready == 0 {
			t.Ready = f.at
		}
	})
}

func (f *fold) attemptCreated() {
	f.withTask(func(t *task) {
		if t.Digest != f.said.Digest && len(f.said.Digest) <= maxID { // another task by the same name: its count begins anew
			t.Digest, t.Failed, t.Blocked = f.said.Digest, nil, false
		}
	})
	if f.attempt == "" || f.st.Attempts[f.attempt] != nil {
		return
	}
	if len(f.st.Attempts) >= maxTracked {
		f.st.Untracked++
		return
	}
	f.target()
	f.st.Attempts[f.attempt] = &attempt{Target: f.label, State: gateway.Reserved}
}

// moves brings a live attempt into its next state.
func (f *fold) moves(next gateway.AttemptState) {
	a := f.st.Attempts[f.attempt]
	if a == nil || !a.State.CanBecome(next) {
		return
	}
	a.State = next
	if next == gateway.Running {
		a.Started = f.at
	}
}

// maxFailed bounds the failures that are kept of one task.
const maxFailed = 128

// ended takes a live attempt away and counts how it ended.
func (f *fold) ended(outcome gateway.AttemptState) {
	t := f.target()
	failure := ""
	if outcome == gateway.Failed {
		if failure = other; f.said.FailureType.Valid() {
			failure = string(f.said.FailureType)
		}
	}
	add(&t.Ended, string(outcome)+"/"+failure)
	if a := f.st.Attempts[f.attempt]; a != nil {
		if h := t.Durations[string(outcome)].observe(attemptBounds, a.Started, f.at); h != nil {
			if t.Durations == nil {
				t.Durations = map[string]*histogram{}
			}
			t.Durations[string(outcome)] = h
		}
		delete(f.st.Attempts, f.attempt)
	}
	if outcome == gateway.Failed && f.said.FailureType.Counts() && f.attempt != "" {
		f.withTask(func(t *task) {
			if len(t.Failed) < maxFailed && !slices.Contains(t.Failed, f.attempt) {
				t.Failed = append(t.Failed, f.attempt)
			}
		})
	}
}

// pullKey is the key of a pull request: that of its attempt, or its number
// where 0.4 said no more.
func (f *fold) pullKey() string {
	if f.attempt != "" {
		return string(f.attempt)
	}
	return f.label + "#" + strconv.Itoa(f.said.PRNumber)
}
