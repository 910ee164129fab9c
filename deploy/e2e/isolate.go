package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	isolatedVariable = "LEVIATHAN_E2E_ISOLATED"
	aloneVariable    = "LEVIATHAN_E2E_ALONE"
	// podUser is the user that Leviathan's Pods run as, and the only one that
	// there is where this is not run by root.
	podUser = 65532
)

// needed are what it takes to make a container, for one who is not root.
var needed = []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_SYS_CHROOT, unix.CAP_NET_ADMIN, unix.CAP_KILL}

// Isolated reports whether this process runs in namespaces of its own; then
// they are ready for use.
func Isolated() (bool, error) {
	if os.Getenv(isolatedVariable) == "" {
		return false, nil
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return true, fmt.Errorf("taking the mounts apart: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return true, fmt.Errorf("mounting /proc: %w", err)
	}
	return true, loopback()
}

// Alone reports whether podUser is the only user that there is.
func Alone() bool { return os.Getenv(aloneVariable) != "" }

// Isolate runs this program again, with the same arguments, in namespaces of
// processes, mounts and network of its own, and returns its exit code: when it
// ends, nothing of what it started is left, and the ports that it opens are
// nobody else's. Who is not root gets a namespace of users as well.
func Isolate() (int, error) {
	runtime.LockOSThread() // Pdeathsig is about the thread that starts the process
	defer runtime.UnlockOSThread()
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), isolatedVariable+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 {
		cmd.Env = append(cmd.Env, aloneVariable+"=1")
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: podUser, HostID: os.Geteuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: podUser, HostID: os.Getegid(), Size: 1}}
		cmd.SysProcAttr.AmbientCaps = needed
	}
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return max(1, exit.ExitCode()), nil
	case err != nil:
		return 1, fmt.Errorf("making namespaces for the tests (they need root, or a kernel where users may make their own): %w", err)
	}
	return 0, nil
}

// loopback brings up the one interface that there is.
func loopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo); err != nil {
		return fmt.Errorf("bringing up the loopback: %w", err)
	}
	return nil
}
