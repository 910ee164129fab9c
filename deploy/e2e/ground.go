package e2e

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// The addresses of a cluster with a real kubelet. All are in the tests' own
// network, and all but the Pods' are this process's.
const (
	servicesCIDR = "10.96.0.0/24"
	dnsAddress   = "10.96.0.10"
	// GitHubAddress is where something outside of the cluster may listen that
	// its Pods are to reach.
	GitHubAddress = "10.96.0.250"
	nodeCIDR      = "10.97.0.1/32"
	podsCIDR      = "10.244.0.0/24"
)

// ground makes the namespaces that this process is in fit for a kubelet, so that
// nothing that it and containerd do is seen outside: they have folders of their
// own where theirs are fixed, find the kernel's settings as they want them
// without changing any, and there are addresses for Services and the node.
func ground(dir string) error {
	for _, hidden := range []string{"/run", "/var/lib", "/var/log"} {
		if err := unix.Mount("tmpfs", hidden, "tmpfs", 0, "mode=755"); err != nil {
			return fmt.Errorf("mounting a folder of our own at %s: %w", hidden, err)
		}
	}
	settings := filepath.Join(dir, "settings")
	if err := os.Mkdir(settings, 0o755); err != nil {
		return err
	}
	for name, value := range tunables {
		file := filepath.Join(settings, strings.ReplaceAll(name, "/", "."))
		if err := os.WriteFile(file, []byte(value+"\n"), 0o644); err != nil {
			return err
		}
		if err := unix.Mount(file, filepath.Join("/proc/sys", name), "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("showing a setting of the kernel: %w", err)
		}
	}
	// A whole prefix at the loopback is this machine's.
	for i, prefix := range []string{servicesCIDR, nodeCIDR} {
		if err := address(fmt.Sprintf("lo:%d", i+1), netip.MustParsePrefix(prefix)); err != nil {
			return fmt.Errorf("taking the addresses %s: %w", prefix, err)
		}
	}
	return nil
}

// address gives an interface, or a name beside an interface's, an address.
func address(name string, prefix netip.Prefix) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	own := prefix.Addr()
	if prefix.Bits() < own.BitLen() {
		own = own.Next() // the first of the network is its name
	}
	mask := ^uint32(0) << (own.BitLen() - prefix.Bits())
	for _, set := range []struct {
		request uint
		value   []byte
	}{
		{unix.SIOCSIFADDR, own.AsSlice()},
		{unix.SIOCSIFNETMASK, []byte{byte(mask >> 24), byte(mask >> 16), byte(mask >> 8), byte(mask)}},
	} {
		ifreq, err := unix.NewIfreq(name)
		if err != nil {
			return err
		}
		if err := ifreq.SetInet4Addr(set.value); err != nil {
			return err
		}
		if err := unix.IoctlIfreq(fd, set.request, ifreq); err != nil {
			return err
		}
	}
	return nil
}

// EndAll ends whatever runs in this process's namespace but itself, and unmounts
// all that is mounted below dir, so that it can be removed. It refuses where
// this process is not the first of a namespace.
func EndAll(dir string) error {
	if os.Getpid() != 1 {
		return errors.New("this process is not the first of its namespace, and ends nobody")
	}
	if err := syscall.Kill(-1, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	for {
		if _, err := syscall.Wait4(-1, nil, 0, nil); errors.Is(err, syscall.ECHILD) {
			break
		} else if err != nil && !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
	var points []string
	if err := eachMount(func(point, _ string) {
		if strings.HasPrefix(point, dir+"/") {
			points = append(points, point)
		}
	}); err != nil {
		return err
	}
	for _, point := range slices.Backward(points) {
		if err := unix.Unmount(point, unix.MNT_DETACH); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.EINVAL) {
			return fmt.Errorf("unmounting %s: %w", point, err)
		}
	}
	var left []string
	err := eachMount(func(point, _ string) {
		if strings.HasPrefix(point, dir+"/") {
			left = append(left, point)
		}
	})
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("%s are mounted still", strings.Join(left, ", "))
	}
	return err
}
