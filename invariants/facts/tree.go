package facts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
	"unicode/utf8"
)

// Options say how a tree is read. The zero value has the defaults.
type Options struct {
	// MaxFileBytes is the most that a parsed file may have; 0 means 1 MiB.
	MaxFileBytes int64
	// MaxFiles is the most files and folders that are listed; 0 means 100,000.
	MaxFiles int
	// Exclude lists folders that are left out besides the default ones: a name
	// without a slash at any depth, anything else from the root.
	Exclude []string
	// Include lists files that are read although their folder is left out.
	Include []string
	// Code lists folders whose Go files are read whole.
	Code []string
	// Topology is the topology file; empty means deploy/topology.yaml.
	Topology string
	// Binary is what the calling program can do.
	Binary Binary
}

// defaultExclude are folders that hold other people's files, or files that are
// broken on purpose.
var defaultExclude = []string{".git", "node_modules", "vendor", "testdata"}

const (
	defaultFileBytes = 1 << 20
	defaultFiles     = 100_000
	maxDepth         = 64
)

// A tree is a repository that is being read.
type tree struct {
	root   *os.Root
	opts   Options
	facts  *Facts
	tasks  []task
	schema schema
}

// A task is one file that is to be parsed.
type task struct {
	path string
	kind fileKind
}

// walk lists the folder and everything below it.
func (t *tree) walk(ctx context.Context, dir string, chain []fs.FileInfo) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	entries, err := fs.ReadDir(t.root.FS(), dir)
	if err != nil {
		t.problem(dir, "unreadable", "the folder cannot be listed: "+reason(err))
		return nil
	}
	for _, entry := range entries {
		name := path.Join(dir, entry.Name())
		if len(t.facts.Files) >= t.opts.MaxFiles {
			if len(t.facts.Files) == t.opts.MaxFiles {
				t.facts.Files[name] = File{}
				t.problem(name, "too_many", fmt.Sprintf("the tree has more than %d files; this one and those after it are not looked at", t.opts.MaxFiles))
			}
			return nil
		}
		if err := t.entry(ctx, name, entry, chain); err != nil {
			return err
		}
	}
	return nil
}

func (t *tree) entry(ctx context.Context, name string, entry fs.DirEntry, chain []fs.FileInfo) error {
	if t.excluded(name) && entry.Type()&fs.ModeSymlink == 0 {
		if entry.IsDir() && entry.Name() != ".git" {
			t.facts.Repository.Excluded = append(t.facts.Repository.Excluded, name)
			t.facts.Files[name] = File{Folder: true}
		}
		if entry.IsDir() || entry.Name() == ".git" { // a worktree's .git is a file
			return nil
		}
	}
	if entry.Type()&fs.ModeSymlink != 0 {
		t.link(name, chain)
		return nil
	}
	info, err := entry.Info()
	if err != nil {
		t.problem(name, "unreadable", "cannot be looked at: "+reason(err))
		return nil
	}
	switch {
	case info.IsDir():
		t.facts.Files[name] = File{Folder: true}
		if len(chain) > maxDepth {
			t.problem(name, "too_many", fmt.Sprintf("folders are nested deeper than %d", maxDepth))
			return nil
		}
		return t.walk(ctx, name, append(slices.Clip(chain), info))
	case !info.Mode().IsRegular():
		t.facts.Files[name] = File{}
		t.problem(name, "unreadable", "neither a regular file nor a folder")
	default:
		t.add(name, File{Size: int(info.Size()), Exec: info.Mode()&0o100 != 0})
	}
	return nil
}

