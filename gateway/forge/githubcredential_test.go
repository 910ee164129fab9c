package forge_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"leviathan/gateway"
	"leviathan/gateway/forge"
)

const mint = "POST /app/installations/8/access_tokens"

func TestAnAppsTokenIsMadeOnceAndReplacedBeforeItEnds(t *testing.T) {
	f, now := newFake(t), start
	g := f.open(f.app, func(o *forge.GitHubOptions) { o.Now = func() time.Time { return now } })
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if token, err := g.Credential(t.Context()); err != nil || token != canary+"1" {
				t.Errorf("%q, %v", token, err)
			}
		})
	}
	all.Wait()
	if n := f.count(mint); n != 1 {
		t.Errorf("GitHub was asked for a token %d times", n)
	}
	var asked struct {
		Repositories []string
		Permissions  map[string]string
	}
	if err := json.Unmarshal([]byte(f.bodies[0]), &asked); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(asked) != "{[app] map[checks:write contents:write pull_requests:write]}" {
		t.Errorf("asked for %v", asked)
	}
	now = start.Add(54 * time.Minute)
	if token, err := g.Credential(t.Context()); err != nil || token != canary+"1" {
		t.Errorf("six minutes before its end: %q, %v", token, err)
	}
	now, f.expires = start.Add(56*time.Minute), start.Add(2*time.Hour)
	if token, err := g.Credential(t.Context()); err != nil || token != canary+"2" {
		t.Errorf("four minutes before its end: %q, %v", token, err)
	}
}

func TestAnAppSignsInWithAShortToken(t *testing.T) {
	f := newFake(t)
	g := f.open(f.app)
	if _, err := g.Credential(t.Context()); err != nil {
		t.Fatal(err)
	}
	var header struct{ Alg string }
	var claims struct {
		Iss      string
		Iat, Exp int64
	}
	for auth := range f.auths {
		parts := strings.Split(strings.TrimPrefix(auth, "Bearer "), ".")
		if len(parts) != 3 {
			t.Fatalf("the App came with %q", auth)
		}
		for i, into := range []any{&header, &claims} {
			raw, err := base64.RawURLEncoding.DecodeString(parts[i])
			if err != nil || json.Unmarshal(raw, into) != nil {
				t.Fatalf("part %d: %s, %v", i, raw, err)
			}
		}
	}
	if header.Alg != "RS256" || claims.Iss != "7" || claims.Iat != start.Add(-time.Minute).Unix() || claims.Exp != start.Add(9*time.Minute).Unix() {
		t.Errorf("%+v %+v", header, claims)
	}
}

func TestATokenThatGitHubRefusesIsReplaced(t *testing.T) {
	f := newFake(t)
	g := f.open(f.app)
	f.before = func(w http.ResponseWriter, r *http.Request) bool {
		refuse := r.Header.Get("Authorization") == "Bearer "+canary+"1"
		if refuse {
			w.WriteHeader(http.StatusUnauthorized)
		}
		return refuse
	}
	if pr, err := g.Open(t.Context(), f.proposal(1)); err != nil || pr.Number != 1 {
		t.Errorf("%+v, %v", pr, err)
	}
	if n := f.count(mint); n != 2 {
		t.Errorf("%d tokens were made", n)
	}
}

func TestAnAppThatIsNotInstalledSaysSo(t *testing.T) {
	f := newFake(t)
	g := f.open(f.app, func(o *forge.GitHubOptions) { o.App.InstallationID = 9 })
	_, err := g.Observe(t.Context(), "main", nil)
	if !errors.Is(err, &gateway.Error{Kind: gateway.Unknown, Code: forge.CodeCredential}) || !strings.Contains(err.Error(), "installation 9 of App 7") {
		t.Errorf("%v", err)
	}
}

// S23: a canary token appears nowhere but in the header, and goes to the one
// host alone.
func TestS23TheTokenIsShownNowhere(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("another host was asked %s %s", r.Method, r.URL)
	}))
	defer elsewhere.Close()
	f := newFake(t)
	opts := forge.GitHubOptions{Repository: f.url + "/acme/app", URL: f.url, Token: forge.NewSecret(canary), Proxy: forge.NewSecret("")}
	personal, app := f.open(), f.open(f.app)
	if _, err := app.Credential(t.Context()); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, v := range []any{personal, app, []*forge.GitHub{personal, app}, opts, &opts, struct{ x any }{opts}, forge.NewSecret(canary)} {
		fmt.Fprintf(&out, "%v %+v %#v %s\n", v, v, v, v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", v)
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", v)
	}
	for i, fail := range []http.HandlerFunc{
		func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL+r.URL.Path, http.StatusTemporaryRedirect)
		},
		func(w http.ResponseWriter, r *http.Request) { http.Error(w, r.Header.Get("Authorization"), 500) },
		func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(422)
			fmt.Fprintf(w, `{"message":%q,"errors":[%q]}`, r.Header.Get("Authorization"), r.Header.Get("Authorization"))
		},
		func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Header.Get("Authorization")) },
	} {
		f.intercept(func(w http.ResponseWriter, r *http.Request) bool { fail(w, r); return true })
		for _, g := range []*forge.GitHub{personal, app} {
			_, err := g.Open(t.Context(), f.proposal(1))
			if err == nil {
				t.Errorf("failure %d is none", i)
			}
			fmt.Fprintf(&out, "%v %+v\n", err, err)
			for ; err != nil; err = errors.Unwrap(err) {
				fmt.Fprintf(&out, "%v %+v\n", err, err)
			}
		}
	}
	if strings.Contains(out.String(), canary) {
		t.Errorf("the token is in\n%s", out.String())
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, asked := range append(f.asked, f.bodies...) {
		if strings.Contains(asked, canary) {
			t.Errorf("the token is in %s", asked)
		}
	}
}

