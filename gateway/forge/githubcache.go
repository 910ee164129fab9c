package forge

import (
	"container/list"
	"net/http"
	"sync"
)

// The bounds of the cache of answers.
const (
	cacheEntries = 512
	cacheBytes   = 8 << 20
)

// A cached answer is one that GitHub gave an ETag for.
type cached struct {
	key, etag string
	header    http.Header
	body      []byte
}

// answers is a bounded cache of what GitHub said, the least recently used
// going first. An entry is never believed as it is: its ETag is shown to
// GitHub, which says whether it still holds.
type answers struct {
	mu    sync.Mutex
	order *list.List // of *cached, the newest in front
	byKey map[string]*list.Element
	size  int
}

func newAnswers() *answers {
	return &answers{order: list.New(), byKey: map[string]*list.Element{}}
}

func (a *answers) get(key string) *cached {
	a.mu.Lock()
	defer a.mu.Unlock()
	e, ok := a.byKey[key]
	if !ok {
		return nil
	}
	a.order.MoveToFront(e)
	return e.Value.(*cached)
}

func (a *answers) put(c *cached) {
	if len(c.body) > cacheBytes/8 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if old, ok := a.byKey[c.key]; ok {
		a.drop(old)
	}
	a.byKey[c.key] = a.order.PushFront(c)
	a.size += len(c.body)
	for a.order.Len() > cacheEntries || a.size > cacheBytes {
		a.drop(a.order.Back())
	}
}

func (a *answers) drop(e *list.Element) {
	c := a.order.Remove(e).(*cached)
	delete(a.byKey, c.key)
	a.size -= len(c.body)
}
