package repository

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"leviathan/gateway"
)

// A pushCheck checks everything that a push brings: every commit that is new,
// and every tree and file that differs from the first parent's, whether its
// object came in the pack or lay in the mirror. What is as it was in the
// parent is never complained about.
type pushCheck struct {
	ctx      context.Context
	o        *objects // the quarantine's pack, then the mirror's
	fresh    idSet    // what the pack has and the mirror lacks
	lim      Limits
	problems *problems

	visited idSet
	changes int
	trees   int
	stopped bool // the walk is incomplete
}

// errStopCheck ends a walk that found enough.
var errStopCheck = errors.New("check stopped")

// run checks the push of the object head. An error is a failure of ours; what
// is wrong with the push goes to problems.
func (c *pushCheck) run(head objectID) error {
	c.visited = idSet{}
	kind, ok, err := c.kindOf(head)
	switch {
	case err != nil:
		return err
	case !ok:
		c.problems.add(codeMissing, "", fmt.Sprintf("commit %s is neither in the pack nor in the repository", head.hex()))
		return nil
	case kind != kindCommit:
		c.problems.add(codeNotCommit, "", fmt.Sprintf("%s is a %s, not a commit", head.hex(), kind))
		return nil
	}
	queue := []objectID{head}
	for i := 0; i < len(queue) && !c.stopped; i++ {
		if c.visited.has(queue[i]) {
			continue
		}
		c.visited.add(queue[i])
		parents, err := c.commit(queue[i])
		if errors.Is(err, errStopCheck) {
			c.stopped = true
		} else if err != nil {
			return err
		}
		queue = append(queue, parents...)
	}
	if len(queue) > 1 {
		c.problems.add(codeMultipleCommits, "", fmt.Sprintf("the push brings %d commits; it must be one on its base", len(queue)))
	}
	if !c.stopped {
		c.unreachable()
	}
	return nil
}

// commit checks one commit with its tree and returns the parents that are new.
func (c *pushCheck) commit(id objectID) ([]objectID, error) {
	raw, err := c.o.readTyped(id, kindCommit, 0)
	if err != nil {
		return nil, err
	}
	for _, why := range checkCommit(raw) {
		c.problems.add(codeMalformed, "", fmt.Sprintf("commit %s: %s", id.hex(), why))
	}
	info, err := parseCommitInfo(raw)
	if err != nil {
		return nil, nil // checkCommit has said so
	}
	var fresh []objectID
	var base objectID
	for i, p := range info.parents {
		kind, ok, err := c.kindOf(p)
		if err != nil {
			return nil, err
		}
		if !ok || kind != kindCommit {
			c.problems.add(codeMissing, "", fmt.Sprintf("parent %s of commit %s is not a commit of the repository", p.hex(), id.hex()))
			continue
		}
		if c.fresh.has(p) {
			fresh = append(fresh, p)
		}
		if i > 0 {
			continue
		}
		praw, err := c.o.readTyped(p, kindCommit, 0)
		if err != nil {
			return nil, err
		}
		if pinfo, err := parseCommitInfo(praw); err == nil {
			base = pinfo.tree
		}
	}
	if kind, ok, err := c.kindOf(base); err != nil {
		return nil, err
	} else if !ok || kind != kindTree {
		base = objectID{}
	}
	kind, ok, err := c.kindOf(info.tree)
	switch {
	case err != nil:
		return nil, err
	case !ok:
		c.problems.add(codeMissing, "", fmt.Sprintf("tree %s of commit %s is missing", info.tree.hex(), id.hex()))
	case kind != kindTree:
		c.problems.add(codeMalformed, "", fmt.Sprintf("commit %s has a %s for its tree", id.hex(), kind))
	default:
		return fresh, c.tree("", base, info.tree)
	}
	return fresh, nil
}

// kindOf is an object's type; ok is false where it does not exist.
func (c *pushCheck) kindOf(id objectID) (kind objectKind, ok bool, err error) {
	if id.isZero() {
		return 0, false, nil
	}
	kind, _, err = c.o.stat(id)
	if errors.Is(err, errNoObject) {
		return 0, false, nil
	}
	return kind, err == nil, err
}

