package worker

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/cenkalti/backoff/v5"

	"leviathan/gateway"
)

// stage makes the tree of what the agent did and refuses one that changes
// nothing or carries a secret.
func (r *run) stage(ctx context.Context) (gateway.OID, error) {
	r.lease.at("staging")
	index := r.dir("git", "index")
	tree, err := r.git.stage(ctx, index)
	if err != nil {
		var said *gitError
		if errors.As(err, &said) {
			return "", fail(gateway.AgentError, "what the agent left cannot be committed: %v", err)
		}
		return "", err
	}
	base, err := r.git.oid(ctx, nil, "rev-parse", "--verify", string(r.start.BaseCommit)+"^{tree}")
	if err != nil {
		return "", err
	}
	if tree == base {
		hint := ""
		ignored, err := r.git.ignored(ctx, index, 5)
		if err != nil {
			return "", err
		}
		if len(ignored) > 0 {
			hint = "; the repository's ignore files keep out " + joined(ignored)
		}
		return "", fail(gateway.NoChange, "the agent changed nothing%s", hint)
	}
	at, err := r.git.leak(ctx, tree, r.secrets)
	if err != nil {
		return "", err
	}
	if at != "" {
		return "", fail(gateway.Denied, "%s holds a secret that was handed to the agent: it is not pushed", at)
	}
	r.outcome.Tree = tree
	return tree, nil
}

// push commits the verified tree and sends it. A refusal for want of a fact is
// asked again, like a gateway that does not answer; every other refusal is
// final.
func (r *run) push(ctx context.Context, tree gateway.OID) error {
	r.lease.at("pushing")
	url, err := r.Client.Resolve(r.start.CloneURL)
	if err != nil {
		return err
	}
	commit, err := r.git.commit(ctx, tree, r.start.BaseCommit, r.start.Commit, r.Now())
	if err != nil {
		return err
	}
	err = again(ctx, func() error {
		if ctx.Err() != nil || r.lease.remaining() <= 0 {
			return backoff.Permanent(errLeaseEnded)
		}
		err := r.git.push(ctx, url, r.Attempt.Branch(), commit)
		var refused *refusal
		if errors.As(err, &refused) && !refused.passing() {
			return backoff.Permanent(err)
		}
		return finally(err)
	})
	if err != nil {
		return r.pushFailed(ctx, err)
	}
	r.outcome.Commit = commit
	return nil
}

func (r *run) pushFailed(ctx context.Context, err error) error {
	if stopped := r.askedToStop(ctx); stopped != nil {
		return stopped
	}
	var refused *refusal
	if !errors.As(err, &refused) {
		return err
	}
	spooled := r.events.add(eventPushRefused, map[string]any{"code": refused.code, "reasons": refused.reasons})
	return errors.Join(fail(refused.failure(), "%v", refused), spooled)
}

// upstreamMoved is the code of a push whose branch is there with other content.
const upstreamMoved = "delivery.upstream_moved"

// failure is how an attempt ends that was refused for good: upstream where it is
// no fault of the task.
func (r *refusal) failure() gateway.FailureType {
	if r.passing() || strings.HasPrefix(r.code, "forge.") || r.code == upstreamMoved {
		return gateway.Upstream
	}
	return gateway.Denied
}

// passing reports whether the gateway refused for want of a fact rather than
// by a decision.
func (r *refusal) passing() bool {
	return r.code == "unknown" || strings.HasPrefix(r.code, "unknown.") || strings.HasPrefix(r.code, "upstream")
}

// propose asks for the pull request.
func (r *run) propose(ctx context.Context, summary string) error {
	r.lease.at("opening the pull request")
	err := again(ctx, func() error {
		pull, err := r.Client.OpenPullRequest(ctx, r.Attempt, gateway.PullRequestRequest{Summary: summary})
		if err == nil {
			r.outcome.PullRequest = &pull
			return nil
		}
		if !errors.Is(err, gateway.ErrUnknown) {
			return backoff.Permanent(err)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("opening the pull request: %w", err)
	}
	return nil
}

// askedToStop asks the gateway, after it refused something, whether the whole
// attempt is over: a halt is no fault of the task.
func (r *run) askedToStop(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var stop *stopped
	if err := r.lease.renew(ctx); errors.As(err, &stop) {
		return stop
	}
	return nil
}
