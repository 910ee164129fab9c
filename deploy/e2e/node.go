package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

const (
	nodeName = "stand-in"
	podIP    = "127.0.0.1"
	// look is how often the node looks at the API, and at what it shows in
	// volumes.
	look = 150 * time.Millisecond
	// heartbeat is how often the node says that it is ready. Pods of one that
	// does not are taken for lost.
	heartbeat = 5 * time.Second
)

// processors are how many the node says that it has. A Pod that asks for more
// finds no node; how many all together ask for is not looked at.
var processors = resource.MustParse("8")

// A Node stands in for scheduler and kubelet of a cluster with one machine.
type Node struct {
	Client kubernetes.Interface
	// Dir has a folder for each Pod and each claim, and the logs.
	Dir string
	// Leviathan is the binary that every container has.
	Leviathan string
	// Images are the names of the images that there are.
	Images []string
	Log    *slog.Logger

	lag   atomic.Int64 // nanoseconds
	since metav1.Time
	mu    sync.Mutex
	pods  map[types.UID]*pod
	maps  map[string]*shown
	wg    sync.WaitGroup
}

// A shown ConfigMap is what volumes have of it, and what they will have.
type shown struct {
	now, next *corev1.ConfigMap
	due       time.Time
}

// SetLag makes ConfigMap volumes follow a change only so much later, as they do
// in a cluster.
func (n *Node) SetLag(d time.Duration) { n.lag.Store(int64(d)) }

// Claim is the folder of a volume claim.
func (n *Node) Claim(namespace, name string) string {
	return filepath.Join(n.Dir, "claims", namespace+"-"+name)
}

// Logs is what the containers of the Pods whose names begin so have written.
func (n *Node) Logs(prefix string) string {
	files, err := filepath.Glob(filepath.Join(n.Dir, "logs", prefix+"*"))
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for _, name := range files {
		text, err := os.ReadFile(name)
		fmt.Fprintf(&b, "== %s\n%s", filepath.Base(name), text)
		if err != nil {
			fmt.Fprintln(&b, err)
		}
	}
	return b.String()
}

// Signal sends a signal to the first process of the running containers of the
// Pods whose names begin so, and says to how many. What happens when one ends is
// what its restart policy says.
func (n *Node) Signal(prefix string, signal syscall.Signal) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	told := 0
	for _, p := range n.pods {
		if strings.HasPrefix(p.spec.Name, prefix) && p.signal(signal) {
			told++
		}
	}
	return told
}

// Freeze stops the containers of the Pods whose names begin so where they are.
// It returns when no thread of them runs, and says how many there are.
func (n *Node) Freeze(ctx context.Context, prefix string) (frozen int, err error) {
	n.mu.Lock()
	var running []*pod
	for _, p := range n.pods {
		if strings.HasPrefix(p.spec.Name, prefix) && p.signal(syscall.SIGSTOP) {
			running = append(running, p)
		}
	}
	n.mu.Unlock()
	for _, p := range running {
		err := Eventually(ctx, time.Minute, "the first process of "+p.spec.Name+" is stopped", func(context.Context) error { return p.still() })
		if err != nil {
			return 0, err
		}
	}
	return len(running), nil
}

// Volume is the folder of a Pod's volume.
func (n *Node) Volume(pod types.UID, volume string) string {
	return filepath.Join(n.Dir, "pods", string(pod), "volumes", volume)
}

// Run is the node's life until ctx ends; then all its containers are killed.
func (n *Node) Run(ctx context.Context) error {
	n.since = metav1.Now()
	n.pods, n.maps = map[types.UID]*pod{}, map[string]*shown{}
	for _, dir := range []string{"logs", "pods", "claims"} {
		if err := os.MkdirAll(filepath.Join(n.Dir, dir), 0o755); err != nil {
			return err
		}
	}
	if err := n.register(ctx); err != nil {
		return err
	}
	tick := time.NewTicker(look)
	defer tick.Stop()
	var said time.Time
	for {
		err := n.sync(ctx)
		if time.Since(said) > heartbeat {
			said, err = time.Now(), errors.Join(err, n.ready(ctx))
		}
		if err != nil && ctx.Err() == nil {
			n.Log.Error("the node's life", "error", err)
		}
		select {
		case <-ctx.Done():
			n.wg.Wait()
			return nil
		case <-tick.C:
		}
	}
}