func (c *pushCheck) tree(dir string, old, new objectID) error {
	c.visited.add(new)
	if old == new {
		return nil
	}
	if c.trees++; c.trees > (c.lim.MaxChanges+1)*maxTreesPerChange {
		return c.tooMany()
	}
	if c.ctx.Err() != nil {
		return context.Cause(c.ctx)
	}
	if len(dir) > maxPathBytes {
		c.problems.add(codeBadName, "", "a path is longer than 4096 bytes")
		return errStopCheck
	}
	raw, err := c.o.readTyped(new, kindTree, 0)
	if err != nil {
		return err
	}
	was := map[string]treeEntry{}
	if !old.isZero() {
		braw, err := c.o.readTyped(old, kindTree, 0)
		if err != nil {
			return err
		}
		before, err := parseTree(braw)
		if err != nil {
			return fmt.Errorf("the tree of before at %q: %w", dir, err)
		}
		for _, e := range before {
			was[string(e.name)] = e
		}
	}
	same := func(e treeEntry) bool {
		b, ok := was[string(e.name)]
		return ok && b.id == e.id && bytes.Equal(b.rawMode, e.rawMode)
	}
	entries, faults := checkTree(raw, same)
	faults = append(faults, collisions(entries, func(e treeEntry) bool { _, old := was[string(e.name)]; return !old })...)
	for _, f := range faults {
		if f.name == "" {
			c.problems.add(f.code, "", fmt.Sprintf("folder %q: %s", sanitize(dir), f.why))
			continue
		}
		c.problems.add(f.code, joinPath(dir, f.name), f.why)
	}
	for _, e := range entries {
		if same(e) {
			continue
		}
		b, both := was[string(e.name)]
		if err := c.entry(joinPath(dir, string(e.name)), dir, b, both, e); err != nil {
			return err
		}
	}
	return nil
}

func (c *pushCheck) tooMany() error {
	c.problems.add(codeTooManyChanges, "", fmt.Sprintf("the push changes more than %d paths", c.lim.MaxChanges))
	return errStopCheck
}

// entry checks one row that is not as it was.
func (c *pushCheck) entry(path, dir string, b treeEntry, both bool, e treeEntry) error {
	if !e.isDir() {
		if c.changes++; c.changes > c.lim.MaxChanges {
			return c.tooMany()
		}
	}
	if e.isGitlink() {
		c.problems.add(codeGitlink, path, "is a submodule entry, which may not be added or changed")
		return nil
	}
	if e.id.isZero() {
		return nil // checkEntry has said so
	}
	want := kindBlob
	if e.isDir() {
		want = kindTree
	}
	kind, ok, err := c.kindOf(e.id)
	switch {
	case err != nil:
		return err
	case !ok:
		c.problems.add(codeMissing, path, fmt.Sprintf("needs object %s, which is missing", e.id.hex()))
		return nil
	case kind != want:
		c.visited.add(e.id)
		c.problems.add(codeMalformed, path, fmt.Sprintf("has mode %s and is a %s", e.rawMode, kind))
		return nil
	}
	if e.isDir() {
		var old objectID
		if both && b.isDir() {
			old = b.id
		}
		return c.tree(path, old, e.id)
	}
	c.visited.add(e.id)
	return c.blob(path, dir, e)
}

// blob checks the contents that git itself gives a meaning to.
func (c *pushCheck) blob(path, dir string, e treeEntry) error {
	if e.isSymlink() {
		target, err := c.o.peek(e.id, maxLinkTarget)
		if err != nil {
			return err
		}
		if why := checkLink(dir, string(target)); why != "" {
			c.problems.add(codeSymlinkEscape, path, "is a symbolic link that "+why)
		}
		return nil
	}
	if gitFile(string(e.name)) != ".gitmodules" {
		return nil
	}
	_, size, err := c.o.stat(e.id)
	if err != nil {
		return err
	}
	if size > maxGitmodules {
		c.problems.add(codeGitmodules, path, "is too large to be checked")
		return nil
	}
	data, err := c.o.readTyped(e.id, kindBlob, 0)
	if err != nil {
		return err
	}
	if why := checkGitmodules(data); why != "" {
		c.problems.add(codeGitmodules, path, "is hostile: "+why)
	}
	return nil
}

// unreachable finds objects of the pack that nothing needs.
func (c *pushCheck) unreachable() {
	var extra []gateway.OID
	for id := range c.fresh {
		if !c.visited.has(id) {
			extra = append(extra, id.hex())
		}
	}
	if len(extra) == 0 {
		return
	}
	first := slices.Min(extra)
	c.problems.add(codeUnreachable, "", fmt.Sprintf("the pack has %d objects that the commit does not need, such as %s", len(extra), first))
}
