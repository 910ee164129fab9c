package forge_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"leviathan/gateway"
	"leviathan/gateway/forge"
)

const hostile = "@everyone fixes #1 /merge\n/approve\nLeviathan-Attempt: 01J0\n<!-- x -->\n```\ncloses acme/app#3"

// noted opens a pull request and has a note for it.
func noted(f *fake, g *forge.GitHub) forge.Note {
	f.t.Helper()
	p := f.proposal(1)
	pr, err := g.Open(f.t.Context(), p)
	if err != nil {
		f.t.Fatal(err)
	}
	return forge.Note{Number: pr.Number, Attempt: pr.Attempt, Head: pr.Head, TextDigest: pr.TextDigest, Status: "proposed", Summary: hostile,
		Decisions: []gateway.DecisionID{"01J00000000000000000000009"}, Revision: "r1", Paths: []string{"docs/a.md", "src/@b.go"}, Labels: []string{"leviathan", "docs"}}
}

func annotate(f *fake, g *forge.GitHub, n forge.Note) []string {
	f.t.Helper()
	warnings, err := g.Annotate(f.t.Context(), n)
	if err != nil {
		f.t.Fatal(err)
	}
	return warnings
}

func TestOneCommentAndOneCheckRunAreKeptUpToDate(t *testing.T) {
	f := newFake(t)
	g := f.open(f.app)
	n := noted(f, g)
	f.pulls[0]["labels"] = []object{{"name": "Docs"}}
	if w := annotate(f, g, n); len(w) != 0 {
		t.Errorf("warnings: %v", w)
	}
	if len(f.comments) != 1 || len(f.checks) != 1 {
		t.Fatalf("%d comments, %d check runs", len(f.comments), len(f.checks))
	}
	text := f.comments[0]["body"].(string)
	for _, want := range []string{"<!-- leviathan:status " + string(n.Attempt) + " -->\n", string(n.Decisions[0]), "proposed", "Only a human merges"} {
		if !strings.Contains(text, want) {
			t.Errorf("the comment lacks %q:\n%s", want, text)
		}
	}
	check := f.checks[0]
	output := check["output"].(object)
	if check["name"] != "leviathan/governance" || check["head_sha"] != string(n.Head) || check["external_id"] != string(n.Attempt) || check["conclusion"] != "success" ||
		!strings.Contains(output["summary"].(string), string(n.Decisions[0])) || len(output["annotations"].([]any)) != 2 {
		t.Errorf("the check run is %v", check)
	}
	if last := f.bodies[len(f.bodies)-1]; strings.TrimSpace(last) != `{"labels":["leviathan"]}` {
		t.Errorf("labels were added by %s", last)
	}
	f.asked = nil
	f.pulls[0]["labels"] = []object{{"name": "Docs"}, {"name": "leviathan"}}
	annotate(f, g, n)
	for _, a := range f.asked {
		if !strings.HasPrefix(a, "GET ") {
			t.Errorf("nothing has changed, and yet: %s", a)
		}
	}
	n.Status, n.Decisions = "succeeded", append(n.Decisions, "01J0000000000000000000000A")
	annotate(f, g, n)
	if len(f.comments) != 1 || len(f.checks) != 1 || !strings.Contains(f.comments[0]["body"].(string), "succeeded") || !strings.Contains(f.checks[0]["output"].(object)["summary"].(string), "01J0000000000000000000000A") {
		t.Errorf("afterwards: %v, %v", f.comments, f.checks)
	}
}

func TestWhatTasksAndAgentsSayStaysInertInComments(t *testing.T) {
	f := newFake(t)
	g := f.open(f.app)
	n := noted(f, g)
	n.Status, n.Revision, n.Paths = hostile, hostile, []string{hostile, "docs/`@x`.md"}
	annotate(f, g, n)
	for what, text := range map[string]string{"comment": f.comments[0]["body"].(string), "check run": f.checks[0]["output"].(object)["summary"].(string)} {
		for _, live := range []string{"@everyone", "fixes #1", "#1", "#3", "\n/merge", "\n/approve", "\nLeviathan-Attempt:", "closes acme", "@x"} {
			if strings.Contains(text, live) {
				t.Errorf("the %s has %q:\n%s", what, live, text)
			}
		}
	}
}

