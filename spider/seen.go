package spider

import (
	"crypto/sha256"
	"encoding/binary"
)

const (
	// maxSeen is how many event ids are remembered.
	maxSeen  = 16_384
	seenSize = 8
)

// seen remembers the last ids that came in, by a digest of each: two ids are
// taken for one with a chance of less than one in 10^14.
type seen struct {
	order []uint64 // a ring once it is full
	next  int
	known map[uint64]bool
}

// newSeen is the memory that pack made.
func newSeen(packed []byte) *seen {
	m := &seen{known: map[uint64]bool{}}
	for ; len(packed) >= seenSize; packed = packed[seenSize:] {
		m.remember(binary.BigEndian.Uint64(packed))
	}
	return m
}

// first reports whether the id is new, and remembers it.
func (m *seen) first(id string) bool {
	sum := sha256.Sum256([]byte(id))
	return m.remember(binary.BigEndian.Uint64(sum[:]))
}

func (m *seen) remember(key uint64) bool {
	if m.known[key] {
		return false
	}
	m.known[key] = true
	if len(m.order) < maxSeen {
		m.order = append(m.order, key)
		return true
	}
	delete(m.known, m.order[m.next])
	m.order[m.next] = key
	m.next = (m.next + 1) % maxSeen
	return true
}

// pack lists the memory, the oldest first.
func (m *seen) pack() []byte {
	out := make([]byte, 0, len(m.order)*seenSize)
	for i := range m.order {
		out = binary.BigEndian.AppendUint64(out, m.order[(m.next+i)%len(m.order)])
	}
	return out
}
