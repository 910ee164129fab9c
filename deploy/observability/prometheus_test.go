package observability_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"leviathan/spider"
)

// life is one event of each kind that moves a metric.
const life = `{"target":"demo","bundle_id":"b","events":[
{"event_id":"1","event_type":"task.created","timestamp":"2026-01-28T10:00:00Z","payload":{"task_id":"t"}},
{"event_id":"2","event_type":"attempt.created","timestamp":"2026-01-28T10:01:00Z","payload":{"task_id":"t","attempt_id":"a"}},
{"event_id":"3","event_type":"attempt.started","timestamp":"2026-01-28T10:02:00Z","payload":{"task_id":"t","attempt_id":"a"}},
{"event_id":"4","event_type":"pr.created","timestamp":"2026-01-28T10:03:00Z","payload":{"task_id":"t","attempt_id":"a","pr_number":1}},
{"event_id":"5","event_type":"attempt.succeeded","timestamp":"2026-01-28T10:04:00Z","payload":{"task_id":"t","attempt_id":"a"}},
{"event_id":"6","event_type":"pr.merged","timestamp":"2026-01-28T10:05:00Z","payload":{"task_id":"t","attempt_id":"a","pr_number":1}},
{"event_id":"7","event_type":"circuit.opened","timestamp":"2026-01-28T10:05:00Z","payload":{"cause":"failures"}},
{"event_id":"8","event_type":"cycle.completed","timestamp":"2026-01-28T10:05:00Z","payload":{"outcome":"idle"}}]}`

// A prom is a Prometheus process.
type prom struct{ url string }

// startPrometheus runs Debian's Prometheus on a spider, and skips without it.
func startPrometheus(ctx context.Context, t *testing.T, scraped string) prom {
	t.Helper()
	binary, err := exec.LookPath("prometheus")
	if err != nil {
		t.Skip("needs prometheus, of Debian's package of that name")
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "prometheus.yaml")
	text := fmt.Sprintf("global: {scrape_interval: 500ms, scrape_timeout: 400ms}\nscrape_configs:\n  - job_name: leviathan-spider\n    static_configs: [{targets: [%q]}]\n", scraped)
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

// Every panel that asks for what a spider shows gets an answer from a real
// Prometheus that scrapes one; every other question is at least understood.
func TestEveryPanelIsAnsweredByARealPrometheus(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := spider.New(spider.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(s.Handler())
	defer web.Close()
	p := startPrometheus(ctx, t, strings.TrimPrefix(web.URL, "http://"))
	resp, err := http.Post(web.URL+"/v1/events/ingest", "application/json", strings.NewReader(life))
	if err != nil || resp.StatusCode != 200 {
		t.Fatal(resp, err)
	}
	resp.Body.Close()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for { // until it has scraped what a rate needs
		n, err := p.ask(ctx, `count_over_time(leviathan_acceptance_ratio[1m]) >= 3`)
		if n > 0 {
			break
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("Prometheus has not scraped: %v", err)
		}
	}
	if resp, err = http.Get(web.URL + "/metrics"); err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	answered := 0
	for _, section := range sections {
		for _, panel := range section.panels {
			for _, q := range panel.queries {
				n, err := p.ask(ctx, asked(q.expr))
				if err != nil {
					t.Errorf("panel %q: %v", panel.title, err)
				}
				shown := true
				for _, name := range names(q.expr) {
					shown = shown && regexp.MustCompile(`(?m)^# TYPE `+name+` `).Match(page)
				}
				if shown && n == 0 && !strings.HasSuffix(q.expr, "> 0") {
					t.Errorf("panel %q: %s has no answer", panel.title, q.expr)
				}
				if shown {
					answered++
				}
			}
		}
	}
	if answered < 15 {
		t.Errorf("only %d queries are about what the spider shows", answered)
	}
}
