package server_test

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"leviathan/gateway"
	"leviathan/gateway/autonomy"
	"leviathan/gateway/engine"
	"leviathan/gateway/journal"
	"leviathan/gateway/server"
	"leviathan/policies"
)

// A clock is a wall clock that moves when a test says so. Its times carry no
// monotonic reading, so leases follow it too.
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

// A world is a real gateway on a real bare repository, with real git, real
// SQLite and the built-in policies; only its clock is not real.
type world struct {
	t        testing.TB
	dir      string
	upstream string
	config   string
	clock    *clock
	journal  *journal.Journal
	server   *server.Server
	http     *httptest.Server
	stop     func()
	// logs, if set before start, gets what the gateway logs.
	logs io.Writer
	// configs, if set before start, is the folder of configs.
	configs string
	// policy, if set before start, is another than the built-in one.
	policy *engine.Snapshot
	// tune, if set before start, changes how the gateway is made.
	tune func(*server.Config)
	// real lets the gateway follow the machine's clock.
	real   bool
	engine *engine.Engine // of the gateway that runs
}

// now is the gateway's clock.
func (w *world) now() time.Time {
	if w.real {
		return time.Now()
	}
	return w.clock.now()
}

const operator = "operator-token-of-the-tests"

const baseConfig = `autonomy_enabled: true
target_id: demo
target_repo_url: UPSTREAM
target_branch: main
allowed_path_prefixes: [docs/, tests/]
max_open_prs: 3
max_running_attempts: 2
max_attempts_per_task: 2
circuit_breaker_failures: 3
limits: {retry_backoff_seconds: 60, lease_seconds: 60, start_deadline_seconds: 300}
`

const baseBacklog = `tasks:
  - {id: guide, title: Write a guide, scope: docs, priority: high, ready: true, allowed_paths: [docs/guide.md], acceptance_criteria: [it helps]}
  - {id: notes, title: Write notes, scope: docs, ready: true, allowed_paths: [docs/notes/], acceptance_criteria: [it helps]}
`

// builtin is the built-in bundle, loaded once: it is immutable. Its deadline
// is the engine's to test; here a busy machine must not change an answer.
var builtin = sync.OnceValues(func() (*engine.Snapshot, error) {
	return bundleWith(`default: \d+\n`, "default: 10000\n")
})

// bundleWith is the built-in bundle with other texts in its main.rego: for each
// pair, where the pattern matches, which it must once.
func bundleWith(pairs ...string) (*engine.Snapshot, error) {
	return bundleEdited("main/main.rego", pairs...)
}

// bundleEdited is bundleWith for another file. The deadline of that is the
// built-in one.
func bundleEdited(name string, pairs ...string) (*engine.Snapshot, error) {
	return bundleOf(func(string) bool { return true }, name, pairs...)
}

// bundleOf is bundleEdited with the files that are kept alone.
func bundleOf(keep func(path string) bool, name string, pairs ...string) (*engine.Snapshot, error) {
	files := fstest.MapFS{}
	err := fs.WalkDir(policies.FS, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !keep(path) {
			return err
		}
		data, err := fs.ReadFile(policies.FS, path)
		for i := 0; path == name && i < len(pairs); i += 2 {
			before := regexp.MustCompile(pairs[i])
			if n := len(before.FindAll(data, -1)); n != 1 {
				return fmt.Errorf("%s matches %q %d times", path, pairs[i], n)
			}
			data = before.ReplaceAllLiteral(data, []byte(pairs[i+1]))
		}
		files[path] = &fstest.MapFile{Data: data}
		return err
	})
	if err != nil {
		return nil, err
	}
	return engine.LoadFS(context.Background(), files, engine.Options{})
}

// newWorld starts a gateway on a fresh repository with the backlog.
func newWorld(t testing.TB, backlog, config string) *world {
	t.Helper()
	w := newUpstream(t, backlog, config)
	w.start()
	return w
}

