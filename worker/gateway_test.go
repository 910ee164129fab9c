//go:build linux

package worker_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"leviathan/gateway"
	"leviathan/worker"
)

const (
	attempt = gateway.AttemptID("01J00000000000000000000000")
	token   = "eyJcanary-attempt-token.payload0123456789.signature0123456789"
)

// TestMain lets this binary be what cmd/leviathan is to a worker, and the
// program that tries what an agent must not be able to do.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == worker.SandboxCommand {
		os.Exit(worker.SandboxMain(os.Args[2:]))
	}
	if len(os.Args) == 3 && os.Args[1] == "try-socket" {
		os.Exit(trySocket(os.Args[2]))
	}
	os.Exit(m.Run())
}

func trySocket(kind string) int {
	kinds := map[string][3]int{
		"tcp": {unix.AF_INET, unix.SOCK_STREAM, 0}, "udp": {unix.AF_INET6, unix.SOCK_DGRAM, 0},
		"mptcp": {unix.AF_INET, unix.SOCK_STREAM, 262}, "raw": {unix.AF_INET, unix.SOCK_RAW, 1},
		"sctp": {unix.AF_INET, unix.SOCK_STREAM, 132}, "packet": {unix.AF_PACKET, unix.SOCK_RAW, 0},
		"unix": {unix.AF_UNIX, unix.SOCK_STREAM, 0}, "vsock": {unix.AF_VSOCK, unix.SOCK_STREAM, 0},
	}
	if kind == "io_uring" {
		var params [120]byte
		_, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, 1, uintptr(unsafe.Pointer(&params)), 0)
		return int(errno)
	}
	k := kinds[kind]
	_, err := unix.Socket(k[0], k[1], k[2])
	if errno, ok := err.(unix.Errno); ok {
		return int(errno)
	}
	return 0
}

// A fakeGateway answers the routes of an attempt and serves a bare repository
// with git's own http-backend.
type fakeGateway struct {
	t      *testing.T
	server *httptest.Server
	repo   string
	start  gateway.StartResult

	mu        sync.Mutex
	artifacts map[string]*bytes.Buffer
	finish    []gateway.FinishRequest
	evidence  []gateway.Evidence
	summaries []string
	events    map[string]gateway.Event
	beats     []string
	// beat answers a heartbeat, if set; false hangs up.
	beat func(n int) (gateway.HeartbeatResult, bool)
	// propose, ingest and fetch answer in the place of the usual answer, if
	// they are set and return an error; n counts from 1.
	propose, ingest, fetch func(n int) *gateway.Error
	asked                  map[string]int
	// down hangs up on everything.
	down bool
}

