package repository

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"

	"leviathan/gateway"
)

// gitProcess is a git process: fed once, then read to its end. The read that
// reaches the end reports how the process ended. It belongs to one goroutine.
type gitProcess struct {
	cmd    *exec.Cmd
	cancel context.CancelFunc
	place  os.FileInfo // the repository that it was started in
	in     io.WriteCloser
	out    io.ReadCloser
	stderr headBuffer
	fed    chan struct{} // closed when there is no more to feed; nil before feed
	fedErr error
	loose  func() bool // lets go of the context of endWith
	waited bool
	err    error
}

func (p *gitProcess) start() (err error) {
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return err
	}
	if p.out, err = p.cmd.StdoutPipe(); err != nil {
		return err
	}
	return p.cmd.Start()
}

// endWith kills the process when ctx ends.
func (p *gitProcess) endWith(ctx context.Context) { p.loose = context.AfterFunc(ctx, p.cancel) }

// feed gives the process size bytes of body, and then the end; it does not
// wait for them to be taken. Without a body it is the end alone.
func (p *gitProcess) feed(body io.Reader, size int64) error {
	if body == nil {
		return p.in.Close()
	}
	p.fed = make(chan struct{})
	go func() {
		defer close(p.fed)
		_, err := io.Copy(p.in, io.LimitReader(body, size))
		if closeErr := p.in.Close(); err == nil {
			err = closeErr
		}
		// a process that ends before it has read all says why in its answer
		if !errors.Is(err, syscall.EPIPE) && !errors.Is(err, os.ErrClosed) {
			p.fedErr = err
		}
	}()
	return nil
}

// gone reports whether a process that was told nothing yet has ended all the
// same: its answer is over before it began.
func (p *gitProcess) gone() bool {
	file, ok := p.out.(*os.File)
	if !ok {
		return false
	}
	raw, err := file.SyscallConn()
	if err != nil {
		return true // closed
	}
	over := false
	err = raw.Read(func(fd uintptr) bool {
		var one [1]byte
		n, err := syscall.Read(int(fd), one[:]) // which does not wait
		over = n > 0 || err == nil
		return true
	})
	return over || err != nil
}

// abandon ends a process that nobody will feed. How it ended says nothing.
func (p *gitProcess) abandon() {
	p.cancel()
	_ = p.wait()
}

func (p *gitProcess) Read(b []byte) (int, error) {
	if p.waited {
		return 0, cmp.Or(p.err, io.EOF)
	}
	n, err := p.out.Read(b)
	if err == io.EOF && n == 0 {
		if werr := p.wait(); werr != nil {
			return 0, werr
		}
	}
	return n, err
}

func (p *gitProcess) wait() error {
	if p.waited {
		return p.err
	}
	p.waited = true
	err := p.cmd.Wait()
	if p.fed != nil {
		<-p.fed // the body may go away once the process has been waited for
		err = cmp.Or(err, p.fedErr)
	}
	if p.loose != nil {
		p.loose()
	}
	p.cancel()
	if err != nil {
		p.err = gateway.Errorf(gateway.Unknown, "git %s: %v: %s", p.cmd.Args[1], err, sanitize(p.stderr.String()))
	}
	return p.err
}

// Close waits for the process; one that still has much to say is cut off.
func (p *gitProcess) Close() error {
	if !p.waited {
		// what is left is at most the end of an answer that was understood
		if _, err := io.CopyN(io.Discard, p.out, 1<<20); err == nil {
			p.out.Close()
		}
	}
	return p.wait()
}

// headBuffer keeps the first 4 KiB of what a process complains.
type headBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (t *headBuffer) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if room := 4096 - t.b.Len(); room > 0 {
		t.b.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

func (t *headBuffer) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}
