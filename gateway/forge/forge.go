package forge

import (
	"context"

	"leviathan/gateway"
)

// A Forge is the service that has a target's pull requests. Implementations
// are safe for concurrent use.
//
// There is no method that merges, approves or closes, and there must not be
// one: that is a human's.
type Forge interface {
	// Observe reads the state of every known pull request, and finds the open
	// ones with our branch prefix that known lacks. The target branch is
	// without refs/heads/. An error means unknown, never "none".
	Observe(ctx context.Context, branch string, known []Known) (Observation, error)

	// Open opens the proposal's pull request and reads it back. It is
	// idempotent by head branch: an attempt that has a pull request gets the
	// same one again, in the state that it is in by then. After an error
	// whether it was opened is unknown, unless the error is of kind
	// gateway.Invalid or gateway.Conflict: then nothing was written.
	Open(ctx context.Context, p Proposal) (PullRequest, error)
}

// A PullRequest is one as the forge showed it.
type PullRequest struct {
	Number int
	URL    string
	// Branch is the head branch without refs/heads/, agent/<attempt>.
	Branch string
	// Attempt follows from Branch; empty if no attempt has that branch.
	Attempt gateway.AttemptID
	// Head is the commit that the forge shows, or showed last.
	Head gateway.OID
	// Base is the branch that the pull request is for, without refs/heads/.
	Base string
	// State is open, merged or closed.
	State gateway.PullRequestState
	// How says what the state was recognised by: for a merge ByAncestor,
	// ByTrailer, ByPatchID or ByForge; for a close ByForge, or the ref that is
	// gone; else empty.
	How string
	// MergeCommit is the commit of the target branch's first-parent line
	// that brought the change; only when merged.
	MergeCommit gateway.OID

	// The rest is known of a pull request on GitHub alone.

	// TextDigest is of title and body as shown: keep it with the receipt, and
	// hand it in as Known.TextDigest.
	TextDigest string
	// Edited says that title or body are not as they were at the receipt, or
	// that an open one is at another commit: a human has taken the pull request
	// over, and it is not to be touched again.
	Edited bool
	// Conflicts says that the branch no longer goes with its base. False may
	// also mean that GitHub has not worked it out yet.
	Conflicts bool
	// Review is what the reviewers say of an open one; empty if not asked.
	Review Review
}

// The ways to recognise a merge, the surest first.
const (
	ByAncestor = "ancestor" // the head is in the branch
	ByTrailer  = "trailer"  // a commit of the branch names the attempt
	ByPatchID  = "patch-id" // a commit of the branch makes the same change
)

// Known is a pull request that the journal knows and has not seen ended.
type Known struct {
	// Number is 0 for one that was intended and has no receipt. The forge
	// then looks for it by Attempt and Head.
	Number     int
	Attempt    gateway.AttemptID
	Head       gateway.OID
	BaseCommit gateway.OID
	// TextDigest is that of the receipt; empty: edits are not looked for.
	TextDigest string
}

// An Observation is what a forge showed at one moment.
type Observation struct {
	// Known has an entry for each known pull request, in the order asked. The
	// one exception is an intended one (Number 0) that the forge does not
	// show: it is left out, which says nothing about its state.
	Known []PullRequest
	// Unlisted are the open pull requests with our branch prefix that were not
	// in known, by number.
	Unlisted []PullRequest
}

// A Proposal is a pull request to open.
type Proposal struct {
	Attempt gateway.AttemptID
	// Branch is the attempt's branch and Base the target's, both without
	// refs/heads/. The branch must be at Head already.
	Branch     string
	Base       string
	Head       gateway.OID
	BaseCommit gateway.OID
	// Title is one line; Title and Body are taken as they are: see the
	// functions Title and Body.
	Title string
	Body  string
	// MinNumber is the greatest number that the journal knows; the new one
	// is greater.
	MinNumber int
}
