package worker

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/landlock-lsm/go-landlock/landlock"
	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"

	"leviathan/gateway"
)

// requiredABI is the first Landlock that knows TCP ports; it also knows
// truncation. What later ones add is used where it is there.
const requiredABI = 4

// unixABI is the first Landlock that confines connections to UNIX sockets.
const unixABI = 9

// writable is what may be done below a folder that may be written. Device
// files may not be made: to root they are the disk itself.
const writable = ll.AccessFSExecute | ll.AccessFSReadFile | ll.AccessFSReadDir | ll.AccessFSWriteFile | ll.AccessFSTruncate |
	ll.AccessFSRemoveDir | ll.AccessFSRemoveFile | ll.AccessFSMakeDir | ll.AccessFSMakeReg | ll.AccessFSMakeSym |
	ll.AccessFSMakeFifo | ll.AccessFSMakeSock | ll.AccessFSRefer

// The descriptors of the process that becomes the command.
const (
	innerSpecFD   = 3
	innerReportFD = 4
)

// confine is the last of our code in the process that becomes the command: it
// gives up rights until only the spec's are left, then it is replaced. It
// returns only if that failed; the report says why.
func confine() int {
	runtime.LockOSThread() // seccomp and the death signal belong to the thread that execs
	report := os.NewFile(innerReportFD, "report")
	out, err := tryConfine(report)
	if err != nil {
		out.Setup = err.Error()
	}
	if err := json.NewEncoder(report).Encode(out); err != nil {
		return SandboxFailed // the supervisor sees the exit code alone
	}
	if out.Setup != "" {
		return SandboxFailed
	}
	return 127
}

func tryConfine(report io.Writer) (sandboxReport, error) {
	var out sandboxReport
	var spec sandboxSpec
	in := os.NewFile(innerSpecFD, "spec")
	if err := json.NewDecoder(in).Decode(&spec); err != nil {
		return out, fmt.Errorf("reading the sandbox's spec: %w", err)
	}
	if err := in.Close(); err != nil {
		return out, fmt.Errorf("closing the sandbox's spec: %w", err)
	}
	if err := unix.CloseRange(innerReportFD, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return out, fmt.Errorf("closing descriptors: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return out, fmt.Errorf("tying the command to its supervisor: %w", err)
	}
	if os.Getppid() != spec.Parent {
		return out, errors.New("the supervisor is gone")
	}
	if err := os.Chdir(spec.Dir); err != nil {
		return out, fmt.Errorf("entering the checkout: %w", err)
	}
	unix.Umask(0o022)
	if err := limit(map[int]uint64{unix.RLIMIT_CORE: 0, unix.RLIMIT_FSIZE: maxFileBytes,
		unix.RLIMIT_NOFILE: maxOpenFiles, unix.RLIMIT_NPROC: maxProcesses}); err != nil {
		return out, err
	}
	note, err := enterSandbox(spec)
	out.Note = note
	if err != nil {
		return out, err
	}
	memory := spec.MemoryMB
	if memory <= 0 {
		memory = defaultMemoryMB
	}
	if err := json.NewEncoder(report).Encode(out); err != nil {
		return out, fmt.Errorf("reporting the sandbox: %w", err)
	}
	if err := limit(map[int]uint64{unix.RLIMIT_DATA: uint64(memory) << 20}); err != nil {
		return out, err
	}
	out.Start = replace(spec).Error()
	return out, nil
}

func limit(limits map[int]uint64) error {
	for which, value := range limits {
		var now syscall.Rlimit
		if err := syscall.Getrlimit(which, &now); err != nil {
			return fmt.Errorf("reading resource limit %d: %w", which, err)
		}
		value = min(value, now.Max)
		if err := syscall.Setrlimit(which, &syscall.Rlimit{Cur: value, Max: value}); err != nil {
			return fmt.Errorf("setting resource limit %d: %w", which, err)
		}
	}
	return nil
}

// enterSandbox confines this process as the spec's mode asks and says how.
func enterSandbox(spec sandboxSpec) (string, error) {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return "", fmt.Errorf("giving up new privileges: %w", err)
	}
	if spec.Mode == gateway.SandboxOff {
		return "no sandbox: the config switches it off", nil
	}
	abi, err := ll.LandlockGetABIVersion()
	if err != nil {
		abi = 0
	}
	if abi < requiredABI && spec.Mode != gateway.SandboxOptional {
		return "", fmt.Errorf("the sandbox is required, and this kernel has Landlock ABI %d where %d is needed", abi, requiredABI)
	}
	if abi > 0 {
		if err := landlock.V11.BestEffort().Restrict(rules(spec, abi)...); err != nil {
			return "", fmt.Errorf("restricting with Landlock: %w", err)
		}
	}
	if err := filterSyscalls(len(spec.ConnectPorts) > 0, abi >= unixABI); err != nil {
		if spec.Mode != gateway.SandboxOptional {
			return "", fmt.Errorf("restricting with seccomp: %w", err)
		}
		return fmt.Sprintf("Landlock ABI %d, no seccomp: %v", abi, err), nil
	}
	if abi < requiredABI {
		return fmt.Sprintf("a weak sandbox: Landlock ABI %d where %d is needed; the config says that it is optional", abi, requiredABI), nil
	}
	return fmt.Sprintf("sandbox: Landlock ABI %d, seccomp", abi), nil
}

// rules is the spec as Landlock has it. What is missing is left out, which
// denies it.
func rules(spec sandboxSpec, abi int) []landlock.Rule {
	var out []landlock.Rule
	for _, path := range slices.Concat(systemRead, spec.Read) {
		info, err := os.Stat(path)
		switch {
		case err != nil:
		case info.IsDir():
			out = append(out, landlock.RODirs(path))
		case path == os.DevNull:
			out = append(out, landlock.RWFiles(path))
		default:
			out = append(out, landlock.ROFiles(path))
		}
	}
	for _, path := range spec.WriteDirs {
		out = append(out, landlock.PathAccess(writable, path))
	}
	for _, path := range spec.WriteFiles {
		out = append(out, landlock.RWFiles(path))
	}
	if abi < requiredABI {
		return out
	}
	for _, port := range spec.ConnectPorts {
		out = append(out, landlock.ConnectTCP(uint16(port)))
	}
	if len(spec.ConnectPorts) > 0 { // names must resolve, where the kernel confines that
		out = append(out, landlock.BindUDP(0), landlock.ConnectSendUDP(53))
	}
	return out
}

// replace becomes the command. Its name is looked up in its own PATH, inside
// the sandbox.
func replace(spec sandboxSpec) error {
	name := spec.Argv[0]
	candidates := []string{name}
	if !strings.Contains(name, "/") {
		candidates = nil
		for _, entry := range spec.Env {
			if path, ok := strings.CutPrefix(entry, "PATH="); ok {
				for _, dir := range filepath.SplitList(path) {
					if filepath.IsAbs(dir) {
						candidates = append(candidates, filepath.Join(dir, name))
					}
				}
			}
		}
	}
	var denied error
	for _, path := range candidates {
		err := syscall.Exec(path, spec.Argv, spec.Env)
		if !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ENOTDIR) {
			denied = fmt.Errorf("starting %s: %w", path, err)
		}
	}
	if denied != nil {
		return denied
	}
	return fmt.Errorf("starting %s: there is no such program in the sandbox", name)
}
