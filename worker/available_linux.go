package worker

import (
	"fmt"
	"runtime"

	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
)

// SandboxAvailable says why this kernel cannot build the sandbox that an agent
// may require; nil if it can.
func SandboxAvailable() error {
	abi, err := ll.LandlockGetABIVersion()
	if err != nil {
		return fmt.Errorf("this kernel has no Landlock: %w", err)
	}
	if abi < requiredABI {
		return fmt.Errorf("this kernel's Landlock has ABI %d, the sandbox needs %d (Linux 6.7)", abi, requiredABI)
	}
	if _, ok := auditArch[runtime.GOARCH]; !ok {
		return fmt.Errorf("the sandbox has no system call filter for %s", runtime.GOARCH)
	}
	return nil
}
