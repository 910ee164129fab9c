package forge

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/google/go-github/v60/github"

	"leviathan/gateway"
)

// GitHubOptions say which repository on which GitHub, and by which credential.
// Exactly one of App and Token is needed.
type GitHubOptions struct {
	// Repository is the target's address: https://HOST/OWNER/NAME, perhaps
	// with .git. Its host is that of URL.
	Repository string
	// URL is GitHub's own address; empty: https://github.com. For GitHub
	// Enterprise Server it is https://HOST, for Enterprise Cloud with its own
	// domain https://NAME.ghe.com. Only a loopback address may be http.
	URL string
	// App is the credential to prefer.
	App *GitHubApp
	// Token is a personal access token, which can do all that its owner can;
	// Warnings says so.
	Token Secret
	// Proxy is the URL of an HTTP proxy, which may have a password; without
	// one GitHub is spoken to directly. The environment is never asked.
	Proxy Secret
	// CAFile has certificates (PEM) that are trusted beside the system's.
	CAFile string
	// Draft opens pull requests as drafts.
	Draft bool
	// SharePercent is how much of what is left of the budget one observation
	// may spend, 1 to 100; 0: 20.
	SharePercent int
	// Budget is shared by all forges of the process with the same credential;
	// nil: one of its own.
	Budget *GitHubBudget
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

const (
	defaultShare = 20
	githubWeb    = "https://github.com"
	perPage      = 100
	maxPages     = 100 // of one list: what is longer is an error, never cut
)

// GitHub is the forge of a repository on GitHub. It is safe for concurrent
// use. It holds a credential and never shows it: not in a URL, an error or any
// printing of itself.
type GitHub struct {
	opts      GitHubOptions
	place     place
	transport *transport
	client    *github.Client
	app       *installation // nil with a personal token

	mu     sync.Mutex
	repoID int64 // once asked
	userID int64 // of the personal token's owner, once asked
}

var _ Forge = (*GitHub)(nil)

// NewGitHub makes the forge of one repository. It reads key and CA file, and
// asks nothing of the network: see Probe.
func NewGitHub(opts GitHubOptions) (*GitHub, error) {
	where, err := findPlace(cmp.Or(opts.URL, githubWeb), opts.Repository)
	if err != nil {
		return nil, err
	}
	switch {
	case (opts.App == nil) == opts.Token.Empty():
		return nil, &gateway.Error{Kind: gateway.Invalid, Code: CodeCredential, Detail: "GitHub needs one credential: a GitHub App (id, installation id, key file), or a personal token"}
	case opts.App != nil && (opts.App.ID <= 0 || opts.App.InstallationID <= 0):
		return nil, &gateway.Error{Kind: gateway.Invalid, Code: CodeCredential, Detail: "a GitHub App needs its id and its installation's id, both greater than 0"}
	case !oneLine(opts.Token.text()) || strings.Contains(opts.Token.text(), " "):
		return nil, &gateway.Error{Kind: gateway.Invalid, Code: CodeCredential, Detail: "the GitHub token has a space or a line break in it"}
	case opts.SharePercent < 0 || opts.SharePercent > 100:
		return nil, gateway.Errorf(gateway.Invalid, "the share of an observation is 1 to 100 percent, not %d", opts.SharePercent)
	}
	inner, err := opts.httpTransport()
	if err != nil {
		return nil, err
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Budget == nil {
		opts.Budget = &GitHubBudget{}
	}
	g := &GitHub{opts: opts, place: where}
	g.transport = &transport{place: where, inner: inner, budget: opts.Budget, cache: newAnswers(), slots: make(chan struct{}, atOnce), now: opts.Now}
	g.transport.credential = personal{opts.Token}
	if opts.App != nil {
		if _, err := readKey(opts.App.KeyFile); err != nil {
			return nil, err
		}
		g.app = &installation{app: *opts.App, repo: where.name, now: opts.Now, ask: func(ctx context.Context, in, out any) error {
			return g.call(ctx, "asking for a token of the GitHub App", http.MethodPost, fmt.Sprintf("app/installations/%d/access_tokens", opts.App.InstallationID), in, out)
		}}
		g.transport.credential = g.app
	}
	g.client = github.NewClient(&http.Client{Transport: g.transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }})
	g.client.BaseURL, g.client.UploadURL = where.api, where.api
	return g, nil
}

// httpTransport asks no environment: proxy and certificates are options.
func (o GitHubOptions) httpTransport() (*http.Transport, error) {
	t := &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout: 10 * time.Second, IdleConnTimeout: 90 * time.Second, MaxIdleConns: 2 * atOnce, MaxIdleConnsPerHost: atOnce,
		ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12},
	}
	if !o.Proxy.Empty() {
		u, err := url.Parse(o.Proxy.text())
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return nil, gateway.Errorf(gateway.Invalid, "the proxy for GitHub is not of the form http://HOST:PORT or https://HOST:PORT")
		}
		t.Proxy = http.ProxyURL(u)
	}
	if o.CAFile != "" {
		pem, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, &gateway.Error{Kind: gateway.Invalid, Detail: "reading the CA file for GitHub: " + err.Error(), Err: err}
		}
		pool, err := x509.SystemCertPool()
		if err != nil {
			return nil, fmt.Errorf("reading the system's certificates: %w", err)
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, gateway.Errorf(gateway.Invalid, "the CA file %s has no certificate in PEM form", o.CAFile)
		}
		t.TLSClientConfig.RootCAs = pool
	}
	return t, nil
}

