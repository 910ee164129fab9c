package repository

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"leviathan/gateway"
)

const metaName = "push.json"

// A refusedPush is what the store remembers beside the objects.
type refusedPush struct {
	Ref           string           `json:"ref"`
	Old           gateway.OID      `json:"old"`
	New           gateway.OID      `json:"new"`
	Prerequisites []gateway.OID    `json:"prerequisites"`
	Pack          string           `json:"pack"`
	Indexed       bool             `json:"indexed"`
	Digest        string           `json:"digest"`
	KeptAt        gateway.Time     `json:"kept_at"`
	Problems      []gateway.Reason `json:"problems,omitempty"`
}

// Keep moves the quarantine into the store of refused pushes under an id of
// letters, digits, dots, hyphens and underscores, and returns the ids of the
// pushes that had to go for it: those over Limits.StoreAge, then the oldest
// until all are within Limits.StoreBytes. A pack that could not be read is
// kept as it came; a push without a pack leaves nothing to keep. An id that
// is taken is gateway.Conflict; a push larger than the whole store is
// gateway.TooLarge.
func (p *Push) Keep(id string) (evicted []string, err error) {
	if !validKey(id) {
		return nil, gateway.Errorf(gateway.Invalid, "%q is not a valid name for a kept push", sanitize(id))
	}
	if p.dir == "" {
		return nil, nil
	}
	meta, err := p.describe()
	if err != nil {
		return nil, err
	}
	data, err := json.MarshalIndent(meta, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("keep push: %w", err)
	}
	if err := syncFile(filepath.Join(p.dir, meta.Pack)); err != nil {
		return nil, err
	}
	if err := writeFile(filepath.Join(p.dir, metaName), append(data, '\n')); err != nil {
		return nil, err
	}
	size, err := folderSize(p.dir)
	if err != nil {
		return nil, err
	}
	if size > p.lim.StoreBytes {
		return nil, gateway.Errorf(gateway.TooLarge, "the push has %d bytes, the store of refused pushes %d", size, p.lim.StoreBytes)
	}
	p.m.store.Lock()
	defer p.m.store.Unlock()
	target := filepath.Join(p.m.dir, "refused", id)
	if _, err := os.Lstat(target); err == nil {
		return nil, gateway.Errorf(gateway.Conflict, "a refused push is kept as %s already", id)
	}
	if err := os.Rename(p.dir, target); err != nil {
		return nil, fmt.Errorf("keep push: %w", err)
	}
	p.dir = ""
	if err := syncDir(filepath.Dir(target)); err != nil {
		return nil, err
	}
	return p.m.evict(p.lim, id)
}

func (p *Push) describe() (refusedPush, error) {
	meta := refusedPush{
		Ref: p.Ref(), Old: p.Old(), New: p.New(), Digest: p.digest, Pack: rawName,
		KeptAt: gateway.At(time.Now()), Problems: p.problems,
	}
	if p.pack == nil {
		return meta, nil
	}
	meta.Pack, meta.Indexed = filepath.Base(p.pack.path), true
	p.pack.retain()
	o := newObjects([]*pack{p.pack})
	defer o.close()
	needed := map[gateway.OID]bool{}
	for i := range p.pack.n {
		id := p.pack.idAt(i)
		kind, _, err := o.stat(id)
		if err != nil {
			return meta, fmt.Errorf("keep push: %w", err)
		}
		if kind != kindCommit {
			continue
		}
		raw, err := o.readTyped(id, kindCommit, 0)
		if err != nil {
			return meta, fmt.Errorf("keep push: %w", err)
		}
		info, err := parseCommitInfo(raw)
		if err != nil {
			continue // a malformed commit is kept like any other
		}
		for _, parent := range info.parents {
			if !o.has(parent) {
				needed[parent.hex()] = true
			}
		}
	}
	if head, err := parseID(p.New()); err == nil && !o.has(head) {
		needed[p.New()] = true
	}
	for id := range needed {
		meta.Prerequisites = append(meta.Prerequisites, id)
	}
	slices.Sort(meta.Prerequisites)
	return meta, nil
}

func folderSize(dir string) (int64, error) {
	var total int64
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			total += info.Size()
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("measure %s: %w", filepath.Base(dir), err)
	}
	return total, nil
}

