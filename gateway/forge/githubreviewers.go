package forge

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/google/go-github/v60/github"
)

// maxReviewers is how many GitHub takes.
const maxReviewers = 15

// askReviewers asks those owners of the changed paths who were not asked yet
// and have not answered.
func (g *GitHub) askReviewers(ctx context.Context, n Note, pr *github.PullRequest, base string) (notes []string, err error) {
	file, err := g.owners(ctx, base)
	if err != nil || file == "" {
		return nil, err
	}
	o := ownersOf(parseOwners(file), n.Paths)
	for _, name := range o.odd {
		notes = append(notes, fmt.Sprintf("CODEOWNERS names %q, who cannot be asked for a review", name))
	}
	asked, err := g.askedAlready(ctx, n.Number, pr)
	if err != nil {
		return notes, err
	}
	var want github.ReviewersRequest
	for _, u := range o.users {
		if !asked[strings.ToLower(u)] {
			want.Reviewers = append(want.Reviewers, u)
		}
	}
	for _, t := range o.teams {
		org, team, _ := strings.Cut(t, "/")
		switch {
		case !strings.EqualFold(org, g.place.owner):
			notes = append(notes, fmt.Sprintf("CODEOWNERS names the team %s, which is not of %s", t, g.place.owner))
		case !asked["/"+strings.ToLower(team)]:
			want.TeamReviewers = append(want.TeamReviewers, team)
		}
	}
	if all := len(want.Reviewers) + len(want.TeamReviewers); all > maxReviewers {
		notes = append(notes, fmt.Sprintf("CODEOWNERS names %d owners of the changed paths; %d are asked", all, maxReviewers))
		want.TeamReviewers = want.TeamReviewers[:min(len(want.TeamReviewers), maxReviewers)]
		want.Reviewers = want.Reviewers[:min(len(want.Reviewers), maxReviewers-len(want.TeamReviewers))]
	}
	more, err := g.request(ctx, n.Number, want)
	return append(notes, more...), err
}

// request asks all at once and, where GitHub does not know one of them, each
// alone, so that one wrong name does not keep the others from being asked.
func (g *GitHub) request(ctx context.Context, number int, want github.ReviewersRequest) (notes []string, err error) {
	ask := func(r github.ReviewersRequest) error {
		_, _, err := g.client.PullRequests.RequestReviewers(ctx, g.place.owner, g.place.name, number, r)
		return during("asking for a review", err)
	}
	if len(want.Reviewers)+len(want.TeamReviewers) == 0 {
		return nil, nil
	}
	err = ask(want)
	if status(err) != http.StatusUnprocessableEntity {
		return nil, err
	}
	one := func(name string, r github.ReviewersRequest) error {
		err := ask(r)
		if status(err) == http.StatusUnprocessableEntity {
			notes = append(notes, fmt.Sprintf("%s cannot be asked for a review: %v", name, err))
			return nil
		}
		return err
	}
	for _, u := range want.Reviewers {
		if err := one(u, github.ReviewersRequest{Reviewers: []string{u}}); err != nil {
			return notes, err
		}
	}
	for _, t := range want.TeamReviewers {
		if err := one("team "+t, github.ReviewersRequest{TeamReviewers: []string{t}}); err != nil {
			return notes, err
		}
	}
	return notes, nil
}

// askedAlready are those who are asked, who have answered, and the author: in
// lower case, teams behind a slash.
func (g *GitHub) askedAlready(ctx context.Context, number int, pr *github.PullRequest) (map[string]bool, error) {
	asked := map[string]bool{strings.ToLower(pr.GetUser().GetLogin()): true}
	for _, u := range pr.RequestedReviewers {
		asked[strings.ToLower(u.GetLogin())] = true
	}
	for _, t := range pr.RequestedTeams {
		asked["/"+strings.ToLower(t.GetSlug())] = true
	}
	all, err := g.reviews(ctx, number)
	for _, r := range all {
		asked[strings.ToLower(r.GetUser().GetLogin())] = true
	}
	return asked, err
}

// owners is the text of the branch's CODEOWNERS; empty if there is none.
func (g *GitHub) owners(ctx context.Context, branch string) (string, error) {
	for _, path := range ownerPlaces {
		text, found, err := g.file(ctx, path, branch)
		if err != nil || found {
			return text, err
		}
	}
	return "", nil
}

// file reads a file of a branch.
func (g *GitHub) file(ctx context.Context, path, branch string) (text string, found bool, err error) {
	what := "reading " + path
	file, _, _, err := g.client.Repositories.GetContents(ctx, g.place.owner, g.place.name, path, &github.RepositoryContentGetOptions{Ref: branch})
	if err = during(what, err); status(err) == http.StatusNotFound {
		return "", false, nil
	}
	if err != nil || file == nil || file.GetType() != "file" {
		return "", false, err
	}
	text, err = file.GetContent()
	return text, err == nil, during(what, err)
}

// folder lists the names of a folder's files.
func (g *GitHub) folder(ctx context.Context, path, branch string) (names []string, err error) {
	_, files, _, err := g.client.Repositories.GetContents(ctx, g.place.owner, g.place.name, path, &github.RepositoryContentGetOptions{Ref: branch})
	if err = during("listing "+path, err); status(err) == http.StatusNotFound {
		return nil, nil
	}
	for _, f := range files {
		if f.GetType() == "file" || f.GetType() == "symlink" {
			names = append(names, f.GetName())
		}
	}
	slices.Sort(names)
	return names, err
}
