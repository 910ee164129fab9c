package repository

import (
	"bytes"
	"strings"
)

// A treeFault is one thing wrong with the bytes of a tree.
type treeFault struct {
	code string
	name string // of the entry; "" for the tree as a whole
	why  string
}

// checkTree checks a tree's bytes on their own: everything of git fsck
// --strict that needs no other object, and what git lets pass but a file
// system may not. unchanged says that the tree of before has this very entry,
// which then is not complained about; it may be nil.
func checkTree(raw []byte, unchanged func(treeEntry) bool) ([]treeEntry, []treeFault) {
	var faults []treeFault
	entries, err := parseTree(raw)
	if err != nil {
		return entries, []treeFault{{codeMalformed, "", err.Error()}}
	}
	files := map[string]bool{}
	for i, e := range entries {
		name := string(e.name)
		if files[name] {
			faults = append(faults, treeFault{codeMalformed, name, "stands twice in its folder"})
		}
		files[name] = true
		if i > 0 && compareEntries(entries[i-1], e) > 0 {
			faults = append(faults, treeFault{codeMalformed, name, "is out of order in its folder"})
		}
		if unchanged == nil || !unchanged(e) {
			faults = append(faults, checkEntry(e)...)
		}
	}
	return entries, faults
}

func checkEntry(e treeEntry) []treeFault {
	var faults []treeFault
	name := string(e.name)
	if why := checkName(e.name); why != "" {
		faults = append(faults, treeFault{codeBadName, name, why})
	}
	switch string(e.rawMode) {
	case "40000", "100644", "100755", "120000", "160000":
	default:
		faults = append(faults, treeFault{codeBadMode, name, "has mode " + string(e.rawMode)})
	}
	if e.id.isZero() {
		faults = append(faults, treeFault{codeMalformed, name, "names the null object"})
	}
	if file := gitFile(name); e.isSymlink() && file != "" {
		faults = append(faults, treeFault{codeMalformed, name, "is " + file + " as a symbolic link"})
	}
	if e.isDir() && e.id == emptyTree {
		faults = append(faults, treeFault{codeMalformed, name, "is an empty folder, which git does not record"})
	}
	return faults
}

var emptyTree = hashObject(kindTree, nil)

// collisions finds names that are one file where case or Unicode form is
// ignored. A group is reported only if isNew holds for one of its names.
func collisions(entries []treeEntry, isNew func(treeEntry) bool) []treeFault {
	first := make(map[string]treeEntry, len(entries))
	var faults []treeFault
	for _, e := range entries {
		key := foldName(string(e.name))
		other, taken := first[key]
		if !taken {
			first[key] = e
			continue
		}
		if bytes.Equal(other.name, e.name) {
			continue // a plain duplicate, which checkTree reports
		}
		switch {
		case isNew(e):
			faults = append(faults, treeFault{codeCollision, string(e.name), "is one file with " + string(other.name) + " where case or Unicode form is ignored"})
		case isNew(other):
			faults = append(faults, treeFault{codeCollision, string(other.name), "is one file with " + string(e.name) + " where case or Unicode form is ignored"})
		}
	}
	return faults
}

// joinPath is dir/name, or name in the root.
func joinPath(dir, name string) string {
	if dir == "" {
		return name
	}
	var b strings.Builder
	b.Grow(len(dir) + 1 + len(name))
	b.WriteString(dir)
	b.WriteByte('/')
	b.WriteString(name)
	return b.String()
}
