package replay

import (
	"slices"
	"sync"

	"leviathan/gateway/engine"
	"leviathan/gateway/journal"
)

// partsMax bounds the parts that are kept, and partsBytes the JSON in them.
const (
	partsMax   = 4096
	partsBytes = 64 << 20
)

// A partCache keeps the engine's form of parts that decisions share: the
// config, a backlog, a task. Safe for concurrent use.
type partCache struct {
	mu    sync.RWMutex
	by    map[partKey]engine.Part
	uses  map[string]uses // by the part's name
	bytes int
}

// A partKey is a part's name and its value: its digest where that is known, else
// its JSON.
type partKey struct{ name, value string }

// uses are how often a part of a name was found, and how often it was not.
type uses struct{ hits, misses int }

// unshared reports whether the parts of a name are nearly all different, as the
// time is: keeping those only drives out the others. Now and then one is kept
// all the same, to see whether that is still so.
func (u uses) unshared() bool { return u.misses > 64 && u.hits < u.misses && u.misses%16 != 0 }

func newPartCache() *partCache {
	return &partCache{by: map[partKey]engine.Part{}, uses: map[string]uses{}}
}

// input builds a recorded decision's input.
func (c *partCache) input(d *journal.StoredDecision) (engine.Input, error) {
	in := make(engine.Input, len(d.Parts))
	c.find(d, in)
	var made []int
	for i, p := range d.Parts {
		if in[i].Name != "" {
			continue
		}
		var err error
		if in[i], err = engine.RecordedPart(p.Name, p.JSON); err != nil {
			return nil, err
		}
		made = append(made, i)
	}
	c.keep(d, in, made)
	return in, nil
}

// find fills in the parts that are known.
func (c *partCache) find(d *journal.StoredDecision, in engine.Input) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for i, p := range d.Parts {
		var known engine.Part
		var ok bool
		if p.Digest != "" {
			known, ok = c.by[partKey{p.Name, p.Digest}]
		} else {
			known, ok = c.by[partKey{p.Name, string(p.JSON)}] // this way it is not copied
		}
		if ok {
			in[i] = known
		}
	}
}

// keep counts what was found, and keeps what was made.
func (c *partCache) keep(d *journal.StoredDecision, in engine.Input, made []int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range in {
		u := c.uses[in[i].Name]
		if !slices.Contains(made, i) {
			u.hits++
			c.uses[in[i].Name] = u
			continue
		}
		u.misses++
		c.uses[in[i].Name] = u
		if u.unshared() {
			continue
		}
		size := len(in[i].JSON)
		if len(c.by) >= partsMax || c.bytes+size > partsBytes {
			c.by, c.bytes = map[partKey]engine.Part{}, 0 // what is shared comes back at once
		}
		value := d.Parts[i].Digest
		if value == "" {
			value = string(in[i].JSON)
		}
		c.by[partKey{in[i].Name, value}] = in[i]
		c.bytes += size
	}
}
