package forge

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/google/go-github/v60/github"

	"leviathan/gateway"
)

// ByForge is how GitHub's own word for a merge or a close is recognised.
const ByForge = "forge"

// A Review is what the reviewers of a pull request have said, the last word of
// each taken together.
type Review string

// The states of a review.
const (
	ReviewNone      Review = "none"
	ReviewCommented Review = "commented"
	ReviewApproved  Review = "approved"
	ReviewChanges   Review = "changes_requested"
)

// textDigest is the SHA-256 of a title and a body as humans see them: line
// ends and white space around them are the forge's.
func textDigest(title, body string) string {
	body = strings.TrimSpace(strings.ReplaceAll(body, "\r\n", "\n"))
	sum := sha256.Sum256([]byte(strings.TrimSpace(title) + "\n\n" + body))
	return hex.EncodeToString(sum[:])
}

// ours reports a pull request whose head and base are in the repository
// itself: a fork can give its branches any name.
func ours(pr *github.PullRequest, repo int64) bool {
	return pr.GetBase().GetRepo().GetID() == repo && pr.GetHead().GetRepo().GetID() == repo
}

// shown is a pull request as GitHub showed it.
func (g *GitHub) shown(pr *github.PullRequest) (PullRequest, error) {
	p := PullRequest{Number: pr.GetNumber(), URL: pr.GetHTMLURL(), Branch: pr.GetHead().GetRef(), Head: gateway.OID(pr.GetHead().GetSHA()), Base: pr.GetBase().GetRef(),
		TextDigest: textDigest(pr.GetTitle(), pr.GetBody())}
	p.Attempt = attemptOf(p.Branch)
	switch {
	case p.Number <= 0 || !p.Head.Valid() || p.Branch == "" || p.Base == "" || !strings.HasPrefix(p.URL, g.place.web.String()+"/"):
		return p, gateway.Errorf(gateway.Unknown, "GitHub shows pull request %d without number, head, base or address", p.Number)
	case pr.GetState() == "open":
		p.State = gateway.PullRequestOpen
	case pr.GetState() != "closed":
		return p, gateway.Errorf(gateway.Unknown, "GitHub shows pull request %d in the state %q", p.Number, line(pr.GetState()))
	case pr.MergedAt != nil || pr.GetMerged():
		p.State, p.How, p.MergeCommit = gateway.PullRequestMerged, ByForge, gateway.OID(pr.GetMergeCommitSHA())
		if p.MergeCommit != "" && !p.MergeCommit.Valid() {
			return p, gateway.Errorf(gateway.Unknown, "GitHub shows pull request %d merged by something that is no commit", p.Number)
		}
	default:
		p.State, p.How = gateway.PullRequestClosed, ByForge
	}
	p.Conflicts = p.State == gateway.PullRequestOpen && pr.GetMergeableState() == "dirty"
	return p, nil
}

// pull reads one pull request. One of another repository's head is an error.
func (g *GitHub) pull(ctx context.Context, n int) (*github.PullRequest, PullRequest, error) {
	repo, err := g.repository(ctx)
	if err != nil {
		return nil, PullRequest{}, err
	}
	pr, _, err := g.client.PullRequests.Get(ctx, g.place.owner, g.place.name, n)
	if err != nil {
		return nil, PullRequest{}, during("reading a pull request", err)
	}
	if !ours(pr, repo) || pr.GetNumber() != n {
		return nil, PullRequest{}, gateway.Errorf(gateway.Unknown, "pull request %d is not one between branches of %s", n, g)
	}
	p, err := g.shown(pr)
	return pr, p, err
}

// list reads the pull requests between branches of the repository itself.
func (g *GitHub) list(ctx context.Context, opts github.PullRequestListOptions) ([]PullRequest, error) {
	repo, err := g.repository(ctx)
	if err != nil {
		return nil, err
	}
	all, err := pages("listing pull requests", func(at github.ListOptions) ([]*github.PullRequest, *github.Response, error) {
		opts.ListOptions = at
		return g.client.PullRequests.List(ctx, g.place.owner, g.place.name, &opts)
	})
	if err != nil {
		return nil, err
	}
	found := []PullRequest{}
	seen := map[int]bool{} // a list that grows while it is read shows some twice
	for _, pr := range all {
		if seen[pr.GetNumber()] || !ours(pr, repo) {
			continue
		}
		seen[pr.GetNumber()] = true
		p, err := g.shown(pr)
		if err != nil {
			return nil, err
		}
		found = append(found, p)
	}
	return found, nil
}

// ofBranch lists the pull requests of one head branch, in any state. GitHub's
// filter is not relied on.
func (g *GitHub) ofBranch(ctx context.Context, branch string) ([]PullRequest, error) {
	all, err := g.list(ctx, github.PullRequestListOptions{State: "all", Head: g.place.owner + ":" + branch})
	if err != nil {
		return nil, err
	}
	found := []PullRequest{}
	for _, p := range all {
		if p.Branch == branch {
			found = append(found, p)
		}
	}
	return found, nil
}

// review reads the last word of each reviewer. Comments take no word back.
func (g *GitHub) review(ctx context.Context, n int) (Review, error) {
	all, err := g.reviews(ctx, n)
	if err != nil {
		return "", err
	}
	last := map[int64]string{}
	verdict := ReviewNone
	for _, r := range all {
		switch r.GetState() {
		case "APPROVED", "CHANGES_REQUESTED", "DISMISSED":
			last[r.GetUser().GetID()] = r.GetState()
		case "COMMENTED":
			verdict = ReviewCommented
		}
	}
	for _, state := range last {
		switch {
		case state == "CHANGES_REQUESTED":
			return ReviewChanges, nil
		case state == "APPROVED":
			verdict = ReviewApproved
		}
	}
	return verdict, nil
}

func (g *GitHub) reviews(ctx context.Context, n int) ([]*github.PullRequestReview, error) {
	return pages("listing reviews", func(at github.ListOptions) ([]*github.PullRequestReview, *github.Response, error) {
		return g.client.PullRequests.ListReviews(ctx, g.place.owner, g.place.name, n, &at)
	})
}
