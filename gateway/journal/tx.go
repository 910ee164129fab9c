package journal

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/oklog/ulid/v2"

	"leviathan/gateway"
)

// A Tx is one caller's turn in a transaction. It sees what was committed, what
// those before it in the same transaction appended, and its own.
type Tx struct {
	b           *batch
	mark        mark
	now         int64
	saved       bool   // the savepoint is set
	queued      *entry // the turn's first decision, not yet written
	over        bool
	err         error
	factsBefore map[gateway.TargetID]int64
}

// Now is the time of this turn and of the records that it appends: the wall
// clock, or the last record's time where that is later. It stays the same
// during the turn, but for clock.accepted, after which it is the wall clock.
func (tx *Tx) Now() gateway.Time {
	if tx.now == 0 {
		tx.now = max(tx.b.j.cfg.Now().UnixMicro(), tx.b.head.floor)
	}
	return fromMicros(tx.now)
}

// NewID makes a ULID of this turn's time, for an attempt or a record.
func (tx *Tx) NewID() (string, error) {
	id, err := ulid.New(uint64(tx.Now().UnixMilli()), rand.Reader)
	if err != nil {
		return "", fmt.Errorf("make id: %w", err)
	}
	return id.String(), nil
}

// Seq is the last record before this point, 0 for none.
func (tx *Tx) Seq() int64 {
	if tx.queued != nil {
		return tx.queued.Seq
	}
	return tx.b.head.seq
}

// FactsSeq is the last record before this point that can change State's JSON
// or a live attempt: the target's own, or one about all.
func (tx *Tx) FactsSeq(target gateway.TargetID) int64 { return tx.b.factsSeq(target) }

// State is what is known about the target at this point.
func (tx *Tx) State(target gateway.TargetID) (*State, error) {
	if err := tx.usable(); err != nil {
		return nil, err
	}
	s, err := tx.b.state(target)
	return s, tx.failed(err)
}

// Attempt is the attempt at this point.
func (tx *Tx) Attempt(id gateway.AttemptID) (*Attempt, bool, error) {
	if err := tx.usable(); err != nil {
		return nil, false, err
	}
	a, err := loadAttempt(context.Background(), tx.b.j.w, id)
	return a, a != nil, tx.failed(err)
}

// HasEvent reports whether a record has the id, and its body's digest; compare
// that with Record.BodyDigest to tell a repeat from a conflict.
func (tx *Tx) HasEvent(id string) (bodyDigest string, found bool, err error) {
	if err := tx.usable(); err != nil {
		return "", false, err
	}
	if err := tx.settle(); err != nil {
		tx.err = tx.failed(err)
		return "", false, tx.err
	}
	r, found, err := tx.b.j.w.one(context.Background(), `SELECT body_digest FROM journal WHERE id = ?`, id)
	if err != nil || !found {
		return "", false, tx.failed(err)
	}
	d, err := asDigest(r.bytes(0))
	return digestText(d), err == nil, err
}

// Append adds a record, folds it and returns its place. An event that the
// attempt's or the pull request's state does not allow is refused with kind
// gateway.Conflict, as is an id that is taken; a record that is not well formed
// with gateway.Invalid. After an error nothing of this turn will be recorded.
func (tx *Tx) Append(r Record) (Appended, error) {
	if err := tx.usable(); err != nil {
		return Appended{}, err
	}
	a, err := tx.append(&r)
	if err != nil {
		err = tx.failed(err)
		tx.err = err
		return Appended{}, err
	}
	return a, nil
}

// usable refuses a turn that is over or has failed.
func (tx *Tx) usable() error {
	if tx.over {
		return errors.New("use transaction: its turn is over")
	}
	return tx.err
}

// failed notes an error that is the database's and not the caller's.
func (tx *Tx) failed(err error) error {
	if err == nil || !broken(err) {
		return err
	}
	tx.b.broken = err
	tx.err = notRecorded(err)
	return tx.err
}

// save sets the savepoint before the turn's first write.
func (tx *Tx) save() error {
	if tx.saved {
		return nil
	}
	tx.mark.tree = tx.b.head.tree.clone()
	if err := tx.b.j.w.exec("SAVEPOINT one"); err != nil {
		return err
	}
	tx.saved = true
	return nil
}

// fold brings the projections up to the record and notes what moved.
func (tx *Tx) fold(e *entry) error {
	f := folder{db: tx.b.j.w, touch: tx.touch, moved: tx.moved}
	var err error
	if e.Kind == Decision {
		err = f.decision(&e.columns, e.index)
	} else {
		err = f.event(&e.columns, e.body)
	}
	if err != nil {
		return err
	}
	return f.settle(e.Seq)
}

// touch notes that a task or an attempt of a target changed.
func (tx *Tx) touch(target gateway.TargetID, task gateway.TaskID, attempt gateway.AttemptID) {
	tx.b.cached(target).touch(task, attempt)
}

// moved notes that the target's facts (all facts for "") changed at seq.
func (tx *Tx) moved(target gateway.TargetID, seq int64) {
	if tx.factsBefore == nil {
		tx.factsBefore = map[gateway.TargetID]int64{}
	}
	if _, ok := tx.factsBefore[target]; !ok {
		tx.factsBefore[target] = tx.b.factsOf(target)
	}
	tx.b.facts[target] = seq
	if target != "" {
		tx.b.cached(target)
	}
}
