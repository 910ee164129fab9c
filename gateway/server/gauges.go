package server

import (
	"context"
	"os"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"leviathan/gateway"
)

// scrapeTimeout bounds what one scrape reads of the journal.
const scrapeTimeout = 5 * time.Second

// gauges are read when they are asked for: what is, not what happened.
type gauges struct {
	server *Server

	build, targets, records, bytes, masked, candidate, compared, dropped, flips, attempts, ready *prometheus.Desc
	policy, governsSince, unreadable, distrusted, leases                                         *prometheus.Desc
	writerEpoch, writerHeld, second                                                              *prometheus.Desc
	checkpoint, checkpointAt, checkpointLag, free, size                                          *prometheus.Desc
}

func newGauges(s *Server) *gauges {
	return &gauges{server: s,
		build:         prometheus.NewDesc("leviathan_build_info", "1, with the release and the Go that it was built with.", []string{"component", "version", "go_version"}, nil),
		policy:        prometheus.NewDesc("leviathan_policy_info", "1, with the revision of the policy that governs.", []string{"revision"}, nil),
		governsSince:  prometheus.NewDesc("leviathan_policy_activated_timestamp_seconds", "Since when that policy governs, in seconds since 1970.", nil, nil),
		unreadable:    prometheus.NewDesc("leviathan_policy_source_problem", "1 while the source of policies cannot be read.", nil, nil),
		leases:        prometheus.NewDesc("leviathan_leases", "Attempts whose lease has not ended.", nil, nil),
		records:       prometheus.NewDesc("leviathan_journal_records", "Records in the journal.", nil, nil),
		bytes:         prometheus.NewDesc("leviathan_journal_bytes", "Size of the journal's database.", nil, nil),
		checkpoint:    prometheus.NewDesc("leviathan_journal_checkpoint_file_records", "Records that the newest checkpoint in the file beside the database covers.", nil, nil),
		masked:        prometheus.NewDesc("leviathan_masked_decisions", "Decisions of which a mask took something before they were recorded.", nil, nil),
		candidate:     prometheus.NewDesc("leviathan_policy_candidate_refused", "1 while the newest policy is not the one that governs.", nil, nil),
		distrusted:    prometheus.NewDesc("leviathan_policy_plan_distrusted", "1 if the policy's plan was seen to answer otherwise than OPA's interpreter, which answers alone since.", nil, nil),
		targets:       prometheus.NewDesc("leviathan_targets", "Autonomy configs by state.", []string{"state"}, nil),
		checkpointAt:  prometheus.NewDesc("leviathan_journal_checkpoint_timestamp_seconds", "When the newest checkpoint came into the file beside the database.", nil, nil),
		checkpointLag: prometheus.NewDesc("leviathan_journal_checkpoint_lag_records", "Records after the newest checkpoint in that file.", nil, nil),
		free:          prometheus.NewDesc("leviathan_state_free_bytes", "Free bytes on the file system of the state folder.", nil, nil),
		size:          prometheus.NewDesc("leviathan_state_size_bytes", "Size of that file system.", nil, nil),
		compared:      prometheus.NewDesc("leviathan_policy_shadow_compared", "Live questions that the waiting candidate was asked as well.", nil, nil),
		dropped:       prometheus.NewDesc("leviathan_policy_shadow_dropped", "Live questions that the waiting candidate had no time for.", nil, nil),
		flips:         prometheus.NewDesc("leviathan_policy_shadow_flips", "Live questions that the waiting candidate would have answered differently.", []string{"class"}, nil),
		attempts:      prometheus.NewDesc("leviathan_journal_live_attempts", "Attempts that have not ended, by state, of all targets.", []string{"state"}, nil),
		writerEpoch:   prometheus.NewDesc("leviathan_writer_epoch", "How many writers the journal has had, in a cluster.", nil, nil),
		writerHeld:    prometheus.NewDesc("leviathan_writer_held_seconds", "How long this gateway may still write without renewing its Lease; 0 if it may not.", nil, nil),
		second:        prometheus.NewDesc("leviathan_config_map_followed", "1 while the ConfigMap of the autonomy configs is followed.", nil, nil),
		ready:         prometheus.NewDesc("leviathan_journal_readable", "1 if the journal could be read for this scrape.", nil, nil),
	}
}

