package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"leviathan/gateway"
	"leviathan/gateway/journal"
	"leviathan/gateway/server"
	"leviathan/spider"
)

// A forwarding is a forwarder that runs.
type forwarding struct {
	registry *prometheus.Registry
	stop     func()
}

func (w *world) forward(url string, behind int64, timeout time.Duration) *forwarding {
	w.t.Helper()
	f := &forwarding{registry: prometheus.NewRegistry()}
	forwarder, err := server.NewForwarder(server.ForwardConfig{Journal: w.journal, URL: url, Logger: slog.New(slog.DiscardHandler), Behind: behind, Timeout: timeout, MaxPause: time.Millisecond}, f.registry)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- forwarder.Run(ctx) }()
	stopped := false
	f.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != context.Canceled {
			w.t.Errorf("Run ended with %v", err)
		}
	}
	w.t.Cleanup(f.stop)
	return f
}

// count is the value of a counter; reason "" is the one without labels.
func (f *forwarding) count(t *testing.T, name, reason string) int {
	t.Helper()
	families, err := f.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.Metric {
			if family.GetName() == name && (reason == "" || m.Label[0].GetValue() == reason) {
				return int(m.Counter.GetValue())
			}
		}
	}
	t.Fatalf("no metric %s %s", name, reason)
	return 0
}

// bundle is what a spider was sent.
type bundle struct {
	BundleID string                `json:"bundle_id"`
	Events   []journal.LoggedEvent `json:"events"`
}

// sink is a spider that says what it gets, and answers with the status that it
// is told to.
func sink(t *testing.T) (url string, got chan bundle, answer chan int) {
	t.Helper()
	got, answer = make(chan bundle), make(chan int)
	gone := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var b bundle
		if err := json.NewDecoder(r.Body).Decode(&b); err != nil || r.URL.Path != "/v1/events/ingest" {
			t.Errorf("%s: %v", r.URL.Path, err)
		}
		for _, step := range []func() bool{
			func() bool {
				select {
				case got <- b:
					return true
				case <-gone:
				case <-r.Context().Done():
				}
				return false
			},
			func() bool {
				select {
				case status := <-answer:
					w.WriteHeader(status)
					return true
				case <-gone:
				case <-r.Context().Done(): // it was waited for long enough
				}
				return false
			},
		} {
			if !step() {
				return
			}
		}
	}))
	t.Cleanup(func() { close(gone); s.Close() })
	return s.URL, got, answer
}

func (w *world) halts(n int) {
	w.t.Helper()
	for range n {
		if err := w.client(operator).Halt(context.Background(), gateway.ReasonRequest{Reason: "r"}); err != nil {
			w.t.Fatal(err)
		}
	}
}

func TestEventsReachASpiderOnceOverRestartsOfTheForwarder(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	s, err := spider.New(spider.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	arrived := make(chan struct{}, 1000)
	handler := s.Handler()
	web := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(rw, r)
		arrived <- struct{}{}
	}))
	defer web.Close()
	w.cycle()
	for round := range 3 {
		f := w.forward(web.URL+"/", 0, time.Minute)
		w.halts(2)
		want := fmt.Sprintf("\nleviathan_events_received_total %d\n", len(w.log()))
		for page := ""; !strings.Contains(page, want); {
			<-arrived
			rec := httptest.NewRecorder()
			handler.ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
			page = rec.Body.String()
			if !strings.Contains(page, "leviathan_spider_duplicates_total 0\n") {
				t.Fatalf("round %d: events were sent again", round)
			}
		}
		f.stop()
		w.halts(1) // missed by the forwarder, not by its cursor
	}
}

// S13: whatever a spider does, the gateway's answers do not wait for it. Each
// answer comes while the spider still has the forwarder's request.
func TestS13ASpiderThatHangsHoldsUpNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	url, got, answer := sink(t)
	f := w.forward(url, 0, 0)
	w.halts(1)
	<-got // from here on the spider hangs, with the first bundle in its hands
	w.halts(2)
	if result := w.cycle(); result.Outcome != gateway.CycleDenied {
		t.Errorf("a cycle in a halt: %s", result.Outcome)
	}
	for i := range 50 {
		a := w.ask("POST", "/v1/events/ingest", operator, fmt.Sprintf(`{"events":[{"event_id":"e%d","event_type":"note.made","timestamp":"2026-01-28T10:00:00Z","target":"demo","payload":{}}]}`, i))
		if a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	if n := f.count(t, "leviathan_forwarded_total", ""); n != 0 {
		t.Errorf("%d events were forwarded to a spider that hangs", n)
	}
	// It gives up after a second, tries again, and loses nothing.
	all := w.log()
	next := <-got
	for len(next.Events) < len(all) {
		next = <-got // one that was put together earlier
	}
	for i, e := range next.Events {
		if e.EventID != all[i].EventID || e.Origin == "" {
			t.Errorf("event %d is %s of %q, want %s", i, e.EventID, e.Origin, all[i].EventID)
		}
	}
	answer <- 200
}

