package repository_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"leviathan/gateway"
	"leviathan/gateway/repository"
)

// change is a good push of one file on the head, ready to be forwarded.
func (w *world) change(t testing.TB, text string, old gateway.OID) *repository.Push {
	t.Helper()
	b := blob(text)
	tr := tree(row("100644", "f", b.id()))
	c := commit(tr, w.head())
	p := w.receiveBytes(t, repository.Limits{}, request(old, c.id(), agentRef, packOf(b, tr, c)))
	if got := codes(p); len(got) != 0 {
		t.Fatalf("problems: %v", got)
	}
	return p
}

func (w *world) hook(name, script string) {
	w.t.Helper()
	path := filepath.Join(w.upstream, "hooks", name)
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		w.t.Fatal(err)
	}
}

func TestForwardComparesAndSwaps(t *testing.T) {
	w := newWorld(t)
	first := w.change(t, "1", gateway.ZeroOID)
	if err := first.Forward(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := w.oid(w.upstream, agentRef); got != first.New() {
		t.Errorf("upstream has %s", got)
	}
	t.Run("create of what exists", func(t *testing.T) {
		err := w.change(t, "2", gateway.ZeroOID).Forward(t.Context())
		if gateway.KindOf(err) != gateway.Conflict {
			t.Errorf("%v", err)
		}
	})
	t.Run("stale old value", func(t *testing.T) {
		err := w.change(t, "3", w.head()).Forward(t.Context())
		if e := new(gateway.Error); !asError(err, &e) || e.Kind != gateway.Conflict || e.Code != repository.CodeUpstreamMoved {
			t.Errorf("%v", err)
		}
	})
	t.Run("the same again", func(t *testing.T) {
		if err := w.change(t, "1", gateway.ZeroOID).Forward(t.Context()); err != nil {
			t.Errorf("%v", err)
		}
	})
	t.Run("update", func(t *testing.T) {
		p := w.change(t, "4", first.New())
		if err := p.Forward(t.Context()); err != nil {
			t.Errorf("%v", err)
		}
		if got, err := w.m.UpstreamRef(t.Context(), agentRef); err != nil || got != p.New() {
			t.Errorf("upstream has %s (%v)", got, err)
		}
	})
	t.Run("moved while it is sent", func(t *testing.T) {
		was := w.oid(w.upstream, agentRef)
		other := w.oid(w.upstream, "main~1")
		w.hook("pre-receive", "git update-ref "+agentRef+" "+string(other)+" "+string(was)+" || git -C . update-ref --no-deref "+agentRef+" "+string(other)+"\n")
		p := w.change(t, "5", was)
		err := p.Forward(t.Context())
		w.hook("pre-receive", "exit 0\n")
		if gateway.KindOf(err) == gateway.InternalError || err == nil {
			t.Errorf("%v", err)
		}
		if got := w.oid(w.upstream, agentRef); got == p.New() {
			t.Error("the push went through over another value")
		}
	})
	w.fsck(w.upstream)
	w.fsck(w.dir)
}

func TestForwardCarriesTheHooksText(t *testing.T) {
	for _, hook := range []string{"pre-receive", "update"} {
		t.Run(hook, func(t *testing.T) {
			w := newWorld(t)
			w.hook(hook, "echo 'policy 17: no pushes on Fridays' >&2\nexit 1\n")
			p := w.change(t, "1", gateway.ZeroOID)
			err := p.Forward(t.Context())
			e := new(gateway.Error)
			if !asError(err, &e) || e.Kind != gateway.Forbidden || e.Code != repository.CodeUpstreamRefused || !strings.Contains(err.Error(), "no pushes on Fridays") {
				t.Errorf("%v", err)
			}
			if got, err := w.m.UpstreamRef(t.Context(), agentRef); err != nil || got != gateway.ZeroOID {
				t.Errorf("upstream has %s (%v)", got, err)
			}
			if _, err := w.m.Head(strings.TrimPrefix(agentRef, "refs/heads/")); gateway.KindOf(err) != gateway.NotFound {
				t.Errorf("the mirror took it: %v", err)
			}
		})
	}
}

func TestForwardWithoutUpstreamIsUnknown(t *testing.T) {
	w := newWorld(t)
	p := w.change(t, "1", gateway.ZeroOID)
	if err := os.Rename(w.upstream, w.upstream+".gone"); err != nil {
		t.Fatal(err)
	}
	if err := p.Forward(t.Context()); gateway.KindOf(err) != gateway.Unknown {
		t.Errorf("Forward: %v", err)
	}
	if _, err := w.m.Fetch(t.Context(), "main"); gateway.KindOf(err) != gateway.Unknown {
		t.Errorf("Fetch: %v", err)
	}
	if _, err := w.m.UpstreamRef(t.Context(), agentRef); gateway.KindOf(err) != gateway.Unknown {
		t.Errorf("UpstreamRef: %v", err)
	}
	if _, err := w.m.Head("main"); err != nil {
		t.Errorf("the mirror forgot its head: %v", err)
	}
	if err := os.Rename(w.upstream+".gone", w.upstream); err != nil {
		t.Fatal(err)
	}
	if err := p.Forward(t.Context()); err != nil {
		t.Errorf("after the upstream came back: %v", err)
	}
}

func TestForwardStopsWithItsContext(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	fifo := filepath.Join(w.work, "started")
	w.hook("pre-receive", "echo started > "+fifo+"\nexec sleep 60\n")
	w.run(w.work, "--version")
	makeFifo(t, fifo)
	go func() {
		// opening the pipe waits for the hook
		if _, err := os.ReadFile(fifo); err != nil {
			t.Error(err)
		}
		cancel()
	}()
	if err := w.change(t, "1", gateway.ZeroOID).Forward(ctx); gateway.KindOf(err) != gateway.Unknown {
		t.Errorf("%v", err)
	}
}

// httpUpstream serves the world's upstream with git's own CGI program.
func (w *world) httpUpstream(wrap func(http.Handler) http.Handler) string {
	w.t.Helper()
	backend := filepath.Join(w.run(w.work, "--exec-path"), "git-http-backend")
	if _, err := os.Stat(backend); err != nil {
		w.t.Skip("git-http-backend is not installed")
	}
	w.run(w.upstream, "config", "http.receivepack", "true")
	h := http.Handler(&cgi.Handler{Path: backend, Env: []string{"GIT_PROJECT_ROOT=" + w.work, "GIT_HTTP_EXPORT_ALL=1", "HOME=" + w.home, "GIT_CONFIG_NOSYSTEM=1", "REMOTE_USER=x"}})
	if wrap != nil {
		h = wrap(h)
	}
	s := httptest.NewServer(h)
	w.t.Cleanup(s.Close)
	return s.URL + "/up.git"
}

func TestHTTPUpstream(t *testing.T) {
	w := newWorld(t)
	const token = "s3cret-token"
	url := w.httpUpstream(func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if user, password, _ := r.BasicAuth(); user != "x-access-token" || password != token {
				http.Error(rw, "who are you? "+r.Header.Get("Authorization"), http.StatusUnauthorized)
				return
			}
			h.ServeHTTP(rw, r)
		})
	})
	w.dir = filepath.Join(w.work, "mirror2")
	var given atomic.Value
	given.Store(token)
	w.open(repository.Upstream{URL: url, Credential: func(context.Context) (string, error) { return given.Load().(string), nil }})
	w.run(w.upstream, "update-ref", "refs/pull/1/head", "main")
	refs := w.fetch()
	if refs["refs/pull/1/head"] == "" || refs["refs/heads/main"] != w.oid(w.upstream, "main") {
		t.Errorf("refs: %v", refs)
	}
	w.fsck(w.dir)
	p := w.change(t, "http", gateway.ZeroOID)
	if err := p.Forward(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := w.oid(w.upstream, agentRef); got != p.New() {
		t.Errorf("upstream has %s", got)
	}
	if err := w.change(t, "stale", w.head()).Forward(t.Context()); gateway.KindOf(err) != gateway.Conflict {
		t.Errorf("stale: %v", err)
	}
	w.hook("update", "echo 'protected' >&2\nexit 1\n")
	if err := w.change(t, "hook", p.New()).Forward(t.Context()); gateway.KindOf(err) != gateway.Forbidden || !strings.Contains(err.Error(), "protected") {
		t.Errorf("hook: %v", err)
	}
	given.Store("wrong-token")
	_, err := w.m.Fetch(t.Context(), "main")
	if gateway.KindOf(err) != gateway.Unknown || strings.Contains(err.Error(), "wrong-token") {
		t.Errorf("wrong credential: %v", err)
	}
}

