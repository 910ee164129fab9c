package journal

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"leviathan/gateway"
)

// Why a decision cannot be made again from what is kept of it.
const (
	WhyPruned = "pruned" // parts of its input were removed by Prune
	WhyMasked = "masked" // parts of its input were never recorded
)

// A DecisionRange says which decisions to read; the zero one means all.
type DecisionRange struct {
	// Since bounds the record's time from below.
	Since  gateway.Time
	Target gateway.TargetID
	Action string
	// AfterSeq and UpToSeq bound the records: after the one, up to and with the
	// other; 0 means up to the last one that is committed when reading begins.
	AfterSeq, UpToSeq int64
}

// A StoredDecision is a decision as it can be made again. It is the callee's to
// keep and shares memory with others: do not change what it points to.
type StoredDecision struct {
	Seq          int64
	At           gateway.Time
	ID           gateway.DecisionID
	Action       string
	Target       gateway.TargetID
	Task         gateway.TaskID
	Attempt      gateway.AttemptID
	Allow        bool
	DryRun       bool
	AskedBy      string
	Revision     string
	PolicyDigest string
	Codes        []string // sorted, each once
	InputDigest  string
	// Parts are the input's top-level keys by name, in order. One that was
	// pruned has no JSON.
	Parts []StoredPart
	// Result is nil when it was pruned.
	Result json.RawMessage
	// Erased are the places that a mask took out.
	Erased []string
	// Replayable says that Parts are the whole input and Result the whole
	// answer; if not, Why is WhyMasked or WhyPruned.
	Replayable bool
	Why        string
}

// A StoredPart is a top-level key of a decision's input, in canonical JSON.
// Decisions that share a large part share its memory. Digest is empty for a
// part that stands in the decision's own record.
type StoredPart struct {
	Name   string
	Digest string
	JSON   json.RawMessage
}

// replayPage is how many decisions are read in one snapshot at most, and
// replayBytes of how many bytes their parts are about, each part once: the facts
// about a repository are larger than a thousand other decisions.
const (
	replayPage  = 512
	replayBytes = 64 << 20
)

