package repository

import (
	"bytes"
	"errors"
)

// A treeEntry is one row of a tree object, as its bytes have it.
type treeEntry struct {
	rawMode []byte
	mode    uint32 // canonical
	name    []byte
	id      objectID
}

const (
	modeDir     = 0o040000
	modeFile    = 0o100644
	modeExec    = 0o100755
	modeSymlink = 0o120000
	modeGitlink = 0o160000
	modeType    = 0o170000
)

func (e treeEntry) isDir() bool     { return e.mode == modeDir }
func (e treeEntry) isFile() bool    { return e.mode == modeFile || e.mode == modeExec }
func (e treeEntry) isSymlink() bool { return e.mode == modeSymlink }
func (e treeEntry) isGitlink() bool { return e.mode == modeGitlink }

// modeText is the mode as six octal digits.
func (e treeEntry) modeText() string {
	switch e.mode {
	case modeDir:
		return "040000"
	case modeFile:
		return "100644"
	case modeExec:
		return "100755"
	case modeSymlink:
		return "120000"
	}
	return "160000"
}

var (
	errTreeCut   = errors.New("the tree is cut short")
	errTreeMode  = errors.New("the tree has a mode that is not octal")
	errEmptyName = errors.New("the tree has an empty name")
)

// nextEntry decodes the first row of a tree and returns what follows it. It
// accepts any octal mode and canonicalises it as git does.
func nextEntry(raw []byte) (treeEntry, []byte, error) {
	var e treeEntry
	space := bytes.IndexByte(raw, ' ')
	if space < 0 {
		return e, nil, errTreeCut
	}
	if space == 0 || space > 7 {
		return e, nil, errTreeMode
	}
	var mode uint32
	for _, c := range raw[:space] {
		if c < '0' || c > '7' {
			return e, nil, errTreeMode
		}
		mode = mode<<3 | uint32(c-'0')
	}
	e.rawMode = raw[:space]
	e.mode = canonicalMode(mode)
	raw = raw[space+1:]
	nul := bytes.IndexByte(raw, 0)
	if nul < 0 || len(raw) < nul+21 {
		return e, nil, errTreeCut
	}
	if nul == 0 {
		return e, nil, errEmptyName
	}
	e.name = raw[:nul]
	e.id = objectID(raw[nul+1 : nul+21])
	return e, raw[nul+21:], nil
}

// canonicalMode is git's canon_mode.
func canonicalMode(m uint32) uint32 {
	switch m & modeType {
	case 0o100000:
		if m&0o100 != 0 {
			return modeExec
		}
		return modeFile
	case modeSymlink:
		return modeSymlink
	case modeDir:
		return modeDir
	}
	return modeGitlink
}

// parseTree decodes a whole tree.
func parseTree(raw []byte) ([]treeEntry, error) {
	entries := make([]treeEntry, 0, len(raw)/33)
	for len(raw) > 0 {
		e, rest, err := nextEntry(raw)
		if err != nil {
			return entries, err
		}
		entries = append(entries, e)
		raw = rest
	}
	return entries, nil
}

// compareEntries is git's order of a tree: a directory sorts as if its name
// ended in a slash.
func compareEntries(a, b treeEntry) int {
	n := min(len(a.name), len(b.name))
	if c := bytes.Compare(a.name[:n], b.name[:n]); c != 0 {
		return c
	}
	return int(tail(a, n)) - int(tail(b, n))
}

// tail is the byte of a name at n, with the slash that a directory has and
// the NUL that a file has at the end.
func tail(e treeEntry, n int) byte {
	if n < len(e.name) {
		return e.name[n]
	}
	if e.isDir() {
		return '/'
	}
	return 0
}
