package forge

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"leviathan/gateway"
)

const (
	headsPrefix = "refs/heads/"
	pullsPrefix = "refs/pull/"
	textsPrefix = "refs/leviathan/pulls/"
)

func pullRef(n int) string { return pullsPrefix + strconv.Itoa(n) + "/head" }
func textRef(n int) string { return textsPrefix + strconv.Itoa(n) }

// A snapshot is what one look at the repository's refs showed.
type snapshot struct {
	raw      string                 // the look itself: equal means that nothing moved
	tip      gateway.OID            // of the target branch
	branches map[string]gateway.OID // those with our prefix, without refs/heads/
	tips     map[gateway.OID][]string
	pulls    map[int]pull
	texts    map[int]gateway.OID // the blobs of refs/leviathan/pulls
	greatest int                 // number in use by any ref
}

// A pull is refs/pull/<n>/head.
type pull struct {
	head    gateway.OID
	attempt gateway.AttemptID // that the commit's trailer names; empty if none
}

const trailerFormat = "trailers:key=" + TrailerAttempt + ",valueonly,unfold,separator=%x20"

// look reads the refs that matter, and fails where the target branch is not
// among them.
func (l *Local) look(ctx context.Context, branch string) (*snapshot, error) {
	if err := l.check(ctx); err != nil {
		return nil, err
	}
	out, err := l.git.run(ctx, "", "for-each-ref",
		"--format=%(refname)%09%(objecttype)%09%(objectname)%09%(contents:"+trailerFormat+")",
		headsPrefix+branch, headsPrefix+gateway.BranchPrefix, pullsPrefix, textsPrefix)
	if err != nil {
		return nil, err
	}
	s := &snapshot{raw: out, branches: map[string]gateway.OID{}, tips: map[gateway.OID][]string{}, pulls: map[int]pull{}, texts: map[int]gateway.OID{}}
	for row := range strings.Lines(out) {
		if err := s.add(strings.TrimSuffix(row, "\n"), branch); err != nil {
			return nil, err
		}
	}
	if s.tip == "" {
		return nil, gateway.Errorf(gateway.Unknown, "%s has no branch %s", l.git.dir, branch)
	}
	return s, nil
}

func (s *snapshot) add(row, branch string) error {
	col := strings.SplitN(row, "\t", 4)
	if len(col) != 4 || !gateway.OID(col[2]).Valid() {
		return gateway.Errorf(gateway.Unknown, "git for-each-ref: line %q is not understood", row)
	}
	name, kind, id := col[0], col[1], gateway.OID(col[2])
	if short, ok := strings.CutPrefix(name, headsPrefix); ok {
		if short == branch {
			s.tip = id
		}
		if strings.HasPrefix(short, gateway.BranchPrefix) {
			s.branches[short] = id
			s.tips[id] = append(s.tips[id], short)
		}
		return nil
	}
	rest, isText := strings.CutPrefix(name, textsPrefix)
	if !isText {
		rest = strings.TrimPrefix(name, pullsPrefix)
	}
	digits, leaf, _ := strings.Cut(rest, "/")
	n, err := strconv.Atoi(digits)
	if err != nil || n < 1 {
		return nil // not a pull request's
	}
	s.greatest = max(s.greatest, n)
	switch {
	case isText && leaf == "":
		s.texts[n] = id
	case !isText && leaf == "head" && strconv.Itoa(n) == digits && kind == "commit":
		s.pulls[n] = pull{id, attemptIn(col[3])}
	}
	return nil
}

// attemptIn is the last well-formed attempt of a trailer's values.
func attemptIn(values string) (a gateway.AttemptID) {
	for _, v := range strings.Fields(values) {
		if id := gateway.AttemptID(v); id.Valid() {
			a = id
		}
	}
	return a
}

// ours is the branch of pull request n, if it is one of ours: its commit is
// the tip of a branch with our prefix, or names an attempt.
func (s *snapshot) ours(n int) (branch string, ok bool) {
	p := s.pulls[n]
	named := ""
	if p.attempt != "" {
		named = p.attempt.Branch()
	}
	if at := s.tips[p.head]; len(at) > 0 && (named == "" || s.branches[named] != p.head) {
		return at[0], true
	}
	return named, named != ""
}

// attemptOf is the attempt whose branch this is; empty if it is no attempt's.
func attemptOf(branch string) gateway.AttemptID {
	if a := gateway.AttemptID(strings.TrimPrefix(branch, gateway.BranchPrefix)); a.Valid() && a.Branch() == branch {
		return a
	}
	return ""
}

// readable fails where a folder of loose refs cannot be read: git passes over
// such a folder in silence, and what is in it would look deleted.
func (l *Local) readable() error {
	for _, top := range []string{headsPrefix, pullsPrefix} {
		if err := readTree(filepath.Join(l.git.dir, top)); err != nil {
			return &gateway.Error{Kind: gateway.Unknown, Detail: "reading refs: " + err.Error(), Err: err}
		}
	}
	return nil
}

func readTree(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if _, missing := os.Lstat(dir); missing != nil {
			return nil // packed refs need no folder
		}
	}
	if errors.Is(err, syscall.ENOTDIR) {
		return nil // a symbolic link to a loose ref
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", dir, err)
	}
	for _, e := range entries {
		if e.Type().IsRegular() {
			continue
		}
		if err := readTree(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}
