package e2e_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// patience is more than the scheduler has with a Pod that lacks something.
const patience = 2*time.Minute + 2*time.Second

// An agent whose keys nobody has made, and an image that cannot be pulled, end
// their attempts, which say what was missing.
func TestWhatAWorkerLacksIsNamedInItsAttempt(t *testing.T) {
	needNode(t)
	t.Parallel()
	for target, want := range map[string]struct {
		task, failure string
		words         []string
	}{
		"keyless":   {"no-key", "launch", []string{"CreateContainerConfigError", "leviathan-agent-keyed"}},
		"imageless": {"no-image", "launch", []string{"ImagePullBackOff", "leviathan-worker:never-made"}},
	} {
		t.Run(target, func(t *testing.T) {
			t.Parallel()
			w := cluster
			a := w.awaitAttempt(t, target, want.task, time.Minute, "reserved", "failed")
			eventually(t, 2*patience, "the scheduler's patience with "+a.job()+" is over", func(ctx context.Context) error {
				job, err := w.api.BatchV1().Jobs(namespace).Get(ctx, a.job(), metav1.GetOptions{})
				if err != nil {
					return err
				}
				if age := time.Since(job.CreationTimestamp.Time); age < patience {
					return fmt.Errorf("it is %s old", age)
				}
				return nil
			})
			w.run(t, target)
			a = w.awaitAttempt(t, target, want.task, time.Minute, "failed")
			said := w.events(t, a)
			if a.Failure != want.failure {
				t.Errorf("the attempt is %+v, want %s", a, want.failure)
			}
			for _, word := range want.words {
				if !strings.Contains(a.Summary, word) || !strings.Contains(said, word) {
					t.Errorf("%q is not named: %q\n%s", word, a.Summary, said)
				}
			}
			eventually(t, time.Minute, "its Job is gone", func(ctx context.Context) error {
				_, err := w.api.BatchV1().Jobs(namespace).Get(ctx, a.job(), metav1.GetOptions{})
				if err == nil {
					return fmt.Errorf("%s is there", a.job())
				}
				return gone(err)
			})
		})
	}
}

// A worker that asks for more than any node has ends its attempt at the start
// deadline, with the words of Kubernetes' scheduler; until then the status has
// them.
func TestAPodThatFindsNoNodeIsNamedInItsAttempt(t *testing.T) {
	needNode(t)
	t.Parallel()
	w := cluster
	const much = 10 // processors: within the namespace's quota, with all the others
	nodes, err := w.api.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, node := range nodes.Items {
		if node.Status.Allocatable.Cpu().CmpInt64(much) >= 0 {
			t.Skipf("the node %s has %s processors, and room for a worker that asks for %d", node.Name, node.Status.Allocatable.Cpu(), much)
		}
	}
	large := fmt.Sprintf("--worker-cpu=%d", much)
	w.run(t, "homeless", large)
	a := w.awaitAttempt(t, "homeless", "no-node", time.Minute, "reserved")
	eventually(t, 30*time.Second, "the worker's Pod finds no node", func(ctx context.Context) error {
		list, err := w.api.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: "job-name=" + a.job()})
		if err != nil {
			return err
		}
		for _, pod := range list.Items {
			for _, c := range pod.Status.Conditions {
				if c.Type == corev1.PodScheduled && c.Reason == corev1.PodReasonUnschedulable {
					return nil
				}
			}
		}
		return fmt.Errorf("none of %d Pods says so", len(list.Items))
	})
	w.run(t, "homeless", large) // it sees why, and tells the gateway
	said := w.events(t, a)
	for _, words := range []string{"job.waiting", "Unschedulable", "Insufficient cpu"} {
		if !strings.Contains(said, words) {
			t.Errorf("%q is not among the attempt's events:\n%s", words, said)
		}
	}
	s, err := w.status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if p := s.target("homeless").Launch; p == nil || p.ID != a.ID || !strings.Contains(p.Message, "Insufficient cpu") {
		t.Errorf("the status says %+v of the launch", p)
	}
	a = w.awaitAttempt(t, "homeless", "no-node", 2*time.Minute, "expired")
	if !strings.Contains(a.Summary, "Unschedulable: 0/1 nodes are available: 1 Insufficient cpu") {
		t.Errorf("it expired with %q", a.Summary)
	}
}

