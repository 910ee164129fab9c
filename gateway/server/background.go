package server

import (
	"context"
	"sync"
)

// background is work that no request waits for. It ends with the server.
type background struct {
	mu     sync.Mutex // guards ended
	ended  bool
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

func (b *background) begin() { b.ctx, b.cancel = context.WithCancel(context.Background()) }

// run starts f, unless the server has ended.
func (b *background) run(f func(ctx context.Context)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.ended {
		b.wg.Go(func() { f(b.ctx) })
	}
}

// end cancels what runs and waits for it.
func (b *background) end() {
	b.mu.Lock()
	b.ended = true
	b.mu.Unlock()
	b.cancel()
	b.wg.Wait()
}
