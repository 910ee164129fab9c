package journal

import (
	"fmt"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// tileSize is how many leaves a stored tile hash covers. The table tile holds
// the root of each full one; all between is kept in memory, where it costs no
// row.
const tileSize = 256

// A tree is the right frontier of the RFC 6962 tree: the roots of its full
// subtrees, largest first, one for each bit set in size.
type tree struct {
	size  int64
	peaks []digest
}

// clone is a copy that can be appended to.
func (t *tree) clone() tree {
	return tree{size: t.size, peaks: append(make([]digest, 0, len(t.peaks)+8), t.peaks...)}
}

// reset makes t a copy of from, reusing its memory.
func (t *tree) reset(from *tree) {
	t.size, t.peaks = from.size, append(t.peaks[:0], from.peaks...)
}

// append adds a leaf and returns the root of the tile that it completed, if it
// did.
func (t *tree) append(leaf digest) (tile digest, full bool) {
	h := leaf
	for level := range bits.TrailingZeros64(^uint64(t.size)) {
		h = node(t.peaks[len(t.peaks)-1], h)
		t.peaks = t.peaks[:len(t.peaks)-1]
		if 2<<level == tileSize {
			tile, full = h, true
		}
	}
	t.peaks = append(t.peaks, h)
	t.size++
	return tile, full
}

// appendTile adds a whole tile's root to a tree that ends on a tile.
func (t *tree) appendTile(root digest) {
	h := root
	for range bits.TrailingZeros64(^uint64(t.size / tileSize)) {
		h = node(t.peaks[len(t.peaks)-1], h)
		t.peaks = t.peaks[:len(t.peaks)-1]
	}
	t.peaks = append(t.peaks, h)
	t.size += tileSize
}

// root is the tree's hash; for no leaves the hash of nothing, as RFC 6962 has
// it.
func (t *tree) root() digest {
	if len(t.peaks) == 0 {
		return sum(nil)
	}
	h := t.peaks[len(t.peaks)-1]
	for i := len(t.peaks) - 2; i >= 0; i-- {
		h = node(t.peaks[i], h)
	}
	return h
}

func node(left, right digest) digest { return digest(tlog.NodeHash(tlog.Hash(left), tlog.Hash(right))) }

// asDigest checks that a stored hash is one.
func asDigest(b []byte) (d digest, err error) {
	if len(b) != len(d) {
		return d, fmt.Errorf("a stored hash has %d bytes", len(b))
	}
	return digest(b), nil
}
