package forge

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/google/go-github/v60/github"

	"leviathan/gateway"
)

// CheckName is the name of the check run on a pull request's head.
const CheckName = "leviathan/governance"

// A Note is what one refresh says beside an attempt's pull request.
type Note struct {
	Number  int
	Attempt gateway.AttemptID
	Head    gateway.OID
	// TextDigest is that of the receipt. Where the pull request's text is
	// another by now, nothing is touched.
	TextDigest string
	// Status is the attempt's, one word; Summary may say more, and is made
	// inert.
	Status, Summary string
	// Decisions are those that allowed the change; Revision is of their
	// policies.
	Decisions []gateway.DecisionID
	Revision  string
	// Paths are the changed files. Reviewers are looked up by them.
	Paths []string
	// Labels are added where they are missing, and never removed.
	Labels []string
	// AskReviewers asks the owners that CODEOWNERS of the base branch names
	// for the paths.
	AskReviewers bool
}

// Annotate brings the status comment, the check run, labels and reviewers up
// to date; asked again it changes nothing that is so already. What GitHub does
// not take of labels, reviewers and check run is a warning; a comment that
// cannot be written is an error.
//
// A pull request that is closed, at another commit, or edited by a human is
// left alone: the error is of kind gateway.Conflict.
func (g *GitHub) Annotate(ctx context.Context, n Note) (warnings []string, err error) {
	if n.Number <= 0 || !n.Attempt.Valid() || !n.Head.Valid() {
		return nil, gateway.Errorf(gateway.Invalid, "a note needs the number, the attempt and the head of its pull request")
	}
	raw, pr, err := g.pull(ctx, n.Number)
	switch {
	case err != nil:
		return nil, err
	case pr.Attempt != n.Attempt:
		return nil, gateway.Errorf(gateway.Conflict, "pull request %d is of the branch %s, not of attempt %s", n.Number, pr.Branch, n.Attempt)
	case pr.State != gateway.PullRequestOpen:
		return nil, gateway.Errorf(gateway.Conflict, "pull request %d is %s", n.Number, pr.State)
	case pr.Head != n.Head:
		return nil, &gateway.Error{Kind: gateway.Conflict, Code: CodeEdited, Detail: fmt.Sprintf("pull request %d is at %s, not at %s: somebody has pushed to it", n.Number, pr.Head, n.Head)}
	case n.TextDigest != "" && n.TextDigest != pr.TextDigest:
		return nil, &gateway.Error{Kind: gateway.Conflict, Code: CodeEdited, Detail: fmt.Sprintf("a human has changed the text of pull request %d; it is not touched again", n.Number)}
	}
	warn := func(what string, err error) {
		if err != nil {
			warnings = append(warnings, fmt.Sprintf("%s of pull request %d: %v", what, n.Number, err))
		}
	}
	if err := g.comment(ctx, n); err != nil {
		return nil, err
	}
	warn("the check run", g.check(ctx, n))
	warn("the labels", g.label(ctx, n, raw))
	if n.AskReviewers {
		notes, err := g.askReviewers(ctx, n, raw, pr.Base)
		warn("the reviewers", err)
		warnings = append(warnings, notes...)
	}
	return warnings, nil
}

// A comment is what matters of one.
type comment struct {
	ID   int64  `json:"id"`
	Body string `json:"body"`
	User struct {
		ID int64 `json:"id"`
	} `json:"user"`
	App *struct {
		ID int64 `json:"id"`
	} `json:"performed_via_github_app"`
}

// comment writes the one status comment, or edits it in place. What others
// wrote is never edited, whatever it begins with.
func (g *GitHub) comment(ctx context.Context, n Note) error {
	text := StatusText(n)
	all, err := pages("listing comments", func(at github.ListOptions) (some []comment, resp *github.Response, err error) {
		req, err := g.client.NewRequest(http.MethodGet, g.path("/issues/%d/comments?per_page=%d&page=%d", n.Number, at.PerPage, max(1, at.Page)), nil)
		if err != nil {
			return nil, nil, err
		}
		resp, err = g.client.Do(ctx, req, &some)
		return some, resp, err
	})
	if err != nil {
		return err
	}
	for _, c := range all {
		if !strings.HasPrefix(c.Body, statusMark(n.Attempt)) {
			continue
		}
		mine, err := g.wrote(ctx, c)
		switch {
		case err != nil:
			return err
		case !mine:
			continue
		case sameText(c.Body, text):
			return nil
		}
		return g.call(ctx, "editing the status comment", http.MethodPatch, g.path("/issues/comments/%d", c.ID), map[string]string{"body": text}, nil)
	}
	return g.call(ctx, "writing the status comment", http.MethodPost, g.path("/issues/%d/comments", n.Number), map[string]string{"body": text}, nil)
}

