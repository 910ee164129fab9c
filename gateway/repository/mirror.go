package repository

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"leviathan/gateway"
)

// A Mirror is the bare mirror of one target's repository. Its methods are
// safe for concurrent use: readers never wait for the network, and what
// writes to it (Fetch, Forward) does so one at a time. One process opens a
// directory at a time.
type Mirror struct {
	dir      string
	upstream transport
	local    *pathTransport // the upstream, if it is a path; else nil
	writing  chan struct{}  // holds one token; who has it may write
	commits  commitCache
	cache    packCache
	store    sync.Mutex // the refused store and its quota

	mu     sync.Mutex // guards what follows
	refs   Refs
	packs  []*pack
	closed bool
	// rewritten counts how often compact has dropped what no ref reaches.
	rewritten int
}

// Open opens the mirror in dir, and creates it if there is none. It needs no
// network. Leftovers of a crash are removed. It refuses an upstream whose URL
// it may not use, and repositories with SHA-256 object ids.
func Open(ctx context.Context, dir string, up Upstream) (*Mirror, error) {
	for _, d := range []string{"objects/pack", "objects/info", "refs/heads", "quarantine", "refused", "cache"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			return nil, fmt.Errorf("create mirror: %w", err)
		}
	}
	tr, err := newTransport(up, dir)
	if err != nil {
		return nil, err
	}
	if err := refuseSHA256(dir); err != nil {
		return nil, err
	}
	for name, text := range map[string]string{
		"HEAD":   "ref: refs/heads/main\n",
		"config": "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n[gc]\n\tauto = 0\n",
	} {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			if err := writeFile(path, []byte(text)); err != nil {
				return nil, err
			}
		}
	}
	m := &Mirror{dir: dir, upstream: tr, writing: make(chan struct{}, 1)}
	m.local, _ = tr.(*pathTransport)
	m.cache.dir = filepath.Join(dir, "cache")
	if err := m.sweep(); err != nil {
		return nil, err
	}
	if m.refs, err = readRefs(dir); err != nil {
		return nil, err
	}
	if err := m.openPacks(ctx); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

// sweep removes what a crash left behind.
func (m *Mirror) sweep() error {
	for _, d := range []string{"quarantine", "cache"} {
		found, err := os.ReadDir(filepath.Join(m.dir, d))
		if err != nil {
			return fmt.Errorf("sweep %s: %w", d, err)
		}
		for _, e := range found {
			if d == "cache" && strings.HasSuffix(e.Name(), ".pack") {
				continue
			}
			if err := os.RemoveAll(filepath.Join(m.dir, d, e.Name())); err != nil {
				return fmt.Errorf("sweep %s: %w", d, err)
			}
		}
	}
	for _, pattern := range []string{".tmp-*", "objects/pack/.tmp-*", "refused/.tmp-*"} {
		found, err := filepath.Glob(filepath.Join(m.dir, pattern))
		if err != nil {
			return fmt.Errorf("sweep: %w", err)
		}
		for _, path := range found {
			if err := os.RemoveAll(path); err != nil {
				return fmt.Errorf("sweep: %w", err)
			}
		}
	}
	return nil
}

// openPacks opens every pack that has an index; a pack without one is the
// rest of a crash.
func (m *Mirror) openPacks(ctx context.Context) error {
	found, err := filepath.Glob(filepath.Join(m.dir, "objects/pack/pack-*.pack"))
	if err != nil {
		return fmt.Errorf("list packs: %w", err)
	}
	for _, path := range found {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if _, err := os.Stat(strings.TrimSuffix(path, ".pack") + ".idx"); errors.Is(err, os.ErrNotExist) {
			if err := os.Remove(path); err != nil {
				return fmt.Errorf("sweep packs: %w", err)
			}
			continue
		}
		p, err := openPack(path)
		if err != nil {
			return err
		}
		m.packs = append(m.packs, p)
	}
	return nil
}

var objectFormat = regexp.MustCompile(`(?im)^\s*objectformat\s*=\s*"?sha256`)

// refuseSHA256 reads a repository's config, if it has one.
func refuseSHA256(dir string) error {
	for _, name := range []string{"config", ".git/config"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read git config: %w", err)
		}
		if objectFormat.Match(data) {
			return errSHA256()
		}
	}
	return nil
}

func errSHA256() error {
	return gateway.Errorf(gateway.Invalid, "the repository has SHA-256 object ids; only SHA-1 repositories are supported")
}

