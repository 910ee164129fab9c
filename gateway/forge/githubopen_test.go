package forge_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"leviathan/gateway"
	"leviathan/gateway/forge"
)

func TestGitHubOpensAPullRequestOnce(t *testing.T) {
	f := newFake(t)
	g := f.open(func(o *forge.GitHubOptions) { o.Draft = true })
	p := f.proposal(1)
	first, err := g.Open(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	if first.Number != 1 || first.Branch != p.Branch || first.Attempt != p.Attempt || first.Head != p.Head || first.Base != "main" || first.State != gateway.PullRequestOpen || first.URL != f.url+"/acme/app/pull/1" || first.TextDigest == "" {
		t.Errorf("opened %+v", first)
	}
	if f.pulls[0]["draft"] != true || f.pulls[0]["title"] != p.Title || f.pulls[0]["body"] != p.Body {
		t.Errorf("GitHub has %v", f.pulls[0])
	}
	again, err := g.Open(t.Context(), p)
	if err != nil || again != first {
		t.Errorf("again: %+v, %v", again, err)
	}
	f.pulls[0]["state"] = "closed"
	if closed, err := g.Open(t.Context(), p); err != nil || closed.State != gateway.PullRequestClosed || closed.Number != 1 {
		t.Errorf("after a human closed it: %+v, %v", closed, err)
	}
	if n := f.count("POST /repos/acme/app/pulls"); n != 1 {
		t.Errorf("it was created %d times", n)
	}
}

func TestGitHubFindsWhatALostReplyHasOpened(t *testing.T) {
	f := newFake(t)
	f.after = func(r *http.Request) bool { return r.Method == http.MethodPost }
	p := f.proposal(1)
	pr, err := f.open().Open(t.Context(), p)
	if err != nil || pr.Number != 1 || pr.Head != p.Head {
		t.Errorf("%+v, %v", pr, err)
	}
	if len(f.pulls) != 1 || f.count("POST /repos/acme/app/pulls") != 1 {
		t.Errorf("GitHub has %d pull requests after %v", len(f.pulls), f.asked)
	}
}

func TestGitHubLooksForWhatItDidAlsoWhenItsCallerHasGone(t *testing.T) {
	f := newFake(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	f.after = func(r *http.Request) bool {
		if r.Method == http.MethodPost {
			cancel()
		}
		return r.Method == http.MethodPost
	}
	p := f.proposal(1)
	if pr, err := f.open().Open(ctx, p); pr.Number != 1 && (err == nil || strings.Contains(err.Error(), "not understood")) || len(f.pulls) != 1 {
		t.Errorf("%+v, %v; GitHub has %d", pr, err, len(f.pulls))
	}
	if _, err := f.open().Observe(ctx, "main", nil); !errors.Is(err, context.Canceled) || !errors.Is(err, gateway.ErrUnknown) {
		t.Errorf("observing for nobody: %v", err)
	}
}

// What was made and then reads badly is not said to be unwritten.
func TestAFailedReadBackIsUnknown(t *testing.T) {
	for _, status := range []int{409, 422, 404, 500} {
		f := newFake(t)
		f.before = func(w http.ResponseWriter, r *http.Request) bool {
			reading := strings.HasSuffix(r.URL.Path, "/pulls/1")
			if reading {
				w.WriteHeader(status)
			}
			return reading
		}
		_, err := f.open().Open(t.Context(), f.proposal(1))
		if err == nil || errors.Is(err, gateway.ErrInvalid) || errors.Is(err, gateway.ErrConflict) || len(f.pulls) != 1 {
			t.Errorf("%d: %v", status, err)
		}
	}
}

func TestGitHubSaysUnknownWhereALostRequestLeftNothing(t *testing.T) {
	f := newFake(t)
	f.before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusBadGateway)
		}
		return r.Method == http.MethodPost
	}
	_, err := f.open().Open(t.Context(), f.proposal(1))
	if !errors.Is(err, &gateway.Error{Kind: gateway.Unknown, Code: forge.CodeUnreachable}) || !strings.Contains(err.Error(), "is not known") {
		t.Errorf("%v", err)
	}
}

func TestGitHubRefusesWhatIsNotItsOwn(t *testing.T) {
	fork := object{"id": 100}
	for name, c := range map[string]struct {
		ground func(f *fake, p forge.Proposal)
		kind   gateway.Kind
		number int
	}{
		"the branch was not pushed":    {func(f *fake, p forge.Proposal) { delete(f.head, p.Branch) }, gateway.Conflict, 0},
		"the branch has other content": {func(f *fake, p forge.Proposal) { f.head[p.Branch] = strings.Repeat("e", 40) }, gateway.Conflict, 0},
		"a fork has a branch of the name": {func(f *fake, p forge.Proposal) {
			f.pull(1, p.Branch, string(p.Head), func(o object) { o["head"].(object)["repo"] = fork; o["state"] = "closed" })
		}, "", 2},
		"an open one is at another commit": {func(f *fake, p forge.Proposal) { f.pull(1, p.Branch, strings.Repeat("e", 40)) }, gateway.Conflict, 0},
		"a closed one is at another commit": {func(f *fake, p forge.Proposal) {
			f.pull(1, p.Branch, strings.Repeat("e", 40), func(o object) { o["state"] = "closed" })
		}, "", 2},
		"it has another base by now": {func(f *fake, p forge.Proposal) {
			f.pull(1, p.Branch, string(p.Head), func(o object) { o["base"].(object)["ref"] = "x" })
		}, gateway.Unknown, 0},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			p := f.proposal(1)
			c.ground(f, p)
			pr, err := f.open().Open(t.Context(), p)
			if c.kind == "" && err != nil || c.kind != "" && gateway.KindOf(err) != c.kind || pr.Number != c.number {
				t.Errorf("number %d, %v; want number %d, kind %q", pr.Number, err, c.number, c.kind)
			}
		})
	}
}

func TestAnAnswerThatSaysNoIsNotAskedTwice(t *testing.T) {
	for status, want := range map[int]*gateway.Error{
		401: {Kind: gateway.Unknown, Code: forge.CodeCredential}, 403: {Kind: gateway.Unknown, Code: forge.CodePermission},
		404: {Kind: gateway.NotFound, Code: forge.CodeRepository}, 422: {Kind: gateway.Invalid, Code: forge.CodeRefused}, 301: {Kind: gateway.NotFound, Code: forge.CodeMoved},
	} {
		f := newFake(t)
		f.before = func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Location", "http://127.0.0.1:1/elsewhere")
			w.Header().Set("X-Accepted-GitHub-Permissions", "pull_requests=write")
			w.WriteHeader(status)
			_, _ = w.Write([]byte(`{"message":"no, ` + r.Header.Get("Authorization") + `"}`))
			return true
		}
		_, err := f.open().Open(t.Context(), f.proposal(1))
		if !errors.Is(err, want) || strings.Contains(err.Error(), canary) {
			t.Errorf("%d: %v, want %s %s", status, err, want.Kind, want.Code)
		}
		if len(f.asked) != 1 {
			t.Errorf("%d: asked %v", status, f.asked)
		}
	}
}
