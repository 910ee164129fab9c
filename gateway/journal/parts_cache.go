package journal

import (
	"container/list"
	"context"
	"fmt"
)

// partsKept bounds the bytes of the parts that one reading of the decisions
// keeps.
const partsKept = 64 << 20

// A partCache keeps the parts that decisions share, the last used ones. Not
// safe for concurrent use.
type partCache struct {
	codec  *codec
	bytes  int
	limit  int
	order  *list.List // of *keptPart, the last used first
	by     map[digest]*list.Element
	absent map[digest]struct{} // in this page's snapshot
}

type keptPart struct {
	key   digest
	bytes []byte
}

func newPartCache(codec *codec, limit int) *partCache {
	return &partCache{codec: codec, limit: limit, order: list.New(), by: map[digest]*list.Element{}, absent: map[digest]struct{}{}}
}

// nextPage forgets what a snapshot lacked: the next one may have it.
func (p *partCache) nextPage() { clear(p.absent) }

// get is the part's bytes; found is false when it was pruned.
func (p *partCache) get(ctx context.Context, db *conn, key digest) (b []byte, found bool, err error) {
	if e, ok := p.by[key]; ok {
		p.order.MoveToFront(e)
		return e.Value.(*keptPart).bytes, true, nil
	}
	if _, ok := p.absent[key]; ok {
		return nil, false, nil
	}
	b, found, err = p.codec.load(ctx, db, key)
	switch {
	case err != nil:
		return nil, false, err
	case !found:
		p.absent[key] = struct{}{}
		return nil, false, nil
	case sum(b) != key:
		return nil, false, fmt.Errorf("part %s is not what its digest says: verify the journal", digestText(key))
	}
	p.by[key] = p.order.PushFront(&keptPart{key, b})
	for p.bytes += len(b); p.bytes > p.limit && p.order.Len() > 1; {
		last := p.order.Remove(p.order.Back()).(*keptPart)
		delete(p.by, last.key)
		p.bytes -= len(last.bytes)
	}
	return b, true, nil
}
