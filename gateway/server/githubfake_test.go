package server_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	stdlog "log"
	"maps"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"leviathan/gateway/forge"
	"leviathan/gateway/server"
)

const canary = "ghp_canaryTOKENcanary"

type object = map[string]any

// A fakeGitHub has one repository, acme/app: the world's upstream by git over
// HTTP, and as much of the API as the gateway asks of it. What it is sent is
// held against GitHub's own description by the tests of gateway/forge.
type fakeGitHub struct {
	w   *world
	url string
	git http.Handler

	mu       sync.Mutex
	asked    []string // METHOD path, of the API
	auths    map[string]bool
	peers    map[string]bool // from where it was spoken to
	pulls    []object
	comments []object
	checks   []object
	labels   []string
	// reviewers are those who were asked for a review, request by request.
	reviewers []string
	reviews   []object
	files     map[string]string // of the target branch
	admin     bool              // whether the personal token's owner administers
	grants    object            // beyond what an App asks for
	gitSays   int               // if set, git's requests are answered with it
	// refuse, if set, may answer a request of the API itself.
	refuse func(w http.ResponseWriter, r *http.Request) bool
}

// newGitHubWorld is a world whose upstream is on a GitHub.
func newGitHubWorld(t *testing.T) (*world, *fakeGitHub) {
	t.Helper()
	w, f, _ := newGitHubWorldBy(t, httptest.NewServer)
	return w, f
}

// newGitHubWorldBy is newGitHubWorld with another kind of server.
func newGitHubWorldBy(t *testing.T, serve func(http.Handler) *httptest.Server) (*world, *fakeGitHub, *httptest.Server) {
	t.Helper()
	w := newUpstream(t, baseBacklog, baseConfig)
	root := filepath.Join(w.dir, "github")
	if err := os.MkdirAll(filepath.Join(root, "acme"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(w.upstream, filepath.Join(root, "acme", "app.git")); err != nil {
		t.Fatal(err)
	}
	w.git(w.upstream, "config", "http.receivepack", "true")
	backend := filepath.Join(w.git(w.dir, "--exec-path"), "git-http-backend")
	if _, err := os.Stat(backend); err != nil {
		t.Skip("needs git http-backend")
	}
	f := &fakeGitHub{w: w, admin: true, auths: map[string]bool{}, peers: map[string]bool{}, git: &cgi.Handler{Path: backend, Stderr: io.Discard,
		Env: []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull}}}
	s := serve(f)
	s.Config.ErrorLog = stdlog.New(io.Discard, "", 0) // of handshakes that are to fail
	t.Cleanup(s.Close)
	f.url = s.URL
	w.writeConfig(strings.ReplaceAll(baseConfig, "UPSTREAM", s.URL+"/acme/app.git"))
	w.tune = func(c *server.Config) {
		c.GitHub = &forge.GitHubOptions{URL: s.URL, Token: forge.NewSecret(canary)}
	}
	return w, f, s
}

func (f *fakeGitHub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.auths[r.Header.Get("Authorization")], f.peers[r.RemoteAddr] = true, true
	f.mu.Unlock()
	path, api := strings.CutPrefix(r.URL.EscapedPath(), "/api/v3")
	if !api {
		f.mu.Lock()
		says := f.gitSays
		f.mu.Unlock()
		if user, password, _ := r.BasicAuth(); user != "x-access-token" || !strings.HasPrefix(password, canary) {
			says = http.StatusUnauthorized
		}
		if says == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
		}
		if says != 0 {
			w.WriteHeader(says)
			fmt.Fprint(w, "no: "+r.Header.Get("Authorization"))
			return
		}
		f.git.ServeHTTP(w, r)
		return
	}
	var in object
	body, err := io.ReadAll(r.Body)
	if err == nil && len(body) > 0 {
		err = json.Unmarshal(body, &in)
	}
	if err != nil {
		f.w.t.Errorf("%s %s: %v", r.Method, path, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, r.Method+" "+path)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-RateLimit-Limit", "5000")
	w.Header().Set("X-RateLimit-Remaining", "4321")
	w.Header().Set("X-RateLimit-Reset", strconv.FormatInt(f.w.now().Unix()+3600, 10))
	if f.refuse != nil && f.refuse(w, r) {
		return
	}
	status, answer := f.answer(r, path, in)
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		f.w.t.Errorf("answering %s: %v", path, err)
	}
}

var numbered = regexp.MustCompile(`^/repos/acme/app/(?:pulls|issues|issues/comments|check-runs)/(\d+)`)

