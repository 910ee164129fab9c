package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"leviathan/deploy/e2e"
)

// beginRun makes a run of the scheduler for a target, as `kubectl create job
// --from=cronjob/leviathan-dev-scheduler` does, with the target's name and more
// args.
func (w *world) beginRun(ctx context.Context, target string, args ...string) (name string, err error) {
	template, err := w.runTemplate(ctx, target)
	if err != nil {
		return "", err
	}
	c := &template.Spec.Template.Spec.Containers[0]
	c.Args = append(c.Args, args...)
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: w.runName(target), Labels: template.Labels}, Spec: template.Spec}
	_, err = w.api.BatchV1().Jobs(namespace).Create(ctx, job, metav1.CreateOptions{})
	return job.Name, err
}

func (w *world) runName(target string) string {
	w.runs.Lock()
	defer w.runs.Unlock()
	w.n++
	return fmt.Sprintf("run-%s-%d", target, w.n)
}

// runTemplate is the CronJob's own, for another target.
func (w *world) runTemplate(ctx context.Context, target string) (batchv1.JobTemplateSpec, error) {
	cron, err := w.api.BatchV1().CronJobs(namespace).Get(ctx, cronJobName, metav1.GetOptions{})
	if err != nil {
		return batchv1.JobTemplateSpec{}, err
	}
	args := cron.Spec.JobTemplate.Spec.Template.Spec.Containers[0].Args
	i := slices.Index(args, "--target=dev")
	if i < 0 {
		return batchv1.JobTemplateSpec{}, fmt.Errorf("the CronJob's args %q have no --target=dev", args)
	}
	args[i] = "--target=" + target
	return cron.Spec.JobTemplate, nil
}

// A cycle is what a run of the scheduler prints.
type cycle struct {
	Outcome  string `json:"outcome"`
	Off      bool   `json:"off"`
	Reserved int    `json:"reserved"`
}

// run runs the scheduler once for a target, and fails unless it ends well.
func (w *world) run(t *testing.T, target string, args ...string) cycle {
	t.Helper()
	name, err := w.beginRun(t.Context(), target, args...)
	if err != nil {
		t.Fatal(err)
	}
	w.awaitJob(t, name, batchv1.JobComplete)
	return w.cycleOf(t, name)
}

func (w *world) cycleOf(t *testing.T, run string) cycle {
	t.Helper()
	log := w.node.Logs(run + "-")
	for _, line := range slices.Backward(strings.Split(log, "\n")) {
		var c cycle
		if strings.HasPrefix(line, "{") && json.Unmarshal([]byte(line), &c) == nil && c.Outcome != "" {
			return c
		}
	}
	t.Fatalf("the run %s printed no cycle:\n%s", run, log)
	return cycle{}
}

// awaitJob waits until a Job has ended as expected.
func (w *world) awaitJob(t *testing.T, name string, want batchv1.JobConditionType) (job *batchv1.Job) {
	t.Helper()
	eventually(t, 3*time.Minute, fmt.Sprintf("the Job %s is %s", name, want), func(ctx context.Context) (err error) {
		if job, err = w.api.BatchV1().Jobs(namespace).Get(ctx, name, metav1.GetOptions{}); err != nil {
			return err
		}
		for _, c := range job.Status.Conditions {
			if c.Status != corev1.ConditionTrue || c.Type != batchv1.JobComplete && c.Type != batchv1.JobFailed {
				continue
			}
			if c.Type != want {
				t.Fatalf("the Job %s is %s: %s: %s\n%s", name, c.Type, c.Reason, c.Message, w.node.Logs(name+"-"))
			}
			return nil
		}
		return fmt.Errorf("%d of its Pods are active", job.Status.Active)
	})
	return job
}

// workerJobs are the Jobs of a target's attempts, by attempt.
func (w *world) workerJobs(ctx context.Context, target string) (map[string]batchv1.Job, error) {
	list, err := w.api.BatchV1().Jobs(namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=leviathan-worker"})
	if err != nil {
		return nil, err
	}
	found := map[string]batchv1.Job{}
	for _, job := range list.Items {
		if job.Annotations["leviathan.dev/target"] == target {
			found[job.Annotations["leviathan.dev/attempt-id"]] = job
		}
	}
	return found, nil
}

// podOf is the Pod of a Job.
func (w *world) podOf(t *testing.T, job string) corev1.Pod {
	t.Helper()
	list, err := w.api.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "job-name=" + job})
	if err != nil {
		t.Fatal(err)
	}
	if len(list.Items) != 1 {
		t.Fatalf("the Job %s has %d Pods", job, len(list.Items))
	}
	return list.Items[0]
}

// letGo ends the wait of the agent that waits.
func (w *world) letGo(t *testing.T, a attempt) {
	t.Helper()
	pod := w.podOf(t, a.job())
	if err := os.WriteFile(filepath.Join(w.node.Volume(pod.UID, "workspace"), "go"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
}

// file is a file of a target's repository at a ref.
func (w *world) file(t *testing.T, target, ref, name string) string {
	t.Helper()
	text, err := w.git(t.Context(), "--git-dir", w.upstream(target), "show", ref+":"+name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// beginPatient begins what the scheduler is patient with, for two minutes, so
// that nobody waits for it alone.
func (w *world) beginPatient(ctx context.Context) error {
	for _, target := range []string{"keyless", "imageless"} {
		if _, err := w.beginRun(ctx, target); err != nil {
			return err
		}
		err := e2e.Eventually(ctx, time.Minute, target+" has a worker's Job", func(ctx context.Context) error {
			jobs, err := w.workerJobs(ctx, target)
			if err == nil && len(jobs) != 1 {
				err = fmt.Errorf("it has %d; %s", len(jobs), w.node.Logs("run-"+target))
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// events are the types and payloads of what the journal says of an attempt.
func (w *world) events(t *testing.T, a attempt) string {
	t.Helper()
	var detail struct {
		Events []struct {
			Type    string          `json:"event_type"`
			Origin  string          `json:"origin"`
			Payload json.RawMessage `json:"payload"`
		} `json:"events"`
	}
	if err := w.call(t.Context(), "GET", "/v1/attempts/"+a.ID, nil, &detail); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, e := range detail.Events {
		fmt.Fprintf(&b, "%s %s %s\n", e.Origin, e.Type, e.Payload)
	}
	return b.String()
}
