package scheduler

import (
	"cmp"
	"context"
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"leviathan/gateway"
)

// pageSize is how many objects one list request asks for.
const pageSize = 250

// Observe tells what became of the Jobs of the attempts given, and which other
// Jobs of the target there are. An API server that does not answer is an
// error, never an empty list. Why a Pod does not start is told to the gateway on
// the way (the event job.waiting).
func (k *Kubernetes) Observe(ctx context.Context, attempts []gateway.AttemptID) ([]Worker, error) {
	jobs, err := k.listJobs(ctx)
	if err != nil {
		return nil, err
	}
	var pods map[types.UID]*corev1.Pod
	if len(jobs) > 0 {
		if pods, err = k.listPods(ctx); err != nil {
			return nil, err
		}
	}
	var workers []Worker
	seen := map[gateway.AttemptID]bool{}
	for i := range jobs {
		id := k.attemptOf(&jobs[i])
		pod := pods[jobs[i].UID]
		w := k.look(&jobs[i], pod)
		if w.State == WorkerActive || w.State == WorkerStuck {
			k.waits(ctx, &jobs[i], pod)
		}
		w.Attempt, seen[id] = id, true
		workers = append(workers, w)
	}
	for _, id := range attempts {
		if !seen[id] {
			workers = append(workers, Worker{State: WorkerAbsent, Exit: Exit{Attempt: id, Observed: "job_deleted",
				Detail: fmt.Sprintf("the Job %s is not in namespace %s: it was deleted, or ended more than an hour ago", JobName(id), k.Namespace)}})
		}
	}
	return workers, nil
}

func workerSelector(page string) metav1.ListOptions {
	return metav1.ListOptions{LabelSelector: labelApp + "=" + appWorker + "," + labelManagedBy + "=" + managedBy, Limit: pageSize, Continue: page}
}

// listJobs are the Jobs of this launcher's target.
func (k *Kubernetes) listJobs(ctx context.Context) (ours []batchv1.Job, err error) {
	for page := ""; ; {
		list, err := k.jobs().List(ctx, workerSelector(page))
		if err != nil {
			return nil, unknown("listing the Jobs of namespace "+k.Namespace, err)
		}
		for _, job := range list.Items {
			if k.attemptOf(&job) != "" {
				ours = append(ours, job)
			}
		}
		if page = list.Continue; page == "" {
			return ours, nil
		}
	}
}

// listPods are the workers' Pods, by the Job that each belongs to. A Job has
// one, as it tries once.
func (k *Kubernetes) listPods(ctx context.Context) (map[types.UID]*corev1.Pod, error) {
	pods := map[types.UID]*corev1.Pod{}
	for page := ""; ; {
		list, err := k.Client.CoreV1().Pods(k.Namespace).List(ctx, workerSelector(page))
		if err != nil {
			return nil, unknown("listing the Pods of namespace "+k.Namespace, err)
		}
		for i := range list.Items {
			if owner := metav1.GetControllerOf(&list.Items[i]); owner != nil {
				pods[owner.UID] = &list.Items[i]
			}
		}
		if page = list.Continue; page == "" {
			return pods, nil
		}
	}
}

// unknown is an error of what had to be seen: whatever its cause, nothing is
// known.
func unknown(doing string, err error) error {
	reason, _ := nameOf(err)
	return &gateway.Error{Kind: gateway.Unknown, Detail: fmt.Sprintf("%s: %s: %v", reason, doing, err), Err: err}
}

// look says how a Job and its Pod, nil if there is none, are.
func (k *Kubernetes) look(job *batchv1.Job, pod *corev1.Pod) Worker {
	for _, c := range job.Status.Conditions {
		if c.Status != corev1.ConditionTrue {
			continue
		}
		switch c.Type {
		case batchv1.JobComplete:
			return ended("process_gone", "the Job %s completed, and its worker has not said how the attempt ended", job.Name)
		case batchv1.JobFailed:
			return failed(job, c, pod)
		}
	}
	if job.DeletionTimestamp != nil { // it is gone when it is gone
		return Worker{State: WorkerActive, Exit: Exit{Detail: "its Job is being deleted"}}
	}
	age := k.Now().Sub(job.CreationTimestamp.Time)
	switch {
	case pod == nil && age < k.Patience:
		return Worker{State: WorkerActive, Exit: Exit{Detail: "its Job has no Pod yet"}}
	case pod == nil:
		return stuck("job_failed", "the Job %s has no Pod after %s: the API server may refuse it (Pod Security, a quota, a webhook); the events of the Job say why", job.Name, age.Round(time.Second))
	case pod.Status.Phase == corev1.PodPending:
		return k.pending(job, pod, age)
	}
	return Worker{State: WorkerActive, Exit: Exit{Detail: "its Pod is " + string(pod.Status.Phase)}}
}

func ended(observed, format string, args ...any) Worker {
	return Worker{State: WorkerEnded, Exit: Exit{Observed: observed, Detail: fmt.Sprintf(format, args...)}}
}

func stuck(observed, format string, args ...any) Worker {
	return Worker{State: WorkerStuck, Exit: Exit{Observed: observed, Detail: fmt.Sprintf(format, args...)}}
}

