package scheduler_test

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"leviathan/gateway"
	"leviathan/scheduler"
)

// jobs is where the tests find Jobs without asking for them as the launcher
// does.
var jobs = batchv1.SchemeGroupVersion.WithResource("jobs")

// A yard is a launcher of Jobs with the gateway and the API server that it
// speaks to. As a real one, the API server gives a Job its uid and its time;
// nothing runs in it.
type yard struct {
	*rig
	api *fake.Clientset
	log *counter

	mu   sync.Mutex
	uids int
}

// openYard runs a test with a yard, in a bubble of time.
func openYard(t *testing.T, test func(t *testing.T, y *yard)) {
	t.Helper()
	bubble(t, func(t *testing.T, r *rig) {
		y := &yard{rig: r, api: fake.NewClientset(), log: new(counter)}
		y.api.PrependReactor("create", "jobs", func(a clienttesting.Action) (bool, runtime.Object, error) {
			job := a.(clienttesting.CreateAction).GetObject().(*batchv1.Job)
			y.mu.Lock()
			defer y.mu.Unlock()
			y.uids++
			job.UID, job.CreationTimestamp = types.UID(fmt.Sprintf("uid-%d", y.uids)), metav1.NewTime(time.Now())
			return false, nil, nil
		})
		r.config.Logger, r.config.Launcher = y.log.logger(), y.launcher(t, func(*scheduler.KubernetesConfig) {})
		test(t, y)
	})
}

// launcher is a launcher of its own on the yard's API server.
func (y *yard) launcher(t *testing.T, change func(c *scheduler.KubernetesConfig)) *scheduler.Kubernetes {
	t.Helper()
	c := scheduler.KubernetesConfig{Client: y.api, Namespace: "leviathan", Jobs: jobOptions, Gateway: y.gateway.client, Logger: y.log.logger()}
	change(&c)
	k, err := scheduler.NewKubernetes(c)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// refuse has the API server answer a verb on a resource with an error.
func (y *yard) refuse(verb, resource string, err error) {
	y.api.PrependReactor(verb, resource, func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, err })
}

// once is refuse, for the first time alone.
func (y *yard) once(verb, resource string, err error) {
	var said atomic.Bool
	y.api.PrependReactor(verb, resource, func(clienttesting.Action) (bool, runtime.Object, error) { return !said.Swap(true), nil, err })
}

// job is the Job of an attempt; nil if there is none.
func (y *yard) job(id gateway.AttemptID) *batchv1.Job {
	y.t.Helper()
	object, err := y.api.Tracker().Get(jobs, "leviathan", scheduler.JobName(id))
	if apierrors.IsNotFound(err) {
		return nil
	} else if err != nil {
		y.t.Fatal(err)
	}
	return object.(*batchv1.Job)
}

// put stores a Job as it is now.
func (y *yard) put(job *batchv1.Job) {
	y.t.Helper()
	if err := y.api.Tracker().Update(jobs, job, job.Namespace); err != nil {
		y.t.Fatal(err)
	}
}

// condition gives the Job of an attempt a condition.
func (y *yard) condition(id gateway.AttemptID, kind batchv1.JobConditionType, reason, message string) {
	y.t.Helper()
	job := y.job(id)
	job.Status.Conditions = append(job.Status.Conditions, batchv1.JobCondition{Type: kind, Status: corev1.ConditionTrue, Reason: reason, Message: message})
	y.put(job)
}

// pod gives the Job of an attempt a Pod of that status.
func (y *yard) pod(id gateway.AttemptID, status corev1.PodStatus) {
	y.t.Helper()
	job := y.job(id)
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: job.Name + "-x7k2p", Namespace: job.Namespace, Labels: job.Spec.Template.Labels,
		OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(job, batchv1.SchemeGroupVersion.WithKind("Job"))}}, Spec: job.Spec.Template.Spec, Status: status}
	if err := y.api.Tracker().Add(pod); err != nil {
		y.t.Fatal(err)
	}
}

// reserve has the gateway list reservations.
func (y *yard) reserve(ids ...gateway.AttemptID) {
	y.gateway.say(func(w *wire) { w.cycle = reservingWhole(ids...) })
}

// run is one cycle of a scheduler that knows nothing of earlier ones.
func (y *yard) run() {
	y.t.Helper()
	if _, err := y.cycle(y.t.Context()); err != nil {
		y.t.Fatal(err)
	}
}

// did counts what the API server was asked to do.
func (y *yard) did(verb, resource string) (n int) {
	for _, a := range y.api.Actions() {
		if a.Matches(verb, resource) {
			n++
		}
	}
	return n
}

// deleted are the names of the Jobs that were deleted, each in the foreground
// and by its uid.
func (y *yard) deleted() (names []string) {
	for _, a := range y.api.Actions() {
		if d, ok := a.(clienttesting.DeleteActionImpl); ok && d.Matches("delete", "jobs") {
			o := d.DeleteOptions
			if o.PropagationPolicy == nil || *o.PropagationPolicy != metav1.DeletePropagationForeground || o.Preconditions == nil || o.Preconditions.UID == nil {
				y.t.Errorf("%s was deleted with %+v", d.Name, o)
			}
			names = append(names, d.Name)
		}
	}
	slices.Sort(names)
	return names
}

// onlyItsRights holds what was asked against the scheduler's Role.
func (y *yard) onlyItsRights() {
	y.t.Helper()
	may := map[string][]string{"jobs": {"create", "get", "list", "delete"}, "secrets": {"create"}, "pods": {"list"}}
	for _, a := range y.api.Actions() {
		if !slices.Contains(may[a.GetResource().Resource], a.GetVerb()) || a.GetNamespace() != "leviathan" {
			y.t.Errorf("it asked for %s of %s in %q", a.GetVerb(), a.GetResource().Resource, a.GetNamespace())
		}
	}
}
