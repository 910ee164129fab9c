package repository

import (
	"bytes"
	"compress/zlib"
	"context"
	"crypto/sha1" //nolint:gosec // the pack's own trailer; object ids use the collision-detecting hash
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
)

// A scanLimit bounds what a pack may hold. Zero fields do not limit.
type scanLimit struct {
	objects   int64
	object    int64
	inflated  int64
	deltaBody int64 // size of a delta's instructions
}

// A packEntry is one object of a pack as the scan found it.
type packEntry struct {
	off, end int64
	kind     objectKind // as stored; after resolve the object's own
	size     int64      // of the stored contents; after resolve the object's own
	baseOff  int64
	baseID   objectID
	crc      uint32
	id       objectID // zero until known
}

// errOverLimit is a pack that is refused for its size, in any sense.
type errOverLimit struct{ what string }

func (e errOverLimit) Error() string { return e.what }

// scanPack reads a whole pack once, in constant memory apart from the list
// that it returns, and hashes what is no delta. Every size is compared with
// its limit before a byte of that object is inflated: a declared size as it
// stands in the header, a delta's result as its first bytes declare it.
func scanPack(ctx context.Context, r io.Reader, size int64, lim scanLimit) ([]packEntry, error) {
	s := &packScanner{r: r, sum: sha1.New(), lim: lim}
	count, err := s.header(size)
	if err != nil {
		return nil, err
	}
	entries := make([]packEntry, 0, min(count, 1<<16))
	for i := int64(0); i < count; i++ {
		if i%256 == 0 && ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		e, err := s.entry()
		if err != nil {
			var over errOverLimit
			if errors.As(err, &over) || s.readErr != nil {
				return nil, err
			}
			return nil, fmt.Errorf("object %d of %d: %w", i+1, count, err)
		}
		entries = append(entries, e)
	}
	return entries, s.trailer()
}

// A packScanner reads a pack byte by byte with its place, its running SHA-1
// and the CRC-32 of the entry at hand.
type packScanner struct {
	r        io.Reader
	buf      [32 << 10]byte
	pos, end int
	mark     int   // first byte of buf not yet hashed
	base     int64 // offset of buf[0]
	sum      hash.Hash
	crc      uint32
	lim      scanLimit
	inflated int64
	z        io.ReadCloser
	scratch  [32 << 10]byte
	readErr  error // of r, not of its contents
}

func (s *packScanner) offset() int64 { return s.base + int64(s.pos) }

// flush hashes what was consumed since the last flush.
func (s *packScanner) flush() {
	b := s.buf[s.mark:s.pos]
	s.sum.Write(b)
	s.crc = crc32.Update(s.crc, crc32.IEEETable, b)
	s.mark = s.pos
}

func (s *packScanner) fill() error {
	if s.pos < s.end {
		return nil
	}
	s.flush()
	s.base += int64(s.end)
	s.pos, s.end, s.mark = 0, 0, 0
	n, err := io.ReadAtLeast(s.r, s.buf[:], 1)
	s.end = n
	if n > 0 {
		return nil
	}
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	s.readErr = err
	return err
}

// ReadByte makes the decompressor take exactly the bytes of its stream.
func (s *packScanner) ReadByte() (byte, error) {
	if err := s.fill(); err != nil {
		return 0, err
	}
	c := s.buf[s.pos]
	s.pos++
	return c, nil
}

func (s *packScanner) Read(b []byte) (int, error) {
	if err := s.fill(); err != nil {
		return 0, err
	}
	n := copy(b, s.buf[s.pos:s.end])
	s.pos += n
	return n, nil
}

