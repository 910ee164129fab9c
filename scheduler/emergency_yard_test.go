package scheduler_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"leviathan/gateway"
	"leviathan/scheduler"
)

// A run is an attempt as the desk's journal has it.
type run struct {
	target  gateway.TargetID
	state   gateway.AttemptState
	started bool
	by      string // who said that it ended
	obeys   time.Duration
}

// A desk is a gateway as far as an emergency stop asks one: a latch, and
// attempts whose workers end when they obey the halt.
type desk struct {
	t *testing.T

	mu       sync.Mutex
	down     bool
	forgets  bool // the halt is taken on and not shown
	listFail bool
	halted   map[gateway.TargetID]gateway.Time // "" is all
	runs     map[gateway.AttemptID]*run
	cancels  []gateway.AttemptID
}

// open serves the desk in the memory of a bubble.
func (d *desk) open() *gateway.Client {
	d.t.Helper()
	listener := newPipeListener()
	server := httptest.NewUnstartedServer(d)
	if err := server.Listener.Close(); err != nil {
		d.t.Fatal(err)
	}
	server.Listener = listener
	server.Start()
	transport := &http.Transport{DialContext: listener.dial}
	d.t.Cleanup(func() {
		transport.CloseIdleConnections()
		server.Close()
	})
	client, err := gateway.NewClient(server.URL, "lev_operator_test", gateway.ClientOptions{HTTPClient: &http.Client{Transport: transport}, MaxTries: 1})
	if err != nil {
		d.t.Fatal(err)
	}
	return client
}

func (d *desk) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	out.Header().Set("Content-Type", "application/json")
	answer, status := any(map[string]string{}), http.StatusOK
	route, rest, _ := strings.Cut(r.Method+" "+r.URL.Path, "/attempts/")
	id, verb, _ := strings.Cut(rest, "/")
	switch {
	case d.down:
		status = http.StatusServiceUnavailable
	case route == "POST /v1/autonomy/halt":
		var req gateway.ReasonRequest
		if err := json.NewDecoder(r.Body).Decode(&req); err != nil || req.Reason != "look into it" {
			d.t.Errorf("a halt: %v, for %q", err, req.Reason)
		}
		d.halt(req.Target)
	case route == "GET /v1/autonomy/status":
		answer = d.status()
	case route == "GET /v1/attempts" && d.listFail:
		status = http.StatusServiceUnavailable
	case route == "GET /v1/attempts":
		answer = d.list(gateway.TargetID(r.URL.Query().Get("target")), r.URL.Query().Get("page_token"))
	case route == "GET /v1" && d.runs[gateway.AttemptID(id)] != nil:
		answer = d.detail(gateway.AttemptID(id))
	case route == "POST /v1" && verb == "cancel":
		d.cancels = append(d.cancels, gateway.AttemptID(id))
		if a := d.runs[gateway.AttemptID(id)]; a.state.Live() {
			a.state, a.by = gateway.Cancelled, "operator"
		} else {
			status = http.StatusConflict
		}
	default:
		d.t.Errorf("no such route: %s %s", r.Method, r.URL)
		status = http.StatusNotFound
	}
	if status != http.StatusOK {
		answer = map[string]any{"title": "no", "status": status, "detail": "the desk says no"}
	}
	out.WriteHeader(status)
	if err := json.NewEncoder(out).Encode(answer); err != nil {
		d.t.Errorf("answering %s: %v", route, err)
	}
}

// halt latches, and has the workers end that obey.
func (d *desk) halt(target *gateway.TargetID) {
	of := gateway.TargetID("")
	if target != nil {
		of = *target
	}
	d.halted[of] = gateway.At(time.Now())
	for id, a := range d.runs {
		if a.obeys > 0 && (of == "" || a.target == of) {
			time.AfterFunc(a.obeys, func() {
				d.mu.Lock()
				defer d.mu.Unlock()
				if a.state.Live() {
					a.state, a.by = gateway.Cancelled, string(id)
				}
			})
		}
	}
}