// Close lets go of the mirror's files. Requests that still run finish.
func (m *Mirror) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	var errs []error
	for _, p := range m.packs {
		errs = append(errs, p.release())
	}
	m.packs = nil
	return errors.Join(errs...)
}

// lock waits for the right to write.
func (m *Mirror) lock(ctx context.Context) error {
	select {
	case m.writing <- struct{}{}:
		return nil
	case <-ctx.Done():
		return gateway.Errorf(gateway.Unknown, "wait for the mirror: %v", context.Cause(ctx))
	}
}

func (m *Mirror) unlock() { <-m.writing }

// packDir is where the packs lie.
func (m *Mirror) packDir() string { return filepath.Join(m.dir, "objects/pack") }

// objects opens what the mirror has now, for one request.
func (m *Mirror) objects() (*objects, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, gateway.Errorf(gateway.Unknown, "the mirror is closed")
	}
	packs := make([]*pack, 0, len(m.packs)+1)
	for _, p := range m.packs {
		p.retain()
		packs = append(packs, p)
	}
	return newObjects(packs), nil
}

// addPack makes a pack that lies in objects/pack visible.
func (m *Mirror) addPack(p *pack) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, have := range m.packs {
		if have.path == p.path {
			return p.release()
		}
	}
	if m.closed {
		return errors.Join(p.release(), gateway.Errorf(gateway.Unknown, "the mirror is closed"))
	}
	m.packs = append([]*pack{p}, m.packs...)
	return nil
}

// updateRefs changes the refs on disk, then in memory.
func (m *Mirror) updateRefs(change func(Refs)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	next := maps.Clone(m.refs)
	change(next)
	if maps.Equal(next, m.refs) {
		return nil
	}
	if err := writeRefs(m.dir, next); err != nil {
		return err
	}
	m.refs = next
	return nil
}

// showRef lets the mirror have a ref that the upstream has, once ready is done
// without an error: that is what makes its objects durable. The list of refs is
// written meanwhile. That it is the new list is not durable: after a crash it
// may be the old one, whole, and the next Fetch brings the ref again.
func (m *Mirror) showRef(ref string, id gateway.OID, ready func() error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	next := maps.Clone(m.refs)
	next[ref] = id
	path := filepath.Join(m.dir, packedRefs)
	done := inBackground(ready)
	staged, err := stageFile(path, formatRefs(next))
	if err := errors.Join(err, done()); err != nil {
		return errors.Join(err, staged.drop())
	}
	if err := staged.put(); err != nil {
		return err
	}
	m.refs = next
	return nil
}

func (m *Mirror) rewrites() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rewritten
}

func (m *Mirror) currentRefs() Refs {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.refs // replaced, never changed
}

// Head is the commit of refs/heads/<branch> as of the last Fetch or Forward.
// An unknown branch is gateway.NotFound.
func (m *Mirror) Head(branch string) (gateway.OID, error) {
	id, ok := m.currentRefs()["refs/heads/"+branch]
	if !ok {
		return "", gateway.Errorf(gateway.NotFound, "the mirror has no branch %s", branch)
	}
	return id, nil
}

// Pin keeps a commit and what it reaches in the mirror, under an id of
// letters, digits, dots, hyphens and underscores. Pinning an id again moves
// it. A commit that the mirror lacks is gateway.NotFound.
func (m *Mirror) Pin(id string, commit gateway.OID) error {
	if !validKey(id) {
		return gateway.Errorf(gateway.Invalid, "pin %q is not a valid name", id)
	}
	oid, err := parseID(commit)
	if err != nil {
		return err
	}
	o, err := m.objects()
	if err != nil {
		return err
	}
	defer o.close()
	if kind, _, err := o.stat(oid); err != nil {
		return notFound(err, "the mirror has no commit %s", commit)
	} else if kind != kindCommit {
		return gateway.Errorf(gateway.Invalid, "%s is a %s, not a commit", commit, kind)
	}
	return m.updateRefs(func(r Refs) { r[pinPrefix+id] = commit })
}

// Unpin lets a pin go; one that does not exist is no error.
func (m *Mirror) Unpin(id string) error {
	if !validKey(id) {
		return gateway.Errorf(gateway.Invalid, "pin %q is not a valid name", id)
	}
	return m.updateRefs(func(r Refs) { delete(r, pinPrefix+id) })
}
