package engine_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"leviathan/gateway/engine"
)

// archiveOf is the bundle as a tar.gz.
func archiveOf(t *testing.T, bundle fstest.MapFS) []byte {
	t.Helper()
	data, err := load(t, bundle).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func put(t *testing.T, file string, data []byte) {
	t.Helper()
	if err := os.WriteFile(file+".next", data, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".next", file); err != nil {
		t.Fatal(err)
	}
}

func TestFollowAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "policies.tar.gz")
	put(t, file, archiveOf(t, numbered(1)))
	w := follow(t, quick(nil), file, engine.PolicySourceOptions{}, nil)
	w.activated(t, "r1")
	put(t, file, archiveOf(t, numbered(2)))
	w.activated(t, "r2")
	put(t, file, archiveOf(t, numbered(3))[:100])
	w.refused(t, "r2", "step read", "EOF")
	put(t, file, archiveOf(t, numbered(2)))
	w.activated(t, "r2")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	w.refused(t, "r2", "read policies from "+file)
	put(t, file, archiveOf(t, numbered(4)))
	w.activated(t, "r4")
}

// A signature that is asked for is asked for of a folder, too.
func TestFollowRequiresTheSignature(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, numbered(1))
	opts := engine.PolicySourceOptions{Options: engine.Options{Keys: []engine.Key{ecSigner(t).public}, RequireSignature: true}}
	w := follow(t, quick(load(t, numbered(0))), dir, opts, nil)
	w.refused(t, "r0", "not signed")
}

func TestSourcesThatCanNeverWork(t *testing.T) {
	for name, tc := range map[string]struct {
		source string
		opts   engine.PolicySourceOptions
		says   string
	}{
		"nothing":              {"", engine.PolicySourceOptions{}, "no source"},
		"another scheme":       {"ftp://h/b.tar.gz", engine.PolicySourceOptions{}, "only https"},
		"plain http":           {"http://policies.example/b.tar.gz", engine.PolicySourceOptions{}, "use https"},
		"http to a look-alike": {"http://localhost.example/b.tar.gz", engine.PolicySourceOptions{}, "use https"},
		"a credential":         {"https://u:secret@policies.example/b.tar.gz", engine.PolicySourceOptions{}, "must not carry a credential"},
		"no host":              {"https:///b.tar.gz", engine.PolicySourceOptions{}, "no host"},
		"no URL":               {"https://h/%zz?secret", engine.PolicySourceOptions{}, "cannot be parsed"},
		"signed by whom":       {"https://h/b.tar.gz?secret", engine.PolicySourceOptions{Options: engine.Options{RequireSignature: true}}, "no key"},
		"a token for a folder": {"policies", engine.PolicySourceOptions{TokenFile: "t"}, "a token is for a URL"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := engine.OpenSource(tc.source, tc.opts)
			if err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Fatalf("got %v", err)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("%q tells a secret", err)
			}
		})
	}
}

// A site serves what the test says, and remembers what it was asked.
type site struct {
	*httptest.Server
	mu     sync.Mutex
	answer http.HandlerFunc
	asked  []http.Header
}

func newSite(t *testing.T) *site {
	s := &site{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked = append(s.asked, r.Header.Clone())
		answer := s.answer
		s.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *site) set(answer http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

func (s *site) last() http.Header {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[len(s.asked)-1]
}

// serving answers with the data, and by its ETag.
func serving(tag string, data []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", tag)
		if tag != "" && r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = w.Write(data) // a client that goes away is its own matter
	}
}

func answering(code int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
	}
}

// A clock hands out the waits that a follower asks for; the test ends each.
type clock struct {
	waits chan wait
	now   wait // what the follower waits for
}

type wait struct {
	d    time.Duration
	fire chan time.Time
}

func (c *clock) after(d time.Duration) <-chan time.Time {
	fire := make(chan time.Time, 1)
	c.waits <- wait{d, fire}
	return fire
}

func (c *clock) next(t *testing.T) {
	t.Helper()
	select {
	case c.now = <-c.waits:
	case <-time.After(30 * time.Second):
		t.Fatal("it does not wait")
	}
}

