package server

import (
	"sync"

	"leviathan/gateway/engine"
)

// memos keep the parts of a target's inputs that outlive a question, each with
// what it was made of. The zero value is ready. Safe for concurrent use.
type memos struct {
	mu sync.Mutex
	by map[memoID]memo
}

// A memoID names a part and what it is about: an attempt, a task, or nothing.
type memoID struct{ name, about string }

type memo struct {
	of   any
	part engine.Part
}

// memosMax bounds a target's memos; beyond it they begin anew.
const memosMax = 1024

// part is the part as it was made of the same thing before, or as make makes
// it now. What of holds is compared, so it must be comparable, and must change
// whenever the part would.
func (m *memos) part(id memoID, of any, make func() (engine.Part, error)) (engine.Part, error) {
	m.mu.Lock()
	known, ok := m.by[id]
	m.mu.Unlock()
	if ok && known.of == of {
		return known.part, nil
	}
	made, err := make()
	if err != nil {
		return engine.Part{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.by == nil || len(m.by) >= memosMax {
		m.by = map[memoID]memo{}
	}
	m.by[id] = memo{of: of, part: made}
	return made, nil
}
