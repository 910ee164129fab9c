package facts

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// treeFS is the tree as kustomize sees it: read-only, its root at /, and no way
// out of it. It notes which files were read.
type treeFS struct {
	root  *os.Root
	limit int64
	reads map[string]bool
	// traced is the kustomization file that asks kustomize, on top of what it
	// says, to note in each resource of which file it is made.
	traced string
}

var _ filesys.FileSystem = (*treeFS)(nil)

var errReadOnly = errors.New("the repository is not written to")

// inside is kustomize's path as one of the root's.
func inside(name string) string {
	clean := strings.TrimPrefix(path.Join("/", filepath.ToSlash(name)), "/")
	if clean == "" {
		return "."
	}
	return clean
}

func (t *treeFS) Create(string) (filesys.File, error)    { return nil, errReadOnly }
func (t *treeFS) Mkdir(string) error                     { return errReadOnly }
func (t *treeFS) MkdirAll(string) error                  { return errReadOnly }
func (t *treeFS) RemoveAll(string) error                 { return errReadOnly }
func (t *treeFS) WriteFile(string, []byte) error         { return errReadOnly }
func (t *treeFS) Open(name string) (filesys.File, error) { return t.root.Open(inside(name)) }

func (t *treeFS) IsDir(name string) bool {
	info, err := t.root.Stat(inside(name))
	return err == nil && info.IsDir()
}

func (t *treeFS) Exists(name string) bool {
	_, err := t.root.Stat(inside(name))
	return err == nil
}

func (t *treeFS) ReadDir(name string) ([]string, error) {
	entries, err := fs.ReadDir(t.root.FS(), inside(name))
	names := make([]string, 0, len(entries))
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names, err
}

func (t *treeFS) CleanedAbs(name string) (filesys.ConfirmedDir, string, error) {
	clean := inside(name)
	info, err := t.root.Stat(clean)
	if err != nil {
		return "", "", fmt.Errorf("look at %s: %w", name, err)
	}
	full := path.Join("/", clean)
	if info.IsDir() {
		return filesys.ConfirmedDir(full), "", nil
	}
	return filesys.ConfirmedDir(path.Dir(full)), path.Base(full), nil
}

func (t *treeFS) Glob(pattern string) ([]string, error) {
	found, err := fs.Glob(t.root.FS(), inside(pattern))
	for i := range found {
		found[i] = path.Join("/", found[i])
	}
	return found, err
}

func (t *treeFS) ReadFile(name string) (_ []byte, err error) {
	clean := inside(name)
	f, err := t.root.Open(clean)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	data, err := io.ReadAll(io.LimitReader(f, t.limit+1))
	if err == nil && int64(len(data)) > t.limit {
		return nil, fmt.Errorf("read %s: larger than %d bytes", clean, t.limit)
	}
	if err == nil {
		t.reads[clean] = true
		if clean == t.traced {
			data = append(data, "\nbuildMetadata: [originAnnotations]\n"...)
		}
	}
	return data, err
}

func (t *treeFS) Walk(name string, fn filepath.WalkFunc) error {
	return fs.WalkDir(t.root.FS(), inside(name), func(at string, entry fs.DirEntry, err error) error {
		if err != nil {
			return fn(path.Join("/", at), nil, err)
		}
		info, err := entry.Info()
		return fn(path.Join("/", at), info, err)
	})
}
