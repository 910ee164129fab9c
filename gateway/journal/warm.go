package journal

import (
	"errors"
	"fmt"
	"os"
)

const (
	logFrames = 4000                         // after how many the log's pages go to the database
	logFrame  = 4096 + 24                    // bytes of a page and its header
	logBytes  = 32 + (logFrames+64)*logFrame // its own header, and room for the commit that passes the mark
)

// warm makes the write-ahead log as long as it gets, with zeros after what it
// has. SQLite reads a log up to the first frame that is not its own, and writes
// it from the beginning again once its pages are in the database, so that no
// commit but the first has to wait until the file system has enlarged the file.
// The database stays locked meanwhile: nobody else appends to the log.
func (j *Journal) warm(path string) (err error) {
	if err := j.w.exec("BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("enlarge the log: %w", err)
	}
	defer func() { err = errors.Join(err, j.w.exec("ROLLBACK")) }()
	if err := enlarge(path+"-wal", logBytes); err != nil {
		return fmt.Errorf("enlarge the log: %w", err)
	}
	return nil
}

// enlarge appends zeros to a file until it has n bytes, on disk.
func enlarge(path string, n int64) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	zeros := make([]byte, 1<<20)
	for at := info.Size(); at < n; at += int64(len(zeros)) {
		if _, err := f.WriteAt(zeros[:min(int64(len(zeros)), n-at)], at); err != nil {
			return err
		}
	}
	return f.Sync()
}
