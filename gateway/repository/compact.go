package repository

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// maxPacks is how many packs a mirror has before they become one. Each fetch
// that finds something and each push that is forwarded adds one.
const maxPacks = 24

// compact rewrites everything that the refs reach into one pack and removes
// the others. Requests that read an old pack keep its file open. The caller
// holds the write lock.
func (m *Mirror) compact(ctx context.Context) error {
	m.mu.Lock()
	many := len(m.packs) > maxPacks
	m.mu.Unlock()
	if !many {
		return nil
	}
	o, err := m.objects()
	if err != nil {
		return err
	}
	defer o.close()
	var roots []objectID
	for _, id := range m.currentRefs() {
		oid, err := parseID(id)
		if err != nil {
			return err
		}
		roots = append(roots, oid)
	}
	w := &walker{ctx: ctx, o: o, commits: &m.commits}
	ids, err := w.enumerate(objectsWanted{wants: roots})
	if err != nil {
		return fmt.Errorf("compact the mirror: %w", err)
	}
	dir := filepath.Join(m.dir, "objects/pack")
	f, err := os.CreateTemp(dir, ".tmp-compact-")
	if err != nil {
		return fmt.Errorf("compact the mirror: %w", err)
	}
	entries, size, err := writePack(ctx, f, o, ids, true)
	if err != nil {
		return errors.Join(fmt.Errorf("compact the mirror: %w", err), f.Close(), os.Remove(f.Name()))
	}
	p, err := sealPack(f, size, entries, dir, true)
	if err != nil {
		return fmt.Errorf("compact the mirror: %w", err)
	}
	return m.replacePacks(p)
}

// replacePacks makes p the only pack.
func (m *Mirror) replacePacks(p *pack) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	old := m.packs
	m.packs = []*pack{p}
	m.rewritten++
	var errs []error
	for _, q := range old {
		errs = append(errs, q.release())
		if q.path == p.path {
			continue
		}
		// the index first: a pack without one is removed by the next Open
		errs = append(errs, os.Remove(strings.TrimSuffix(q.path, ".pack")+".idx"), os.Remove(q.path))
	}
	return errors.Join(errs...)
}
