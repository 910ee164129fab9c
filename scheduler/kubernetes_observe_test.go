package scheduler_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"

	"leviathan/gateway"
	"leviathan/scheduler"
)

// waiting is a Pod whose container waits.
func waiting(reason, message string) corev1.PodStatus {
	return corev1.PodStatus{Phase: corev1.PodPending, ContainerStatuses: []corev1.ContainerStatus{{Name: "worker", Image: "registry.example/worker:1",
		State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}}}}
}

// over is a Pod whose container has ended.
func over(code int32, reason, message string) corev1.PodStatus {
	return corev1.PodStatus{Phase: corev1.PodFailed, ContainerStatuses: []corev1.ContainerStatus{{Name: "worker",
		State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Reason: reason, Message: message}}}}}
}

func unschedulable(message string) corev1.PodStatus {
	return corev1.PodStatus{Phase: corev1.PodPending, Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: message}}}
}

func disrupted(reason string) corev1.PodStatus {
	s := over(143, "Error", "")
	s.Conditions = []corev1.PodCondition{{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: reason, Message: "the node went"}}
	return s
}

// What is seen of a Job and its Pod, in one of the words of the wire. In each
// case the attempt is live in the journal.
func TestWhatIsSeenOfAJob(t *testing.T) {
	const deadline, backoff = batchv1.JobReasonDeadlineExceeded, batchv1.JobReasonBackoffLimitExceeded
	for name, c := range map[string]struct {
		age       time.Duration
		condition batchv1.JobConditionType
		reason    string
		pod       *corev1.PodStatus
		observed  string // "" for a worker that is left
		says      []string
		ends      bool // its Job is deleted: it is there and will not run
	}{
		"runs":                {time.Hour, "", "", &corev1.PodStatus{Phase: corev1.PodRunning}, "", nil, false},
		"no pod yet":          {time.Minute, "", "", nil, "", nil, false},
		"no pod":              {3 * time.Minute, "", "", nil, "job_failed", []string{"has no Pod after 3m0s", "Pod Security"}, true},
		"image, at first":     {time.Minute, "", "", new(waiting("ImagePullBackOff", "back-off")), "", nil, false},
		"image":               {3 * time.Minute, "", "", new(waiting("ImagePullBackOff", "Back-off pulling image: not found")), "image_pull", []string{`"registry.example/worker:1"`, "ImagePullBackOff", "not found"}, true},
		"image, error":        {3 * time.Minute, "", "", new(waiting("ErrImagePull", "unauthorized")), "image_pull", []string{"ErrImagePull: unauthorized"}, true},
		"image name":          {time.Second, "", "", new(waiting("InvalidImageName", "couldn't parse image name")), "image_pull", []string{"InvalidImageName", "couldn't parse"}, true},
		"image never":         {time.Second, "", "", new(waiting("ErrImageNeverPull", "not present")), "image_pull", []string{"ErrImageNeverPull"}, true},
		"agent's secret":      {3 * time.Minute, "", "", new(waiting("CreateContainerConfigError", `secret "leviathan-agent-writer" not found`)), "job_failed", []string{"CreateContainerConfigError", `"leviathan-agent-writer" not found`}, true},
		"a large image":       {4 * time.Minute, "", "", new(waiting("ContainerCreating", "")), "", nil, false},
		"a volume":            {6 * time.Minute, "", "", new(waiting("ContainerCreating", "")), "job_failed", []string{"has not started in 6m0s", "a volume may be missing"}, true},
		"no status":           {6 * time.Minute, "", "", &corev1.PodStatus{Phase: corev1.PodPending}, "job_failed", []string{"has not started"}, true},
		"no node yet":         {4 * time.Minute, "", "", new(unschedulable("0/3 nodes")), "", nil, false},
		"no node":             {6 * time.Minute, "", "", new(unschedulable("0/3 nodes are available: insufficient memory")), "job_failed", []string{"no node took", "Unschedulable: 0/3 nodes", "insufficient memory"}, true},
		"completed":           {time.Hour, batchv1.JobComplete, "", nil, "process_gone", []string{"completed", "has not said"}, false},
		"deadline":            {time.Hour, batchv1.JobFailed, deadline, nil, "job_failed", []string{"deadline", "DeadlineExceeded"}, false},
		"pod deleted":         {time.Hour, batchv1.JobFailed, backoff, nil, "job_failed", []string{"its Pod is gone"}, false},
		"exit code":           {time.Hour, batchv1.JobFailed, backoff, new(over(2, "Error", "a log "+strings.Repeat("x", 3000)+" its last words")), "job_failed", []string{"exit code 2", "its last words"}, false},
		"out of memory":       {time.Hour, batchv1.JobFailed, backoff, new(over(137, "OOMKilled", "")), "oom", []string{"more than its memory, 2Gi"}, false},
		"evicted":             {time.Hour, batchv1.JobFailed, backoff, &corev1.PodStatus{Phase: corev1.PodFailed, Reason: "Evicted", Message: "The node was low on ephemeral-storage"}, "evicted", []string{"ephemeral-storage"}, false},
		"evicted by the API":  {time.Hour, batchv1.JobFailed, backoff, new(disrupted("EvictionByEvictionAPI")), "evicted", []string{"EvictionByEvictionAPI", "the node went"}, false},
		"preempted":           {time.Hour, batchv1.JobFailed, backoff, new(disrupted("PreemptionByScheduler")), "evicted", []string{"PreemptionByScheduler"}, false},
		"failed, unexplained": {time.Hour, batchv1.JobFailed, backoff, &corev1.PodStatus{Phase: corev1.PodFailed, Reason: "NodeLost"}, "job_failed", []string{"NodeLost"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			openYard(t, func(t *testing.T, y *yard) {
				y.reserve(first)
				y.run()
				y.gateway.say(func(w *wire) { w.live, w.cycle = []string{string(first) + " reserved"}, idleCycle })
				if c.condition != "" {
					y.condition(first, c.condition, c.reason, "said the Job controller")
					y.gateway.say(func(w *wire) { w.live = []string{string(first) + " running"} })
				}
				if c.pod != nil {
					y.pod(first, *c.pod)
				}
				after(c.age)
				y.run()
				if got := y.gateway.wasLost(first); got != c.observed {
					t.Fatalf("reported %q with %q, want %q", got, y.gateway.details, c.observed)
				}
				for _, want := range c.says {
					if !strings.Contains(y.gateway.details[0], want) {
						t.Errorf("%q is missing in %q", want, y.gateway.details[0])
					}
				}
				if len(y.gateway.details) > 0 && len(y.gateway.details[0]) > 2000 {
					t.Errorf("the detail has %d bytes", len(y.gateway.details[0]))
				}
				if got := len(y.deleted()) == 1; got != c.ends {
					t.Errorf("deleted %v", y.deleted())
				}
				y.onlyItsRights()
			})
		})
	}
}

