package observability_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// A prom is a Prometheus process.
type prom struct{ url string }

// startPrometheus runs Debian's Prometheus on a gateway and a spider, and skips
// without it.
func startPrometheus(ctx context.Context, t *testing.T, gateway, spider string) prom {
	t.Helper()
	binary, err := exec.LookPath("prometheus")
	if err != nil {
		t.Skip("needs prometheus, of Debian's package of that name")
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "prometheus.yaml")
	text := fmt.Sprintf("global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n"+
		"  - {job_name: leviathan-gateway, static_configs: [{targets: [%q]}]}\n  - {job_name: leviathan-spider, static_configs: [{targets: [%q]}]}\n", gateway, spider)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, binary, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address)
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		_ = cmd.Wait() // says that it was killed
		if t.Failed() {
			t.Log(said.String())
		}
	})
	return prom{"http://" + address}
}

// ask puts a query and counts the series of the answer.
func (p prom) ask(ctx context.Context, expr string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, "GET", p.url+"/api/v1/query?query="+url.QueryEscape(expr), nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	var answer struct {
		Status, Error string
		Data          struct{ Result []json.RawMessage }
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return 0, err
	}
	if answer.Status != "success" {
		return 0, fmt.Errorf("%s: %s", answer.Status, answer.Error)
	}
	return len(answer.Data.Result), nil
}

// elsewhere is what a gateway shows only where there is a GitHub.
var elsewhere = []string{"leviathan_forge_budget_remaining", "leviathan_forge_budget_limit"}

// Every panel's query gets an answer from a real Prometheus that scrapes a
// gateway and a spider at work; what is elsewhere alone is at least understood.
func TestEveryPanelIsAnsweredByARealPrometheus(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if _, err := exec.LookPath("prometheus"); err != nil {
		t.Skip("needs prometheus, of Debian's package of that name")
	}
	w := openWorld(ctx, t)
	p := startPrometheus(ctx, t, w.gateway, w.spider)
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for _, scraped := range []string{"leviathan_acceptance_ratio", "leviathan_limit_headroom", "leviathan_recorded_decisions_total", "leviathan_journal_commit_seconds_count"} {
		for { // until it has scraped what a rate needs
			n, err := p.ask(ctx, "count_over_time("+scraped+"[1m]) >= 3")
			if n > 0 {
				break
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				t.Fatalf("Prometheus has not scraped %s: %v", scraped, err)
			}
		}
	}
	for _, section := range sections {
		for _, panel := range section.panels {
			for _, q := range panel.queries {
				n, err := p.ask(ctx, asked(q.expr))
				if err != nil {
					t.Errorf("panel %q: %v", panel.title, err)
				}
				away := slices.ContainsFunc(names(q.expr), func(name string) bool { return slices.Contains(elsewhere, name) })
				if n == 0 && !away && !strings.HasSuffix(q.expr, "> 0") {
					t.Errorf("panel %q: %s has no answer", panel.title, q.expr)
				}
			}
		}
	}
}
