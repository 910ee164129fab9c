package repository_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"leviathan/gateway"
	"leviathan/gateway/repository"
)

// git is the stock binary in an environment of the test's own.
type git struct {
	t    testing.TB
	home string
}

func newGit(t testing.TB) *git {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("the git binary is not installed")
	}
	return &git{t, t.TempDir()}
}

func (g *git) command(dir string, args ...string) *exec.Cmd {
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + g.home, "LC_ALL=C", "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=A U Thor", "GIT_AUTHOR_EMAIL=author@example.com", "GIT_AUTHOR_DATE=1700000000 +0000",
		"GIT_COMMITTER_NAME=C O Mitter", "GIT_COMMITTER_EMAIL=committer@example.com", "GIT_COMMITTER_DATE=1700000000 +0000",
	}
	return cmd
}

// try returns stdout and stderr together.
func (g *git) try(dir string, args ...string) (string, error) {
	out, err := g.command(dir, args...).CombinedOutput()
	return string(out), err
}

func (g *git) run(dir string, args ...string) string {
	g.t.Helper()
	cmd := g.command(dir, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		g.t.Fatalf("git %s: %v\n%s%s", strings.Join(args, " "), err, out, stderr.String())
	}
	return strings.TrimSpace(string(out))
}

// pipe gives stdin and returns raw stdout.
func (g *git) pipe(dir string, stdin []byte, args ...string) []byte {
	g.t.Helper()
	cmd := g.command(dir, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		g.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return out
}

func (g *git) oid(dir, rev string) gateway.OID { return gateway.OID(g.run(dir, "rev-parse", rev)) }

// write makes files and commits them.
func (g *git) commit(dir, message string, files map[string]string) gateway.OID {
	g.t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			g.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			g.t.Fatal(err)
		}
	}
	g.run(dir, "add", "-A")
	g.run(dir, "commit", "-q", "-m", message)
	return g.oid(dir, "HEAD")
}

const agentRef = "refs/heads/agent/01HZZZZZZZZZZZZZZZZZZZZZZZ"

// world is an upstream with some history, its mirror, and a server on it.
type world struct {
	*git
	t        testing.TB
	seed     string // a working copy of the upstream
	upstream string // bare
	dir      string // of the mirror
	m        *repository.Mirror
	server   *httptest.Server
	work     string // folder for clones

	mu     sync.Mutex
	limits repository.Limits
	decide func(*repository.Push) (bool, string, []string)
	served []repository.Served
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{git: newGit(t), t: t, work: t.TempDir()}
	w.seed, w.upstream, w.dir = filepath.Join(w.work, "seed"), filepath.Join(w.work, "up.git"), filepath.Join(w.work, "mirror")
	w.run(w.work, "init", "-q", "-b", "main", w.seed)
	for i := range 7 {
		w.commit(w.seed, fmt.Sprintf("commit %d", i), map[string]string{
			"README.md":                 fmt.Sprintf("readme %d\n%s", i, strings.Repeat("line\n", 200)),
			"docs/guide.md":             strings.Repeat("guide\n", 300) + fmt.Sprint(i),
			fmt.Sprintf("src/%d.go", i): fmt.Sprintf("package src // %d\n", i),
		})
	}
	w.run(w.work, "clone", "-q", "--bare", w.seed, w.upstream)
	w.open(repository.Upstream{URL: w.upstream})
	w.fetch()
	return w
}

func (w *world) open(up repository.Upstream) {
	w.t.Helper()
	m, err := repository.Open(context.Background(), w.dir, up)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := m.Close(); err != nil {
			w.t.Error(err)
		}
	})
	if w.server != nil {
		w.server.Close() // no request sees one mirror give way to another
	}
	w.m = m
	w.server = httptest.NewServer(http.HandlerFunc(w.serve))
	w.t.Cleanup(w.server.Close)
}

func (w *world) fetch() repository.Refs {
	w.t.Helper()
	refs, err := w.m.Fetch(context.Background(), "main")
	if err != nil {
		w.t.Fatal(err)
	}
	return refs
}

func (w *world) head() gateway.OID {
	w.t.Helper()
	id, err := w.m.Head("main")
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

func (w *world) view() (repository.View, error) {
	id, err := w.m.Head("main")
	return repository.View{Refs: repository.Refs{"refs/heads/main": id}, Head: "refs/heads/main", Push: agentRef}, err
}

// serve is the smallest caller that the package has to suit.
func (w *world) serve(rw http.ResponseWriter, r *http.Request) {
	view, err := w.view()
	if err != nil {
		http.Error(rw, err.Error(), 500)
		return
	}
	rw.Header().Set("Cache-Control", "no-cache")
	service := r.URL.Query().Get("service")
	switch {
	case strings.HasSuffix(r.URL.Path, "/info/refs"):
		rw.Header().Set("Content-Type", "application/x-"+service+"-advertisement")
		err = w.m.AdvertiseRefs(rw, service, view)
	case strings.HasSuffix(r.URL.Path, "/git-upload-pack"):
		rw.Header().Set("Content-Type", "application/x-git-upload-pack-result")
		var body io.Reader
		if body, err = repository.Body(r.Body, r.Header.Get("Content-Encoding"), 1<<20); err == nil {
			var s repository.Served
			s, err = w.m.UploadPack(r.Context(), rw, body, view)
			w.mu.Lock()
			w.served = append(w.served, s)
			w.mu.Unlock()
		}
	case strings.HasSuffix(r.URL.Path, "/git-receive-pack"):
		rw.Header().Set("Content-Type", "application/x-git-receive-pack-result")
		err = w.receive(rw, r, view)
	default:
		http.NotFound(rw, r)
	}
	if err != nil && gateway.KindOf(err) == gateway.InternalError {
		w.t.Errorf("%s %s: %v", r.Method, r.URL, err)
	}
}

func (w *world) receive(rw http.ResponseWriter, r *http.Request, view repository.View) error {
	body, err := repository.Body(r.Body, r.Header.Get("Content-Encoding"), 256<<20)
	if err != nil {
		return err
	}
	p, err := w.m.Receive(r.Context(), body, w.limits)
	if errors.Is(err, repository.ErrProbe) {
		return nil
	}
	if err != nil {
		return err
	}
	defer p.Discard()
	if w.decide != nil {
		ok, code, lines := w.decide(p)
		return p.Report(rw, ok, code, lines)
	}
	if problems := p.Problems(); len(problems) > 0 {
		var lines []string
		for _, r := range problems {
			lines = append(lines, r.Code+": "+r.Message)
		}
		return p.Report(rw, false, problems[0].Code, lines)
	}
	if p.Ref() != view.Push {
		return p.Report(rw, false, "delivery.wrong_ref", []string{"only " + view.Push + " may be pushed"})
	}
	if err := p.Forward(r.Context()); err != nil {
		return p.Report(rw, false, string(gateway.KindOf(err)), []string{err.Error()})
	}
	return p.Report(rw, true, "", nil)
}

func (w *world) url() string { return w.server.URL + "/git/demo.git" }

func (w *world) clone(name string, flags ...string) string {
	w.t.Helper()
	dir := filepath.Join(w.work, name)
	w.run(w.work, append(append([]string{"clone", "-q"}, flags...), w.url(), dir)...)
	return dir
}

// fsck proves that a clone is whole.
func (w *world) fsck(dir string) {
	w.t.Helper()
	if out, err := w.try(dir, "fsck", "--strict", "--full"); err != nil || strings.Contains(out, "missing") || strings.Contains(out, "broken") {
		w.t.Errorf("fsck of %s: %v\n%s", dir, err, out)
	}
}
