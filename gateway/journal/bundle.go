package journal

import (
	"context"
	"encoding/json"
	"fmt"

	"leviathan/gateway"
)

// PutBundle stores the bytes of a policy bundle under their digest, "sha256:"
// and hex, for good; one that is stored already is left as it is. Put it in the
// turn that appends the bundle's BundleActivated, so that neither is there
// without the other. A digest that is not that of the bytes is refused with
// kind gateway.Invalid, and like a refused record ends the turn.
func (tx *Tx) PutBundle(digest string, bytes []byte) error {
	if err := tx.usable(); err != nil {
		return err
	}
	if err := tx.putBundle(digest, bytes); err != nil {
		tx.err = tx.failed(err)
		return tx.err
	}
	return nil
}

func (tx *Tx) putBundle(digest string, bytes []byte) error {
	d, err := parseDigest(digest)
	if err != nil {
		return invalid("store bundle: %v", err)
	}
	if sum(bytes) != d {
		return invalid("store bundle: the bytes are not what their digest %s says", digest)
	}
	if err := tx.settle(); err != nil {
		return err
	}
	if err := tx.save(); err != nil {
		return err
	}
	return tx.b.j.w.exec(`INSERT INTO bundle (digest, bytes) VALUES (?, ?) ON CONFLICT DO NOTHING`, d[:], tx.b.j.codec.pack(nil, bytes))
}

// Bundle is the bytes of the bundle that was stored under the digest. None is
// an error of kind gateway.NotFound; bytes that are not the digest's any more
// are an error as well.
func (j *Journal) Bundle(ctx context.Context, digest string) (bytes []byte, err error) {
	d, err := parseDigest(digest)
	if err != nil {
		return nil, invalid("read bundle: %v", err)
	}
	err = j.list(ctx, "read bundle", func(db *conn) error {
		r, found, err := db.one(ctx, `SELECT bytes FROM bundle WHERE digest = ?`, d[:])
		if err != nil {
			return err
		}
		if !found {
			return gateway.Errorf(gateway.NotFound, "the journal has no bundle %s", digest)
		}
		if bytes, err = j.codec.unpack(r.bytes(0)); err != nil {
			return fmt.Errorf("bundle %s: %w", digest, err)
		}
		if sum(bytes) != d {
			return fmt.Errorf("bundle %s is not what its digest says: verify the journal", digest)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return bytes, nil
}

// An Activation is one time that a bundle began to govern.
type Activation struct {
	Seq int64
	At  gateway.Time
	BundleActivated
	// Stored reports whether Bundle has the bytes; activations that were
	// recorded by a release that stored none lack them.
	Stored bool
}

const sqlActivations = `SELECT j.seq, j.at, b.bytes FROM journal j JOIN body b ON b.seq = j.seq
	WHERE j.kind = 'event' AND j.type = ? AND j.origin = 'gateway' ORDER BY j.seq DESC LIMIT ?`

// Activations are the last bundle.activated events, newest first, at most
// limit of them (1 to 1,000; 0 means 100).
func (j *Journal) Activations(ctx context.Context, limit int) (out []Activation, err error) {
	if limit, _, err = (Page{Limit: limit}).bounds(); err != nil {
		return nil, err
	}
	out = []Activation{}
	err = j.list(ctx, "list activations", func(db *conn) error {
		err := db.query(ctx, sqlActivations, []any{gateway.EventBundleActivated, limit}, func(r row) error {
			a := Activation{Seq: r.int64(0), At: r.time(1)}
			b, err := j.codec.unpack(r.bytes(2))
			if err != nil {
				return fmt.Errorf("record %d: %w", a.Seq, err)
			}
			event := struct {
				Payload *BundleActivated `json:"payload"`
			}{&a.BundleActivated}
			if err := json.Unmarshal(b, &event); err != nil {
				return fmt.Errorf("read body of record %d: %w", a.Seq, err)
			}
			out = append(out, a)
			return nil
		})
		for i := 0; err == nil && i < len(out); i++ {
			err = out[i].look(ctx, db)
		}
		return err
	})
	return out, err
}

// look finds whether the bundle's bytes are stored.
func (a *Activation) look(ctx context.Context, db *conn) error {
	d, err := parseDigest(a.PolicyDigest)
	if err != nil {
		return nil // a digest of another form was never stored
	}
	_, a.Stored, err = db.one(ctx, `SELECT 1 FROM bundle WHERE digest = ?`, d[:])
	return err
}
