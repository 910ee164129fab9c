package repository

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
)

// syncDir makes renames in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("sync folder %s: %w", dir, err)
	}
	return nil
}

// syncFile makes a file's contents durable.
func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("sync file: %w", err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("sync %s: %w", filepath.Base(path), err)
	}
	return nil
}

// writeFile replaces a file in one durable step.
func writeFile(path string, data []byte) error {
	staged, err := stageFile(path, data)
	if err != nil {
		return err
	}
	if err := staged.put(); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// A stagedFile is the durable contents of a file that is not yet in its place.
// Its zero value has none.
type stagedFile struct{ tmp, path string }

func stageFile(path string, data []byte) (stagedFile, error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".tmp-")
	if err != nil {
		return stagedFile{}, fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	s := stagedFile{f.Name(), path}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return stagedFile{}, errors.Join(fmt.Errorf("write %s: %w", filepath.Base(path), err), s.drop())
	}
	return s, nil
}

// put gives the file its place in one step, which is not yet durable.
func (s stagedFile) put() error {
	if err := os.Rename(s.tmp, s.path); err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", filepath.Base(s.path), err), s.drop())
	}
	return nil
}

// drop removes what was staged.
func (s stagedFile) drop() error {
	if s.tmp == "" {
		return nil
	}
	return os.Remove(s.tmp)
}

// inBackground begins f and returns what waits for its result. It may be
// called again.
func inBackground(f func() error) (wait func() error) {
	done := make(chan struct{})
	var err error
	go func() {
		defer close(done)
		err = f()
	}()
	return func() error {
		<-done
		return err
	}
}

func crcOf(b []byte) uint32 { return crc32.ChecksumIEEE(b) }

func crcUpdate(crc uint32, b []byte) uint32 { return crc32.Update(crc, crc32.IEEETable, b) }

func be32(b []byte) uint32 { return binary.BigEndian.Uint32(b) }
