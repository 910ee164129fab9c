package engine

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/bundle"
)

// Bounds of a bundle that no real one comes near.
const (
	defaultMaxBytes = 16 << 20
	maxFiles        = 4096
	maxEntries      = 65536
	maxDepth        = 32
)

// A file is one file of a bundle; name is slash-separated, without a leading
// slash.
type file struct {
	name string
	data []byte
}

// kind says what part a file plays in a bundle.
type kind int

const (
	kindOther kind = iota // not part of a bundle: documentation, Go files
	kindModule
	kindData
	kindManifest
	kindSignature // verified and not kept: it says who made the bundle, not what it is
	kindRefused
)

// classify says what the file is, and why it is refused if it is.
func classify(name string) (kind, string) {
	switch base := path.Base(name); {
	case strings.HasSuffix(base, bundle.RegoExt):
		return kindModule, ""
	case base == "data.json" || bundle.IsYAMLDataFile(base):
		return kindData, ""
	case name == bundle.ManifestExt:
		return kindManifest, ""
	case base == "patch.json":
		return kindRefused, "a delta bundle cannot be verified or stored whole; build a full bundle"
	case base == bundle.WasmFile || base == bundle.PlanFile || base == bundle.PlanProtoFile:
		return kindRefused, "compiled policies are not evaluated; build the bundle with the target rego"
	case name == signatureFile:
		return kindSignature, ""
	case base == signatureFile:
		return kindRefused, "the only signature is " + signatureFile + " at the root of the bundle"
	case strings.HasSuffix(base, bundle.ManifestExt) || strings.HasSuffix(base, bundle.ManifestProtoExt):
		return kindRefused, "the only manifest is " + bundle.ManifestExt + " at the root of the bundle, in JSON"
	default:
		return kindOther, ""
	}
}

// isTest reports whether the module belongs to the tests only.
func isTest(name string) bool { return strings.HasSuffix(name, "_test.rego") }

// A content is what a bundle consists of: its files, sorted by name, and its
// signature, nil if there is none.
type content struct {
	files     []file
	signature []byte
}

// A collector gathers the files of a bundle within its limits.
type collector struct {
	maxBytes int64
	total    int64
	content
}

// add reads the file if it belongs to a bundle. open is not called otherwise.
func (c *collector) add(name string, open func() (io.ReadCloser, error)) error {
	switch k, why := classify(name); k {
	case kindOther:
		return nil
	case kindRefused:
		return refuse(StepRead, name, nil, "%s", why)
	}
	if len(c.files) == maxFiles {
		return refuse(StepRead, name, nil, "the bundle has more than %d files", maxFiles)
	}
	r, err := open()
	if err != nil {
		return refuse(StepRead, name, err, "%v", err)
	}
	data, err := io.ReadAll(io.LimitReader(r, c.maxBytes-c.total+1))
	if err := errors.Join(err, r.Close()); err != nil {
		return refuse(StepRead, name, err, "%v", err)
	}
	if c.total += int64(len(data)); c.total > c.maxBytes {
		return refuse(StepRead, name, nil, "the bundle is larger than %d bytes", c.maxBytes)
	}
	if line := invalidLine(data); line > 0 {
		e := refuse(StepRead, name, nil, "not valid UTF-8")
		e.Problems[0].Line = line
		return e
	}
	if k, _ := classify(name); k == kindSignature {
		if c.signature != nil {
			return refuse(StepRead, name, nil, "the file is in the bundle twice")
		}
		c.signature = append([]byte{}, data...)
		return nil
	}
	c.files = append(c.files, file{name: name, data: data})
	return nil
}

// finish puts the files into the one order that the digest is taken in.
func (c *collector) finish() (content, error) {
	slices.SortFunc(c.files, func(a, b file) int { return cmp.Compare(a.name, b.name) })
	for i := 1; i < len(c.files); i++ {
		if c.files[i-1].name == c.files[i].name {
			return content{}, refuse(StepRead, c.files[i].name, nil, "the file is in the bundle twice")
		}
	}
	if !slices.ContainsFunc(c.files, func(f file) bool { k, _ := classify(f.name); return k == kindModule }) {
		return content{}, refuse(StepRead, "", nil, "no policies: there is no %s file", bundle.RegoExt)
	}
	return c.content, nil
}

// invalidLine is the line of the first byte that is not UTF-8; 0 if all is.
func invalidLine(data []byte) int {
	if utf8.Valid(data) {
		return 0
	}
	for i := 0; ; {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size <= 1 {
			return 1 + bytes.Count(data[:i], []byte{'\n'})
		}
		i += size
	}
}

// readDir reads the bundle in a directory of the machine. Symbolic links are
// followed inside the directory and refused where they leave it.
func readDir(ctx context.Context, dir string, opts Options) (_ content, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return content{}, refuse(StepRead, "", err, "open the bundle's folder: %v", err)
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	return readFS(ctx, root.FS(), opts)
}

// readFS reads the bundle in fsys.
func readFS(ctx context.Context, fsys fs.FS, opts Options) (content, error) {
	info, err := fs.Stat(fsys, ".")
	if err != nil {
		return content{}, refuse(StepRead, "", err, "open the bundle's folder: %v", err)
	}
	w := walker{fsys: fsys, collector: collector{maxBytes: opts.maxBytes()}}
	if err := w.walk(ctx, ".", []fs.FileInfo{info}); err != nil {
		return content{}, err
	}
	return w.finish()
}

// A walker collects a tree of files, following symbolic links to folders: a
// mounted ConfigMap consists of them.
type walker struct {
	collector
	fsys    fs.FS
	entries int
}

// walk reads the folder; chain is it and the folders above it.
func (w *walker) walk(ctx context.Context, dir string, chain []fs.FileInfo) error {
	entries, err := fs.ReadDir(w.fsys, dir)
	if err != nil {
		return refuse(StepRead, dir, err, "list the folder: %v", err)
	}
	for _, entry := range entries {
		if err := ctx.Err(); err != nil {
			return refuse(StepRead, dir, err, "%v", err)
		}
		name := path.Join(dir, entry.Name())
		if w.entries++; w.entries > maxEntries {
			return refuse(StepRead, dir, nil, "the folder has more than %d entries", maxEntries)
		}
		// Hidden folders are version control, editors' files and the places
		// that a ConfigMap's links point to.
		if isHidden(entry.Name()) {
			continue
		}
		if err := w.entry(ctx, name, entry, chain); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) entry(ctx context.Context, name string, entry fs.DirEntry, chain []fs.FileInfo) error {
	k, _ := classify(name)
	link := entry.Type()&fs.ModeSymlink != 0
	if k == kindOther && !link && !entry.IsDir() {
		return nil
	}
	info, err := fs.Stat(w.fsys, name)
	if err != nil {
		return refuse(StepRead, name, err, "%v", err)
	}
	switch {
	case info.IsDir():
		if len(chain) > maxDepth {
			return refuse(StepRead, name, nil, "folders are nested deeper than %d", maxDepth)
		}
		if slices.ContainsFunc(chain, func(above fs.FileInfo) bool { return os.SameFile(above, info) }) {
			return refuse(StepRead, name, nil, "the symbolic link is a loop")
		}
		return w.walk(ctx, name, append(slices.Clip(chain), info))
	case info.Mode().IsRegular():
		return w.add(name, func() (io.ReadCloser, error) { return w.fsys.Open(name) })
	case k == kindOther:
		return nil
	default:
		return refuse(StepRead, name, nil, "not a regular file")
	}
}