// tick sees that the follower waits for d, lets it look at its source, and
// returns when it has done so.
func (c *clock) tick(t *testing.T, d time.Duration) {
	t.Helper()
	if c.now.d != d {
		t.Fatalf("it waits for %v, want %v", c.now.d, d)
	}
	c.now.fire <- time.Time{}
	c.next(t)
}

// followSite follows the site on a clock of the test's.
func followSite(t *testing.T, s *site, opts engine.PolicySourceOptions) (watched, *clock) {
	t.Helper()
	c := &clock{waits: make(chan wait, 1)}
	e := engine.WithClock(engine.New(load(t, numbered(0))), c.after)
	w := follow(t, e, s.URL+"/bundle.tar.gz?x=secret", opts, nil)
	c.next(t)
	return w, c
}

func TestFollowAURL(t *testing.T) {
	s := newSite(t)
	token := filepath.Join(t.TempDir(), "token")
	put(t, token, []byte("first\n"))
	s.set(serving(`"1"`, archiveOf(t, numbered(1))))
	w, c := followSite(t, s, engine.PolicySourceOptions{TokenFile: token, Poll: time.Minute})
	c.tick(t, 0)
	w.activated(t, "r1")
	if h := s.last(); h.Get("Authorization") != "Bearer first" || h.Get("If-None-Match") != "" {
		t.Errorf("asked with %v", h)
	}
	put(t, token, []byte("second\n"))
	c.tick(t, time.Minute) // 304, and nothing to say
	s.set(serving(`"2"`, archiveOf(t, numbered(2))))
	c.tick(t, time.Minute)
	w.activated(t, "r2")
	if h := s.last(); h.Get("Authorization") != "Bearer second" || h.Get("If-None-Match") != `"1"` {
		t.Errorf("asked with %v", h)
	}
	s.set(serving(`"3"`, []byte("<html>")))
	c.tick(t, time.Minute)
	w.refused(t, "r2", "step read", "not a gzip archive")
	c.tick(t, time.Minute) // the same bad content is not fetched, and not refused, again
	s.set(serving(`"4"`, archiveOf(t, numbered(2))))
	c.tick(t, time.Minute)
	w.activated(t, "r2")
	s.set(serving("", archiveOf(t, numbered(5)))) // without ETag, by content
	c.tick(t, time.Minute)
	w.activated(t, "r5")
	c.tick(t, time.Minute)
	c.tick(t, time.Minute)
	if len(w.results) != 0 {
		t.Errorf("the same content was heard of again: %+v", <-w.results)
	}
}

func TestASourceThatIsDownIsAskedMoreAndMoreSeldom(t *testing.T) {
	s := newSite(t)
	s.set(answering(http.StatusInternalServerError))
	w, c := followSite(t, s, engine.PolicySourceOptions{})
	c.tick(t, 0)
	w.refused(t, "r0", "read policies from "+s.URL+"/bundle.tar.gz: ", "500")
	for _, d := range []int{1, 2, 4, 8, 16, 32, 64, 120, 120} {
		c.tick(t, time.Duration(d)*time.Second)
	}
	s.set(answering(http.StatusServiceUnavailable, "Retry-After", "600"))
	c.tick(t, 120*time.Second)
	w.refused(t, "r0", "503")
	c.tick(t, 600*time.Second)
	s.set(answering(http.StatusTooManyRequests, "Date", "Wed, 25 Nov 2026 00:00:00 GMT", "Retry-After", "Wed, 25 Nov 2026 00:05:00 GMT"))
	c.tick(t, 600*time.Second)
	w.refused(t, "r0", "429")
	s.set(serving(`"1"`, archiveOf(t, numbered(1))))
	c.tick(t, 300*time.Second)
	w.activated(t, "r1")
	s.set(answering(http.StatusBadGateway))
	c.tick(t, time.Minute)
	w.refused(t, "r1", "502")
	c.tick(t, time.Second) // it counts from one again
}