func TestACommentOfAnotherIsNeverEdited(t *testing.T) {
	for name, of := range map[string]func(f *fake, o *forge.GitHubOptions){"App": (*fake).app, "token": func(*fake, *forge.GitHubOptions) {}} {
		f := newFake(t)
		f.page = 1
		g := f.open(func(o *forge.GitHubOptions) { of(f, o) })
		n := noted(f, g)
		mark := "<!-- leviathan:status " + string(n.Attempt) + " -->"
		f.comments = []object{{"id": 1, "body": mark + " mine", "user": object{"id": 6}}, {"id": 2, "body": "as in " + mark, "user": object{"id": 5}, "performed_via_github_app": object{"id": 7}}}
		annotate(f, g, n)
		annotate(f, g, n)
		if len(f.comments) != 3 || f.comments[0]["body"] != mark+" mine" || f.comments[1]["body"] != "as in "+mark {
			t.Errorf("%s: %v", name, f.comments)
		}
	}
}

func TestALostReplyLeavesOneComment(t *testing.T) {
	f := newFake(t)
	g := f.open(f.app)
	n := noted(f, g)
	f.after = func(r *http.Request) bool {
		return r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/comments")
	}
	if _, err := g.Annotate(t.Context(), n); !errors.Is(err, gateway.ErrUnknown) {
		t.Errorf("%v", err)
	}
	f.mu.Lock()
	f.after = nil
	f.mu.Unlock()
	annotate(f, g, n)
	if len(f.comments) != 1 {
		t.Errorf("there are %d comments", len(f.comments))
	}
}

func TestWhatAHumanHasTakenOverIsNotTouched(t *testing.T) {
	for name, change := range map[string]func(o object){
		"title": func(o object) { o["title"] = "mine" }, "body": func(o object) { o["body"] = "mine" },
		"commit": func(o object) { o["head"].(object)["sha"] = strings.Repeat("e", 40) }, "state": func(o object) { o["state"] = "closed" },
	} {
		f := newFake(t)
		g := f.open(f.app)
		n := noted(f, g)
		change(f.pulls[0])
		f.asked = nil
		if _, err := g.Annotate(t.Context(), n); !errors.Is(err, gateway.ErrConflict) {
			t.Errorf("%s: %v", name, err)
		}
		for _, a := range f.asked {
			if !strings.HasPrefix(a, "GET ") {
				t.Errorf("%s: %s", name, a)
			}
		}
	}
}

func TestAPersonalTokenIsWarnedThatItHasNoCheckRuns(t *testing.T) {
	f := newFake(t)
	g := f.open()
	if w := annotate(f, g, noted(f, g)); len(w) != 1 || !strings.Contains(w[0], "only a GitHub App") || len(f.checks) != 0 {
		t.Errorf("%v", w)
	}
}

func TestAnnotationsAreCapped(t *testing.T) {
	f := newFake(t)
	g := f.open(f.app)
	n := noted(f, g)
	n.Paths = nil
	for i := range 300 {
		n.Paths = append(n.Paths, fmt.Sprintf("docs/%d.md", i))
	}
	annotate(f, g, n)
	output := f.checks[0]["output"].(object)
	if len(output["annotations"].([]any)) != 50 || !strings.Contains(output["summary"].(string), "and 100 more") {
		t.Errorf("%d annotations:\n%s", len(output["annotations"].([]any)), output["summary"])
	}
}

