package scheduler

import (
	"context"
	"fmt"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"leviathan/gateway"
)

// A jobSeen is a Job that ran when the stop began, or began meanwhile.
type jobSeen struct {
	name        string
	worker      bool              // else it is a scheduler's run
	attempt     gateway.AttemptID // of a worker's; "" where it says none
	ended, gone bool              // as it was seen last
	pods        int32
	deleted     bool  // it was told to end
	whole       bool  // it goes after its Pods, so that what is gone has no Pod
	problem     error // of deleting it
}

func (j *jobSeen) runs() bool { return !j.ended && !j.gone }

// stopped reports whether it was seen to end: a Job that somebody deleted, and
// not in the foreground, may have left its Pods running.
func (j *jobSeen) stopped() bool { return j.ended || j.gone && j.whole }

// lookAtJobs sees the Jobs of workers and of scheduler runs in one list, so
// that no worker is missed that a run makes before it ends.
func (c *clusterStop) lookAtJobs(ctx context.Context) error {
	listed, err := c.listStopJobs(ctx)
	if err != nil {
		return err
	}
	for _, j := range c.jobs {
		j.gone = true
	}
	for i := range listed {
		job := &listed[i]
		j := c.jobs[job.UID]
		if j == nil {
			if jobEnded(job) || !c.concerns(job) {
				continue
			}
			j = &jobSeen{name: job.Name, worker: job.Labels[labelApp] == appWorker}
			if id := gateway.AttemptID(job.Annotations[annotationAttempt]); j.worker && id.Valid() && job.Labels[labelManagedBy] == managedBy {
				j.attempt = id
			}
			c.jobs[job.UID] = j
		}
		j.gone, j.ended = false, jobEnded(job)
		j.pods = job.Status.Active + deref(job.Status.Terminating)
		j.deleted = j.deleted || job.DeletionTimestamp != nil
		j.whole = j.whole || job.DeletionTimestamp != nil && slices.Contains(job.Finalizers, metav1.FinalizerDeleteDependents)
		if c.DeleteJobs && j.runs() && !j.deleted && j.deletable() {
			j.problem = c.deleteJob(ctx, job)
			j.deleted, j.whole = j.problem == nil, j.problem == nil
		}
	}
	return nil
}

func (c *clusterStop) listStopJobs(ctx context.Context) (all []batchv1.Job, err error) {
	for page := ""; ; {
		list, err := c.Cluster.BatchV1().Jobs(c.Namespace).List(ctx, metav1.ListOptions{
			LabelSelector: fmt.Sprintf("%s in (%s,%s)", labelApp, appScheduler, appWorker), Limit: pageSize, Continue: page})
		if err != nil {
			return nil, apiError("listing the Jobs of namespace "+c.Namespace, err)
		}
		all = append(all, list.Items...)
		if page = list.Continue; page == "" {
			return all, nil
		}
	}
}

// jobEnded reports whether a Job has ended and no Pod of it is left running.
func jobEnded(job *batchv1.Job) bool {
	for _, cond := range job.Status.Conditions {
		if cond.Status == corev1.ConditionTrue && (cond.Type == batchv1.JobComplete || cond.Type == batchv1.JobFailed) {
			return job.Status.Active+deref(job.Status.Terminating) == 0
		}
	}
	return false
}

// concerns reports whether a Job is of what is to stop.
func (c *clusterStop) concerns(job *batchv1.Job) bool {
	if job.Labels[labelApp] == appWorker {
		return c.Target == "" || job.Annotations[annotationTarget] == string(c.Target)
	}
	if owner := metav1.GetControllerOf(job); owner != nil && owner.Kind == "CronJob" {
		if cron := c.crons[owner.Name]; cron != nil {
			return true
		}
	}
	// Its CronJob may be gone, or could not be listed.
	return c.CronJob == "" && (c.Target == "" || podTarget(&job.Spec.Template.Spec) == c.Target)
}

// deletable reports whether the Job is one that Leviathan made: any other with
// its label is looked at and left.
func (j *jobSeen) deletable() bool { return !j.worker || j.attempt != "" }

// deleteJob has the API server end a Job, its Pods first.
func (c *clusterStop) deleteJob(ctx context.Context, job *batchv1.Job) error {
	err := c.Cluster.BatchV1().Jobs(c.Namespace).Delete(ctx, job.Name, metav1.DeleteOptions{
		PropagationPolicy: new(metav1.DeletePropagationForeground), Preconditions: &metav1.Preconditions{UID: &job.UID}})
	if err != nil && !apierrors.IsNotFound(err) {
		return apiError("deleting it", err)
	}
	return nil
}

// ended are the attempts of which a Job was seen and none runs. After a look
// that failed there are none.
func (c *clusterStop) ended() map[gateway.AttemptID]bool {
	ended := map[gateway.AttemptID]bool{}
	if c.problem != nil {
		return ended
	}
	for _, j := range c.jobs {
		if j.attempt != "" {
			before, ok := ended[j.attempt]
			ended[j.attempt] = j.stopped() && (before || !ok)
		}
	}
	return ended
}

func (j *jobSeen) finding() Finding {
	f := Finding{What: "job/" + j.name, Outcome: Stopped}
	who := "a scheduler's run"
	if j.worker {
		who = "a worker"
	}
	switch {
	case j.ended:
		f.Detail = who + ": it has ended"
	case j.gone && j.whole:
		f.Detail = who + ": it is gone, and its Pods before it"
	case j.gone:
		f.Outcome, f.Detail = NotSeen, who+": somebody deleted it, and whether its Pods have ended was not seen"
	case j.problem != nil:
		f.Outcome, f.Detail = NotSeen, fmt.Sprintf("%s: it runs, and was not deleted: %v", who, j.problem)
	case j.deleted:
		f.Outcome, f.Detail = NotSeen, fmt.Sprintf("%s: it was told to end and is still there, with %d Pods", who, j.pods)
	case !j.deletable():
		f.Outcome, f.Detail = NotSeen, who+": it runs, and says of no attempt that it is its Job; it was left"
	default:
		f.Outcome, f.Detail = NotSeen, fmt.Sprintf("%s: it still runs, with %d Pods; --delete-jobs ends it", who, j.pods)
	}
	return f
}
