package journal

import (
	"context"
	"fmt"

	"golang.org/x/mod/sumdb/note"

	"leviathan/gateway"
)

const selectColumns = `SELECT seq, id, kind, origin, type, at, target, task, attempt, body_digest, leaf FROM journal `

// scanColumns reads a row of selectColumns.
func scanColumns(r row) (c columns, leaf digest, err error) {
	c = columns{
		Seq: r.int64(0), ID: r.str(1), Kind: Kind(r.str(2)), Origin: Origin(r.str(3)), Type: r.str(4), At: r.int64(5),
		Target: gateway.TargetID(r.str(6)), Task: gateway.TaskID(r.str(7)), Attempt: gateway.AttemptID(r.str(8)),
	}
	if c.BodyDigest, err = asDigest(r.bytes(9)); err == nil {
		leaf, err = asDigest(r.bytes(10))
	}
	if err != nil {
		err = fmt.Errorf("read record %d: %w", c.Seq, err)
	}
	return c, leaf, err
}

// loadHead finds where the log ends and makes the frontier from the stored
// tiles and the leaves after the last of them.
func loadHead(ctx context.Context, db *conn) (head, error) {
	var h head
	r, _, err := db.one(ctx, `SELECT coalesce(max(seq), 0) FROM journal`)
	if err != nil {
		return h, fmt.Errorf("read journal's end: %w", err)
	}
	h.seq = r.int64(0)
	if h.tree, err = loadTree(ctx, db, h.seq); err != nil {
		return h, err
	}
	if h.seq == 0 {
		return h, nil
	}
	r, _, err = db.one(ctx, `SELECT at, kind, origin, type FROM journal WHERE seq = ?`, h.seq)
	if err != nil {
		return h, fmt.Errorf("read record %d: %w", h.seq, err)
	}
	if !acceptsClock(Kind(r.str(1)), Origin(r.str(2)), r.str(3)) {
		h.floor = r.int64(0)
	}
	return h, nil
}

// acceptsClock reports whether the record after such a one may be earlier.
func acceptsClock(kind Kind, origin Origin, typ string) bool {
	return kind == Event && origin == Gateway && typ == gateway.EventClockAccepted
}

// loadTree is the tree of the first size records, from tiles and leaves.
func loadTree(ctx context.Context, db *conn, size int64) (tree, error) {
	var t tree
	err := db.query(ctx, `SELECT n, hash FROM tile WHERE n < ? ORDER BY n`, []any{size / tileSize}, func(r row) error {
		if n := r.int64(0); n != t.size/tileSize {
			return fmt.Errorf("tile %d is missing", t.size/tileSize)
		}
		root, err := asDigest(r.bytes(1))
		if err == nil {
			t.appendTile(root)
		}
		return err
	})
	if err != nil {
		return t, fmt.Errorf("read tiles: %w", err)
	}
	if want := size / tileSize * tileSize; t.size != want {
		return t, fmt.Errorf("read tiles: they cover %d records and should cover %d", t.size, want)
	}
	err = db.query(ctx, `SELECT seq, leaf FROM journal WHERE seq > ? AND seq <= ? ORDER BY seq`, []any{t.size, size}, func(r row) error {
		if seq := r.int64(0); seq != t.size+1 {
			return fmt.Errorf("record %d is missing", t.size+1)
		}
		leaf, err := asDigest(r.bytes(1))
		if err == nil {
			t.append(leaf)
		}
		return err
	})
	if err != nil {
		return t, fmt.Errorf("read leaves: %w", err)
	}
	if t.size != size {
		return t, fmt.Errorf("read leaves: there are %d of %d", t.size, size)
	}
	return t, nil
}

// checkTail makes sure that the end of the log is what was written: every
// record of the last tile, whole or not, matches its leaf, the last whole tile
// its hash, and the last stored checkpoint the tree. It reads at most 512
// records; Verify reads all.
func checkTail(ctx context.Context, db *conn, h *head, key note.Verifier) error {
	from := max(0, (h.seq/tileSize-1)*tileSize)
	var part tree
	var scratch []byte
	err := db.query(ctx, selectColumns+`WHERE seq > ? ORDER BY seq`, []any{from}, func(r row) error {
		c, leaf, err := scanColumns(r)
		if err != nil {
			return err
		}
		var want digest
		if want, scratch = c.leaf(scratch); want != leaf {
			return fmt.Errorf("record %d does not match its leaf", c.Seq)
		}
		if root, full := part.append(leaf); full {
			return compareTile(ctx, db, (from+part.size)/tileSize-1, root)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("check the journal's end: %w", err)
	}
	r, found, err := db.one(ctx, `SELECT note FROM checkpoint ORDER BY size DESC LIMIT 1`)
	if err != nil || !found {
		return err
	}
	c, err := ParseCheckpoint([]byte(r.str(0)), key)
	if err != nil {
		return fmt.Errorf("check the journal's end: stored checkpoint: %w", err)
	}
	return compareCheckpoint(ctx, db, h.seq, c)
}

func compareTile(ctx context.Context, db *conn, n int64, root digest) error {
	r, found, err := db.one(ctx, `SELECT hash FROM tile WHERE n = ?`, n)
	if err != nil {
		return err
	}
	if !found || digest(r.bytes(0)) != root {
		return fmt.Errorf("the leaves of records %d to %d do not match their tile", n*tileSize+1, (n+1)*tileSize)
	}
	return nil
}

func compareCheckpoint(ctx context.Context, db *conn, seq int64, c Checkpoint) error {
	if c.Size > seq {
		return fmt.Errorf("check the journal's end: a checkpoint covers %d records and %d are there: the log was cut", c.Size, seq)
	}
	t, err := loadTree(ctx, db, c.Size)
	if err != nil {
		return err
	}
	if t.root() != c.Root {
		return fmt.Errorf("check the journal's end: the checkpoint of %d records does not match the tree", c.Size)
	}
	return nil
}
