package journal

import (
	"hash/maphash"
	"slices"

	"golang.org/x/mod/sumdb/note"
)

// A segment is a run of records that were checked each for itself.
type segment struct {
	links []link
	err   error // after the last of links: a *Problem, or that it could not look
}

// A link is what the chain needs of a record.
type link struct {
	leaf digest
	id   [2]uint64
	at   int64
	free bool // the next one may be earlier
}

// A chain puts checked records together, in order: ids, times, the tree and
// what it is compared with.
type chain struct {
	report *Report
	seeds  [2]maphash.Seed
	tree   tree
	ids    map[[2]uint64]struct{}
	last   link
	good   int64 // records up to here are under a checkpoint that matched
	due    []Checkpoint
	tiles  map[int64]digest // the stored ones; nil when there are none to compare with
	seen   int64            // of tiles
}

func newChain(rep *Report) *chain {
	return &chain{report: rep, seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, ids: map[[2]uint64]struct{}{}, last: link{free: true}}
}

// link is the record's link; it may be called by any number of goroutines.
func (c *chain) link(r *columns, leaf digest) link {
	return link{leaf: leaf, id: [2]uint64{maphash.String(c.seeds[0], r.ID), maphash.String(c.seeds[1], r.ID)}, at: r.At,
		free: acceptsClock(r.Kind, r.Origin, r.Type)}
}

// given takes the checkpoints that were kept elsewhere.
func (c *chain) given(opts VerifyOptions) error {
	if len(opts.Checkpoint) > 0 {
		kept, err := ParseCheckpoint(opts.Checkpoint, opts.Key)
		if err != nil {
			return problem(0, "the checkpoint that was given: %v", err)
		}
		c.due = append(c.due, kept)
	}
	all, err := ParseCheckpoints(opts.Checkpoints, opts.Key)
	if err != nil {
		return problem(0, "the file of checkpoints that was given: %v", err)
	}
	c.due = append(c.due, all...)
	for _, k := range c.due {
		c.report.Kept = max(c.report.Kept, k.Size)
	}
	return nil
}

// stored takes a checkpoint that lies beside the records.
func (c *chain) stored(size int64, signed []byte, key note.Verifier) error {
	k, err := ParseCheckpoint(signed, key)
	if err != nil {
		return problem(0, "the stored checkpoint of %d records: %v", size, err)
	}
	if k.Size != size {
		return problem(0, "the stored checkpoint of %d records speaks of %d", size, k.Size)
	}
	c.due = append(c.due, k)
	return nil
}

// add checks the segment's records against those before them.
func (c *chain) add(s segment) error {
	if c.tree.size == 0 {
		slices.SortStableFunc(c.due, func(a, b Checkpoint) int { return int(min(1, max(-1, a.Size-b.Size))) })
	}
	for i := range s.links {
		if err := c.next(&s.links[i]); err != nil {
			return err
		}
	}
	return s.err
}

func (c *chain) next(l *link) error {
	seq := c.tree.size + 1
	if _, twice := c.ids[l.id]; twice {
		return problem(seq, "record %d has an id that an earlier record has", seq)
	}
	c.ids[l.id] = struct{}{}
	if l.at < c.last.at && !c.last.free {
		return problem(seq, "record %d is earlier than the one before it", seq)
	}
	c.last = *l
	c.report.Bodies++
	if root, full := c.tree.append(l.leaf); full && c.tiles != nil {
		if err := c.tile(root); err != nil {
			return err
		}
	}
	return c.checkpoints()
}

// tile compares a whole tile with the stored one.
func (c *chain) tile(root digest) error {
	n := c.tree.size/tileSize - 1
	stored, ok := c.tiles[n]
	if !ok {
		return c.span(n*tileSize+1, "the stored tile of records %d to %d is missing", n*tileSize+1, (n+1)*tileSize)
	}
	if first := max(n*tileSize, c.good) + 1; stored != root {
		return c.span(first, "the leaves of records %d to %d do not match their stored tile: one of %d to %d was replaced with its leaf, or the tile was changed",
			n*tileSize+1, (n+1)*tileSize, first, (n+1)*tileSize)
	}
	c.seen++
	return nil
}

// checkpoints compares those of the tree's size.
func (c *chain) checkpoints() error {
	for len(c.due) > 0 && c.due[0].Size <= c.tree.size {
		k := c.due[0]
		c.due = c.due[1:]
		if k.Size < c.tree.size {
			continue // of no record: it says nothing
		}
		if c.tree.root() != k.Root {
			return c.span(c.good+1, "the tree of the first %d records is not the one that a checkpoint signed: one of the records %d to %d was changed, inserted or removed",
				k.Size, c.good+1, k.Size)
		}
		c.good = k.Size
		c.report.Checkpoints++
	}
	return nil
}

// span is a problem of one of the records from seq to the last one read.
func (c *chain) span(seq int64, format string, args ...any) error {
	p := problem(seq, format, args...).(*Problem)
	p.Last = c.tree.size
	return p
}

// end checks what remains when every record was read.
func (c *chain) end() error {
	next := c.tree.size + 1
	for _, k := range c.due {
		if k.Size >= next {
			return problem(next, "a checkpoint covers %d records and only %d are there: the log was cut", k.Size, c.tree.size)
		}
	}
	if n := int64(len(c.tiles)); n != c.seen {
		return problem(next, "there are %d tiles, which cover more than the %d records: the log was cut", n, c.tree.size)
	}
	return nil
}
