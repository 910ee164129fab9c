package spider_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"leviathan/gateway"
	"leviathan/gateway/autonomy"
	"leviathan/gateway/engine"
	"leviathan/gateway/journal"
	"leviathan/gateway/server"
	"leviathan/policies"
	"leviathan/spider"
)

const operator = "operator-token-of-the-tests"

const config = `autonomy_enabled: true
target_id: demo
target_repo_url: %s
target_branch: main
allowed_path_prefixes: [docs/]
max_open_prs: 3
max_running_attempts: 2
max_attempts_per_task: 4
circuit_breaker_failures: 5
`

var quiet = slog.New(slog.DiscardHandler)

// A clock moves when a test says so.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// A gate is a real gateway with a real journal, at one address for all of its
// restarts.
type gate struct {
	t       *testing.T
	dir     string
	address string
	clock   *clock
	journal *journal.Journal
	stop    func()
}

var builtin = sync.OnceValues(func() (*engine.Snapshot, error) {
	return engine.LoadFS(context.Background(), policies.FS, engine.Options{})
})

func newGate(t *testing.T) *gate {
	t.Helper()
	g := &gate{t: t, dir: t.TempDir(), address: "127.0.0.1:0", clock: &clock{at: time.Now().UTC().Truncate(time.Second)}}
	g.start("state")
	return g
}

// start opens the gateway on a state folder.
func (g *gate) start(state string) {
	g.t.Helper()
	ctx := context.Background()
	file := filepath.Join(g.dir, "demo.yaml")
	g.must(os.WriteFile(file, fmt.Appendf(nil, config, filepath.Join(g.dir, "upstream.git")), 0o644))
	dir := filepath.Join(g.dir, state)
	g.must(os.MkdirAll(dir, 0o700))
	targets, err := autonomy.Open(file, quiet, time.Now)
	g.must(err)
	snapshot, err := builtin()
	g.must(err)
	g.journal, err = journal.Open(ctx, journal.Config{Dir: dir, Logger: quiet, Now: g.clock.now})
	g.must(err)
	srv, err := server.New(ctx, server.Config{StateDir: dir, Journal: g.journal, Engine: engine.New(snapshot), Targets: targets,
		OperatorToken: operator, Logger: quiet, Now: g.clock.now})
	g.must(err)
	listener, err := net.Listen("tcp", g.address)
	g.must(err)
	g.address = listener.Addr().String()
	serving, cancel := context.WithCancel(ctx)
	web := &httptest.Server{Listener: listener, Config: &http.Server{Handler: srv.Handler(), BaseContext: func(net.Listener) context.Context { return serving }}}
	web.Start()
	g.stop = sync.OnceFunc(func() {
		cancel() // ends the followers
		web.CloseClientConnections()
		web.Close()
		g.must(srv.Close())
		g.must(g.journal.Close())
	})
	g.t.Cleanup(func() { g.stop() })
}

func (g *gate) must(err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
}

// record journals the gateway's own events.
func (g *gate) record(payloads ...journal.Payload) {
	g.t.Helper()
	for _, p := range payloads {
		g.must(g.journal.Commit(context.Background(), func(tx *journal.Tx) error {
			_, err := tx.Append(journal.NewEvent("gateway", p))
			return err
		}))
	}
}

// events counts what is in the journal, and its last event's place.
func (g *gate) events() (n uint64, last int64) {
	g.t.Helper()
	for {
		page, err := g.journal.Events(context.Background(), journal.EventFilter{After: last}, 1000)
		g.must(err)
		if len(page) == 0 {
			return n, last
		}
		n, last = n+uint64(len(page)), page[len(page)-1].Seq
	}
}

func (g *gate) client() *gateway.Client {
	g.t.Helper()
	c, err := gateway.NewClient("http://"+g.address, operator, gateway.ClientOptions{MinBackoff: time.Millisecond, MaxBackoff: 5 * time.Millisecond, MaxTries: 1})
	g.must(err)
	return c
}

// A run is a spider that runs.
type run struct {
	t *testing.T
	*spider.Spider
	http *httptest.Server
	stop func()
}

