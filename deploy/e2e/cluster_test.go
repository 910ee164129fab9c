package e2e_test

import (
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// gone is nil for what is not found.
func gone(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// freeze stops the worker of a Job where it is, so that it neither works nor
// hears anything.
func (w *world) freeze(t *testing.T, job string) {
	t.Helper()
	if n, err := w.node.Freeze(t.Context(), job+"-"); err != nil || n != 1 {
		t.Fatalf("%d workers of %s were frozen: %v", n, job, err)
	}
}

func (w *world) patchJob(t *testing.T, name, patch string) {
	t.Helper()
	if _, err := w.api.BatchV1().Jobs(namespace).Patch(t.Context(), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
}

// likeWorker makes a Job that says of itself to be of an attempt. Nothing ever
// runs in it, as its Pods wait for a Secret.
func (w *world) likeWorker(t *testing.T, target, name, attempt string) string {
	t.Helper()
	labels := map[string]string{"app": "leviathan-worker", "app.kubernetes.io/managed-by": "leviathan-scheduler"}
	secret := corev1.EnvVar{Name: "NEVER", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "never"}, Key: "never"}}}
	pod := restrictedPod("worker", workerImage, "true")
	pod.Containers[0].Env = []corev1.EnvVar{secret}
	job, err := w.api.BatchV1().Jobs(namespace).Create(t.Context(), &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels, Annotations: map[string]string{"leviathan.dev/attempt-id": attempt, "leviathan.dev/target": target}},
		Spec:       batchv1.JobSpec{BackoffLimit: new(int32(0)), Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: pod}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return job.Name
}

// restrictedPod is a Pod that the restricted profile lets pass.
func restrictedPod(container, image string, command ...string) corev1.PodSpec {
	return corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever, AutomountServiceAccountToken: new(false),
		SecurityContext: &corev1.PodSecurityContext{RunAsNonRoot: new(true), RunAsUser: new(int64(podUser)), SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}},
		Containers: []corev1.Container{{Name: container, Image: image, Command: command,
			SecurityContext: &corev1.SecurityContext{AllowPrivilegeEscalation: new(false), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}}}}}
}