// newUpstream is a world whose gateway does not run yet.
func newUpstream(t testing.TB, backlog, config string) *world {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("needs git")
	}
	dir := t.TempDir()
	w := &world{t: t, dir: dir, upstream: filepath.Join(dir, "upstream.git"), config: filepath.Join(dir, "demo.yaml"),
		clock: &clock{at: time.Now().UTC().Truncate(time.Microsecond)}}
	w.git(dir, "init", "--quiet", "--bare", "--initial-branch=main", w.upstream)
	w.commit(map[string]string{"README.md": "# Demo\n", "src/core.txt": "core\n", "docs/index.md": "# Docs\n", ".leviathan/backlog.yaml": backlog})
	w.writeConfig(config)
	return w
}

func (w *world) writeConfig(config string) {
	w.t.Helper()
	text := strings.ReplaceAll(config, "UPSTREAM", w.upstream)
	if err := os.WriteFile(w.config, []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
	// The loader reads a file again when its stamp differs or is young; the
	// fake clock may be far ahead of the file system's.
	at := w.clock.now()
	if err := os.Chtimes(w.config, at, at); err != nil {
		w.t.Fatal(err)
	}
}

// start opens the gateway on the state folder; restart closes it first.
func (w *world) start() {
	w.t.Helper()
	ctx := context.Background()
	out := w.logs
	if out == nil {
		out = io.Discard
	}
	logger := slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	targets, err := autonomy.Open(cmp.Or(w.configs, w.config), logger, w.now)
	if err != nil {
		w.t.Fatal(err)
	}
	snapshot, err := builtin()
	if err != nil {
		w.t.Fatal(err)
	}
	if w.policy != nil {
		snapshot = w.policy
	}
	state := filepath.Join(w.dir, "state")
	if err := os.MkdirAll(state, 0o700); err != nil {
		w.t.Fatal(err)
	}
	if w.journal, err = journal.Open(ctx, journal.Config{Dir: state, Logger: logger, Now: w.now}); err != nil {
		w.t.Fatal(err)
	}
	w.engine = engine.New(snapshot)
	made := server.Config{StateDir: state, Journal: w.journal, Engine: w.engine, Targets: targets, OperatorToken: operator, Logger: logger, Now: w.now}
	if w.tune != nil {
		w.tune(&made)
	}
	w.server, err = server.New(ctx, made)
	if err != nil {
		w.t.Fatal(err)
	}
	w.http = httptest.NewServer(w.server.Handler())
	once := sync.OnceFunc(func() {
		w.http.Close()
		if err := w.server.Close(); err != nil {
			w.t.Errorf("closing the server: %v", err)
		}
		if err := w.journal.Close(); err != nil {
			w.t.Errorf("closing the journal: %v", err)
		}
	})
	w.stop = once
	w.t.Cleanup(once)
}

func (w *world) restart() {
	w.t.Helper()
	w.stop()
	w.start()
}

// git runs stock git with no configuration of this machine.
func (w *world) git(dir string, args ...string) string {
	w.t.Helper()
	out, err := w.tryGit(dir, args...)
	if err != nil {
		w.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (w *world) tryGit(dir string, args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=Human", "GIT_AUTHOR_EMAIL=human@example.invalid", "GIT_COMMITTER_NAME=Human", "GIT_COMMITTER_EMAIL=human@example.invalid")
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// commit puts files on the upstream's main branch, as a human would.
func (w *world) commit(files map[string]string) {
	w.t.Helper()
	tree := filepath.Join(w.t.TempDir(), "tree")
	if out, err := w.tryGit(w.dir, "clone", "--quiet", w.upstream, tree); err != nil {
		w.t.Fatal(out)
	}
	w.write(tree, files)
	w.git(tree, "checkout", "--quiet", "-B", "main")
	w.git(tree, "add", "--all")
	w.git(tree, "commit", "--quiet", "--message", "Change by a human")
	w.git(tree, "push", "--quiet", "origin", "main")
}

func (w *world) write(tree string, files map[string]string) {
	w.t.Helper()
	for name, text := range files {
		path := filepath.Join(tree, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			w.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			w.t.Fatal(err)
		}
	}
}

// client speaks with one token.
func (w *world) client(token string) *gateway.Client {
	w.t.Helper()
	c, err := gateway.NewClient(w.http.URL, token, gateway.ClientOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}
