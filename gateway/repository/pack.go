package repository

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
)

// A pack is an open packfile with its index in memory. It is immutable and
// safe for concurrent use; retain and release count who still reads it.
type pack struct {
	path string // of the .pack file
	file *os.File
	size int64
	n    int
	// the tables of the index, version 2
	fanout, names, crcs, offs32, offs64 []byte

	users atomic.Int64

	once    sync.Once
	byOff   []int64  // sorted offsets
	idAtOff []uint32 // index position of each
}

const (
	packHeaderLen  = 12
	packTrailerLen = 20
	idxHeaderLen   = 8
	fanoutLen      = 256 * 4
)

var idxMagic = []byte{255, 't', 'O', 'c', 0, 0, 0, 2}

// openPack opens a pack whose index lies beside it.
func openPack(path string) (*pack, error) {
	idx, err := os.ReadFile(strings.TrimSuffix(path, ".pack") + ".idx")
	if err != nil {
		return nil, fmt.Errorf("read index of %s: %w", path, err)
	}
	p := &pack{path: path}
	if err := p.parseIndex(idx); err != nil {
		return nil, fmt.Errorf("index of %s: %w", path, err)
	}
	if p.file, err = os.Open(path); err != nil {
		return nil, fmt.Errorf("open pack: %w", err)
	}
	st, err := p.file.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("stat pack: %w", err), p.file.Close())
	}
	p.size = st.Size()
	p.users.Store(1)
	return p, nil
}

func (p *pack) parseIndex(idx []byte) error {
	if len(idx) < idxHeaderLen+fanoutLen+40 || !bytes.Equal(idx[:idxHeaderLen], idxMagic) {
		return errors.New("not an index of version 2")
	}
	p.fanout = idx[idxHeaderLen : idxHeaderLen+fanoutLen]
	p.n = int(binary.BigEndian.Uint32(p.fanout[fanoutLen-4:]))
	rest := idx[idxHeaderLen+fanoutLen:]
	if int64(len(rest)) < int64(p.n)*28+40 {
		return errors.New("index is cut short")
	}
	p.names, rest = rest[:p.n*20], rest[p.n*20:]
	p.crcs, rest = rest[:p.n*4], rest[p.n*4:]
	p.offs32, rest = rest[:p.n*4], rest[p.n*4:]
	p.offs64 = rest[:len(rest)-40]
	return nil
}

func (p *pack) retain() { p.users.Add(1) }

// release closes the file when the last user has gone.
func (p *pack) release() error {
	if p.users.Add(-1) == 0 {
		return p.file.Close()
	}
	return nil
}

func (p *pack) idAt(i int) objectID { return objectID(p.names[i*20 : i*20+20]) }

func (p *pack) offsetAt(i int) int64 {
	v := binary.BigEndian.Uint32(p.offs32[i*4:])
	if v&(1<<31) == 0 {
		return int64(v)
	}
	at := int(v&^(1<<31)) * 8
	if at+8 > len(p.offs64) {
		return -1
	}
	return int64(binary.BigEndian.Uint64(p.offs64[at:]))
}

// find is the offset of the object's entry.
func (p *pack) find(id objectID) (int64, bool) {
	lo := 0
	if id[0] > 0 {
		lo = int(binary.BigEndian.Uint32(p.fanout[(int(id[0])-1)*4:]))
	}
	hi := int(binary.BigEndian.Uint32(p.fanout[int(id[0])*4:]))
	if hi > p.n || lo > hi {
		return 0, false
	}
	i := lo + sort.Search(hi-lo, func(i int) bool {
		at := (lo + i) * 20
		return bytes.Compare(p.names[at:at+20], id[:]) >= 0
	})
	if i >= hi || p.idAt(i) != id {
		return 0, false
	}
	return p.offsetAt(i), true
}

// sortOffsets builds the reverse index, once.
func (p *pack) sortOffsets() {
	p.once.Do(func() {
		p.idAtOff = make([]uint32, p.n)
		for i := range p.idAtOff {
			p.idAtOff[i] = uint32(i)
		}
		slices.SortFunc(p.idAtOff, func(a, b uint32) int {
			oa, ob := p.offsetAt(int(a)), p.offsetAt(int(b))
			switch {
			case oa < ob:
				return -1
			case oa > ob:
				return 1
			}
			return 0
		})
		p.byOff = make([]int64, p.n)
		for i, at := range p.idAtOff {
			p.byOff[i] = p.offsetAt(int(at))
		}
	})
}