func TestRedirectToAnotherHostIsNotFollowed(t *testing.T) {
	w := newWorld(t)
	var leaked atomic.Bool
	thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { leaked.Store(true) }))
	defer thief.Close()
	s := httptest.NewServer(http.RedirectHandler(thief.URL+"/x", http.StatusTemporaryRedirect))
	defer s.Close()
	w.dir = filepath.Join(w.work, "mirror3")
	w.open(repository.Upstream{URL: s.URL + "/a.git", Credential: func(context.Context) (string, error) { return "t", nil }})
	if _, err := w.m.Fetch(t.Context(), "main"); gateway.KindOf(err) != gateway.Unknown {
		t.Errorf("%v", err)
	}
	if leaked.Load() {
		t.Error("the other host was asked")
	}
}

func TestOpenRefusesBadUpstreams(t *testing.T) {
	g := newGit(t)
	sha256 := filepath.Join(t.TempDir(), "s.git")
	if out, err := g.try(t.TempDir(), "init", "-q", "--bare", "--object-format=sha256", sha256); err != nil {
		t.Skip("git has no SHA-256:", out)
	}
	for _, url := range []string{
		sha256, "ssh://git@example.com/x.git", "git@example.com:x.git", "http://example.com/x.git", "https://u:p@example.com/x.git",
		"https://example.com/x.git?a=b", "https://example.com/x.git#f", "ftp://example.com/x", "relative/path", "", "https://", "/a\nb",
	} {
		m, err := repository.Open(t.Context(), t.TempDir(), repository.Upstream{URL: url})
		if gateway.KindOf(err) != gateway.Invalid {
			t.Errorf("%q: %v", url, err)
		}
		if m != nil {
			m.Close()
		}
		if err != nil && strings.Contains(err.Error(), "u:p") {
			t.Errorf("the error shows a password: %v", err)
		}
	}
	if _, err := repository.Open(t.Context(), t.TempDir(), repository.Upstream{URL: "/x.git", GitBinary: "/nonexistent/git"}); gateway.KindOf(err) != gateway.Invalid {
		t.Errorf("no git binary: %v", err)
	}
	for _, url := range []string{"https://example.com/x.git", "http://127.0.0.1:1/x.git", "http://localhost/x", "http://[::1]:3/x"} {
		m, err := repository.Open(t.Context(), t.TempDir(), repository.Upstream{URL: url})
		if err != nil {
			t.Errorf("%q: %v", url, err)
			continue
		}
		m.Close()
	}
}