// S13: no ingest waits, whatever the spider will have answered, and there is none
// that is lost.
func TestS13NoIngestWaitsForASpider(t *testing.T) {
	t.Parallel()
	for name, status := range map[string]int{"hangs": 0, "is slow": 200, "answers 500": 500, "is down": -1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, baseBacklog, baseConfig)
			url, got, answer := sink(t)
			if status < 0 {
				down := httptest.NewServer(http.NotFoundHandler())
				url = down.URL
				down.Close()
			}
			patience := time.Minute
			if status == 0 {
				patience = 0 // what it usually has
			}
			f := w.forward(url, 0, patience)
			w.halts(1)
			if status >= 0 {
				<-got // the spider has a bundle, and does not answer before all of this was answered
			}
			for i := range 20 {
				a := w.ask("POST", "/v1/events/ingest", operator, fmt.Sprintf(`{"events":[{"event_id":"e%d","event_type":"note.made","timestamp":"2026-01-28T10:00:00Z","target":"demo","payload":{}}]}`, i))
				if a.status != http.StatusOK {
					t.Fatalf("%d %s", a.status, a.body)
				}
			}
			if n := f.count(t, "leviathan_forwarded_total", ""); n != 0 {
				t.Errorf("%d events were forwarded meanwhile", n)
			}
			if status > 0 {
				answer <- status
				if next := <-got; status == 200 && next.Events[0].EventID == w.log()[0].EventID || status == 500 && next.Events[0].EventID != w.log()[0].EventID {
					t.Errorf("after %d comes %s", status, next.Events[0].EventID)
				}
				answer <- http.StatusOK
			}
		})
	}
}

func TestS13ASpiderThatFailsCostsTheOldestEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	url, got, answer := sink(t)
	const behind = 8
	f := w.forward(url, behind, time.Minute)
	w.halts(1)
	first := (<-got).Events[0].Seq
	w.halts(40) // each is a decision and an event
	answer <- 500
	next := <-got
	floor := w.journal.Seq() - behind
	if next.Events[0].Seq <= floor || next.Events[0].Seq <= first {
		t.Errorf("the bundle begins with record %d, the newest %d begin after %d", next.Events[0].Seq, behind, floor)
	}
	answer <- 200
	w.halts(1)
	last := <-got
	all := len(w.log())
	answer <- 200
	w.halts(1)
	<-got // the one before has been counted
	sent := f.count(t, "leviathan_forwarded_total", "")
	dropped := f.count(t, "leviathan_forward_dropped_total", "behind")
	if sent != len(next.Events)+len(last.Events) || dropped == 0 || sent+dropped != all {
		t.Errorf("%d forwarded, %d dropped, of %d events", sent, dropped, all)
	}
	answer <- 200
}

func TestABundleThatASpiderRefusesIsDropped(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	url, got, answer := sink(t)
	f := w.forward(url, 0, time.Minute)
	for i, status := range []int{400, 413, 422} {
		w.halts(1)
		b := <-got
		answer <- status
		w.halts(1)
		after := <-got
		if after.Events[0].Seq <= b.Events[len(b.Events)-1].Seq {
			t.Errorf("after %d the same events come again", status)
		}
		if n := f.count(t, "leviathan_forward_dropped_total", "refused"); n <= i {
			t.Errorf("after %d there are %d dropped events", status, n)
		}
		answer <- 200
	}
}

func TestASpiderThatIsDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	tried := make(chan struct{}, 1000)
	down := httptest.NewServer(http.NotFoundHandler())
	down.Close()
	registry := prometheus.NewRegistry()
	f, err := server.NewForwarder(server.ForwardConfig{Journal: w.journal, URL: down.URL, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), MaxPause: time.Millisecond,
		Client: &http.Client{Transport: tell{tried}}}, registry)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	w.halts(1)
	for range 5 {
		<-tried
		w.halts(1)
	}
	cancel()
	if err := <-ended; err != context.Canceled {
		t.Error(err)
	}
}

// tell is a transport that says when it was used.
type tell struct{ tried chan<- struct{} }

func (t tell) RoundTrip(r *http.Request) (*http.Response, error) {
	t.tried <- struct{}{}
	return http.DefaultTransport.RoundTrip(r)
}

func TestAForwarderNeedsAUsableURL(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "spider:8001", "ftp://spider", "http://", "http://u:p@spider", "http://spider?x=1", "http://spider#x", "::"} {
		if _, err := server.NewForwarder(server.ForwardConfig{URL: url}, prometheus.NewRegistry()); err == nil {
			t.Errorf("%q is taken", url)
		}
	}
}
