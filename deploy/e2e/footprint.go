package e2e

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	cgroupVariable = "LEVIATHAN_E2E_CGROUP"
	cgroupPrefix   = "leviathan-e2e-"
)

// tunables are the kernel's settings that a kubelet wants, with the values that
// it wants.
var tunables = map[string]string{
	"vm/overcommit_memory":     "1",
	"vm/panic_on_oom":          "0",
	"kernel/panic":             "10",
	"kernel/panic_on_oops":     "1",
	"kernel/keys/root_maxkeys": "1000000", "kernel/keys/root_maxbytes": "25000000",
}

// watched are the kernel's settings that a kubelet or its network might change.
func watched() []string {
	names := []string{"net/ipv4/ip_forward", "net/ipv4/conf/all/forwarding", "kernel/core_pattern"}
	for name := range tunables {
		names = append(names, name)
	}
	return names
}

// A Footprint is what a kubelet needs of the machine that no namespace holds:
// groups of processes, and settings of the kernel. Whoever starts the namespaces
// makes it before, and closes it when they have ended, however that was.
type Footprint struct {
	group    string
	settings map[string]string
}

// NewFootprint makes the groups below which all containers will be, takes away
// those that a run left which was killed, and notes the kernel's settings.
func NewFootprint() (*Footprint, error) {
	f := &Footprint{group: cgroupPrefix + strconv.Itoa(os.Getpid()), settings: map[string]string{}}
	for _, name := range watched() {
		value, err := os.ReadFile(filepath.Join("/proc/sys", name))
		if err != nil {
			return nil, fmt.Errorf("noting a setting of the kernel: %w", err)
		}
		f.settings[name] = string(value)
	}
	roots, err := hierarchies()
	if err != nil {
		return nil, err
	}
	for _, root := range roots {
		left, err := filepath.Glob(filepath.Join(root, cgroupPrefix+"*"))
		if err != nil {
			return nil, err
		}
		for _, dir := range left {
			pid := strings.TrimPrefix(filepath.Base(dir), cgroupPrefix)
			if _, err := os.Stat("/proc/" + pid); errors.Is(err, fs.ErrNotExist) {
				if err := removeGroup(dir); err != nil {
					return nil, fmt.Errorf("taking away what a killed run left: %w", err)
				}
			}
		}
		if err := makeGroup(root, f.group); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	return f, os.Setenv(cgroupVariable, f.group)
}

// makeGroup makes a group that may hold others.
func makeGroup(root, name string) error {
	dir := filepath.Join(root, name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return fmt.Errorf("making a group of processes: %w", err)
	}
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} { // of version 1, where they begin empty
		value, err := os.ReadFile(filepath.Join(root, file))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, file), value, 0o644)
		}
		if err != nil {
			return fmt.Errorf("making a group of processes: %w", err)
		}
	}
	return nil
}

// Close takes the groups away, and puts a setting of the kernel back that is not
// as it was, which is an error: none is to be changed.
func (f *Footprint) Close() error {
	var errs []error
	roots, err := hierarchies()
	if err != nil {
		return err
	}
	for _, root := range roots {
		// A group is empty a moment after the last process of it was killed.
		errs = append(errs, Eventually(context.Background(), 20*time.Second, "the group of processes is gone", func(context.Context) error {
			return removeGroup(filepath.Join(root, f.group))
		}))
	}
	for name, before := range f.settings {
		file := filepath.Join("/proc/sys", name)
		now, err := os.ReadFile(file)
		if err == nil && string(now) != before {
			err = errors.Join(fmt.Errorf("the setting %s of the kernel was changed from %s to %s, and is put back", name, strings.TrimSpace(before), strings.TrimSpace(string(now))),
				os.WriteFile(file, []byte(before), 0o644))
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// removeGroup takes away a group and those within it.
func removeGroup(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := removeGroup(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	if err := syscall.Rmdir(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing %s: %w", dir, err)
	}
	return nil
}

// hierarchies are where the groups of processes are.
func hierarchies() ([]string, error) {
	var roots []string
	err := eachMount(func(point, kind string) {
		if kind == "cgroup" || kind == "cgroup2" {
			roots = append(roots, point)
		}
	})
	if err == nil && len(roots) == 0 {
		err = errors.New("no groups of processes (cgroups) are mounted: a kubelet needs them")
	}
	return roots, err
}

// eachMount tells of every mount that this process sees, and of what kind it is.
func eachMount(tell func(point, kind string)) error {
	file, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20) // an overlay names all its layers
	for lines.Scan() {
		// ID parent device root POINT options [fields…] - KIND source options
		before, after, _ := strings.Cut(lines.Text(), " - ")
		fields, kind := strings.Fields(before), strings.Fields(after)
		if len(fields) < 5 || len(kind) == 0 {
			return fmt.Errorf("a mount is said in a way that is not known: %q", lines.Text())
		}
		tell(strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(fields[4]), kind[0])
	}
	return lines.Err()
}