// How long a Pod may wait for a node, or for a large image, is what the autonomy
// config said when the attempt was reserved.
func TestAPodHasUntilTheStartDeadlineOfItsReservation(t *testing.T) {
	for name, status := range map[string]corev1.PodStatus{"no node": unschedulable("0/3 nodes"), "a large image": waiting("ContainerCreating", "")} {
		t.Run(name, func(t *testing.T) {
			openYard(t, func(t *testing.T, y *yard) {
				deadline := gateway.At(time.Now().Add(20 * time.Minute))
				y.gateway.say(func(w *wire) {
					w.cycle = worked([]gateway.AttemptID{first}, func(id gateway.AttemptID) gateway.Reservation {
						r := forJob(id)
						r.StartDeadline = deadline
						return r
					})
				})
				y.run()
				y.gateway.say(func(w *wire) { w.live, w.cycle = []string{string(first) + " reserved"}, idleCycle })
				y.pod(first, status)
				after(19 * time.Minute)
				if y.run(); y.gateway.wasLost(first) != "" {
					t.Errorf("reported before its deadline: %q", y.gateway.details)
				}
				after(2 * time.Minute)
				if y.run(); y.gateway.wasLost(first) != "job_failed" {
					t.Errorf("reported %v after its deadline", y.gateway.lost)
				}
			})
		})
	}
}

