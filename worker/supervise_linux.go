package worker

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The descriptors of the supervisor, behind the command's own three.
const (
	specFD    = 3
	reportFD  = 4
	controlFD = 5
)

// innerArgument tells the process that becomes the command from its
// supervisor.
const innerArgument = "confine"

// killTime bounds how long killed processes may take to be gone.
const killTime = 5 * time.Second

// SandboxMain is the program behind SandboxCommand; args are the arguments
// behind that one. It returns the exit code and is for the process that Run
// starts, with the descriptors that Run opens: by hand it fails.
//
// The supervisor starts the command in a session of its own, waits for it,
// kills what it left, and reports. It stops the command when its control
// descriptor closes, which also happens when the worker dies.
func SandboxMain(args []string) int {
	if len(args) == 1 && args[0] == innerArgument {
		return confine()
	}
	runtime.LockOSThread() // the command's death signal is tied to the thread that forks it
	report := os.NewFile(reportFD, "report")
	out, err := supervise()
	if err != nil {
		out.Setup = err.Error()
	}
	if err := json.NewEncoder(report).Encode(out); err != nil || out.Setup != "" {
		return SandboxFailed
	}
	return 0
}

func supervise() (sandboxReport, error) {
	var out sandboxReport
	if err := Undumpable(); err != nil {
		return out, err
	}
	for fd := specFD; fd <= controlFD; fd++ {
		unix.CloseOnExec(fd)
	}
	var spec sandboxSpec
	if err := json.NewDecoder(os.NewFile(specFD, "spec")).Decode(&spec); err != nil {
		return out, fmt.Errorf("reading the sandbox's spec: %w", err)
	}
	if err := becomeReaper(); err != nil {
		return out, err
	}
	spec.Parent = os.Getpid()
	pid, said, err := startInner(spec)
	if err != nil {
		return out, err
	}
	main, gone := reap(pid)
	var inner sandboxReport
	for decoder := json.NewDecoder(said); ; {
		if err := decoder.Decode(&inner); err != nil {
			break // the end: the command runs, or its process has said why not
		}
	}
	out.Note, out.Setup, out.Start = inner.Note, inner.Setup, inner.Start
	select {
	case status := <-main:
		out.Exit = exitCode(status)
	case <-stopRequest():
		out.Stopped, out.Exit = true, 128+int(unix.SIGKILL)
	}
	out.Left, out.Clean = killRest(gone)
	return out, nil
}

// startInner forks the process that becomes the command and hands it its spec.
func startInner(spec sandboxSpec) (int, io.Reader, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, nil, fmt.Errorf("finding this program: %w", err)
	}
	data, err := json.Marshal(spec)
	if err != nil {
		return 0, nil, fmt.Errorf("encoding the sandbox's spec: %w", err)
	}
	specRead, specWrite, err := os.Pipe()
	if err != nil {
		return 0, nil, fmt.Errorf("making a pipe: %w", err)
	}
	saidRead, saidWrite, err := os.Pipe()
	if err != nil {
		return 0, nil, fmt.Errorf("making a pipe: %w", err)
	}
	pid, err := syscall.ForkExec(self, []string{self, SandboxCommand, innerArgument}, &syscall.ProcAttr{
		Env:   []string{},
		Files: []uintptr{0, 1, 2, specRead.Fd(), saidWrite.Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return 0, nil, fmt.Errorf("starting the command's process: %w", err)
	}
	_, err = io.Copy(specWrite, bytes.NewReader(data))
	return pid, saidRead, errors.Join(err, specWrite.Close(), specRead.Close(), saidWrite.Close())
}

// stopRequest is closed when the worker wants the command to end, or is gone.
func stopRequest() <-chan struct{} {
	stop := make(chan struct{})
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGTERM, unix.SIGINT, unix.SIGHUP)
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		// Nothing is ever written: the read ends when the other end is gone.
		if _, err := io.Copy(io.Discard, os.NewFile(controlFD, "control")); err != nil {
			return
		}
	}()
	go func() {
		defer close(stop)
		select {
		case <-signals:
		case <-closed:
		}
	}()
	return stop
}

// reap collects every child, also those that were left to this process. It
// sends main's status and closes gone when no child is left.
func reap(main int) (<-chan unix.WaitStatus, <-chan struct{}) {
	status := make(chan unix.WaitStatus, 1)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		for {
			var ws unix.WaitStatus
			pid, err := unix.Wait4(-1, &ws, 0, nil)
			switch {
			case errors.Is(err, unix.EINTR):
			case err != nil:
				return
			case pid == main:
				status <- ws
			}
		}
	}()
	return status, gone
}

func exitCode(ws unix.WaitStatus) int {
	if ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return ws.ExitStatus()
}

// killRest kills every descendant until none is left.
func killRest(gone <-chan struct{}) (killed int, clean bool) {
	deadline := time.After(killTime)
	seen := map[int]bool{}
	for {
		select {
		case <-gone:
			return len(seen), true
		default:
		}
		for _, pid := range descendants(os.Getpid()) {
			if err := unix.Kill(pid, unix.SIGKILL); err == nil {
				seen[pid] = true
			}
		}
		select {
		case <-gone:
			return len(seen), true
		case <-deadline:
			return len(seen), false
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// becomeReaper makes this process the parent of orphans below it.
func becomeReaper() error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("becoming the reaper of processes: %w", err)
	}
	return nil
}

// descendants lists the live processes below root, parents first. Zombies
// have ended and are not listed.
func descendants(root int) []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil // without /proc there is nothing to see; the reaper still waits
	}
	children := map[int][]int{}
	dead := map[int]bool{}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		data, err := os.ReadFile("/proc/" + entry.Name() + "/stat")
		if err != nil {
			continue // it ended meanwhile
		}
		// The name before the last parenthesis may hold anything.
		fields := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
		if len(fields) < 2 {
			continue
		}
		if parent, err := strconv.Atoi(string(fields[1])); err == nil {
			children[parent] = append(children[parent], pid)
			dead[pid] = fields[0][0] == 'Z' || fields[0][0] == 'X'
		}
	}
	var out []int
	for queue := []int{root}; len(queue) > 0; queue = queue[1:] {
		for _, pid := range children[queue[0]] {
			if !dead[pid] {
				out = append(out, pid)
			}
			queue = append(queue, pid)
		}
	}
	return out
}
