package e2e_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"leviathan/deploy/e2e"
)

var (
	kubeBinary      = flag.String("kube", "../../bin/kube", "the control plane, as make e2e builds it")
	leviathanBinary = flag.String("leviathan", "../../bin/leviathan-static", "our binary, as make e2e builds it")
	nodeBinary      = flag.String("node", "", "kubelet and scheduler, as make e2e-kubelet builds them: then Pods run on a real kubelet")
	imagesDir       = flag.String("images", "../../bin/images", "our images, as make images writes them")
)

const (
	namespace     = "leviathan"
	operatorToken = "an-operator-of-the-end-to-end-tests"
	gatewayURL    = "http://127.0.0.1:8000"
	controlImage  = "leviathan-control-plane:local"
	workerImage   = "leviathan-worker:local"
	cronJobName   = "leviathan-dev-scheduler"
	configMapName = "leviathan-autonomy-config"
)

// A world is one cluster with our manifests in it, which all tests share.
type world struct {
	dir        string
	config     *rest.Config
	kubeconfig string
	api        kubernetes.Interface
	// node is nil on a cluster that was there before: then there is no
	// repository that its gateway could be given.
	node node
	// kubelet is the node if it is a real one.
	kubelet *e2e.Kubelet
	// github is whether the targets' repositories are outside of the gateway's
	// volume.
	github      bool
	certificate string // of that GitHub

	runs sync.Mutex // guards count
	n    int
}

var cluster *world

// A node is where the Pods run: a stand-in, or a real kubelet.
type node interface {
	Logs(prefix string) string
	Signal(prefix string, signal syscall.Signal) int
	Freeze(ctx context.Context, prefix string) (int, error)
	Volume(pod types.UID, volume string) string
	Claim(namespace, name string) string
	SetLag(d time.Duration)
}

func TestMain(m *testing.M) {
	e2e.BecomeContainer()
	flag.Parse()
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "end to end:", err)
		code = max(1, code)
	}
	os.Exit(code)
}

// run runs the tests, in namespaces of their own where the cluster is, too.
func run(m *testing.M) (code int, err error) {
	given := os.Getenv("KUBECONFIG")
	if *nodeBinary != "" {
		given = "" // a node needs a cluster of its own
	}
	if given == "" {
		if isolated, err := e2e.Isolated(); err != nil {
			return 1, err
		} else if !isolated && *nodeBinary != "" {
			return isolateKubelet()
		} else if !isolated {
			return e2e.Isolate()
		}
	}
	dir, err := os.MkdirTemp("", "leviathan-e2e-")
	if err != nil {
		return 1, err
	}
	cluster = &world{dir: dir, kubeconfig: given}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var closers []func() error
	defer func() {
		for i := len(closers) - 1; i >= 0; i-- {
			err = errors.Join(err, closers[i]())
		}
		if code != 0 || err != nil {
			fmt.Fprintln(os.Stderr, "what there was is in", dir)
			return
		}
		err = os.RemoveAll(dir)
	}()
	open := cluster.openOwn
	if given != "" {
		open = cluster.openGiven
	}
	closers, err = open(ctx)
	if err != nil {
		return 1, err
	}
	if err := flag.Set("test.parallel", "32"); err != nil { // they wait, most of their time
		return 1, err
	}
	return m.Run(), nil
}