// answer is GitHub's to one request; the caller holds the lock.
func (f *fakeGitHub) answer(r *http.Request, path string, in object) (int, any) {
	n := 0
	if m := numbered.FindStringSubmatch(path); m != nil {
		n, _ = strconv.Atoi(m[1])
		path = strings.Replace(path, "/"+m[1], "/N", 1)
	}
	rest := strings.TrimPrefix(path, "/repos/acme/app")
	switch r.Method + " " + rest {
	case "GET /rate_limit":
		return 200, object{}
	case "POST /app/installations/8/access_tokens":
		grants := object{"contents": "write", "pull_requests": "write", "checks": "write", "metadata": "read"}
		maps.Copy(grants, f.grants)
		return 201, object{"token": canary + "OfTheApp", "expires_at": f.w.now().Add(time.Hour).UTC().Format(time.RFC3339), "permissions": grants}
	case "GET /user":
		return 200, object{"id": 5}
	case "GET ":
		return 200, object{"id": 99, "full_name": "acme/app", "permissions": object{"push": true, "admin": f.admin}}
	case "GET /pulls":
		state, head := r.URL.Query().Get("state"), strings.TrimPrefix(r.URL.Query().Get("head"), "acme:")
		list := []object{}
		for _, pr := range f.pulls {
			if (state == "all" || pr["state"] == state) && (head == "" || pr["head"].(object)["ref"] == head) {
				list = append(list, pr)
			}
		}
		return 200, list
	case "POST /pulls":
		branch, _ := in["head"].(string)
		repo, number := object{"id": 99}, len(f.pulls)+1
		f.pulls = append(f.pulls, object{"number": number, "html_url": fmt.Sprintf("%s/acme/app/pull/%d", f.url, number), "state": "open", "title": in["title"], "body": in["body"], "draft": in["draft"],
			"head": object{"ref": branch, "sha": f.at(branch), "repo": repo}, "base": object{"ref": "main", "sha": f.at("main"), "repo": repo}, "user": object{"id": 5}, "labels": []object{}})
		return 201, f.pulls[number-1]
	case "GET /pulls/N":
		return 200, f.pulls[n-1]
	case "GET /pulls/N/reviews":
		return 200, append([]object{}, f.reviews...)
	case "GET /issues/N/comments":
		return 200, append([]object{}, f.comments...)
	case "POST /issues/N/comments":
		f.comments = append(f.comments, object{"id": len(f.comments) + 1, "body": in["body"], "user": object{"id": 5}})
		return 201, f.comments[len(f.comments)-1]
	case "PATCH /issues/comments/N":
		f.comments[n-1]["body"] = in["body"]
		return 200, f.comments[n-1]
	case "POST /issues/N/labels":
		f.labels = append(f.labels, fmt.Sprint(in["labels"]))
		return 200, []object{}
	case "POST /pulls/N/requested_reviewers":
		f.reviewers = append(f.reviewers, fmt.Sprint(in["reviewers"], in["team_reviewers"]))
		return 201, object{}
	case "POST /check-runs":
		if strings.HasSuffix(r.Header.Get("Authorization"), "OfTheApp") {
			in["id"], in["app"] = len(f.checks)+1, object{"id": 7}
			f.checks = append(f.checks, in)
			return 201, in
		}
		return 403, object{"message": "You must authenticate via a GitHub App."}
	}
	switch branch, ok := strings.CutPrefix(rest, "/branches/"); {
	case ok && !strings.HasSuffix(branch, "/protection"):
		name := strings.ReplaceAll(branch, "%2F", "/")
		if at := f.at(name); at != "" {
			return 200, object{"name": name, "commit": object{"sha": at}, "protected": false}
		}
	case strings.HasPrefix(rest, "/contents/"):
		return f.contents(strings.TrimPrefix(rest, "/contents/"))
	case strings.HasSuffix(rest, "/check-runs"):
		return 200, object{"total_count": len(f.checks), "check_runs": append([]object{}, f.checks...)}
	case strings.HasPrefix(rest, "/rules/branches/"):
		return 200, []object{}
	}
	return 404, object{"message": "Not Found"}
}

// contents is a file of the target branch, or a folder's names.
func (f *fakeGitHub) contents(path string) (int, any) {
	if text, ok := f.files[path]; ok {
		return 200, object{"type": "file", "name": filepath.Base(path), "path": path, "encoding": "base64", "content": base64.StdEncoding.EncodeToString([]byte(text))}
	}
	list := []object{}
	for name := range f.files {
		if filepath.Dir(name) == path {
			list = append(list, object{"type": "file", "name": filepath.Base(name), "path": name})
		}
	}
	if len(list) == 0 {
		return 404, object{"message": "Not Found"}
	}
	return 200, list
}

// at is the commit of a branch; "" if there is none.
func (f *fakeGitHub) at(branch string) string {
	out, err := f.w.tryGit(f.w.upstream, "rev-parse", "--verify", "--quiet", "refs/heads/"+branch)
	if err != nil {
		return ""
	}
	return out
}

// change changes what GitHub has, while others ask.
func (f *fakeGitHub) change(how func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	how()
}

// requests is how often the API was asked anything.
func (f *fakeGitHub) requests() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.asked)
}
