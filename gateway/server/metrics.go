package server

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"leviathan/gateway"
	"leviathan/gateway/engine"
	"leviathan/gateway/journal"
)

// other is the label of what is in no closed set.
const other = "other"

// Which way a pack went; the label of leviathan_git_pack_bytes_total.
const (
	packServed   = "served"
	packReceived = "received"
)

// metrics belong to one server. Labels come from closed sets: actions of the
// contract, codes of the policy that governs and of the engine, paths of the
// route table, statuses. What is in none is "other".
type metrics struct {
	registry     *prometheus.Registry
	decisions    *prometheus.CounterVec
	reasons      *prometheus.CounterVec
	evaluation   prometheus.Histogram
	requests     *prometheus.HistogramVec
	authFailures prometheus.Counter
	unrecorded   prometheus.Counter
	gitBytes     *prometheus.CounterVec
	commits      prometheus.Histogram
	batches      prometheus.Histogram
	failed       prometheus.Counter
	expired      *prometheus.CounterVec
	proofs       *prometheus.CounterVec
	lastProof    prometheus.Gauge
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "leviathan_decisions_total",
			Help: "Decisions by action and outcome; allowed reads are counted here and not journalled."}, []string{"action", "outcome"}),
		reasons: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "leviathan_decision_reasons_total",
			Help: "Reasons of decisions that were not allowed, by action, outcome and code; a decision with two reasons counts for both."},
			[]string{"action", "outcome", "code"}),
		evaluation: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "leviathan_evaluation_seconds",
			Help: "How long the policy took to answer one question.", Buckets: prometheus.ExponentialBuckets(25e-6, 2, 16)}),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "leviathan_http_request_seconds",
			Help: "Duration of requests by route and status class.", Buckets: prometheus.ExponentialBuckets(0.0005, 4, 9)}, []string{"method", "route", "class"}),
		authFailures: prometheus.NewCounter(prometheus.CounterOpts{Name: "leviathan_authentication_failures_total",
			Help: "Requests without a valid token; never journalled."}),
		unrecorded: prometheus.NewCounter(prometheus.CounterOpts{Name: "leviathan_unrecorded_refusals_total",
			Help: "Questions refused because their decision could not be written down."}),
		gitBytes: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "leviathan_git_pack_bytes_total",
			Help: "Bytes of packs that were served to clients of git, and received from them."}, []string{"direction"}),
		commits: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "leviathan_journal_commit_seconds",
			Help: "How long a transaction of the journal took, the disk included.", Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14)}),
		batches: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "leviathan_journal_commit_batch_size",
			Help: "How many questions and facts shared a transaction of the journal.", Buckets: prometheus.ExponentialBuckets(1, 2, 9)}),
		failed: prometheus.NewCounter(prometheus.CounterOpts{Name: "leviathan_journal_commit_failures_total",
			Help: "Transactions of the journal that failed: nothing of them is on disk, and all who shared them were refused."}),
		expired: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "leviathan_attempts_expired_total",
			Help: "Attempts that ran out of time: no heartbeat within the lease, or no start before the deadline."}, []string{"why"}),
		proofs: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "leviathan_killswitch_proofs_total",
			Help: "Times that questions were asked with the switch off, by whether all were denied because of it."}, []string{"result"}),
		lastProof: prometheus.NewGauge(prometheus.GaugeOpts{Name: "leviathan_killswitch_last_proof_timestamp_seconds",
			Help: "When the switch was last seen to work, in seconds since 1970; 0 if never."}),
	}
	m.registry.MustRegister(m.decisions, m.reasons, m.evaluation, m.requests, m.authFailures, m.unrecorded, m.gitBytes, m.commits, m.batches,
		m.failed, m.expired, m.proofs, m.lastProof, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	// A counter that is first seen at 1 has not increased: where the first one
	// matters, it begins at 0.
	for vec, labels := range map[*prometheus.CounterVec][]string{m.proofs: {proofHeld, proofFailed}, m.gitBytes: {packServed, packReceived},
		m.expired: {expiredLease, expiredStart}} {
		for _, label := range labels {
			vec.WithLabelValues(label)
		}
	}
	return m
}

// committed counts a transaction of the journal.
func (m *metrics) committed(c journal.Committed) {
	if c.Failed {
		m.failed.Inc()
		return
	}
	m.commits.Observe(c.Took.Seconds())
	m.batches.Observe(float64(c.Callers))
}

// knownActions are the actions that have a label of their own.
var knownActions = func() map[string]bool {
	known := map[string]bool{}
	for _, action := range gateway.Actions() {
		known[action] = true
	}
	return known
}()

// decision counts an answer.
func (m *metrics) decision(action string, d *decided) {
	if !knownActions[action] {
		action = other
	}
	outcome := d.outcome()
	m.decisions.WithLabelValues(action, outcome).Inc()
	for i, r := range d.Reasons {
		if code := m.code(d.policy, r.Code); !slices.ContainsFunc(d.Reasons[:i], func(before gateway.Reason) bool { return before.Code == r.Code }) {
			m.reasons.WithLabelValues(action, outcome, code).Inc()
		}
	}
}

// outcome is what one word says about an answer.
func (d *decided) outcome() string {
	switch {
	case d.Allow:
		return "allow"
	case unknownFact(d.Reasons):
		return "unknown"
	}
	return "deny"
}

// code is the label of a reason: its code, if the policy that gave it, the
// engine or the gateway documents it.
func (m *metrics) code(policy *engine.Snapshot, code string) string {
	if code != codeContention && !policy.Documents(code) {
		return other
	}
	return code
}

// request observes one served request.
func (m *metrics) request(row route, status int, took time.Duration) {
	m.requests.WithLabelValues(row.method, row.path, strconv.Itoa(status/100)+"xx").Observe(took.Seconds())
}

func (s *Server) serveMetrics(w http.ResponseWriter, r *http.Request, _ principal) error {
	promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{Registry: s.metrics.registry}).ServeHTTP(w, r)
	return nil
}
