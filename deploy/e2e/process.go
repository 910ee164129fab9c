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
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// container runs one life of the container and says how it ended.
func (p *pod) container(ctx context.Context, c *corev1.Container, mounts []mount, env []string, restarts int32) *corev1.ContainerStateTerminated {
	end := &corev1.ContainerStateTerminated{ExitCode: 128, Reason: "StartError", StartedAt: metav1.Now(), ContainerID: p.id(restarts)}
	log := filepath.Join(p.node.Dir, "logs", fmt.Sprintf("%s.%d.log", p.spec.Name, restarts))
	cmd, err := p.start(ctx, c, mounts, env, log)
	if err != nil {
		end.Message, end.FinishedAt = err.Error(), metav1.Now()
		return end
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	watching, cancel := context.WithCancel(ctx)
	var watchers sync.WaitGroup
	status := corev1.ContainerStatus{RestartCount: restarts, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: end.StartedAt}}}
	p.say(ctx, corev1.PodRunning, c.ReadinessProbe == nil, status)
	watchers.Go(func() { p.probe(watching, c, status) })
	watchers.Go(func() { p.refresh(watching) })
	select {
	case err = <-done:
	case <-ctx.Done():
		_ = cmd.Process.Kill() // it may have ended
		err = <-done
	case <-p.stopping:
		err = p.terminate(cmd, done)
	}
	p.mu.Lock()
	p.cmd = nil
	p.mu.Unlock()
	cancel()
	watchers.Wait()
	end.FinishedAt = metav1.Now()
	end.ExitCode, end.Reason = exitOf(err)
	if end.ExitCode != 0 && c.TerminationMessagePolicy == corev1.TerminationMessageFallbackToLogsOnError {
		end.Message = tail(log)
	}
	return end
}

func exitOf(err error) (code int32, reason string) {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0, "Completed"
	case !errors.As(err, &exit):
		return 128, "ContainerStatusUnknown"
	}
	if s, ok := exit.Sys().(syscall.WaitStatus); ok && s.Signaled() {
		return 128 + int32(s.Signal()), "Error"
	}
	return int32(exit.ExitCode()), "Error"
}

// tail is the end of a log, as much as a Pod's status has.
func tail(file string) string {
	const most = 2048
	text, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-most):])
}

func (p *pod) id(restarts int32) string { return fmt.Sprintf("process://%s/%d", p.spec.UID, restarts) }

// start starts the process of the container, with its output in a file.
func (p *pod) start(ctx context.Context, c *corev1.Container, mounts []mount, env []string, output string) (*exec.Cmd, error) {
	hosts, err := p.node.hosts(ctx, p.spec.Namespace)
	if err != nil {
		return nil, err
	}
	spec := containerSpec{Root: filepath.Join(p.dir, "root"), Leviathan: p.node.Leviathan, Mounts: mounts, Hosts: hosts,
		Env: env, Dir: c.WorkingDir, Command: append(slices.Clone(c.Command), c.Args...), Alone: Alone()}
	if len(c.Command) == 0 {
		spec.Command = append([]string{"leviathan"}, c.Args...) // the images' entrypoint
	}
	spec.UID, spec.GID, spec.Groups = p.identity()
	spec.ReadOnlyRoot = c.SecurityContext != nil && c.SecurityContext.ReadOnlyRootFilesystem != nil && *c.SecurityContext.ReadOnlyRootFilesystem
	if err := os.MkdirAll(spec.Root, 0o755); err != nil {
		return nil, err
	}
	cmd, err := spec.command(filepath.Join(p.dir, "container.json"))
	if err != nil {
		return nil, err
	}
	log, err := os.Create(output)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p.cmd = cmd
	return cmd, nil
}

// identity is who the Pod's container runs as. The images' own user is 65532.
func (p *pod) identity() (uid, gid int, groups []int) {
	uid, gid = podUser, podUser
	if c := p.spec.Spec.SecurityContext; c != nil {
		uid, gid = number(c.RunAsUser, uid), number(c.RunAsGroup, gid)
		if c.FSGroup != nil {
			groups = append(groups, int(*c.FSGroup))
		}
	}
	if c := p.spec.Spec.Containers[0].SecurityContext; c != nil {
		uid, gid = number(c.RunAsUser, uid), number(c.RunAsGroup, gid)
	}
	return uid, gid, groups
}

func number(n *int64, otherwise int) int {
	if n == nil {
		return otherwise
	}
	return int(*n)
}

// identityProblem says why the Pod's container cannot run as it asks.
func (p *pod) identityProblem() error {
	uid, _, _ := p.identity()
	strict := false
	if c := p.spec.Spec.SecurityContext; c != nil && c.RunAsNonRoot != nil {
		strict = *c.RunAsNonRoot
	}
	if c := p.spec.Spec.Containers[0].SecurityContext; c != nil && c.RunAsNonRoot != nil {
		strict = *c.RunAsNonRoot
	}
	switch {
	case strict && uid == 0:
		return errors.New("container has runAsNonRoot and image will run as root")
	case Alone() && uid != podUser:
		return fmt.Errorf("the stand-in is not run by root and knows no user but %d", podUser)
	}
	return nil
}

// terminate asks the process to end, and kills it after its grace.
func (p *pod) terminate(cmd *exec.Cmd, done <-chan error) error {
	_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	late := time.NewTimer(p.grace)
	defer late.Stop()
	select {
	case err := <-done:
		return err
	case <-late.C:
		_ = cmd.Process.Kill()
		return <-done
	}
}

// hosts names this machine as every Service: what they lead to runs here.
func (n *Node) hosts(ctx context.Context, namespace string) (string, error) {
	services, err := n.Client.CoreV1().Services(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("127.0.0.1 localhost kubernetes.default.svc\n")
	for _, s := range services.Items {
		fmt.Fprintf(&b, "127.0.0.1 %[1]s %[1]s.%[2]s %[1]s.%[2]s.svc %[1]s.%[2]s.svc.cluster.local\n", s.Name, namespace)
	}
	return b.String(), nil
}
