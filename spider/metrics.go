package spider

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"leviathan/gateway"
)

// freshFor is how old the status may be to be shown.
const freshFor = time.Minute

// The series. Counters end in _total.
var (
	descUp         = desc("leviathan_spider_up", "1 while the spider runs.")
	descReceived   = desc("leviathan_events_received_total", "Events that were counted, each once.")
	descLast       = desc("leviathan_spider_last_event_ts", "When the last event came in, in seconds since 1970; 0 if none did.")
	descTypes      = desc("leviathan_events_total", "Events by type; a type that the contract does not name is other.", "event_type")
	descDuplicates = desc("leviathan_spider_duplicates_total", "Events that came in again and were not counted again.")
	descClaims     = desc("leviathan_spider_claims_total", "Events that others than the gateway claimed; they move no gauge.")
	descRefused    = desc("leviathan_spider_refused_bundles_total", "Bundles that were not well formed, since the start.")
	descUntracked  = desc("leviathan_spider_untracked_total", "Events whose subject is not tracked, because too much is under way or its id is too long.")
	descWrites     = desc("leviathan_spider_state_write_failures_total", "Times that the counts could not be written down.")
	descJournals   = desc("leviathan_spider_journal_changes_total", "Times that the gateway came back with another journal, which is counted from its start.")
	descFollowing  = desc("leviathan_spider_following", "1 while the gateway's status can be read by a spider that follows; 0 when it cannot, or the spider only receives.")
	descCursor     = desc("leviathan_spider_cursor_seq", "Place in the journal of the last event that was followed.")
	descBuild      = desc("leviathan_build_info", "1, with the release and the Go that it was built with.", "component", "version", "go_version")

	descOpenPulls  = desc("leviathan_open_pull_requests", "Pull requests that are intended or open, unlisted ones of the forge among them.", "target")
	descAttempts   = desc("leviathan_live_attempts", "Attempts that have not ended, by state.", "target", "state")
	descRunning    = desc("leviathan_running_attempts", "Attempts that have not ended, as max_running_attempts counts them.", "target")
	descBlocked    = desc("leviathan_blocked_tasks", "Tasks that ran out of attempts.", "target")
	descWorst      = desc("leviathan_task_failures", "Counted failures of the unfinished task that has most of them.", "target")
	descCircuit    = desc("leviathan_circuit_state", "1 for the state that the breaker is in, 0 for the others.", "target", "state")
	descOpened     = desc("leviathan_circuit_opened_total", "Times that the breaker opened, by cause.", "target", "cause")
	descHalted     = desc("leviathan_halted", "1 while a halt of this target is latched.", "target")
	descHaltedAll  = desc("leviathan_halted_all", "1 while a halt of every target is latched.")
	descHalts      = desc("leviathan_halts_total", "Halts, of one target or all.")
	descEnded      = desc("leviathan_attempts_ended_total", "Attempts that ended, by outcome and, for failed ones, failure type.", "target", "outcome", "failure_type")
	descDuration   = desc("leviathan_attempt_duration_seconds", "Time from an attempt's start to its end, by outcome.", "target", "outcome")
	descToPull     = desc("leviathan_task_ready_to_pull_request_seconds", "Time from a task's task.created to its first pull request.", "target")
	descToMerge    = desc("leviathan_task_ready_to_merge_seconds", "Time from a task's task.created to the merge of its pull request.", "target")
	descPulls      = desc("leviathan_pull_requests_total", "Pull requests that were created, merged and closed unmerged.", "target", "change")
	descAcceptance = desc("leviathan_acceptance_ratio", "Merged pull requests by all that ended; missing while none has.", "target")
	descCycle      = desc("leviathan_last_cycle_timestamp_seconds", "When the last cycle was completed, in seconds since 1970; missing before the first.", "target")
	descCycles     = desc("leviathan_cycles_total", "Cycles by outcome.", "target", "outcome")

	descDecided = desc("leviathan_recorded_decisions_total", "Decisions that are in the gateway's journal, by action and outcome; dry runs are left out.", "action", "outcome")
	descReasons = desc("leviathan_recorded_decision_reasons_total", "Reasons of those decisions, by action and code; a decision with two reasons counts for both.", "action", "code")

	descEnabled   = desc("leviathan_autonomy_enabled", "1 if the target's config switches it on; from the gateway's status.", "target")
	descEffective = desc("leviathan_autonomy_effective", "1 if the next cycle would be allowed to plan; from the gateway's status.", "target")
	descLimit     = desc("leviathan_limit", "The limits in force; from the gateway's status.", "target", "limit")
	descHeadroom  = desc("leviathan_limit_headroom", "How much room the limit leaves: for max_attempts_per_task that of the unfinished task with most failures.", "target", "limit")
)

