package repository

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"context"
	"crypto/sha1" //nolint:gosec // checksums of files
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/go-git/go-git/v5/plumbing/format/packfile"
)

// A resolver gives every delta of a scanned pack its id, type and size.
type resolver struct {
	file    *os.File
	size    int64
	entries []packEntry
	byOff   map[int64]int
	byID    map[objectID]int
	kids    map[int][]int      // ofs-deltas (and ref-deltas whose base is known) by base
	waiting map[objectID][]int // ref-deltas by a base that is not known yet
	// outside reads a base that the pack lacks; nil where none may.
	outside func(objectID) (objectKind, []byte, error)
	thin    []thinBase // the bases that came from outside
}

type thinBase struct {
	id   objectID
	kind objectKind
	data []byte
}

// resolveDeltas completes the entries in place and returns the bases that
// the pack lacks.
func resolveDeltas(ctx context.Context, f *os.File, size int64, entries []packEntry,
	outside func(objectID) (objectKind, []byte, error),
) ([]thinBase, error) {
	r := &resolver{
		file: f, size: size, entries: entries, outside: outside,
		byOff: make(map[int64]int, len(entries)), byID: make(map[objectID]int, len(entries)),
		kids: map[int][]int{}, waiting: map[objectID][]int{},
	}
	if err := r.link(); err != nil {
		return nil, err
	}
	for i := range entries {
		if !entries[i].kind.isDelta() && (len(r.kids[i]) > 0 || len(r.waiting[entries[i].id]) > 0) {
			if err := r.descend(ctx, i, nil); err != nil {
				return nil, err
			}
		}
	}
	for len(r.waiting) > 0 {
		if err := r.resolveThin(ctx); err != nil {
			return nil, err
		}
	}
	for i := range entries {
		if entries[i].kind.isDelta() {
			return nil, errors.New("delta without a base in the pack")
		}
	}
	return slices.DeleteFunc(r.thin, func(b thinBase) bool { _, own := r.byID[b.id]; return own }), nil
}

func (r *resolver) link() error {
	for i := range r.entries {
		e := &r.entries[i]
		r.byOff[e.off] = i
		switch e.kind {
		case kindOfsDelta:
			base, ok := r.byOff[e.baseOff]
			if !ok {
				return errors.New("delta base is not the beginning of an object")
			}
			r.kids[base] = append(r.kids[base], i)
		case kindRefDelta:
			r.waiting[e.baseID] = append(r.waiting[e.baseID], i)
		default:
			if err := r.name(i); err != nil {
				return err
			}
		}
	}
	return nil
}

// name records an entry whose id is known.
func (r *resolver) name(i int) error {
	id := r.entries[i].id
	if _, dup := r.byID[id]; dup {
		return fmt.Errorf("pack holds object %s twice", id.hex())
	}
	r.byID[id] = i
	return nil
}

// children takes the deltas that wait for entry i. Those without deltas of
// their own come first: before the last one its base can be let go, so that a
// long chain holds two objects and not all of them.
func (r *resolver) children(i int) []int {
	kids := r.kids[i]
	id := r.entries[i].id
	kids = append(kids, r.waiting[id]...)
	delete(r.waiting, id)
	delete(r.kids, i)
	slices.SortStableFunc(kids, func(a, b int) int { return len(r.kids[a]) - len(r.kids[b]) })
	return kids
}

type resolveFrame struct {
	data []byte
	kind objectKind
	kids []int
}

// descend resolves everything that is built on entry i, whose contents are
// read from the pack when data is nil.
func (r *resolver) descend(ctx context.Context, i int, data []byte) error {
	if data == nil {
		var err error
		if data, err = r.inflate(i); err != nil {
			return err
		}
	}
	return r.run(ctx, resolveFrame{data, r.entries[i].kind, r.children(i)})
}

func (r *resolver) run(ctx context.Context, first resolveFrame) error {
	stack := []resolveFrame{first}
	for len(stack) > 0 {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		top := &stack[len(stack)-1]
		if len(top.kids) == 0 {
			stack = stack[:len(stack)-1]
			continue
		}
		kid, kind, base := top.kids[0], top.kind, top.data
		if top.kids = top.kids[1:]; len(top.kids) == 0 {
			stack = stack[:len(stack)-1]
		}
		data, err := r.apply(kid, kind, base)
		if err != nil {
			return err
		}
		if kids := r.children(kid); len(kids) > 0 {
			stack = append(stack, resolveFrame{data, kind, kids})
		}
	}
	return nil
}

func (r *resolver) inflate(i int) ([]byte, error) {
	e := r.entries[i]
	p := &pack{file: r.file, size: r.size}
	h, err := p.header(e.off)
	if err != nil {
		return nil, err
	}
	return inflateAt(p, h.data, h.size)
}

func (r *resolver) apply(i int, kind objectKind, base []byte) ([]byte, error) {
	delta, err := r.inflate(i)
	if err != nil {
		return nil, err
	}
	data, err := packfile.PatchDelta(base, delta)
	if err != nil {
		return nil, fmt.Errorf("apply delta: %w", err)
	}
	e := &r.entries[i]
	e.kind, e.size, e.id = kind, int64(len(data)), hashObject(kind, data)
	return data, r.name(i)
}