func start(t *testing.T, c spider.Config) *run {
	t.Helper()
	if c.Logger == nil {
		c.Logger = quiet
	}
	s, err := spider.New(c)
	if err != nil {
		t.Fatal(err)
	}
	r := &run{t: t, Spider: s, http: httptest.NewServer(s.Handler())}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := s.Run(ctx); err != context.Canceled {
			t.Errorf("Run ended with %v", err)
		}
	}()
	r.stop = sync.OnceFunc(func() {
		cancel()
		<-ended
		r.http.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(r.stop)
	return r
}

// caughtUp waits until the spider has all that is in the journal.
func (r *run) caughtUp(g *gate) {
	r.t.Helper()
	_, last := g.events()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := r.Await(ctx, func(_ uint64, cursor int64) bool { return cursor == last }); err != nil {
		r.t.Fatalf("the spider does not reach event %d: %v", last, err)
	}
}

// governed waits until the spider has a status of this moment.
func (r *run) governed(g *gate) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := r.AwaitStatus(ctx, g.clock.now()); err != nil {
		r.t.Fatalf("the spider does not read the status: %v", err)
	}
}

// scrape reads /metrics with the parser that Prometheus uses for text.
func (r *run) scrape() map[string]*dto.MetricFamily {
	r.t.Helper()
	resp, err := http.Get(r.http.URL + "/metrics")
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		r.t.Fatalf("status %d: %v", resp.StatusCode, err)
	}
	return families
}

// value is the value of a series, named as in a query without quotes:
// name{label=value,…}; -1 if it is missing.
func value(families map[string]*dto.MetricFamily, series string) float64 {
	name, labels, _ := strings.Cut(strings.TrimSuffix(series, "}"), "{")
	want := map[string]string{}
	for _, pair := range strings.Split(labels, ",") {
		if k, v, ok := strings.Cut(pair, "="); ok {
			want[k] = v
		}
	}
	for _, m := range families[name].GetMetric() {
		if len(m.GetLabel()) != len(want) {
			continue
		}
		same := true
		for _, l := range m.GetLabel() {
			same = same && want[l.GetName()] == l.GetValue()
		}
		switch {
		case !same:
		case m.Counter != nil:
			return m.Counter.GetValue()
		case m.Gauge != nil:
			return m.Gauge.GetValue()
		case m.Histogram != nil:
			return m.Histogram.GetSampleSum()
		}
	}
	return -1
}

// holds compares series with what they must be.
func (r *run) holds(want map[string]float64) {
	r.t.Helper()
	families := r.scrape()
	for series, v := range want {
		if got := value(families, series); got != v {
			r.t.Errorf("%s is %v, want %v", series, got, v)
		}
	}
}

// post sends a body to the ingest route.
func (r *run) post(body string) (int, string) {
	r.t.Helper()
	resp, err := http.Post(r.http.URL+"/v1/events/ingest", "application/json", strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, strings.TrimSpace(string(data))
}

// A job is a task with an attempt, for tests to take through its life.
type job struct{ about journal.Subject }

func newJob(task string) job {
	return job{journal.Subject{TargetID: "demo", TaskID: gateway.TaskID(task), AttemptID: gateway.AttemptID(ulid.Make().String())}}
}

func (j job) task() journal.Payload {
	return journal.TaskCreated{Subject: journal.Subject{TargetID: j.about.TargetID, TaskID: j.about.TaskID}, Title: "T", Status: "pending"}
}

func (j job) created(n int) journal.Payload {
	return journal.AttemptCreated{Subject: j.about, AttemptNumber: n, Status: gateway.Reserved, Digest: "d", Agent: "a", Branch: j.about.AttemptID.Branch()}
}

func (j job) started() journal.Payload {
	return journal.AttemptStarted{Subject: j.about, Status: gateway.Running, Instance: "i"}
}

// proposed is everything from a push to an open pull request.
func (j job) proposed(number int) []journal.Payload {
	commit := gateway.OID(fmt.Sprintf("%040d", number))
	branch := j.about.AttemptID.Branch()
	return []journal.Payload{
		journal.PushIntended{Subject: j.about, PushIntent: journal.PushIntent{RefName: "refs/heads/" + branch, New: commit, Tree: commit}},
		journal.AttemptPushed{Subject: j.about, Status: gateway.Pushed, CommitSHA: commit, Tree: commit, BranchName: branch},
		journal.PullIntended{Subject: j.about, PullIntent: journal.PullIntent{BranchName: branch, CommitSHA: commit, Title: "T"}},
		journal.PullCreated{Subject: j.about, PRNumber: number, BranchName: branch, CommitSHA: commit, Title: "T", State: "open"},
	}
}

func (j job) ended(end journal.End) journal.Payload {
	return journal.AttemptEnded{Subject: j.about, End: end}
}