// An upstream that repeats what it was sent, cut short or not, does not make
// the token known; and each refusal has the code of its remedy.
func TestWhatAnHTTPUpstreamRefusesIsNamedAndNeverShowsTheToken(t *testing.T) {
	const token = "s3cret-token-of-some-length"
	for status, code := range map[int]string{401: "forge.credential", 403: "forge.permission", 404: "forge.repository", 429: "forge.quota", 503: "forge.unreachable", 418: ""} {
		for _, pad := range []int{0, 360, 370, 380, 390} {
			w := newWorld(t)
			s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				_, password, _ := r.BasicAuth()
				rw.WriteHeader(status)
				fmt.Fprint(rw, strings.Repeat(".", pad), r.Header.Get("Authorization"), " ", password)
			}))
			t.Cleanup(s.Close)
			w.dir = filepath.Join(w.work, "refused")
			w.open(repository.Upstream{URL: s.URL + "/up.git", Credential: func(context.Context) (string, error) { return token, nil }})
			_, err := w.m.Fetch(t.Context(), "main")
			if e := new(gateway.Error); !asError(err, &e) || e.Code != code {
				t.Errorf("%d: %+v, want %s", status, err, code)
			}
			encoded := base64.StdEncoding.EncodeToString([]byte("x-access-token:" + token))
			if strings.Contains(err.Error(), token[:8]) || strings.Contains(err.Error(), encoded[:8]) {
				t.Errorf("%d, after %d: %v", status, pad, err)
			}
		}
	}
}

// TestTheUpstreamShowsTheCommitBeforeItIsDone: what follows from a push need not
// wait until the upstream's hooks have ended, and never comes before the ref.
func TestTheUpstreamShowsTheCommitBeforeItIsDone(t *testing.T) {
	w := newWorld(t)
	gate := filepath.Join(t.TempDir(), "gate")
	if err := syscall.Mkfifo(gate, 0o600); err != nil {
		t.Skipf("no named pipes here: %v", err)
	}
	w.hook("post-receive", "cat "+gate+"\n") // until somebody writes to it
	p, calls := w.change(t, "1", gateway.ZeroOID), 0
	err := p.ForwardThen(t.Context(), func() {
		calls++
		if got := w.oid(w.upstream, agentRef); got != p.New() {
			t.Errorf("the upstream has %s", got)
		}
		if err := os.WriteFile(gate, []byte("go on\n"), 0o600); err != nil {
			t.Error(err)
		}
	})
	if err != nil || calls != 1 {
		t.Errorf("shown %d times, %v", calls, err)
	}
	if got, err := w.m.Head(strings.TrimPrefix(agentRef, "refs/heads/")); err != nil || got != p.New() {
		t.Errorf("the mirror has %s (%v)", got, err)
	}
	w.hook("post-receive", "exit 0\n")
	w.hook("pre-receive", "exit 1\n")
	refused := w.change(t, "2", p.New())
	if err := refused.ForwardThen(t.Context(), func() { t.Error("shown, and refused") }); gateway.KindOf(err) != gateway.Forbidden {
		t.Errorf("%v", err)
	}
}
