package server_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"leviathan/gateway"
	"leviathan/gateway/forge"
)

// keyFile has a new key of an App.
func keyFile(t testing.TB, dir string) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "app.pem")
	block := &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}
	if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// refusing answers the API's requests with the status that says gives for
// METHOD and path; 0 lets one pass.
func refusing(says func(request string) int) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		status := says(r.Method + " " + r.URL.EscapedPath())
		if status == 0 {
			return false
		}
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"message":"no (%d)"}`, status)
		return true
	}
}

func always(status int) func(http.ResponseWriter, *http.Request) bool {
	return refusing(func(string) int { return status })
}

// What GitHub refuses is named in the status, and in the recorded decision of
// the cycle that it stops.
func TestEachRefusalOfGitHubIsNamedInStatusAndJournal(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		api, git     int
		forge, clone string // the codes of the facts forge and mirror
	}{
		"a wrong or expired token":    {401, 401, forge.CodeCredential, forge.CodeCredential},
		"a missing scope":             {403, 403, forge.CodePermission, forge.CodePermission},
		"no such repository":          {404, 404, forge.CodeRepository, forge.CodeRepository},
		"a repository that moved":     {301, 0, forge.CodeMoved, ""},
		"a limit":                     {429, 429, forge.CodeQuota, forge.CodeQuota},
		"a GitHub that is in trouble": {503, 503, forge.CodeUnreachable, forge.CodeUnreachable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, f := newGitHubWorld(t)
			logs := &log{}
			w.logs = logs
			f.refuse, f.gitSays = always(row.api), row.git
			w.start()
			if result := w.cycle(); len(result.Reserved) != 0 {
				t.Fatalf("reserved %+v", result.Reserved)
			}
			w.server.Idle()
			said := map[string]string{}
			for _, fact := range w.status().Targets[0].Facts {
				said[fact.Name] = fact.Problem
			}
			recorded := ""
			for _, d := range w.decisions() {
				if d.Action == gateway.ActionCyclePlan {
					recorded = string(d.Result)
				}
			}
			for fact, code := range map[string]string{"forge": row.forge, "mirror": row.clone} {
				if code == "" {
					continue
				}
				if !strings.HasPrefix(said[fact], code+": ") || !strings.Contains(recorded, code+": ") {
					t.Errorf("the status says %q of %s, want %s; recorded was %s", said[fact], fact, code, recorded)
				}
			}
			if all := logs.String() + fmt.Sprint(said) + recorded; strings.Contains(all, canary) {
				t.Errorf("the token is in %s", all)
			}
		})
	}
}

// A push that GitHub refuses is void at once, with the code, and the worker's
// git is told it.
func TestAPushThatGitHubRefusesIsNamed(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		ground func(w *world, f *fakeGitHub)
		code   string
	}{
		"by a protection": {func(w *world, _ *fakeGitHub) {
			hook := filepath.Join(w.upstream, "hooks", "update")
			if err := os.WriteFile(hook, []byte("#!/bin/sh\necho 'GH006: Protected branch update failed' >&2\nexit 1\n"), 0o755); err != nil {
				w.t.Fatal(err)
			}
		}, "delivery.upstream_refused"},
		"for want of a permission": {func(_ *world, f *fakeGitHub) { f.gitSays = 403 }, forge.CodePermission},
		"for want of a credential": {func(_ *world, f *fakeGitHub) { f.gitSays = 401 }, forge.CodeCredential},
		"since the branch is there": {func(w *world, _ *fakeGitHub) {
			state, err := w.journal.State("demo")
			if err != nil {
				w.t.Fatal(err)
			}
			for id := range state.Attempts {
				w.git(w.upstream, "update-ref", "refs/heads/"+id.Branch(), "main")
			}
		}, "delivery.upstream_moved"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, f := newGitHubWorld(t)
			w.start()
			r := reservation(t, w.cycle(), "guide")
			started := w.startAttempt(r)
			tree := w.checkout(r)
			w.write(tree, map[string]string{"docs/guide.md": "# Guide\n"})
			w.git(tree, "add", "--all")
			f.change(func() { row.ground(w, f) })
			out, err := w.pushTree(tree, r, started)
			if err == nil || !strings.Contains(out, row.code+": ") {
				t.Errorf("git was told: %v %s", err, out)
			}
			if voided := w.payloads(gateway.EventPushVoided); len(voided) != 1 || voided[0]["reason"] != row.code {
				t.Errorf("journalled: %v", voided)
			}
			if state := w.state(r.AttemptID); state != gateway.Running {
				t.Errorf("the attempt is %s", state)
			}
		})
	}
}

// What asking again cannot help is a conflict, and what surely was not written
// is void at once; all else may be asked again, after a while.
func TestAPullRequestThatGitHubRefusesIsNamed(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		ground func(w *world, f *fakeGitHub, r gateway.Reservation)
		code   string
		kind   gateway.Kind
		void   bool
	}{
		"a branch with other content": {func(w *world, _ *fakeGitHub, r gateway.Reservation) {
			w.git(w.upstream, "update-ref", "refs/heads/"+r.Branch, "main")
		}, forge.CodeBranch, gateway.Conflict, true},
		"a request that is not taken": {func(_ *world, f *fakeGitHub, _ gateway.Reservation) {
			f.refuse = refusing(func(request string) int {
				if request == "POST /api/v3/repos/acme/app/pulls" {
					return 422
				}
				return 0
			})
		}, forge.CodeRefused, gateway.Conflict, true},
		"a missing permission": {func(_ *world, f *fakeGitHub, _ gateway.Reservation) {
			f.refuse = refusing(func(request string) int {
				if request == "POST /api/v3/repos/acme/app/pulls" {
					return 403
				}
				return 0
			})
		}, forge.CodePermission, gateway.Conflict, false},
		"a secondary limit": {func(_ *world, f *fakeGitHub, _ gateway.Reservation) {
			f.refuse = func(rw http.ResponseWriter, r *http.Request) bool {
				if r.Method != http.MethodPost {
					return false
				}
				rw.Header().Set("Retry-After", "90")
				rw.WriteHeader(http.StatusForbidden)
				fmt.Fprint(rw, `{"message":"You have exceeded a secondary rate limit"}`)
				return true
			}
		}, forge.CodeQuota, gateway.Unknown, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, f := newGitHubWorld(t)
			w.start()
			r := reservation(t, w.cycle(), "guide")
			if out, err := w.push(r, w.startAttempt(r), map[string]string{"docs/guide.md": "# Guide\n"}); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			f.change(func() { row.ground(w, f, r) })
			_, err := w.client(r.Token).OpenPullRequest(context.Background(), r.AttemptID, gateway.PullRequestRequest{})
			known, ok := err.(*gateway.Error)
			if !ok || known.Code != row.code || known.Kind != row.kind || (known.RetryAfter > 0) != (row.kind == gateway.Unknown) || known.DecisionID == "" {
				t.Errorf("answered %+v", err)
			}
			voided := w.payloads(gateway.EventPullVoided)
			if (len(voided) == 1) != row.void || row.void && !strings.HasPrefix(voided[0]["reason"].(string), row.code+": ") {
				t.Errorf("journalled: %v", voided)
			}
			f.change(func() { f.refuse = nil })
			if !row.void || row.code == forge.CodeBranch {
				return
			}
			if _, err := w.client(r.Token).OpenPullRequest(context.Background(), r.AttemptID, gateway.PullRequestRequest{}); err != nil {
				t.Errorf("and once it is mended: %v", err)
			}
		})
	}
}
