package e2e_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// S03: the CronJob fires by itself, and a task becomes a pull request that has
// the change.
func TestTheCronJobFiresAndATaskBecomesAPullRequest(t *testing.T) {
	needNode(t)
	t.Parallel()
	w := cluster
	fired := ""
	eventually(t, 3*time.Minute, "a run that the CronJob made is complete", func(ctx context.Context) error {
		jobs, err := w.api.BatchV1().Jobs(namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=leviathan-scheduler"})
		if err != nil {
			return err
		}
		for _, job := range jobs.Items {
			if owner := metav1.GetControllerOf(&job); owner != nil && owner.Kind == "CronJob" && owner.Name == cronJobName && job.Status.Succeeded == 1 {
				fired = job.Name
				return nil
			}
		}
		return fmt.Errorf("there are %d runs", len(jobs.Items))
	})
	t.Log("fired:", fired)
	a := w.awaitAttempt(t, "dev", "witness", 2*time.Minute, "succeeded")
	if a.Pull == 0 {
		t.Fatalf("the attempt has no pull request: %+v", a)
	}
	seen := w.file(t, "dev", fmt.Sprintf("refs/pull/%d/head", a.Pull), "docs/witness.md")
	want := "user 65532\nNoNewPrivs:\t1\nCapEff:\t0000000000000000\nroot read-only\nno cluster token"
	if sorted(seen) != sorted(want) {
		t.Errorf("the worker's container is\n%s\nwant\n%s", seen, want)
	}
	if files := w.changed(t, "dev", a.Pull); files != "docs/witness.md" {
		t.Errorf("the pull request changes %q", files)
	}
	w.awaitJob(t, a.job(), batchv1.JobComplete)
}

// sorted is a text with its lines in order.
func sorted(text string) string {
	return strings.Join(slices.Sorted(strings.SplitSeq(text, "\n")), "\n")
}

// changed are the files that a pull request changes.
func (w *world) changed(t *testing.T, target string, pull int) string {
	t.Helper()
	files, err := w.git(t.Context(), "--git-dir", w.upstream(target), "diff", "--name-only", fmt.Sprintf("main...refs/pull/%d/head", pull))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// S03: two schedulers at once make one Job for each attempt, and one attempt at
// each task.
func TestS03TwoSchedulersAtOnceMakeOneJobForEachAttempt(t *testing.T) {
	needNode(t)
	t.Parallel()
	w := cluster
	var names []string
	for range 2 {
		name, err := w.beginRun(t.Context(), "twins")
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	for _, name := range names {
		w.awaitJob(t, name, batchv1.JobComplete)
	}
	tasks := targets["twins"].tasks
	for _, task := range tasks {
		a := w.awaitAttempt(t, "twins", task, 2*time.Minute, "succeeded")
		w.awaitJob(t, a.job(), batchv1.JobComplete)
		if got := w.file(t, "twins", fmt.Sprintf("refs/pull/%d/head", a.Pull), "docs/note.md"); got != "written" {
			t.Errorf("the pull request of %s has %q", task, got)
		}
	}
	attempts, err := w.attempts(t.Context(), "twins")
	if err != nil {
		t.Fatal(err)
	}
	jobs, err := w.workerJobs(t.Context(), "twins")
	if err != nil {
		t.Fatal(err)
	}
	if len(attempts) != len(tasks) || len(jobs) != len(tasks) {
		t.Fatalf("there are %d attempts and %d Jobs for %d tasks: %+v", len(attempts), len(jobs), len(tasks), attempts)
	}
	for _, a := range attempts {
		job, ok := jobs[a.ID]
		if !ok || job.Name != a.job() || job.Status.Succeeded != 1 || job.Status.Failed != 0 {
			t.Errorf("attempt %s has the Job %q with %d Pods that succeeded and %d that failed", a.ID, job.Name, job.Status.Succeeded, job.Status.Failed)
		}
		secret, err := w.api.CoreV1().Secrets(namespace).Get(t.Context(), a.job(), metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if owner := metav1.GetControllerOf(secret); owner == nil || owner.UID != job.UID {
			t.Errorf("the Secret of attempt %s belongs to %+v, want its Job %s", a.ID, owner, job.UID)
		}
	}
}

// S22: an agent that hangs is ended by its worker, which says so.
func TestS22AHungAgentIsEndedAtItsTimeout(t *testing.T) {
	needNode(t)
	t.Parallel()
	w := cluster
	w.run(t, "hung")
	a := w.awaitAttempt(t, "hung", "hung-agent", 2*time.Minute, "failed")
	if a.Failure != "timeout" {
		t.Errorf("the attempt is %+v, want timeout", a)
	}
	w.awaitJob(t, a.job(), batchv1.JobComplete) // its worker did its work
}

// S22: a worker that hangs itself is ended by the Job's deadline. Nobody but the
// next run of the scheduler can say so.
func TestS22AFrozenWorkerIsEndedByTheDeadlineOfItsJob(t *testing.T) {
	needNode(t)
	t.Parallel()
	w := cluster
	w.run(t, "frozen")
	a := w.awaitAttempt(t, "frozen", "frozen-worker", time.Minute, "running")
	job, err := w.api.BatchV1().Jobs(namespace).Get(t.Context(), a.job(), metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	const config, margin = 300, 900
	if job.Spec.ActiveDeadlineSeconds == nil || *job.Spec.ActiveDeadlineSeconds != config+margin {
		t.Errorf("the Job's deadline is %v, want that of the config with 15 minutes of room", job.Spec.ActiveDeadlineSeconds)
	}
	w.freeze(t, a.job())
	// Nobody waits for twenty minutes here.
	w.patchJob(t, a.job(), `{"spec":{"activeDeadlineSeconds":1}}`)
	ended := w.awaitJob(t, a.job(), batchv1.JobFailed)
	if reason := ended.Status.Conditions[len(ended.Status.Conditions)-1].Reason; reason != batchv1.JobReasonDeadlineExceeded {
		t.Errorf("the Job failed by %s", reason)
	}
	if n := w.node.Signal(a.job()+"-", 0); n != 0 {
		t.Errorf("%d of its processes are there still", n)
	}
	w.run(t, "frozen")
	a = w.awaitAttempt(t, "frozen", "frozen-worker", time.Minute, "failed")
	if a.Failure != "lost" || !strings.Contains(a.Summary, "deadline") {
		t.Errorf("the attempt is %+v, want lost by its Job's deadline", a)
	}
}

// An attempt whose Job somebody deleted is lost, and a Job of an attempt that
// nobody knows is taken away; a Job that only looks like one is left.
func TestOrphansAreFoundBothWays(t *testing.T) {
	needNode(t)
	t.Parallel()
	w := cluster
	w.run(t, "orphans")
	a := w.awaitAttempt(t, "orphans", "deleted", time.Minute, "running")
	w.freeze(t, a.job()) // so that it cannot say itself that it was ended
	jobs := w.api.BatchV1().Jobs(namespace)
	if err := jobs.Delete(t.Context(), a.job(), metav1.DeleteOptions{PropagationPolicy: new(metav1.DeletePropagationBackground), GracePeriodSeconds: new(int64(0))}); err != nil {
		t.Fatal(err)
	}
	const unknown = "01J00000000000000000000000"
	orphan := w.likeWorker(t, "orphans", "leviathan-worker-"+strings.ToLower(unknown), unknown)
	foreign := w.likeWorker(t, "orphans", "somebody-elses", unknown)
	w.run(t, "orphans")
	a = w.awaitAttempt(t, "orphans", "deleted", time.Minute, "failed")
	if a.Failure != "lost" || !strings.Contains(a.Summary, "it was deleted") {
		t.Errorf("the attempt is %+v, want lost with its Job deleted", a)
	}
	eventually(t, time.Minute, "the Job of no attempt is gone", func(ctx context.Context) error {
		job, err := jobs.Get(ctx, orphan, metav1.GetOptions{})
		if err == nil {
			return fmt.Errorf("it is there, with %d Pods", job.Status.Active)
		}
		return gone(err)
	})
	if _, err := jobs.Get(t.Context(), foreign, metav1.GetOptions{}); err != nil {
		t.Errorf("the Job that is not the scheduler's: %v", err)
	}
}
