package journal

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/mod/sumdb/note"
)

// partialSuffix names the file that a backup or a restore is written to before
// it gets its own name. One that is there was left by a crash.
const partialSuffix = ".partial"

// Backup writes the database as of now to a new file, while commits go on: one
// file that Verify and Restore take, with nothing of the folder's key in it.
// The file is whole and on disk when it gets its name; one that exists is never
// overwritten. Only one backup to a file may run at a time.
func (j *Journal) Backup(ctx context.Context, file string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("back up journal: %w", err)
		}
	}()
	partial := file + partialSuffix
	if err := removeFiles(partial, partial+"-journal"); err != nil {
		return err
	}
	if err := absent(file); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, removeFiles(partial, partial+"-journal")) }()
	db, err := dial(filepath.Join(j.cfg.Dir, DatabaseFile), "mode=ro", "busy_timeout=5000")
	if err != nil {
		return err
	}
	_, err = db.raw.(driver.ExecerContext).ExecContext(ctx, `VACUUM INTO ?`, []driver.NamedValue{{Ordinal: 1, Value: partial}})
	if err = errors.Join(err, db.close()); err != nil {
		return err
	}
	return place(partial, file)
}

// RestoreOptions say how a backup becomes a journal.
type RestoreOptions struct {
	// Key checks the backup's checkpoints; default: that of the folder's own
	// keys, when it has them.
	Key note.Verifier
	// NewKey restores where the folder has no keys: the checkpoints that the
	// lost key signed are left out, and the next start makes a new key. Keep the
	// old public key to verify what was signed before.
	NewKey bool
}

// Restore makes the backup file the journal of the folder dir, which no
// process may use and which must not have a journal. The copy is verified
// before it gets its name; a backup that does not verify is refused with the
// *Problem that Verify found. A journal goes on under the key that signed its
// checkpoints: put the old folder's keys in dir first, or see NewKey.
func Restore(ctx context.Context, file, dir string, o RestoreOptions) (rep Report, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("restore journal: %w", err)
		}
	}()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return rep, err
	}
	lock, err := lockDir(dir)
	if err != nil {
		return rep, err
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	path := filepath.Join(dir, DatabaseFile)
	partial := path + partialSuffix
	leftovers := []string{partial, partial + "-wal", partial + "-shm", partial + "-journal"}
	if err := removeFiles(leftovers...); err != nil {
		return rep, err
	}
	for _, name := range []string{path, path + "-wal"} {
		if err := absent(name); err != nil {
			return rep, err
		}
	}
	if wal, err := os.Stat(file + "-wal"); err == nil && wal.Size() > 0 {
		return rep, fmt.Errorf("%s is a live database and no backup: make one with Backup", file)
	}
	defer func() { err = errors.Join(err, removeFiles(leftovers...)) }()
	if err := copyFile(file, partial); err != nil {
		return rep, err
	}
	if rep, err = prepare(ctx, partial, filepath.Join(dir, "keys"), o); err != nil {
		return rep, err
	}
	return rep, place(partial, path)
}

// prepare verifies the copy and makes it one that the folder's key can go on
// from.
func prepare(ctx context.Context, partial, keys string, o RestoreOptions) (Report, error) {
	key := o.Key
	_, err := os.Stat(filepath.Join(keys, "journal.key"))
	haveKeys := err == nil
	if haveKeys {
		_, check, err := loadKey(keys)
		if err != nil {
			return Report{}, err
		}
		if key == nil {
			key = check
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return Report{}, err
	}
	rep, err := Verify(ctx, partial, VerifyOptions{Key: key})
	switch {
	case err != nil:
		return rep, err
	case rep.Problem != nil:
		return rep, rep.Problem
	case haveKeys || rep.Checkpoints == 0:
		return rep, nil
	case !o.NewKey:
		return rep, fmt.Errorf("%s has no keys, and the journal goes on only under the key that signed it: copy the old folder's keys there, "+
			"or restore with a new key", filepath.Dir(keys))
	}
	db, err := dial(partial, "")
	if err != nil {
		return rep, err
	}
	return rep, errors.Join(db.exec(`DELETE FROM checkpoint`), db.close())
}

// place syncs a whole file and gives it its name, unless that is taken.
func place(partial, file string) error {
	f, err := os.Open(partial)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Chmod(0o600), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(partial, file); err != nil { // unlike a rename it replaces nothing
		return err
	}
	if err := os.Remove(partial); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(file))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func absent(file string) error {
	_, err := os.Lstat(file)
	if err == nil {
		return fmt.Errorf("%s is there already: %w", file, fs.ErrExist)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func removeFiles(files ...string) error {
	var errs []error
	for _, f := range files {
		if err := os.Remove(f); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close())
}
