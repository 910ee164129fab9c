package invariants_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"leviathan/gateway"
)

// The proof of the gate: testdata/mutations has, by category, edits that break
// this repository. Each is made alone, in a copy, and must be found: by its code,
// at most nearLines from where it was made. harmless.yaml has edits that change
// nothing; none may be found.
const (
	leastBad      = 150
	leastPerRules = 5
	leastHarmless = 50
	nearLines     = 3
)

// An edit replaces a text of a file by another.
type edit struct {
	File string
	// After is a text before the place that is meant, where Find is there more
	// than once.
	After string
	// Find is replaced. Empty: Replace becomes the end of the file, which may be
	// a new one.
	Find    string
	Replace string
	// Code is that of the violation that must be found.
	Code string
	// At is where it is found if not at the edit: what breaks elsewhere.
	At struct{ File, Near string }
}

// A batch is the edits of one category.
type batch struct {
	// Files are copied, with everything below them.
	Files []string
	// Listed says that all other files are there, too, without their content.
	Listed bool
	Edits  []edit
}

func readBatch(t *testing.T, file string) (b batch) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err == nil {
		err = yaml.UnmarshalStrict(data, &b)
	}
	if err != nil {
		t.Fatalf("read the edits: %s: %v", file, err)
	}
	return b
}

func TestS20EveryBadEditIsCaught(t *testing.T) {
	g := newGate(t)
	files, err := filepath.Glob("testdata/mutations/[a-z]*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	all, seen := 0, map[string]bool{}
	for _, file := range files {
		category := strings.TrimSuffix(filepath.Base(file), ".yaml")
		if category == "harmless" {
			continue
		}
		b := readBatch(t, file)
		if len(b.Edits) < leastPerRules {
			t.Errorf("%s has %d edits; at least %d are asked for", category, len(b.Edits), leastPerRules)
		}
		all, seen[category] = all+len(b.Edits), true
		t.Run(category, func(t *testing.T) {
			t.Parallel()
			b.run(t, *g, category)
		})
	}
	for _, category := range append(slices.Clone(g.settings.Categories), "tree") {
		if !seen[category] {
			t.Errorf("nothing shows that %s finds anything: it has no edits in testdata/mutations", category)
		}
	}
	if all < leastBad {
		t.Errorf("%d edits; at least %d are asked for", all, leastBad)
	}
}

// run makes one edit after the other in one copy, each taken back before the next.
func (b batch) run(t *testing.T, g gate, category string) {
	dir := t.TempDir()
	if err := copyTree(dir, b.Files, b.Listed); err != nil {
		t.Fatal(err)
	}
	if found, err := g.ask(t.Context(), dir, category); err != nil || len(found) > 0 {
		t.Fatalf("the copy does not hold before it is edited: %v %v", found, err)
	}
	for i, e := range b.Edits {
		first, last, undo, err := e.apply(dir)
		if err != nil {
			t.Errorf("edit %d: %v", i+1, err)
			continue
		}
		found, err := g.ask(t.Context(), dir, category)
		if err == nil {
			err = e.caught(dir, found, first, last)
		}
		if err != nil {
			t.Errorf("edit %d, %s:%d, %q for %q: %v", i+1, e.File, first, e.Replace, e.Find, err)
		}
		if err := undo(); err != nil {
			t.Fatal(err)
		}
	}
}

// caught reports whether a violation is the one that the edit asks for.
func (e edit) caught(dir string, found []gateway.Violation, first, last int) error {
	file := e.File
	if e.At.File != "" && e.At.Near == "" {
		file, first, last = e.At.File, 1, 1
	} else if e.At.File != "" {
		data, err := os.ReadFile(filepath.Join(dir, e.At.File))
		if err != nil {
			return err
		}
		before, _, ok := strings.Cut(string(data), e.At.Near)
		if !ok {
			return fmt.Errorf("%s has no %q", e.At.File, e.At.Near)
		}
		file, first = e.At.File, 1+strings.Count(before, "\n")
		last = first
	}
	got := []string{}
	for _, v := range found {
		if v.Code == e.Code && v.File == file && v.Line >= first-nearLines && v.Line <= last+nearLines {
			return nil
		}
		got = append(got, fmt.Sprintf("\n\t%s:%d: %s: %s", v.File, v.Line, v.Code, v.Message))
	}
	return fmt.Errorf("no %s within %d lines of %s:%d, but %s", e.Code, nearLines, file, first, got)
}

// Edits that change no meaning are made all at once, in one copy of everything:
// whatever is found then is a false alarm.
func TestS20NoHarmlessEditIsFlagged(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	b := readBatch(t, "testdata/mutations/harmless.yaml")
	if len(b.Edits) < leastHarmless {
		t.Errorf("%d edits; at least %d are asked for", len(b.Edits), leastHarmless)
	}
	dir := t.TempDir()
	if err := copyTree(dir, append([]string{"."}, g.settings.Include...), true); err != nil {
		t.Fatal(err)
	}
	for i, e := range b.Edits {
		if _, _, _, err := e.apply(dir); err != nil {
			t.Errorf("edit %d: %v", i+1, err)
		}
	}
	found, err := g.ask(t.Context(), dir, append(slices.Clone(g.settings.Categories), "tree")...)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range found {
		t.Errorf("%s:%d: %s: %s", v.File, v.Line, v.Code, v.Message)
	}
}
