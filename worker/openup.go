package worker

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
)

// openUp gives the owner back what a command took: every folder below name
// may be read and written again.
func openUp(root *os.Root, name string) error {
	info, err := root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir() {
		return nil
	}
	if err != nil {
		return fmt.Errorf("looking at %s: %w", name, err)
	}
	if err := root.Chmod(name, info.Mode().Perm()|0o700); err != nil {
		return fmt.Errorf("opening %s: %w", name, err)
	}
	entries, err := fs.ReadDir(root.FS(), name)
	if err != nil {
		return fmt.Errorf("looking into %s: %w", name, err)
	}
	for _, entry := range entries {
		if entry.IsDir() {
			if err := openUp(root, path.Join(name, entry.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}
