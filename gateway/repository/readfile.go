package repository

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"leviathan/gateway"
)

// ReadFile is the contents of a regular file at a commit of the mirror. The
// path is slash-separated and taken as it is. A path that does not exist or
// is no regular file is gateway.NotFound; one over max bytes (0: no limit) is
// gateway.TooLarge.
func (m *Mirror) ReadFile(ctx context.Context, commit gateway.OID, path string, max int64) ([]byte, error) {
	id, err := parseID(commit)
	if err != nil {
		return nil, err
	}
	o, err := m.objects()
	if err != nil {
		return nil, err
	}
	defer o.close()
	info, err := m.commits.get(o, id)
	if err != nil {
		return nil, notFound(err, "the mirror has no commit %s", commit)
	}
	at := info.tree
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		entry, ok, err := lookup(o, at, part)
		if err != nil {
			return nil, fmt.Errorf("read %s at %s: %w", path, commit, err)
		}
		last := i == len(parts)-1
		if !ok || last != entry.isFile() || !last && !entry.isDir() {
			return nil, gateway.Errorf(gateway.NotFound, "%s has no file %s", commit, path)
		}
		at = entry.id
	}
	_, size, err := o.stat(at)
	if err != nil {
		return nil, fmt.Errorf("read %s at %s: %w", path, commit, err)
	}
	if max > 0 && size > max {
		return nil, gateway.Errorf(gateway.TooLarge, "%s has %d bytes at %s, the limit is %d", path, size, commit, max)
	}
	data, err := o.readTyped(at, kindBlob, 0)
	if err != nil {
		return nil, fmt.Errorf("read %s at %s: %w", path, commit, err)
	}
	return append([]byte{}, data...), nil
}

// lookup finds one name in a tree.
func lookup(o *objects, tree objectID, name string) (treeEntry, bool, error) {
	raw, err := o.readTyped(tree, kindTree, 0)
	if err != nil {
		return treeEntry{}, false, err
	}
	for len(raw) > 0 {
		e, rest, err := nextEntry(raw)
		if err != nil {
			return treeEntry{}, false, errors.New("tree " + string(tree.hex()) + ": " + err.Error())
		}
		if string(e.name) == name {
			return e, true, nil
		}
		raw = rest
	}
	return treeEntry{}, false, nil
}
