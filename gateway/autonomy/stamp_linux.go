package autonomy

import "syscall"

// changeTime is the inode's change time in nanoseconds.
func changeTime(s *syscall.Stat_t) int64 { return s.Ctim.Nano() }
