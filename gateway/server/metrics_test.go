package server_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"leviathan/gateway"
	"leviathan/gateway/autonomy"
	"leviathan/gateway/engine"
	"leviathan/gateway/server"
)

var update = flag.Bool("update", false, "write the golden files anew")

// measured is a gateway that shows every metric that there is: on GitHub, in a
// cluster, with a forwarder, after an attempt's life, and some that is refused.
func measured(t *testing.T) *world {
	t.Helper()
	w, f := newGitHubWorld(t)
	f.refuse = func(rw http.ResponseWriter, _ *http.Request) bool {
		rw.Header().Set("X-RateLimit-Limit", "5000")
		rw.Header().Set("X-RateLimit-Remaining", "4321")
		rw.Header().Set("X-RateLimit-Reset", fmt.Sprint(w.now().Add(time.Hour).Unix()))
		return false
	}
	github, targets := w.tune, (*autonomy.Set)(nil)
	w.tune = func(c *server.Config) {
		github(c)
		c.Writer, targets = &writer{lost: make(chan struct{})}, c.Targets
	}
	w.start()
	w.restart() // the first one left a checkpoint
	text, err := os.ReadFile(w.config)
	if err != nil {
		t.Fatal(err)
	}
	targets.Observe(autonomy.Second{Source: "configmap", Known: true, Files: map[string]string{"demo.yaml": string(text)}, ObservedAt: w.now()})
	ctx := context.Background()
	if err := w.server.BeginPolicy(ctx, "the tests"); err != nil {
		t.Fatal(err)
	}
	url, got, answer := sink(t)
	forwarder, err := server.NewForwarder(server.ForwardConfig{Journal: w.journal, URL: url, Logger: slog.New(slog.DiscardHandler)}, w.server.Registry())
	if err != nil {
		t.Fatal(err)
	}
	running, stop := context.WithCancel(ctx)
	forwarded := make(chan error, 1)
	go func() { forwarded <- forwarder.Run(running) }()
	<-got
	answer <- http.StatusOK
	stop()
	if err := <-forwarded; err != context.Canceled {
		t.Fatal(err)
	}
	w.deliver(reservation(t, w.cycle(), "guide"), map[string]string{"docs/guide.md": "# Guide\n"})
	w.server.Idle()
	w.server.Prove(ctx)
	w.ask("GET", "/v1/attempts", "nobody's", "")
	w.ask("POST", "/v1/autonomy/halt", operator, `{"reason":"r"}`)
	w.ask("POST", "/v1/targets/demo/cycle", operator, "{}")
	return w
}

// page is what /metrics says.
func (w *world) page() string {
	w.t.Helper()
	a := w.ask("GET", "/metrics", operator, "")
	if a.status != http.StatusOK {
		w.t.Fatalf("%d %s", a.status, a.body)
	}
	return a.body
}

// families reads it as Prometheus does.
func (w *world) families() map[string]*dto.MetricFamily {
	w.t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(w.page()))
	if err != nil {
		w.t.Fatal(err)
	}
	return families
}

var (
	descName   = regexp.MustCompile(`fqName: "([^"]+)"`)
	descLabels = regexp.MustCompile(`variableLabels: \{([^}]*)\}`)
)