func TestNewGitHubRefusesWhatCannotWork(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: []byte(canary)}), 0o600); err != nil {
		t.Fatal(err)
	}
	token := forge.NewSecret(canary)
	for _, c := range []struct {
		opts forge.GitHubOptions
		says string
	}{
		{forge.GitHubOptions{Repository: "https://github.com/acme/app"}, "one credential"},
		{forge.GitHubOptions{Repository: "https://github.com/acme/app", Token: token, App: &forge.GitHubApp{ID: 1, InstallationID: 1}}, "one credential"},
		{forge.GitHubOptions{Repository: "https://github.com/acme/app", App: &forge.GitHubApp{ID: 1}}, "installation"},
		{forge.GitHubOptions{Repository: "https://github.com/acme/app", App: &forge.GitHubApp{ID: 1, InstallationID: 1, KeyFile: file}}, "is not the private key"},
		{forge.GitHubOptions{Repository: "https://github.com/acme/app", App: &forge.GitHubApp{ID: 1, InstallationID: 1, KeyFile: file + "x"}}, "no such file"},
		{forge.GitHubOptions{Repository: "https://example.org/acme/app", Token: token}, "OWNER/NAME"},
		{forge.GitHubOptions{Repository: "https://github.com/acme/app/more", Token: token}, "OWNER/NAME"},
		{forge.GitHubOptions{Repository: "https://github.com/acme/..", Token: token}, "OWNER/NAME"},
		{forge.GitHubOptions{Repository: "https://u:" + canary + "@github.com/acme/app", Token: token}, "OWNER/NAME"},
		{forge.GitHubOptions{Repository: "http://ghe.example.org/acme/app", URL: "http://ghe.example.org", Token: token}, "https://"},
		{forge.GitHubOptions{Repository: "https://github.com/acme/app", Token: forge.NewSecret(canary + "\n")}, "line break"},
		{forge.GitHubOptions{Repository: "https://github.com/acme/app", Token: token, CAFile: file + "x"}, "no such file"},
		{forge.GitHubOptions{Repository: "https://github.com/acme/app", Token: token, Proxy: forge.NewSecret("socks://" + canary)}, "proxy"},
		{forge.GitHubOptions{Repository: "https://github.com/acme/app", Token: token, SharePercent: 101}, "percent"},
	} {
		_, err := forge.NewGitHub(c.opts)
		if !errors.Is(err, gateway.ErrInvalid) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), canary) {
			t.Errorf("%v, want an invalid one that says %q", err, c.says)
		}
	}
	for web, host := range map[string]string{"https://github.com": "github.com", "https://acme.ghe.com": "acme.ghe.com", "https://GHE.example.org": "ghe.example.org"} {
		g, err := forge.NewGitHub(forge.GitHubOptions{URL: web, Repository: web + "/acme/app.git", Token: token})
		if err != nil || g.CredentialHost() != host || len(g.Warnings()) != 1 {
			t.Errorf("%s: %v, %v", web, g, err)
		}
	}
}

func TestAProxyAndACAFileAreUsed(t *testing.T) {
	var proxied []string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		proxied = append(proxied, r.URL.Host)
		http.Error(w, `{}`, http.StatusServiceUnavailable)
	}))
	defer proxy.Close()
	f := newFake(t)
	if _, err := f.open(func(o *forge.GitHubOptions) { o.Proxy = forge.NewSecret(proxy.URL) }).Observe(t.Context(), "main", nil); err == nil || len(proxied) == 0 || len(f.asked) != 0 {
		t.Errorf("%v; the proxy saw %v and GitHub %v", err, proxied, f.asked)
	}
	secure := httptest.NewTLSServer(f)
	defer secure.Close()
	secure.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	at := func(o *forge.GitHubOptions) { o.URL, o.Repository = secure.URL, secure.URL+"/acme/app" }
	if _, err := f.open(at).Observe(t.Context(), "main", nil); !errors.Is(err, &gateway.Error{Kind: gateway.Unknown, Code: forge.CodeUnreachable}) {
		t.Errorf("without the CA file: %v", err)
	}
	if _, err := f.open(at, func(o *forge.GitHubOptions) { o.CAFile = file }).Observe(t.Context(), "main", nil); err != nil {
		t.Errorf("with the CA file: %v", err)
	}
}
