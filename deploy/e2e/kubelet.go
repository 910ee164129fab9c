package e2e

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// KubeletName is the node's name, by which the API server finds its kubelet: on
// this process's own loopback.
const KubeletName = "localhost"

// ContainerPrograms are what a real kubelet needs that is not built here.
func ContainerPrograms() error {
	var missing []string
	for _, name := range []string{"containerd", "ctr", "runc"} {
		if _, err := exec.LookPath(name); err != nil {
			missing = append(missing, name)
		}
	}
	if _, err := plugins(); err != nil {
		missing = append(missing, "the CNI plugins ptp and host-local")
	}
	if len(missing) > 0 {
		return fmt.Errorf("%s not found: on Debian, apt-get install --no-install-recommends containerd runc containernetworking-plugins", strings.Join(missing, ", "))
	}
	if os.Geteuid() != 0 {
		return errors.New("a real kubelet needs root")
	}
	return nil
}

// plugins is the folder of the CNI plugins.
func plugins() (string, error) {
	for _, dir := range []string{"/usr/lib/cni", "/opt/cni/bin"} {
		if _, err := os.Stat(filepath.Join(dir, "ptp")); err == nil {
			return dir, nil
		}
	}
	return "", fs.ErrNotExist
}

// KubeletConfig is what a real node is made of.
type KubeletConfig struct {
	Plane  *Plane
	Client kubernetes.Interface
	// Program has kubelet and scheduler.
	Program string
	// Dir is empty, and has a path without spaces.
	Dir string
	// Archives are the images that there are; that of a Pod's own sandbox is
	// Sandbox.
	Archives []string
	Sandbox  string
	// Names are names outside of the cluster that its Pods know.
	Names map[string]string
	// Fronts lead what comes to an address of this process into the cluster.
	Fronts map[string]Finder
	Log    *slog.Logger
}

// A Kubelet is a real node of a cluster: kubelet, containerd and runc, and a
// scheduler. It is to be started in namespaces of its own, within a Footprint.
type Kubelet struct {
	config KubeletConfig
	programs
	stop context.CancelFunc
	wg   sync.WaitGroup
}

// StartKubelet starts the node and returns when it is ready for Pods.
func StartKubelet(ctx context.Context, c KubeletConfig) (_ *Kubelet, err error) {
	running, stop := context.WithCancel(ctx)
	k := &Kubelet{config: c, programs: programs{logs: c.Dir}, stop: stop}
	defer func() {
		if err != nil {
			err = errors.Join(err, k.Stop())
		}
	}()
	if err := ground(c.Dir); err != nil {
		return nil, err
	}
	for _, dir := range []string{"claims", "pod-logs", "volume-plugins", "cni"} {
		if err := os.Mkdir(k.path(dir), 0o755); err != nil {
			return nil, err
		}
	}
	if err := k.startNetwork(running); err != nil {
		return nil, err
	}
	if err := k.startContainerd(ctx); err != nil {
		return nil, err
	}
	for _, archive := range c.Archives {
		if out, err := k.ctr(ctx, "images", "import", archive); err != nil {
			return nil, fmt.Errorf("importing %s: %w: %s", archive, err, out)
		}
	}
	if err := k.startScheduler(); err != nil {
		return nil, err
	}
	if err := k.startKubelet(ctx); err != nil {
		return nil, err
	}
	return k, nil
}

func (k *Kubelet) path(name string) string { return filepath.Join(k.config.Dir, name) }
func (k *Kubelet) socket() string          { return k.path("containerd.sock") }

func (k *Kubelet) ctr(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "ctr", append([]string{"--address=" + k.socket(), "--namespace=k8s.io"}, args...)...).CombinedOutput()
	return string(out), err
}

func (k *Kubelet) startNetwork(ctx context.Context) error {
	n := &network{client: k.config.Client, log: k.config.Log, names: map[string]netip.Addr{}}
	for name, at := range k.config.Names {
		ip, err := netip.ParseAddr(at)
		if err != nil {
			return err
		}
		n.name(name, ip)
	}
	ready := make(chan error, 1)
	k.wg.Go(func() { n.run(ctx, ready) })
	if err := <-ready; err != nil {
		return fmt.Errorf("serving names: %w", err)
	}
	for address, find := range k.config.Fronts {
		if err := n.front(ctx, address, find); err != nil {
			return err
		}
	}
	return nil
}

func (k *Kubelet) startContainerd(ctx context.Context) error {
	dir, err := plugins()
	if err != nil {
		return err
	}
	// root here may lack the capability to make itself safer from the kernel's
	// hunger for memory, as in a virtual machine without CAP_SYS_RESOURCE.
	config := fmt.Sprintf(`version = 2
root = %q
state = %q
[grpc]
address = %q
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "docker.io/library/%s"
disable_apparmor = true
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = %q
conf_dir = %q
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = false
`, k.path("containerd"), k.path("containerd-state"), k.socket(), k.config.Sandbox, dir, k.path("cni"))
	network := fmt.Sprintf(`{"cniVersion": "0.4.0", "name": "e2e", "plugins": [{"type": "ptp", "ipMasq": false, "ipam": {"type": "host-local",
 "dataDir": %q, "ranges": [[{"subnet": %q}]], "routes": [{"dst": "0.0.0.0/0"}]}}]}
`, k.path("cni-addresses"), podsCIDR)
	if err := errors.Join(os.WriteFile(k.path("containerd.toml"), []byte(config), 0o644), os.WriteFile(k.path("cni/10-e2e.conflist"), []byte(network), 0o644)); err != nil {
		return err
	}
	if err := k.start("containerd", "containerd", "--config="+k.path("containerd.toml")); err != nil {
		return err
	}
	return Eventually(ctx, time.Minute, "containerd answers", func(ctx context.Context) error {
		out, err := k.ctr(ctx, "version")
		if err != nil {
			err = fmt.Errorf("%w: %s", err, out)
		}
		return err
	})
}

