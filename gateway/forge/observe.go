package forge

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"leviathan/gateway"
)

// Observe reads the repository as it is now. It runs a handful of git
// processes however many pull requests are known, and one where nothing has
// moved since the last call with the same arguments.
func (l *Local) Observe(ctx context.Context, branch string, known []Known) (Observation, error) {
	if !branchName(branch) {
		return Observation{}, gateway.Errorf(gateway.Invalid, "%q is no branch name", branch)
	}
	s, err := l.look(ctx, branch)
	if err != nil {
		return Observation{}, err
	}
	key := fmt.Sprintf("%s\n%v\n%s", branch, known, s.raw)
	if seen, ok := l.remembered(key); ok {
		return seen, nil
	}
	seen, s, err := l.settle(ctx, s, branch, known)
	if err != nil {
		return Observation{}, err
	}
	l.remember(fmt.Sprintf("%s\n%v\n%s", branch, known, s.raw), seen)
	return seen, nil
}

// maxMoves bounds how often the repository may move while it is looked at.
const maxMoves = 5

// settle judges until nothing has moved. Git does not read all refs at one
// moment: a human who merges and then deletes the branch, while we read, must
// not be taken for one who closed.
func (l *Local) settle(ctx context.Context, s *snapshot, branch string, known []Known) (Observation, *snapshot, error) {
	for range maxMoves {
		seen, err := l.judge(ctx, s, branch, known)
		if err != nil || !slices.ContainsFunc(seen.Known, func(p PullRequest) bool { return p.State == gateway.PullRequestClosed }) {
			return seen, s, err
		}
		again, err := l.look(ctx, branch)
		if err != nil || again.raw == s.raw {
			return seen, s, err
		}
		s = again
	}
	return Observation{}, nil, gateway.Errorf(gateway.Unknown, "%s moved %d times while it was looked at", l.git.dir, maxMoves)
}

func (l *Local) remembered(key string) (Observation, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last.clone(), l.lastKey == key
}

func (l *Local) remember(key string, seen Observation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lastKey, l.last = key, seen.clone()
}

func (o Observation) clone() Observation {
	return Observation{Known: slices.Clone(o.Known), Unlisted: slices.Clone(o.Unlisted)}
}

// A suspect is a pull request whose state is in question.
type suspect struct {
	PullRequest
	base  gateway.OID // empty if not known
	known bool
}

// judge finds the state of every pull request in a snapshot.
func (l *Local) judge(ctx context.Context, s *snapshot, branch string, known []Known) (Observation, error) {
	all, err := l.suspects(ctx, s, known)
	if err != nil || len(all) == 0 {
		return Observation{}, err
	}
	about := []gateway.OID{}
	for _, p := range all {
		about = append(about, p.Head, p.base)
	}
	h, err := l.readHistory(ctx, s.tip, about, func(exists map[gateway.OID]bool) bool {
		// Of one that left neither commit only a trailer can tell, and it may
		// stand anywhere.
		return slices.ContainsFunc(all, func(p *suspect) bool { return !exists[p.Head] && !exists[p.base] })
	})
	if err != nil {
		return Observation{}, err
	}
	left := []*suspect{}
	for _, p := range all {
		p.Base, p.URL = branch, l.url(p.Number)
		if !p.mergedBySight(h) {
			left = append(left, p)
		}
	}
	if err := l.mergedByPatch(ctx, h, left); err != nil {
		return Observation{}, err
	}
	if err := l.closed(s, left); err != nil {
		return Observation{}, err
	}
	var o Observation
	for _, p := range all {
		switch {
		case p.known:
			o.Known = append(o.Known, p.PullRequest)
		case p.State == gateway.PullRequestOpen:
			o.Unlisted = append(o.Unlisted, p.PullRequest)
		}
	}
	return o, nil
}

