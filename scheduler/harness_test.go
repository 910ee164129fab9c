package scheduler_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"leviathan/gateway"
	"leviathan/scheduler"
)

const (
	first  gateway.AttemptID = "01JAAAAAAAAAAAAAAAAAAAAAAA"
	second gateway.AttemptID = "01JBBBBBBBBBBBBBBBBBBBBBBB"
	third  gateway.AttemptID = "01JCCCCCCCCCCCCCCCCCCCCCCC"
)

// A pipeListener accepts connections that live in memory, so that a test's
// bubble of time sees when everybody waits.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8000} }

func (l *pipeListener) dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case l.conns <- theirs:
		return ours, nil
	case <-l.done:
		return nil, errors.New("connection refused")
	}
}

// A wire is a gateway that says what a test tells it to, in the JSON of the
// wire, and notes what it was asked and when.
type wire struct {
	t      *testing.T
	client *gateway.Client

	mu       sync.Mutex
	down     bool
	cycle    string            // what the next cycles are
	live     []string          // the attempts that the journal believes live
	breaker  string            // until when the breaker is open
	config   string            // valid or invalid
	lostCode int               // the answer to a lost worker
	cycles   []time.Time       // when a cycle was asked for
	tries    []time.Time       // when anything was asked of a gateway that is down
	lost     map[string]string // attempt: what was observed
	reported []string
	details  []string
	onCycle  func(n int)
	onList   func(n int)     // called before the attempts are listed
	lists    int             // how often they were
	claims   []gateway.Event // what was ingested
	ingest   int             // the answer to that, if not 200
}

const idleCycle = `{"outcome":"idle"}`

// serve starts a gateway of target demo. It ends with the test.
func serve(t *testing.T) *wire {
	t.Helper()
	w := &wire{t: t, cycle: idleCycle, config: "valid", lost: map[string]string{}, lostCode: http.StatusOK}
	listener := newPipeListener()
	server := httptest.NewUnstartedServer(w)
	if err := server.Listener.Close(); err != nil {
		t.Fatal(err)
	}
	server.Listener = listener
	server.Start()
	transport := &http.Transport{DialContext: listener.dial}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		server.Close()
	})
	var err error
	w.client, err = gateway.NewClient(server.URL, "lev_scheduler_test", gateway.ClientOptions{HTTPClient: &http.Client{Transport: transport}, MaxTries: 1})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *wire) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r.Header.Get("Authorization") != "Bearer lev_scheduler_test" {
		w.t.Errorf("%s %s without the scheduler's token", r.Method, r.URL)
	}
	out.Header().Set("Content-Type", "application/json")
	answer, status := "{}", http.StatusOK
	route := r.Method + " " + r.URL.Path
	switch {
	case w.down:
		w.tries = append(w.tries, time.Now())
		answer, status = `{"type":"https://leviathan.invalid/problems/unknown","title":"unknown","status":503,"detail":"the disk is full"}`, http.StatusServiceUnavailable
	case route == "GET /v1/attempts":
		if q := r.URL.Query(); q.Get("state") != "live" || q.Get("target") != "demo" {
			w.t.Errorf("attempts were asked for with %s", r.URL.RawQuery)
		}
		if r.URL.Query().Get("page_token") == "" {
			if w.lists++; w.onList != nil {
				w.onList(w.lists)
			}
		}
		answer = w.page(r.URL.Query().Get("page_token"))
	case route == "POST /v1/targets/demo/cycle":
		w.cycles = append(w.cycles, time.Now())
		answer = w.cycle
		if w.onCycle != nil {
			w.onCycle(len(w.cycles))
		}
	case route == "GET /v1/autonomy/status":
		until := "null"
		if w.breaker != "" {
			until = `"` + w.breaker + `"`
		}
		answer = `{"targets":[{"target":"other","config_state":"valid","circuit":{"until":"1999-01-01T00:00:00.000000Z"}},
			{"target":"demo","config_state":"` + w.config + `","circuit":{"state":"open","until":` + until + `}}]}`
	case strings.HasPrefix(route, "POST /v1/attempts/") && strings.HasSuffix(route, "/lost"):
		status = w.reportLost(r)
	case route == "POST /v1/events/ingest":
		var bundle gateway.IngestRequest
		if err := json.NewDecoder(r.Body).Decode(&bundle); err != nil {
			w.t.Errorf("a bundle: %v", err)
		}
		w.claims = append(w.claims, bundle.Events...)
		if w.ingest != 0 {
			answer, status = `{"title":"no","status":`+strconv.Itoa(w.ingest)+`}`, w.ingest
		}
	default:
		w.t.Errorf("no such route: %s", route)
		status = http.StatusNotFound
	}
	out.WriteHeader(status)
	if _, err := io.WriteString(out, answer); err != nil {
		w.t.Errorf("answering %s: %v", route, err)
	}
}