// Describe implements prometheus.Collector.
func (g *gauges) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{g.build, g.targets, g.records, g.bytes, g.checkpoint, g.checkpointAt, g.checkpointLag, g.masked, g.candidate, g.policy, g.governsSince, g.unreadable, g.distrusted, g.leases,
		g.compared, g.dropped, g.flips, g.attempts, g.ready, g.free, g.size, g.writerEpoch, g.writerHeld, g.second} {
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
	gauge(g.build, 1, "gateway", gateway.Version, runtime.Version())
	gauge(g.policy, 1, s.engine.Current().Revision())
	gauge(g.candidate, one(s.waitingPolicy() != nil))
	gauge(g.unreadable, one(s.policyUnreadable()))
	gauge(g.distrusted, one(s.engine.Current().Distrusted()))
	gauge(g.leases, float64(s.leased()))
	report, _ := s.shadow.Report()
	gauge(g.compared, float64(report.Compared))
	gauge(g.dropped, float64(report.Dropped))
	for _, class := range gateway.FlipClasses() {
		gauge(g.flips, float64(report.Counts[class]), string(class))
	}
	g.collectFiles(gauge)
	g.collectCluster(gauge)
	gauge(g.ready, one(g.collectJournal(ctx, gauge) == nil))
}

// one is a truth as a metric has it.
func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// leased counts the leases that have not ended.
func (s *Server) leased() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.running {
		n += t.leases.count(s.now())
	}
	return n
}

// collectFiles looks at the configs and at the state folder.
func (g *gauges) collectFiles(gauge func(*prometheus.Desc, float64, ...string)) {
	s := g.server
	configs := map[string]int{"valid": 0, "invalid": 0, "absent": 0}
	for _, cfg := range s.targets.Targets() {
		switch {
		case cfg.Valid:
			configs["valid"]++
		case cfg.File == "":
			configs["absent"]++
		default:
			configs["invalid"]++
		}
	}
	for state, n := range configs {
		gauge(g.targets, float64(n), state)
	}
	file := s.journal.CheckpointFile()
	gauge(g.checkpoint, float64(file.Size))
	gauge(g.checkpointLag, float64(max(0, s.journal.Seq()-file.Size)))
	if info, err := os.Stat(file.Path); err == nil {
		gauge(g.checkpointAt, float64(info.ModTime().UnixMicro())/1e6)
	}
	if free, size, err := diskSpace(s.stateDir); err == nil {
		gauge(g.free, free)
		gauge(g.size, size)
	}
}

// collectCluster has nothing to say outside of one.
func (g *gauges) collectCluster(gauge func(*prometheus.Desc, float64, ...string)) {
	if w := g.server.writer; w != nil {
		st := w.Status()
		gauge(g.writerEpoch, float64(st.Epoch))
		gauge(g.writerHeld, st.HeldForSeconds)
	}
	if o, ok := g.server.targets.Seconded(); ok {
		gauge(g.second, one(o.Known && o.Problem == ""))
	}
}

func (g *gauges) collectJournal(ctx context.Context, gauge func(*prometheus.Desc, float64, ...string)) error {
	stats, err := g.server.journal.Stats(ctx)
	if err != nil {
		return err
	}
	gauge(g.records, float64(stats.Records))
	gauge(g.bytes, float64(stats.Bytes))
	last, err := g.server.journal.Activations(ctx, 1)
	if err != nil {
		return err
	}
	if len(last) == 1 {
		gauge(g.governsSince, float64(last[0].At.UnixMicro())/1e6)
	}
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
