package journal

import (
	"context"
	"errors"
	"runtime"
	"sync"
)

// verifyRange is how many records a worker checks at a time.
const verifyRange = 2048

// records checks the records up to end: ranges of them in parallel, each on a
// connection of its own, and their chain in order. A record up to end never
// changes, so that the workers need no common snapshot.
func (v *verifier) records(ctx context.Context, end int64, progress func(done, total int64)) error {
	workers := make([]*rangeReader, 0, runtime.GOMAXPROCS(0))
	defer func() {
		for _, w := range workers {
			_ = w.db.close() // read only: there is nothing to lose
		}
	}()
	for range cap(workers) {
		db, err := dialToVerify(v.file)
		if err != nil {
			return err
		}
		workers = append(workers, &rangeReader{db: db, codec: v.codec, chain: v.chain})
	}
	jobs := func(yield func(func(*rangeReader) segment) bool) {
		for after := int64(0); after < end; after += verifyRange {
			job := func(r *rangeReader) segment { return r.check(ctx, after, min(after+verifyRange, end)) }
			if !yield(job) {
				return
			}
		}
	}
	return inOrder(ctx, workers, jobs, func(s segment) error {
		err := v.chain.add(s)
		if progress != nil && err == nil {
			progress(v.chain.tree.size, end)
		}
		return err
	})
}

// inOrder runs jobs on the workers, each of which does one at a time, and
// takes what they make in the order of the jobs. It ends with the first error
// of take and awaits every worker.
func inOrder[W, R any](ctx context.Context, workers []W, jobs func(func(func(W) R) bool), take func(R) error) error {
	type task struct {
		job  func(W) R
		done chan R
	}
	queue, order := make(chan task), make(chan task, 2*len(workers))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(stop)
	for _, w := range workers {
		wg.Go(func() {
			for t := range queue {
				t.done <- t.job(w)
			}
		})
	}
	wg.Go(func() {
		defer close(order)
		defer close(queue)
		jobs(func(job func(W) R) bool {
			t := task{job, make(chan R, 1)}
			select {
			case order <- t:
			case <-stop:
				return false
			}
			select {
			case queue <- t:
				return true
			case <-stop:
				return false
			}
		})
	})
	for t := range order {
		select {
		case r := <-t.done:
			if err := take(r); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return ctx.Err()
}

const sqlRange = `SELECT j.seq, j.id, j.kind, j.origin, j.type, j.at, j.target, j.task, j.attempt, j.body_digest, j.leaf, b.bytes
	FROM journal j LEFT JOIN body b ON b.seq = j.seq WHERE j.seq > ? AND j.seq <= ? ORDER BY j.seq`

// A rangeReader checks records, each for itself. Not safe for concurrent use.
type rangeReader struct {
	db      *conn
	codec   *codec
	chain   *chain
	scratch []byte
}

// check reads the records after one seq and up to another.
func (w *rangeReader) check(ctx context.Context, after, upTo int64) segment {
	out := segment{links: make([]link, 0, upTo-after)}
	next := after + 1
	out.err = w.db.query(ctx, sqlRange, []any{after, upTo}, func(r row) error {
		c, leaf, err := scanColumns(r)
		switch {
		case c.Seq != next:
			return problem(next, "record %d is missing", next)
		case err != nil:
			return problem(next, "%v", err)
		}
		var body []byte
		bad := ""
		if r[11] == nil {
			bad = "has lost its body"
		} else if body, err = w.codec.unpack(r.bytes(11)); err != nil {
			bad = "has a body that cannot be read: " + err.Error()
		}
		if err := w.record(&c, leaf, body, bad); err != nil {
			return err
		}
		out.links = append(out.links, w.chain.link(&c, leaf))
		next++
		return nil
	})
	if out.err == nil && next <= upTo {
		out.err = problem(next, "record %d is missing", next)
	}
	if errors.Is(out.err, context.Canceled) {
		out.err = ctx.Err()
	}
	return out
}

// record checks a record against its leaf and its body.
func (w *rangeReader) record(c *columns, leaf digest, body []byte, bad string) error {
	var want digest
	if want, w.scratch = c.leaf(w.scratch); want != leaf {
		return problem(c.Seq, "record %d does not match its leaf: a column was changed", c.Seq)
	}
	if bad != "" {
		return problem(c.Seq, "record %d %s", c.Seq, bad)
	}
	if sum(body) != c.BodyDigest {
		return problem(c.Seq, "record %d does not match its body: the body was changed", c.Seq)
	}
	return nil
}
