package journal

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"leviathan/gateway"
)

// Rebuild drops every projection and folds the whole log again, in one
// transaction on the writer; commits wait meanwhile. State's answers after it
// are made from the new tables. ctx ends it without a change.
func (j *Journal) Rebuild(ctx context.Context) error {
	return j.exclusive(ctx, func() error {
		if err := rebuild(ctx, j.w, j.codec); err != nil {
			return err
		}
		j.mu.Lock()
		defer j.mu.Unlock()
		j.states = map[gateway.TargetID]*cached{}
		j.facts = map[gateway.TargetID]int64{}
		return j.loadFacts(context.Background())
	})
}

// rebuild folds the log again, in a transaction of its own.
func rebuild(ctx context.Context, db *conn, codec *codec) (err error) {
	if err := db.exec("BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("rebuild projections: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("rebuild projections: %w", err), db.exec("ROLLBACK"))
		}
	}()
	if err := recreate(db); err != nil {
		return err
	}
	f := folder{
		db:    db,
		touch: func(gateway.TargetID, gateway.TaskID, gateway.AttemptID) {},
		moved: func(gateway.TargetID, int64) {},
	}
	const page = 512
	for after := int64(0); ; {
		records, err := readPage(ctx, db, codec, after, page)
		if err != nil {
			return err
		}
		for i := range records {
			if err := f.refold(&records[i]); err != nil {
				return fmt.Errorf("record %d: %w", records[i].Seq, err)
			}
		}
		if len(records) < page {
			return db.exec("COMMIT")
		}
		after = records[len(records)-1].Seq
	}
}

// A bodied is a record with its body.
type bodied struct {
	columns
	body []byte
}

// readPage reads at most n records after a seq, with their bodies.
func readPage(ctx context.Context, db *conn, codec *codec, after int64, n int) ([]bodied, error) {
	out := make([]bodied, 0, n)
	err := db.query(ctx, `SELECT j.seq, j.id, j.kind, j.origin, j.type, j.at, j.target, j.task, j.attempt, j.body_digest, j.leaf, b.bytes
		FROM journal j LEFT JOIN body b ON b.seq = j.seq WHERE j.seq > ? ORDER BY j.seq LIMIT ?`,
		[]any{after, n}, func(r row) error {
			c, _, err := scanColumns(r)
			if err != nil {
				return err
			}
			if r[11] == nil {
				return fmt.Errorf("record %d has no body", c.Seq)
			}
			body, err := codec.unpack(r.bytes(11))
			if err != nil {
				return fmt.Errorf("record %d: %w", c.Seq, err)
			}
			out = append(out, bodied{columns: c, body: body})
			return nil
		})
	return out, err
}

// An indexed is the part of a decision's body that its index is rebuilt from.
type indexed struct {
	Index struct {
		Allow        bool     `json:"allow"`
		AskedBy      string   `json:"asked_by"`
		Codes        []string `json:"codes"`
		DryRun       bool     `json:"dry_run"`
		Masked       bool     `json:"masked"`
		PolicyDigest string   `json:"policy_digest"`
		Revision     string   `json:"revision"`
	} `json:"index"`
	Body json.RawMessage `json:"body"`
}

// refold folds a record that is in the log.
func (f *folder) refold(r *bodied) error {
	fold := f.redecide
	if r.Kind == Event {
		fold = f.event
	}
	if err := fold(&r.columns, r.body); err != nil {
		return err
	}
	return f.settle(r.Seq)
}

func (f *folder) redecide(c *columns, body []byte) error {
	var d indexed
	if err := json.Unmarshal(body, &d); err != nil {
		return fmt.Errorf("read decision's index: %w", err)
	}
	return f.decision(c, &DecisionIndex{
		Allow: d.Index.Allow, DryRun: d.Index.DryRun, Revision: d.Index.Revision, PolicyDigest: d.Index.PolicyDigest,
		Codes: d.Index.Codes, AskedBy: d.Index.AskedBy, Masked: d.Index.Masked,
	})
}

// ProjectionDigest is a digest of every projection's every row: equal before
// and after Rebuild, and for two journals with the same records.
func (j *Journal) ProjectionDigest(ctx context.Context) (string, error) {
	h := sha256.New()
	err := j.readers.read(ctx, func(db *conn) error {
		for _, t := range projectionTables {
			var columns []string
			err := db.query(ctx, `SELECT name FROM pragma_table_info(?) ORDER BY cid`, []any{t}, func(r row) error {
				columns = append(columns, r.str(0))
				return nil
			})
			if err != nil {
				return err
			}
			names := strings.Join(columns, ", ")
			fmt.Fprintf(h, "%s(%s)\n", t, names)
			err = db.query(ctx, "SELECT "+names+" FROM "+t+" ORDER BY "+names, nil, func(r row) error {
				for _, v := range r {
					fmt.Fprintf(h, "%q,", fmt.Sprint(v))
				}
				h.Write([]byte{'\n'})
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("digest projections: %w", err)
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), nil
}
