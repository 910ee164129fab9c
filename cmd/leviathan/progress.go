package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	// barEvery is how often a bar is drawn anew, and barAfter how long work may
	// take before it has one.
	barEvery = 100 * time.Millisecond
	barAfter = 300 * time.Millisecond
	barCells = 24
)

// A bar shows how far long work is, in one line that it takes away at the end.
// It is for a person who watches: where the writer is no terminal, nothing is
// written. It is safe for concurrent use.
type bar struct {
	w    io.Writer // nil where nobody watches
	what string
	now  func() time.Time

	mu          sync.Mutex
	began, last time.Time
	drawn       int // characters on the line
}

// bar begins one for work that is called what.
func (o operator) bar(w io.Writer, what string) *bar {
	if !o.terminal(w) {
		w = nil
	}
	return newBar(w, what, time.Now)
}

func newBar(w io.Writer, what string, now func() time.Time) *bar {
	return &bar{w: w, what: what, now: now, began: now()}
}

// at shows that done of total is done; without a total, how long it has taken.
func (b *bar) at(done, total int64) {
	if b.w == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	if now.Sub(b.began) < barAfter || now.Sub(b.last) < barEvery {
		return
	}
	b.last = now
	line := fmt.Sprintf("%s  %s", b.what, span(now.Sub(b.began)))
	if total > 0 {
		done = min(max(done, 0), total)
		full := int(done * barCells / total)
		line = fmt.Sprintf("%s  [%s%s] %3d %%  %d of %d", b.what, strings.Repeat("#", full), strings.Repeat("-", barCells-full), done*100/total, done, total)
	}
	b.draw(line)
}

// draw writes the line over the one before. That it cannot be is nobody's
// concern: it says nothing that the answer does not.
func (b *bar) draw(line string) {
	_, _ = fmt.Fprintf(b.w, "\r%s%s", line, strings.Repeat(" ", max(0, b.drawn-len(line))))
	b.drawn = len(line)
}

// end takes the line away.
func (b *bar) end() {
	if b.w == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.drawn > 0 {
		b.draw("")
		_, _ = io.WriteString(b.w, "\r")
	}
}

// pulse shows how long work takes that does not tell how far it is, until it
// is stopped, which takes the line away.
func (b *bar) pulse() (stop func()) {
	if b.w == nil {
		return func() {}
	}
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(barEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				b.at(0, 0)
			case <-quit:
				return
			}
		}
	}()
	return func() {
		close(quit)
		<-ended
		b.end()
	}
}

// reading is f, whose reading moves the bar by the file's size.
func (b *bar) reading(f *os.File) io.Reader {
	info, err := f.Stat()
	if b.w == nil || err != nil || !info.Mode().IsRegular() {
		return f
	}
	return &countedReader{r: f, total: info.Size(), bar: b}
}

type countedReader struct {
	r           io.Reader
	done, total int64
	bar         *bar
}

func (c *countedReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.done += int64(n)
	c.bar.at(c.done, c.total)
	return n, err
}
