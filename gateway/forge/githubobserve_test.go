package forge_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"leviathan/gateway"
	"leviathan/gateway/forge"
)

func knownOf(n int, p forge.Proposal) forge.Known {
	return forge.Known{Number: n, Attempt: p.Attempt, Head: p.Head, BaseCommit: p.BaseCommit}
}

func TestGitHubObservesWhatBecameOfEach(t *testing.T) {
	f := newFake(t)
	g := f.open()
	known := []forge.Known{}
	for i := 1; i <= 6; i++ {
		p := f.proposal(i)
		pr, err := g.Open(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		k := knownOf(i, p)
		k.TextDigest = pr.TextDigest
		known = append(known, k)
	}
	merge := strings.Repeat("c", 40)
	f.pulls[0]["state"], f.pulls[0]["merged_at"], f.pulls[0]["merge_commit_sha"] = "closed", "2026-03-01T12:00:00Z", merge
	f.pulls[1]["state"] = "closed"
	f.pulls[2]["title"] = "my own title"
	f.pulls[3]["mergeable_state"] = "dirty"
	f.pulls[4]["body"] = "a body\r\n"
	f.reviews[5] = []object{{"state": "APPROVED", "user": object{"id": 1}}, {"state": "CHANGES_REQUESTED", "user": object{"id": 1}}, {"state": "COMMENTED", "user": object{"id": 1}}}
	f.reviews[6] = []object{{"state": "CHANGES_REQUESTED", "user": object{"id": 1}}, {"state": "APPROVED", "user": object{"id": 1}}}
	known[5].Number = 0 // its receipt was lost
	known = append(known, knownOf(0, f.proposal(77)))
	seen, err := g.Observe(t.Context(), "main", known)
	if err != nil {
		t.Fatal(err)
	}
	got := []string{}
	for _, p := range seen.Known {
		got = append(got, fmt.Sprintf("%d %s %s %s edited=%t conflicts=%t review=%s", p.Number, p.State, p.How, p.MergeCommit, p.Edited, p.Conflicts, p.Review))
	}
	want := []string{
		"1 merged forge " + merge + " edited=false conflicts=false review=",
		"2 closed forge  edited=false conflicts=false review=",
		"3 open   edited=true conflicts=false review=none",
		"4 open   edited=false conflicts=true review=none",
		"5 open   edited=false conflicts=false review=changes_requested",
		"6 open   edited=false conflicts=false review=approved",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("observed\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if len(seen.Unlisted) != 0 {
		t.Errorf("unlisted %+v", seen.Unlisted)
	}
}

func TestGitHubListsAllPagesOfOursAlone(t *testing.T) {
	f := newFake(t)
	f.page = 2
	for i := 1; i <= 7; i++ {
		f.pull(i, f.proposal(i).Branch, strings.Repeat("d", 40))
	}
	f.pulls[2]["head"].(object)["repo"] = object{"id": 100} // a fork's
	f.pulls[3]["head"].(object)["repo"] = nil               // of a fork that is gone
	f.pulls[4]["head"].(object)["ref"] = "feature"          // a human's
	f.pulls[5]["state"] = "closed"
	seen, err := f.open().Observe(t.Context(), "main", nil)
	got := []int{}
	for _, p := range seen.Unlisted {
		got = append(got, p.Number)
	}
	if err != nil || fmt.Sprint(got) != "[1 2 7]" || len(seen.Known) != 0 {
		t.Errorf("unlisted %v, %v", got, err)
	}
}

// A full page may be an old answer that has not changed, of a time when none
// followed.
func TestAFullPageIsNeverTakenForTheLast(t *testing.T) {
	f := newFake(t)
	f.noLink = true
	for i := 1; i <= 101; i++ {
		f.pull(i, f.proposal(i).Branch, strings.Repeat("d", 40))
	}
	if seen, err := f.open().Observe(t.Context(), "main", nil); err != nil || len(seen.Unlisted) != 101 {
		t.Errorf("%d are seen of 101, %v", len(seen.Unlisted), err)
	}
}

// Unknown is not zero: whichever of its requests fails, the observation does.
func TestAnyFailureFailsTheObservation(t *testing.T) {
	fail := 0
	for ; ; fail++ {
		f := newFake(t)
		f.page = 1
		p := f.proposal(1)
		f.pull(1, p.Branch, string(p.Head))
		f.pull(2, "other", string(p.Head))
		f.pull(3, "more", string(p.Head))
		n, failed := 0, false
		f.before = func(w http.ResponseWriter, r *http.Request) bool {
			if n++; n <= fail {
				return false
			}
			failed = true
			w.WriteHeader(http.StatusInternalServerError)
			return true
		}
		seen, err := f.open().Observe(t.Context(), "main", []forge.Known{knownOf(1, p)})
		if !failed {
			if err != nil || len(seen.Known) != 1 {
				t.Errorf("without failure: %+v, %v", seen, err)
			}
			break
		}
		if !errors.Is(err, &gateway.Error{Kind: gateway.Unknown, Code: forge.CodeUnreachable}) || len(seen.Known)+len(seen.Unlisted) != 0 {
			t.Errorf("request %d fails: %+v, %v", fail+1, seen, err)
		}
	}
	if fail != 6 {
		t.Errorf("an observation made %d requests, want 6", fail)
	}
}

func TestAKnownPullRequestThatIsMissingOrAnothersIsUnknown(t *testing.T) {
	f := newFake(t)
	p := f.proposal(1)
	f.pull(1, f.proposal(2).Branch, string(p.Head))
	f.pull(2, p.Branch, string(p.Head), func(o object) { o["head"].(object)["repo"] = object{"id": 100} })
	for _, n := range []int{1, 2, 3} {
		if _, err := f.open().Observe(t.Context(), "main", []forge.Known{knownOf(n, p)}); err == nil {
			t.Errorf("pull request %d is observed", n)
		}
	}
}

func TestWhatHasNotChangedIsAskedConditionally(t *testing.T) {
	f := newFake(t)
	p := f.proposal(1)
	f.pull(1, p.Branch, string(p.Head))
	g := f.open(func(o *forge.GitHubOptions) { o.SharePercent = 1 })
	first, err := g.Observe(t.Context(), "main", []forge.Known{knownOf(1, p)})
	if err != nil {
		t.Fatal(err)
	}
	before := f.left
	f.asked = nil
	again, err := g.Observe(t.Context(), "main", []forge.Known{knownOf(1, p)})
	if err != nil || again.Known[0] != first.Known[0] || f.left != before {
		t.Errorf("again: %+v, %v; %d requests were spent", again, err, before-f.left)
	}
	for _, a := range f.asked {
		if !strings.HasSuffix(a, " 304") {
			t.Errorf("%s was answered anew", a)
		}
	}
	f.pulls[0]["state"] = "closed"
	if now, err := g.Observe(t.Context(), "main", []forge.Known{knownOf(1, p)}); err != nil || now.Known[0].State != gateway.PullRequestClosed {
		t.Errorf("after it was closed: %+v, %v", now, err)
	}
}

func TestAnObservationSpendsNoMoreThanItsShare(t *testing.T) {
	f := newFake(t)
	f.left = 150
	known := []forge.Known{}
	for i := 1; i <= 20; i++ {
		p := f.proposal(i)
		f.pull(i, p.Branch, string(p.Head))
		known = append(known, knownOf(i, p))
	}
	g := f.open(func(o *forge.GitHubOptions) { o.SharePercent = 10 })
	if _, err := g.Open(t.Context(), f.proposal(1)); err != nil { // the budget is known from here
		t.Fatal(err)
	}
	left, limit, ok := g.Budget().Remaining()
	if !ok || left != f.left || limit != 5000 {
		t.Errorf("%d of %d remain, %t; GitHub says %d", left, limit, ok, f.left)
	}
	asked := len(f.asked)
	_, err := g.Observe(t.Context(), "main", known)
	if !errors.Is(err, &gateway.Error{Kind: gateway.RateLimited, Code: forge.CodeQuota}) {
		t.Errorf("%v", err)
	}
	if spent := len(f.asked) - asked; spent > left/10+1 {
		t.Errorf("an observation spent %d of %d", spent, left)
	}
}

func TestWhatHasNotChangedIsNotOfTheShare(t *testing.T) {
	f := newFake(t)
	f.left = 150
	known := []forge.Known{}
	for i := 1; i <= 20; i++ {
		p := f.proposal(i)
		f.pull(i, p.Branch, string(p.Head))
		known = append(known, knownOf(i, p))
	}
	g := f.open(func(o *forge.GitHubOptions) { o.SharePercent = 3 }) // of the 5,000 that are assumed, and then of what is left
	for range 3 {
		if _, err := g.Observe(t.Context(), "main", known); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLimitsAreRespected(t *testing.T) {
	for name, c := range map[string]struct {
		refuse func(h http.Header) (status int, message string)
		wait   time.Duration
	}{
		"a secondary limit that says how long": {func(h http.Header) (int, string) {
			h.Set("Retry-After", "90")
			return 403, "You have exceeded a secondary rate limit"
		}, 90 * time.Second},
		"a secondary limit that does not": {func(http.Header) (int, string) { return 403, "You have exceeded a secondary rate limit" }, time.Minute},
		"too many requests":               {func(http.Header) (int, string) { return 429, "slow down" }, time.Minute},
		"the primary limit": {func(h http.Header) (int, string) {
			h.Set("X-RateLimit-Remaining", "0")
			return 403, "API rate limit exceeded"
		}, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			f, now := newFake(t), start
			g := f.open(func(o *forge.GitHubOptions) { o.Now = func() time.Time { return now } })
			f.before = func(w http.ResponseWriter, _ *http.Request) bool {
				status, message := c.refuse(w.Header())
				w.WriteHeader(status)
				_, _ = w.Write([]byte(`{"message":"` + message + `"}`))
				return true
			}
			for range 3 {
				_, err := g.Observe(t.Context(), "main", nil)
				var e *gateway.Error
				if !errors.As(err, &e) || e.Kind != gateway.RateLimited || e.Code != forge.CodeQuota || e.RetryAfter != c.wait {
					t.Errorf("%v, want to wait %s", err, c.wait)
				}
			}
			if len(f.asked) != 1 {
				t.Errorf("GitHub was asked %d times while it wanted quiet", len(f.asked))
			}
			f.before = nil
			now = now.Add(c.wait + time.Second)
			if _, err := g.Observe(t.Context(), "main", nil); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

func TestAQuestionIsAskedOnceMoreWhereTheAnswerIsLost(t *testing.T) {
	f := newFake(t)
	lost := map[string]bool{}
	f.after = func(r *http.Request) bool {
		first := !lost[r.URL.Path]
		lost[r.URL.Path] = true
		return first
	}
	if _, err := f.open().Observe(t.Context(), "main", nil); err != nil {
		t.Error(err)
	}
}
