package forge

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"leviathan/gateway"
)

// maxRaces bounds how often another may take the number that we want.
const maxRaces = 20

// Open creates refs/pull/<n>/head and the text beside it, n being one more
// than the greatest in use, and reads them back.
func (l *Local) Open(ctx context.Context, p Proposal) (PullRequest, error) {
	if err := p.check(); err != nil {
		return PullRequest{}, err
	}
	l.opening.Lock()
	defer l.opening.Unlock()
	s, err := l.look(ctx, p.Base)
	if err != nil {
		return PullRequest{}, err
	}
	n, err := l.find(ctx, s, p.Attempt, p.Head)
	if err != nil {
		return PullRequest{}, err
	}
	if n == 0 {
		if at := s.branches[p.Branch]; at != p.Head {
			return PullRequest{}, gateway.Errorf(gateway.Conflict, "branch %s is at %s, not at %s", p.Branch, orNothing(at), p.Head)
		}
		if n, err = l.create(ctx, s, p); err != nil {
			return PullRequest{}, err
		}
	}
	return l.readBack(ctx, p, n)
}

func (p Proposal) check() error {
	field := ""
	switch {
	case !p.Attempt.Valid():
		field = "attempt"
	case p.Branch != p.Attempt.Branch():
		field = "branch"
	case !branchName(p.Base) || strings.HasPrefix(p.Base, gateway.BranchPrefix):
		field = "base"
	case !p.Head.Valid() || p.Head == gateway.ZeroOID:
		field = "head"
	case !p.BaseCommit.Valid():
		field = "base_commit"
	case strings.TrimSpace(p.Title) == "" || !oneLine(p.Title):
		field = "title"
	case p.MinNumber < 0:
		field = "min_number"
	default:
		return nil
	}
	return &gateway.Error{Kind: gateway.Invalid, Field: field, Detail: "the proposal of a pull request is not well formed"}
}

// create takes the next number; where another was quicker, the one after.
func (l *Local) create(ctx context.Context, s *snapshot, p Proposal) (int, error) {
	for range maxRaces {
		n := max(s.greatest, p.MinNumber) + 1
		blob, err := l.git.run(ctx, p.text(n), "hash-object", "-w", "--stdin")
		if err != nil {
			return 0, err
		}
		_, failed := l.git.run(ctx, fmt.Sprintf("start\ncreate %s %s\ncreate %s %s\nprepare\ncommit\n",
			pullRef(n), p.Head, textRef(n), strings.TrimSpace(blob)), "update-ref", "--no-deref", "--stdin")
		if failed == nil {
			return n, nil
		}
		if s, err = l.look(ctx, p.Base); err != nil {
			return 0, err
		}
		if s.pulls[n].head == p.Head {
			return n, nil // it was created, and only the answer was lost
		}
		if s.greatest < n {
			return 0, failed
		}
	}
	return 0, gateway.Errorf(gateway.Unknown, "others took %d numbers of pull requests in a row", maxRaces)
}

func (l *Local) readBack(ctx context.Context, p Proposal, n int) (PullRequest, error) {
	s, err := l.look(ctx, p.Base)
	if err != nil {
		return PullRequest{}, err
	}
	seen, _, err := l.settle(ctx, s, p.Base, []Known{{Number: n, Attempt: p.Attempt, Head: p.Head, BaseCommit: p.BaseCommit}})
	if err != nil {
		return PullRequest{}, err
	}
	pr := seen.Known[0]
	if pr.Head != p.Head {
		return PullRequest{}, gateway.Errorf(gateway.Unknown, "pull request %d is at %s by now, not at %s", n, pr.Head, p.Head)
	}
	return pr, nil
}

// The header of a pull request's text.
const (
	headBranch = "Head: "
	headCommit = "Commit: "
)

// text is the blob of refs/leviathan/pulls/<n>.
func (p Proposal) text(n int) string {
	return fmt.Sprintf("Pull-Request: %d\nTitle: %s\n%s%s\n%s%s\nBase: %s\nBase-Commit: %s\n\n%s\n",
		n, p.Title, headBranch, p.Branch, headCommit, p.Head, p.Base, p.BaseCommit, strings.TrimRight(p.Body, "\n"))
}

// find is the number of the attempt's pull request, also of one whose head
// ref a human has deleted; 0 if it has none.
func (l *Local) find(ctx context.Context, s *snapshot, attempt gateway.AttemptID, head gateway.OID) (int, error) {
	orphans := []int{}
	for _, n := range slices.Sorted(maps.Keys(s.pulls)) {
		if s.pulls[n].head == head {
			return n, nil
		}
	}
	var ask strings.Builder
	for _, n := range slices.Sorted(maps.Keys(s.texts)) {
		if _, there := s.pulls[n]; !there {
			orphans = append(orphans, n)
			ask.WriteString(string(s.texts[n]) + "\n")
		}
	}
	if len(orphans) == 0 {
		return 0, nil
	}
	out, err := l.git.run(ctx, ask.String(), "cat-file", "--batch")
	if err != nil {
		return 0, err
	}
	for _, n := range orphans {
		text, rest, err := nextObject(out)
		if err != nil {
			return 0, err
		}
		header, _, _ := strings.Cut(text, "\n\n")
		if strings.Contains(header+"\n", "\n"+headBranch+attempt.Branch()+"\n") && strings.Contains(header+"\n", "\n"+headCommit+string(head)+"\n") {
			return n, nil
		}
		out = rest
	}
	return 0, nil
}

// nextObject parts the first object of cat-file --batch from the rest.
func nextObject(s string) (content, rest string, err error) {
	var id, kind string
	var size int
	head, rest, _ := strings.Cut(s, "\n")
	if _, err := fmt.Sscanf(head, "%s %s %d", &id, &kind, &size); err != nil || size < 0 || len(rest) < size+1 {
		return "", "", gateway.Errorf(gateway.Unknown, "git cat-file: %q is not understood", head)
	}
	return rest[:size], rest[size+1:], nil
}

func orNothing(id gateway.OID) string {
	if id == "" {
		return "no commit"
	}
	return string(id)
}
