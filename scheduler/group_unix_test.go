//go:build unix

package scheduler_test

import "syscall"

// processGroup is the group that this process is in.
func processGroup() int { return syscall.Getpgrp() }
