package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// page is the report, in Markdown.
func (b *bench) page(ctx context.Context, command string) string {
	var out bytes.Buffer
	fmt.Fprintf(&out, "# Performance\n\nMeasured by `%s` on %s. Ours and the peer in one run, on one machine:\n\n", command, time.Now().UTC().Format(time.DateOnly))
	for _, line := range b.machine(ctx) {
		fmt.Fprintf(&out, "- %s\n", line)
	}
	out.WriteString("\nThe load, ours and the peer share these cores. Ours writes every decision to disk with fsync before it answers; the peer's decision log is off.\n\n")
	if b.quick {
		out.WriteString("These are the small sizes of `--quick`: they show that everything can be measured, and no figure holds for more.\n\n")
	}
	out.WriteString("| what | ours | peer | target | held |\n| --- | --- | --- | --- | --- |\n")
	for _, f := range b.figures {
		held := "no"
		if f.held {
			held = "yes"
		}
		if f.target == "" {
			held = ""
		}
		fmt.Fprintf(&out, "| %s | %s | %s | %s | %s |\n", f.name, f.ours, f.peer, f.target, held)
	}
	for _, f := range b.figures {
		if f.note != "" {
			fmt.Fprintf(&out, "\n%s: %s\n", f.name, f.note)
		}
	}
	for _, failure := range b.failures {
		fmt.Fprintf(&out, "\nNot measured: %s\n", failure)
	}
	return out.String()
}

// commandLine is the command with the flags that were given.
func commandLine(cmd *cobra.Command) string {
	line := cmd.CommandPath()
	cmd.Flags().Visit(func(f *pflag.Flag) {
		line += " --" + f.Name
		if f.Value.Type() != "bool" {
			line += " " + strings.Trim(f.Value.String(), "[]")
		}
	})
	return line
}

// machine names what the figures were measured on.
func (b *bench) machine(ctx context.Context) []string {
	lines := []string{fmt.Sprintf("%s, %d cores, %s of memory", fact("/proc/cpuinfo", "model name"), runtime.NumCPU(), fact("/proc/meminfo", "MemTotal")),
		"files on " + fileSystem(ctx, os.TempDir()),
		"Go " + strings.TrimPrefix(runtime.Version(), "go") + ", " + runtime.GOOS + "/" + runtime.GOARCH}
	for _, args := range [][]string{{"uname", "-sr"}, {"git", "--version"}, {b.opa, "version"}, {b.conftest, "--version"}} {
		if args[0] == "" {
			continue
		}
		if said, err := exec.CommandContext(ctx, args[0], args[1:]...).Output(); err == nil { // what is not there is not named
			line, _, _ := strings.Cut(strings.TrimSpace(string(said)), "\n")
			lines = append(lines, strings.NewReplacer("Version:", "opa", "Conftest:", "conftest").Replace(line))
		}
	}
	return append(lines, "load average before: "+b.began)
}

// fact is a value of a file of "name: value" lines, where the system has it.
func fact(file, name string) string {
	f, err := os.Open(file)
	if err != nil {
		return "unknown"
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if key, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// fileSystem is the type of the file system that a folder is on: on one in
// memory, fsync costs nothing.
func fileSystem(ctx context.Context, dir string) string {
	said, err := exec.CommandContext(ctx, "stat", "--file-system", "--format=%T", dir).Output()
	if err != nil {
		return "a file system that is not known"
	}
	return strings.TrimSpace(string(said))
}

// loadAverage is how busy the machine is, where the system tells it.
func loadAverage() string {
	data, err := os.ReadFile("/proc/loadavg")
	fields := strings.Fields(string(data))
	if err != nil || len(fields) < 3 {
		return "unknown"
	}
	return strings.Join(fields[:3], " ")
}
