package invariants_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"leviathan/gateway"
	"leviathan/gateway/engine"
	"leviathan/invariants"
	"leviathan/invariants/facts"
	"leviathan/policies"
)

// A gate asks about a tree without a journal.
type gate struct {
	checks   *engine.Checks
	settings invariants.Settings
	binary   facts.Binary
}

func newGate(t *testing.T) *gate {
	t.Helper()
	var sources []engine.Source
	for _, folder := range []string{"invariants", "reason"} {
		sub, err := fs.Sub(policies.FS, folder)
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, engine.Source{At: folder, FS: sub})
	}
	checks, err := engine.LoadChecks(t.Context(), engine.Options{}, sources...)
	if err != nil {
		t.Fatal(err)
	}
	return &gate{checks: checks, settings: settingsOf(t, "..", ".ci/invariants.yaml"), binary: documentedBinary(t)}
}

func settingsOf(t *testing.T, dir, file string) invariants.Settings {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = root.Close() }() // only read
	s, err := invariants.LoadSettings(root, file)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// ask is what categories find in a tree; an answer that is none is an error.
func (g *gate) ask(ctx context.Context, dir string, categories ...string) (out []gateway.Violation, err error) {
	// A copy may lack a file that is included, and must not be told so.
	include := slices.DeleteFunc(slices.Clone(g.settings.Include), func(name string) bool {
		_, err := os.Stat(filepath.Join(dir, name))
		return err != nil
	})
	f, err := facts.Read(ctx, dir, facts.Options{Exclude: g.settings.Exclude, Include: include, Code: g.settings.Code, Topology: g.settings.Topology, Binary: g.binary})
	if err != nil {
		return nil, err
	}
	parts, err := f.Parts()
	if err != nil {
		return nil, err
	}
	settings, err := engine.PartOf("settings", map[string]any{"parameters": g.settings.Parameters})
	if err != nil {
		return nil, err
	}
	for _, category := range categories {
		in, err := invariants.Question(category, append(parts, settings))
		if err != nil {
			return nil, err
		}
		result := g.checks.Decide(ctx, category, in)
		var said struct{ Violations *[]gateway.Violation }
		if err := json.Unmarshal(result.Obligations, &said); err != nil {
			return nil, fmt.Errorf("read the answer of %s: %w", category, err)
		}
		if said.Violations == nil {
			return nil, fmt.Errorf("%s could not run: %v", category, result.Reasons)
		}
		out = append(out, *said.Violations...)
	}
	return out, nil
}

// apply makes the edit, and says which lines of the file it changed.
func (e edit) apply(dir string) (first, last int, undo func() error, err error) {
	name := filepath.Join(dir, filepath.FromSlash(e.File))
	old, err := os.ReadFile(name)
	if os.IsNotExist(err) && e.Find == "" {
		undo, err = func() error { return os.Remove(name) }, os.MkdirAll(filepath.Dir(name), 0o755)
	} else {
		undo = func() error { return os.WriteFile(name, old, 0o644) }
	}
	if err != nil {
		return 0, 0, nil, err
	}
	changed := string(old) + e.Replace
	if e.Find != "" {
		before, rest, ok := strings.Cut(string(old), e.After)
		if !ok {
			return 0, 0, nil, fmt.Errorf("%s has no %q", e.File, e.After)
		}
		if n := strings.Count(rest, e.Find); n == 0 || n > 1 && e.After == "" {
			return 0, 0, nil, fmt.Errorf("%s has %q %d times", e.File, e.Find, n)
		}
		changed = before + e.After + strings.Replace(rest, e.Find, e.Replace, 1)
	}
	if changed == string(old) {
		return 0, 0, nil, fmt.Errorf("the edit of %s changes nothing", e.File)
	}
	a, b := strings.Split(string(old), "\n"), strings.Split(changed, "\n")
	for first < min(len(a), len(b)) && a[first] == b[first] {
		first++
	}
	last = len(b)
	for i := len(a); last > first && i > first && a[i-1] == b[last-1]; i-- {
		last--
	}
	return first + 1, max(first+1, last), undo, os.WriteFile(name, []byte(changed), 0o644)
}

// copyTree copies files of this repository, the settings always, and makes
// empty ones of the others if they are to be listed. What facts leave out and
// what is built is not copied.
func copyTree(dir string, files []string, listed bool) error {
	wanted := append([]string{".ci/invariants.yaml"}, files...)
	return fs.WalkDir(os.DirFS(".."), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := path.Base(name)
		to := filepath.Join(dir, filepath.FromSlash(name))
		if d.IsDir() && (base == ".git" || base == "node_modules" || name == "bin" ||
			base == "testdata" && !slices.ContainsFunc(wanted, func(w string) bool { return strings.HasPrefix(w, name+"/") })) {
			if base == "testdata" && listed { // links lead there
				err = os.MkdirAll(to, 0o755)
			}
			return cmp.Or(err, fs.SkipDir)
		}
		if !d.Type().IsRegular() {
			return nil
		}
		whole := slices.ContainsFunc(wanted, func(w string) bool { return name == w || w == "." || strings.HasPrefix(name, w+"/") })
		if !whole && !listed {
			return nil
		}
		var data []byte
		if whole {
			if data, err = os.ReadFile(filepath.Join("..", filepath.FromSlash(name))); err != nil {
				return err
			}
		}
		info, err := d.Info()
		if err == nil {
			err = os.MkdirAll(filepath.Dir(to), 0o755)
		}
		if err != nil {
			return err
		}
		return os.WriteFile(to, data, info.Mode().Perm())
	})
}
