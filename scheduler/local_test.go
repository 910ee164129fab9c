package scheduler_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"leviathan/gateway"
	"leviathan/scheduler"
)

// A meeting is a worker that has said hello and waits to be told what to do.
type meeting struct {
	hello
	order chan<- string // what to do; see fakeWorker
}

// A floor is a launcher of real processes and the server that they report to.
type floor struct {
	*scheduler.Local
	workspaces string
	log        counter
	met        chan meeting
	heard      chan string // what workers say later
}

func openFloor(t *testing.T, grace time.Duration, env map[string]string) *floor {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f := &floor{workspaces: filepath.Join(t.TempDir(), "workspaces"), met: make(chan meeting, 4), heard: make(chan string, 4)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the worker was killed
		}
		if r.URL.Path != "/hello" {
			f.heard <- r.URL.Path
			return
		}
		order := make(chan string, 1)
		m := meeting{order: order}
		if err := json.Unmarshal(body, &m.hello); err != nil {
			t.Errorf("a worker said %s: %v", body, err)
		}
		f.met <- m
		select {
		case said := <-order:
			fmt.Fprint(w, said)
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(server.Close)
	f.Local, err = scheduler.NewLocal(scheduler.LocalConfig{Self: self, GatewayURL: server.URL, Workspaces: f.workspaces, Grace: grace, Logger: f.log.logger(),
		Env: func(name string) (string, bool) { value, ok := env[name]; return value, ok }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close) // before the server, which waits for its workers
	return f
}

func reservation(id gateway.AttemptID, env ...string) gateway.Reservation {
	return gateway.Reservation{AttemptID: id, Token: "canary-of-" + string(id), Worker: gateway.WorkerSpec{EnvFrom: env}}
}

// launch starts a worker and waits for its hello.
func (f *floor) launch(t *testing.T, r gateway.Reservation) meeting {
	t.Helper()
	if err := f.Launch(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	return <-f.met
}

func TestAWorkerGetsItsTokenAndLittleElse(t *testing.T) {
	f := openFloor(t, 0, map[string]string{"PATH": "/bin", "HOME": "/home/someone", "MODEL_KEY": "key", "GITHUB_TOKEN": "canary", "LEVIATHAN_CONTROL_PLANE_TOKEN": "canary"})
	r := reservation(first, "MODEL_KEY", "NOT_SET")
	w := f.launch(t, r)
	if w.Stdin != r.Token+"\n" {
		t.Errorf("on standard input is %q", w.Stdin)
	}
	slices.Sort(w.Env)
	if want := []string{"HOME=/home/someone", "MODEL_KEY=key", "PATH=/bin"}; !slices.Equal(w.Env, want) {
		t.Errorf("its environment is %q, want %q", w.Env, want)
	}
	workspace := filepath.Join(f.workspaces, string(first))
	want := []string{"worker", "--gateway", f.GatewayURL, "--attempt", string(first), "--token-file", "-", "--workspace", workspace}
	if !slices.Equal(w.Args[1:], want) {
		t.Errorf("its arguments are %q, want %q", w.Args[1:], want)
	}
	if w.Group >= 0 && w.Group != w.PID {
		t.Errorf("process %d is in group %d, want one of its own", w.PID, w.Group)
	}
	if info, err := os.Stat(workspace); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("its workspace: %v, %v", info, err)
	}
	if live := f.Live(); !slices.Equal(live, []gateway.AttemptID{first}) {
		t.Errorf("live are %v", live)
	}
	if err := f.Launch(t.Context(), r); err != nil { // adopted
		t.Errorf("launching it again: %v", err)
	}
	w.order <- "exit 0"
	if e := <-f.Exits(); e != (scheduler.Exit{Attempt: first, Observed: "process_gone", Detail: "the worker process ended"}) {
		t.Errorf("its exit is %+v", e)
	}
	if live := f.Live(); len(live) > 0 {
		t.Errorf("after its exit, live are %v", live)
	}
	if _, err := os.Stat(workspace); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its workspace is left: %v", err)
	}
	if len(f.met) > 0 {
		t.Error("a second worker was started")
	}
}

func TestAnExitSaysWhatTheWorkerSaidLast(t *testing.T) {
	f := openFloor(t, 0, nil)
	f.launch(t, reservation(first)).order <- "exit 3"
	e := <-f.Exits()
	if e.Observed != "process_gone" || !strings.Contains(e.Detail, "exit status 3") || !strings.HasSuffix(e.Detail, "the last words") {
		t.Errorf("its exit is %+v", e)
	}
	if len(e.Detail) > 5<<10 || strings.Contains(e.Detail, "the first words") {
		t.Errorf("the detail has %d bytes: %.80q", len(e.Detail), e.Detail)
	}
}

func TestAWorkerThatLeavesAChildIsGone(t *testing.T) {
	f := openFloor(t, 50*time.Millisecond, nil)
	f.launch(t, reservation(first)).order <- "leave"
	left := <-f.met // it holds the worker's stderr
	if e := <-f.Exits(); e.Attempt != first {
		t.Errorf("its exit is %+v", e)
	}
	left.order <- "exit 0"
}

func TestCloseAsksBeforeItKills(t *testing.T) {
	f := openFloor(t, time.Minute, nil)
	f.launch(t, reservation(first)).order <- "obey"
	if said := <-f.heard; said != "/ready" {
		t.Fatalf("the worker said %s", said)
	}
	f.Close()
	if said := <-f.heard; said != "/interrupted" {
		t.Errorf("the worker said %s, want that it was interrupted", said)
	}
	if e := <-f.Exits(); e.Detail != "the worker process ended" { // on its own account
		t.Errorf("its exit is %+v", e)
	}
	if err := f.Launch(t.Context(), reservation(second)); !errors.Is(err, scheduler.ErrClosed) {
		t.Errorf("a launch after Close: %v, want ErrClosed", err)
	}
	if entries, err := os.ReadDir(f.workspaces); err != nil || len(entries) > 0 {
		t.Errorf("of the workspaces is left: %v, %v", entries, err)
	}
}

func TestCloseKillsAfterTheGracePeriod(t *testing.T) {
	const grace = 3 * time.Second // ample for a worker that obeys, on a busy machine too
	f := openFloor(t, grace, nil)
	f.launch(t, reservation(first)).order <- "ignore"
	f.launch(t, reservation(second)).order <- "obey"
	for range 2 {
		if said := <-f.heard; said != "/ready" {
			t.Fatalf("a worker said %s", said)
		}
	}
	began := time.Now()
	f.Close()
	if took := time.Since(began); took < grace {
		t.Errorf("it killed after %v", took)
	}
	if live := f.Live(); len(live) > 0 {
		t.Errorf("after Close, live are %v", live)
	}
	details := map[gateway.AttemptID]string{}
	for range 2 {
		e := <-f.Exits()
		details[e.Attempt] = e.Detail
	}
	if !strings.Contains(details[first], "killed") || details[second] != "the worker process ended" {
		t.Errorf("the exits say %q", details)
	}
	if said := f.log.text(); strings.Count(said, "killing") != 1 || !strings.Contains(said, string(first)) {
		t.Errorf("the log says %s", said)
	}
	f.Close() // again is nothing
}

func TestALaunchThatFailsLeavesNothing(t *testing.T) {
	workspaces := filepath.Join(t.TempDir(), "workspaces")
	l, err := scheduler.NewLocal(scheduler.LocalConfig{Self: filepath.Join(workspaces, "no-such-program"), Workspaces: workspaces,
		Env: os.LookupEnv, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := l.Launch(t.Context(), reservation(first)); err == nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("its error is %v", err)
	}
	for _, id := range []gateway.AttemptID{"", "..", "../../elsewhere"} { // what is not an id names no folder
		if err := l.Launch(t.Context(), reservation(id)); err == nil {
			t.Errorf("attempt %q was launched", id)
		}
	}
	if entries, err := os.ReadDir(workspaces); err != nil || len(entries) > 0 || len(l.Live()) > 0 {
		t.Errorf("left are %v, %v; live are %v", entries, err, l.Live())
	}
	if _, err := scheduler.NewLocal(scheduler.LocalConfig{Workspaces: "/dev/null/workspaces"}); err == nil {
		t.Error("a launcher was made without a folder of workspaces")
	}
}

// S22 and the scheduler together: a worker that dies is reported, and the
// scheduler goes on.
func TestAWorkerThatIsKilledIsReportedLost(t *testing.T) {
	f := openFloor(t, 0, nil)
	told := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/cycle"):
			fmt.Fprint(w, reserving(first))
		case strings.HasSuffix(r.URL.Path, "/lost"):
			told <- r.URL.Path
			fmt.Fprint(w, "{}")
		default:
			fmt.Fprint(w, `{"attempts":[]}`)
		}
	}))
	defer server.Close()
	client, err := gateway.NewClient(server.URL, "lev_scheduler_test", gateway.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s := scheduler.New(scheduler.Config{Client: client, Target: "demo", Launcher: f, Logger: f.log.logger()})
	if _, err := s.Cycle(t.Context()); err != nil {
		t.Fatal(err)
	}
	w := <-f.met
	process, err := os.FindProcess(w.PID)
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := s.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if path := <-told; path != "/v1/attempts/"+string(first)+"/lost" {
		t.Errorf("it was told %s", path)
	}
}
