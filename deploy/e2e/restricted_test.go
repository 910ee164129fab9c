package e2e_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The namespace refuses Pods that are not restricted, so that each Pod of ours
// that is there is.
func TestEveryPodIsAdmittedUnderTheRestrictedProfile(t *testing.T) {
	w := cluster
	for what, change := range map[string]func(*corev1.PodSpec){
		"root": func(s *corev1.PodSpec) { s.SecurityContext.RunAsNonRoot = nil },
		"a capability": func(s *corev1.PodSpec) {
			s.Containers[0].SecurityContext.Capabilities.Add = []corev1.Capability{"SYS_ADMIN"}
		},
		"the machine's files": func(s *corev1.PodSpec) {
			s.Volumes = []corev1.Volume{{Name: "host", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}}}}
		},
		"no seccomp":           func(s *corev1.PodSpec) { s.SecurityContext.SeccompProfile = nil },
		"more rights later on": func(s *corev1.PodSpec) { s.Containers[0].SecurityContext.AllowPrivilegeEscalation = nil },
	} {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "not-restricted"}, Spec: restrictedPod("worker", workerImage, "true")}
		change(&pod.Spec)
		_, err := w.api.CoreV1().Pods(namespace).Create(t.Context(), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "violates PodSecurity") {
			t.Errorf("a Pod with %s: %v", what, err)
		}
	}
	for _, app := range []string{"leviathan-control-plane", "leviathan-spider"} {
		eventually(t, time.Minute, "there is a Pod of "+app, func(ctx context.Context) error {
			pods, err := w.api.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=" + app})
			if err == nil && len(pods.Items) == 0 {
				err = fmt.Errorf("%s", w.failedToCreate(ctx))
			}
			return err
		})
	}
	if w.node == nil {
		return
	}
	eventually(t, time.Minute, "the runs that began have made workers", func(ctx context.Context) error {
		for _, target := range []string{"keyless", "imageless"} {
			jobs, err := w.workerJobs(ctx, target)
			if err != nil {
				return err
			}
			for _, job := range jobs {
				if job.Status.Active != 1 {
					return fmt.Errorf("the Job %s has %d Pods: %s", job.Name, job.Status.Active, w.failedToCreate(ctx))
				}
			}
			if len(jobs) != 1 {
				return fmt.Errorf("%s has %d Jobs", target, len(jobs))
			}
		}
		return nil
	})
	if why := w.failedToCreate(t.Context()); strings.Contains(why, "violates PodSecurity") {
		t.Errorf("Pods were refused: %s", why)
	}
}

// failedToCreate is what the controllers say of Pods that they could not make.
func (w *world) failedToCreate(ctx context.Context) string {
	events, err := w.api.CoreV1().Events(namespace).List(ctx, metav1.ListOptions{FieldSelector: "reason=FailedCreate"})
	if err != nil {
		return err.Error()
	}
	var said []string
	for _, e := range events.Items {
		said = append(said, e.InvolvedObject.Kind+" "+e.InvolvedObject.Name+": "+e.Message)
	}
	return strings.Join(said, "; ")
}
