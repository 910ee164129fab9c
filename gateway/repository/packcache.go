package repository

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// The cache of finished packs is bounded by both.
const (
	maxCacheBytes = 1 << 30
	maxCacheFiles = 32
)

// packCache keeps finished packs as files, so that many clones of one commit
// cost one enumeration. Callers that ask for the same pack at the same time
// wait for one to make it.
type packCache struct {
	dir string

	mu     sync.Mutex
	making map[string]chan struct{}
}

// cacheKey names a pack that depends on nothing but what is wanted.
func cacheKey(wants []objectID, depth int, ofs bool) string {
	sorted := slices.Clone(wants)
	slices.SortFunc(sorted, func(a, b objectID) int { return slices.Compare(a[:], b[:]) })
	sorted = slices.Compact(sorted)
	h := sha256.New()
	for _, id := range sorted {
		h.Write(id[:])
	}
	tail := binary.BigEndian.AppendUint64(nil, uint64(depth))
	if ofs {
		tail = append(tail, 1)
	}
	h.Write(tail)
	return hex.EncodeToString(h.Sum(nil))
}

// open returns the pack of that key; where there is none, make writes it.
func (c *packCache) open(ctx context.Context, key string, make func(*os.File) error) (f *os.File, cached bool, err error) {
	path := filepath.Join(c.dir, key+".pack")
	for {
		if f, err := os.Open(path); err == nil {
			now := time.Now()
			// the time only orders what is removed first
			if err := os.Chtimes(path, now, now); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, false, errors.Join(fmt.Errorf("touch cached pack: %w", err), f.Close())
			}
			return f, true, nil
		}
		wait := c.claim(key)
		if wait == nil {
			break
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, false, context.Cause(ctx)
		}
	}
	defer c.unclaim(key)
	f, err = c.fill(path, make)
	return f, false, err
}

// claim is nil for the caller that has to make the pack.
func (c *packCache) claim(key string) chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if wait, ok := c.making[key]; ok {
		return wait
	}
	if c.making == nil {
		c.making = map[string]chan struct{}{}
	}
	c.making[key] = make(chan struct{})
	return nil
}

func (c *packCache) unclaim(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.making[key])
	delete(c.making, key)
}

func (c *packCache) fill(path string, write func(*os.File) error) (*os.File, error) {
	f, err := os.CreateTemp(c.dir, ".tmp-")
	if err != nil {
		return nil, fmt.Errorf("cache pack: %w", err)
	}
	err = write(f)
	if err == nil {
		_, err = f.Seek(0, 0)
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	if err := c.trim(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// trim removes the packs that were used longest ago. Who reads one keeps it.
func (c *packCache) trim() error {
	found, err := os.ReadDir(c.dir)
	if err != nil {
		return fmt.Errorf("trim pack cache: %w", err)
	}
	var infos []fs.FileInfo
	var total int64
	for _, e := range found {
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) || !strings.HasSuffix(e.Name(), ".pack") {
			continue
		}
		if err != nil {
			return fmt.Errorf("trim pack cache: %w", err)
		}
		infos = append(infos, info)
		total += info.Size()
	}
	slices.SortFunc(infos, func(a, b fs.FileInfo) int { return cmp.Compare(a.ModTime().UnixNano(), b.ModTime().UnixNano()) })
	for len(infos) > 1 && (len(infos) > maxCacheFiles || total > maxCacheBytes) {
		if err := os.Remove(filepath.Join(c.dir, infos[0].Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("trim pack cache: %w", err)
		}
		total -= infos[0].Size()
		infos = infos[1:]
	}
	return nil
}
