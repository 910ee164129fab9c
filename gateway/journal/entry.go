package journal

import "leviathan/gateway"

// append makes the record and writes it. A turn's first decision is not
// written before it must be: most turns have no more than that, and then need
// no savepoint, for nothing is written unless the turn ends well.
func (tx *Tx) append(r *Record) (Appended, error) {
	if err := r.check(); err != nil {
		return Appended{}, err
	}
	if err := tx.settle(); err != nil {
		return Appended{}, err
	}
	e, err := tx.entry(r)
	if err != nil {
		return Appended{}, err
	}
	at := tx.Now()
	if r.Kind == Decision && !tx.saved {
		tx.queued = e
	} else if err := tx.write(e); err != nil {
		return Appended{}, err
	}
	return Appended{Seq: e.Seq, ID: e.ID, At: at, Leaf: e.leaf}, nil
}

// An entry is a record that is ready to be written.
type entry struct {
	columns
	leaf  digest
	body  []byte // in the journal's buffer until the next entry
	parts []newPart
	index *DecisionIndex
}

// entry makes the record's entry as the next of the log.
func (tx *Tx) entry(r *Record) (*entry, error) {
	j := tx.b.j
	body, err := r.encode(j.buffers.body)
	if err != nil {
		return nil, err
	}
	j.buffers.body = body
	if r.ID == "" {
		if r.ID, err = tx.NewID(); err != nil {
			return nil, err
		}
	}
	e := &entry{body: body, index: r.Decision, columns: columns{
		Seq: tx.b.head.seq + 1, ID: r.ID, Kind: r.Kind, Origin: r.Origin, Type: r.Type, At: micros(tx.Now()),
		Target: r.Target, Task: r.Task, Attempt: r.Attempt, BodyDigest: sum(body),
	}}
	e.leaf, j.buffers.leaf = e.columns.leaf(j.buffers.leaf)
	e.parts, err = tx.newParts(r.Parts)
	return e, err
}

// settle writes what is queued, in a savepoint, because more will follow it.
func (tx *Tx) settle() error {
	e := tx.queued
	if e == nil {
		return nil
	}
	tx.queued = nil
	return tx.write(e)
}

// write writes the entry in the turn's savepoint.
func (tx *Tx) write(e *entry) error {
	if err := tx.save(); err != nil {
		return err
	}
	if err := tx.store(e); err != nil {
		return err
	}
	return tx.follow(e)
}

// last writes a turn's only record, which needs no savepoint: only its first
// statement may be refused, and that undoes itself. Any other failure is the
// whole transaction's.
func (tx *Tx) last() error {
	e := tx.queued
	if e == nil {
		return nil
	}
	tx.queued = nil
	if err := tx.store(e); err != nil {
		return tx.failed(err)
	}
	if err := tx.follow(e); err != nil {
		tx.b.broken = err
		return notRecorded(err)
	}
	return nil
}

// store writes the record's row.
func (tx *Tx) store(e *entry) error {
	err := tx.b.j.w.exec(`INSERT INTO journal (seq, id, kind, origin, type, at, target, task, attempt, body_digest, leaf)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		e.Seq, e.ID, e.Kind, e.Origin, e.Type, e.At, e.Target, e.Task, e.Attempt, e.BodyDigest[:], e.leaf[:])
	if isConstraint(err) {
		return gateway.Errorf(gateway.Conflict, "append record: id %q is taken", e.ID)
	}
	return err
}

// follow writes what belongs to the row, and moves the head past it.
func (tx *Tx) follow(e *entry) error {
	j := tx.b.j
	j.buffers.blob = j.codec.pack(j.buffers.blob[:0], e.body)
	if err := j.w.exec(`INSERT INTO body (seq, bytes) VALUES (?, ?)`, e.Seq, j.buffers.blob); err != nil {
		return err
	}
	for _, p := range e.parts {
		if err := tx.storePart(p); err != nil {
			return err
		}
	}
	if err := tx.grow(e.leaf); err != nil {
		return err
	}
	if err := tx.fold(e); err != nil {
		return err
	}
	tx.b.head.floor = e.At
	if acceptsClock(e.Kind, e.Origin, e.Type) {
		tx.b.head.floor, tx.now = 0, 0
	}
	return nil
}

// A newPart is a part that is not known to be stored.
type newPart struct {
	digest digest
	bytes  []byte
}

// newParts checks the parts and leaves out those that are stored.
func (tx *Tx) newParts(parts []Part) (out []newPart, err error) {
	for _, p := range parts {
		d, err := parseDigest(p.Digest)
		if err != nil {
			return nil, invalid("append record: part: %v", err)
		}
		if _, ok := tx.b.pending[d]; ok || tx.b.j.known.has(d) {
			continue
		}
		if sum(p.Bytes) != d {
			return nil, invalid("append record: a part is not what its digest %s says", p.Digest)
		}
		out = append(out, newPart{d, p.Bytes})
	}
	return out, nil
}

func (tx *Tx) storePart(p newPart) error {
	j := tx.b.j
	j.buffers.blob = j.codec.pack(j.buffers.blob[:0], p.bytes)
	if err := j.w.exec(`INSERT INTO blob (digest, bytes) VALUES (?, ?) ON CONFLICT DO NOTHING`, p.digest[:], j.buffers.blob); err != nil {
		return err
	}
	tx.b.pending[p.digest] = struct{}{}
	tx.b.order = append(tx.b.order, p.digest)
	return nil
}

// grow adds the leaf to the tree.
func (tx *Tx) grow(leaf digest) error {
	t := &tx.b.head.tree
	tile, full := t.append(leaf)
	tx.b.head.seq++
	if !full {
		return nil
	}
	return tx.b.j.w.exec(`INSERT INTO tile (n, hash) VALUES (?, ?)`, t.size/tileSize-1, tile[:])
}
