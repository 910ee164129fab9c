package forge

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"leviathan/gateway"
)

// An Answer is what a probe found out: unknown is neither yes nor no.
type Answer string

// The answers.
const (
	Yes   Answer = "yes"
	No    Answer = "no"
	Maybe Answer = "unknown"
)

// A ProbeResult is how safe a repository's settings are for agents.
type ProbeResult struct {
	// Credential is "app" or "token".
	Credential string
	// Protected says whether the base branch has any protection, and
	// ReviewRequired whether nobody can merge without an approving review.
	// Classic protection shows its reviews to administrators alone: with less
	// than that it is unknown, unless a ruleset asks for a review.
	Protected, ReviewRequired Answer
	// CanMerge says whether the credential itself could merge. No code here
	// does; a required review makes sure that none could.
	CanMerge Answer
	// Administers says whether the credential could change the settings.
	Administers Answer
	// Extra are permissions and scopes that the credential has and does not
	// need.
	Extra []string
	// Exposed are the workflows that would run an agent's branch with secrets
	// or a token that can write, before review.
	Exposed []Exposed
	// Warnings say all of that in sentences, each with its remedy.
	Warnings []string
}

func (r *ProbeResult) warn(format string, args ...any) {
	r.Warnings = append(r.Warnings, fmt.Sprintf(format, args...))
}

// Probe looks at the settings of the repository and its target branch. It
// changes nothing. An error means that the repository could not be looked at,
// and says why; what the credential may not see is unknown in the result. Like
// an observation it spends at most its share of the budget.
func (g *GitHub) Probe(ctx context.Context, branch string) (ProbeResult, error) {
	r := ProbeResult{Credential: "token", Warnings: g.Warnings()}
	if !branchName(branch) {
		return r, gateway.Errorf(gateway.Invalid, "%q is no branch name", branch)
	}
	ctx = context.WithValue(ctx, shareKey{}, g.opts.Budget.share(g.opts.SharePercent, g.opts.Now()))
	if err := g.askBudget(ctx); err != nil {
		return r, err
	}
	if err := g.probeCredential(ctx, &r); err != nil {
		return r, err
	}
	if err := g.probeBranch(ctx, branch, &r); err != nil {
		return r, err
	}
	if err := g.probeWorkflows(ctx, branch, &r); err != nil {
		return r, err
	}
	return r, nil
}

// askBudget primes the budget; the question is free. A server without limits
// answers 404.
func (g *GitHub) askBudget(ctx context.Context) error {
	err := g.call(ctx, "asking for the limits", http.MethodGet, "rate_limit", nil, nil)
	if status(err) == http.StatusNotFound {
		return nil
	}
	return err
}

func (g *GitHub) probeCredential(ctx context.Context, r *ProbeResult) error {
	repo, resp, err := g.client.Repositories.Get(ctx, g.place.owner, g.place.name)
	if err != nil {
		return during("reading the repository", err)
	}
	may := repo.GetPermissions()
	r.Administers = answerOf(may["admin"] || may["maintain"])
	switch {
	case repo.GetArchived():
		r.warn("%s is archived: nothing can be pushed to it", g)
	case g.app == nil && !may["push"]:
		r.warn("the token may not push to %s; give it contents: write and pull requests: write", g)
	}
	if g.app != nil {
		r.Credential = "app"
		g.app.mu.Lock()
		r.Extra = append(r.Extra, g.app.extra...)
		g.app.mu.Unlock()
		r.Administers = No
		for _, extra := range r.Extra {
			if strings.HasPrefix(extra, "administration:") {
				r.Administers = Yes
			}
		}
	} else {
		for scope := range strings.SplitSeq(resp.Header.Get("X-OAuth-Scopes"), ",") {
			if scope = line(scope); scope != "" && scope != "repo" && scope != "public_repo" {
				r.Extra = append(r.Extra, scope)
			}
		}
	}
	if len(r.Extra) > 0 {
		r.warn("the credential can do more than is needed: %s; take it away", strings.Join(r.Extra, ", "))
	}
	if r.Administers == Yes {
		r.warn("the credential can administer %s, and so could change the protection of its branches; use one that cannot", g)
	}
	return nil
}

