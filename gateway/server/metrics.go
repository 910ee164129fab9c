package server

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"leviathan/gateway"
)

// metrics belong to one server. Labels come from closed sets: actions of the
// contract (others are "other"), paths of the route table, statuses.
type metrics struct {
	registry     *prometheus.Registry
	decisions    *prometheus.CounterVec
	evaluation   prometheus.Histogram
	requests     *prometheus.HistogramVec
	authFailures prometheus.Counter
	unrecorded   prometheus.Counter
	gitBytes     prometheus.Counter
	proofs       *prometheus.CounterVec
	lastProof    prometheus.Gauge
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "leviathan_decisions_total",
			Help: "Decisions by action and outcome; allowed reads are counted here and not journalled."}, []string{"action", "outcome"}),
		evaluation: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "leviathan_evaluation_seconds",
			Help: "How long the policy took to answer one question.", Buckets: prometheus.ExponentialBuckets(25e-6, 2, 16)}),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "leviathan_http_request_seconds",
			Help: "Duration of requests by route and status class.", Buckets: prometheus.ExponentialBuckets(0.0005, 4, 9)}, []string{"method", "route", "class"}),
		authFailures: prometheus.NewCounter(prometheus.CounterOpts{Name: "leviathan_authentication_failures_total",
			Help: "Requests without a valid token; never journalled."}),
		unrecorded: prometheus.NewCounter(prometheus.CounterOpts{Name: "leviathan_unrecorded_refusals_total",
			Help: "Questions refused because their decision could not be written down."}),
		gitBytes: prometheus.NewCounter(prometheus.CounterOpts{Name: "leviathan_git_pack_bytes_total",
			Help: "Bytes of packs served and received."}),
		proofs: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "leviathan_killswitch_proofs_total",
			Help: "Times that questions were asked with the switch off, by whether all were denied because of it."}, []string{"result"}),
		lastProof: prometheus.NewGauge(prometheus.GaugeOpts{Name: "leviathan_killswitch_last_proof_timestamp_seconds",
			Help: "When the switch was last seen to work, in seconds since 1970; 0 if never."}),
	}
	m.registry.MustRegister(m.decisions, m.evaluation, m.requests, m.authFailures, m.unrecorded, m.gitBytes, m.proofs, m.lastProof,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
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
		action = "other"
	}
	outcome := "deny"
	switch {
	case d.Allow:
		outcome = "allow"
	case unknownFact(d.Reasons):
		outcome = "unknown"
	}
	m.decisions.WithLabelValues(action, outcome).Inc()
}

// request observes one served request.
func (m *metrics) request(row route, status int, took time.Duration) {
	m.requests.WithLabelValues(row.method, row.path, strconv.Itoa(status/100)+"xx").Observe(took.Seconds())
}

func (s *Server) serveMetrics(w http.ResponseWriter, r *http.Request, _ principal) error {
	promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{Registry: s.metrics.registry}).ServeHTTP(w, r)
	return nil
}
