package scheduler

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"leviathan/gateway"
)

// heldUp says why a Pod that has not started has not, in Kubernetes' own words;
// "" for one of which nothing is known but that it takes its time.
func heldUp(pod *corev1.Pod) (reason, message string) {
	if pod == nil || pod.Status.Phase != corev1.PodPending {
		return "", ""
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return c.Reason, clip(c.Message)
		}
	}
	for _, c := range pod.Status.ContainerStatuses {
		if w := c.State.Waiting; w != nil && !begins(w.Reason) {
			return w.Reason, clip(w.Message)
		}
	}
	return "", ""
}

// begins reports whether a container that waits for this reason is about to
// start.
func begins(reason string) bool {
	return reason == "ContainerCreating" || reason == "PodInitializing" || reason == ""
}

// waits tells the gateway why a Job's Pod does not start, under an id that is
// the Job's and the reason's own: what is seen again is the same. An attempt
// whose start deadline passes meanwhile ends with these words. Like submitted it
// is a claim, and that it cannot be said changes nothing.
func (k *Kubernetes) waits(ctx context.Context, job *batchv1.Job, pod *corev1.Pod) {
	reason, message := heldUp(pod)
	if k.Gateway == nil || reason == "" {
		return
	}
	attempt, task := gateway.AttemptID(job.Annotations[annotationAttempt]), gateway.TaskID(job.Annotations[annotationTask])
	payload, err := json.Marshal(map[string]any{"attempt_id": attempt, "task_id": task, "target_id": k.Jobs.Target, "job_name": job.Name, "namespace": job.Namespace,
		"pod_name": pod.Name, "reason": reason, "message": message})
	if err == nil {
		sum := sha256.Sum256(payload)
		id := gateway.EventJobWaiting + ":" + string(job.UID) + ":" + hex.EncodeToString(sum[:8])
		_, err = k.Gateway.Ingest(ctx, gateway.IngestRequest{Target: k.Jobs.Target, BundleID: id, Events: []gateway.Event{{
			EventID: id, EventType: gateway.EventJobWaiting, Timestamp: gateway.At(k.Now()), ActorID: managedBy,
			SchemaVersion: gateway.SchemaVersion, Target: k.Jobs.Target, TaskID: task, AttemptID: attempt, Payload: payload}}})
	}
	if err != nil {
		k.Logger.Warn("telling the gateway why a Pod does not start", "attempt", attempt, "pod", pod.Name, "reason", reason, "error", err)
	}
}
