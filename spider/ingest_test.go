package spider_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"leviathan/gateway"
	"leviathan/spider"
)

func event(id, kind string) string {
	return fmt.Sprintf(`{"event_id":%q,"event_type":%q,"timestamp":"2026-01-28T10:00:00"}`, id, kind)
}

func bundle(events ...string) string {
	return `{"target":"demo","bundle_id":"b","events":[` + strings.Join(events, ",") + `]}`
}

func TestS16TheShapesOfRelease04(t *testing.T) {
	t.Parallel()
	s := start(t, spider.Config{})
	for path, want := range map[string]string{
		"/health":  `{"service":"spider-node","status":"healthy","version":"` + gateway.Version + `"}`,
		"/healthz": `{"status":"ok"}`,
	} {
		resp, err := http.Get(s.http.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		if resp.Body.Close(); err != nil || strings.TrimSpace(string(got)) != want {
			t.Errorf("%s: %v %s", path, err, got)
		}
	}
	for _, artifacts := range []string{"", `,"artifacts":null`, `,"artifacts":[{"artifact_id":"x"}]`} {
		body := strings.TrimSuffix(bundle(event("e"+artifacts, "attempt.started"), event("f"+artifacts, "x.y")), "}") + artifacts + "}"
		if code, got := s.post(body); code != 200 || got != `{"received":2,"status":"ok"}` {
			t.Errorf("%d %s", code, got)
		}
	}
	s.holds(map[string]float64{"leviathan_events_received_total": 6, "leviathan_spider_up": 1, "leviathan_events_total{event_type=attempt.started}": 3,
		"leviathan_events_total{event_type=other}": 3, "leviathan_events_total{event_type=task.created}": 0})
	if value(s.scrape(), "leviathan_spider_last_event_ts") <= 0 {
		t.Error("no time of the last event")
	}
	if families := s.scrape(); families["leviathan_events_attempt_started_total"] != nil {
		t.Error("the old family is shown without being asked for")
	}
}

func TestTheOldFamilyOnRequest(t *testing.T) {
	t.Parallel()
	s := start(t, spider.Config{LegacyMetrics: true})
	s.post(bundle(event("a", "attempt.started"), event("b", "\"}\nevil 1")))
	s.holds(map[string]float64{"leviathan_events_attempt_started_total": 1, "leviathan_events_other_total": 1, "leviathan_events_circuit_half_opened_total": 0})
}

// S14: whatever comes, the page parses, has no label from outside, and the
// process lives.
func TestS14HostileBundles(t *testing.T) {
	t.Parallel()
	s := start(t, spider.Config{MaxTargets: 3})
	for name, body := range map[string]string{
		"empty": "", "no object": `[]`, "null": `null`, "no events": `{}`, "events null": `{"events":null}`, "events a map": `{"events":{}}`,
		"an event null": `{"events":[null]}`, "a number": `{"events":[7]}`, "no id": bundle(event("", "x.y")), "no type": bundle(event("a", "")),
		"type a number": `{"events":[{"event_id":"a","event_type":7,"timestamp":"2026-01-28T10:00:00"}]}`,
		"no time":       `{"events":[{"event_id":"a","event_type":"x.y"}]}`,
		"wrong time":    `{"events":[{"event_id":"a","event_type":"x.y","timestamp":"yesterday"}]}`,
		"payload list":  `{"events":[{"event_id":"a","event_type":"x.y","timestamp":"2026-01-28T10:00:00","payload":[]}]}`,
		"seq below 0":   `{"events":[{"event_id":"a","event_type":"x.y","timestamp":"2026-01-28T10:00:00","seq":-1}]}`,
		"long id":       bundle(event(strings.Repeat("x", 201), "x.y")),
		"one is bad":    bundle(event("good", "x.y"), "{}"),
		"cut":           `{"events":[{"event_id":"a"`,
		"deep":          `{"events":[` + strings.Repeat(`[`, 20_000) + strings.Repeat(`]`, 20_000) + `]}`,
	} {
		if code, got := s.post(body); code != 422 || !strings.Contains(got, gateway.ProblemType) {
			t.Errorf("%s: %d %s", name, code, got)
		}
	}
	if code, _ := s.post(bundle(strings.Repeat(" ", 17<<20))); code != 413 {
		t.Errorf("a body of 17 MiB: %d", code)
	}
	if code, _ := s.post(bundle(strings.Repeat(event("a", "x.y")+",", 10_000) + event("a", "x.y"))); code != 413 {
		t.Errorf("10,001 events: %d", code)
	}
	s.holds(map[string]float64{"leviathan_events_received_total": 0, "leviathan_spider_refused_bundles_total": 21})

	types := []string{"x", "leviathan_spider_up", "a\x00b", "a\nb", "\\\"", "é", strings.Repeat("x", 100_000), "__name__", "attempt.created ", "ATTEMPT.CREATED"}
	events := []string{}
	for i, kind := range types {
		quoted, err := json.Marshal(kind)
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, fmt.Sprintf(`{"event_id":"h%d","event_type":%s,"timestamp":"2026-01-28T10:00:00"}`, i, quoted))
	}
	for i, target := range []string{"a", "b", "c", "d", "other", "A", "../x", "x\\\"}", "é", strings.Repeat("z", 64)} {
		quoted, err := json.Marshal(target)
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, fmt.Sprintf(`{"event_id":"t%d","event_type":"cycle.completed","timestamp":"2026-01-28T10:00:00","target":%s,"payload":{"outcome":"}{%d"}}`, i, quoted, i))
	}
	if code, got := s.post(`{"events":[` + strings.Join(events, ",") + `]}`); code != 200 {
		t.Fatal(code, got)
	}
	s.holds(map[string]float64{"leviathan_events_total{event_type=other}": float64(len(types)), "leviathan_cycles_total{target=a,outcome=other}": 1,
		"leviathan_cycles_total{target=other,outcome=other}": 7})
	known := map[string]bool{"other": true}
	for _, kind := range gateway.EventTypes() {
		known[kind] = true
	}
	for name, family := range s.scrape() {
		for _, m := range family.Metric {
			for _, l := range m.Label {
				switch v := l.GetValue(); {
				case l.GetName() == "event_type" && !known[v], l.GetName() == "target" && !strings.Contains("a b c other", v):
					t.Errorf("%s has %s=%q", name, l.GetName(), v)
				}
			}
		}
	}
}

