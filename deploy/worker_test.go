package deploy_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/labels"

	"leviathan/gateway"
	"leviathan/scheduler"
)

// worker is the pod of the Job that the launcher makes for an attempt of the
// sample's target, with an agent that asks for a key.
func worker(t *testing.T, c *cluster) pod {
	t.Helper()
	config := configOf(t, c)
	f := topology(t)
	reservation := gateway.Reservation{AttemptID: "01J00000000000000000000000", TaskID: "a-task", AttemptNumber: 1, TimeoutSeconds: config.AttemptTimeoutSeconds,
		Agent: "writer", Worker: gateway.WorkerSpec{Image: config.WorkerImage, Namespace: config.WorkerNamespace, MemoryMB: 2048, EnvFrom: []string{"MODEL_API_KEY"}}}
	job, err := scheduler.WorkerJob(reservation, scheduler.JobOptions{Target: config.TargetID, GatewayURL: f.urlOf("control-plane")})
	if err != nil {
		t.Fatal(err)
	}
	if job.Namespace != namespace || job.Spec.BackoffLimit == nil || *job.Spec.BackoffLimit != 0 || job.Spec.ActiveDeadlineSeconds == nil || job.Spec.TTLSecondsAfterFinished == nil {
		t.Errorf("the Job %s/%s is tried again, never ends, or is never cleaned up", job.Namespace, job.Name)
	}
	return pod{"Job", job.Spec.Template}
}

// What the launcher makes is what the manifests expect: their network policies
// and budget find it, their quota has room for it, and it holds what the
// topology says.
func TestTheLaunchersJobIsTheTopologysWorker(t *testing.T) {
	f := topology(t)
	want := f.Components["worker"]
	each(t, func(t *testing.T, c *cluster) {
		p := worker(t, c)
		s, k := p.spec(), p.container()
		if f.component(p.template.Labels) != "worker" || p.owner != want.Workload || k.Name != want.Container || k.Args[0] != want.Command || s.ServiceAccountName != want.ServiceAccount {
			t.Errorf("labels %v, container %s, command %s, service account %s; want %+v", p.template.Labels, k.Name, k.Args[0], s.ServiceAccountName, want)
		}
		if !is(s.AutomountServiceAccountToken, want.KubernetesAPI) {
			t.Error("it gets a token of the Kubernetes API")
		}
		if got := flags(k.Args)["--gateway"]; !slices.Equal(got, []string{f.urlOf("control-plane")}) {
			t.Errorf("it looks for the gateway at %q", got)
		}
		budget := named[*policyv1.PodDisruptionBudget](t, c, "leviathan-worker").Spec
		if !labels.SelectorFromSet(budget.Selector.MatchLabels).Matches(labels.Set(p.template.Labels)) {
			t.Error("a drain does not wait for it")
		}
		quota := named[*corev1.ResourceQuota](t, c, "leviathan").Spec.Hard
		for _, r := range []struct {
			of   corev1.ResourceList
			name corev1.ResourceName
			hard corev1.ResourceName
		}{{k.Resources.Requests, "cpu", "requests.cpu"}, {k.Resources.Requests, "memory", "requests.memory"}, {k.Resources.Limits, "memory", "limits.memory"}} {
			one, all := r.of[r.name], quota[r.hard]
			if one.IsZero() || one.MilliValue()*10 > all.MilliValue() {
				t.Errorf("fewer than ten workers of %s have room in %s %s", one.String(), r.hard, all.String())
			}
		}
		var secrets []string
		for _, v := range s.Volumes {
			if v.Secret != nil {
				secrets = append(secrets, "file")
			}
		}
		for _, e := range k.Env {
			if e.ValueFrom == nil || e.ValueFrom.SecretKeyRef == nil || e.ValueFrom.SecretKeyRef.Name != "leviathan-agent-writer" || e.ValueFrom.SecretKeyRef.Key != e.Name {
				t.Errorf("%s is no key of the agent's Secret", e.Name)
			}
			secrets = append(secrets, "env")
		}
		var held []string
		for _, credential := range f.Credentials {
			if slices.Contains(credential.HeldBy, "worker") {
				held = append(held, credential.As)
			}
		}
		slices.Sort(held)
		slices.Sort(secrets)
		if diff := cmp.Diff(held, secrets); diff != "" {
			t.Errorf("credentials (-topology +launcher):\n%s", diff)
		}
	})
}
