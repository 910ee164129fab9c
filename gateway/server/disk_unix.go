//go:build linux || darwin

package server

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// diskSpace is what is free for this process, and the size, of the file system
// that holds dir, in bytes.
func diskSpace(dir string) (free, size float64, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, 0, fmt.Errorf("look at the file system of %s: %w", dir, err)
	}
	block := float64(st.Bsize)
	return float64(st.Bavail) * block, float64(st.Blocks) * block, nil
}
