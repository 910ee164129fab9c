package journal

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// InclusionProof proves that the record seq is in the tree of the first size
// records, as RFC 6962 has it: see CheckInclusion. It reads the record's tile
// and, of the others, one hash for every 256 records. A seq or a size that the
// log does not have is of kind gateway.Invalid.
func (j *Journal) InclusionProof(ctx context.Context, seq, size int64) ([][32]byte, error) {
	if end := j.Seq(); size < 1 || size > end || seq < 1 || seq > size {
		return nil, invalid("prove record %d in a tree of %d records: the log has %d", seq, size, end)
	}
	return j.prove(ctx, "prove inclusion", func(r tlog.HashReader) ([]tlog.Hash, error) {
		return tlog.ProveRecord(size, seq-1, r)
	})
}

// ConsistencyProof proves that the tree of the first oldSize records is the
// beginning of the tree of the first newSize: see CheckConsistency. Costs and
// errors are those of InclusionProof.
func (j *Journal) ConsistencyProof(ctx context.Context, oldSize, newSize int64) ([][32]byte, error) {
	if end := j.Seq(); oldSize < 1 || newSize < oldSize || newSize > end {
		return nil, invalid("prove a tree of %d records in one of %d: the log has %d", oldSize, newSize, end)
	}
	return j.prove(ctx, "prove consistency", func(r tlog.HashReader) ([]tlog.Hash, error) {
		return tlog.ProveTree(newSize, oldSize, r)
	})
}

func (j *Journal) prove(ctx context.Context, what string, fn func(tlog.HashReader) ([]tlog.Hash, error)) (out [][32]byte, err error) {
	err = j.list(ctx, what, func(db *conn) error {
		hashes, err := fn(tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
			return storedHashes(ctx, db, at)
		}))
		out = make([][32]byte, len(hashes))
		for i, h := range hashes {
			out[i] = h
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// CheckInclusion checks that the record seq, whose leaf hash is leaf, is in
// the tree that has root over size records. Size and root are those of a
// checkpoint that the caller trusts; it needs no journal.
func CheckInclusion(proof [][32]byte, size int64, root [32]byte, seq int64, leaf [32]byte) error {
	if err := tlog.CheckRecord(hashes(proof), size, tlog.Hash(root), seq-1, tlog.Hash(leaf)); err != nil {
		return fmt.Errorf("record %d is not proved to be in the tree of %d records: %w", seq, size, err)
	}
	return nil
}

// CheckConsistency checks that the log of a checkpoint (newSize, newRoot)
// begins with the log of an earlier one (oldSize, oldRoot): that nothing before
// oldSize was changed between the two. It needs no journal.
func CheckConsistency(proof [][32]byte, newSize int64, newRoot [32]byte, oldSize int64, oldRoot [32]byte) error {
	if err := tlog.CheckTree(hashes(proof), newSize, tlog.Hash(newRoot), oldSize, tlog.Hash(oldRoot)); err != nil {
		return fmt.Errorf("the tree of %d records is not proved to begin with that of %d: %w", newSize, oldSize, err)
	}
	return nil
}

func hashes(proof [][32]byte) []tlog.Hash {
	out := make([]tlog.Hash, len(proof))
	for i, h := range proof {
		out[i] = h
	}
	return out
}

// tileLevel is the level of the hash of a whole tile.
const tileLevel = 8

// storedHashes are the hashes that tlog's numbering names, each made from the
// leaves below it or from the tiles below it.
func storedHashes(ctx context.Context, db *conn, at []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(at))
	for i, index := range at {
		level, n := tlog.SplitStoredHashIndex(index)
		sql, from, count := `SELECT leaf FROM journal WHERE seq > ? AND seq <= ? ORDER BY seq`, n<<level, int64(1)<<level
		if level >= tileLevel {
			sql, from, count = `SELECT hash FROM tile WHERE n >= ? AND n < ? ORDER BY n`, n<<(level-tileLevel), int64(1)<<(level-tileLevel)
		}
		var t tree
		err := db.query(ctx, sql, []any{from, from + count}, func(r row) error {
			h, err := asDigest(r.bytes(0))
			t.append(h)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("read hashes: %w", err)
		}
		if t.size != count {
			return nil, errors.New("read hashes: some are missing: verify the journal")
		}
		out[i] = tlog.Hash(t.root())
	}
	return out, nil
}