func TestAnEventIsCountedOnceAmongManyAndAfterARestart(t *testing.T) {
	t.Parallel()
	c := spider.Config{StateFile: filepath.Join(t.TempDir(), "spider.json")}
	s := start(t, c)
	for range 3 {
		if code, got := s.post(bundle(event("a", "attempt.started"), event("b", "attempt.started"), event("a", "attempt.started"))); code != 200 {
			t.Fatal(code, got)
		}
	}
	s.holds(map[string]float64{"leviathan_events_received_total": 2, "leviathan_spider_duplicates_total": 7})
	s.stop()
	s = start(t, c)
	s.post(bundle(event("b", "attempt.started")))
	s.holds(map[string]float64{"leviathan_events_received_total": 2, "leviathan_spider_duplicates_total": 8})
	// The memory has an end: what is older than its length is forgotten.
	for i := 0; i < spider.MaxSeen; i += 8192 {
		many := make([]string, 8192)
		for k := range many {
			many[k] = event(fmt.Sprint("n", i+k), "x.y")
		}
		if code, got := s.post(bundle(many...)); code != 200 {
			t.Fatal(code, got)
		}
	}
	s.post(bundle(event("b", "attempt.started"), event(fmt.Sprint("n", spider.MaxSeen-1), "x.y")))
	s.holds(map[string]float64{"leviathan_events_received_total": 3 + spider.MaxSeen, "leviathan_spider_duplicates_total": 9})
}

func TestWhatIsUnderWayIsBounded(t *testing.T) {
	t.Parallel()
	s := start(t, spider.Config{})
	for i := 0; i < spider.MaxTracked+10; i += 10_000 {
		many := []string{}
		for k := i; k < min(i+10_000, spider.MaxTracked+10); k++ {
			many = append(many, fmt.Sprintf(`{"event_id":"e%d","event_type":"attempt.created","timestamp":"2026-01-28T10:00:00","payload":{"attempt_id":"a%d","target_id":"demo"}}`, k, k))
		}
		if code, got := s.post(bundle(many...)); code != 200 {
			t.Fatal(code, got)
		}
	}
	s.holds(map[string]float64{"leviathan_live_attempts{target=demo,state=reserved}": spider.MaxTracked, "leviathan_spider_untracked_total": 10})
}

