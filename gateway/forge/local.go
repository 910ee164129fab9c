package forge

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"leviathan/gateway"
)

// LocalOptions are what a local forge may be told. The zero value is usual.
type LocalOptions struct {
	// GitBinary is the path or name of git; empty: "git", looked for in PATH.
	GitBinary string
}

// Local is the forge of a bare repository on disk: see the package comment.
// It is safe for concurrent use. One process at a time opens pull requests for
// one attempt; between different attempts processes may race.
type Local struct {
	git git

	opening sync.Mutex // one Open at a time

	mu      sync.Mutex
	checked bool        // the repository was found to be a bare one
	lastKey string      // what the last observation was made of
	last    Observation // and what it was
}

var _ Forge = (*Local)(nil)

// NewLocal makes the forge of the bare repository at an absolute path. It
// needs git 2.39 or later; the repository itself may come later.
func NewLocal(path string, opts LocalOptions) (*Local, error) {
	if !filepath.IsAbs(path) || !oneLine(path) {
		return nil, gateway.Errorf(gateway.Invalid, "a local forge needs an absolute path, not %q", path)
	}
	binary, err := exec.LookPath(cmp.Or(opts.GitBinary, "git"))
	if err != nil {
		return nil, gateway.Errorf(gateway.Invalid, "a local forge needs the git binary: %v", err)
	}
	if binary, err = filepath.Abs(binary); err != nil {
		return nil, fmt.Errorf("locate git: %w", err)
	}
	l := &Local{git: git{binary: binary, dir: filepath.Clean(path)}}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	version, err := l.git.run(ctx, "", "version")
	if err != nil {
		return nil, err
	}
	var major, minor int
	if _, err := fmt.Sscanf(version, "git version %d.%d", &major, &minor); err != nil || major < 2 || major == 2 && minor < 39 {
		return nil, gateway.Errorf(gateway.Invalid, "a local forge needs git 2.39 or later, and %s is %s", binary, strings.TrimSpace(version))
	}
	return l, nil
}

// check fails unless the repository is a bare one with SHA-1 ids. Once is
// enough: that does not change.
func (l *Local) check(ctx context.Context) error {
	l.mu.Lock()
	checked := l.checked
	l.mu.Unlock()
	if checked {
		return nil
	}
	if _, err := os.Stat(filepath.Join(l.git.dir, ".git")); err == nil {
		return notBare(l.git.dir)
	}
	out, err := l.git.run(ctx, "", "rev-parse", "--is-bare-repository", "--show-object-format")
	if err != nil {
		return err
	}
	switch {
	case !strings.HasPrefix(out, "true\n"):
		return notBare(l.git.dir)
	case out != "true\nsha1\n":
		return gateway.Errorf(gateway.Invalid, "%s does not have SHA-1 object ids", l.git.dir)
	}
	l.mu.Lock()
	l.checked = true
	l.mu.Unlock()
	return nil
}

func notBare(dir string) error {
	return gateway.Errorf(gateway.Invalid, "%s is not a bare repository; make one of it with: git clone --bare %s %s", dir, quote(dir), quote(dir+".git"))
}

func (l *Local) url(n int) string {
	u := url.URL{Scheme: "file", Path: l.git.dir, Fragment: pullRef(n)}
	return u.String()
}