// page lists one live attempt a page.
func (w *wire) page(token string) string {
	at := slices.Index(w.live, token)
	if token == "" {
		at = 0
	}
	if at < 0 || at >= len(w.live) {
		return `{"attempts":[],"count":0}`
	}
	next := ""
	if at+1 < len(w.live) {
		next = w.live[at+1]
	}
	id, state, _ := strings.Cut(w.live[at], " ")
	return `{"attempts":[{"attempt_id":"` + id + `","state":"` + state + `"}],"count":1,"next_page_token":"` + next + `"}`
}

func (w *wire) reportLost(r *http.Request) int {
	var body struct{ Observed, Detail string }
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		w.t.Errorf("a lost worker's body: %v", err)
	}
	id := strings.Split(r.URL.Path, "/")[3]
	w.lost[id] = body.Observed
	w.details = append(w.details, body.Detail)
	w.reported = append(w.reported, id)
	if body.Detail == "" {
		w.t.Errorf("attempt %s was reported lost without a detail", id)
	}
	w.live = slices.DeleteFunc(w.live, func(l string) bool { return strings.HasPrefix(l, id) })
	return w.lostCode
}

// say changes what the gateway says.
func (w *wire) say(change func(w *wire)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(w)
}

// asked is how many cycles there were.
func (w *wire) asked() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.cycles)
}

func (w *wire) wasLost(id gateway.AttemptID) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lost[string(id)]
}

// reserving is a cycle that lists reservations.
func reserving(ids ...gateway.AttemptID) string {
	return worked(ids, func(id gateway.AttemptID) gateway.Reservation {
		return gateway.Reservation{AttemptID: id, TaskID: "task", Token: "token-of-" + string(id)}
	})
}

// reservingWhole is a cycle that lists reservations with all that a Job needs.
func reservingWhole(ids ...gateway.AttemptID) string { return worked(ids, forJob) }

func worked(ids []gateway.AttemptID, reservation func(gateway.AttemptID) gateway.Reservation) string {
	result := gateway.CycleResult{Target: "demo", Outcome: gateway.CycleWorked}
	for _, id := range ids {
		result.Reserved = append(result.Reserved, reservation(id))
	}
	data, err := json.Marshal(result)
	if err != nil {
		panic(err) // a value of this file
	}
	return string(data)
}

// A recorder is a launcher that notes what it launches.
type recorder struct {
	mu       sync.Mutex
	launched []gateway.AttemptID
	live     []gateway.AttemptID
	exits    chan scheduler.Exit
	refuse   error
	onLaunch func()
}

func newRecorder() *recorder { return &recorder{exits: make(chan scheduler.Exit, 8)} }

func (l *recorder) Launch(_ context.Context, r gateway.Reservation) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.onLaunch != nil {
		l.onLaunch()
	}
	if l.refuse != nil {
		return l.refuse
	}
	if slices.Contains(l.live, r.AttemptID) {
		return nil // adopted
	}
	l.launched, l.live = append(l.launched, r.AttemptID), append(l.live, r.AttemptID)
	return nil
}

func (l *recorder) Observe(_ context.Context, attempts []gateway.AttemptID) ([]scheduler.Worker, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var workers []scheduler.Worker
	for _, id := range l.live {
		workers = append(workers, scheduler.Worker{Exit: scheduler.Exit{Attempt: id}})
	}
	for _, id := range attempts {
		if !slices.Contains(l.live, id) {
			workers = append(workers, scheduler.Worker{State: scheduler.WorkerAbsent,
				Exit: scheduler.Exit{Attempt: id, Observed: "process_gone", Detail: "nobody runs it"}})
		}
	}
	return workers, nil
}

func (l *recorder) Exits() <-chan scheduler.Exit { return l.exits }

// end ends a worker.
func (l *recorder) end(id gateway.AttemptID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.live = slices.DeleteFunc(l.live, func(live gateway.AttemptID) bool { return live == id })
	l.exits <- scheduler.Exit{Attempt: id, Observed: "process_gone", Detail: "the worker process ended"}
}

func (l *recorder) all() []gateway.AttemptID {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.launched)
}

// A rig is a scheduler between a gateway and a launcher, in a bubble of time.
type rig struct {
	t        *testing.T
	gateway  *wire
	launcher *recorder
	config   scheduler.Config
}

// bubble runs a test in a time of its own.
func bubble(t *testing.T, test func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, gateway: serve(t), launcher: newRecorder()}
		r.config = scheduler.Config{Client: r.gateway.client, Target: "demo", Launcher: r.launcher, Logger: slog.New(slog.DiscardHandler)}
		test(t, r)
	})
}

// start runs the scheduler; stop ends it and returns what Run did.
func (r *rig) start() (ended <-chan error, stop func() error) {
	ctx, cancel := context.WithCancel(r.t.Context())
	result := make(chan error, 1)
	go func() { result <- scheduler.New(r.config).Run(ctx) }()
	synctest.Wait()
	return result, func() error {
		cancel()
		return <-result
	}
}

// after lets d pass.
func after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// in is a time of the wire, d from now.
func in(d time.Duration) string { return gateway.At(time.Now().Add(d)).String() }
