package forge_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"leviathan/gateway"
	"leviathan/gateway/forge"
)

func TestTheProbeSaysHowSafeTheRepositoryIs(t *testing.T) {
	branch := func(protected bool) object {
		return object{"name": "main", "commit": object{"sha": strings.Repeat("0", 39) + "1"}, "protected": protected}
	}
	rule := func(reviews int) []object {
		return []object{{"type": "deletion"}, {"type": "pull_request", "parameters": object{"required_approving_review_count": reviews}}}
	}
	for name, c := range map[string]struct {
		ground                                  func(f *fake)
		protected, required, merge, administers forge.Answer
		says                                    string
	}{
		"nothing":   {func(*fake) {}, forge.No, forge.No, forge.Yes, forge.No, "can be merged into without an approving review"},
		"a ruleset": {func(f *fake) { f.answers["/rules/branches/main"] = rule(1) }, forge.Yes, forge.Yes, forge.No, forge.No, ""},
		"a ruleset that asks for no review": {func(f *fake) {
			f.answers["/rules/branches/main"] = rule(0)
			f.answers["/branches/main"] = branch(false)
		}, forge.No, forge.No, forge.Yes, forge.No, "without an approving review"},
		"classic protection": {func(f *fake) {
			f.answers["/branches/main"] = branch(true)
			f.answers["/branches/main/protection"] = object{"required_pull_request_reviews": object{"required_approving_review_count": 1}}
		}, forge.Yes, forge.Yes, forge.No, forge.No, ""},
		"classic protection that may not be seen": {func(f *fake) { f.answers["/branches/main"] = branch(true) }, forge.Yes, forge.Maybe, forge.Maybe, forge.No, "cannot be seen"},
		"an administrator's token": {func(f *fake) {
			f.answers["/rules/branches/main"] = rule(1)
			f.answers[""] = object{"id": 99, "permissions": object{"admin": true, "push": true}}
		}, forge.Yes, forge.Yes, forge.Yes, forge.Yes, "can administer"},
		"a token that may not push": {func(f *fake) { f.answers[""] = object{"id": 99, "permissions": object{"pull": true}} }, forge.No, forge.No, forge.Yes, forge.No, "may not push"},
		"a workflow with secrets": {func(f *fake) {
			f.files[".github/workflows/ci.yml"], f.files[".github/workflows/README.md"] = "on: push"+secretJob, "on: push"+secretJob
		}, forge.No, forge.No, forge.Yes, forge.No, "workflow ci.yml, on push, would run an agent's branch before review: it uses secrets"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			c.ground(f)
			r, err := f.open().Probe(t.Context(), "main")
			if err != nil {
				t.Fatal(err)
			}
			all := strings.Join(r.Warnings, "\n")
			if r.Credential != "token" || r.Protected != c.protected || r.ReviewRequired != c.required || r.CanMerge != c.merge || r.Administers != c.administers ||
				!strings.Contains(all, c.says) || !strings.Contains(all, "personal token") || c.says == "" && len(r.Warnings) != 1 {
				t.Errorf("%+v, want the warning %q", r, c.says)
			}
		})
	}
}

func TestTheProbeTellsWhatACredentialHasBeyondItsNeed(t *testing.T) {
	f := newFake(t)
	f.before = func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("X-OAuth-Scopes", "repo, admin:org, workflow")
		return false
	}
	r, err := f.open().Probe(t.Context(), "main")
	if err != nil || strings.Join(r.Extra, ",") != "admin:org,workflow" {
		t.Errorf("a personal token: %v, %v", r.Extra, err)
	}
	f = newFake(t)
	f.before = func(w http.ResponseWriter, r *http.Request) bool {
		minting := strings.HasSuffix(r.URL.Path, "/access_tokens")
		if minting {
			w.WriteHeader(http.StatusCreated)
			_, _ = w.Write([]byte(`{"token":"` + canary + `","expires_at":"2026-03-01T13:00:00Z","permissions":{"contents":"write","administration":"write","metadata":"read"}}`))
		}
		return minting
	}
	r, err = f.open(f.app).Probe(t.Context(), "main")
	if err != nil || r.Credential != "app" || strings.Join(r.Extra, ",") != "administration: write" || r.Administers != forge.Yes || r.CanMerge != forge.Yes {
		t.Errorf("an App: %+v, %v", r, err)
	}
}

func TestTheProbeFailsWhereTheRepositoryCannotBeSeen(t *testing.T) {
	f := newFake(t)
	f.head = map[string]string{}
	if _, err := f.open().Probe(t.Context(), "main"); !errors.Is(err, &gateway.Error{Kind: gateway.NotFound, Code: forge.CodeBranch}) {
		t.Errorf("without the target branch: %v", err)
	}
	if _, err := f.open(func(o *forge.GitHubOptions) { o.Repository = strings.Replace(o.Repository, "app", "gone", 1) }).Probe(t.Context(), "main"); !errors.Is(err, &gateway.Error{Kind: gateway.NotFound, Code: forge.CodeRepository}) {
		t.Errorf("without the repository: %v", err)
	}
}
