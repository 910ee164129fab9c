package journal

import (
	"leviathan/gateway"
)

// A head is where the log ends: what a new record continues.
type head struct {
	seq   int64
	floor int64 // microseconds: the last record's time, 0 after clock.accepted
	tree  tree
}

// A batch is one transaction's view: the committed one with what the
// transaction changed laid over it. Nothing of it is seen outside before
// publish.
type batch struct {
	j       *Journal
	head    head
	facts   map[gateway.TargetID]int64
	states  map[gateway.TargetID]*cached
	pending map[digest]struct{} // parts that this transaction stored
	order   []digest            // the same, in order
	covered int64               // by a checkpoint that this transaction stored
	broken  error               // the database failed: all is lost
}

func newBatch(j *Journal) *batch {
	return &batch{
		j: j, head: head{seq: j.head.seq, floor: j.head.floor, tree: j.head.tree.clone()},
		facts: map[gateway.TargetID]int64{}, states: map[gateway.TargetID]*cached{}, pending: map[digest]struct{}{},
	}
}

// A mark is where a caller's savepoint began.
type mark struct {
	seq, floor int64
	tree       tree
	parts      int
}

func (b *batch) mark() mark {
	return mark{seq: b.head.seq, floor: b.head.floor, parts: len(b.order)}
}

// back takes the batch to where tx began.
func (b *batch) back(tx *Tx) {
	b.head.seq, b.head.floor = tx.mark.seq, tx.mark.floor
	b.head.tree.reset(&tx.mark.tree)
	for _, d := range b.order[tx.mark.parts:] {
		delete(b.pending, d)
	}
	b.order = b.order[:tx.mark.parts]
	for target, was := range tx.factsBefore {
		b.facts[target] = was
	}
	for target, c := range b.states {
		c.back(b.committed(target))
	}
}

// committed is the target's cached state as of the last commit, nil for none.
// Only the writer changes the map, so it reads it without the lock.
func (b *batch) committed(target gateway.TargetID) *cached { return b.j.states[target] }

// factsSeq is the last record, in the batch or before, that can change what is
// known about the target.
func (b *batch) factsSeq(target gateway.TargetID) int64 {
	return max(b.factsOf(target), b.factsOf(""))
}

func (b *batch) factsOf(target gateway.TargetID) int64 {
	if seq, ok := b.facts[target]; ok {
		return seq
	}
	return b.j.facts[target]
}

// cached is the overlay of a target's state, made on first use.
func (b *batch) cached(target gateway.TargetID) *cached {
	c := b.states[target]
	if c == nil {
		c = &cached{}
		if was := b.committed(target); was != nil {
			c.state = was.state
		}
		b.states[target] = c
	}
	return c
}

// state is the target's state as of here.
func (b *batch) state(target gateway.TargetID) (*State, error) {
	c := b.cached(target)
	if err := c.refresh(b.j.w, target, b.factsSeq(target)); err != nil {
		return nil, err
	}
	return c.state, nil
}

// finish brings the states that are in memory up to date and stores a
// checkpoint when one is due, still inside the transaction.
func (b *batch) finish() error {
	if b.facts[""] != 0 {
		for target := range b.j.states {
			b.cached(target)
		}
	}
	for target, c := range b.states {
		if c.state == nil {
			continue
		}
		if _, err := b.state(target); err != nil {
			return err
		}
	}
	if b.head.seq/b.j.cfg.CheckpointEvery > b.j.head.seq/b.j.cfg.CheckpointEvery {
		b.covered = b.head.seq
		return b.j.storeCheckpoint(&b.head.tree)
	}
	return nil
}

// publish makes the transaction, which is on disk, the committed state.
func (b *batch) publish() {
	j := b.j
	for _, d := range b.order {
		j.known.add(d)
	}
	moved := b.head.seq != j.head.seq
	j.head = b.head
	if b.covered > 0 {
		j.covered = b.covered
		j.file.poke()
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.seq, j.floor = b.head.seq, b.head.floor
	j.size.reset(&b.head.tree)
	for target, seq := range b.facts {
		j.facts[target] = seq
	}
	for target, c := range b.states {
		if c.state != nil {
			j.states[target] = &cached{state: c.state}
		}
	}
	if moved {
		close(j.changed)
		j.changed = make(chan struct{})
	}
}
