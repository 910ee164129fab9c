package journal

import (
	"context"
	"fmt"

	"github.com/klauspost/compress/zstd"
)

// The first byte of a stored blob says how the rest is stored.
const (
	blobRaw  = 0
	blobZstd = 1
)

// compressFrom is the length in bytes from which blobs are compressed: below
// it the writer's time is worth more than the bytes.
const compressFrom = 1024

// maxBlob bounds what a blob may unpack to.
const maxBlob = 256 << 20

// A codec packs and unpacks blobs. Unpacking is safe for concurrent use.
type codec struct {
	enc *zstd.Encoder
	dec *zstd.Decoder
}

func newCodec() (*codec, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest),
		zstd.WithWindowSize(256<<10), zstd.WithEncoderCRC(false))
	if err != nil {
		return nil, fmt.Errorf("make zstd encoder: %w", err)
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxBlob))
	if err != nil {
		return nil, fmt.Errorf("make zstd decoder: %w", err)
	}
	return &codec{enc: enc, dec: dec}, nil
}

// pack appends the stored form of b to dst.
func (c *codec) pack(dst, b []byte) []byte {
	if len(b) >= compressFrom {
		if out := c.enc.EncodeAll(b, append(dst, blobZstd)); len(out) < len(dst)+1+len(b) {
			return out
		}
	}
	return append(append(dst, blobRaw), b...)
}

// unpack is what pack was given.
func (c *codec) unpack(stored []byte) ([]byte, error) {
	if len(stored) == 0 {
		return nil, fmt.Errorf("unpack blob: it is empty")
	}
	switch stored[0] {
	case blobRaw:
		return stored[1:], nil
	case blobZstd:
		b, err := c.dec.DecodeAll(stored[1:], nil)
		if err != nil {
			return nil, fmt.Errorf("unpack blob: %w", err)
		}
		return b, nil
	}
	return nil, fmt.Errorf("unpack blob: format %d is not known", stored[0])
}

func (c *codec) close() error {
	c.dec.Close()
	return c.enc.Close()
}

// load reads one blob; found is false when it is not there (pruned).
func (c *codec) load(ctx context.Context, db *conn, d digest) (b []byte, found bool, err error) {
	r, found, err := db.one(ctx, `SELECT bytes FROM blob WHERE digest = ?`, d[:])
	if err != nil || !found {
		return nil, false, err
	}
	b, err = c.unpack(r.bytes(0))
	return b, err == nil, err
}

// A known remembers which parts are stored, in two generations of bounded
// size: a digest that is asked for again survives, one that is not goes.
type known struct {
	young, old map[digest]struct{}
}

const knownGeneration = 1 << 14

func newKnown() *known { return &known{young: map[digest]struct{}{}} }

func (k *known) has(d digest) bool {
	if _, ok := k.young[d]; ok {
		return true
	}
	if _, ok := k.old[d]; !ok {
		return false
	}
	k.add(d)
	return true
}

func (k *known) add(d digest) {
	if len(k.young) >= knownGeneration {
		k.young, k.old = map[digest]struct{}{}, k.young
	}
	k.young[d] = struct{}{}
}

func (k *known) drop(d digest) {
	delete(k.young, d)
	delete(k.old, d)
}