// findPlace works out the API's address and the repository's name.
func findPlace(web, repository string) (place, error) {
	w, err := url.Parse(web)
	if err != nil || w.User != nil || w.RawQuery != "" || w.Fragment != "" || strings.Trim(w.Path, "/") != "" || w.Host == "" {
		return place{}, gateway.Errorf(gateway.Invalid, "the address of GitHub is https://HOST alone, without a path, user or query")
	}
	if w.Scheme != "https" && !(w.Scheme == "http" && loopback(w.Hostname())) {
		return place{}, gateway.Errorf(gateway.Invalid, "the address of GitHub begins with https://, not %q", w.Scheme+"://")
	}
	w.Path, w.Host = "", strings.ToLower(w.Host)
	r, err := url.Parse(repository)
	if err != nil || r.User != nil || r.RawQuery != "" || r.Fragment != "" || r.Scheme != w.Scheme || !strings.EqualFold(r.Host, w.Host) {
		return place{}, gateway.Errorf(gateway.Invalid, "the repository is not of the form %s/OWNER/NAME", w)
	}
	parts := strings.Split(strings.TrimSuffix(strings.Trim(r.Path, "/"), ".git"), "/")
	if len(parts) != 2 || !slug(parts[0]) || !slug(parts[1]) {
		return place{}, gateway.Errorf(gateway.Invalid, "the repository is not of the form %s/OWNER/NAME", w)
	}
	api := *w
	switch {
	case w.Host == "github.com" || strings.HasSuffix(w.Host, ".ghe.com"):
		api.Host, api.Path = "api."+w.Host, "/"
	default:
		api.Path = "/api/v3/"
	}
	return place{web: w, api: &api, owner: parts[0], name: parts[1]}, nil
}

func slug(s string) bool {
	return s != "" && len(s) <= 100 && s != "." && s != ".." && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.')
	})
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Credential is the password for git over https to CredentialHost, and to no
// other host; the user's name is x-access-token. It holds for some minutes at
// least: ask again for each connection.
func (g *GitHub) Credential(ctx context.Context) (string, error) {
	return g.transport.credential.token(ctx)
}

// GitClient sends git's requests as GitHub itself is asked: by the same proxy,
// and with the same certificates trusted. It adds no credential.
func (g *GitHub) GitClient() *http.Client { return &http.Client{Transport: g.transport.inner} }

// CredentialHost is the one host, with its port if it has one, that may see
// the credential by git.
func (g *GitHub) CredentialHost() string { return g.place.web.Host }

// Warnings say what is unsafe in how this forge is set up.
func (g *GitHub) Warnings() []string {
	if g.app != nil {
		return nil
	}
	return []string{"GitHub is spoken to by a personal token, which can do all that its owner can, merging included; a GitHub App for this one repository is safer"}
}

// Budget is what GitHub lets the credential ask, for a metric.
func (g *GitHub) Budget() *GitHubBudget { return g.opts.Budget }

// String names the repository.
func (g *GitHub) String() string { return g.place.web.Host + "/" + g.place.owner + "/" + g.place.name }

// call asks what go-github has no fitting method for.
func (g *GitHub) call(ctx context.Context, what, method, path string, in, out any) error {
	req, err := g.client.NewRequest(method, path, in)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	_, err = g.client.Do(ctx, req, out)
	return during(what, err)
}

func (g *GitHub) path(format string, args ...any) string {
	return "repos/" + g.place.owner + "/" + g.place.name + fmt.Sprintf(format, args...)
}

// pages reads all pages of a list. A page that fails fails the list, and so
// does a list that does not end.
func pages[T any](what string, page func(opts github.ListOptions) ([]T, *github.Response, error)) ([]T, error) {
	all := []T{}
	opts := github.ListOptions{PerPage: perPage}
	for range maxPages {
		some, resp, err := page(opts)
		if err != nil {
			return nil, during(what, err)
		}
		all = append(all, some...)
		next := resp.NextPage
		if next == 0 && len(some) >= perPage {
			// A full page is never taken for the last: an answer that has not
			// changed may be older than the page behind it.
			next = max(1, opts.Page) + 1
		}
		if next == 0 {
			return all, nil
		}
		if next <= opts.Page {
			return nil, gateway.Errorf(gateway.Unknown, "%s: page %d is followed by page %d", what, opts.Page, next)
		}
		opts.Page = next
	}
	return nil, gateway.Errorf(gateway.Unknown, "%s: there are more than %d pages", what, maxPages)
}

// repository is the number of the target's repository, which no renaming
// changes. It is asked once: by it forks are told from the repository itself.
func (g *GitHub) repository(ctx context.Context) (int64, error) {
	g.mu.Lock()
	id := g.repoID
	g.mu.Unlock()
	if id != 0 {
		return id, nil
	}
	repo, _, err := g.client.Repositories.Get(ctx, g.place.owner, g.place.name)
	if err != nil {
		return 0, during("reading the repository", err)
	}
	if repo.GetID() == 0 {
		return 0, gateway.Errorf(gateway.Unknown, "reading the repository: GitHub says no id of it")
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.repoID = repo.GetID()
	return g.repoID, nil
}
