//go:build !linux

package worker

// SandboxAvailable says why this system cannot build the sandbox.
func SandboxAvailable() error { return errNotLinux }
