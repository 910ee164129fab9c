package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// S09: an edit of the ConfigMap switches a target off at once, long before a
// kubelet shows it in the mounted file: what runs is stopped, and nothing new is
// started.
func TestS09TheKillSwitchActsBeforeTheMountedFileFollows(t *testing.T) {
	needNode(t)
	t.Parallel()
	w := cluster
	w.run(t, "switched")
	a := w.awaitAttempt(t, "switched", "runs", time.Minute, "running")
	w.node.SetLag(time.Hour)
	t.Cleanup(func() { w.node.SetLag(0) })
	w.setConfig(t, "switched", strings.Replace(configOf("switched"), "autonomy_enabled: true", "autonomy_enabled: false", 1))
	edited := time.Now()
	var seen targetStatus
	eventually(t, time.Minute, "the target is off", func(ctx context.Context) error {
		s, err := w.status(ctx)
		if seen = s.target("switched"); err == nil && (seen.Effective || len(seen.Reasons) == 0) {
			err = fmt.Errorf("it is %+v", seen)
		}
		return err
	})
	t.Logf("off %.1f s after the edit: %+v", time.Since(edited).Seconds(), seen.Reasons)
	if file := w.mounted(t, "switched.yaml"); !strings.Contains(file, "autonomy_enabled: true") {
		t.Fatalf("the mounted file has followed, so nothing is shown here:\n%s", file)
	}
	w.awaitAttempt(t, "switched", "runs", time.Minute, "cancelled")
	t.Logf("the worker had stopped %.1f s after the edit", time.Since(edited).Seconds())
	w.awaitJob(t, a.job(), batchv1.JobComplete)
	if c := w.run(t, "switched"); !c.Off || c.Reserved != 0 {
		t.Errorf("the next cycle is %+v, want one that is off", c)
	}
	jobs, err := w.workerJobs(t.Context(), "switched")
	if err != nil {
		t.Fatal(err)
	}
	if len(jobs) != 1 {
		t.Errorf("there are %d Jobs, want the one from before", len(jobs))
	}
	w.setConfig(t, "switched", configOf("switched"))
	eventually(t, time.Minute, "the target is on again", func(ctx context.Context) error {
		s, err := w.status(ctx)
		if seen = s.target("switched"); err == nil && !seen.Effective {
			err = fmt.Errorf("it is %+v", seen)
		}
		return err
	})
	if c := w.run(t, "switched"); c.Off || c.Reserved != 1 {
		t.Errorf("the cycle after that is %+v, want one attempt", c)
	}
}

// setConfig edits one key of the ConfigMap.
func (w *world) setConfig(t *testing.T, target, text string) {
	t.Helper()
	patch, err := json.Marshal(map[string]any{"data": map[string]string{target + ".yaml": text}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.api.CoreV1().ConfigMaps(namespace).Patch(t.Context(), configMapName, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
}

// mounted is a file of the ConfigMap as the gateway's Pod has it.
func (w *world) mounted(t *testing.T, name string) string {
	t.Helper()
	pods, err := w.api.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "app=leviathan-control-plane"})
	if err != nil {
		t.Fatal(err)
	}
	for _, pod := range pods.Items {
		if text, err := os.ReadFile(filepath.Join(w.node.Volume(pod.UID, "autonomy"), name)); err == nil {
			return string(text)
		}
	}
	t.Fatalf("none of %d Pods has %s", len(pods.Items), name)
	return ""
}

// S11: `leviathan stop` with a cluster: everything of the target is seen to
// stop, the Jobs are gone, the CronJob begins no run; `leviathan resume` undoes
// it.
func TestS11StopEndsEverythingOfATargetAndResumeUndoesIt(t *testing.T) {
	needNode(t)
	w := cluster
	if err := w.commit(t.Context(), "dev", append(targets["dev"].tasks, "stopped=waiter")); err != nil {
		t.Fatal(err)
	}
	w.run(t, "dev")
	// What the CronJob began is over, Job and all, so that one attempt alone is stopped.
	w.awaitJob(t, w.awaitAttempt(t, "dev", "witness", 2*time.Minute, "succeeded").job(), batchv1.JobComplete)
	a := w.awaitAttempt(t, "dev", "stopped", 2*time.Minute, "running")
	other := w.begin(t, "switched", "runs")
	said, code := w.leviathan(t, "stop", "--target", "dev", "--reason", "the end-to-end tests", "--delete-jobs", "--kubeconfig", w.kubeconfig)
	t.Logf("exit %d:\n%s", code, said)
	if code != 0 {
		t.Fatalf("stop ends with %d", code)
	}
	for _, want := range []string{"stopped  halt", "stopped  attempt/" + a.ID, "stopped  cronjob/" + cronJobName, "stopped  job/" + a.job(), "everything was seen to stop", "leviathan resume"} {
		if !strings.Contains(said, want) {
			t.Errorf("it does not say %q", want)
		}
	}
	if suspended := w.cronJob(t).Spec.Suspend; suspended == nil || !*suspended {
		t.Error("the CronJob is not suspended")
	}
	jobs, err := w.workerJobs(t.Context(), "dev")
	if err != nil {
		t.Fatal(err)
	}
	for id, job := range jobs {
		if job.Status.Active > 0 || id == a.ID {
			t.Errorf("the Job %s is there, with %d Pods", job.Name, job.Status.Active)
		}
	}
	w.awaitAttempt(t, "dev", "stopped", time.Second, "cancelled")
	w.awaitAttempt(t, "switched", other.Task, time.Second, "running")
	if c := w.run(t, "dev"); !c.Off || c.Reserved != 0 {
		t.Errorf("a cycle of the halted target is %+v", c)
	}
	w.resume(t)
	w.run(t, "dev")
	a = w.awaitAttempt(t, "dev", "stopped", 2*time.Minute, "running")
	w.letGo(t, a)
	w.awaitAttempt(t, "dev", "stopped", 2*time.Minute, "succeeded")
}

// resume undoes a stop of dev, and looks whether it is.
func (w *world) resume(t *testing.T) {
	t.Helper()
	said, code := w.leviathan(t, "resume", "--target", "dev", "--reason", "the tests go on", "--kubeconfig", w.kubeconfig)
	t.Logf("exit %d:\n%s", code, said)
	if code != 0 || !strings.Contains(said, "resumed  cronjob/"+cronJobName) {
		t.Fatalf("resume ends with %d", code)
	}
	if suspended := w.cronJob(t).Spec.Suspend; suspended != nil && *suspended {
		t.Error("the CronJob is suspended still")
	}
	s, err := w.status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if halt := s.target("dev").Halt; halt != nil {
		t.Errorf("the halt is there still: %+v", halt)
	}
}

func (w *world) cronJob(t *testing.T) *batchv1.CronJob {
	t.Helper()
	cron, err := w.api.BatchV1().CronJobs(namespace).Get(t.Context(), cronJobName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return cron
}
