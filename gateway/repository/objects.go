package repository

import (
	"bufio"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/go-git/go-git/v5/plumbing/format/packfile"

	"leviathan/gateway"
)

// errNoObject is the absence of an object from every pack of an objects.
var errNoObject = errors.New("object not found")

// errObjectTooLarge is an object over the limit that its reader set.
var errObjectTooLarge = errors.New("object is over the limit")

const (
	maxDeltaChain  = 4095     // git's own ceiling
	baseCacheBytes = 32 << 20 // delta bases that one request keeps
	maxHeldObject  = 1 << 31  // no object of a mirror is read whole beyond this
)

// objects reads objects from a fixed list of packs. One belongs to one
// request and one goroutine; the packs below are shared.
type objects struct {
	packs []*pack
	last  int

	bases     map[packSpot]heldObject
	baseBytes int64
}

type packSpot struct {
	pack *pack
	off  int64
}

type heldObject struct {
	kind objectKind
	data []byte
}

// newObjects takes over one count of each pack's users.
func newObjects(packs []*pack) *objects {
	return &objects{packs: packs, bases: map[packSpot]heldObject{}}
}

func (o *objects) close() error {
	var errs []error
	for _, p := range o.packs {
		errs = append(errs, p.release())
	}
	o.packs = nil
	return errors.Join(errs...)
}

// locate finds an object, trying first the pack that had the last one.
func (o *objects) locate(id objectID) (packSpot, bool) {
	if o.last < len(o.packs) {
		if off, ok := o.packs[o.last].find(id); ok {
			return packSpot{o.packs[o.last], off}, true
		}
	}
	for i, p := range o.packs {
		if off, ok := p.find(id); ok {
			o.last = i
			return packSpot{p, off}, true
		}
	}
	return packSpot{}, false
}

func (o *objects) has(id objectID) bool {
	_, ok := o.locate(id)
	return ok
}

// stat is an object's type and inflated size, without its contents.
func (o *objects) stat(id objectID) (objectKind, int64, error) {
	at, ok := o.locate(id)
	if !ok {
		return 0, 0, fmt.Errorf("%s: %w", id.hex(), errNoObject)
	}
	h, err := at.pack.header(at.off)
	if err != nil {
		return 0, 0, err
	}
	size := h.size
	if h.kind.isDelta() {
		if size, err = deltaTarget(at.pack, h); err != nil {
			return 0, 0, err
		}
	}
	for depth := 0; h.kind.isDelta(); depth++ {
		if depth > maxDeltaChain {
			return 0, 0, errors.New("delta chain is too long")
		}
		if at, err = o.base(at, h); err != nil {
			return 0, 0, err
		}
		if h, err = at.pack.header(at.off); err != nil {
			return 0, 0, err
		}
	}
	return h.kind, size, nil
}

// base is where the base of a delta lies.
func (o *objects) base(at packSpot, h entryHeader) (packSpot, error) {
	if h.kind == kindOfsDelta {
		return packSpot{at.pack, h.baseOff}, nil
	}
	if off, ok := at.pack.find(h.baseID); ok {
		return packSpot{at.pack, off}, nil
	}
	return packSpot{}, fmt.Errorf("delta base %s: %w", h.baseID.hex(), errNoObject)
}

// read is an object's type and contents, at most max bytes (0: no limit).
// The contents may be shared: callers do not change them.
func (o *objects) read(id objectID, max int64) (objectKind, []byte, error) {
	at, ok := o.locate(id)
	if !ok {
		return 0, nil, fmt.Errorf("%s: %w", id.hex(), errNoObject)
	}
	if max <= 0 {
		max = maxHeldObject
	}
	k, b, err := o.readAt(at, max)
	if err != nil {
		return 0, nil, fmt.Errorf("read object %s: %w", id.hex(), err)
	}
	return k, b, nil
}

// readTyped is read for callers that know the type.
func (o *objects) readTyped(id objectID, want objectKind, max int64) ([]byte, error) {
	k, b, err := o.read(id, max)
	if err != nil {
		return nil, err
	}
	if k != want {
		return nil, fmt.Errorf("object %s is a %s, not a %s", id.hex(), k, want)
	}
	return b, nil
}