// Promise S11: the attempt of a Job that was deleted ends as lost.
func TestS11ADeletedJobsAttemptIsLost(t *testing.T) {
	openYard(t, func(t *testing.T, y *yard) {
		y.reserve(first, second, third)
		y.run()
		y.gateway.say(func(w *wire) {
			w.live, w.cycle = []string{string(first) + " running", string(second) + " pushed", string(third) + " proposed"}, idleCycle
		})
		for _, id := range []gateway.AttemptID{first, third} {
			if err := y.api.Tracker().Delete(jobs, "leviathan", scheduler.JobName(id)); err != nil {
				t.Fatal(err)
			}
		}
		y.pod(second, corev1.PodStatus{Phase: corev1.PodRunning})
		y.run()
		if y.gateway.wasLost(first) != "job_deleted" || y.gateway.wasLost(third) != "job_deleted" || y.gateway.wasLost(second) != "" {
			t.Errorf("reported %v, want those of the deleted Jobs", y.gateway.lost)
		}
		if !strings.Contains(y.gateway.details[0], scheduler.JobName(first)) || !strings.Contains(y.gateway.details[0], "namespace leviathan") {
			t.Errorf("it says %q", y.gateway.details[0])
		}
	})
}

// A Job that is being deleted is there until it is gone: its worker may still
// say how the attempt ended.
func TestAJobOnItsWayOutIsNotGone(t *testing.T) {
	openYard(t, func(t *testing.T, y *yard) {
		y.reserve(first)
		y.run()
		job := y.job(first)
		job.DeletionTimestamp = new(metav1.Now())
		y.put(job)
		y.gateway.say(func(w *wire) { w.live, w.cycle = []string{string(first) + " running"}, idleCycle })
		y.run()
		y.gateway.say(func(w *wire) { w.live = nil }) // and ended, it is not deleted twice
		y.run()
		if len(y.gateway.lost) > 0 || len(y.deleted()) > 0 {
			t.Errorf("reported %v, deleted %v", y.gateway.lost, y.deleted())
		}
	})
}

// A Job whose attempt was cancelled, has ended, or is unknown to the journal is
// deleted while it is active. One that has ended is left to its TTL, and what
// is not ours is not touched.
func TestJobsWithoutALiveAttemptAreDeleted(t *testing.T) {
	openYard(t, func(t *testing.T, y *yard) {
		y.reserve(first, second, third)
		y.run()
		y.pod(first, corev1.PodStatus{Phase: corev1.PodRunning})
		y.condition(second, batchv1.JobComplete, "", "")
		foreign := map[string]func(job *batchv1.Job){
			"other-target": func(job *batchv1.Job) { job.Annotations["leviathan.dev/target"] = "other" },
			"no-mark":      func(job *batchv1.Job) { job.Annotations = nil },
			"no-label":     func(job *batchv1.Job) { job.Labels = map[string]string{"app": "leviathan-worker"} },
			"other-name":   func(*batchv1.Job) {},
		}
		for name, change := range foreign {
			job := y.job(first).DeepCopy()
			job.Name, job.UID = name, ""
			change(job)
			if err := y.api.Tracker().Add(job); err != nil {
				t.Fatal(err)
			}
		}
		y.gateway.say(func(w *wire) { w.live, w.cycle = []string{string(third) + " reserved"}, reservingWhole(third) })
		y.run()
		if got := y.deleted(); !slices.Equal(got, []string{scheduler.JobName(first)}) {
			t.Errorf("deleted %v, want the active one whose attempt has ended", got)
		}
		if len(y.gateway.lost) > 0 {
			t.Errorf("reported %v", y.gateway.lost)
		}
	})
}