func (d *desk) status() gateway.Status {
	var s gateway.Status
	for _, target := range []gateway.TargetID{"demo", "other"} {
		t := gateway.TargetStatus{Target: target}
		if at, ok := d.halted[target]; ok && !d.forgets {
			t.Halt = &gateway.Halt{Reason: "look into it", At: at, By: "operator"}
		}
		s.Targets = append(s.Targets, t)
	}
	if at, ok := d.halted[""]; ok && !d.forgets {
		s.HaltedAll = &gateway.Halt{Reason: "look into it", At: at, By: "operator"}
	}
	return s
}

// list is one live attempt a page.
func (d *desk) list(target gateway.TargetID, token string) gateway.AttemptList {
	var live []gateway.AttemptItem
	for id, a := range d.runs {
		if a.state.Live() && (target == "" || a.target == target) {
			item := gateway.AttemptItem{AttemptID: id, TaskID: "guide", Target: a.target, State: a.state}
			if a.started {
				item.StartedAt = gateway.At(time.Now())
			}
			live = append(live, item)
		}
	}
	slices.SortFunc(live, func(a, b gateway.AttemptItem) int { return strings.Compare(string(a.AttemptID), string(b.AttemptID)) })
	live = slices.DeleteFunc(live, func(a gateway.AttemptItem) bool { return string(a.AttemptID) < token })
	if len(live) < 2 {
		return gateway.AttemptList{Attempts: live}
	}
	return gateway.AttemptList{Attempts: live[:1], NextPageToken: string(live[1].AttemptID)}
}

// detail has, before the end that the journal vouches for, one that somebody
// claimed.
func (d *desk) detail(id gateway.AttemptID) gateway.AttemptDetail {
	a := d.runs[id]
	return gateway.AttemptDetail{Events: []gateway.Event{
		{EventType: gateway.EventAttemptStarted, ActorID: string(id), Origin: "gateway"},
		{EventType: "attempt." + string(a.state), ActorID: a.by, Origin: "gateway"},
		{EventType: gateway.EventAttemptSucceeded, ActorID: string(id), Origin: "external"},
	}}
}

// An alarm is an emergency stop with the gateway and the API server that it
// asks, in a bubble of time.
type alarm struct {
	t      *testing.T
	desk   *desk
	api    *fake.Clientset
	config scheduler.EmergencyConfig
	uids   int
}

// ring runs a test with an alarm about target demo.
func ring(t *testing.T, test func(t *testing.T, a *alarm)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		a := &alarm{t: t, api: fake.NewClientset()}
		a.desk = &desk{t: t, halted: map[gateway.TargetID]gateway.Time{}, runs: map[gateway.AttemptID]*run{}}
		a.config = scheduler.EmergencyConfig{Gateway: a.desk.open(), Cluster: a.api, Namespace: "leviathan", Target: "demo", Reason: "look into it",
			Cancel: true, Grace: 30 * time.Second, Wait: 2 * time.Minute}
		a.api.PrependReactor("delete", "jobs", a.delete)
		test(t, a)
	})
}

// delete is a delete in the foreground as an API server does it: the Job stays
// until its Pods are gone, which takes five seconds. One with the finalizer
// test/held never goes.
func (a *alarm) delete(action clienttesting.Action) (bool, runtime.Object, error) {
	d := action.(clienttesting.DeleteActionImpl)
	if p := d.DeleteOptions.PropagationPolicy; p == nil || *p != metav1.DeletePropagationForeground || d.DeleteOptions.Preconditions.UID == nil {
		a.t.Errorf("the Job %s is deleted with %v", d.Name, d.DeleteOptions)
	}
	job := a.job(d.Name)
	job.DeletionTimestamp = new(metav1.NewTime(time.Now()))
	job.Finalizers = append(job.Finalizers, metav1.FinalizerDeleteDependents)
	a.update(job)
	if !slices.Contains(job.Finalizers, "test/held") {
		time.AfterFunc(5*time.Second, func() { a.remove(job.Name) })
	}
	return true, nil, nil
}