func answerOf(b bool) Answer {
	if b {
		return Yes
	}
	return No
}

// probeBranch asks for rulesets and for classic protection.
func (g *GitHub) probeBranch(ctx context.Context, branch string, r *ProbeResult) error {
	at, err := g.branch(ctx, branch)
	if status(err) == http.StatusNotFound {
		return &gateway.Error{Kind: gateway.NotFound, Code: CodeBranch, Err: err, Detail: "the target branch " + branch + " is not on " + g.String() + "; set target_branch"}
	}
	if err != nil {
		return err
	}
	byRules, err := g.rulesAskForReview(ctx, branch)
	if err != nil {
		return err
	}
	classic := No
	if at.Protected && byRules != Yes {
		if classic, err = g.classicAsksForReview(ctx, branch); err != nil {
			return err
		}
	}
	r.Protected = answerOf(at.Protected || byRules == Yes)
	switch {
	case byRules == Yes || classic == Yes:
		r.ReviewRequired, r.CanMerge = Yes, No
	case byRules == Maybe || classic == Maybe:
		r.ReviewRequired, r.CanMerge = Maybe, Maybe
		r.warn("whether %s of %s needs an approving review cannot be seen: classic protection shows that to administrators alone; a ruleset that asks for a review can be seen", branch, g)
	default:
		r.ReviewRequired, r.CanMerge = No, Yes
		r.warn("%s of %s can be merged into without an approving review; protect it with a ruleset that asks for one", branch, g)
	}
	if r.Administers == Yes { // who can lift a rule is not bound by it
		r.CanMerge = Yes
	}
	return nil
}

func (g *GitHub) rulesAskForReview(ctx context.Context, branch string) (Answer, error) {
	for page := 1; page <= maxPages; page++ {
		var rules []struct {
			Type       string `json:"type"`
			Parameters struct {
				Reviews int `json:"required_approving_review_count"`
			} `json:"parameters"`
		}
		err := g.call(ctx, "reading the rules of "+branch, http.MethodGet, g.path("/rules/branches/%s?per_page=%d&page=%d", url.PathEscape(branch), perPage, page), nil, &rules)
		switch status(err) {
		case http.StatusNotFound: // a server that has no rulesets
			return No, nil
		case http.StatusForbidden:
			return Maybe, nil
		}
		if err != nil {
			return Maybe, err
		}
		for _, rule := range rules {
			if rule.Type == "pull_request" && rule.Parameters.Reviews > 0 {
				return Yes, nil
			}
		}
		if len(rules) < perPage {
			return No, nil
		}
	}
	return Maybe, nil
}

func (g *GitHub) classicAsksForReview(ctx context.Context, branch string) (Answer, error) {
	p, _, err := g.client.Repositories.GetBranchProtection(ctx, g.place.owner, g.place.name, branch)
	err = during("reading the protection of "+branch, err)
	switch {
	case err == nil:
		return answerOf(p.GetRequiredPullRequestReviews() != nil && p.GetRequiredPullRequestReviews().RequiredApprovingReviewCount > 0), nil
	case says(err, "branch not protected"):
		return No, nil
	case status(err) == http.StatusForbidden || status(err) == http.StatusNotFound:
		return Maybe, nil
	}
	return Maybe, err
}

func (g *GitHub) probeWorkflows(ctx context.Context, branch string, r *ProbeResult) error {
	const folder = ".github/workflows"
	names, err := g.folder(ctx, folder, branch)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !strings.HasSuffix(name, ".yml") && !strings.HasSuffix(name, ".yaml") {
			continue
		}
		text, found, err := g.file(ctx, folder+"/"+name, branch)
		if err != nil {
			return err
		}
		if !found {
			r.Exposed = append(r.Exposed, Exposed{File: name, Event: "?", Why: "the file cannot be read"})
			continue
		}
		r.Exposed = append(r.Exposed, exposed(name, []byte(text), branch)...)
	}
	for _, e := range r.Exposed {
		r.warn("workflow %s, on %s, would run an agent's branch before review: %s", e.File, e.Event, e.Why)
	}
	return nil
}