// EachDecision calls each with every decision of the range, in the order of
// the log, from one goroutine, while the next ones are read. No snapshot is
// held meanwhile, so that each may take its time. It ends with each's first
// error, unchanged, or with ctx.
func (j *Journal) EachDecision(ctx context.Context, in DecisionRange, each func(StoredDecision) error) error {
	ctx, cancel := context.WithCancel(ctx)
	pages, failed := make(chan []StoredDecision, 1), make(chan error, 1)
	go func() {
		defer close(pages)
		failed <- j.readDecisions(ctx, in, func(page []StoredDecision) error {
			select {
			case pages <- page:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	err := func() error {
		for page := range pages {
			for i := range page {
				if err := each(page[i]); err != nil {
					return err
				}
			}
		}
		return nil
	}()
	cancel()
	if reading := <-failed; err == nil && reading != nil {
		return fmt.Errorf("read decisions: %w", reading)
	}
	return err
}

// readDecisions hands over the range in pages.
func (j *Journal) readDecisions(ctx context.Context, in DecisionRange, give func([]StoredDecision) error) error {
	r := decisionReader{codec: j.codec, parts: newPartCache(j.codec, partsKept), texts: map[string]string{}}
	after, upTo := in.AfterSeq, in.UpToSeq
	if upTo == 0 {
		upTo = j.Seq()
	}
	for first := true; ; first = false {
		var page []StoredDecision
		var last bool
		err := j.readers.read(ctx, func(db *conn) (err error) {
			if first && !in.Since.IsZero() {
				low, _, err := seqsBetween(ctx, db, in.Since, gateway.Time{})
				if err != nil {
					return err
				}
				after = max(after, low-1)
			}
			r.parts.nextPage()
			// The indexed ones first: what is fresh is newer. Both are of one
			// snapshot, between which nothing moves.
			for _, fresh := range []bool{false, true} {
				sql, args := sqlEachDecision(in, fresh, after, upTo)
				if page, last, err = r.page(ctx, db, sql, args); err != nil || len(page) > 0 {
					last = last && fresh
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		if len(page) > 0 {
			if err := give(page); err != nil {
				return err
			}
			after = page[len(page)-1].Seq
		}
		if last {
			return nil
		}
	}
}

// sqlEachDecision is the statement for a page of a range, of the fresh
// decisions or the indexed ones.
func sqlEachDecision(in DecisionRange, fresh bool, after, upTo int64) (string, []any) {
	table := "decision"
	if fresh {
		table = "decision_fresh"
	}
	var w where
	w.and("d.seq > ? AND d.seq <= ?", after, upTo)
	if in.Target != "" {
		w.and("d.target = ? AND d.target <> ''", in.Target)
	}
	if in.Action != "" {
		w.and("d.action = ?", in.Action)
	}
	if !in.Since.IsZero() { // where the clock was set back, seqs alone do not tell
		w.and("j.at >= ?", in.Since)
	}
	return `SELECT d.seq, j.at, j.id, d.action, d.target, d.task, d.attempt, b.bytes
		FROM ` + table + ` d CROSS JOIN journal j ON j.seq = d.seq CROSS JOIN body b ON b.seq = d.seq ` +
		w.String() + ` ORDER BY d.seq LIMIT ?`, append(w.args, replayPage)
}

// A decisionReader makes StoredDecisions of rows. Not safe for concurrent use.
type decisionReader struct {
	codec *codec
	parts *partCache
	texts map[string]string // strings that come again and again
	most  int               // parts of one decision so far
}

// page reads decisions until there are enough; last says that no more follow.
func (r *decisionReader) page(ctx context.Context, db *conn, sql string, args []any) (out []StoredDecision, last bool, err error) {
	out = make([]StoredDecision, 0, replayPage)
	err = db.query(ctx, sql, args, func(row row) error {
		d := StoredDecision{
			Seq: row.int64(0), At: row.time(1), ID: gateway.DecisionID(row.str(2)), Action: row.str(3), Target: gateway.TargetID(row.str(4)),
			Task: gateway.TaskID(row.str(5)), Attempt: gateway.AttemptID(row.str(6)), Replayable: true,
		}
		body, err := r.codec.unpack(row.bytes(7))
		if err == nil {
			err = r.body(&d, body)
		}
		if err != nil {
			return fmt.Errorf("body of record %d: %w", d.Seq, err)
		}
		out = append(out, d)
		return nil
	})
	if err != nil {
		return nil, false, err
	}
	size, counted := 0, map[string]bool{}
	for i := range out {
		if size > replayBytes {
			return out[:i], false, nil
		}
		if err := r.load(ctx, db, &out[i]); err != nil {
			return nil, false, fmt.Errorf("input of record %d: %w", out[i].Seq, err)
		}
		for _, p := range out[i].Parts {
			if p.Digest != "" && !counted[p.Digest] {
				counted[p.Digest] = true
				size += len(p.JSON)
			}
		}
	}
	return out, len(out) < replayPage, nil
}

// load fetches what the decision has by digest, and says whether all is there.
func (r *decisionReader) load(ctx context.Context, db *conn, d *StoredDecision) error {
	fetch := func(text string) (json.RawMessage, error) {
		key, err := parseDigest(text)
		if err != nil {
			return nil, err
		}
		b, found, err := r.parts.get(ctx, db, key)
		if err == nil && !found {
			d.refuse(WhyPruned)
		}
		return b, err
	}
	for i := range d.Parts {
		p := &d.Parts[i]
		if p.Digest == "" {
			continue
		}
		var err error
		if p.JSON, err = fetch(p.Digest); err != nil {
			return fmt.Errorf("part %s: %w", p.Name, err)
		}
	}
	slices.SortFunc(d.Parts, func(a, b StoredPart) int { return strings.Compare(a.Name, b.Name) })
	if digest, ok := strings.CutPrefix(string(d.Result), resultAt); ok {
		var err error
		if d.Result, err = fetch(digest); err != nil {
			return fmt.Errorf("result: %w", err)
		}
	}
	return nil
}

// resultAt marks, while a page is read, a result that is stored by digest. No
// JSON begins so.
const resultAt = "@"

// refuse says why the decision cannot be made again; the mask's reason stays,
// because it would hold without the other.
func (d *StoredDecision) refuse(why string) {
	d.Replayable = false
	if d.Why == "" {
		d.Why = why
	}
}