func TestReviewersAreTheOwnersOfTheChangedPaths(t *testing.T) {
	f := newFake(t)
	g := f.open()
	n := noted(f, g)
	n.AskReviewers, n.Paths = true, []string{"docs/a.md", "src/x/y.go"}
	f.files[".github/CODEOWNERS"] = "* @all\n/docs/ @ann @ghost @acme/writers @other/team me@example.org # here\nsrc/ @bob @bot @cid\n"
	f.reviews[1] = []object{{"state": "COMMENTED", "user": object{"id": 3, "login": "Cid"}}}
	warnings := annotate(f, g, n)
	asked := f.reviewsAskedFor()
	want := []string{`{"reviewers":["ann","ghost","bob"],"team_reviewers":["writers"]}`, `{"reviewers":["ann"]}`, `{"reviewers":["ghost"]}`, `{"reviewers":["bob"]}`, `{"team_reviewers":["writers"]}`}
	if strings.Join(asked, "\n") != strings.Join(want, "\n") {
		t.Errorf("asked\n%s\nwant\n%s", strings.Join(asked, "\n"), strings.Join(want, "\n"))
	}
	all := strings.Join(warnings, "\n")
	for _, want := range []string{"me@example.org", "other/team", "ghost cannot be asked"} {
		if !strings.Contains(all, want) {
			t.Errorf("the warnings lack %q:\n%s", want, all)
		}
	}
}

// reviewsAskedFor are the bodies of the requests for reviews.
func (f *fake) reviewsAskedFor() (asked []string) {
	for i, a := range f.asked {
		if strings.HasSuffix(a, "/requested_reviewers") {
			asked = append(asked, strings.TrimSpace(f.bodies[i]))
		}
	}
	return asked
}

func TestOfSeveralFilesOfOwnersTheFirstPlaceCounts(t *testing.T) {
	places := []string{".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"}
	for first := range places {
		f := newFake(t)
		g := f.open(f.app)
		n := noted(f, g)
		n.AskReviewers = true
		for i, place := range places[first:] {
			f.files[place] = fmt.Sprintf("* @owner%d\n", first+i)
		}
		annotate(f, g, n)
		if asked, want := f.reviewsAskedFor(), fmt.Sprintf(`{"reviewers":["owner%d"]}`, first); len(asked) != 1 || asked[0] != want {
			t.Errorf("with %v: asked %v, want %s", places[first:], asked, want)
		}
	}
}

func TestWhoWroteOrIsAskedAlreadyIsNotAskedForAReview(t *testing.T) {
	f := newFake(t)
	g := f.open(f.app)
	n := noted(f, g)
	n.AskReviewers = true
	f.files["CODEOWNERS"] = "* @Bot @ann @Eve @acme/writers @ACME/readers\n"
	f.pulls[0]["requested_reviewers"] = []object{{"login": "Ann"}}
	f.pulls[0]["requested_teams"] = []object{{"slug": "Writers"}}
	annotate(f, g, n)
	if asked := f.reviewsAskedFor(); len(asked) != 1 || asked[0] != `{"reviewers":["Eve"],"team_reviewers":["readers"]}` {
		t.Errorf("asked %v", asked)
	}
	n.AskReviewers, f.asked, f.bodies = false, nil, nil
	annotate(f, g, n)
	if asked := f.reviewsAskedFor(); len(asked) != 0 {
		t.Errorf("asked %v, and nobody was to be asked", asked)
	}
}

func TestNoMoreReviewersAreAskedThanGitHubTakes(t *testing.T) {
	f := newFake(t)
	g := f.open(f.app)
	n := noted(f, g)
	n.AskReviewers = true
	var line strings.Builder
	for i := range 20 {
		fmt.Fprintf(&line, " @u%d", i)
	}
	f.files["CODEOWNERS"] = "*" + line.String() + " @acme/writers\n"
	warnings := annotate(f, g, n)
	asked := f.reviewsAskedFor()
	if len(asked) != 1 || strings.Count(asked[0], `"u`) != 14 || !strings.Contains(asked[0], `"team_reviewers":["writers"]`) {
		t.Errorf("asked %v", asked)
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0], "21 owners of the changed paths; 15 are asked") {
		t.Errorf("warnings: %v", warnings)
	}
}
