package forge

import (
	"context"
	"slices"

	"github.com/google/go-github/v60/github"

	"leviathan/gateway"
)

// Observe asks GitHub for each known pull request, and lists the open ones. It
// spends at most its share of the budget, and fails rather than more; answers
// that have not changed cost nothing. One page or pull request that cannot be
// read fails the whole.
//
// A closed pull request is one that GitHub shows closed: what is missing from
// a list is an error, not closed.
func (g *GitHub) Observe(ctx context.Context, branch string, known []Known) (Observation, error) {
	if !branchName(branch) {
		return Observation{}, gateway.Errorf(gateway.Invalid, "%q is no branch name", branch)
	}
	ctx = context.WithValue(ctx, shareKey{}, g.opts.Budget.share(g.opts.SharePercent, g.opts.Now()))
	var o Observation
	listed := map[int]bool{}
	for _, k := range known {
		if k.Number == 0 {
			n, err := g.intended(ctx, k)
			if err != nil {
				return Observation{}, err
			}
			if k.Number = n; n == 0 {
				continue
			}
		}
		pr, err := g.observe(ctx, k)
		if err != nil {
			return Observation{}, err
		}
		listed[pr.Number] = true
		o.Known = append(o.Known, pr)
	}
	open, err := g.list(ctx, github.PullRequestListOptions{State: "open", Sort: "created", Direction: "asc"})
	if err != nil {
		return Observation{}, err
	}
	for _, pr := range open {
		if !listed[pr.Number] && isAgents(pr.Branch) {
			o.Unlisted = append(o.Unlisted, pr)
		}
	}
	slices.SortFunc(o.Unlisted, func(a, b PullRequest) int { return a.Number - b.Number })
	return o, nil
}

func isAgents(branch string) bool {
	return len(branch) > len(gateway.BranchPrefix) && branch[:len(gateway.BranchPrefix)] == gateway.BranchPrefix
}

// intended finds the pull request of an intent without receipt.
func (g *GitHub) intended(ctx context.Context, k Known) (int, error) {
	if !k.Attempt.Valid() {
		return 0, gateway.Errorf(gateway.Invalid, "an intended pull request has no attempt")
	}
	return g.find(ctx, k.Attempt.Branch(), k.Head)
}

func (g *GitHub) observe(ctx context.Context, k Known) (PullRequest, error) {
	_, pr, err := g.pull(ctx, k.Number)
	if err != nil {
		return PullRequest{}, err
	}
	if k.Attempt != "" && pr.Attempt != k.Attempt {
		return PullRequest{}, gateway.Errorf(gateway.Unknown, "pull request %d of %s has the branch %s, not that of attempt %s: is it the same repository?", k.Number, g, pr.Branch, k.Attempt)
	}
	pr.Edited = k.TextDigest != "" && k.TextDigest != pr.TextDigest || pr.State == gateway.PullRequestOpen && k.Head.Valid() && k.Head != pr.Head
	if pr.State == gateway.PullRequestOpen {
		if pr.Review, err = g.review(ctx, k.Number); err != nil {
			return PullRequest{}, err
		}
	}
	return pr, nil
}
