package forge_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"leviathan/gateway"
	"leviathan/gateway/forge"
)

const canary = "ghp_canaryTOKENcanary"

type object = map[string]any

// A fake is a GitHub for one repository. It writes down every request, checks
// each against GitHub's own description, and fails the test where one does not
// fit. Its answers are built of a few maps that a test may change between calls.
type fake struct {
	t    *testing.T
	api  openAPI
	url  string
	head map[string]string // branches and their commits

	mu       sync.Mutex
	asked    []string // METHOD path
	auths    map[string]bool
	bodies   []string
	pulls    []object
	comments []object
	checks   []object
	labels   map[int][]object
	reviews  map[int][]object
	files    map[string]string
	answers  map[string]any // path to a ready answer
	page     int            // the size of a page, if smaller than asked
	noLink   bool           // a full page does not say that another follows
	tokens   int
	expires  time.Time
	left     int
	// before may answer a request itself; after is called when it was handled
	// and may do away with the answer.
	before func(w http.ResponseWriter, r *http.Request) bool
	after  func(r *http.Request) (lose bool)
}

func newFake(t *testing.T) *fake {
	f := &fake{t: t, api: readOpenAPI(t), head: map[string]string{"main": strings.Repeat("0", 39) + "1"}, auths: map[string]bool{}, labels: map[int][]object{},
		reviews: map[int][]object{}, files: map[string]string{}, answers: map[string]any{}, left: 5000, expires: start.Add(time.Hour)}
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	f.url = s.URL
	return f
}

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func (f *fake) open(change ...func(*forge.GitHubOptions)) *forge.GitHub {
	f.t.Helper()
	opts := forge.GitHubOptions{Repository: f.url + "/acme/app.git", URL: f.url, Token: forge.NewSecret(canary), Now: func() time.Time { return start }}
	for _, c := range change {
		c(&opts)
	}
	g, err := forge.NewGitHub(opts)
	if err != nil {
		f.t.Fatal(err)
	}
	return g
}

// app makes it an App's credential.
func (f *fake) app(o *forge.GitHubOptions) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		f.t.Fatal(err)
	}
	name := filepath.Join(f.t.TempDir(), "app.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	if err := os.WriteFile(name, block, 0o600); err != nil {
		f.t.Fatal(err)
	}
	o.Token, o.App = forge.Secret{}, &forge.GitHubApp{ID: 7, InstallationID: 8, KeyFile: name}
}

