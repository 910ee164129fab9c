package journal

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/note"
)

// VerifyOptions say what a verification compares with.
type VerifyOptions struct {
	// Key checks the signatures of checkpoints; nil leaves them unchecked. See
	// Journal.VerifierKey.
	Key note.Verifier
	// Checkpoint is a signed checkpoint that was kept elsewhere. With it
	// truncation and a rewrite of the whole file are seen as well.
	Checkpoint []byte
}

// A Report is what a verification found. It is good when Problem is nil.
type Report struct {
	Records     int64
	Root        [32]byte
	Bodies      int64 // event and decision bodies that were checked
	Parts       int64 // parts of decisions' inputs that were checked
	Bundles     int64 // stored policy bundles that were checked
	Checkpoints int64 // stored checkpoints that matched
	// Kept is the size of the checkpoint that was given, 0 for none.
	Kept    int64
	Problem *Problem
}

// A Problem is the first thing that is wrong with a log. Seq is the record at
// fault, 0 when it is none in particular.
type Problem struct {
	Seq  int64
	What string
}

func (p *Problem) Error() string { return p.What }

func problem(seq int64, format string, args ...any) error {
	return &Problem{Seq: seq, What: fmt.Sprintf(format, args...)}
}

// Verify reads the whole of a database file (the live one or a copy, with its
// -wal file beside it if it has one) and checks every record against its leaf,
// its body against its digest, the order, the tree, and the checkpoints,
// stored and given. What it finds is in the Report; the error says that it
// could not look. It changes nothing in the log.
func Verify(ctx context.Context, file string, opts VerifyOptions) (Report, error) {
	var rep Report
	db, err := dial(file, "mode=ro", "query_only=1", "busy_timeout=5000", "cache_size=-65536")
	if err != nil {
		return rep, fmt.Errorf("verify journal: %w", err)
	}
	codec, err := newCodec()
	if err != nil {
		return rep, errors.Join(fmt.Errorf("verify journal: %w", err), db.close())
	}
	v := verifier{db: db, codec: codec, report: &rep, key: opts.Key}
	err = v.run(ctx, opts.Checkpoint)
	if errors.As(err, &rep.Problem) {
		err = nil
	}
	if err = errors.Join(err, codec.close(), db.close()); err != nil {
		return rep, fmt.Errorf("verify journal: %w", err)
	}
	return rep, nil
}

// A verifier walks one log.
type verifier struct {
	db     *conn
	codec  *codec
	report *Report
	key    note.Verifier

	tree    tree
	ids     map[string]struct{}
	last    int64 // time of the record before
	free    bool  // the record before was clock.accepted
	scratch []byte
	due     []Checkpoint // by size
	tiles   int64
}

func (v *verifier) run(ctx context.Context, kept []byte) error {
	if err := v.db.exec("BEGIN"); err != nil {
		return err
	}
	if err := v.loadCheckpoints(ctx, kept); err != nil {
		return err
	}
	v.ids = map[string]struct{}{}
	const page = 512
	for after, n := int64(0), page; n == page; {
		rows, err := v.page(ctx, after, page)
		if err != nil {
			return err
		}
		for i := range rows {
			if err := v.record(ctx, &rows[i]); err != nil {
				return err
			}
		}
		if n = len(rows); n > 0 {
			after = rows[n-1].Seq
		}
	}
	v.report.Records, v.report.Root = v.tree.size, v.tree.root()
	return v.end(ctx)
}

// loadCheckpoints reads the stored checkpoints and the given one, in the order
// of their size.
func (v *verifier) loadCheckpoints(ctx context.Context, kept []byte) error {
	if len(kept) > 0 {
		c, err := ParseCheckpoint(kept, v.key)
		if err != nil {
			return problem(0, "the checkpoint that was given: %v", err)
		}
		v.report.Kept = c.Size
		v.due = append(v.due, c)
	}
	return v.db.query(ctx, `SELECT size, note FROM checkpoint ORDER BY size`, nil, func(r row) error {
		c, err := ParseCheckpoint([]byte(r.str(1)), v.key)
		if err != nil {
			return problem(0, "the stored checkpoint of %d records: %v", r.int64(0), err)
		}
		if c.Size != r.int64(0) {
			return problem(0, "the stored checkpoint of %d records speaks of %d", r.int64(0), c.Size)
		}
		v.due = append(v.due, c)
		return nil
	})
}

// A row of the log as it is found: nothing of it is believed.
type found struct {
	bodied
	leaf    digest
	missing bool // of its body
	bad     string
}