func (k *Kubelet) startScheduler() error {
	file := k.path("scheduler.kubeconfig")
	if err := k.config.Plane.writeKubeconfig(file, "schedulertoken"); err != nil {
		return err
	}
	return k.start("kube-scheduler", k.config.Program, "kube-scheduler", "--kubeconfig="+file, "--authentication-kubeconfig="+file, "--authorization-kubeconfig="+file,
		"--bind-address=127.0.0.1", "--secure-port=16445", "--cert-dir="+k.path("scheduler-certs"), "--leader-elect=false")
}

// startKubelet starts the kubelet. It listens on the loopback of this process
// alone, where nobody else is.
func (k *Kubelet) startKubelet(ctx context.Context) error {
	kubeconfig, config := k.path("node.kubeconfig"), k.path("kubelet.yaml")
	if err := k.config.Plane.writeKubeconfig(kubeconfig, "nodetoken"); err != nil {
		return err
	}
	// A volume of a ConfigMap follows a change when its Pod is looked at anew.
	text := fmt.Sprintf(`apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: 127.0.0.1
healthzPort: 0
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
containerRuntimeEndpoint: unix://%s
cgroupDriver: cgroupfs
cgroupRoot: /%s
failCgroupV1: false
failSwapOn: false
protectKernelDefaults: true
enforceNodeAllocatable: []
makeIPTablesUtilChains: false
resolvConf: ""
clusterDNS: [%s]
clusterDomain: cluster.local
syncFrequency: 10m
podLogsDir: %s
volumePluginDir: %s
evictionHard: {memory.available: 1Mi, nodefs.available: 1Mi, nodefs.inodesFree: "1", imagefs.available: 1Mi}
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
maxPods: 200
`, k.socket(), os.Getenv(cgroupVariable), dnsAddress, k.path("pod-logs"), k.path("volume-plugins"))
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		return err
	}
	node := netip.MustParsePrefix(nodeCIDR).Addr().String()
	if err := k.start("kubelet", k.config.Program, "kubelet", "--config="+config, "--kubeconfig="+kubeconfig, "--root-dir="+k.path("kubelet"), "--cert-dir="+k.path("kubelet-certs"),
		"--hostname-override="+KubeletName, "--node-ip="+node); err != nil {
		return err
	}
	return Eventually(ctx, time.Minute, "the node is ready", func(ctx context.Context) error {
		node, err := k.config.Client.CoreV1().Nodes().Get(ctx, KubeletName, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, c := range node.Status.Conditions {
			if c.Type == corev1.NodeReady && c.Status != corev1.ConditionTrue {
				return errors.New(c.Message)
			} else if c.Type == corev1.NodeReady {
				return nil
			}
		}
		return errors.New("it does not say whether it is")
	})
}

// Stop ends the programs. Containers go on until EndAll.
func (k *Kubelet) Stop() error {
	err := k.programs.Stop()
	k.stop()
	k.wg.Wait()
	return err
}

// Claim is the folder of a volume claim, which a PersistentVolume is to name.
func (k *Kubelet) Claim(namespace, name string) string {
	return filepath.Join(k.path("claims"), namespace+"-"+name)
}

// Volume is the folder of a Pod's volume.
func (k *Kubelet) Volume(pod types.UID, volume string) string {
	found, err := filepath.Glob(filepath.Join(k.path("kubelet"), "pods", string(pod), "volumes", "*", volume))
	if err != nil || len(found) != 1 {
		return filepath.Join(k.path("kubelet"), "no-such-volume", string(pod), volume)
	}
	return found[0]
}

// SetLag does nothing: a kubelet takes its time.
func (k *Kubelet) SetLag(time.Duration) {}

// Signal sends a signal to the first process of the running containers of the
// Pods whose names begin so, and says to how many.
func (k *Kubelet) Signal(prefix string, signal syscall.Signal) (told int) {
	for _, pid := range k.Processes(prefix) {
		if syscall.Kill(pid, signal) == nil {
			told++
		}
	}
	return told
}

// Freeze stops the containers of the Pods whose names begin so where they are.
// It returns when no thread of their first processes runs.
func (k *Kubelet) Freeze(ctx context.Context, prefix string) (frozen int, err error) {
	for _, pid := range k.Processes(prefix) {
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			return frozen, err
		}
		frozen++
		if err := Eventually(ctx, time.Minute, "the first process is stopped", func(context.Context) error { return still(pid) }); err != nil {
			return frozen, err
		}
	}
	return frozen, nil
}
