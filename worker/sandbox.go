package worker

import (
	"fmt"
	"path/filepath"
	"strings"

	"leviathan/gateway"
)

// SandboxCommand is the first argument with which a program that embeds the
// worker is started again as the supervisor of a command. Such a program
// answers it with os.Exit(SandboxMain(os.Args[2:])) before anything else.
const SandboxCommand = "sandbox-exec"

// SandboxFailed is the exit code of a supervisor that could not build a
// required sandbox. What was to run in it has not run.
const SandboxFailed = 96

// systemRead is what every program needs to start, resolve names and check
// certificates. Private keys below /etc/ssl and /etc/pki are not among it.
//
// Nothing below /proc or /sys is: they show other processes. Shells, git, Go,
// Python and Node run without them. An operator whose tools do not lists what
// they need in sandbox.read; /proc/self there means the command's first
// process.
var systemRead = []string{
	"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32",
	"/etc/ssl/certs", "/etc/ssl/cert.pem", "/etc/ssl/openssl.cnf", "/etc/ca-certificates",
	"/etc/pki/ca-trust/extracted", "/etc/pki/tls/certs", "/etc/pki/tls/cert.pem", "/etc/pki/tls/openssl.cnf",
	"/etc/resolv.conf", "/etc/passwd", "/etc/group", "/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf",
	"/etc/services", "/etc/protocols", "/etc/localtime",
	"/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/ld.so.preload",
	"/dev/null", "/dev/zero", "/dev/urandom",
}

// searchPath is PATH unless the agent's env says otherwise.
const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// The limits of a sandboxed command. Memory is limited as RLIMIT_DATA, what a
// process may fill, not what it may reserve: runtimes reserve far more than
// they use. Processes are counted per user by the kernel, so that number must
// leave room for a user's other work.
const (
	defaultMemoryMB = 2048
	maxProcesses    = 4096
	maxOpenFiles    = 4096
	maxFileBytes    = 2 << 30
)

// A sandboxSpec is what the supervisor is told: all of it data, none of it on
// a command line or in an environment.
type sandboxSpec struct {
	Argv []string `json:"argv"`
	Env  []string `json:"env"`
	Dir  string   `json:"dir"`
	// Mode is one of gateway.SandboxRequired, SandboxOptional, SandboxOff.
	Mode string `json:"mode"`
	// Read may be read and executed; WriteDirs and WriteFiles written too.
	Read         []string `json:"read"`
	WriteDirs    []string `json:"write_dirs"`
	WriteFiles   []string `json:"write_files"`
	ConnectPorts []int    `json:"connect_ports"`
	MemoryMB     int      `json:"memory_mb"`

	// Parent is the supervisor's process, told to the process below it.
	Parent int `json:"parent"`
}

// A sandboxReport is how the supervisor says that all is over: the command
// and everything that it left behind.
type sandboxReport struct {
	// Exit is the command's exit code; 128 and the signal's number when one
	// ended it, 127 when it could not be started.
	Exit int `json:"exit"`
	// Note is how the command was confined, for its log.
	Note string `json:"note"`
	// Setup is why a required sandbox could not be built; Start why the
	// command could not be started in it.
	Setup string `json:"setup,omitempty"`
	Start string `json:"start,omitempty"`
	// Stopped reports that the supervisor ended the command.
	Stopped bool `json:"stopped,omitempty"`
	// Left counts processes that outlived the command and were killed.
	Left int `json:"left"`
	// Clean reports that no process is left.
	Clean bool `json:"clean"`
}

// checkRead refuses an operator's sandbox.read that would show the workspace's
// neighbours: other attempts, and whatever else lies where workspaces do.
func checkRead(read []string, workspace string) error {
	for _, path := range read {
		if !filepath.IsAbs(path) {
			return fmt.Errorf("sandbox.read: %q is not an absolute path", path)
		}
		real, err := filepath.EvalSymlinks(path)
		if err != nil {
			continue // what is missing is not allowed either
		}
		if within(workspace, real) {
			return fmt.Errorf("sandbox.read: %s holds the workspaces of all attempts; name the folders in it that are meant", path)
		}
	}
	return nil
}

// within reports whether path is dir or below it.
func within(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, "../")
}

// verifyMode is how verifications are confined: they run what the agent
// wrote, so they are also where the agent itself is trusted, if they can be.
func verifyMode(mode string) string {
	if mode == gateway.SandboxOff {
		return gateway.SandboxOptional
	}
	return mode
}
