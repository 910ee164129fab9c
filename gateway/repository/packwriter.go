package repository

import (
	"bufio"
	"cmp"
	"context"
	"crypto/sha1" //nolint:gosec // the pack's own trailer
	"encoding/binary"
	"fmt"
	"hash"
	"io"
	"slices"
)

// writePack sends objects as a pack of version 2. What the mirror has
// compressed already is copied as it stands: whole objects always, deltas
// where their base has been sent before. The entries are returned for an
// index. ofs says that the reader knows offset deltas.
func writePack(ctx context.Context, w io.Writer, o *objects, ids []objectID, ofs bool) ([]packEntry, int64, error) {
	type item struct {
		id   objectID
		spot packSpot
		rank int
	}
	rank := make(map[*pack]int, len(o.packs))
	for i, p := range o.packs {
		rank[p] = i
	}
	items := make([]item, 0, len(ids))
	for _, id := range ids {
		spot, ok := o.locate(id)
		if !ok {
			return nil, 0, fmt.Errorf("%s: %w", id.hex(), errNoObject)
		}
		items = append(items, item{id, spot, rank[spot.pack]})
	}
	// in the order of the disk, in which bases come before their deltas
	slices.SortFunc(items, func(a, b item) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.spot.off, b.spot.off))
	})
	out := &packWriter{w: bufio.NewWriterSize(w, 64<<10), sum: sha1.New(), o: o, ofs: ofs, sent: make(map[objectID]int64, len(ids))}
	var head [packHeaderLen]byte
	copy(head[:], "PACK")
	binary.BigEndian.PutUint32(head[4:], 2)
	binary.BigEndian.PutUint32(head[8:], uint32(len(items)))
	if err := out.write(head[:]); err != nil {
		return nil, 0, err
	}
	entries := make([]packEntry, 0, len(items))
	for i, it := range items {
		if i%256 == 0 && ctx.Err() != nil {
			return nil, 0, context.Cause(ctx)
		}
		e := packEntry{off: out.off, id: it.id}
		out.crc = 0
		if err := out.object(it.id, it.spot); err != nil {
			return nil, 0, fmt.Errorf("send object %s: %w", it.id.hex(), err)
		}
		out.sent[it.id] = e.off
		e.end, e.crc = out.off, out.crc
		entries = append(entries, e)
	}
	sum := out.sum.Sum(nil)
	if _, err := out.w.Write(sum); err != nil {
		return nil, 0, err
	}
	return entries, out.off + packTrailerLen, out.w.Flush()
}

type packWriter struct {
	w    *bufio.Writer
	sum  hash.Hash
	crc  uint32
	off  int64
	o    *objects
	ofs  bool
	sent map[objectID]int64
	buf  []byte
}

func (p *packWriter) write(b []byte) error {
	p.sum.Write(b)
	p.crc = crcUpdate(p.crc, b)
	p.off += int64(len(b))
	_, err := p.w.Write(b)
	return err
}

func (p *packWriter) object(id objectID, at packSpot) error {
	h, err := at.pack.header(at.off)
	if err != nil {
		return err
	}
	if !h.kind.isDelta() {
		return p.copy(at, h, appendEntryHeader(nil, h.kind, h.size, 0, objectID{}))
	}
	baseID := h.baseID
	if h.kind == kindOfsDelta {
		var ok bool
		if _, baseID, ok = at.pack.extent(h.baseOff); !ok {
			return fmt.Errorf("delta base at %d is not in the index", h.baseOff)
		}
	}
	if baseAt, ok := p.sent[baseID]; ok {
		if p.ofs {
			return p.copy(at, h, appendEntryHeader(nil, kindOfsDelta, h.size, p.off-baseAt, objectID{}))
		}
		return p.copy(at, h, appendEntryHeader(nil, kindRefDelta, h.size, 0, baseID))
	}
	kind, data, err := p.o.readAt(at, maxHeldObject)
	if err != nil {
		return err
	}
	if err := p.write(appendEntryHeader(nil, kind, int64(len(data)), 0, objectID{})); err != nil {
		return err
	}
	return p.write(deflate(data))
}

// copy sends a header and the compressed bytes as they lie in the mirror.
func (p *packWriter) copy(at packSpot, h entryHeader, header []byte) error {
	if err := p.write(header); err != nil {
		return err
	}
	end, _, ok := at.pack.extent(at.off)
	if !ok || end < h.data {
		return fmt.Errorf("entry at %d is not in the index", at.off)
	}
	if p.buf == nil {
		p.buf = make([]byte, 64<<10)
	}
	for off := h.data; off < end; {
		b := p.buf[:min(int64(len(p.buf)), end-off)]
		if _, err := at.pack.file.ReadAt(b, off); err != nil {
			return fmt.Errorf("read pack: %w", err)
		}
		if err := p.write(b); err != nil {
			return err
		}
		off += int64(len(b))
	}
	return nil
}
