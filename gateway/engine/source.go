package engine

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// PolicySourceOptions say how a source is read, and what its bundles must pass.
// The zero value reads a folder or a file, and asks for no signature.
type PolicySourceOptions struct {
	// Options bound what is read, and say who must have signed it.
	Options
	// Tests says how a candidate's own tests are run.
	Tests TestOptions
	// Poll is how often the source is looked at where no notification tells of a
	// change. 0 means 5 s for a folder or file, and 60 s for a URL.
	Poll time.Duration
	// TokenFile names a file with the bearer token for a URL. It is read for
	// every request, so that a token may be renewed.
	TokenFile string
	// Transport makes the requests for a URL. nil means http.DefaultTransport.
	Transport http.RoundTripper
}

// A PolicySource is where policies come from: a folder, a tar.gz, or the URL of
// one. It is used by one goroutine at a time.
type PolicySource struct {
	name string
	opts PolicySourceOptions
	origin
}

// An origin reads what the source has.
type origin interface {
	// fetch reads the bundle. A *SourceError says that there is nothing to
	// judge; a *LoadError, that the bundle is bad.
	fetch(ctx context.Context) (fetched, error)
}

// A fetched is what a source has. Equal ids are equal contents; an origin that
// can tell so without reading gives the id alone.
type fetched struct {
	content
	id        string
	unchanged bool
}

// A SourceError says that a source cannot be read. It says nothing about a
// policy: what governs goes on.
type SourceError struct {
	Source string
	// RetryAfter is how long the source asks to be left alone; 0 if it does not.
	RetryAfter time.Duration
	err        error
}

// Error says which source, and why.
func (e *SourceError) Error() string { return "read policies from " + e.Source + ": " + e.err.Error() }

// Unwrap is the cause.
func (e *SourceError) Unwrap() error { return e.err }

// OpenSource makes the source that name means: an http or https URL, a file
// whose name ends in .tar.gz or .tgz, or else a folder. It fails for what can
// never work, such as a required signature without a key; a source that does
// not answer now is found out by reading it.
func OpenSource(name string, opts PolicySourceOptions) (*PolicySource, error) {
	s := &PolicySource{name: name, opts: opts}
	if opts.RequireSignature && len(opts.Keys) == 0 {
		return nil, fmt.Errorf("policies from %s have to be signed, and no key is given to verify them with", redacted(name))
	}
	switch {
	case name == "":
		return nil, errors.New("no source of policies is named")
	case IsURL(name):
		h, err := newHTTPOrigin(name, opts)
		if err != nil {
			return nil, err
		}
		s.origin, s.name = h, h.shown
	case strings.Contains(name, "://"):
		return nil, fmt.Errorf("policies from %s: only https, http to this machine, files and folders are read", redacted(name))
	case opts.TokenFile != "":
		return nil, fmt.Errorf("policies from %s: a token is for a URL", name)
	case isArchive(name):
		s.origin = fileOrigin{name, opts.Options}
	default:
		s.origin = dirOrigin{name, opts.Options}
	}
	return s, nil
}

// IsURL reports whether policies are fetched from the name over the network.
func IsURL(name string) bool {
	return strings.HasPrefix(name, "http://") || strings.HasPrefix(name, "https://")
}

func isArchive(name string) bool {
	return strings.HasSuffix(name, ".tar.gz") || strings.HasSuffix(name, ".tgz")
}

// redacted is a name without what may be a secret.
func redacted(name string) string {
	if u, err := url.Parse(name); err == nil && u.Host != "" {
		u.RawQuery, u.Fragment = "", ""
		return u.Redacted()
	}
	return name
}

// String is the name that the source was opened with, of a URL without its
// query.
func (s *PolicySource) String() string { return s.name }

// Load takes what the source has now through the gate. The error is a
// *SourceError if the source cannot be read, else as Gate's.
func (s *PolicySource) Load(ctx context.Context) (*Snapshot, []StepResult, error) {
	found, err := s.fetch(ctx)
	if found.unchanged {
		err = &SourceError{Source: s.name, err: errors.New("it says that nothing changed, and nothing was read before")}
	}
	var source *SourceError
	if errors.As(err, &source) {
		return nil, nil, err
	}
	return s.gate(ctx, found.content, err)
}

// gate takes a content, or a refusal to read one, through the gate.
func (s *PolicySource) gate(ctx context.Context, c content, err error) (*Snapshot, []StepResult, error) {
	return Gate(ctx, s.opts.Tests, func(ctx context.Context) (*Snapshot, error) {
		return load(ctx, s.opts.Options, func() (content, error) { return c, err })
	})
}

// identify is a fetched content that was not identified by its bytes.
func identify(c content, err error) (fetched, error) {
	if err != nil {
		return fetched{id: err.Error()}, err
	}
	packed, err := pack(c.files)
	if err != nil {
		return fetched{}, err
	}
	id := digestOf(packed)
	if c.signature != nil {
		id += " " + digestOf(c.signature)
	}
	return fetched{content: c, id: id}, nil
}

// A dirOrigin is a folder.
type dirOrigin struct {
	dir  string
	opts Options
}

func (d dirOrigin) fetch(ctx context.Context) (fetched, error) {
	info, err := os.Stat(d.dir)
	if err == nil && !info.IsDir() {
		err = errors.New("it is not a folder, and its name does not end in .tar.gz")
	}
	if err != nil {
		return fetched{}, &SourceError{Source: d.dir, err: err}
	}
	return identify(readDir(ctx, d.dir, d.opts))
}

// A fileOrigin is a tar.gz.
type fileOrigin struct {
	file string
	opts Options
}

func (f fileOrigin) fetch(ctx context.Context) (_ fetched, err error) {
	r, err := os.Open(filepath.Clean(f.file))
	if err != nil {
		return fetched{}, &SourceError{Source: f.file, err: err}
	}
	defer func() {
		if closed := r.Close(); closed != nil && err == nil {
			err = &SourceError{Source: f.file, err: closed}
		}
	}()
	if info, err := r.Stat(); err != nil || !info.Mode().IsRegular() {
		return fetched{}, &SourceError{Source: f.file, err: errors.Join(err, errors.New("it is not a regular file"))}
	}
	data, err := readAtMost(r, f.opts)
	if err != nil {
		var refused *LoadError
		if errors.As(err, &refused) {
			return fetched{id: err.Error()}, err
		}
		return fetched{}, &SourceError{Source: f.file, err: err}
	}
	return unpacked(ctx, data, f.opts)
}

// unpacked is the content of an archive, identified by its bytes.
func unpacked(ctx context.Context, data []byte, opts Options) (fetched, error) {
	c, err := unpack(ctx, data, opts)
	return fetched{content: c, id: digestOf(data)}, err
}
