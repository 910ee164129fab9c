package journal

import (
	"context"
	"fmt"

	"leviathan/gateway"
)

// Cursor is the last record that the named consumer of the log has dealt with,
// 0 when it never set any.
func (j *Journal) Cursor(ctx context.Context, name string) (seq int64, err error) {
	err = j.list(ctx, "read cursor", func(db *conn) error {
		r, found, err := db.one(ctx, `SELECT seq FROM cursor WHERE name = ?`, name)
		if found {
			seq = r.int64(0)
		}
		return err
	})
	return seq, err
}

// SetCursor moves the named consumer's cursor to seq, durably and without a
// record of it. A cursor never goes back: a lower seq is refused with kind
// gateway.Conflict, and the one that it has already changes nothing. A seq
// after the log's end, or a name that is not 1 to 128 bytes of plain text, is
// refused with gateway.Invalid.
func (j *Journal) SetCursor(ctx context.Context, name string, seq int64) error {
	if name == "" || !plain(name, 128) {
		return invalid("set cursor: name %q is not 1 to 128 bytes of plain text", name)
	}
	err := j.Commit(ctx, func(tx *Tx) error {
		err := tx.setCursor(name, seq)
		tx.err = tx.failed(err)
		return tx.err
	})
	if err != nil {
		return fmt.Errorf("set cursor %s: %w", name, err)
	}
	return nil
}

func (tx *Tx) setCursor(name string, seq int64) error {
	// What the batch has before this turn may yet fail; only what is committed
	// can have been dealt with.
	if end := tx.b.j.head.seq; seq < 0 || seq > end {
		return invalid("record %d is not in the log, which ends at %d", seq, end)
	}
	db := tx.b.j.w
	r, found, err := db.one(context.Background(), `SELECT seq FROM cursor WHERE name = ?`, name)
	switch {
	case err != nil:
		return err
	case found && r.int64(0) == seq:
		return nil
	case found && r.int64(0) > seq:
		return gateway.Errorf(gateway.Conflict, "it stands at record %d and does not go back to %d", r.int64(0), seq)
	}
	if err := tx.save(); err != nil {
		return err
	}
	return db.exec(`INSERT INTO cursor (name, seq, at) VALUES (?, ?, ?)
		ON CONFLICT (name) DO UPDATE SET seq = excluded.seq, at = excluded.at`, name, seq, gateway.At(tx.b.j.cfg.Now()))
}