func (o *objects) readAt(at packSpot, max int64) (objectKind, []byte, error) {
	var chain [][]byte
	var spots []packSpot
	var kind objectKind
	var data []byte
	for {
		if held, ok := o.bases[at]; ok {
			kind, data = held.kind, held.data
			break
		}
		h, err := at.pack.header(at.off)
		if err != nil {
			return 0, nil, err
		}
		if h.size > max {
			return 0, nil, errObjectTooLarge
		}
		raw, err := inflateAt(at.pack, h.data, h.size)
		if err != nil {
			return 0, nil, err
		}
		if !h.kind.isDelta() {
			kind, data = h.kind, raw
			o.hold(at, kind, data, len(chain) > 0)
			break
		}
		if len(chain) > maxDeltaChain {
			return 0, nil, errors.New("delta chain is too long")
		}
		chain, spots = append(chain, raw), append(spots, at)
		if at, err = o.base(at, h); err != nil {
			return 0, nil, err
		}
	}
	for i := len(chain) - 1; i >= 0; i-- {
		_, target, err := deltaSizes(chain[i])
		if err != nil {
			return 0, nil, err
		}
		if target > max {
			return 0, nil, errObjectTooLarge
		}
		if data, err = packfile.PatchDelta(data, chain[i]); err != nil {
			return 0, nil, fmt.Errorf("apply delta: %w", err)
		}
		o.hold(spots[i], kind, data, true)
	}
	return kind, data, nil
}

// hold keeps what is likely to be a base again: trees, and bases already used.
func (o *objects) hold(at packSpot, kind objectKind, data []byte, wasBase bool) {
	if !wasBase && kind != kindTree || int64(len(data)) > baseCacheBytes/4 {
		return
	}
	if o.baseBytes+int64(len(data)) > baseCacheBytes {
		clear(o.bases)
		o.baseBytes = 0
	}
	o.bases[at] = heldObject{kind, data}
	o.baseBytes += int64(len(data))
}

// peek is the first n bytes of a blob.
func (o *objects) peek(id objectID, n int64) ([]byte, error) {
	at, ok := o.locate(id)
	if !ok {
		return nil, fmt.Errorf("%s: %w", id.hex(), errNoObject)
	}
	h, err := at.pack.header(at.off)
	if err != nil {
		return nil, err
	}
	if h.kind.isDelta() {
		_, b, err := o.readAt(at, maxHeldObject)
		return b[:min(n, int64(len(b)))], err
	}
	return inflatePrefix(at.pack, h.data, min(n, h.size))
}

// An inflater is a zlib reader with its buffer, kept in a pool: making one
// costs more than inflating a small object.
type inflater struct {
	src *bufio.Reader
	z   io.ReadCloser
}

var inflaters = sync.Pool{New: func() any { return &inflater{src: bufio.NewReaderSize(nil, 4096)} }}

func (f *inflater) reset(r io.Reader) error {
	f.src.Reset(r)
	if f.z == nil {
		z, err := zlib.NewReader(f.src)
		f.z = z
		return err
	}
	return f.z.(zlib.Resetter).Reset(f.src, nil)
}

func inflatePrefix(p *pack, off, n int64) ([]byte, error) {
	f := inflaters.Get().(*inflater)
	defer inflaters.Put(f)
	if err := f.reset(io.NewSectionReader(p.file, off, p.size-off)); err != nil {
		f.z = nil
		return nil, fmt.Errorf("inflate: %w", err)
	}
	out := make([]byte, n)
	if _, err := io.ReadFull(f.z, out); err != nil {
		return nil, fmt.Errorf("inflate: %w", err)
	}
	return out, nil
}

// inflateAt inflates the whole of an entry, whose size must be right.
func inflateAt(p *pack, off, size int64) ([]byte, error) {
	f := inflaters.Get().(*inflater)
	defer inflaters.Put(f)
	if err := f.reset(io.NewSectionReader(p.file, off, p.size-off)); err != nil {
		f.z = nil
		return nil, fmt.Errorf("inflate: %w", err)
	}
	out := make([]byte, size)
	if _, err := io.ReadFull(f.z, out); err != nil {
		return nil, fmt.Errorf("inflate: %w", err)
	}
	var one [1]byte
	if n, err := f.z.Read(one[:]); n != 0 || err != io.EOF {
		return nil, errors.New("inflate: object is longer than it declares, or its checksum is wrong")
	}
	return out, nil
}

// deltaTarget is the size that a delta's result will have.
func deltaTarget(p *pack, h entryHeader) (int64, error) {
	b, err := inflatePrefix(p, h.data, min(h.size, 20))
	if err != nil {
		return 0, err
	}
	_, target, err := deltaSizes(b)
	return target, err
}

// deltaSizes reads the sizes of base and result from a delta's first bytes.
func deltaSizes(b []byte) (base, target int64, err error) {
	for _, v := range []*int64{&base, &target} {
		for shift := 0; ; shift += 7 {
			if len(b) == 0 || shift > 56 {
				return 0, 0, errors.New("delta has no sizes")
			}
			c := b[0]
			b = b[1:]
			*v |= int64(c&0x7f) << shift
			if c&0x80 == 0 {
				break
			}
		}
	}
	return base, target, nil
}

// notFound turns a missing object into the wire's kind.
func notFound(err error, what string, arg any) error {
	if errors.Is(err, errNoObject) {
		return gateway.Errorf(gateway.NotFound, what, arg)
	}
	return err
}
