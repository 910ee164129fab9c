package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A pod is one Pod of the node, with one container.
type pod struct {
	node  *Node
	spec  *corev1.Pod
	dir   string
	began metav1.Time

	turns  int
	tokens map[string]string

	mu       sync.Mutex
	cmd      *exec.Cmd // nil while none runs
	stopping chan struct{}
	grace    time.Duration // once stopping is closed
	once     sync.Once
}

func newPod(n *Node, spec *corev1.Pod) *pod {
	return &pod{node: n, spec: spec, dir: filepath.Join(n.Dir, "pods", string(spec.UID)), began: metav1.Now(), tokens: map[string]string{}, stopping: make(chan struct{})}
}

// stop tells the Pod that it was deleted.
func (p *pod) stop(spec *corev1.Pod) {
	p.once.Do(func() {
		if spec.DeletionGracePeriodSeconds != nil {
			p.grace = time.Duration(*spec.DeletionGracePeriodSeconds) * time.Second
		}
		close(p.stopping)
	})
}

func (p *pod) stopped() bool {
	select {
	case <-p.stopping:
		return true
	default:
		return false
	}
}

// signal reports whether a running container was told.
func (p *pod) signal(signal syscall.Signal) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cmd != nil && p.cmd.Process.Signal(signal) == nil
}

// still is nil when every thread of the container's first process is stopped.
func (p *pod) still() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return errors.New("it does not run")
	}
	return still(p.cmd.Process.Pid)
}

// still is nil when every thread of a process is stopped.
func still(pid int) error {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil || len(tasks) == 0 {
		return errors.Join(errors.New("it has no threads"), err)
	}
	for _, task := range tasks {
		stat, err := os.ReadFile(task)
		if err != nil {
			return err
		}
		if _, state, _ := strings.Cut(string(stat), ") "); !strings.HasPrefix(state, "T") {
			return fmt.Errorf("a thread of it is in state %.1s", state)
		}
	}
	return nil
}

// run is the Pod's life.
func (p *pod) run(ctx context.Context) {
	defer func() { _ = os.RemoveAll(p.dir) }() // in the tests' own folder, which goes as a whole
	if len(p.spec.Spec.Containers) != 1 || len(p.spec.Spec.InitContainers) > 0 {
		p.node.Log.Error("the stand-in knows Pods of one container alone", "pod", p.spec.Name)
		p.wait(ctx)
		return
	}
	c := &p.spec.Spec.Containers[0]
	for restarts := int32(0); ctx.Err() == nil && !p.stopped(); restarts++ {
		mounts, env, ok := p.prepare(ctx, c, restarts)
		if !ok {
			break
		}
		state := p.container(ctx, c, mounts, env, restarts)
		if ctx.Err() != nil {
			return
		}
		if p.spec.Spec.RestartPolicy != corev1.RestartPolicyAlways || p.stopped() {
			phase := corev1.PodSucceeded
			if state.ExitCode != 0 {
				phase = corev1.PodFailed
			}
			p.say(ctx, phase, false, corev1.ContainerStatus{RestartCount: restarts, State: corev1.ContainerState{Terminated: state}})
			break
		}
		p.say(ctx, corev1.PodRunning, false, corev1.ContainerStatus{RestartCount: restarts + 1, LastTerminationState: corev1.ContainerState{Terminated: state},
			State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: "back-off restarting failed container"}}})
		p.pause(ctx, time.Second)
	}
	p.wait(ctx)
}

// wait waits until the Pod is deleted, and takes it away.
func (p *pod) wait(ctx context.Context) {
	select {
	case <-ctx.Done():
		return
	case <-p.stopping:
	}
	err := p.node.Client.CoreV1().Pods(p.spec.Namespace).Delete(ctx, p.spec.Name, metav1.DeleteOptions{GracePeriodSeconds: new(int64(0)), Preconditions: &metav1.Preconditions{UID: &p.spec.UID}})
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) && ctx.Err() == nil {
		p.node.Log.Error("taking a Pod away", "pod", p.spec.Name, "error", err)
	}
}

func (p *pod) pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-p.stopping:
	case <-t.C:
	}
}

// prepare waits until image, volumes and environment are there.
func (p *pod) prepare(ctx context.Context, c *corev1.Container, restarts int32) (mounts []mount, env []string, ok bool) {
	told := ""
	for {
		reason, err := p.image(c, told)
		if err == nil {
			if mounts, err = p.mounts(ctx, c); err != nil {
				reason = "ContainerCreating"
			}
		}
		if err == nil {
			if err = p.identityProblem(); err == nil {
				env, err = p.environment(ctx, c)
			}
			reason = "CreateContainerConfigError"
		}
		if err == nil {
			return mounts, env, true
		}
		if told != reason {
			told = reason
			p.say(ctx, corev1.PodPending, false, corev1.ContainerStatus{RestartCount: restarts, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: err.Error()}}})
		}
		p.pause(ctx, 3*look)
		if ctx.Err() != nil || p.stopped() {
			return nil, nil, false
		}
	}
}

// image says why there is no such image, as a kubelet does: first that it
// cannot be pulled, and then that it is not tried again at once.
func (p *pod) image(c *corev1.Container, told string) (reason string, err error) {
	if slices.Contains(p.node.Images, c.Image) {
		return "", nil
	}
	switch {
	case c.ImagePullPolicy == corev1.PullNever:
		return "ErrImageNeverPull", fmt.Errorf("Container image %q is not present with pull policy of Never", c.Image)
	case told == "":
		return "ErrImagePull", fmt.Errorf("failed to pull image %q: not found", c.Image)
	}
	return "ImagePullBackOff", fmt.Errorf("Back-off pulling image %q: ErrImagePull: failed to pull image %q: not found", c.Image, c.Image)
}

func (p *pod) mounts(ctx context.Context, c *corev1.Container) ([]mount, error) {
	paths, err := p.volumes(ctx)
	if err != nil {
		return nil, err
	}
	var out []mount
	for _, m := range c.VolumeMounts {
		if m.SubPath != "" || paths[m.Name] == "" {
			return nil, fmt.Errorf("the stand-in cannot mount %s", m.Name)
		}
		out = append(out, mount{Source: paths[m.Name], Target: m.MountPath, ReadOnly: m.ReadOnly})
	}
	return out, nil
}