// openOwn starts a cluster and puts our manifests into it. What it returns is
// to be closed, the last first, after an error too.
func (w *world) openOwn(ctx context.Context) (closers []func() error, err error) {
	if err := os.Chmod(w.dir, 0o755); err != nil { // the Pods' user goes through it
		return nil, err
	}
	kube, err := binary(*kubeBinary)
	if err != nil {
		return nil, err
	}
	planeDir, nodeDir := filepath.Join(w.dir, "plane"), filepath.Join(w.dir, "node")
	if err := errors.Join(os.Mkdir(planeDir, 0o700), os.Mkdir(nodeDir, 0o755)); err != nil {
		return nil, err
	}
	began := time.Now()
	if *nodeBinary != "" {
		closers = append(closers, func() error { return e2e.EndAll(w.dir) })
	}
	plane, err := e2e.StartPlane(ctx, kube, planeDir)
	if err != nil {
		return closers, err
	}
	closers = append(closers, plane.Stop)
	fmt.Printf("the control plane is ready after %.1f s\n", time.Since(began).Seconds())
	w.config, w.kubeconfig = plane.Config, plane.Kubeconfig
	if w.api, err = kubernetes.NewForConfig(w.config); err != nil {
		return closers, err
	}
	logFile, err := os.Create(filepath.Join(w.dir, "node.log"))
	if err != nil {
		return closers, err
	}
	closers = append(closers, logFile.Close)
	log := slog.New(slog.NewTextHandler(logFile, nil))
	start := w.startStandIn
	if *nodeBinary != "" {
		start = w.startKubelet
	}
	stop, err := start(ctx, plane, nodeDir, log)
	closers = append(closers, stop...)
	if err != nil {
		return closers, err
	}
	if err := w.makeUpstreams(ctx); err != nil {
		return closers, err
	}
	if err := w.install(ctx); err != nil {
		return closers, err
	}
	if err := w.gatewayReady(ctx); err != nil {
		return closers, fmt.Errorf("%w\n%s", err, w.node.Logs("leviathan-control-plane"))
	}
	fmt.Printf("the gateway is ready after %.1f s\n", time.Since(began).Seconds())
	return closers, w.beginPatient(ctx)
}

// startStandIn starts a stand-in for the node.
func (w *world) startStandIn(ctx context.Context, _ *e2e.Plane, dir string, log *slog.Logger) ([]func() error, error) {
	leviathan, err := binary(*leviathanBinary)
	if err != nil {
		return nil, err
	}
	standIn := &e2e.Node{Client: w.api, Dir: dir, Leviathan: leviathan, Images: []string{controlImage, workerImage}, Log: log}
	w.node = standIn
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- standIn.Run(running) }()
	return []func() error{func() error { stop(); return <-ended }}, nil
}

// openGiven takes a cluster that is there. One with a namespace of our name is
// somebody's, and is left alone.
func (w *world) openGiven(ctx context.Context) (closers []func() error, err error) {
	if w.config, err = clientcmd.BuildConfigFromFlags("", w.kubeconfig); err != nil {
		return nil, err
	}
	w.config.QPS = -1
	if w.api, err = kubernetes.NewForConfig(w.config); err != nil {
		return nil, err
	}
	if err := w.absent(ctx); err != nil {
		return nil, err
	}
	fmt.Println("on the cluster of KUBECONFIG: what needs a repository within the gateway's volume is skipped")
	return []func() error{func() error { return w.remove(context.Background()) }}, w.install(ctx)
}

func binary(name string) (string, error) {
	path, err := filepath.Abs(name)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("there is no %s: run make e2e", path)
	}
	return path, nil
}

// needNode skips what only the stand-in can show.
func needNode(t *testing.T) {
	t.Helper()
	if cluster.node == nil {
		t.Skip("it needs a repository within the gateway's volume, or to reach into its Pods: unset KUBECONFIG to see it on a cluster of its own")
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("what the gateway warned of:\n%s", warnings(cluster.node.Logs("leviathan-control-plane")))
		}
	})
}

// warnings are the lines of a log that say more than what is usual.
func warnings(log string) string {
	var b strings.Builder
	for line := range strings.Lines(log) {
		if !strings.Contains(line, "level=INFO") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// eventually waits until try succeeds.
func eventually(t *testing.T, within time.Duration, what string, try func(context.Context) error) {
	t.Helper()
	if err := e2e.Eventually(t.Context(), within, what, try); err != nil {
		t.Fatal(err)
	}
}
