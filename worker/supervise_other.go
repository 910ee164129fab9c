//go:build !linux

package worker

import (
	"context"
	"errors"
)

var errNotLinux = errors.New("a worker runs commands on Linux only: it needs Landlock, seccomp and a reaper of processes")

// SandboxMain is the program behind SandboxCommand. On this system it always
// fails.
func SandboxMain([]string) int { return SandboxFailed }

// Undumpable keeps other processes of this user from reading this one's
// memory and environment. This system has no such switch.
func Undumpable() error {
	return errors.New("this system cannot keep a process from being read")
}

func becomeReaper() error { return errNotLinux }

func (r *run) supervised(context.Context, command) (sandboxReport, error) {
	return sandboxReport{}, errNotLinux
}
