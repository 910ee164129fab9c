package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"leviathan/gateway"
)

// Prune removes the parts of decisions' inputs that no decision at or after
// before uses, and returns how many. Records, bodies and so all state stay; a
// pruned decision says which parts it lacks. Commits go on meanwhile.
func (j *Journal) Prune(ctx context.Context, before gateway.Time) (removed int, err error) {
	p := pruner{codec: j.codec, before: before, gone: map[digest]struct{}{}}
	err = j.list(ctx, "prune journal", func(db *conn) error {
		err := db.query(ctx, `SELECT digest FROM blob`, nil, func(r row) error {
			d, err := asDigest(r.bytes(0))
			p.gone[d] = struct{}{}
			return err
		})
		if err != nil {
			return err
		}
		return p.keep(ctx, db)
	})
	for err == nil && len(p.gone) > 0 {
		err = j.exclusive(ctx, func() error {
			n, err := p.remove(ctx, j)
			removed += n
			return err
		})
	}
	if err != nil {
		return removed, fmt.Errorf("prune journal: %w", err)
	}
	return removed, nil
}

// A pruner knows which parts are to go.
type pruner struct {
	codec  *codec
	before gateway.Time
	gone   map[digest]struct{}
	seq    int64 // decisions up to here were seen
}

// keep takes out of gone what the decisions after seq use.
func (p *pruner) keep(ctx context.Context, db *conn) error {
	return db.query(ctx, `SELECT j.seq, b.bytes FROM journal j JOIN body b ON b.seq = j.seq
		WHERE j.seq > ? AND j.kind = 'decision' AND j.at >= ? ORDER BY j.seq`, []any{p.seq, p.before}, func(r row) error {
		p.seq = r.int64(0)
		packed, err := p.codec.unpack(r.bytes(1))
		if err != nil {
			return fmt.Errorf("record %d: %w", p.seq, err)
		}
		var d struct {
			Body struct {
				Parts        map[string]string `json:"parts"`
				ResultDigest string            `json:"result_digest"`
			} `json:"body"`
		}
		if err := json.Unmarshal(packed, &d); err != nil {
			return fmt.Errorf("read body of record %d: %w", p.seq, err)
		}
		used := []string{d.Body.ResultDigest}
		for _, text := range d.Body.Parts {
			used = append(used, text)
		}
		for _, text := range used {
			if key, err := parseDigest(text); err == nil {
				delete(p.gone, key)
			}
		}
		return nil
	})
}

// pruneBatch is how many parts are removed while commits wait.
const pruneBatch = 500

// remove removes some parts, on the writer: what was decided since the last
// look is kept as well.
func (p *pruner) remove(ctx context.Context, j *Journal) (n int, err error) {
	if err := p.keep(ctx, j.w); err != nil {
		return 0, err
	}
	if err := j.w.exec("BEGIN IMMEDIATE"); err != nil {
		return 0, err
	}
	var batch []digest
	for d := range p.gone {
		if batch = append(batch, d); len(batch) == pruneBatch {
			break
		}
	}
	for _, d := range batch {
		if err := j.w.exec(`DELETE FROM blob WHERE digest = ?`, d[:]); err != nil {
			return 0, errors.Join(err, j.w.exec("ROLLBACK"))
		}
	}
	if err := j.fenced(); err != nil {
		return 0, errors.Join(err, j.w.exec("ROLLBACK"))
	}
	if err := j.w.exec("COMMIT"); err != nil {
		return 0, errors.Join(err, j.w.exec("ROLLBACK"))
	}
	for _, d := range batch {
		delete(p.gone, d)
		j.known.drop(d)
	}
	return len(batch), nil
}
