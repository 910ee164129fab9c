package repository

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"leviathan/gateway"
)

// A differ walks two trees side by side. It trusts neither: names are matched
// exactly, whatever order they stand in.
type differ struct {
	ctx   context.Context
	o     *objects
	max   int
	out   []gateway.Change
	trees int
}

var errTooManyChanges = &gateway.Error{Kind: gateway.TooLarge, Code: codeTooManyChanges, Detail: "the push changes more paths than the limit"}

// maxTreesPerChange bounds how many trees are read for each change allowed,
// so that a tree that holds itself many times costs no more than it shows.
const maxTreesPerChange = 64

// diff lists every path that differs between the trees; a zero id is the
// empty tree.
func (d *differ) diff(old, new objectID) ([]gateway.Change, error) {
	if err := d.tree("", old, new); err != nil {
		return nil, err
	}
	slices.SortFunc(d.out, func(a, b gateway.Change) int {
		if c := strings.Compare(a.Path, b.Path); c != 0 {
			return c
		}
		return strings.Compare(string(b.Op), string(a.Op)) // delete before add
	})
	return d.out, nil
}

func (d *differ) tree(dir string, old, new objectID) error {
	if old == new {
		return nil
	}
	if d.trees++; d.trees > (d.max+1)*maxTreesPerChange || len(dir) > maxPathBytes {
		return errTooManyChanges
	}
	if d.ctx.Err() != nil {
		return context.Cause(d.ctx)
	}
	before, err := d.read(dir, old)
	if err != nil {
		return err
	}
	after, err := d.read(dir, new)
	if err != nil {
		return err
	}
	was := make(map[string]treeEntry, len(before))
	for _, e := range before {
		was[string(e.name)] = e
	}
	for _, e := range after {
		b, both := was[string(e.name)]
		delete(was, string(e.name))
		if both && b.id == e.id && b.mode == e.mode {
			continue
		}
		if err := d.entry(joinPath(dir, string(e.name)), b, both, e, true); err != nil {
			return err
		}
	}
	for _, b := range before {
		if _, gone := was[string(b.name)]; gone {
			if err := d.entry(joinPath(dir, string(b.name)), b, true, treeEntry{}, false); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *differ) read(dir string, id objectID) ([]treeEntry, error) {
	if id.isZero() {
		return nil, nil
	}
	raw, err := d.o.readTyped(id, kindTree, 0)
	if err != nil {
		return nil, fmt.Errorf("compare trees at %q: %w", dir, err)
	}
	entries, err := parseTree(raw)
	if err != nil {
		return nil, fmt.Errorf("compare trees at %q: %w", dir, err)
	}
	return entries, nil
}

// entry compares one name. A folder on one side only is walked alone; a file
// that became a folder is a delete and adds.
func (d *differ) entry(path string, b treeEntry, hasOld bool, e treeEntry, hasNew bool) error {
	oldDir, newDir := hasOld && b.isDir(), hasNew && e.isDir()
	if oldDir || newDir {
		var from, to objectID
		if oldDir {
			from = b.id
		}
		if newDir {
			to = e.id
		}
		if err := d.tree(path, from, to); err != nil {
			return err
		}
	}
	hasOld, hasNew = hasOld && !oldDir, hasNew && !newDir
	if !hasOld && !hasNew {
		return nil
	}
	if len(d.out) >= d.max {
		return errTooManyChanges
	}
	c := gateway.Change{Path: path}
	switch {
	case hasOld && hasNew:
		c.Op = gateway.Modify
	case hasNew:
		c.Op = gateway.Add
	default:
		c.Op = gateway.Delete
	}
	if hasOld {
		c.OldMode, c.OldID = b.modeText(), b.id.hex()
	}
	if hasNew {
		c.NewMode, c.NewID = e.modeText(), e.id.hex()
		if err := d.describe(&c, e); err != nil {
			return fmt.Errorf("describe %q: %w", path, err)
		}
	}
	d.out = append(d.out, c)
	return nil
}

const (
	binaryProbe   = 8000
	maxLinkTarget = 4096
)

// describe adds what only the new content says.
func (d *differ) describe(c *gateway.Change, e treeEntry) error {
	if e.isGitlink() {
		return nil
	}
	kind, size, err := d.o.stat(e.id)
	if err != nil {
		return err
	}
	if kind != kindBlob {
		return fmt.Errorf("object %s is a %s, not a blob", e.id.hex(), kind)
	}
	c.Size = size
	head, err := d.o.peek(e.id, binaryProbe)
	if err != nil {
		return err
	}
	c.Binary = slices.Contains(head, 0)
	if e.isSymlink() {
		c.LinkTarget = string(head[:min(len(head), maxLinkTarget)])
	}
	return nil
}