// pull adds a pull request as GitHub would show it.
func (f *fake) pull(n int, branch, head string, change ...func(object)) object {
	repo := object{"id": 99}
	pr := object{"number": n, "html_url": fmt.Sprintf("%s/acme/app/pull/%d", f.url, n), "state": "open", "title": "t", "body": "b", "merged_at": nil, "merge_commit_sha": nil,
		"head": object{"ref": branch, "sha": head, "repo": repo}, "base": object{"ref": "main", "sha": f.head["main"], "repo": repo}, "user": object{"id": 5, "login": "bot"}, "labels": []object{}}
	for _, c := range change {
		c(pr)
	}
	f.pulls = append(f.pulls, pr)
	return pr
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		f.t.Errorf("reading a request: %v", err)
	}
	f.mu.Lock()
	path := strings.TrimPrefix(r.URL.EscapedPath(), "/api/v3")
	f.asked = append(f.asked, r.Method+" "+path)
	f.auths[r.Header.Get("Authorization")] = true
	f.bodies = append(f.bodies, string(body))
	if problem := f.api.check(r.Method, path, r.URL.Query(), body); problem != "" {
		f.t.Errorf("%s %s: %s; GitHub would not take %s", r.Method, path, problem, body)
	}
	before, after := f.before, f.after
	f.left--
	w.Header().Set("X-RateLimit-Limit", "5000")
	w.Header().Set("X-RateLimit-Remaining", strconv.Itoa(f.left))
	w.Header().Set("X-RateLimit-Reset", strconv.FormatInt(start.Add(time.Hour).Unix(), 10))
	w.Header().Set("Content-Type", "application/json")
	f.mu.Unlock()
	if before != nil && before(w, r) {
		return
	}
	f.mu.Lock()
	status, answer := f.handle(r, path, body)
	f.mu.Unlock()
	if after != nil && after(r) {
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_ = conn.Close()
		}
		return
	}
	if list, ok := answer.([]object); ok && r.Method == http.MethodGet {
		answer = f.cut(w, r, list)
	}
	raw, err := json.Marshal(answer)
	if err != nil {
		f.t.Errorf("making an answer: %v", err)
	}
	if r.Method == http.MethodGet && status == http.StatusOK {
		etag := fmt.Sprintf(`W/"%x"`, sha256.Sum256([]byte(string(raw)+w.Header().Get("Link"))))
		w.Header().Set("ETag", etag)
		if r.Header.Get("If-None-Match") == etag {
			f.mu.Lock()
			f.left++
			f.asked[len(f.asked)-1] += " 304"
			f.mu.Unlock()
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	w.WriteHeader(status)
	_, _ = w.Write(raw)
}

// cut is one page of a list, with the header that names the next.
func (f *fake) cut(w http.ResponseWriter, r *http.Request, list []object) []object {
	size, err := strconv.Atoi(r.URL.Query().Get("per_page"))
	if err != nil {
		return list
	}
	if f.page > 0 {
		size = min(size, f.page)
	}
	page, _ := strconv.Atoi(r.URL.Query().Get("page"))
	page = max(page, 1)
	from := min(len(list), (page-1)*size)
	to := min(len(list), from+size)
	if to < len(list) && !f.noLink {
		q := r.URL.Query()
		q.Set("page", strconv.Itoa(page+1))
		w.Header().Set("Link", fmt.Sprintf(`<%s%s?%s>; rel="next"`, f.url, r.URL.Path, q.Encode()))
	}
	return list[from:to]
}

var tail = regexp.MustCompile(`^/repos/acme/app/(?:pulls|issues|issues/comments|check-runs)/(\d+)`)

func (f *fake) handle(r *http.Request, path string, body []byte) (int, any) {
	var in object
	_ = json.Unmarshal(body, &in)
	n := 0
	if m := tail.FindStringSubmatch(path); m != nil {
		n, _ = strconv.Atoi(m[1])
		path = strings.Replace(path, "/"+m[1], "/N", 1)
	}
	rest, _ := strings.CutPrefix(path, "/repos/acme/app")
	if ready, ok := f.answers[rest]; ok {
		return http.StatusOK, ready
	}
	missing := object{"message": "Not Found"}
	switch r.Method + " " + rest {
	case "POST /app/installations/8/access_tokens":
		f.tokens++
		return 201, object{"token": canary + strconv.Itoa(f.tokens), "expires_at": f.expires, "permissions": object{"contents": "write", "pull_requests": "write", "checks": "write", "metadata": "read"}}
	case "GET /rate_limit":
		return 200, object{}
	case "GET /user":
		return 200, object{"id": 5}
	case "GET ":
		return 200, object{"id": 99, "full_name": "acme/app", "permissions": object{"push": true, "admin": false}}
	case "GET /pulls":
		return 200, f.listed(r)
	case "POST /pulls":
		branch := in["head"].(string)
		for _, pr := range f.pulls {
			if pr["state"] == "open" && pr["head"].(object)["ref"] == branch {
				return 422, object{"message": "Validation Failed", "errors": []object{{"resource": "PullRequest", "code": "custom", "message": "A pull request already exists for acme:" + branch + "."}}}
			}
		}
		return 201, f.pull(len(f.pulls)+1, branch, f.head[branch], func(o object) { o["title"], o["body"], o["draft"] = in["title"], in["body"], in["draft"] })
	case "GET /pulls/N":
		for _, pr := range f.pulls {
			if pr["number"] == n {
				return 200, pr
			}
		}
	case "GET /pulls/N/reviews":
		return 200, append([]object{}, f.reviews[n]...)
	case "POST /pulls/N/requested_reviewers":
		if strings.Contains(string(body), "ghost") {
			return 422, object{"message": "Reviews may only be requested from collaborators."}
		}
		return 201, object{}
	case "GET /issues/N/comments":
		return 200, append([]object{}, f.comments...)
	case "POST /issues/N/comments":
		c := object{"id": len(f.comments) + 1, "body": in["body"], "user": object{"id": 5}, "performed_via_github_app": object{"id": 7}}
		f.comments = append(f.comments, c)
		return 201, c
	case "PATCH /issues/comments/N":
		f.comments[n-1]["body"] = in["body"]
		return 200, f.comments[n-1]
	case "POST /issues/N/labels":
		return 200, []object{}
	case "POST /check-runs":
		in["id"], in["app"] = len(f.checks)+1, object{"id": 7}
		f.checks = append(f.checks, in)
		return 201, in
	case "PATCH /check-runs/N":
		for k, v := range in {
			f.checks[n-1][k] = v
		}
		return 200, f.checks[n-1]
	}
	switch branch, ok := strings.CutPrefix(rest, "/branches/"); {
	case ok && f.head[strings.ReplaceAll(branch, "%2F", "/")] != "":
		name := strings.ReplaceAll(branch, "%2F", "/")
		return 200, object{"name": name, "commit": object{"sha": f.head[name]}, "protected": false}
	case strings.HasSuffix(rest, "/check-runs"):
		return 200, object{"total_count": len(f.checks), "check_runs": f.checks}
	case strings.HasPrefix(rest, "/rules/branches/"):
		return 200, []object{}
	case strings.HasPrefix(rest, "/contents/"):
		if r.URL.Query().Get("ref") != "main" {
			return 404, missing // what another branch has is nobody's business
		}
		return f.content(strings.TrimPrefix(rest, "/contents/"))
	}
	return 404, missing
}

func (f *fake) content(path string) (int, any) {
	if text, ok := f.files[path]; ok {
		return 200, object{"type": "file", "name": filepath.Base(path), "path": path, "content": text, "encoding": ""}
	}
	names := []object{}
	for name := range f.files {
		if filepath.Dir(name) == path {
			names = append(names, object{"type": "file", "name": filepath.Base(name), "path": name})
		}
	}
	if len(names) == 0 {
		return 404, object{"message": "Not Found"}
	}
	return 200, names
}

func (f *fake) listed(r *http.Request) []object {
	state, head := r.URL.Query().Get("state"), strings.TrimPrefix(r.URL.Query().Get("head"), "acme:")
	return slices.DeleteFunc(slices.Clone(f.pulls), func(pr object) bool {
		return state != "all" && pr["state"] != state || head != "" && pr["head"].(object)["ref"] != head
	})
}

// intercept sets what may answer a request itself, while others are under way.
func (f *fake) intercept(before func(w http.ResponseWriter, r *http.Request) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.before = before
}

// count is how often a request was made.
func (f *fake) count(what string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range f.asked {
		if a == what {
			n++
		}
	}
	return n
}

// proposal pushes an attempt's branch and proposes it.
func (f *fake) proposal(n int) forge.Proposal {
	a := gateway.AttemptID(fmt.Sprintf("01J%023d", n))
	head := gateway.OID(fmt.Sprintf("%040d", 100+n))
	f.head[a.Branch()] = string(head)
	return forge.Proposal{Attempt: a, Branch: a.Branch(), Base: "main", Head: head, BaseCommit: gateway.OID(f.head["main"]), Title: "docs: a title", Body: "a body\n"}
}
