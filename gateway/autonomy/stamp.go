package autonomy

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// young is the age below which a file's times prove nothing: two writes
// within one tick of the file system's clock leave the same times.
const young = 2 * time.Second

// A stamp identifies what a path led to, without reading it.
type stamp struct {
	resolved    string
	device      uint64
	inode       uint64
	size        int64
	modified    int64 // ns
	changed     int64 // ns, of the inode
	mode        fs.FileMode
	unavailable string // why there is no file; all else is then zero
}

// stampOf follows every symbolic link of the path. The name to which they lead
// is not looked up, which costs a call for each element of the path: inode and
// change time tell files apart. See resolve.
func stampOf(file string) stamp {
	info, err := os.Stat(file)
	if err != nil {
		return stamp{unavailable: cause(err)}
	}
	if !info.Mode().IsRegular() {
		return stamp{unavailable: errNotRegular.Error()}
	}
	s := stamp{size: info.Size(), modified: info.ModTime().UnixNano(), mode: info.Mode()}
	s.identify(info)
	return s
}

// resolve adds the name to which the path's links lead.
func (s *stamp) resolve(file string) {
	if s.unavailable != "" {
		return
	}
	resolved, err := filepath.EvalSymlinks(file)
	if err != nil {
		*s = stamp{unavailable: cause(err)}
		return
	}
	s.resolved = resolved
}

// identify takes from the system's stat what fs.FileInfo has no word for.
func (s *stamp) identify(info fs.FileInfo) {
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		s.device, s.inode = uint64(sys.Dev), sys.Ino
		s.changed = changeTime(sys)
	}
}

// settled reports whether the stamp is old enough to be believed. A time in
// the future is not.
func (s stamp) settled(now time.Time) bool {
	limit := now.Add(-young).UnixNano()
	return s.unavailable == "" && s.modified < limit && s.changed < limit
}

// goneCause says that there is no file, as opposed to one that cannot be read.
const goneCause = "the file is gone"

// cause is an error without the path, which the diagnostic has.
func cause(err error) string {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return goneCause
	}
	var inner *fs.PathError
	if errors.As(err, &inner) {
		err = inner.Err
	}
	return fmt.Sprintf("the file cannot be read: %v", err)
}
