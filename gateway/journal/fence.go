package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// A Fence keeps all writers but one away from a journal that several
// processes could open, such as the replicas of a gateway.
type Fence struct {
	// Epoch numbers the one who may write, and is greater than that of every
	// writer before. Open writes it down; a journal that knows a greater one, or
	// this one already, is not opened, and one that learns of a greater one
	// commits nothing any more. 0 is for a process that nobody fences: on a
	// journal that had an epoch, Open takes the next, which fences out whoever
	// had it.
	Epoch int64
	// Held, if it is not nil, says whether this process may write now: nil, or
	// why not. The one writer asks it right before every COMMIT, so it must be
	// quick and must not wait for anything. Any goroutine may call it.
	Held func() error
}

const selectEpoch = `SELECT value FROM meta WHERE key = 'epoch'`

// LastEpoch is the greatest epoch that the journal of a folder knows; 0 if it
// knows none, or is not there. Nothing is written, and another process may have
// the journal open.
func LastEpoch(ctx context.Context, dir string) (_ int64, err error) {
	path := filepath.Join(dir, DatabaseFile)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	db, err := dial(path, "mode=ro", "busy_timeout=5000")
	if err != nil {
		return 0, fmt.Errorf("read the journal's epoch: %w", err)
	}
	defer func() { err = errors.Join(err, db.close()) }()
	return readEpoch(ctx, db)
}

// readEpoch reads the epoch of a database that may have no tables yet.
func readEpoch(ctx context.Context, db *conn) (int64, error) {
	_, made, err := db.one(ctx, `SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'meta'`)
	if err != nil || !made {
		return 0, err
	}
	return epochOf(ctx, db)
}

func epochOf(ctx context.Context, db *conn) (int64, error) {
	r, found, err := db.one(ctx, selectEpoch)
	if err != nil || !found {
		return 0, err
	}
	epoch, err := strconv.ParseInt(r.str(0), 10, 64)
	if err != nil || epoch < 1 {
		return 0, fmt.Errorf("read the journal's epoch: %q is no epoch", r.str(0))
	}
	return epoch, nil
}

// overtaken is the error of a writer whose place another has taken.
func overtaken(own, seen int64) error {
	return fmt.Errorf("another gateway writes this journal: it has epoch %d and this process %d; it must end", seen, own)
}

// admit refuses a writer that is too late, before anything is written.
func (j *Journal) admit(ctx context.Context) error {
	seen, err := readEpoch(ctx, j.w)
	if err != nil {
		return err
	}
	if own := j.cfg.Fence.Epoch; own != 0 && own <= seen {
		return fmt.Errorf("open journal: %w", overtaken(own, seen))
	}
	return j.held()
}

// takeEpoch writes this writer's epoch down, so that no earlier one writes
// after it. The tables are there.
func (j *Journal) takeEpoch(ctx context.Context) (err error) {
	if err := j.w.exec("BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("take the journal: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("take the journal: %w", err), j.w.exec("ROLLBACK"))
		}
	}()
	seen, err := epochOf(ctx, j.w)
	if err != nil {
		return err
	}
	own := j.cfg.Fence.Epoch
	switch {
	case own == 0 && seen == 0:
		return j.w.exec("COMMIT")
	case own == 0:
		own = seen + 1
		j.cfg.Logger.Warn("this journal was a cluster's: whoever wrote it there can write it no more", "epoch", own)
	case own <= seen:
		return overtaken(own, seen)
	}
	if err := j.w.exec(`INSERT INTO meta (key, value) VALUES ('epoch', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value`, strconv.FormatInt(own, 10)); err != nil {
		return err
	}
	if err := j.held(); err != nil {
		return err
	}
	if err := j.w.exec("COMMIT"); err != nil {
		return err
	}
	j.epoch = own
	return nil
}

// fenced says why nothing may be committed now; nil if this is the one writer.
// The writer asks it inside its transaction, in which no other can take the
// journal.
func (j *Journal) fenced() error {
	if j.epoch != 0 {
		seen, err := epochOf(context.Background(), j.w)
		if err != nil {
			return err
		}
		if seen > j.epoch {
			return overtaken(j.epoch, seen)
		}
	}
	return j.held()
}

func (j *Journal) held() error {
	if j.cfg.Fence.Held == nil {
		return nil
	}
	return j.cfg.Fence.Held()
}