// A Job that an admission policy refuses ends its attempt, with the policy's
// word.
func TestARefusalByAdmissionIsNamedInTheAttempt(t *testing.T) {
	needNode(t)
	t.Parallel()
	w := cluster
	name := "no-worker-of-the-target-refused"
	all := admissionv1.NamespacedScope
	_, err := w.api.AdmissionregistrationV1().ValidatingAdmissionPolicies().Create(t.Context(), &admissionv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{{RuleWithOperations: admissionv1.RuleWithOperations{
				Operations: []admissionv1.OperationType{admissionv1.Create}, Rule: admissionv1.Rule{APIGroups: []string{"batch"}, APIVersions: []string{"v1"}, Resources: []string{"jobs"}, Scope: &all}}}}},
			Validations: []admissionv1.Validation{{Expression: "object.metadata.?annotations['leviathan.dev/target'].orValue('') != 'refused'", Message: "this cluster runs no worker of that target"}},
		}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.api.AdmissionregistrationV1().ValidatingAdmissionPolicyBindings().Create(t.Context(), &admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{PolicyName: name, ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny}}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w.awaitRefusal(t, "this cluster runs no worker")
	w.run(t, "refused")
	w.named(t, "refused", "refused-by-policy", "admission_denied", "this cluster runs no worker of that target")
}

// A namespace that has no room for a Job ends the attempt, by name.
func TestAFullQuotaIsNamedInTheAttempt(t *testing.T) {
	needNode(t)
	w := cluster
	quotas := w.api.CoreV1().ResourceQuotas(namespace)
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "no-jobs"}, Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{"count/jobs.batch": resource.MustParse("0")}}}
	if _, err := quotas.Create(t.Context(), quota, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	lift := func() {
		if err := gone(quotas.Delete(context.WithoutCancel(t.Context()), quota.Name, metav1.DeleteOptions{})); err != nil {
			t.Error(err)
		}
	}
	defer lift()
	w.awaitRefusal(t, "exceeded quota")
	// The scheduler's own run is no Job this time, for which there is no room either.
	template, err := w.runTemplate(t.Context(), "full")
	if err != nil {
		t.Fatal(err)
	}
	pods := w.api.CoreV1().Pods(namespace)
	run, err := pods.Create(t.Context(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: w.runName("full")}, Spec: template.Spec.Template.Spec}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, "the run has ended", func(ctx context.Context) error {
		pod, err := pods.Get(ctx, run.Name, metav1.GetOptions{})
		if err == nil && pod.Status.Phase != corev1.PodSucceeded {
			err = fmt.Errorf("it is %s:\n%s", pod.Status.Phase, w.node.Logs(run.Name))
		}
		return err
	})
	w.named(t, "full", "over-quota", "quota_exceeded", "count/jobs.batch")
	lift()
	eventually(t, time.Minute, "there is room for Jobs again", func(ctx context.Context) error { return w.tryJob(ctx) })
}

// named looks whether the attempt at a task failed, with these words.
func (w *world) named(t *testing.T, target, task string, words ...string) {
	t.Helper()
	a := w.awaitAttempt(t, target, task, time.Minute, "failed")
	said := w.events(t, a)
	for _, word := range words {
		if !strings.Contains(a.Summary, word) || !strings.Contains(said, word) {
			t.Errorf("%q is not named: %+v\n%s", word, a, said)
		}
	}
	s, err := w.status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if p := s.target(target).Launch; p == nil || p.ID != a.ID || !strings.Contains(p.Message, words[0]) {
		t.Errorf("the status says %+v of the launch, want %s", p, words[0])
	}
}

// awaitRefusal waits until the API refuses a worker's Job with these words.
func (w *world) awaitRefusal(t *testing.T, words string) {
	t.Helper()
	eventually(t, time.Minute, "a Job is refused", func(ctx context.Context) error {
		err := w.tryJob(ctx)
		if err != nil && strings.Contains(err.Error(), words) {
			return nil
		}
		return fmt.Errorf("the answer is %v", err)
	})
}

// tryJob asks for a Job that says to be of the target refused, and makes none.
func (w *world) tryJob(ctx context.Context) error {
	_, err := w.api.BatchV1().Jobs(namespace).Create(ctx, &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "tried", Annotations: map[string]string{"leviathan.dev/target": "refused"}},
		Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: restrictedPod("worker", workerImage, "true")}}}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	return err
}
