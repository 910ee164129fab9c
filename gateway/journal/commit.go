package journal

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"

	"leviathan/gateway"
)

// ErrNotRecorded matches, with errors.Is, every error that means that nothing
// was recorded because the journal could not: a full disk, a failed commit, a
// closed journal. It is of kind gateway.Unknown.
var ErrNotRecorded = &gateway.Error{Kind: gateway.Unknown, Code: "unknown.journal"}

// retryAfter is when to ask again where nothing could be recorded.
const retryAfter = 5 * time.Second

func notRecorded(err error) error {
	why := err.Error()
	if diskFull(err) {
		why = "the disk is full: free space for the state folder and ask again: " + why
	}
	return &gateway.Error{Kind: gateway.Unknown, Code: ErrNotRecorded.Code, RetryAfter: retryAfter, Detail: "nothing was recorded: " + why}
}

func errClosed() error { return notRecorded(errors.New("the journal is closed")) }

// A request is one caller of Commit.
type request struct {
	ctx   context.Context
	fn    func(*Tx) error
	work  func() error // instead of fn: alone on the writer, in no transaction
	state atomic.Int32 // waiting, taken by the writer or left by its caller
	err   error
	done  chan struct{}
}

const (
	waiting = iota
	taken
	left
)

// Commit runs fn on the one writer, together with others that wait, each in
// order inside a savepoint of one transaction, and returns when the
// transaction is on disk.
//
// An error of fn undoes what fn appended, alone, and is returned; so is the
// first error of its Append calls, even when fn hides it. A panic of fn is
// such an error. When the transaction fails, every caller gets an error that
// matches ErrNotRecorded and nothing has changed, in memory or on disk. When
// ctx ends before fn's turn, fn does not run and ctx's error is returned;
// after that ctx has no effect. fn must be quick, must not wait for anything
// and must not call Commit; its Tx is good only inside it.
func (j *Journal) Commit(ctx context.Context, fn func(*Tx) error) error {
	r := &request{ctx: ctx, fn: fn, done: make(chan struct{})}
	if j.byItself(r) {
		return r.err
	}
	return j.wait(j.requests, r)
}

// byItself commits r on its caller's goroutine when nobody else is at work or
// waits, and reports whether it did: the way to the writer and back costs a
// lone caller as much as a short statement.
func (j *Journal) byItself(r *request) bool {
	if len(j.requests) > 0 {
		return false
	}
	select {
	case <-j.turn:
	default:
		return false
	}
	defer j.yield()
	select {
	case <-j.closing:
		return false // wait says so
	default:
	}
	j.commit([]*request{r})
	return true
}

// yield gives the turn to whoever is next. A panic on its way through is a
// defect that may have left memory and disk apart: nothing is written any more.
func (j *Journal) yield() {
	if p := recover(); p != nil {
		j.dead = fmt.Errorf("the writer panicked: %v: restart the gateway", p)
		j.turn <- struct{}{}
		panic(p)
	}
	j.turn <- struct{}{}
}

// A Committed is one transaction of the writer.
type Committed struct {
	Callers int // of Commit, who shared it; at least 1
	Took    time.Duration
	Failed  bool // nothing of it is on disk
}

// OnCommit has f told of every transaction from now on, in place of whoever was
// told before. f runs on the writer, before the callers have their answer: it
// must not wait for anything, nor call the journal.
func (j *Journal) OnCommit(f func(Committed)) { j.onCommit.Store(&f) }

// exclusive runs work on the writer between transactions.
func (j *Journal) exclusive(ctx context.Context, work func() error) error {
	return j.wait(j.alone, &request{ctx: ctx, work: work, done: make(chan struct{})})
}

// wait queues r and returns when the writer has answered it.
func (j *Journal) wait(queue chan<- *request, r *request) error {
	ctx := r.ctx
	select {
	case <-j.closing:
		return errClosed()
	default:
	}
	select {
	case queue <- r:
	case <-ctx.Done():
		return ctx.Err()
	case <-j.closed:
		return errClosed()
	}
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		if r.state.CompareAndSwap(waiting, left) {
			return ctx.Err()
		}
	case <-j.closed:
		if r.state.CompareAndSwap(waiting, left) {
			return errClosed()
		}
	}
	<-r.done
	return r.err
}

