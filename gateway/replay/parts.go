package replay

import (
	"encoding/json"
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
	mu    sync.Mutex
	by    map[partKey]engine.Part
	bytes int
}

type partKey struct{ name, json string }

func newPartCache() *partCache { return &partCache{by: map[partKey]engine.Part{}} }

// input builds a recorded decision's input.
func (c *partCache) input(d journal.StoredDecision) (engine.Input, error) {
	in := make(engine.Input, 0, len(d.Parts))
	for _, p := range d.Parts {
		part, err := c.part(p.Name, p.JSON)
		if err != nil {
			return nil, err
		}
		in = append(in, part)
	}
	return in, nil
}

func (c *partCache) part(name string, raw []byte) (engine.Part, error) {
	key := partKey{name, string(raw)}
	c.mu.Lock()
	part, ok := c.by[key]
	c.mu.Unlock()
	if ok {
		return part, nil
	}
	part, err := engine.NewPart(name, json.RawMessage(raw))
	if err != nil {
		return part, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.by) >= partsMax || c.bytes+len(raw) > partsBytes {
		c.by, c.bytes = map[partKey]engine.Part{}, 0 // what is shared comes back at once
	}
	c.by[key] = part
	c.bytes += len(raw)
	return part, nil
}
