package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"leviathan/gateway"
	"leviathan/gateway/autonomy"
	"leviathan/gateway/journal"
)

// The least that a gateway or a worker needs.
const (
	leastGitMajor, leastGitMinor = 2, 30
	// leastLandlock is the first interface by which a sandbox holds at all;
	// portLandlock the first that can refuse connections.
	leastLandlock, portLandlock = 1, 4
	diskFail, diskWarn          = 100 << 20, 1 << 30
	doctorTimeout               = 10 * time.Second
	// clockTolerance is how far a gateway's clock may lie behind its journal.
	clockTolerance = 2 * time.Second
)

// A finding is one line of what the doctor says.
type finding struct {
	Check  string `json:"check"`
	Result string `json:"result"` // ok, warn or FAIL
	Detail string `json:"detail"`
	Remedy string `json:"remedy,omitempty"`
}

const (
	resultOK   = "ok"
	resultWarn = "warn"
	resultFail = "FAIL"
)

// A topic is what a finding is about.
type topic string

func (t topic) ok(format string, args ...any) finding {
	return finding{Check: string(t), Result: resultOK, Detail: fmt.Sprintf(format, args...)}
}

func (t topic) warn(detail, remedy string) finding {
	return finding{Check: string(t), Result: resultWarn, Detail: detail, Remedy: remedy}
}

func (t topic) fail(detail, remedy string) finding {
	return finding{Check: string(t), Result: resultFail, Detail: detail, Remedy: remedy}
}

func (o operator) doctor() *cobra.Command {
	var out format
	var config string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check this machine, the state folder, the config, its repositories and the gateway, and say how to mend them",
		Args:  cobra.NoArgs,
	}
	conn := o.connect(cmd)
	out.flag(cmd)
	cmd.Flags().StringVar(&config, "config", "", "the autonomy config: a file, or a folder of them, at `PATH`")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx, cancel := context.WithTimeout(cmd.Context(), doctorTimeout)
		defer cancel()
		findings := o.checkConfig(config)
		findings = append(findings, o.checkState(conn.state)...)
		findings = append(findings, checkGit(ctx), o.checkSandbox(config))
		findings = append(findings, checkUpstreams(ctx, config)...)
		findings = append(findings, checkGateway(ctx, cmd, conn)...)
		if cmd.Context().Err() != nil {
			return &exitError{code: exitInterrupted}
		}
		list := struct {
			Items []finding `json:"items"`
		}{findings}
		if err := out.show(cmd, list, func(w io.Writer) error { return writeFindings(w, findings, o.paint(w)) }); err != nil {
			return err
		}
		for _, f := range findings {
			if f.Result == resultFail {
				return &exitError{code: exitNo}
			}
		}
		return nil
	}
	return cmd
}