func newGateway(t *testing.T, files map[string]string) *fakeGateway {
	t.Helper()
	git(t, "", "--version")
	g := &fakeGateway{t: t, repo: filepath.Join(t.TempDir(), "demo.git"), artifacts: map[string]*bytes.Buffer{}, events: map[string]gateway.Event{}, asked: map[string]int{}}
	seed := t.TempDir()
	git(t, seed, "init", "-q", "-b", "main")
	for name, content := range files {
		path := filepath.Join(seed, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if target, ok := strings.CutPrefix(content, "-> "); ok {
			if err := os.Symlink(target, path); err != nil {
				t.Fatal(err)
			}
		} else if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	git(t, seed, "add", "-A", "-f")
	git(t, seed, "commit", "-q", "--allow-empty", "-m", "base")
	git(t, "", "clone", "-q", "--bare", seed, g.repo)
	git(t, g.repo, "config", "http.receivepack", "true")
	base := strings.TrimSpace(git(t, g.repo, "rev-parse", "HEAD"))
	g.start = gateway.StartResult{Decision: true, BaseCommit: gateway.OID(base), Branch: attempt.Branch(), CloneURL: "/git/demo.git",
		TimeoutSeconds: 60, Heartbeat: 1, LeaseSeconds: 20,
		Agent:   gateway.AgentSpec{Name: "a", Type: gateway.AgentCommand, OutputMaxKB: 64},
		Task:    gateway.Task{ID: "T-1", Title: "Write docs", AllowedPaths: []string{"docs/"}, AcceptanceCriteria: []string{"it is written"}},
		Commit:  gateway.CommitSpec{Message: "docs: write\n\nLeviathan-Attempt: " + string(attempt) + "\n", Author: gateway.Identity{Name: "Leviathan.", Email: "l@example.invalid"}},
		Sandbox: gateway.SandboxSpec{Mode: gateway.SandboxRequired}}
	g.server = httptest.NewServer(g)
	t.Cleanup(g.server.Close)
	return g
}

// git runs git away from the user's config, or skips without git.
func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	binary, err := exec.LookPath("git")
	if err != nil {
		t.Skip("there is no git here")
	}
	cmd := exec.Command(binary, args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=t", "GIT_AUTHOR_EMAIL=t@t", "GIT_COMMITTER_NAME=t", "GIT_COMMITTER_EMAIL=t@t"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// sh makes the agent a shell script.
func (g *fakeGateway) sh(script string) { g.start.Agent.Command = []string{"sh", "-c", script} }

func (g *fakeGateway) config() worker.Config { return g.configFor(g.server.URL) }

func (g *fakeGateway) configFor(url string) worker.Config {
	g.t.Helper()
	client, err := gateway.NewClient(url, token, gateway.ClientOptions{MaxTries: 1})
	if err != nil {
		g.t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		g.t.Fatal(err)
	}
	binary, err := exec.LookPath("git")
	if err != nil {
		g.t.Skip("there is no git here")
	}
	return worker.Config{Client: client, Target: "demo", Attempt: attempt, Token: token, Workspace: filepath.Join(g.t.TempDir(), "workspace"),
		GitBinary: binary, Self: self, FinishTimeout: 2 * time.Second}
}

// run runs the attempt and expects that its end could be reported.
func (g *fakeGateway) run(c worker.Config) worker.Outcome {
	g.t.Helper()
	outcome, err := worker.Run(context.Background(), c)
	if err != nil {
		g.t.Fatal(err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.finish) != 1 || g.finish[0].Outcome != string(outcome.State) || g.finish[0].FailureType != outcome.FailureType {
		g.t.Errorf("outcome %+v was reported as %+v", outcome, g.finish)
	}
	return outcome
}

// branch is what was pushed; empty when nothing was.
func (g *fakeGateway) branch() string {
	return strings.TrimSpace(git(g.t, g.repo, "for-each-ref", "--format=%(objectname)", "refs/heads/"+attempt.Branch()))
}

func (g *fakeGateway) artifact(name string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.artifacts[name] == nil {
		return ""
	}
	return g.artifacts[name].String()
}

func (g *fakeGateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	g.mu.Lock()
	if g.down {
		g.mu.Unlock()
		hangUp(w)
		return
	}
	if r.Header.Get("Authorization") != "Bearer "+token {
		g.mu.Unlock()
		problem(w, gateway.Errorf(gateway.Unauthenticated, "no token"))
		return
	}
	if path, ok := strings.CutPrefix(r.URL.Path, "/git/demo.git"); ok {
		refused := g.instead(w, "/info/refs", g.fetch, r)
		g.mu.Unlock()
		if refused {
			return
		}
		g.serveGit(w, r, path, body)
		return
	}
	defer g.mu.Unlock()
	if g.instead(w, "/pull-request", g.propose, r) || g.instead(w, "/ingest", g.ingest, r) {
		return
	}
	var answer any = struct{}{}
	rest := strings.TrimPrefix(r.URL.Path, "/v1/attempts/"+string(attempt)+"/")
	switch {
	case rest == "start":
		answer = g.start
	case rest == "heartbeat":
		g.beats = append(g.beats, string(body))
		answer = gateway.HeartbeatResult{Action: gateway.Continue}
		if g.beat != nil {
			result, ok := g.beat(len(g.beats))
			if !ok {
				hangUp(w)
				return
			}
			answer = result
		}
	case strings.HasPrefix(rest, "artifacts/"):
		name := strings.TrimPrefix(rest, "artifacts/")
		if g.artifacts[name] == nil {
			g.artifacts[name] = &bytes.Buffer{}
		}
		if offset, err := strconv.Atoi(r.URL.Query().Get("offset")); err != nil || offset != g.artifacts[name].Len() {
			problem(w, gateway.Errorf(gateway.Conflict, "offset"))
			return
		}
		g.artifacts[name].Write(body)
	case rest == "evidence":
		g.evidence = append(g.evidence, decode[gateway.Evidence](g.t, body))
	case rest == "pull-request":
		g.summaries = append(g.summaries, decode[gateway.PullRequestRequest](g.t, body).Summary)
		answer = gateway.PullRequestResult{Number: 1, URL: "http://forge.invalid/1"}
	case rest == "finish":
		g.finish = append(g.finish, decode[gateway.FinishRequest](g.t, body))
	case r.URL.Path == "/v1/events/ingest":
		for _, event := range decode[gateway.IngestRequest](g.t, body).Events {
			g.events[event.EventID] = event
		}
	default:
		problem(w, gateway.Errorf(gateway.NotFound, "no such route"))
		return
	}
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		g.t.Errorf("answering %s: %v", r.URL.Path, err)
	}
}

// instead answers a route with the error of its hook; g.mu is held.
func (g *fakeGateway) instead(w http.ResponseWriter, suffix string, hook func(int) *gateway.Error, r *http.Request) bool {
	if hook == nil || !strings.HasSuffix(r.URL.Path, suffix) {
		return false
	}
	g.asked[suffix]++
	e := hook(g.asked[suffix])
	if e != nil {
		problem(w, e)
	}
	return e != nil
}

func (g *fakeGateway) serveGit(w http.ResponseWriter, r *http.Request, path string, body []byte) {
	// The CGI host takes no chunked bodies.
	r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
	r.URL.Path = "/demo.git" + path
	binary, err := exec.LookPath("git")
	if err != nil {
		return
	}
	(&cgi.Handler{Path: binary, Args: []string{"http-backend"}, Env: []string{"GIT_PROJECT_ROOT=" + filepath.Dir(g.repo),
		"GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=a", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1"}}).ServeHTTP(w, r)
}

func decode[T any](t *testing.T, data []byte) T {
	var v T
	if err := json.Unmarshal(data, &v); err != nil {
		t.Errorf("decoding %s: %v", data, err)
	}
	return v
}

func problem(w http.ResponseWriter, e *gateway.Error) {
	w.Header().Set("Content-Type", gateway.ProblemMediaType)
	w.WriteHeader(e.Kind.Status())
	json.NewEncoder(w).Encode(gateway.NewProblem(e))
}

func hangUp(w http.ResponseWriter) {
	if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
		conn.Close()
	}
}