// Another scheduler's Job, made while this one looks, is no orphan; nor is its
// attempt lost that began after the Jobs were listed.
func TestAJobYoungerThanTheJournalsListIsNoOrphan(t *testing.T) {
	openYard(t, func(t *testing.T, y *yard) {
		y.reserve(first)
		y.run()
		y.gateway.say(func(w *wire) {
			w.cycle = idleCycle
			before := w.lists
			w.onList = func(n int) {
				if n == before+2 { // it is reserved between the first list and the second
					w.live = []string{string(first) + " running", string(second) + " running"}
				}
			}
		})
		y.run()
		if len(y.deleted()) > 0 || len(y.gateway.lost) > 0 {
			t.Errorf("deleted %v, reported %v", y.deleted(), y.gateway.lost)
		}
	})
}

// When the end of an attempt cannot be said, its Job is not deleted: the next
// cycle says both.
func TestAJobIsDeletedAfterItsAttemptAlone(t *testing.T) {
	openYard(t, func(t *testing.T, y *yard) {
		y.reserve(first)
		y.run()
		y.pod(first, waiting("InvalidImageName", "no"))
		y.gateway.say(func(w *wire) { w.live, w.cycle, w.lostCode = []string{string(first) + " reserved"}, idleCycle, 503 })
		y.run()
		if len(y.deleted()) > 0 {
			t.Errorf("deleted %v", y.deleted())
		}
		y.gateway.say(func(w *wire) { w.live, w.lostCode = []string{string(first) + " reserved"}, 409 })
		y.run()
		if got := y.deleted(); !slices.Equal(got, []string{scheduler.JobName(first)}) {
			t.Errorf("deleted %v", got)
		}
	})
}

// An orphan that cannot be deleted is said, and keeps nothing back.
func TestAnOrphanThatStaysIsLogged(t *testing.T) {
	openYard(t, func(t *testing.T, y *yard) {
		y.reserve(first)
		y.run()
		y.reserve(second)
		y.api.PrependReactor("delete", "jobs", func(clienttesting.Action) (bool, runtime.Object, error) {
			return true, nil, &time.ParseError{Message: "connection refused"}
		})
		y.run()
		if !strings.Contains(y.log.text(), "api_unreachable: deleting the Job "+scheduler.JobName(first)) || y.job(second) == nil {
			t.Errorf("it logged %s", y.log.text())
		}
	})
}

// Lists come in pages; a Job on the second one is as much there.
func TestListsAreReadToTheirEnd(t *testing.T) {
	openYard(t, func(t *testing.T, y *yard) {
		y.reserve(first, second)
		y.run()
		y.pod(second, corev1.PodStatus{Phase: corev1.PodRunning})
		for _, resource := range []string{"jobs", "pods"} {
			y.api.PrependReactor("list", resource, func(a clienttesting.Action) (bool, runtime.Object, error) {
				if a.(clienttesting.ListActionImpl).ListOptions.Continue != "" {
					return false, nil, nil
				}
				meta := metav1.ListMeta{Continue: "more"}
				if resource == "pods" {
					return true, &corev1.PodList{ListMeta: meta}, nil
				}
				return true, &batchv1.JobList{ListMeta: meta}, nil
			})
		}
		y.gateway.say(func(w *wire) {
			w.live, w.cycle = []string{string(first) + " running", string(second) + " running"}, idleCycle
		})
		after(3 * time.Minute)
		y.run()
		if y.gateway.wasLost(second) != "" || y.gateway.wasLost(first) != "job_failed" {
			t.Errorf("reported %v: %q", y.gateway.lost, y.gateway.details)
		}
	})
}
