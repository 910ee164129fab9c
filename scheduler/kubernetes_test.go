package scheduler_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"

	"leviathan/gateway"
	"leviathan/scheduler"
)

// secret is the Secret of an attempt; nil if there is none.
func (y *yard) secret(id gateway.AttemptID) *corev1.Secret {
	y.t.Helper()
	object, err := y.api.Tracker().Get(corev1.SchemeGroupVersion.WithResource("secrets"), "leviathan", scheduler.JobName(id))
	if apierrors.IsNotFound(err) {
		return nil
	} else if err != nil {
		y.t.Fatal(err)
	}
	return object.(*corev1.Secret)
}

// Promise S03: two cycles at once see the same reservations, and make one Job
// for each attempt.
func TestS03TwoCyclesAtOnceMakeOneJob(t *testing.T) {
	openYard(t, func(t *testing.T, y *yard) {
		y.reserve(first, second)
		y.gateway.say(func(w *wire) { w.live = []string{string(first) + " reserved", string(second) + " reserved"} })
		var cycles sync.WaitGroup
		for range 2 {
			c := y.config
			c.Launcher = y.launcher(t, func(*scheduler.KubernetesConfig) {})
			cycles.Go(func() {
				if _, err := scheduler.New(c).Cycle(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		cycles.Wait()
		list, err := y.api.Tracker().List(jobs, batchv1.SchemeGroupVersion.WithKind("Job"), "leviathan")
		if err != nil {
			t.Fatal(err)
		}
		if n := len(list.(*batchv1.JobList).Items); n != 2 || y.did("create", "jobs") != 4 {
			t.Errorf("two cycles that each tried to make 2 Jobs (%d tries) made %d", y.did("create", "jobs"), n)
		}
		if len(y.gateway.lost) > 0 || y.log.count() > 0 {
			t.Errorf("reported %v; logged %s", y.gateway.lost, y.log.text())
		}
		for _, id := range []gateway.AttemptID{first, second} {
			job, secret := y.job(id), y.secret(id)
			if string(secret.Data["token"]) != "canary-of-"+string(id) || len(secret.Data) != 1 {
				t.Errorf("the Secret of %s has %d keys", id, len(secret.Data))
			}
			if o := secret.OwnerReferences; len(o) != 1 || o[0].UID != job.UID || o[0].Kind != "Job" || o[0].Name != job.Name {
				t.Errorf("the Secret of %s belongs to %+v, the Job is %s", id, o, job.UID)
			}
		}
		y.onlyItsRights()
	})
}

func TestAGatewayIsToldOfEachJobUnderTheJobsOwnID(t *testing.T) {
	openYard(t, func(t *testing.T, y *yard) {
		y.reserve(first)
		y.run()
		y.gateway.say(func(w *wire) { w.live = []string{string(first) + " reserved"} })
		y.run()
		claims := y.gateway.claims
		if len(claims) != 2 || claims[0].EventID != claims[1].EventID || claims[0].Timestamp != claims[1].Timestamp || string(claims[0].Payload) != string(claims[1].Payload) {
			t.Fatalf("said twice, it was not the same: %+v", claims)
		}
		e := claims[0]
		if e.EventType != gateway.EventJobSubmitted || e.Target != "demo" || e.AttemptID != first || e.TaskID != "Write the docs / part 1" ||
			!e.Timestamp.Time.Equal(y.job(first).CreationTimestamp.Time) || !strings.Contains(string(e.Payload), `"job_name":"`+scheduler.JobName(first)+`"`) || strings.Contains(string(e.Payload), "canary") {
			t.Errorf("the claim is %+v with %s", e, e.Payload)
		}

		y.gateway.say(func(w *wire) { w.ingest = 403 })
		y.reserve(second)
		y.run()
		if y.job(second) == nil || y.secret(second) == nil || len(y.gateway.lost) > 0 || !strings.Contains(y.log.text(), "telling the gateway of a Job") {
			t.Errorf("what could not be said failed the launch: %v; %s", y.gateway.lost, y.log.text())
		}
	})
}

// A crash between the Job and its Secret, or between the reservation and the
// Job, is mended by the next cycle.
func TestACrashIsMendedByTheNextCycle(t *testing.T) {
	openYard(t, func(t *testing.T, y *yard) {
		y.reserve(first)
		ctx, crash := context.WithCancel(t.Context())
		y.api.PrependReactor("create", "secrets", func(clienttesting.Action) (bool, runtime.Object, error) {
			if ctx.Err() != nil {
				return false, nil, nil
			}
			crash()
			return true, nil, context.Canceled
		})
		if _, err := y.cycle(ctx); !errors.Is(err, context.Canceled) {
			t.Fatalf("the cycle's error is %v", err)
		}
		if y.job(first) == nil || y.secret(first) != nil {
			t.Fatal("it did not crash between Job and Secret")
		}
		y.gateway.say(func(w *wire) { w.live = []string{string(first) + " reserved"} })
		y.run()
		if s := y.secret(first); s == nil || s.OwnerReferences[0].UID != y.job(first).UID {
			t.Errorf("the Secret is %v", s)
		}
		if len(y.gateway.lost) > 0 || len(y.deleted()) > 0 || y.log.count() > 0 {
			t.Errorf("reported %v, deleted %v, logged %s", y.gateway.lost, y.deleted(), y.log.text())
		}
	})
}

// A scheduler may make Secrets and never write over one, or it could write over
// the gateway's. What a Job of the same name left, the collector takes away,
// and the next cycle makes the new one.
func TestASecretThatIsThereIsNeverWrittenOver(t *testing.T) {
	openYard(t, func(t *testing.T, y *yard) {
		secrets := corev1.SchemeGroupVersion.WithResource("secrets")
		old := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: scheduler.JobName(first), Namespace: "leviathan"}, Data: map[string][]byte{"token": []byte("old")}}
		if err := y.api.Tracker().Add(old); err != nil {
			t.Fatal(err)
		}
		y.reserve(first)
		y.run()
		if s := y.secret(first); string(s.Data["token"]) != "old" {
			t.Error("it was written over")
		}
		if err := y.api.Tracker().Delete(secrets, old.Namespace, old.Name); err != nil {
			t.Fatal(err)
		}
		y.gateway.say(func(w *wire) { w.live = []string{string(first) + " reserved"} })
		y.run()
		if s := y.secret(first); s == nil || string(s.Data["token"]) != "canary-of-"+string(first) || s.OwnerReferences[0].UID != y.job(first).UID {
			t.Errorf("the Secret is %v", s)
		}
		y.onlyItsRights()
	})
}

// A Job that is not the one that would have been made is not replaced and gets
// no token.
func TestAnotherJobIsNotAdopted(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(job *batchv1.Job)
		says    string
		deletes bool // as one whose attempt has ended now
	}{
		"other content":  {func(job *batchv1.Job) { job.Annotations["leviathan.dev/spec-digest"] = "sha256:0" }, "is another one (spec-digest sha256:0, want sha256:", true},
		"no annotations": {func(job *batchv1.Job) { job.Annotations = nil }, "see what made it", false},
		"other attempt":  {func(job *batchv1.Job) { job.Annotations["leviathan.dev/attempt-id"] = string(second) }, "see what made it", false},
		"other target":   {func(job *batchv1.Job) { job.Annotations["leviathan.dev/target"] = "other" }, "see what made it", false},
		"no labels":      {func(job *batchv1.Job) { job.Labels = nil }, "see what made it", false},
	} {
		t.Run(name, func(t *testing.T) {
			openYard(t, func(t *testing.T, y *yard) {
				job, err := scheduler.WorkerJob(forJob(first), jobOptions)
				if err != nil {
					t.Fatal(err)
				}
				job.UID, job.CreationTimestamp = "foreign", metav1.Now()
				c.change(job)
				if err := y.api.Tracker().Add(job); err != nil {
					t.Fatal(err)
				}
				y.gateway.say(func(w *wire) { w.live = []string{string(first) + " reserved"} })
				y.reserve(first)
				y.run()
				if got := y.gateway.wasLost(first); got != "job_failed" || !strings.HasPrefix(y.gateway.details[0], "job_conflict: ") || !strings.Contains(y.gateway.details[0], c.says) {
					t.Errorf("reported %s: %q", got, y.gateway.details)
				}
				if y.secret(first) != nil {
					t.Error("it got the token")
				}
				if got := len(y.deleted()) > 0; got != c.deletes {
					t.Errorf("deleted %v", y.deleted())
				}
			})
		})
	}
}

// A Job that is on its way out is neither adopted nor a failure.
func TestAJobThatIsBeingDeletedIsWaitedFor(t *testing.T) {
	openYard(t, func(t *testing.T, y *yard) {
		y.reserve(first)
		y.run()
		job := y.job(first)
		job.DeletionTimestamp = new(metav1.Now())
		y.put(job)
		y.gateway.say(func(w *wire) { w.live = []string{string(first) + " reserved"} })
		if _, err := y.cycle(t.Context()); !errors.Is(err, gateway.ErrUnknown) || !strings.Contains(err.Error(), "is being deleted") {
			t.Errorf("the cycle's error is %v", err)
		}
		if len(y.gateway.lost) > 0 || len(y.deleted()) > 0 {
			t.Errorf("reported %v, deleted %v", y.gateway.lost, y.deleted())
		}
	})
}

func TestAConfigCannotReachIntoAnotherNamespace(t *testing.T) {
	openYard(t, func(t *testing.T, y *yard) {
		y.config.Launcher = y.launcher(t, func(c *scheduler.KubernetesConfig) { c.Namespace = "elsewhere" })
		y.reserve(first)
		y.run()
		if got := y.gateway.wasLost(first); got != "job_failed" || !strings.HasPrefix(y.gateway.details[0], "wrong_namespace: ") {
			t.Errorf("reported %s: %q", got, y.gateway.details)
		}
		if y.did("create", "jobs") > 0 {
			t.Error("it made a Job")
		}
	})
}

func TestCancelSaysWhatItSawGone(t *testing.T) {
	openYard(t, func(t *testing.T, y *yard) {
		k := y.launcher(t, func(*scheduler.KubernetesConfig) {})
		if err := k.Cancel(t.Context(), first); err != nil {
			t.Errorf("of no Job: %v", err)
		}
		y.reserve(first)
		y.run()

		// Foreground: the Job stays until its Pod is gone.
		going := true
		y.api.PrependReactor("delete", "jobs", func(clienttesting.Action) (bool, runtime.Object, error) {
			job := y.job(first)
			job.DeletionTimestamp, job.Status.Terminating = new(metav1.Now()), new(int32(1))
			y.put(job)
			return going, nil, nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := k.Cancel(ctx, first)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "1 of its Pods are not gone") {
			t.Errorf("of a Job that stays: %v", err)
		}

		ended := make(chan error, 1)
		go func() { ended <- k.Cancel(t.Context(), first) }()
		after(10 * time.Second)
		select {
		case err := <-ended:
			t.Fatalf("it said %v before the Job was gone", err)
		default:
		}
		if err := y.api.Tracker().Delete(jobs, "leviathan", scheduler.JobName(first)); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; err != nil {
			t.Errorf("of a Job that went: %v", err)
		}
		if got := y.deleted(); !slices.Equal(got, []string{scheduler.JobName(first)}) {
			t.Errorf("deleted %v, want it once", got)
		}
		y.onlyItsRights()
	})
}

func TestCancelLeavesAnothersJob(t *testing.T) {
	openYard(t, func(t *testing.T, y *yard) {
		y.reserve(first)
		y.run()
		other := y.launcher(t, func(c *scheduler.KubernetesConfig) { c.Jobs.Target = "other" })
		if err := other.Cancel(t.Context(), first); err == nil || !strings.HasPrefix(err.Error(), "job_conflict: ") {
			t.Errorf("of another target's Job: %v", err)
		}
		if y.job(first) == nil || len(y.deleted()) > 0 {
			t.Error("it was deleted")
		}
	})
}

func TestALauncherNeedsItsConfig(t *testing.T) {
	openYard(t, func(t *testing.T, y *yard) {
		for says, c := range map[string]scheduler.KubernetesConfig{
			"no Client":     {Namespace: "leviathan", Jobs: jobOptions},
			"no Namespace":  {Client: y.api, Jobs: jobOptions},
			"no target":     {Client: y.api, Namespace: "leviathan", Jobs: scheduler.JobOptions{GatewayURL: "http://x"}},
			"no GatewayURL": {Client: y.api, Namespace: "leviathan", Jobs: scheduler.JobOptions{Target: "demo"}},
		} {
			if _, err := scheduler.NewKubernetes(c); err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("%v, want an error that says %s", err, says)
			}
		}
	})
}
