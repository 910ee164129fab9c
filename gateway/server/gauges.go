package server

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"leviathan/gateway"
)

// scrapeTimeout bounds what one scrape reads of the journal.
const scrapeTimeout = 5 * time.Second

// gauges are read when they are asked for: what is, not what happened.
type gauges struct {
	server *Server

	build, records, bytes, masked, candidate, compared, dropped, flips, attempts, ready, checkpoint *prometheus.Desc
}

func newGauges(s *Server) *gauges {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("leviathan_"+name, help, labels, nil)
	}
	return &gauges{server: s,
		build:      desc("build_info", "Always 1; the labels say what runs and which policy governs.", "version", "policy_revision"),
		records:    desc("journal_records", "Records in the journal."),
		bytes:      desc("journal_bytes", "Size of the journal's database."),
		checkpoint: desc("journal_checkpoint_file_records", "Records that the newest checkpoint in the file beside the database covers."),
		masked:     desc("masked_decisions", "Decisions of which a mask took something before they were recorded."),
		candidate:  desc("policy_candidate_waiting", "1 if a candidate policy was refused or waits for an operator."),
		compared:   desc("policy_shadow_compared", "Live questions that the waiting candidate was asked as well."),
		dropped:    desc("policy_shadow_dropped", "Live questions that the waiting candidate had no time for."),
		flips:      desc("policy_shadow_flips", "Live questions that the waiting candidate would have answered differently.", "class"),
		attempts:   desc("live_attempts", "Attempts that have not ended, by state.", "state"),
		ready:      desc("journal_readable", "1 if the journal could be read for this scrape."),
	}
}

// Describe implements prometheus.Collector.
func (g *gauges) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{g.build, g.records, g.bytes, g.checkpoint, g.masked, g.candidate, g.compared, g.dropped, g.flips, g.attempts, g.ready} {
		out <- d
	}
}

// Collect implements prometheus.Collector. What cannot be read is left out, and
// said by leviathan_journal_readable.
func (g *gauges) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	s := g.server
	gauge(g.build, 1, gateway.Version, s.engine.Current().Revision())
	waiting := 0.0
	if s.waitingPolicy() != nil {
		waiting = 1
	}
	gauge(g.candidate, waiting)
	report, _ := s.shadow.Report()
	gauge(g.compared, float64(report.Compared))
	gauge(g.dropped, float64(report.Dropped))
	for _, class := range gateway.FlipClasses() {
		gauge(g.flips, float64(report.Counts[class]), string(class))
	}
	gauge(g.checkpoint, float64(s.journal.CheckpointFile().Size))
	readable := 0.0
	if g.collectJournal(ctx, gauge) == nil {
		readable = 1
	}
	gauge(g.ready, readable)
}

func (g *gauges) collectJournal(ctx context.Context, gauge func(*prometheus.Desc, float64, ...string)) error {
	stats, err := g.server.journal.Stats(ctx)
	if err != nil {
		return err
	}
	gauge(g.records, float64(stats.Records))
	gauge(g.bytes, float64(stats.Bytes))
	masked, err := g.server.journal.MaskedDecisions(ctx)
	if err != nil {
		return err
	}
	gauge(g.masked, float64(masked))
	live, err := g.server.journal.LiveAttempts(ctx, "")
	if err != nil {
		return err
	}
	states := map[gateway.AttemptState]int{gateway.Reserved: 0, gateway.Running: 0, gateway.Pushed: 0, gateway.Proposed: 0}
	for _, a := range live {
		states[a.State]++
	}
	for state, n := range states {
		gauge(g.attempts, float64(n), string(state))
	}
	return nil
}

// Registry is where what belongs to this gateway registers its metrics.
func (s *Server) Registry() prometheus.Registerer { return s.metrics.registry }