// write is the writer for those who wait: it takes them all and commits them
// together, when it has the turn.
func (j *Journal) write() {
	defer close(j.closed)
	tick := time.NewTicker(j.cfg.CheckpointInterval)
	defer tick.Stop()
	taking := make([]*request, 0, j.cfg.MaxBatch)
	for {
		taking = taking[:0]
		select {
		case r := <-j.requests:
			taking = append(taking, r)
		case r := <-j.alone:
			<-j.turn
			if r.state.CompareAndSwap(waiting, taken) {
				if err := j.fenced(); err != nil {
					r.err = notRecorded(err)
				} else {
					r.err = r.work()
				}
				close(r.done)
			}
			j.turn <- struct{}{}
			continue
		case <-tick.C:
			<-j.turn
			j.checkpointNow()
			j.turn <- struct{}{}
			continue
		case <-j.closing:
			<-j.turn // and nobody gets it again
			j.last()
			return
		}
		j.inHand.Store(1)
		<-j.turn // those who come meanwhile are in the same transaction
		j.inHand.Store(0)
	fill:
		for len(taking) < j.cfg.MaxBatch {
			select {
			case r := <-j.requests:
				taking = append(taking, r)
			default:
				break fill
			}
		}
		j.commit(taking)
		j.turn <- struct{}{}
	}
}

// last refuses those that still wait and stores the closing checkpoint.
func (j *Journal) last() {
	for {
		select {
		case r := <-j.requests:
			if r.state.CompareAndSwap(waiting, taken) {
				r.err = errClosed()
				close(r.done)
			}
			continue
		default:
		}
		break
	}
	j.checkpointNow()
}

// commit runs the requests in one transaction and answers them.
func (j *Journal) commit(requests []*request) {
	run := requests[:0]
	for _, r := range requests {
		if r.ctx.Err() == nil && r.state.CompareAndSwap(waiting, taken) {
			run = append(run, r)
		} else if r.state.CompareAndSwap(waiting, taken) {
			r.err = r.ctx.Err()
			close(r.done)
		}
	}
	if len(run) == 0 {
		return
	}
	began := time.Now()
	err := j.transact(run)
	if err != nil {
		j.cfg.Logger.Error("commit", "error", err, "callers", len(run))
		for _, r := range run {
			r.err = err
		}
	}
	if told := j.onCommit.Load(); told != nil {
		(*told)(Committed{Callers: len(run), Took: time.Since(began), Failed: err != nil})
	}
	for _, r := range run {
		close(r.done)
	}
}

// transact is one transaction. An error means that nothing of it happened.
func (j *Journal) transact(run []*request) error {
	if j.dead != nil {
		return notRecorded(j.dead)
	}
	if err := j.w.exec("BEGIN IMMEDIATE"); err != nil {
		return notRecorded(fmt.Errorf("begin: %w", err))
	}
	b := newBatch(j)
	for _, r := range run {
		r.err = b.run(r.fn)
		if b.broken != nil {
			return j.undo(b.broken)
		}
	}
	if err := b.finish(); err != nil {
		return j.undo(err)
	}
	if err := j.fenced(); err != nil {
		return j.undo(err)
	}
	if err := j.w.exec("COMMIT"); err != nil {
		return j.undo(fmt.Errorf("commit: %w", err))
	}
	b.publish()
	return nil
}

// undo rolls the transaction back and makes sure that the disk is where memory
// is. A commit that failed and yet was written would part the two: then
// nothing more is written until the journal is opened again.
func (j *Journal) undo(cause error) error {
	// SQLite may have rolled back by itself; then this is an error that says so.
	rollback := j.w.exec("ROLLBACK")
	r, _, err := j.w.one(context.Background(), `SELECT coalesce(max(seq), 0) FROM journal`)
	switch {
	case err != nil:
		j.dead = errors.Join(fmt.Errorf("the journal cannot be read after a failed commit: %w", err), rollback)
	case r.int64(0) != j.head.seq:
		j.dead = fmt.Errorf("a failed commit is on disk all the same (record %d, expected %d): restart the gateway", r.int64(0), j.head.seq)
	}
	return notRecorded(errors.Join(cause, j.dead))
}

// run calls fn in its savepoint and undoes it when it fails.
func (b *batch) run(fn func(*Tx) error) (err error) {
	tx := &Tx{b: b, mark: b.mark()}
	defer func() {
		if p := recover(); p != nil {
			b.j.cfg.Logger.Error("commit: panic", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = gateway.Errorf(gateway.InternalError, "commit: panic: %v", p)
		}
		tx.over = true
		if err == nil {
			err = tx.err
		}
		if err == nil {
			err = tx.last()
		}
		if b.broken == nil && tx.saved {
			if end := b.end(tx, err != nil); end != nil {
				b.broken = end
			}
		}
	}()
	return fn(tx)
}

// end releases tx's savepoint, undoing it first when it failed.
func (b *batch) end(tx *Tx, failed bool) error {
	if failed {
		if err := b.j.w.exec("ROLLBACK TO one"); err != nil {
			return err
		}
		b.back(tx)
	}
	return b.j.w.exec("RELEASE one")
}
