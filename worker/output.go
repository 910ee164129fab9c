package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"leviathan/gateway"
)

const (
	// artifactMax is what the gateway takes for one artifact.
	artifactMax = 10 << 20
	// uploadEvery is how far an operator's view lags behind the output.
	uploadEvery = time.Second
	// uploadPiece bounds one request.
	uploadPiece = 1 << 20
	tailSize    = 2 << 10
)

// A log is a command's output on its way to the gateway: redacted, capped,
// kept in a file and sent from there about every second. What the gateway
// does not take is still in the file; output never fails an attempt.
type log struct {
	name    string
	client  *gateway.Client
	attempt gateway.AttemptID
	logger  *slog.Logger
	redact  redactor

	mu   sync.Mutex // guards what Write and the sender share
	file *os.File
	size int64 // bytes in the file
	room int64 // bytes that may still be written
	cut  bool  // the truncation line is written
	tail []byte

	sent    int64
	refused error // a refusal is final: it is not asked again
	stop    chan struct{}
	done    chan struct{}
}

// newLog makes the log and starts sending it. Close ends both.
func (r *run) newLog(ctx context.Context, name string, maxKB int) (*log, error) {
	file, err := r.spool.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("creating the log %s: %w", name, err)
	}
	limit := int64(maxKB) << 10
	if limit <= 0 || limit > artifactMax {
		limit = artifactMax
	}
	l := &log{name: name, client: r.Client, attempt: r.Attempt, logger: r.Logger, file: file,
		room: limit - int64(len(truncation(limit))), stop: make(chan struct{}), done: make(chan struct{})}
	l.room = max(0, l.room)
	l.redact = redactor{secrets: r.secrets, to: capped{l, limit}}
	go l.send(ctx)
	return l, nil
}

func truncation(limit int64) string {
	return fmt.Sprintf("\n[output truncated: more than %d KB]\n", limit>>10)
}

// Write never fails: a command must not die of its log.
func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.redact.Write(p)
}

// note writes a line of the worker's own.
func (l *log) note(format string, args ...any) {
	fmt.Fprintf(l, "[leviathan] "+format+"\n", args...)
}

// capped is where the redacted bytes go; l.mu is held.
type capped struct {
	l     *log
	limit int64
}

func (c capped) Write(p []byte) (int, error) {
	l := c.l
	l.tail = append(l.tail, p...)
	l.tail = append(l.tail[:0], l.tail[max(0, len(l.tail)-tailSize):]...)
	keep := p[:min(int64(len(p)), l.room)]
	l.room -= int64(len(keep))
	if len(keep) < len(p) && !l.cut {
		l.cut = true
		keep = append(bytes.Clone(keep), truncation(c.limit)...)
	}
	n, err := l.file.WriteAt(keep, l.size)
	l.size += int64(n)
	if err != nil {
		l.logger.Warn("output is lost", "artifact", l.name, "error", err)
	}
	return len(p), nil
}

// last is the end of the output, at most tailSize bytes, redacted.
func (l *log) last() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(bytes.TrimSpace(bytes.ToValidUTF8(l.tail, []byte("?"))))
}

// Close sends the rest, for as long as ctx lets it, and closes the file.
func (l *log) Close(ctx context.Context) error {
	l.mu.Lock()
	err := l.redact.Close()
	l.mu.Unlock()
	close(l.stop)
	<-l.done
	if sendErr := l.sendNew(ctx); sendErr != nil {
		l.logger.Warn("output is not with the gateway", "artifact", l.name, "sent", l.sent, "size", l.size, "error", sendErr)
	}
	return errors.Join(err, l.file.Close())
}

func (l *log) send(ctx context.Context) {
	defer close(l.done)
	tick := time.NewTicker(uploadEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.stop:
			return
		case <-tick.C:
			if err := l.sendNew(ctx); err != nil {
				l.logger.Debug("output waits", "artifact", l.name, "error", err)
			}
		}
	}
}

// sendNew sends what the gateway does not have yet. Only one goroutine at a
// time calls it.
func (l *log) sendNew(ctx context.Context) error {
	for {
		l.mu.Lock()
		size := l.size
		l.mu.Unlock()
		if l.sent >= size || l.refused != nil {
			return l.refused
		}
		piece := make([]byte, min(size-l.sent, uploadPiece))
		if _, err := io.ReadFull(io.NewSectionReader(l.file, l.sent, size-l.sent), piece); err != nil {
			return fmt.Errorf("reading back the log: %w", err)
		}
		if err := l.client.PutArtifact(ctx, l.attempt, l.name, l.sent, piece); err != nil {
			if kind := gateway.KindOf(err); kind != gateway.Unknown && kind != gateway.RateLimited && kind != gateway.InternalError {
				l.refused = err
			}
			return err
		}
		l.sent += int64(len(piece))
	}
}