// extent is the end of the entry that begins at off, and the id of its object.
func (p *pack) extent(off int64) (end int64, id objectID, ok bool) {
	p.sortOffsets()
	i, ok := slices.BinarySearch(p.byOff, off)
	if !ok {
		return 0, objectID{}, false
	}
	end = p.size - packTrailerLen
	if i+1 < len(p.byOff) {
		end = p.byOff[i+1]
	}
	return end, p.idAt(int(p.idAtOff[i])), true
}

// An entryHeader is what stands before an entry's compressed bytes.
type entryHeader struct {
	kind    objectKind
	size    int64 // inflated; of a delta, of its instructions
	data    int64 // where the compressed bytes begin
	baseOff int64 // of an ofs-delta
	baseID  objectID
}

// header reads the entry header at off.
func (p *pack) header(off int64) (entryHeader, error) {
	var buf [48]byte
	n, err := p.file.ReadAt(buf[:], off)
	if n == 0 {
		return entryHeader{}, fmt.Errorf("read pack entry at %d: %w", off, err)
	}
	r := bytes.NewReader(buf[:n])
	h, err := decodeEntryHeader(r, off)
	if err != nil {
		return entryHeader{}, fmt.Errorf("pack entry at %d: %w", off, err)
	}
	h.data = off + int64(n-r.Len())
	return h, nil
}

// decodeEntryHeader reads type, size and base. It leaves data alone.
func decodeEntryHeader(r io.ByteReader, off int64) (entryHeader, error) {
	var h entryHeader
	c, err := r.ReadByte()
	if err != nil {
		return h, err
	}
	h.kind = objectKind(c >> 4 & 7)
	h.size = int64(c & 15)
	for shift := 4; c&0x80 != 0; shift += 7 {
		if shift > 53 {
			return h, errors.New("object size overflows")
		}
		if c, err = r.ReadByte(); err != nil {
			return h, err
		}
		h.size |= int64(c&0x7f) << shift
	}
	switch h.kind {
	case kindCommit, kindTree, kindBlob, kindTag:
	case kindOfsDelta:
		back, err := decodeBackOffset(r)
		if err != nil {
			return h, err
		}
		if h.baseOff = off - back; back <= 0 || h.baseOff < packHeaderLen {
			return h, errors.New("delta base lies outside the pack")
		}
	case kindRefDelta:
		for i := range h.baseID {
			if h.baseID[i], err = r.ReadByte(); err != nil {
				return h, err
			}
		}
	default:
		return h, errors.New("object has an " + h.kind.String())
	}
	return h, nil
}

func decodeBackOffset(r io.ByteReader) (int64, error) {
	c, err := r.ReadByte()
	if err != nil {
		return 0, err
	}
	v := int64(c & 0x7f)
	for c&0x80 != 0 {
		if v >= 1<<48 {
			return 0, errors.New("delta offset overflows")
		}
		if c, err = r.ReadByte(); err != nil {
			return 0, err
		}
		v = (v+1)<<7 | int64(c&0x7f)
	}
	return v, nil
}

// appendEntryHeader is the inverse of decodeEntryHeader; back is the distance
// to the base of an ofs-delta.
func appendEntryHeader(b []byte, kind objectKind, size, back int64, base objectID) []byte {
	c := byte(kind)<<4 | byte(size&15)
	size >>= 4
	for size != 0 {
		b = append(b, c|0x80)
		c = byte(size & 0x7f)
		size >>= 7
	}
	b = append(b, c)
	switch kind {
	case kindOfsDelta:
		var tmp [10]byte
		i := len(tmp) - 1
		tmp[i] = byte(back & 0x7f)
		for back >>= 7; back != 0; back >>= 7 {
			back--
			i--
			tmp[i] = 0x80 | byte(back&0x7f)
		}
		b = append(b, tmp[i:]...)
	case kindRefDelta:
		b = append(b, base[:]...)
	}
	return b
}