func writeFindings(w io.Writer, findings []finding, paint painter) error {
	var b strings.Builder
	for _, f := range findings {
		word := fmt.Sprintf("%-4s", f.Result)
		switch f.Result {
		case resultOK:
			word = paint.good(word)
		case resultFail:
			word = paint.bad(word)
		}
		fmt.Fprintf(&b, "%s  %-8s  %s\n", word, f.Check, printable(f.Detail))
		if f.Remedy != "" {
			fmt.Fprintf(&b, "                %s\n", printable(f.Remedy))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (o operator) checkConfig(path string) []finding {
	const check topic = "config"
	if path == "" {
		return []finding{check.warn("not checked", "name the autonomy config with --config PATH")}
	}
	files, err := o.lintConfig(path)
	if err != nil {
		return []finding{check.fail(err.Error(), "give --config a YAML file, or a folder of them")}
	}
	var findings []finding
	for _, f := range files {
		f.settle()
		bad := 0
		for _, d := range f.Diagnostics {
			if d.Warning {
				findings = append(findings, check.warn(d.String(), "the config works as it is; docs/configuration.md says what each key does"))
				continue
			}
			bad++
			findings = append(findings, check.fail(d.String(), "correct the file; until then the target is off"))
		}
		if bad == 0 {
			findings = append(findings, check.ok("%s: %s", f.File, f.Summary))
		}
	}
	return findings
}

// checkState looks at the folder that holds the journal and the keys.
func (o operator) checkState(dir string) []finding {
	const check topic = "state"
	if dir == "" {
		return []finding{check.warn("not checked", "name the gateway's state folder with --state DIR")}
	}
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return []finding{check.warn(dir+" does not exist yet", "the gateway makes it when it starts; its parent must be writable")}
	case err != nil:
		return []finding{check.fail(err.Error(), "give the gateway's user access to the folder")}
	case !info.IsDir():
		return []finding{check.fail(dir+" is not a folder", "name a folder with --state")}
	}
	findings := []finding{checkFileSystem(dir)}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		findings = append(findings, check.warn(fmt.Sprintf("%s is open to others (mode %04o)", dir, mode), "chmod 700 "+dir))
	}
	token := filepath.Join(dir, tokenFileName)
	switch info, err := os.Stat(token); {
	case err == nil && info.Mode().Perm()&0o077 != 0:
		findings = append(findings, check.fail(fmt.Sprintf("%s can be read by others (mode %04o)", token, info.Mode().Perm()), "chmod 600 "+token+", and replace the token if others have used the machine"))
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		findings = append(findings, check.warn(err.Error(), "run doctor as the gateway's user"))
	}
	findings = append(findings, checkFreeSpace(dir))
	return append(findings, o.checkWritten(dir)...)
}

// checkWritten compares the clock with the time at which the journal was last
// written, by the same clock: a gateway whose clock went backwards denies
// everything.
func (o operator) checkWritten(dir string) []finding {
	const check topic = "clock"
	var last time.Time
	for _, name := range []string{journal.DatabaseFile, journal.DatabaseFile + "-wal"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.ModTime().After(last) {
			last = info.ModTime()
		}
	}
	if last.IsZero() {
		return nil
	}
	now := o.now()
	if ahead := last.Sub(now); ahead > clockTolerance {
		return []finding{check.fail(fmt.Sprintf("the journal was last written %s ahead of this clock", span(ahead)),
			"set the clock right; or, when it is right, `leviathan clock accept --reason TEXT` once the gateway runs")}
	}
	return []finding{check.ok("the journal was last written %s ago", span(now.Sub(last)))}
}

var gitVersion = regexp.MustCompile(`^git version (\d+)\.(\d+)\S*`)

func checkGit(ctx context.Context) finding {
	const check topic = "git"
	const remedy = "install git 2.30 or later, and see that it is in PATH"
	path, err := exec.LookPath("git")
	if err != nil {
		return check.fail("there is no git in PATH", remedy)
	}
	printed, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		return check.fail(fmt.Sprintf("%s --version: %v", path, err), remedy)
	}
	found := gitVersion.FindStringSubmatch(string(printed))
	if found == nil {
		return check.warn(fmt.Sprintf("%s does not tell its version: %s", path, printed), remedy)
	}
	major, _ := strconv.Atoi(found[1]) // digits, by the pattern; too many of them read as the greatest number
	minor, _ := strconv.Atoi(found[2])
	if major < leastGitMajor || major == leastGitMajor && minor < leastGitMinor {
		return check.fail(fmt.Sprintf("%s is %s", path, found[0]), remedy)
	}
	return check.ok("%s is %s", path, found[0])
}

// checkSandbox asks the kernel for Landlock. It fails where an agent of the
// config cannot run without.
func (o operator) checkSandbox(config string) finding {
	const check topic = "sandbox"
	abi, problem := landlockABI()
	switch {
	case abi >= portLandlock:
		return check.ok("Landlock ABI %d", abi)
	case abi >= leastLandlock:
		return check.warn(fmt.Sprintf("Landlock ABI %d holds files and not connections", abi), "use Linux 6.7 or later where agents must not connect to the network")
	}
	const remedy = "run workers on Linux 5.13 or later with Landlock enabled (lsm=…,landlock), or set sandbox.mode: optional and trust the agents"
	if requiresSandbox(config) {
		return check.fail(problem+", and an agent of the config requires a sandbox", remedy)
	}
	return check.warn(problem, remedy)
}

// requiresSandbox reports whether an agent of a valid config must have one.
func requiresSandbox(path string) bool {
	if path == "" {
		return false
	}
	set, err := autonomy.Open(path, nil, time.Now)
	if err != nil {
		return false // checkConfig has said so
	}
	for _, t := range set.Targets() {
		if t.Config == nil || t.Config.Sandbox.Mode != gateway.SandboxRequired {
			continue
		}
		for _, agent := range t.Config.Agents {
			if agent.Type == gateway.AgentCommand && agent.Sandbox == gateway.SandboxRequired {
				return true
			}
		}
	}
	return false
}