// What a source does wrong is its problem, and no refusal of a policy.
func TestSourceProblems(t *testing.T) {
	elsewhere := newSite(t)
	elsewhere.set(serving(`"1"`, archiveOf(t, numbered(1))))
	empty := filepath.Join(t.TempDir(), "token")
	put(t, empty, []byte(" \n"))
	for name, tc := range map[string]struct {
		answer http.HandlerFunc
		opts   engine.PolicySourceOptions
		says   string
	}{
		"not found":               {answering(http.StatusNotFound), engine.PolicySourceOptions{}, "404"},
		"a token that is refused": {answering(http.StatusUnauthorized), engine.PolicySourceOptions{}, "401"},
		"304 to no condition":     {answering(http.StatusNotModified), engine.PolicySourceOptions{}, "304"},
		"another host":            {http.RedirectHandler(elsewhere.URL+"/b.tar.gz", http.StatusFound).ServeHTTP, engine.PolicySourceOptions{}, "another place"},
		"around in circles":       {http.RedirectHandler("/b.tar.gz", http.StatusFound).ServeHTTP, engine.PolicySourceOptions{}, "more than"},
		"cut off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte("x"))
		}, engine.PolicySourceOptions{}, "unexpected EOF"},
		"no token file":    {answering(http.StatusOK), engine.PolicySourceOptions{TokenFile: empty + ".none"}, "read the token"},
		"an empty token":   {answering(http.StatusOK), engine.PolicySourceOptions{TokenFile: empty}, "does not hold one token"},
		"nobody listening": {nil, engine.PolicySourceOptions{}, "connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.set(tc.answer)
			if tc.answer == nil {
				s.Close()
			}
			source, err := engine.OpenSource(s.URL+"/b.tar.gz?secret", tc.opts)
			if err != nil {
				t.Fatal(err)
			}
			_, steps, err := source.Load(t.Context())
			var problem *engine.SourceError
			var refused *engine.LoadError
			if !errors.As(err, &problem) || errors.As(err, &refused) || steps != nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v", err)
			}
			if strings.Contains(fmt.Sprint(err), "secret") {
				t.Errorf("%q tells the query", err)
			}
		})
	}
	if n := len(elsewhere.asked); n != 0 {
		t.Errorf("the other host was asked %d times", n)
	}
}

// An answer without end is cut where no bundle reaches.
func TestAnAnswerIsReadAsFarAsABundleMayBeLong(t *testing.T) {
	s := newSite(t)
	wrote := make(chan error, 1)
	s.set(func(w http.ResponseWriter, _ *http.Request) {
		block := make([]byte, 1<<20)
		for range 1 << 10 { // a GiB, if it is let
			if _, err := w.Write(block); err != nil {
				wrote <- err
				return
			}
		}
		wrote <- nil
	})
	source, err := engine.OpenSource(s.URL, engine.PolicySourceOptions{Options: engine.Options{MaxBytes: 1 << 20}})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = source.Load(t.Context())
	if e := loadError(t, err); e.Step != engine.StepRead || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("got %v", err)
	}
	if err := <-wrote; err == nil {
		t.Error("the whole answer was read")
	}
}

func TestASignedBundleOverHTTP(t *testing.T) {
	by := ecSigner(t)
	s := newSite(t)
	s.set(serving(`"1"`, archiveOf(t, numbered(1))))
	w, c := followSite(t, s, engine.PolicySourceOptions{Options: engine.Options{Keys: []engine.Key{by.public}, RequireSignature: true}})
	c.tick(t, 0)
	w.refused(t, "r0", "not signed")
	dir := filepath.Join(t.TempDir(), "b")
	write(t, dir, numbered(2))
	opa(t)(dir, "build", "-b", ".", "-o", "../b.tar.gz", "--signing-key", by.file, "--signing-alg", "ES256")
	data, err := os.ReadFile(filepath.Join(filepath.Dir(dir), "b.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	s.set(serving(`"2"`, data))
	c.tick(t, time.Minute)
	w.activated(t, "r2")
}
