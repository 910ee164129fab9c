package e2e_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/cgi"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"leviathan/deploy/e2e"
)

const (
	githubHost  = "github.e2e.test"
	githubOwner = "acme"
	githubToken = "ghp_endToEndEndToEndEndToEndEndToEnd0000"
)

type object = map[string]any

// A github is one for all targets, outside of the cluster: their repositories by
// git over HTTPS, and as much of the API as the gateway asks for. The head of
// pull request N is refs/pull/N/head, as on the real one. What it is sent is
// held against GitHub's own description by the tests of gateway/forge.
type github struct {
	root        string // has acme/TARGET.git
	certificate string // PEM
	server      *http.Server
	git         http.Handler
	run         func(ctx context.Context, args ...string) (string, error)

	mu       sync.Mutex
	pulls    map[string][]object // by repository
	comments []object
}

// startGitHub serves the repositories below root at the address that the
// cluster's names lead to.
func startGitHub(ctx context.Context, root string, git func(context.Context, ...string) (string, error)) (*github, error) {
	path, err := git(ctx, "--exec-path")
	if err != nil {
		return nil, err
	}
	g := &github{root: root, run: git, pulls: map[string][]object{}, git: &cgi.Handler{Path: filepath.Join(path, "git-http-backend"), Stderr: io.Discard,
		Env: []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull}}}
	pair, err := g.certify()
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(e2e.GitHubAddress, "443"))
	if err != nil {
		return nil, err
	}
	g.server = &http.Server{Handler: g, TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}}, ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = g.server.ServeTLS(listener, "", "") }() // until it is closed
	return g, nil
}

// certify makes a certificate that nobody signed but itself.
func (g *github) certify() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: githubHost}, DNSNames: []string{githubHost},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, err
	}
	g.certificate = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

func (g *github) stop() error { return g.server.Close() }

func (g *github) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, api := strings.CutPrefix(r.URL.EscapedPath(), "/api/v3")
	if !api {
		if user, password, _ := r.BasicAuth(); user != "x-access-token" || password != githubToken {
			w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		g.git.ServeHTTP(w, r)
		return
	}
	var in object
	status, answer := http.StatusBadRequest, any(object{"message": "Problems parsing JSON"})
	body, err := io.ReadAll(r.Body)
	if err == nil && len(body) > 0 {
		err = json.Unmarshal(body, &in)
	}
	switch {
	case r.Header.Get("Authorization") != "Bearer "+githubToken && r.Header.Get("Authorization") != "token "+githubToken:
		status, answer = http.StatusUnauthorized, object{"message": "Bad credentials"}
	case err == nil:
		status, answer = g.answer(r, path, in)
	}
	for name, value := range map[string]string{"Content-Type": "application/json", "X-RateLimit-Limit": "5000", "X-RateLimit-Remaining": "4321",
		"X-RateLimit-Reset": strconv.FormatInt(time.Now().Unix()+3600, 10)} {
		w.Header().Set(name, value)
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer) // whoever asked may have gone
}

var (
	repositoryPath = regexp.MustCompile(`^/repos/` + githubOwner + `/([a-z-]+)`)
	numberedPath   = regexp.MustCompile(`^/(?:pulls|issues|issues/comments)/(\d+)`)
)

// answer is GitHub's to one request.
func (g *github) answer(r *http.Request, path string, in object) (int, any) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch r.Method + " " + path {
	case "GET /rate_limit":
		return 200, object{}
	case "GET /user":
		return 200, object{"id": 5}
	}
	found := repositoryPath.FindStringSubmatch(path)
	if found == nil {
		return 404, object{"message": "Not Found"}
	}
	repository, rest, n := found[1], path[len(found[0]):], 0
	if m := numberedPath.FindStringSubmatch(rest); m != nil {
		n, _ = strconv.Atoi(m[1])
		rest = strings.Replace(rest, "/"+m[1], "/N", 1)
	}
	pulls := g.pulls[repository]
	switch r.Method + " " + rest {
	case "GET ":
		return 200, object{"id": 99, "full_name": githubOwner + "/" + repository, "permissions": object{"push": true, "admin": false}}
	case "GET /pulls":
		return 200, listed(pulls, r.URL.Query().Get("state"), strings.TrimPrefix(r.URL.Query().Get("head"), githubOwner+":"))
	case "POST /pulls":
		return g.open(r.Context(), repository, in)
	case "GET /pulls/N":
		if n > 0 && n <= len(pulls) {
			return 200, pulls[n-1]
		}
	case "GET /pulls/N/reviews", "GET /issues/N/comments", "POST /issues/N/labels":
		return 200, []object{}
	case "POST /issues/N/comments":
		g.comments = append(g.comments, object{"id": len(g.comments) + 1, "body": in["body"], "user": object{"id": 5}})
		return 201, g.comments[len(g.comments)-1]
	case "PATCH /issues/comments/N":
		if n > 0 && n <= len(g.comments) {
			g.comments[n-1]["body"] = in["body"]
			return 200, g.comments[n-1]
		}
	case "POST /check-runs":
		return 403, object{"message": "You must authenticate via a GitHub App."}
	}
	if branch, ok := strings.CutPrefix(rest, "/branches/"); ok && !strings.HasSuffix(branch, "/protection") {
		name := strings.ReplaceAll(branch, "%2F", "/")
		if at, err := g.at(r.Context(), repository, name); err == nil {
			return 200, object{"name": name, "commit": object{"sha": at}, "protected": false}
		}
	}
	if strings.HasPrefix(rest, "/rules/branches/") {
		return 200, []object{}
	}
	return 404, object{"message": "Not Found"}
}

func listed(pulls []object, state, head string) []object {
	list := []object{}
	for _, pr := range pulls {
		if (state == "all" || pr["state"] == state) && (head == "" || pr["head"].(object)["ref"] == head) {
			list = append(list, pr)
		}
	}
	return list
}

// open opens a pull request, whose head has a ref as well.
func (g *github) open(ctx context.Context, repository string, in object) (int, any) {
	branch, _ := in["head"].(string)
	head, err := g.at(ctx, repository, branch)
	base, baseErr := g.at(ctx, repository, "main")
	number := len(g.pulls[repository]) + 1
	if err = errors.Join(err, baseErr); err == nil {
		_, err = g.run(ctx, "--git-dir", g.path(repository), "update-ref", fmt.Sprintf("refs/pull/%d/head", number), head)
	}
	if err != nil {
		return 422, object{"message": err.Error()}
	}
	same := object{"id": 99}
	pr := object{"number": number, "html_url": fmt.Sprintf("https://%s/%s/%s/pull/%d", githubHost, githubOwner, repository, number), "state": "open", "title": in["title"], "body": in["body"], "draft": in["draft"],
		"head": object{"ref": branch, "sha": head, "repo": same}, "base": object{"ref": "main", "sha": base, "repo": same}, "user": object{"id": 5}, "labels": []object{}}
	g.pulls[repository] = append(g.pulls[repository], pr)
	return 201, pr
}

func (g *github) path(repository string) string {
	return filepath.Join(g.root, githubOwner, repository+".git")
}

// at is the commit of a branch.
func (g *github) at(ctx context.Context, repository, branch string) (string, error) {
	return g.run(ctx, "--git-dir", g.path(repository), "rev-parse", "--verify", "--quiet", "refs/heads/"+branch)
}