// link notes a symbolic link. What it leads to is read in its own place; a
// link that leads nowhere, out of the tree or around is named.
func (t *tree) link(name string, chain []fs.FileInfo) {
	target, err := t.root.Readlink(name)
	if err != nil {
		t.problem(name, "unreadable", "the link cannot be read: "+reason(err))
		return
	}
	file := File{Link: target}
	info, err := t.root.Stat(name)
	switch {
	case errors.Is(err, syscall.ELOOP):
		t.problem(name, "link_loop", "the link to "+target+" leads around in a circle")
	case errors.Is(err, fs.ErrNotExist):
		t.problem(name, "link_broken", "the link leads to "+target+", which does not exist")
	case err != nil:
		t.problem(name, "link_outside", "the link to "+target+" leads out of the tree, or cannot be followed: "+reason(err))
	case info.IsDir() && slices.ContainsFunc(chain, func(above fs.FileInfo) bool { return os.SameFile(above, info) }):
		file.Folder = true
		t.problem(name, "link_loop", "the link to "+target+" leads to a folder that it is in")
	default:
		file.Folder, file.Size = info.IsDir(), int(info.Size())
	}
	t.facts.Files[name] = file
}

// excluded reports whether the path is one of the folders that are left out.
func (t *tree) excluded(name string) bool {
	for _, x := range slices.Concat(defaultExclude, t.opts.Exclude) {
		x = strings.TrimSuffix(x, "/")
		if name == x || !strings.Contains(x, "/") && path.Base(name) == x {
			return true
		}
	}
	return false
}

// include adds the files that are read although their folder is left out.
func (t *tree) include() {
	for _, name := range t.opts.Include {
		name = path.Clean(name)
		if known, ok := t.facts.Files[name]; ok && !known.Folder {
			continue
		}
		info, err := t.root.Lstat(name)
		switch {
		case err != nil:
			t.problem(name, "unreadable", "the settings include it, and it cannot be looked at: "+reason(err))
		case !info.Mode().IsRegular():
			t.problem(name, "unreadable", "the settings include it, and it is no regular file")
		default:
			t.add(name, File{Size: int(info.Size()), Exec: info.Mode()&0o100 != 0})
		}
	}
}

// add lists a file, and notes it as one to parse if it has a kind.
func (t *tree) add(name string, file File) {
	t.facts.Files[name] = file
	t.facts.Repository.Files++
	if k := t.kindOf(name, file); k != kindOther {
		t.tasks = append(t.tasks, task{name, k})
	}
}

func (t *tree) problem(file, code, message string) {
	t.facts.Problems = append(t.facts.Problems, Problem{Place{file, 1, 1}, code, message})
}

// reason is the cause of an error without the path, which is said already.
func reason(err error) string {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err.Error()
	}
	return err.Error()
}

// read reads a file that is to be parsed; nil with a problem if it cannot be.
func (t *tree) read(name string) ([]byte, *Problem) {
	bad := func(line int, code, format string, args ...any) ([]byte, *Problem) {
		return nil, &Problem{Place{name, line, 1}, code, fmt.Sprintf(format, args...)}
	}
	f, err := t.root.Open(name)
	if err != nil {
		return bad(1, "unreadable", "cannot be opened: %s", reason(err))
	}
	data, err := io.ReadAll(io.LimitReader(f, t.opts.MaxFileBytes+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return bad(1, "unreadable", "cannot be read: %s", reason(err))
	}
	if int64(len(data)) > t.opts.MaxFileBytes {
		return bad(1, "too_large", "larger than %d bytes, which is the most that is parsed", t.opts.MaxFileBytes)
	}
	if i := bytes.IndexByte(data, 0); i >= 0 {
		return bad(lineOf(data, i), "binary", "a binary file under a name that promises text")
	}
	if !utf8.Valid(data) {
		i := 0
		for i < len(data) {
			r, size := utf8.DecodeRune(data[i:])
			if r == utf8.RuneError && size <= 1 {
				break
			}
			i += size
		}
		return bad(lineOf(data, i), "not_utf8", "not UTF-8")
	}
	return bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), nil
}

func lineOf(data []byte, at int) int { return 1 + bytes.Count(data[:at], []byte{'\n'}) }