var jobKind = batchv1.SchemeGroupVersion.WithResource("jobs")

func (a *alarm) job(name string) *batchv1.Job {
	a.t.Helper()
	o, err := a.api.Tracker().Get(jobKind, "leviathan", name)
	if err != nil {
		a.t.Fatal(err)
	}
	return o.(*batchv1.Job).DeepCopy()
}

func (a *alarm) update(job *batchv1.Job) {
	a.t.Helper()
	if err := a.api.Tracker().Update(jobKind, job, "leviathan"); err != nil {
		a.t.Error(err)
	}
}

func (a *alarm) remove(name string) {
	if err := a.api.Tracker().Delete(jobKind, "leviathan", name); err != nil {
		a.t.Error(err)
	}
}

// end has a Job complete after d.
func (a *alarm) end(name string, d time.Duration) {
	time.AfterFunc(d, func() {
		job := a.job(name)
		job.Status = batchv1.JobStatus{Conditions: []batchv1.JobCondition{{Type: batchv1.JobComplete, Status: corev1.ConditionTrue}}}
		a.update(job)
	})
}

// cron adds the CronJob of a target, as the manifests have it.
func (a *alarm) cron(name string, target gateway.TargetID, change func(c *batchv1.CronJob)) {
	a.t.Helper()
	c := &batchv1.CronJob{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "leviathan", Labels: map[string]string{"app": "leviathan-scheduler"}}}
	c.Spec.JobTemplate.Spec.Template.Spec.Containers = []corev1.Container{{Command: []string{"leviathan"}, Args: []string{"scheduler", "--once"}}}
	if target != "" {
		args := &c.Spec.JobTemplate.Spec.Template.Spec.Containers[0].Args
		*args = append(*args, "--target="+string(target))
	}
	if change != nil {
		change(c)
	}
	if err := a.api.Tracker().Add(c); err != nil {
		a.t.Fatal(err)
	}
}

// add adds a Job that runs.
func (a *alarm) add(name string, change func(j *batchv1.Job)) {
	a.t.Helper()
	a.uids++
	j := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "leviathan", UID: types.UID(fmt.Sprint("uid-", a.uids))}, Status: batchv1.JobStatus{Active: 1}}
	change(j)
	if err := a.api.Tracker().Add(j); err != nil {
		a.t.Fatal(err)
	}
}

// worker adds the Job of an attempt.
func (a *alarm) worker(id gateway.AttemptID, target gateway.TargetID) {
	a.t.Helper()
	a.add(scheduler.JobName(id), func(j *batchv1.Job) {
		j.Labels = map[string]string{"app": "leviathan-worker", "app.kubernetes.io/managed-by": "leviathan-scheduler"}
		j.Annotations = map[string]string{"leviathan.dev/attempt-id": string(id), "leviathan.dev/target": string(target)}
	})
}

// runOf adds a run of a CronJob.
func (a *alarm) runOf(name, cron string) {
	a.t.Helper()
	a.add(name, func(j *batchv1.Job) {
		j.Labels = map[string]string{"app": "leviathan-scheduler"}
		j.OwnerReferences = []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "CronJob", Name: cron, Controller: new(true)}}
	})
}

// emergency is the stop of the config.
func (a *alarm) emergency() *scheduler.Emergency {
	a.t.Helper()
	e, err := scheduler.NewEmergency(a.config)
	if err != nil {
		a.t.Fatal(err)
	}
	return e
}

// suspended says whether a CronJob is suspended, and by whom.
func (a *alarm) suspended(name string) (bool, string) {
	a.t.Helper()
	c, err := a.api.BatchV1().CronJobs("leviathan").Get(a.t.Context(), name, metav1.GetOptions{})
	if err != nil {
		a.t.Fatal(err)
	}
	return c.Spec.Suspend != nil && *c.Spec.Suspend, c.Annotations["leviathan.dev/suspended-by"]
}
