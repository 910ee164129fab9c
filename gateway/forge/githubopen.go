package forge

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/google/go-github/v60/github"

	"leviathan/gateway"
)

// lookTime is how long an Open whose answer was lost may still look for what
// it did, also when its caller has gone.
const lookTime = 20 * time.Second

// Open opens the proposal's pull request and reads it back. It looks for one of
// the head branch first, in any state, and again when an answer is lost. One
// that is found is taken with the text that it has by then.
func (g *GitHub) Open(ctx context.Context, p Proposal) (PullRequest, error) {
	if err := p.check(); err != nil {
		return PullRequest{}, err
	}
	n, err := g.find(ctx, p.Branch, p.Head)
	if err != nil {
		return PullRequest{}, err
	}
	if n != 0 {
		return g.readBack(ctx, p, n)
	}
	if err := g.branchAt(ctx, p.Branch, p.Head); err != nil {
		return PullRequest{}, err
	}
	created, _, err := g.client.PullRequests.Create(ctx, g.place.owner, g.place.name, &github.NewPullRequest{
		Title: &p.Title, Head: &p.Branch, Base: &p.Base, Body: &p.Body, Draft: &g.opts.Draft, MaintainerCanModify: github.Bool(false)})
	if err != nil {
		return g.afterFailure(ctx, p, during("opening the pull request", err))
	}
	if created.GetNumber() <= p.MinNumber {
		return PullRequest{}, gateway.Errorf(gateway.Unknown, "GitHub gave the new pull request the number %d, and %d is known already: is %s another repository than before?", created.GetNumber(), p.MinNumber, g)
	}
	return g.readBack(ctx, p, created.GetNumber())
}

// afterFailure finds out what a failed request did. Only an answer that says
// so proves that it did nothing.
func (g *GitHub) afterFailure(ctx context.Context, p Proposal, failed error) (PullRequest, error) {
	code := status(failed)
	exists := says(failed, "already exists")
	if code >= 400 && code < 500 && !exists {
		return PullRequest{}, failed
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookTime)
	defer cancel()
	n, err := g.find(ctx, p.Branch, p.Head)
	switch {
	case err != nil || n == 0 && !exists:
		return PullRequest{}, uncertain(failed, "; whether it was opened is not known")
	case n == 0:
		return PullRequest{}, &gateway.Error{Kind: gateway.Conflict, Code: CodeBranch, Err: failed,
			Detail: "GitHub says that branch " + p.Branch + " has a pull request already, and none of it is at " + string(p.Head)}
	}
	return g.readBack(ctx, p, n)
}

// find is the number of the branch's pull request at the commit: the open one
// if there is one, else the newest. It is 0 if there is none.
func (g *GitHub) find(ctx context.Context, branch string, head gateway.OID) (int, error) {
	all, err := g.ofBranch(ctx, branch)
	if err != nil {
		return 0, err
	}
	found := PullRequest{}
	for _, pr := range all {
		switch {
		case pr.Head != head:
		case pr.State == gateway.PullRequestOpen, found.State != gateway.PullRequestOpen && pr.Number > found.Number:
			found = pr
		}
	}
	return found.Number, nil
}

// branchAt fails unless the branch is at the commit.
func (g *GitHub) branchAt(ctx context.Context, branch string, head gateway.OID) error {
	at, err := g.branch(ctx, branch)
	if status(err) == http.StatusNotFound || hasCode(err, CodeMoved) {
		return &gateway.Error{Kind: gateway.Conflict, Code: CodeBranch, Err: err, Detail: "branch " + branch + " is not on " + g.String() + ": it was not pushed, or somebody deleted it"}
	}
	if err != nil {
		return err
	}
	if at.Commit.SHA != head {
		return &gateway.Error{Kind: gateway.Conflict, Code: CodeBranch, Detail: "branch " + branch + " is at " + orNothing(at.Commit.SHA) + ", not at " + string(head) + ": somebody else has pushed to it"}
	}
	return nil
}

// A branchState is a branch as GitHub shows it to who may read.
type branchState struct {
	Name   string `json:"name"`
	Commit struct {
		SHA gateway.OID `json:"sha"`
	} `json:"commit"`
	Protected bool `json:"protected"`
}

func (g *GitHub) branch(ctx context.Context, name string) (branchState, error) {
	var b branchState
	err := g.call(ctx, "reading branch "+name, http.MethodGet, g.path("/branches/%s", url.PathEscape(name)), nil, &b)
	if err == nil && b.Name != name {
		err = gateway.Errorf(gateway.Unknown, "reading branch %s: GitHub shows %s, as of a branch that was renamed", name, line(b.Name))
	}
	return b, err
}

// readBack reads what Open has found or made. No error of it may say that
// nothing was written.
func (g *GitHub) readBack(ctx context.Context, p Proposal, n int) (PullRequest, error) {
	_, pr, err := g.pull(ctx, n)
	if kind := gateway.KindOf(err); err != nil && (kind == gateway.Invalid || kind == gateway.Conflict) {
		return PullRequest{}, uncertain(err, "; it was opened")
	}
	switch {
	case err != nil:
		return PullRequest{}, err
	case pr.Head != p.Head:
		return PullRequest{}, gateway.Errorf(gateway.Unknown, "pull request %d is at %s by now, not at %s", n, pr.Head, p.Head)
	case pr.Branch != p.Branch || pr.Base != p.Base:
		return PullRequest{}, gateway.Errorf(gateway.Unknown, "pull request %d is for %s into %s, not for %s into %s", n, pr.Branch, pr.Base, p.Branch, p.Base)
	}
	return pr, nil
}