// resolveThin brings in one base from outside the pack: the first, in the
// pack's order, that can be had. One that cannot may be the result of a delta
// that still waits itself.
func (r *resolver) resolveThin(ctx context.Context) error {
	if r.outside == nil {
		return errors.New("delta base is not in the pack")
	}
	bases := slices.SortedFunc(maps.Keys(r.waiting), func(a, b objectID) int {
		return r.waiting[a][0] - r.waiting[b][0]
	})
	var missing error
	for _, id := range bases {
		kind, data, err := r.outside(id)
		if errors.Is(err, errNoObject) {
			missing = fmt.Errorf("delta base: %w", err)
			continue
		}
		if err != nil {
			return fmt.Errorf("delta base: %w", err)
		}
		kids := r.waiting[id]
		delete(r.waiting, id)
		r.thin = append(r.thin, thinBase{id, kind, data})
		return r.run(ctx, resolveFrame{data, kind, kids})
	}
	return missing
}

// completePack appends the outside bases to a thin pack, so that it stands
// alone, and returns the entries with theirs.
func completePack(f *os.File, size int64, entries []packEntry, thin []thinBase) ([]packEntry, int64, error) {
	off := size - packTrailerLen
	for _, b := range thin {
		body := deflate(b.data)
		raw := append(appendEntryHeader(nil, b.kind, int64(len(b.data)), 0, objectID{}), body...)
		if _, err := f.WriteAt(raw, off); err != nil {
			return nil, 0, fmt.Errorf("complete thin pack: %w", err)
		}
		entries = append(entries, packEntry{off: off, end: off + int64(len(raw)), kind: b.kind, size: int64(len(b.data)), crc: crcOf(raw), id: b.id})
		off += int64(len(raw))
	}
	var count [4]byte
	binary.BigEndian.PutUint32(count[:], uint32(len(entries)))
	if _, err := f.WriteAt(count[:], 8); err != nil {
		return nil, 0, fmt.Errorf("complete thin pack: %w", err)
	}
	sum := sha1.New()
	if _, err := io.Copy(sum, io.NewSectionReader(f, 0, off)); err != nil {
		return nil, 0, fmt.Errorf("complete thin pack: %w", err)
	}
	if _, err := f.WriteAt(sum.Sum(nil), off); err != nil {
		return nil, 0, fmt.Errorf("complete thin pack: %w", err)
	}
	return entries, off + packTrailerLen, nil
}

func deflate(data []byte) []byte {
	var b bytes.Buffer
	z, _ := zlib.NewWriterLevel(&b, zlib.BestSpeed) // the level is a valid constant
	z.Write(data)                                   // a bytes.Buffer takes every write
	z.Close()
	return b.Bytes()
}

// writeIndex writes the index of a pack, version 2. It sorts entries.
func writeIndex(path string, entries []packEntry, checksum []byte, durable bool) (err error) {
	slices.SortFunc(entries, func(a, b packEntry) int { return bytes.Compare(a.id[:], b.id[:]) })
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("create index: %w", err)
	}
	defer func() {
		if err == nil && durable {
			err = f.Sync()
		}
		err = errors.Join(err, f.Close())
	}()
	sum := sha1.New()
	w := bufio.NewWriterSize(io.MultiWriter(f, sum), 64<<10)
	w.Write(idxMagic) // bufio keeps the first error for Flush
	var counts [256]uint32
	for i := range entries {
		counts[entries[i].id[0]]++
	}
	var total uint32
	for _, c := range counts {
		total += c
		putUint32(w, total)
	}
	for i := range entries {
		w.Write(entries[i].id[:])
	}
	for i := range entries {
		putUint32(w, entries[i].crc)
	}
	var large []int64
	for i := range entries {
		if off := entries[i].off; off < 1<<31 {
			putUint32(w, uint32(off))
		} else {
			putUint32(w, 1<<31|uint32(len(large)))
			large = append(large, off)
		}
	}
	for _, off := range large {
		putUint32(w, uint32(off>>32))
		putUint32(w, uint32(off))
	}
	w.Write(checksum)
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write index: %w", err)
	}
	if _, err := f.Write(sum.Sum(nil)); err != nil {
		return fmt.Errorf("write index: %w", err)
	}
	return nil
}

func putUint32(w *bufio.Writer, v uint32) {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], v)
	w.Write(b[:]) // bufio keeps the first error for Flush
}

// sealPack writes the index of the pack in f, gives both their final name in
// dir and opens the result. f is closed. durable says that they must outlive a
// crash, which a quarantine need not.
func sealPack(f *os.File, size int64, entries []packEntry, dir string, durable bool) (p *pack, err error) {
	tmp := f.Name()
	sum := make([]byte, packTrailerLen)
	if _, err := f.ReadAt(sum, size-packTrailerLen); err != nil {
		return nil, errors.Join(fmt.Errorf("read pack trailer: %w", err), f.Close())
	}
	var syncErr error
	if durable {
		syncErr = f.Sync()
	}
	if err := errors.Join(syncErr, f.Close()); err != nil {
		return nil, fmt.Errorf("write pack: %w", err)
	}
	path := filepath.Join(dir, "pack-"+hex.EncodeToString(sum)+".pack")
	idx := filepath.Join(dir, "pack-"+hex.EncodeToString(sum)+".idx")
	if err := os.Remove(idx); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("replace index: %w", err)
	}
	// the pack goes first: git takes a pack for real when its index is there
	if err := os.Rename(tmp, path); err != nil {
		return nil, fmt.Errorf("name pack: %w", err)
	}
	if err := writeIndex(idx, entries, sum, durable); err != nil {
		return nil, err
	}
	if durable {
		if err := syncDir(dir); err != nil {
			return nil, err
		}
	}
	return openPack(path)
}