// suspects are the known pull requests in their order, then those of ours that
// known lacks, by number. What has no branch any more is closed or merged: of
// that nobody asks unless it is known.
func (l *Local) suspects(ctx context.Context, s *snapshot, known []Known) ([]*suspect, error) {
	all, listed := []*suspect{}, map[int]bool{}
	for _, k := range known {
		if k.Number == 0 {
			n, err := l.find(ctx, s, k.Attempt, k.Head)
			if err != nil {
				return nil, err
			}
			if k.Number = n; n == 0 {
				continue
			}
		}
		listed[k.Number] = true
		p := &suspect{known: true, base: k.BaseCommit, PullRequest: PullRequest{Number: k.Number, Attempt: k.Attempt, Head: k.Head}}
		if k.Attempt != "" {
			p.Branch = k.Attempt.Branch()
		}
		if !p.Head.Valid() {
			p.Head = s.pulls[k.Number].head
		}
		all = append(all, p)
	}
	for _, n := range slices.Sorted(maps.Keys(s.pulls)) {
		branch, ours := s.ours(n)
		if _, there := s.branches[branch]; ours && there && !listed[n] {
			all = append(all, &suspect{PullRequest: PullRequest{Number: n, Branch: branch, Attempt: attemptOf(branch), Head: s.pulls[n].head}})
		}
	}
	return all, nil
}

// mergedBySight reports a merge that the graph or a trailer shows.
func (p *suspect) mergedBySight(h *history) bool {
	if h.merged[p.Head] {
		p.merge(ByAncestor, h.introduced(p.Head))
		return true
	}
	for _, c := range slices.Backward(h.named[p.Attempt]) { // the oldest first
		if p.Attempt != "" && h.merged[c] {
			p.merge(ByTrailer, h.introduced(c))
			return true
		}
	}
	return false
}

func (p *suspect) merge(how string, by gateway.OID) {
	p.State, p.How, p.MergeCommit = gateway.PullRequestMerged, how, by
}

// mergedByPatch marks those of which a commit of the branch, newer than their
// base, makes the same change.
func (l *Local) mergedByPatch(ctx context.Context, h *history, left []*suspect) error {
	heads := []gateway.OID{}
	for _, p := range left {
		if parents := h.parents[p.Head]; len(parents) == 1 && (p.base == "" || p.base == parents[0] || !h.exists[p.base]) {
			heads = append(heads, p.Head)
		}
	}
	if len(heads) == 0 || len(h.order) == 0 {
		return nil
	}
	same, err := l.samePatches(ctx, h, heads)
	if err != nil {
		return err
	}
	for _, p := range left {
		if len(same[p.Head]) == 0 {
			continue
		}
		old := h.ancestors(h.parents[p.Head][0])
		for _, c := range same[p.Head] {
			if h.merged[c] && !old[c] {
				p.merge(ByPatchID, h.introduced(c))
				break
			}
		}
	}
	return nil
}

// closed marks the rest as closed or open.
func (l *Local) closed(s *snapshot, left []*suspect) error {
	gone := false
	for _, p := range left {
		if p.State == gateway.PullRequestMerged {
			continue
		}
		_, hasBranch := s.branches[p.Branch]
		pull, hasPull := s.pulls[p.Number]
		switch {
		case !hasPull:
			p.State, p.How = gateway.PullRequestClosed, pullRef(p.Number)
		case !hasBranch && p.Branch != "":
			p.State, p.How = gateway.PullRequestClosed, headsPrefix+p.Branch
		default:
			p.State, p.Head = gateway.PullRequestOpen, pull.head
		}
		gone = gone || p.State == gateway.PullRequestClosed
	}
	if gone {
		return l.readable()
	}
	return nil
}

// branchName reports a name that git takes for a branch and that cannot be
// read as a pattern, a flag or a range.
func branchName(s string) bool {
	return s != "" && oneLine(s) && !strings.ContainsAny(s, " ~^:?*[\\") && !strings.HasPrefix(s, "-") && !strings.HasPrefix(s, "/") &&
		!strings.HasSuffix(s, "/") && !strings.Contains(s, "..") && !strings.Contains(s, "//") && !strings.Contains(s, "@{")
}