func (n *Node) register(ctx context.Context) error {
	_, err := n.Client.CoreV1().Nodes().Create(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: nodeName, Labels: map[string]string{"kubernetes.io/hostname": nodeName}}}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("registering the node: %w", err)
	}
	return n.ready(ctx)
}

// ready says that the node is.
func (n *Node) ready(ctx context.Context) error {
	room := corev1.ResourceList{corev1.ResourceCPU: processors, corev1.ResourceMemory: resource.MustParse("256Gi"), corev1.ResourcePods: resource.MustParse("500")}
	now := metav1.Now()
	patch, err := json.Marshal(map[string]any{"status": corev1.NodeStatus{Capacity: room, Allocatable: room, Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue,
		LastHeartbeatTime: now, LastTransitionTime: n.since, Reason: "StandIn", Message: "containers are local processes"}}}})
	if err != nil {
		return err
	}
	if _, err := n.Client.CoreV1().Nodes().Patch(ctx, nodeName, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status"); err != nil {
		return fmt.Errorf("saying that the node is ready: %w", err)
	}
	return nil
}

// sync takes new Pods, and tells those that were deleted.
func (n *Node) sync(ctx context.Context) error {
	list, err := n.Client.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for i := range list.Items {
		spec := &list.Items[i]
		switch {
		case spec.Spec.NodeName == "" && spec.DeletionTimestamp == nil && tooLarge(spec):
			if err := n.unschedulable(ctx, spec); err != nil {
				return err
			}
		case spec.Spec.NodeName == "" && spec.DeletionTimestamp == nil:
			err := n.Client.CoreV1().Pods(spec.Namespace).Bind(ctx, &corev1.Binding{ObjectMeta: metav1.ObjectMeta{Name: spec.Name, Namespace: spec.Namespace, UID: spec.UID},
				Target: corev1.ObjectReference{Kind: "Node", Name: nodeName}}, metav1.CreateOptions{})
			if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
				return err
			}
		case spec.Spec.NodeName == nodeName:
			n.take(ctx, spec)
		}
	}
	return nil
}

func tooLarge(spec *corev1.Pod) bool {
	return len(spec.Spec.Containers) > 0 && spec.Spec.Containers[0].Resources.Requests.Cpu().Cmp(processors) > 0
}

// unschedulable says of a Pod that no node has room for it, once.
func (n *Node) unschedulable(ctx context.Context, spec *corev1.Pod) error {
	if len(spec.Status.Conditions) > 0 {
		return nil
	}
	patch, err := json.Marshal(map[string]any{"status": corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, LastTransitionTime: metav1.Now(),
		Reason: corev1.PodReasonUnschedulable, Message: "0/1 nodes are available: 1 Insufficient cpu."}}}})
	if err == nil {
		_, err = n.Client.CoreV1().Pods(spec.Namespace).Patch(ctx, spec.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
	}
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("saying that a Pod finds no node: %w", err)
	}
	return nil
}

func (n *Node) take(ctx context.Context, spec *corev1.Pod) {
	n.mu.Lock()
	defer n.mu.Unlock()
	p := n.pods[spec.UID]
	if p == nil {
		if spec.Status.Phase == corev1.PodSucceeded || spec.Status.Phase == corev1.PodFailed {
			return
		}
		p = newPod(n, spec)
		n.pods[spec.UID] = p
		n.wg.Go(func() {
			p.run(ctx)
			n.mu.Lock()
			defer n.mu.Unlock()
			delete(n.pods, spec.UID)
		})
	}
	if spec.DeletionTimestamp != nil {
		p.stop(spec)
	}
}

// shownConfigMap is a ConfigMap as volumes have it, which is as it was a while ago.
func (n *Node) shownConfigMap(ctx context.Context, namespace, name string) (*corev1.ConfigMap, error) {
	got, err := n.Client.CoreV1().ConfigMaps(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	key, now := namespace+"/"+name, time.Now()
	s := n.maps[key]
	if s == nil {
		s = &shown{now: got, next: got}
		n.maps[key] = s
	}
	if got.ResourceVersion != s.next.ResourceVersion {
		s.next, s.due = got, now.Add(time.Duration(n.lag.Load()))
	}
	if !now.Before(s.due) {
		s.now = s.next
	}
	return s.now, nil
}
