package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// containerVariable names the file with the spec of the container that this
// process is to become.
const containerVariable = "LEVIATHAN_E2E_CONTAINER"

// A containerSpec is all that a container process needs.
type containerSpec struct {
	Root         string // an empty folder
	Leviathan    string // our binary
	Mounts       []mount
	Hosts        string
	Command, Env []string
	Dir          string
	UID, GID     int
	Groups       []int
	ReadOnlyRoot bool
	Alone        bool // there is no other user to change to
}

type mount struct {
	Source, Target string
	ReadOnly       bool
}

// command is a process that becomes the container: in mount, process and IPC
// namespaces of its own, so that nothing of it is left when it is killed.
func (s containerSpec) command(file string) (*exec.Cmd, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return nil, err
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{containerVariable + "=" + file}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC}
	if s.Alone {
		cmd.SysProcAttr.AmbientCaps = needed
	}
	return cmd, nil
}

// BecomeContainer is for the beginning of a program: where the environment says
// so, it makes this process a container and does not return.
func BecomeContainer() {
	file := os.Getenv(containerVariable)
	if file == "" {
		return
	}
	runtime.LockOSThread()
	err := become(file)
	fmt.Fprintln(os.Stderr, "container:", err)
	os.Exit(128)
}

func become(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var s containerSpec
	if err := json.Unmarshal(text, &s); err != nil {
		return err
	}
	if err := s.buildRoot(); err != nil {
		return err
	}
	if err := errors.Join(unix.Chroot(s.Root), os.Chdir("/")); err != nil {
		return fmt.Errorf("entering the root: %w", err)
	}
	if s.Dir != "" {
		if err := os.Chdir(s.Dir); err != nil {
			return err
		}
	}
	if s.Alone {
		err = unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
	} else {
		err = errors.Join(syscall.Setgroups(s.Groups), syscall.Setgid(s.GID), syscall.Setuid(s.UID))
	}
	if err != nil {
		return fmt.Errorf("becoming user %d without capabilities: %w", s.UID, err)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	program, err := s.lookup()
	if err != nil {
		return err
	}
	return syscall.Exec(program, s.Command, s.Env)
}

// buildRoot makes a root of what the image has, and the Pod's volumes.
func (s *containerSpec) buildRoot() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("taking the mounts apart: %w", err)
	}
	if err := unix.Mount("tmpfs", s.Root, "tmpfs", 0, "mode=755"); err != nil {
		return fmt.Errorf("making a root: %w", err)
	}
	if err := s.programs(); err != nil {
		return err
	}
	if err := s.fill(); err != nil {
		return err
	}
	for _, m := range s.Mounts {
		if err := s.bind(m); err != nil {
			return err
		}
	}
	if s.ReadOnlyRoot {
		return unix.Mount("", s.Root, "", unix.MS_REMOUNT|unix.MS_RDONLY|unix.MS_BIND, "")
	}
	return nil
}

// programs shows the machine's programs.
func (s *containerSpec) programs() error {
	for _, name := range []string{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/alternatives"} {
		info, err := os.Lstat(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return err
		case info.Mode()&fs.ModeSymlink != 0:
			to, err := os.Readlink(name)
			if err != nil {
				return err
			}
			if err := os.Symlink(to, filepath.Join(s.Root, name)); err != nil {
				return err
			}
		default:
			if err := s.bind(mount{name, name, true}); err != nil {
				return err
			}
		}
	}
	// Whatever is there, ours is the only leviathan.
	local := filepath.Join(s.Root, "usr/local/bin")
	if err := unix.Mount("tmpfs", local, "tmpfs", 0, "mode=755"); err != nil {
		return fmt.Errorf("mounting a folder of programs: %w", err)
	}
	return nil
}

// fill adds what every image has.
func (s *containerSpec) fill() error {
	if err := os.MkdirAll(filepath.Join(s.Root, "etc"), 0o755); err != nil {
		return err
	}
	for _, m := range []mount{{s.Leviathan, "/usr/local/bin/leviathan", true}, {"/dev", "/dev", false}, {"/etc/ssl", "/etc/ssl", true}} {
		if _, err := os.Stat(m.Source); m.Source == "/etc/ssl" && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := s.bind(m); err != nil {
			return err
		}
	}
	for name, text := range map[string]string{
		"passwd":        "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n",
		"group":         "root:x:0:\nnonroot:x:65532:\n",
		"nsswitch.conf": "hosts: files\n",
		"hosts":         s.Hosts,
	} {
		if err := os.WriteFile(filepath.Join(s.Root, "etc", name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	for _, dir := range []string{"tmp", "proc", "home/nonroot", "run", "var"} {
		if err := os.MkdirAll(filepath.Join(s.Root, dir), 0o755); err != nil {
			return err
		}
	}
	if err := os.Chmod(filepath.Join(s.Root, "tmp"), 0o777|fs.ModeSticky); err != nil {
		return err
	}
	if err := unix.Mount("proc", filepath.Join(s.Root, "proc"), "proc", 0, ""); err != nil {
		return fmt.Errorf("mounting /proc: %w", err)
	}
	return nil
}

// bind shows a file or folder of the machine in the root.
func (s *containerSpec) bind(m mount) error {
	target := filepath.Join(s.Root, m.Target)
	info, err := os.Stat(m.Source)
	if err != nil {
		return err
	}
	if info.IsDir() {
		err = os.MkdirAll(target, 0o755)
	} else if err = os.MkdirAll(filepath.Dir(target), 0o755); err == nil {
		err = os.WriteFile(target, nil, 0o644)
	}
	if err != nil {
		return err
	}
	if err := unix.Mount(m.Source, target, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("mounting %s at %s: %w", m.Source, m.Target, err)
	}
	if !m.ReadOnly {
		return nil
	}
	// What the mount forbids already stays forbidden: in a namespace of users
	// nothing may be taken back.
	var had unix.Statfs_t
	if err := unix.Statfs(target, &had); err != nil {
		return err
	}
	kept := uintptr(had.Flags) & (unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_NOATIME | unix.MS_NODIRATIME)
	if had.Flags&unix.ST_RELATIME != 0 {
		kept |= unix.MS_RELATIME
	}
	if err := unix.Mount("", target, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|kept, ""); err != nil {
		return fmt.Errorf("making %s read-only: %w", m.Target, err)
	}
	return nil
}

// lookup finds the program in the root, by the container's own PATH.
func (s *containerSpec) lookup() (string, error) {
	name := s.Command[0]
	if strings.Contains(name, "/") {
		return name, nil
	}
	for _, e := range s.Env {
		path, ok := strings.CutPrefix(e, "PATH=")
		if !ok {
			continue
		}
		for _, dir := range filepath.SplitList(path) {
			if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.Mode()&0o111 != 0 {
				return filepath.Join(dir, name), nil
			}
		}
	}
	return "", fmt.Errorf("there is no program %q", name)
}
