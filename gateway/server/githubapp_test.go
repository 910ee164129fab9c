package server_test

import (
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"leviathan/gateway/forge"
	"leviathan/gateway/server"
)

// A tunnel is an HTTP proxy that knows CONNECT alone, and keeps what it was
// asked.
type tunnel struct {
	mu    sync.Mutex
	asked []string        // METHOD target authorization
	ends  map[string]bool // its own addresses towards the target
}

func (p *tunnel) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.asked = append(p.asked, r.Method+" "+r.RequestURI+" "+r.Header.Get("Proxy-Authorization"))
	p.mu.Unlock()
	if r.Method != http.MethodConnect {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	there, err := net.Dial("tcp", r.Host)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	p.mu.Lock()
	p.ends[there.LocalAddr().String()] = true
	p.mu.Unlock()
	w.WriteHeader(http.StatusOK)
	here, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		there.Close()
		return
	}
	go func() { _, _ = io.Copy(there, buffered); there.Close() }()
	go func() { _, _ = io.Copy(here, there); here.Close() }()
}

// An App's token goes to the API as bearer and to git as basic auth, both
// through the proxy to the host that the CA file vouches for; it is in no URL,
// log, record or file.
func TestAnAppSpeaksGitThroughAProxyToAHostOfItsOwnCA(t *testing.T) {
	t.Parallel()
	w, f, s := newGitHubWorldBy(t, httptest.NewTLSServer)
	proxy := &tunnel{ends: map[string]bool{}}
	between := httptest.NewServer(proxy)
	t.Cleanup(between.Close)
	ca := filepath.Join(w.dir, "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o644); err != nil {
		t.Fatal(err)
	}
	const password = "canaryOfTheProxy"
	logs := &log{}
	w.logs = logs
	app := &forge.GitHubApp{ID: 7, InstallationID: 8, KeyFile: keyFile(t, w.dir)}
	w.tune = func(c *server.Config) {
		c.GitHub = &forge.GitHubOptions{URL: s.URL, App: app, CAFile: ca, Proxy: forge.NewSecret(strings.Replace(between.URL, "http://", "http://user:"+password+"@", 1))}
	}
	w.start()
	w.deliver(reservation(t, w.cycle(), "guide"), map[string]string{"docs/guide.md": "# Guide\n"})
	w.look()
	token := canary + "OfTheApp"
	f.change(func() {
		if len(f.pulls) != 1 || !f.auths["Bearer "+token] && !f.auths["token "+token] || !f.auths["Basic "+base64.StdEncoding.EncodeToString([]byte("x-access-token:"+token))] {
			t.Errorf("%d pull requests; credentials sent: %v", len(f.pulls), f.auths)
		}
		for _, asked := range f.asked {
			if strings.Contains(asked, canary) {
				t.Errorf("the token is in the URL %s", asked)
			}
		}
	})
	proxy.mu.Lock()
	want := "CONNECT " + strings.TrimPrefix(s.URL, "https://") + " Basic " + base64.StdEncoding.EncodeToString([]byte("user:"+password))
	if len(proxy.asked) == 0 || slices.ContainsFunc(proxy.asked, func(a string) bool { return a != want }) {
		t.Errorf("the proxy was asked %v, want %s", proxy.asked, want)
	}
	f.change(func() {
		for peer := range f.peers {
			if !proxy.ends[peer] {
				t.Errorf("GitHub was spoken to from %s, past the proxy", peer)
			}
		}
	})
	proxy.mu.Unlock()
	// And what goes wrong shows neither.
	f.change(func() { f.gitSays, f.refuse = 500, always(500) })
	w.look()
	status := fmt.Sprint(w.status())
	if problem, known := w.forgeProblem(); known || problem == "" {
		t.Errorf("known %v, %q", known, problem)
	}
	for _, secret := range []string{canary, password, base64.StdEncoding.EncodeToString([]byte("x-access-token:" + token))} {
		for where, text := range map[string]string{"the log": logs.String(), "the status": status, "the journal": fmt.Sprint(w.events(), w.decisions())} {
			if strings.Contains(text, secret) {
				t.Errorf("%s has a secret", where)
			}
		}
	}
	w.stop()
	err := filepath.WalkDir(filepath.Join(w.dir, "state"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		for _, secret := range []string{canary, password} {
			if strings.Contains(string(data), secret) {
				t.Errorf("%s has a secret", path)
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
