package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// probe says when the container is ready, by its readiness probe.
func (p *pod) probe(ctx context.Context, c *corev1.Container, status corev1.ContainerStatus) {
	if c.ReadinessProbe == nil || c.ReadinessProbe.HTTPGet == nil {
		return
	}
	get := c.ReadinessProbe.HTTPGet
	port := get.Port.String()
	for _, named := range c.Ports {
		if named.Name == port {
			port = fmt.Sprint(named.ContainerPort)
		}
	}
	url := "http://" + net.JoinHostPort(podIP, port) + get.Path
	ready := false
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		now := answers(ctx, url)
		if now != ready && ctx.Err() == nil {
			ready = now
			p.say(ctx, corev1.PodRunning, ready, status)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func answers(ctx context.Context, url string) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	return resp.Body.Close() == nil && resp.StatusCode/100 == 2
}

// refresh keeps the ConfigMap volumes as they should be.
func (p *pod) refresh(ctx context.Context) {
	tick := time.NewTicker(2 * look)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for i := range p.spec.Spec.Volumes {
			if v := &p.spec.Spec.Volumes[i]; v.ConfigMap != nil {
				if err := p.project(ctx, v, filepath.Join(p.dir, "volumes", v.Name)); err != nil && ctx.Err() == nil {
					p.node.Log.Error("following a ConfigMap", "pod", p.spec.Name, "error", err)
				}
			}
		}
	}
}

// say writes the Pod's status.
func (p *pod) say(ctx context.Context, phase corev1.PodPhase, ready bool, c corev1.ContainerStatus) {
	container := p.spec.Spec.Containers[0]
	c.Name, c.Image, c.ImageID, c.Ready = container.Name, container.Image, container.Image, ready
	c.Started = new(c.State.Running != nil)
	if c.State.Waiting == nil {
		c.ContainerID = p.id(c.RestartCount)
	}
	truth := map[bool]corev1.ConditionStatus{true: corev1.ConditionTrue, false: corev1.ConditionFalse}
	var conditions []corev1.PodCondition
	for of, is := range map[corev1.PodConditionType]bool{corev1.PodScheduled: true, corev1.PodInitialized: true, corev1.ContainersReady: ready, corev1.PodReady: ready} {
		conditions = append(conditions, corev1.PodCondition{Type: of, Status: truth[is], LastTransitionTime: metav1.Now()})
	}
	status := corev1.PodStatus{Phase: phase, Conditions: conditions, ContainerStatuses: []corev1.ContainerStatus{c}, HostIP: podIP, PodIP: podIP, PodIPs: []corev1.PodIP{{IP: podIP}}, StartTime: &p.began}
	patch, err := json.Marshal(map[string]any{"status": status})
	if err == nil {
		_, err = p.node.Client.CoreV1().Pods(p.spec.Namespace).Patch(ctx, p.spec.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
	}
	if err != nil && !apierrors.IsNotFound(err) && ctx.Err() == nil {
		p.node.Log.Error("saying what a Pod does", "pod", p.spec.Name, "error", err)
	}
}