// The names, types and labels are a contract with everybody's dashboards.
func TestTheGatewaysMetricsAreThese(t *testing.T) {
	t.Parallel()
	w := measured(t)
	families := w.families()
	described := make(chan *prometheus.Desc, 1000)
	w.server.Registry().(*prometheus.Registry).Describe(described)
	close(described)
	var rows []string
	for d := range described {
		name := descName.FindStringSubmatch(d.String())[1]
		family := families[name]
		if family == nil {
			t.Errorf("%s has no series in a gateway that shows all of them", name)
			continue
		}
		if !strings.HasPrefix(name, "leviathan_") {
			continue // go_ and process_ are client_golang's
		}
		labels := strings.ReplaceAll(descLabels.FindStringSubmatch(d.String())[1], ",", " ")
		var seen []string
		for _, l := range family.GetMetric()[0].GetLabel() {
			seen = append(seen, l.GetName())
		}
		if want := strings.Fields(labels); len(seen) != len(want) || slices.ContainsFunc(seen, func(l string) bool { return !slices.Contains(want, l) }) {
			t.Errorf("%s is described with the labels %v and shown with %v", name, want, seen)
		}
		rows = append(rows, strings.TrimSpace(fmt.Sprintf("%s %s %s", name, strings.ToLower(family.GetType().String()), labels)))
	}
	for _, name := range []string{"go_goroutines", "process_resident_memory_bytes"} {
		if families[name] == nil && !(strings.HasPrefix(name, "process_") && !processShown()) {
			t.Errorf("%s is not shown", name)
		}
	}
	slices.Sort(rows)
	golden(t, "metrics.golden", strings.Join(rows, "\n")+"\n")
}

// processShown reports whether this system tells of a process what the
// collector shows.
func processShown() bool {
	_, err := os.Stat("/proc/self/stat")
	return err == nil
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is not what there is; dashboards may need it. If it is meant: go test -update\ngot:\n%s", file, got)
	}
}

func TestTheGatewaysMetricsAreWellFormed(t *testing.T) {
	t.Parallel()
	page := measured(t).page()
	problems, err := promlint.New(strings.NewReader(page)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	tool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("needs promtool, of Debian's package prometheus; the same rules were held without it")
	}
	cmd := exec.Command(tool, "check", "metrics")
	cmd.Stdin = bytes.NewReader([]byte(page))
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}