// wrote reports whether our own credential wrote a comment.
func (g *GitHub) wrote(ctx context.Context, c comment) (bool, error) {
	if g.app != nil {
		return c.App != nil && c.App.ID == g.app.app.ID, nil
	}
	g.mu.Lock()
	id := g.userID
	g.mu.Unlock()
	if id == 0 {
		var user struct {
			ID int64 `json:"id"`
		}
		if err := g.call(ctx, "asking whose the token is", http.MethodGet, "user", nil, &user); err != nil {
			return false, err
		}
		if id = user.ID; id == 0 {
			return false, gateway.Errorf(gateway.Unknown, "GitHub does not say whose the token is")
		}
		g.mu.Lock()
		g.userID = id
		g.mu.Unlock()
	}
	return c.User.ID == id, nil
}

func sameText(a, b string) bool { return textDigest("", a) == textDigest("", b) }

// check writes the check run of the head commit, or brings it up to date. Only
// an App can.
func (g *GitHub) check(ctx context.Context, n Note) error {
	if g.app == nil {
		return gateway.Errorf(gateway.Invalid, "only a GitHub App can write check runs; the credential is a personal token")
	}
	latest, id, text := "latest", string(n.Attempt), checkText(n)
	name, state, conclusion, title := CheckName, "completed", "success", "Allowed by policy"
	output := &github.CheckRunOutput{Title: &title, Summary: &text, Annotations: annotations(n)}
	runs, err := pages("listing check runs", func(at github.ListOptions) ([]*github.CheckRun, *github.Response, error) {
		list, resp, err := g.client.Checks.ListCheckRunsForRef(ctx, g.place.owner, g.place.name, string(n.Head), &github.ListCheckRunsOptions{CheckName: &name, Filter: &latest, ListOptions: at})
		if err != nil {
			return nil, nil, err
		}
		return list.CheckRuns, resp, nil
	})
	if err != nil {
		return err
	}
	for _, run := range runs {
		if run.GetName() != name || run.GetExternalID() != id || run.GetApp().GetID() != g.app.app.ID {
			continue
		}
		if sameText(run.GetOutput().GetSummary(), text) && run.GetConclusion() == conclusion {
			return nil
		}
		// Annotations are added to those that are there: they are not sent twice.
		output.Annotations = nil
		_, _, err := g.client.Checks.UpdateCheckRun(ctx, g.place.owner, g.place.name, run.GetID(), github.UpdateCheckRunOptions{Name: name, ExternalID: &id, Status: &state, Conclusion: &conclusion, Output: output})
		return during("updating the check run", err)
	}
	_, _, err = g.client.Checks.CreateCheckRun(ctx, g.place.owner, g.place.name, github.CreateCheckRunOptions{Name: name, HeadSHA: string(n.Head), ExternalID: &id, Status: &state, Conclusion: &conclusion, Output: output})
	return during("creating the check run", err)
}

// annotations are one for each changed path, as many as GitHub takes.
func annotations(n Note) []*github.CheckRunAnnotation {
	all := []*github.CheckRunAnnotation{}
	for _, path := range n.Paths[:min(len(n.Paths), maxAnnotations)] {
		first, level, text := 1, "notice", "The policies allowed this path to change."
		all = append(all, &github.CheckRunAnnotation{Path: &path, StartLine: &first, EndLine: &first, AnnotationLevel: &level, Message: &text})
	}
	return all
}

func (g *GitHub) label(ctx context.Context, n Note, pr *github.PullRequest) error {
	missing := []string{}
	for _, want := range n.Labels {
		has := slices.ContainsFunc(pr.Labels, func(l *github.Label) bool { return strings.EqualFold(l.GetName(), want) })
		if want = line(want); !has && want != "" && !slices.Contains(missing, want) {
			missing = append(missing, want)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return g.call(ctx, "adding labels", http.MethodPost, g.path("/issues/%d/labels", n.Number), map[string][]string{"labels": missing}, nil)
}