func (v *verifier) page(ctx context.Context, after int64, n int) ([]found, error) {
	out := make([]found, 0, n)
	err := v.db.query(ctx, `SELECT j.seq, j.id, j.kind, j.origin, j.type, j.at, j.target, j.task, j.attempt, j.body_digest, j.leaf, b.bytes
		FROM journal j LEFT JOIN body b ON b.seq = j.seq WHERE j.seq > ? ORDER BY j.seq LIMIT ?`, []any{after, n}, func(r row) error {
		f := found{}
		var err error
		if f.columns, f.leaf, err = scanColumns(r); err != nil {
			return problem(r.int64(0), "%v", err)
		}
		if f.missing = r[11] == nil; !f.missing {
			if f.body, err = v.codec.unpack(r.bytes(11)); err != nil {
				f.bad = err.Error()
			}
		}
		out = append(out, f)
		return nil
	})
	return out, err
}

// record checks one record and adds it to the tree.
func (v *verifier) record(ctx context.Context, f *found) error {
	if f.Seq != v.tree.size+1 {
		return problem(v.tree.size+1, "record %d is missing", v.tree.size+1)
	}
	var leaf digest
	if leaf, v.scratch = f.columns.leaf(v.scratch); leaf != f.leaf {
		return problem(f.Seq, "record %d does not match its leaf: a column was changed", f.Seq)
	}
	if _, twice := v.ids[f.ID]; twice {
		return problem(f.Seq, "record %d has an id that an earlier record has", f.Seq)
	}
	v.ids[f.ID] = struct{}{}
	if f.At < v.last && !v.free {
		return problem(f.Seq, "record %d is earlier than the one before it", f.Seq)
	}
	v.last, v.free = f.At, acceptsClock(f.Kind, f.Origin, f.Type)
	switch {
	case f.missing:
		return problem(f.Seq, "record %d has lost its body", f.Seq)
	case f.bad != "":
		return problem(f.Seq, "record %d: its body cannot be read: %s", f.Seq, f.bad)
	case sum(f.body) != f.BodyDigest:
		return problem(f.Seq, "record %d does not match its body: the body was changed", f.Seq)
	}
	v.report.Bodies++
	if tile, full := v.tree.append(leaf); full {
		if err := v.tile(ctx, tile); err != nil {
			return err
		}
	}
	return v.checkpoints()
}

// tile compares a whole tile with the stored one.
func (v *verifier) tile(ctx context.Context, root digest) error {
	n := v.tree.size/tileSize - 1
	r, found, err := v.db.one(ctx, `SELECT hash FROM tile WHERE n = ?`, n)
	if err != nil {
		return err
	}
	if !found || digest(r.bytes(0)) != root {
		return problem(n*tileSize+1, "the leaves of records %d to %d do not match their stored tile: one of them was replaced with its leaf",
			n*tileSize+1, (n+1)*tileSize)
	}
	v.tiles++
	return nil
}

// checkpoints compares those of the tree's size.
func (v *verifier) checkpoints() error {
	rest := v.due[:0]
	for _, c := range v.due {
		if c.Size != v.tree.size {
			rest = append(rest, c)
			continue
		}
		if v.tree.root() != c.Root {
			return problem(0, "the tree of the first %d records is not the one that a checkpoint signed: a record among them was changed", c.Size)
		}
		v.report.Checkpoints++
	}
	v.due = rest
	return nil
}

// end checks what remains when every record was read.
func (v *verifier) end(ctx context.Context) error {
	for _, c := range v.due {
		if c.Size > v.tree.size {
			return problem(v.tree.size+1, "a checkpoint covers %d records and only %d are there: the log was cut", c.Size, v.tree.size)
		}
	}
	r, _, err := v.db.one(ctx, `SELECT count(*) FROM tile`)
	if err != nil {
		return err
	}
	if n := r.int64(0); n != v.tiles {
		return problem(v.tree.size+1, "there are %d tiles, which cover more than the %d records: the log was cut", n, v.tree.size)
	}
	if err := v.parts(ctx); err != nil {
		return err
	}
	return v.bundles(ctx)
}

// parts checks every blob against its digest; one that is gone was pruned.
func (v *verifier) parts(ctx context.Context) error {
	return v.stored(ctx, `SELECT digest, bytes FROM blob`, "blob", "a decision's input was changed", &v.report.Parts)
}

// bundles checks every stored policy against its digest.
func (v *verifier) bundles(ctx context.Context) error {
	_, found, err := v.db.one(ctx, `SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'bundle'`)
	if err != nil || !found { // a journal of an older release has none
		return err
	}
	return v.stored(ctx, `SELECT digest, bytes FROM bundle`, "bundle", "a policy was changed", &v.report.Bundles)
}

func (v *verifier) stored(ctx context.Context, sql, noun, what string, count *int64) error {
	return v.db.query(ctx, sql, nil, func(r row) error {
		d, err := asDigest(r.bytes(0))
		if err != nil {
			return problem(0, "a %s: %v", noun, err)
		}
		b, err := v.codec.unpack(r.bytes(1))
		if err != nil {
			return problem(0, "%s %s: %v", noun, digestText(d), err)
		}
		if sum(b) != d {
			return problem(0, "%s %s is not what its digest says: %s", noun, digestText(d), what)
		}
		*count++
		return nil
	})
}
