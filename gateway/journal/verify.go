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
	// Checkpoints is the content of a CheckpointsFile, or of a copy that was
	// kept elsewhere; every entry is compared.
	Checkpoints []byte
	// Progress, if set, is told now and then how many of the log's records have
	// been checked, from one goroutine. It must not block for long.
	Progress func(done, total int64)
}

// A Report is what a verification found. It is good when Problem is nil.
type Report struct {
	Records     int64
	Root        [32]byte
	Bodies      int64 // event and decision bodies that were checked
	Parts       int64 // parts of decisions' inputs that were checked
	Bundles     int64 // stored policy bundles that were checked
	Checkpoints int64 // checkpoints, stored and given, that matched
	// Kept is the size of the largest checkpoint that was given, 0 for none.
	Kept    int64
	Problem *Problem
}

// A Problem is the first thing that is wrong with a log. Seq is the first
// record that may be at fault, 0 when it is none in particular; Last is the
// last that may be, Seq itself when it is certain. A record that was replaced
// together with its leaf leaves no more than the span between two hashes.
type Problem struct {
	Seq  int64
	Last int64
	What string
}

func (p *Problem) Error() string { return p.What }

func problem(seq int64, format string, args ...any) error {
	return &Problem{Seq: seq, Last: seq, What: fmt.Sprintf(format, args...)}
}

// Verify reads the whole of a database file (the live one or a copy, with its
// -wal file beside it if it has one) and checks every record against its leaf,
// its body against its digest, the order, the tree, and the checkpoints,
// stored and given. What it finds is in the Report; the error says that it
// could not look. It changes nothing in the log, needs no secret, and uses
// every processor.
func Verify(ctx context.Context, file string, opts VerifyOptions) (rep Report, err error) {
	db, err := dialToVerify(file)
	if err != nil {
		return rep, fmt.Errorf("verify journal: %w", err)
	}
	codec, err := newCodec()
	if err != nil {
		return rep, errors.Join(fmt.Errorf("verify journal: %w", err), db.close())
	}
	v := verifier{file: file, db: db, codec: codec, chain: newChain(&rep)}
	err = v.run(ctx, opts)
	if errors.As(err, &rep.Problem) {
		err = nil
	}
	rep.Records, rep.Root = v.chain.tree.size, v.chain.tree.root()
	if err = errors.Join(err, codec.close(), db.close()); err != nil {
		return rep, fmt.Errorf("verify journal: %w", err)
	}
	return rep, nil
}

func dialToVerify(file string) (*conn, error) {
	return dial(file, "mode=ro", "query_only=1", "busy_timeout=5000", "cache_size=-1024") // read once, in order
}

// A verifier walks the log of a database.
type verifier struct {
	file  string
	db    *conn
	codec *codec
	chain *chain
}

func (v *verifier) run(ctx context.Context, opts VerifyOptions) error {
	if err := v.chain.given(opts); err != nil {
		return err
	}
	end, err := v.begin(ctx, opts.Key)
	if err != nil {
		return err
	}
	if err := v.records(ctx, end, opts.Progress); err != nil {
		return err
	}
	if err := v.chain.end(); err != nil {
		return err
	}
	if err := v.orphans(ctx, end); err != nil {
		return err
	}
	if err := v.stored(ctx, `SELECT digest, bytes FROM blob`, "blob", "a decision's input was changed", &v.chain.report.Parts); err != nil {
		return err
	}
	return v.bundles(ctx)
}

// begin reads, in one snapshot, where the log ends and what it is compared
// with. What is appended later is left for the next verification.
func (v *verifier) begin(ctx context.Context, key note.Verifier) (end int64, err error) {
	if err := v.db.exec("BEGIN"); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, v.db.exec("COMMIT")) }()
	r, _, err := v.db.one(ctx, `SELECT coalesce(max(seq), 0), coalesce(min(seq), 1) FROM journal`)
	if err != nil {
		return 0, err
	}
	if first := r.int64(1); first < 1 {
		return 0, problem(first, "record %d is before the first: it was inserted", first)
	}
	end = r.int64(0)
	err = v.db.query(ctx, `SELECT size, note FROM checkpoint ORDER BY size`, nil, func(r row) error {
		return v.chain.stored(r.int64(0), []byte(r.str(1)), key)
	})
	if err != nil {
		return 0, err
	}
	v.chain.tiles = map[int64]digest{}
	return end, v.db.query(ctx, `SELECT n, hash FROM tile`, nil, func(r row) error {
		hash, err := asDigest(r.bytes(1))
		if err != nil {
			return problem(r.int64(0)*tileSize+1, "tile %d: %v", r.int64(0), err)
		}
		v.chain.tiles[r.int64(0)] = hash
		return nil
	})
}

// orphans looks for bodies that no record has.
func (v *verifier) orphans(ctx context.Context, end int64) error {
	r, found, err := v.db.one(ctx, `SELECT b.seq FROM body b WHERE (b.seq < 1 OR b.seq > ?)
		AND NOT EXISTS (SELECT 1 FROM journal j WHERE j.seq = b.seq) ORDER BY b.seq LIMIT 1`, end)
	if err != nil || !found {
		return err
	}
	return problem(r.int64(0), "there is a body of record %d, which is not there: the log was cut, or the body inserted", r.int64(0))
}

// bundles checks every stored policy against its digest.
func (v *verifier) bundles(ctx context.Context) error {
	_, found, err := v.db.one(ctx, `SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'bundle'`)
	if err != nil || !found { // a journal of an older release has none
		return err
	}
	return v.stored(ctx, `SELECT digest, bytes FROM bundle`, "bundle", "a policy was changed", &v.chain.report.Bundles)
}

// stored checks values against the digests that they stand under; a part that
// is gone was pruned.
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