// sum adds the series of a counter, or the observations of a histogram, that
// have the labels, as name=value.
func sum(families map[string]*dto.MetricFamily, name string, labels ...string) (total float64) {
	for _, m := range families[name].GetMetric() {
		has := map[string]bool{}
		for _, l := range m.GetLabel() {
			has[l.GetName()+"="+l.GetValue()] = true
		}
		if !slices.ContainsFunc(labels, func(l string) bool { return !has[l] }) {
			total += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return total
}

func TestDecisionsAreCountedByActionOutcomeAndCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	w.cycle()
	w.ask("POST", "/v1/autonomy/halt", operator, `{"reason":"r"}`)
	for range 3 {
		w.cycle()
	}
	if a := w.ask("POST", "/access/v1/evaluation", operator, `{"subject":{"type":"component","id":"operator"},"action":{"name":"evil.action"},"resource":{"type":"target","id":"demo"}}`); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := w.ask("POST", "/access/v1/evaluation", operator, `{"subject":{"type":"component","id":"operator"},"action":{"name":"evil\n"},"resource":{"type":"target","id":"demo"}}`); a.status != http.StatusUnprocessableEntity {
		t.Fatalf("%d %s", a.status, a.body)
	}
	families := w.families()
	for _, c := range []struct {
		want   float64
		name   string
		labels []string
	}{
		{1, "leviathan_decisions_total", []string{"action=cycle.plan", "outcome=allow"}},
		{3, "leviathan_decisions_total", []string{"action=cycle.plan", "outcome=deny"}},
		{1, "leviathan_decisions_total", []string{"action=other"}},
		{3, "leviathan_decision_reasons_total", []string{"action=cycle.plan", "outcome=deny", "code=guard.halted_all"}},
		{0, "leviathan_decision_reasons_total", []string{"outcome=allow"}},
		{0, "leviathan_unrecorded_refusals_total", nil}, // nothing was wrong with the journal
	} {
		if got := sum(families, c.name, c.labels...); got != c.want {
			t.Errorf("%s%v is %v, want %v\n%s", c.name, c.labels, got, c.want, strings.Join(grep(w.page(), c.name), "\n"))
		}
	}
}

func grep(page, text string) (lines []string) {
	for line := range strings.Lines(page) {
		if strings.Contains(line, text) && !strings.HasPrefix(line, "#") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

// A code that no METADATA documents has no label of its own, whatever the
// policy calls it.
func TestACodeThatNobodyDocumentsIsOther(t *testing.T) {
	t.Parallel()
	policy, err := bundleWith(`access\.deny \| guard\.reasons`, `access.deny | guard.reasons | {r | input.action == "cycle.plan"; r := {"code": sprintf("made.%s", [input.subject.id]), "message": "m"}}`)
	if err != nil {
		t.Fatal(err)
	}
	w := newUpstream(t, baseBacklog, baseConfig)
	w.policy = policy
	w.start()
	w.cycle()
	families := w.families()
	if n := sum(families, "leviathan_decision_reasons_total", "code=other", "action=cycle.plan"); n != 1 {
		t.Errorf("%v reasons are other:\n%s", n, strings.Join(grep(w.page(), "reasons_total"), "\n"))
	}
}

func TestTransactionsOfTheJournalAreMeasured(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	before := sum(w.families(), "leviathan_journal_commit_seconds")
	w.halts(3)
	families := w.families()
	if n := sum(families, "leviathan_journal_commit_seconds"); n < before+3 || n != sum(families, "leviathan_journal_commit_batch_size") {
		t.Errorf("%v transactions before and %v after, with %v sizes", before, n, sum(families, "leviathan_journal_commit_batch_size"))
	}
	if n := sum(families, "leviathan_journal_commit_failures_total"); n != 0 {
		t.Errorf("%v failures", n)
	}
}

func TestARefusalWithoutARecordIsCounted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	if err := w.journal.Close(); err != nil {
		t.Fatal(err)
	}
	if a := w.ask("POST", "/v1/autonomy/halt", operator, `{"reason":"r"}`); a.status != http.StatusServiceUnavailable {
		t.Fatalf("%d %s", a.status, a.body)
	}
	families, err := w.server.Registry().(*prometheus.Registry).Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if n := family.GetMetric()[0].GetCounter().GetValue(); family.GetName() == "leviathan_unrecorded_refusals_total" && n != 1 {
			t.Errorf("%v refusals without a record", n)
		}
		if family.GetName() == "leviathan_journal_readable" && family.GetMetric()[0].GetGauge().GetValue() != 0 {
			t.Error("a closed journal counts as readable")
		}
	}
}

func TestLeasesAreCountedWhileTheyLive(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	result := w.cycle()
	w.startAttempt(reservation(t, result, "guide"))
	if n := sum(w.families(), "leviathan_leases"); n != 1 {
		t.Errorf("%v leases of one attempt", n)
	}
	w.clock.add(6 * time.Minute)
	if n := sum(w.families(), "leviathan_leases"); n != 0 {
		t.Errorf("%v leases after their end", n)
	}
	if err := w.server.Expire(context.Background()); err != nil {
		t.Fatal(err)
	}
	families := w.families()
	if lease, start := sum(families, "leviathan_attempts_expired_total", "why=lease"), sum(families, "leviathan_attempts_expired_total", "why=start_deadline"); lease != 1 || start != 1 {
		t.Errorf("%v attempts without a heartbeat and %v without a start", lease, start)
	}
}

func TestTheGatewaysLabelsAreClosed(t *testing.T) {
	t.Parallel()
	w := measured(t)
	known := map[string]bool{"other": true}
	for _, c := range append(w.engine.Current().Codes(), engine.Failures()...) {
		known[c.Code] = true
	}
	for name, family := range w.families() {
		for _, m := range family.GetMetric() {
			for _, l := range m.GetLabel() {
				if v := l.GetValue(); gateway.AttemptID(v).Valid() || strings.Contains(v, canary) || l.GetName() == "code" && !known[v] {
					t.Errorf("%s has the label %s=%q", name, l.GetName(), v)
				}
			}
		}
	}
}
