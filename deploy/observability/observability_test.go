// Package observability_test holds the alerts and the dashboard to the metrics
// that there are.
package observability_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/prometheus/client_golang/prometheus"
	"leviathan/spider"
)

const runbook = "docs/21_OPERATIONS_AUTONOMY.md"

// awaited are the gateway's metrics that alerts and dashboard use and that the
// gateway does not have yet. A name leaves this list when it comes to be.
var awaited = map[string]string{}

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

var fqName = regexp.MustCompile(`fqName: "([^"]+)"`)

// spiderMetrics are the names that the spider describes.
func spiderMetrics(t *testing.T) map[string]bool {
	t.Helper()
	s, err := spider.New(spider.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	descs := make(chan *prometheus.Desc, 1000)
	s.Describe(descs)
	close(descs)
	names := map[string]bool{}
	for d := range descs {
		names[fqName.FindStringSubmatch(d.String())[1]] = true
	}
	// And what every process of ours shows of itself.
	page := httptest.NewRecorder()
	s.Handler().ServeHTTP(page, httptest.NewRequest("GET", "/metrics", nil))
	for _, m := range regexp.MustCompile(`(?m)^# TYPE ((?:go|process)_\S+)`).FindAllStringSubmatch(page.Body.String(), -1) {
		names[m[1]] = true
	}
	return names
}

var metricName = regexp.MustCompile(`^leviathan_[a-z0-9_]+$`)

// gatewayMetrics are the names that the gateway's source gives to metrics: the
// Name of an options literal, or the first argument of NewDesc.
func gatewayMetrics(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	take := func(e ast.Expr) {
		if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if name, err := strconv.Unquote(lit.Value); err == nil && metricName.MatchString(name) {
				names[name] = true
			}
		}
	}
	files, err := filepath.Glob("../../gateway/server/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.KeyValueExpr:
				if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Name" {
					take(n.Value)
				}
			case *ast.CallExpr:
				for _, arg := range n.Args { // helpers that make a metric of its name
					take(arg)
				}
			}
			return true
		})
	}
	if len(names) < 8 {
		t.Fatalf("the gateway's source has %d metrics: the test looks at the wrong files", len(names))
	}
	return names
}

// known are all names that a query may use.
func known(t *testing.T) map[string]bool {
	t.Helper()
	names := spiderMetrics(t)
	gateway := gatewayMetrics(t)
	for name := range gateway {
		names[name] = true
	}
	for name := range awaited {
		if gateway[name] {
			t.Errorf("the gateway has %s now: take it off the list of awaited metrics", name)
		}
		names[name] = true
	}
	for _, r := range rules(t, "rules/expected_test.yaml") {
		names[r.Record] = true
	}
	return names
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
	for name := range awaited {
		if !used[name] {
			t.Errorf("nothing asks for %s: take it off the list of awaited metrics", name)
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
