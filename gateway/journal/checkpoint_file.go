package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"sync"

	"golang.org/x/mod/sumdb/note"
)

// CheckpointsFile is the name of the file beside the database that every
// stored checkpoint is appended to: signed notes, oldest first, a blank line
// after each. See ParseCheckpoints.
const CheckpointsFile = "checkpoints"

// maxEntry is more bytes than one entry of the file has.
const maxEntry = 4 << 10

// A CheckpointFile says how the file of checkpoints stands.
type CheckpointFile struct {
	Path string
	Size int64 // records that its last entry covers
	Err  error // why the newest checkpoints are not in it, nil if they are
}

// CheckpointFile says how the file of checkpoints stands. A file that cannot
// be written stops nothing: the checkpoints are in the database, and come into
// the file when it can be.
func (j *Journal) CheckpointFile() CheckpointFile {
	f := j.file
	f.mu.Lock()
	defer f.mu.Unlock()
	return CheckpointFile{Path: f.path, Size: f.last, Err: f.err}
}

// ParseCheckpoints reads a file of checkpoints, oldest first. An entry that is
// torn off at the end is left out; a nil key leaves signatures unchecked.
func ParseCheckpoints(b []byte, key note.Verifier) ([]Checkpoint, error) {
	var out []Checkpoint
	for len(b) > 0 {
		end := entryEnd(b)
		if end < 0 {
			return out, nil
		}
		c, err := ParseCheckpoint(b[:end-1], key)
		if err != nil {
			return nil, fmt.Errorf("entry %d of the checkpoints: %w", len(out)+1, err)
		}
		out, b = append(out, c), b[end:]
	}
	return out, nil
}

// entryEnd is where the entry at the beginning of b ends, its blank line too;
// -1 if b does not have all of it. An entry has two blank lines: one before the
// signature and its last.
func entryEnd(b []byte) int {
	text := bytes.Index(b, []byte("\n\n"))
	if text < 0 {
		return -1
	}
	rest := bytes.Index(b[text+2:], []byte("\n\n"))
	if rest < 0 {
		return -1
	}
	return text + 2 + rest + 2
}

// A checkpointFile appends stored checkpoints to the file, from a goroutine of
// its own: neither the writer nor a decision waits for it. What is to be
// appended is what the database has and the file has not.
type checkpointFile struct {
	path   string
	logger *slog.Logger
	after  func(ctx context.Context, size int64) ([][]byte, []int64, error)
	end    func() int64

	wake chan struct{}
	stop chan struct{}
	done chan struct{}

	ready bool // mended, and last is known; the goroutine's own

	mu   sync.Mutex
	last int64
	err  error
}

func (f *checkpointFile) run() {
	defer close(f.done)
	for {
		f.flush()
		select {
		case <-f.wake:
		case <-f.stop:
			f.flush()
			return
		}
	}
}

// poke says that the database has a new checkpoint.
func (f *checkpointFile) poke() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// flush brings the file up to the database and notes why it could not; of a
// series of failures the first is logged.
func (f *checkpointFile) flush() {
	last, err := f.append()
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil && f.err == nil {
		f.logger.Error("append checkpoints to their file; they are in the database and will follow", "file", f.path, "error", err)
	}
	f.last, f.err = last, err
}

func (f *checkpointFile) append() (last int64, err error) {
	f.mu.Lock()
	last = f.last
	f.mu.Unlock()
	if !f.ready {
		if last, err = mendCheckpoints(f.path); err != nil {
			return last, err
		}
		f.ready = true
	}
	if end := f.end(); last > end {
		return last, fmt.Errorf("%s covers %d records and the journal has %d: the journal was rolled back or is another one; verify it against the file",
			f.path, last, end)
	}
	notes, sizes, err := f.after(context.Background(), last)
	if err != nil || len(notes) == 0 {
		return last, err
	}
	file, err := os.OpenFile(f.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return last, err
	}
	_, err = file.Write(append(bytes.Join(notes, []byte("\n")), '\n'))
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		f.ready = false // some of it may be there
		return last, err
	}
	return sizes[len(sizes)-1], nil
}

// storedCheckpoints are the database's after a size, oldest first.
func (j *Journal) storedCheckpoints(ctx context.Context, size int64) (notes [][]byte, sizes []int64, err error) {
	err = j.list(ctx, "read checkpoints", func(db *conn) error {
		return db.query(ctx, `SELECT size, note FROM checkpoint WHERE size > ? ORDER BY size`, []any{size}, func(r row) error {
			notes, sizes = append(notes, []byte(r.str(1))), append(sizes, r.int64(0))
			return nil
		})
	})
	return notes, sizes, err
}

// mendCheckpoints cuts off what a crash left of an entry, and says how many
// records the last whole one covers.
func mendCheckpoints(path string) (last int64, err error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	from := max(0, info.Size()-2*maxEntry)
	tail, err := io.ReadAll(io.NewSectionReader(file, from, info.Size()-from))
	if err != nil {
		return 0, err
	}
	begin := bytes.LastIndex(tail, []byte(CheckpointName+"\n"))
	whole := -1
	if begin >= 0 {
		whole = entryEnd(tail[begin:])
	}
	if begin >= 0 && whole < 0 { // torn: the one before it is the last
		torn := begin
		begin = bytes.LastIndex(tail[:torn], []byte(CheckpointName+"\n"))
		if whole = torn - begin; begin < 0 {
			begin, whole = 0, torn
		}
	}
	if begin < 0 && !bytes.HasPrefix([]byte(CheckpointName+"\n"), tail) || from > 0 && whole <= 0 {
		return 0, fmt.Errorf("%s is not a file of checkpoints: move it away", path)
	}
	end := int64(0)
	if whole > 0 {
		c, err := ParseCheckpoint(tail[begin:begin+whole-1], nil)
		if err != nil {
			return 0, fmt.Errorf("%s: its last entry: %w: move the file away", path, err)
		}
		last, end = c.Size, from+int64(begin+whole)
	}
	if end == info.Size() {
		return last, nil
	}
	return last, errors.Join(file.Truncate(end), file.Sync())
}