// never are the reasons of a container that no time will start.
var never = map[string]bool{"InvalidImageName": true, "ErrImageNeverPull": true}

// images are the reasons of a container that waits for its image.
var images = map[string]bool{"ErrImagePull": true, "ImagePullBackOff": true, "ImageInspectError": true, "RegistryUnavailable": true, "SignatureValidationFailed": true,
	"InvalidImageName": true, "ErrImageNeverPull": true}

// pending says why a Pod has not started, and whether to go on waiting for it.
func (k *Kubernetes) pending(job *batchv1.Job, pod *corev1.Pod, age time.Duration) Worker {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			if k.Now().Before(startBy(job)) {
				return Worker{State: WorkerActive, Exit: Exit{Detail: "its Pod waits for a node: " + c.Message}}
			}
			return stuck("job_failed", "no node took the Pod of the Job %s in %s: %s: %s", job.Name, age.Round(time.Second), c.Reason, clip(c.Message))
		}
	}
	waiting, image := &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}, ""
	for _, c := range pod.Status.ContainerStatuses {
		if c.State.Waiting != nil {
			waiting, image = c.State.Waiting, c.Image
		}
	}
	limit := job.CreationTimestamp.Add(k.Patience)
	if begins(waiting.Reason) {
		limit = startBy(job) // a large image is being pulled, perhaps
	}
	switch {
	case k.Now().Before(limit) && !never[waiting.Reason]:
		return Worker{State: WorkerActive, Exit: Exit{Detail: "its Pod does not run yet: " + waiting.Reason + ": " + clip(waiting.Message)}}
	case images[waiting.Reason]:
		if image == "" && len(pod.Spec.Containers) > 0 {
			image = pod.Spec.Containers[0].Image
		}
		return stuck("image_pull", "the image %q of the Job %s: %s: %s", image, job.Name, waiting.Reason, clip(waiting.Message))
	case waiting.Reason == "CreateContainerConfigError": // the message names the Secret
		return stuck("job_failed", "the Pod of the Job %s lacks what it is configured with, such as a key of the agent's Secret: %s: %s", job.Name, waiting.Reason, clip(waiting.Message))
	}
	return stuck("job_failed", "the Pod of the Job %s has not started in %s: %s: %s", job.Name, age.Round(time.Second), waiting.Reason, clip(cmp.Or(waiting.Message, "a volume may be missing; the events of the Pod say why")))
}

// startBy is until when a Job's Pod may take to be scheduled and to pull its
// image: the attempt's start deadline. A Job that does not say has the default
// of the autonomy config.
func startBy(job *batchv1.Job) time.Time {
	if at, err := time.Parse(time.RFC3339, job.Annotations[annotationStartBy]); err == nil {
		return at
	}
	return job.CreationTimestamp.Add(5 * time.Minute)
}

// disruptions are the reasons of a Pod that the cluster took away.
var disruptions = map[string]bool{"EvictionByEvictionAPI": true, "PreemptionByScheduler": true, "DeletionByTaintManager": true, "TerminationByKubelet": true, "DeletionByPodGC": true}

// failed says why a Job failed, from its Pod where there is still one.
func failed(job *batchv1.Job, c batchv1.JobCondition, pod *corev1.Pod) Worker {
	if c.Reason == batchv1.JobReasonDeadlineExceeded {
		return ended("job_failed", "the Job %s ran into its deadline: %s: %s", job.Name, c.Reason, clip(c.Message))
	}
	if pod == nil {
		return ended("job_failed", "the Job %s failed and its Pod is gone: %s: %s", job.Name, c.Reason, clip(c.Message))
	}
	if pod.Status.Reason == "Evicted" {
		return ended("evicted", "the Pod %s was evicted: %s", pod.Name, clip(pod.Status.Message))
	}
	for _, s := range pod.Status.ContainerStatuses {
		if t := s.State.Terminated; t != nil && t.Reason == "OOMKilled" {
			return ended("oom", "the worker of the Pod %s used more than its memory, %s", pod.Name, pod.Spec.Containers[0].Resources.Limits.Memory())
		}
	}
	for _, d := range pod.Status.Conditions {
		if d.Type == corev1.DisruptionTarget && d.Status == corev1.ConditionTrue && disruptions[d.Reason] {
			return ended("evicted", "the Pod %s was taken away: %s: %s", pod.Name, d.Reason, clip(d.Message))
		}
	}
	for _, s := range pod.Status.ContainerStatuses {
		if t := s.State.Terminated; t != nil {
			return ended("job_failed", "the worker of the Pod %s ended with exit code %d (%s): %s", pod.Name, t.ExitCode, t.Reason, clip(t.Message))
		}
	}
	return ended("job_failed", "the Pod %s failed: %s: %s", pod.Name, cmp.Or(pod.Status.Reason, c.Reason), clip(cmp.Or(pod.Status.Message, c.Message)))
}

// clip keeps the end of a text, where a log says why it ended.
func clip(text string) string {
	const most = 1500
	if len(text) > most {
		return "…" + text[len(text)-most:]
	}
	return text
}