// limits are the limits that have a label.
var limits = []string{"max_open_prs", "max_running_attempts", "max_attempts_per_task", "circuit_breaker_failures", "attempt_timeout_seconds"}

var circuitStates = []gateway.Circuit{gateway.CircuitClosed, gateway.CircuitOpen, gateway.CircuitHalfOpen}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// legacyDesc is release 0.4's name for the counter of one type.
func legacyDesc(eventType string) *prometheus.Desc {
	return desc("leviathan_events_"+strings.ReplaceAll(eventType, ".", "_")+"_total", "Events of type "+eventType+", under the name that release 0.4 had.")
}

// eventLabels are the types that have a label, and other.
func eventLabels() []string { return append(gateway.EventTypes(), other) }

// A view is the state in the form in which it is shown.
type view struct {
	metrics []prometheus.Metric
	use     map[string]*usage
}

// usage is what a target uses of its limits.
type usage struct {
	open, inFlight, live, blocked, worst int
	states                               map[gateway.AttemptState]int
}

func (v *view) counter(d *prometheus.Desc, n uint64, labels ...string) {
	v.metrics = append(v.metrics, prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...))
}

func (v *view) gauge(d *prometheus.Desc, n float64, labels ...string) {
	v.metrics = append(v.metrics, prometheus.MustNewConstMetric(d, prometheus.GaugeValue, n, labels...))
}

func (v *view) histogram(d *prometheus.Desc, h *histogram, labels ...string) {
	if h == nil {
		return
	}
	count, buckets := h.cumulative()
	v.metrics = append(v.metrics, prometheus.MustNewConstHistogram(d, count, h.Sum, buckets, labels...))
}

// view makes the state's series.
func (s *Spider) view(st *state) *view {
	v := &view{use: st.usage()}
	v.counter(descReceived, st.Received)
	v.gauge(descLast, float64(st.LastReceived)/1e6)
	v.counter(descDuplicates, st.Duplicates)
	v.counter(descClaims, st.Claims)
	v.counter(descUntracked, st.Untracked)
	v.counter(descWrites, st.WriteFailures)
	v.counter(descJournals, st.Journals)
	v.gauge(descCursor, float64(st.Cursor))
	v.gauge(descHaltedAll, one(st.HaltedAll))
	v.counter(descHalts, st.Halts)
	for _, t := range eventLabels() {
		v.counter(descTypes, st.Types[t], t)
		if s.legacy {
			v.counter(legacyDesc(t), st.Types[t])
		}
	}
	for key, n := range st.Decisions {
		action, outcome, _ := strings.Cut(key, " ")
		v.counter(descDecided, n, action, outcome)
	}
	for key, n := range st.Reasons {
		action, code, _ := strings.Cut(key, " ")
		v.counter(descReasons, n, action, code)
	}
	for _, label := range slices.Sorted(maps.Keys(st.Targets)) {
		v.target(label, st.Targets[label])
	}
	return v
}

// target makes the series of one label.
func (v *view) target(label string, t *target) {
	for outcome, n := range t.Cycles {
		v.counter(descCycles, n, label, outcome)
	}
	for cause, n := range t.Opened {
		v.counter(descOpened, n, label, cause)
	}
	for _, change := range []string{"created", "merged", "closed"} {
		v.counter(descPulls, t.Pulls[change], label, change)
	}
	for key, n := range t.Ended {
		outcome, failure, _ := strings.Cut(key, "/")
		v.counter(descEnded, n, label, outcome, failure)
	}
	for outcome, h := range t.Durations {
		v.histogram(descDuration, h, label, outcome)
	}
	v.histogram(descToPull, t.ToPull, label)
	v.histogram(descToMerge, t.ToMerge, label)
	if ended := t.Accepted + t.Declined; ended > 0 {
		v.gauge(descAcceptance, float64(t.Accepted)/float64(ended), label)
	}
	if label == other { // several targets have no one state
		return
	}
	v.gauge(descHalted, one(t.Halted), label)
	for _, state := range circuitStates {
		v.gauge(descCircuit, one(t.Circuit == string(state) || t.Circuit == "" && state == gateway.CircuitClosed), label, string(state))
	}
	if t.LastCycle != 0 {
		v.gauge(descCycle, float64(t.LastCycle)/1e6, label)
	}
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