func TestAPullRequestOf04IsFoundByItsNumber(t *testing.T) {
	t.Parallel()
	s := start(t, spider.Config{})
	of := func(id, kind, at, payload string) string {
		return fmt.Sprintf(`{"event_id":%q,"event_type":%q,"timestamp":%q,"payload":%s}`, id, kind, at, payload)
	}
	s.post(bundle(of("1", "task.created", "2026-01-28T10:00:00", `{"task_id":"t","target_id":"demo"}`),
		of("2", "pr.created", "2026-01-28T10:10:00", `{"task_id":"t","target_id":"demo","attempt_id":"a1","pr_number":4}`)))
	s.holds(map[string]float64{"leviathan_open_pull_requests{target=demo}": 1, "leviathan_task_ready_to_pull_request_seconds{target=demo}": 600})
	s.post(bundle(of("3", "pr.merged", "2026-01-28T11:00:00", `{"target_id":"demo","pr_number":4}`)))
	s.holds(map[string]float64{"leviathan_open_pull_requests{target=demo}": 0, "leviathan_task_ready_to_merge_seconds{target=demo}": 3600, "leviathan_acceptance_ratio{target=demo}": 1})
}

func TestAStateFileThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"torn": `{"version":1,"cur`, "empty": "", "another version": `{"version":2}`, "hole": `{"version":1,"targets":{"a":null}}`,
		"null": `{"version":1,"tasks":null}`, "buckets": `{"version":1,"targets":{"a":{"to_pull":{"bounds":[1],"buckets":[1]}}}}`, "seen": `{"version":1,"seen":"YQ=="}`} {
		file := filepath.Join(t.TempDir(), "spider.json")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := spider.New(spider.Config{StateFile: file, Logger: quiet}); err == nil || !strings.Contains(err.Error(), "move it away") {
			t.Errorf("%s: %v", name, err)
		}
	}
	file := filepath.Join(t.TempDir(), "spider.json")
	start(t, spider.Config{StateFile: file})
	if _, err := spider.New(spider.Config{StateFile: file, Logger: quiet}); err == nil || !strings.Contains(err.Error(), "another spider's") {
		t.Errorf("two spiders on one file: %v", err)
	}
	if _, err := spider.New(spider.Config{}); err == nil {
		t.Error("a spider without a logger")
	}
}

// A full disk must not blind who watches.
func TestCountsAreShownThoughTheyCannotBeWritten(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "gone")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	s := start(t, spider.Config{StateFile: filepath.Join(dir, "spider.json")})
	if err := os.Rename(dir, dir+"-away"); err != nil {
		t.Fatal(err)
	}
	if code, got := s.post(bundle(event("a", "x.y"))); code != 200 {
		t.Fatal(code, got)
	}
	s.holds(map[string]float64{"leviathan_events_received_total": 1, "leviathan_spider_state_write_failures_total": 1})
}

func TestPromtoolFindsNoFault(t *testing.T) {
	t.Parallel()
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("needs promtool, of Debian's package prometheus")
	}
	s := start(t, spider.Config{})
	s.post(bundle(event("a", "attempt.started"), `{"event_id":"c","event_type":"cycle.completed","timestamp":"2026-01-28T10:00:00","payload":{"outcome":"idle"}}`,
		event("d", "attempt.failed"), event("e", "circuit.opened"), event("f", "pr.merged")))
	resp, err := http.Get(s.http.URL + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(promtool, "check", "metrics")
	cmd.Stdin = bytes.NewReader(page)
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		var exit *exec.ExitError
		if !errors.As(err, &exit) && err != nil {
			t.Fatal(err)
		}
		t.Errorf("%v\n%s", err, out)
	}
}

func FuzzIngest(f *testing.F) {
	f.Add([]byte(bundle(event("a", "attempt.started"))))
	f.Add([]byte(`{"events":[{"event_id":"a","event_type":"attempt.failed","timestamp":"0001-01-01T00:00:01","payload":{"attempt_id":"x","task_id":"t","pr_number":1e9}}]}`))
	s, err := spider.New(spider.Config{Logger: quiet, MaxTargets: 2})
	if err != nil {
		f.Fatal(err)
	}
	h := s.Handler()
	f.Fuzz(func(t *testing.T, body []byte) {
		req, err := http.NewRequestWithContext(t.Context(), "POST", "/v1/events/ingest", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		w := &recorder{header: http.Header{}}
		h.ServeHTTP(w, req)
		if w.status != 200 && w.status != 413 && w.status != 422 {
			t.Errorf("status %d", w.status)
		}
		page := &recorder{header: http.Header{}}
		if req, err = http.NewRequestWithContext(t.Context(), "GET", "/metrics", nil); err != nil {
			t.Fatal(err)
		}
		h.ServeHTTP(page, req)
		if page.status != 200 {
			t.Errorf("metrics: status %d %s", page.status, page.body.Bytes())
		}
	})
}

// A recorder keeps an answer.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header { return r.header }
func (r *recorder) WriteHeader(n int)   { r.status = n }
func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = 200
	}
	return r.body.Write(b)
}