// Evict removes refused pushes that are over the age or the size of the
// limits, oldest first, and returns their ids.
func (m *Mirror) Evict(lim Limits) ([]string, error) {
	m.store.Lock()
	defer m.store.Unlock()
	return m.evict(lim.withDefaults(), "")
}

// evict never removes keep. The caller holds the store.
func (m *Mirror) evict(lim Limits, keep string) ([]string, error) {
	type kept struct {
		id   string
		at   time.Time
		size int64
	}
	root := filepath.Join(m.dir, "refused")
	found, err := os.ReadDir(root)
	if err != nil {
		return nil, fmt.Errorf("list refused pushes: %w", err)
	}
	var all []kept
	var total int64
	for _, d := range found {
		info, err := os.Stat(filepath.Join(root, d.Name(), metaName))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("list refused pushes: %w", err)
		}
		k := kept{id: d.Name()}
		if err == nil {
			k.at = info.ModTime()
		}
		if k.size, err = folderSize(filepath.Join(root, d.Name())); err != nil {
			return nil, err
		}
		total += k.size
		all = append(all, k)
	}
	slices.SortFunc(all, func(a, b kept) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.id, b.id)) })
	var evicted []string
	oldest := time.Now().Add(-lim.StoreAge)
	for _, k := range all {
		if k.id == keep || total <= lim.StoreBytes && !k.at.Before(oldest) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(root, k.id)); err != nil {
			return evicted, fmt.Errorf("evict refused push %s: %w", k.id, err)
		}
		total -= k.size
		evicted = append(evicted, k.id)
	}
	return evicted, nil
}

// Bundle writes a refused push as a git bundle of version 2, whose
// prerequisites are the commits that it was made on: stock git fetches its ref
// from the file. An id that is not kept is gateway.NotFound; a pack that could
// not be read is gateway.Conflict, and lies in the store as it came.
func (m *Mirror) Bundle(ctx context.Context, id string, w io.Writer) error {
	if !validKey(id) {
		return gateway.Errorf(gateway.NotFound, "no refused push is kept under that name")
	}
	meta, f, err := m.openRefused(id)
	if err != nil {
		return err
	}
	defer f.Close()
	b := bufio.NewWriterSize(w, 64<<10)
	fmt.Fprintln(b, "# v2 git bundle") // bufio keeps the first error for Flush
	for _, pre := range meta.Prerequisites {
		fmt.Fprintf(b, "-%s base of a refused push\n", pre)
	}
	fmt.Fprintf(b, "%s %s\n\n", meta.New, meta.Ref)
	if _, err := io.Copy(b, &contextReader{ctx, f}); err != nil {
		return fmt.Errorf("write bundle: %w", err)
	}
	if err := b.Flush(); err != nil {
		return fmt.Errorf("write bundle: %w", err)
	}
	return nil
}

func (m *Mirror) openRefused(id string) (refusedPush, *os.File, error) {
	m.store.Lock()
	defer m.store.Unlock()
	var meta refusedPush
	dir := filepath.Join(m.dir, "refused", id)
	data, err := os.ReadFile(filepath.Join(dir, metaName))
	if errors.Is(err, fs.ErrNotExist) {
		return meta, nil, gateway.Errorf(gateway.NotFound, "no refused push is kept as %s", id)
	}
	if err != nil {
		return meta, nil, fmt.Errorf("read refused push: %w", err)
	}
	if err := json.Unmarshal(data, &meta); err != nil {
		return meta, nil, fmt.Errorf("read refused push: %w", err)
	}
	if !meta.Indexed {
		return meta, nil, gateway.Errorf(gateway.Conflict, "the pack of %s could not be read and has no bundle; it is kept as it came, as %s", id, meta.Pack)
	}
	if !validRef(meta.Ref) {
		return meta, nil, gateway.Errorf(gateway.Conflict, "the push of %s names no well-formed ref and has no bundle; its pack is kept as %s", id, meta.Pack)
	}
	f, err := os.Open(filepath.Join(dir, filepath.Base(meta.Pack)))
	if err != nil {
		return meta, nil, fmt.Errorf("open refused push: %w", err)
	}
	return meta, f, nil
}