func (s *packScanner) header(size int64) (int64, error) {
	var h [packHeaderLen]byte
	if _, err := io.ReadFull(s, h[:]); err != nil {
		return 0, fmt.Errorf("pack header: %w", err)
	}
	if string(h[:4]) != "PACK" {
		return 0, errors.New("pack has no signature")
	}
	if v := binary.BigEndian.Uint32(h[4:]); v != 2 {
		return 0, fmt.Errorf("pack has version %d, not 2", v)
	}
	count := int64(binary.BigEndian.Uint32(h[8:]))
	if s.lim.objects > 0 && count > s.lim.objects {
		return 0, errOverLimit{fmt.Sprintf("the pack has %d objects, the limit is %d", count, s.lim.objects)}
	}
	// no entry is shorter than its header and an empty zlib stream
	if count > (size-packHeaderLen-packTrailerLen)/9 {
		return 0, fmt.Errorf("pack declares %d objects in %d bytes", count, size)
	}
	return count, nil
}

func (s *packScanner) entry() (packEntry, error) {
	s.flush()
	s.crc = 0
	e := packEntry{off: s.offset()}
	h, err := decodeEntryHeader(s, e.off)
	if err != nil {
		return e, noEOF(err)
	}
	e.kind, e.size, e.baseOff, e.baseID = h.kind, h.size, h.baseOff, h.baseID
	limit := s.lim.object
	if e.kind.isDelta() && s.lim.deltaBody > 0 {
		limit = s.lim.deltaBody
	}
	if limit > 0 && e.size > limit {
		return e, errOverLimit{fmt.Sprintf("an object declares %d bytes, the limit is %d", e.size, limit)}
	}
	if err := s.spend(e.size); err != nil {
		return e, err
	}
	if err := s.content(&e); err != nil {
		return e, noEOF(err)
	}
	s.flush()
	e.crc, e.end = s.crc, s.offset()
	return e, nil
}

// spend counts bytes that will be inflated or made.
func (s *packScanner) spend(n int64) error {
	if s.inflated += n; s.lim.inflated > 0 && s.inflated > s.lim.inflated {
		return errOverLimit{fmt.Sprintf("the pack inflates to more than %d bytes", s.lim.inflated)}
	}
	return nil
}

// content inflates one entry: into its hash, or into nothing but the sizes
// that a delta begins with.
func (s *packScanner) content(e *packEntry) error {
	var err error
	if s.z == nil {
		s.z, err = zlib.NewReader(s)
	} else {
		err = s.z.(zlib.Resetter).Reset(s, nil)
	}
	if err != nil {
		return fmt.Errorf("inflate: %w", err)
	}
	var sum hash.Hash
	left := e.size
	if e.kind.isDelta() {
		first := s.scratch[:min(left, 20)]
		if _, err := io.ReadFull(s.z, first); err != nil {
			return fmt.Errorf("inflate: %w", err)
		}
		_, target, err := deltaSizes(first)
		if err != nil {
			return err
		}
		if s.lim.object > 0 && target > s.lim.object {
			return errOverLimit{fmt.Sprintf("a delta makes an object of %d bytes, the limit is %d", target, s.lim.object)}
		}
		if err := s.spend(target); err != nil {
			return err
		}
		left -= int64(len(first))
	} else {
		sum = newObjectHash(e.kind, e.size)
	}
	for {
		n, err := s.z.Read(s.scratch[:])
		if left -= int64(n); left < 0 {
			return errors.New("object inflates to more than it declares")
		}
		if sum != nil {
			sum.Write(s.scratch[:n])
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("inflate: %w", err)
		}
	}
	if left != 0 {
		return errors.New("object inflates to less than it declares")
	}
	if sum != nil {
		e.id = objectID(sum.Sum(nil))
	}
	return nil
}

// trailer compares the pack's checksum and wants nothing after it.
func (s *packScanner) trailer() error {
	s.flush()
	want := s.sum.Sum(nil)
	var got [packTrailerLen]byte
	if _, err := io.ReadFull(s, got[:]); err != nil {
		return fmt.Errorf("pack trailer: %w", noEOF(err))
	}
	if !bytes.Equal(want, got[:]) {
		return errors.New("pack checksum is wrong")
	}
	if _, err := s.ReadByte(); err == nil {
		return errors.New("bytes after the end of the pack")
	} else if s.readErr != nil {
		return s.readErr
	}
	return nil
}

func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
