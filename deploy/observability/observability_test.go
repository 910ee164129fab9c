// Package observability_test holds the alerts and the dashboard to the metrics
// that there are.
package observability_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

const runbook = "docs/21_OPERATIONS_AUTONOMY.md"

// A rule is an alert, or a recording rule.
type rule struct {
	Alert, Record, Expr string
	Labels, Annotations map[string]string
}

func rules(t *testing.T, name string) []rule {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Groups []struct{ Rules []rule } }
	if err := yaml.Unmarshal(data, &file); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	var all []rule
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	return all
}

// known are all names that a query may use: what the golden lists of the gateway
// and the spider have, what each process shows of itself, and recording rules.
func known(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for file, least := range map[string]int{"../../gateway/server/testdata/metrics.golden": 30, "../../spider/testdata/metrics.golden": 30} {
		list, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for line := range strings.Lines(string(list)) {
			name, _, _ := strings.Cut(strings.TrimSpace(line), " ")
			names[name] = true
			n++
		}
		if n < least {
			t.Fatalf("%s has %d metrics: the test looks at the wrong file", file, n)
		}
	}
	families, err := processRegistry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		names[f.GetName()] = true
	}
	for _, r := range rules(t, "rules/expected_test.yaml") {
		names[r.Record] = true
	}
	return names
}

// processRegistry has what every process of ours shows of itself.
func processRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

var (
	matchers = regexp.MustCompile(`\{[^}]*\}|\[[^\]]*\]`)
	word     = regexp.MustCompile(`\b(leviathan[_:]|go_|process_)[a-zA-Z0-9_:]*`)
)

// names are the metrics that a query asks for, without the suffixes of a
// histogram's series.
func names(expr string) []string {
	var out []string
	for _, name := range word.FindAllString(matchers.ReplaceAllString(expr, ""), -1) {
		out = append(out, regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(name, ""))
	}
	return out
}

func TestEveryAlertAsksForMetricsThatExistAndHasItsRunbook(t *testing.T) {
	known := known(t)
	tests, err := os.ReadFile("rules/leviathan_test.yaml")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../" + runbook)
	if err != nil {
		t.Fatal(err)
	}
	anchors := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^#+ +(.*)$|<a (?:id|name)="([^"]+)"`).FindAllStringSubmatch(string(page), -1) {
		anchors[m[2]] = true
		anchors[strings.ReplaceAll(regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-")] = true
	}
	used := map[string]bool{}
	all := rules(t, "rules/leviathan.yaml")
	if len(all) < 10 {
		t.Fatalf("%d alerts", len(all))
	}
	for _, r := range all {
		for _, name := range names(r.Expr) {
			used[name] = true
			if !known[name] {
				t.Errorf("%s asks for %s, which nobody has", r.Alert, name)
			}
		}
		if len(names(r.Expr)) == 0 && !strings.Contains(r.Expr, "up{") {
			t.Errorf("%s asks for nothing", r.Alert)
		}
		if r.Labels["severity"] == "" || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
			t.Errorf("%s does not say enough", r.Alert)
		}
		file, anchor, _ := strings.Cut(r.Annotations["runbook_url"], "#")
		kebab := strings.ToLower(regexp.MustCompile(`([a-z])([A-Z])`).ReplaceAllString(strings.TrimPrefix(r.Alert, "Leviathan"), "$1-$2"))
		if file != runbook || anchor != "alert-"+kebab {
			t.Errorf("%s has the runbook %s, want %s#alert-%s", r.Alert, r.Annotations["runbook_url"], runbook, kebab)
		}
		if !anchors[anchor] {
			t.Errorf("%s: %s has no section #%s", r.Alert, runbook, anchor)
		}
		if n := strings.Count(string(tests), "alertname: "+r.Alert+"\n"); n < 2 {
			t.Errorf("%s has %d cases; it needs one that fires and one that does not", r.Alert, n)
		}
	}
	for _, s := range sections {
		for _, p := range s.panels {
			for _, q := range p.queries {
				for _, name := range names(q.expr) {
					used[name] = true
					if !known[name] {
						t.Errorf("panel %q asks for %s, which nobody has", p.title, name)
					}
				}
			}
		}
	}
	// The other way round: what nobody would ever look at.
	for name := range known {
		if !used[name] && strings.HasPrefix(name, "leviathan_") && !slices.Contains(unasked, name) {
			t.Errorf("neither an alert nor a panel asks for %s", name)
		}
	}
}

// unasked are the metrics that are for looking closer, or for other tools.
var unasked = []string{
	"leviathan_build_info", "leviathan_config_map_followed", "leviathan_events_received_total", "leviathan_forwarded_total", "leviathan_halts_total",
	"leviathan_journal_checkpoint_file_records", "leviathan_journal_live_attempts", "leviathan_journal_readable", "leviathan_journal_records",
	"leviathan_masked_decisions", "leviathan_running_attempts", "leviathan_spider_claims_total", "leviathan_spider_cursor_seq",
	"leviathan_spider_journal_changes_total", "leviathan_writer_epoch", "leviathan_writer_held_seconds",
}

// What an operator must be told of has an alert.
func TestThereIsAnAlertForEach(t *testing.T) {
	var have []string
	for _, r := range rules(t, "rules/leviathan.yaml") {
		have = append(have, strings.TrimPrefix(r.Alert, "Leviathan"))
	}
	for _, want := range []string{"AutonomyUnexpectedlyOn", "BreakerOpen", "NoCycle", "CheckpointStale", "AttemptsNearLimit", "DenialsRising", "SpiderSilent",
		"JournalFillsDisk", "PolicyCandidateRefused", "KillSwitchProofStale", "KillSwitchProofFailed"} {
		if !slices.Contains(have, want) {
			t.Errorf("there is no alert %s", want)
		}
	}
}

// promtool runs Debian's tool, and skips without it.
func promtool(t *testing.T, dir string, args ...string) {
	t.Helper()
	tool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("needs promtool, of Debian's package prometheus")
	}
	cmd := exec.Command(tool, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestPromtoolOnTheRules(t *testing.T) {
	promtool(t, "rules", "check", "rules", "--lint-fatal", "leviathan.yaml", "expected.yaml", "expected_test.yaml")
	promtool(t, "rules", "test", "rules", "leviathan_test.yaml")
	promtool(t, ".", "check", "config", "--syntax-only", "prometheus.yaml")
}

// asked is a panel's query without Grafana's variables.
func asked(expr string) string {
	return strings.NewReplacer("$target", ".*", "$__rate_interval", "5m").Replace(expr)
}

func TestEveryPanelsQueryParses(t *testing.T) {
	var b strings.Builder
	b.WriteString("groups:\n  - name: panels\n    rules:\n")
	n := 0
	for _, s := range sections {
		for _, p := range s.panels {
			for _, q := range p.queries {
				n++
				b.WriteString("      - record: panel:q" + strconv.Itoa(n) + "\n        expr: " + strconv.Quote(asked(q.expr)) + "\n")
			}
		}
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "panels.yaml"), []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, dir, "check", "rules", "panels.yaml")
}
