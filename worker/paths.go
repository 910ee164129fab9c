package worker

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// An openPath is what one allowed path means for the sandbox: a folder below
// the checkout, or one file.
type openPath struct {
	path string // relative to the checkout; "." is all of it
	dir  bool
}

// openPathOf reads an allowed path: a folder ends in a slash, a glob opens
// its folder up to the first part with a wildcard (the push is checked against
// the glob itself), and anything else is a file, unless the checkout says that
// it is a folder.
func openPathOf(allowed string) (openPath, error) {
	clean := strings.TrimSuffix(allowed, "/")
	if clean == "" || strings.HasPrefix(allowed, "/") || strings.ContainsRune(allowed, 0) {
		return openPath{}, fmt.Errorf("allowed path %q is not a path in the repository", allowed)
	}
	var literal []string
	parts := strings.Split(clean, "/")
	for _, part := range parts {
		if strings.ContainsAny(part, `*?[{\`) {
			return openPath{path: path.Join(append([]string{"."}, literal...)...), dir: true}, nil
		}
		if part == "" || part == "." || part == ".." || strings.EqualFold(part, ".git") {
			return openPath{}, fmt.Errorf("allowed path %q has a part %q", allowed, part)
		}
		literal = append(literal, part)
	}
	return openPath{path: path.Join(literal...), dir: strings.HasSuffix(allowed, "/")}, nil
}

// A prepared checkout has its allowed paths in place, so that the sandbox can
// have a rule for each. Undo takes away again what stayed empty.
type prepared struct {
	root    *os.Root
	dirs    []string // allowed to be written, relative
	files   []string
	created []string // in the order of creation, parents first
}

// prepare creates the allowed paths that are missing. No part of one may be a
// symbolic link: a rule for it would be a rule for what it points to.
func prepare(root *os.Root, allowed []string) (*prepared, error) {
	p := &prepared{root: root}
	for _, a := range allowed {
		open, err := openPathOf(a)
		if err != nil {
			return p, err
		}
		if err := p.open(open); err != nil {
			return p, fmt.Errorf("preparing allowed path %q: %w", a, err)
		}
	}
	return p, nil
}

func (p *prepared) open(o openPath) error {
	if o.path == "." {
		p.dirs = append(p.dirs, ".")
		return nil
	}
	parts := strings.Split(o.path, "/")
	for i := range parts {
		at, last := path.Join(parts[:i+1]...), i == len(parts)-1
		info, err := p.root.Lstat(at)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			if err := p.create(at, !last || o.dir); err != nil {
				return err
			}
			if last {
				p.allow(at, o.dir)
			}
		case err != nil:
			return err
		case info.Mode()&fs.ModeSymlink != 0:
			return fmt.Errorf("%s is a symbolic link", at)
		case !last && !info.IsDir():
			return fmt.Errorf("%s is not a folder", at)
		case last && o.dir && !info.IsDir():
			return fmt.Errorf("%s is a file, not a folder", at)
		case last && !info.IsDir() && !info.Mode().IsRegular():
			return fmt.Errorf("%s is not a regular file", at)
		case last:
			p.allow(at, info.IsDir())
		}
	}
	return nil
}

func (p *prepared) allow(at string, dir bool) {
	if dir {
		p.dirs = append(p.dirs, at)
	} else {
		p.files = append(p.files, at)
	}
}

func (p *prepared) create(at string, dir bool) error {
	p.created = append(p.created, at)
	if dir {
		return p.root.Mkdir(at, 0o755)
	}
	file, err := p.root.OpenFile(at, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	return file.Close()
}

// undo removes what prepare created and the agent left empty.
func (p *prepared) undo() error {
	for _, at := range slices.Backward(p.created) {
		info, err := p.root.Lstat(at)
		if errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode().IsRegular() && info.Size() > 0 {
			continue
		}
		if err != nil {
			return fmt.Errorf("looking at %s: %w", at, err)
		}
		if info.IsDir() {
			if entries, err := fs.ReadDir(p.root.FS(), at); err != nil {
				return fmt.Errorf("looking into %s: %w", at, err)
			} else if len(entries) > 0 {
				continue
			}
		} else if !info.Mode().IsRegular() {
			continue
		}
		if err := p.root.Remove(at); err != nil {
			return fmt.Errorf("removing %s, which stayed empty: %w", at, err)
		}
	}
	return nil
}

// nestedGit finds an entry named .git, in any letter case, or one that some
// file system would take for it. Git would run what a repository in the
// checkout configures.
func nestedGit(root *os.Root) (string, error) {
	found := ""
	err := fs.WalkDir(root.FS(), ".", func(at string, entry fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("looking through the checkout: %w", err)
		}
		if name := strings.TrimRight(strings.ToLower(entry.Name()), ". "); name == ".git" || name == "git~1" {
			found = at
			return fs.SkipAll
		}
		return nil
	})
	return found, err
}
