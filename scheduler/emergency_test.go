package scheduler_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"

	"leviathan/gateway"
	"leviathan/scheduler"
)

// want holds findings to lines of what, outcome and a part of the detail.
func want(t *testing.T, found []scheduler.Finding, lines ...string) {
	t.Helper()
	if len(found) != len(lines) {
		t.Errorf("there are %d findings, want %d", len(found), len(lines))
	}
	for i, line := range lines {
		what, rest, _ := strings.Cut(line, " ")
		outcome, detail, _ := strings.Cut(rest, " ")
		if i >= len(found) || found[i].What != what || string(found[i].Outcome) != outcome || !strings.Contains(found[i].Detail, detail) {
			t.Errorf("finding %d is not %q", i, line)
		}
	}
	if t.Failed() {
		for _, f := range found {
			t.Logf("%s %s %s", f.What, f.Outcome, f.Detail)
		}
	}
	all := !slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, " not_seen ") })
	if scheduler.AllSeen(found) != all {
		t.Errorf("AllSeen is %v", !all)
	}
}

// S11: the CronJob is suspended, the Jobs are deleted where that is asked for,
// and all of it can be undone.
func TestS11AnEmergencyStopOfEverythingThatRuns(t *testing.T) {
	ring(t, func(t *testing.T, a *alarm) {
		a.config.DeleteJobs = true
		a.cron("leviathan-demo-scheduler", "demo", nil)
		a.cron("leviathan-other-scheduler", "other", nil)
		a.runOf("run-1", "leviathan-demo-scheduler")
		a.runOf("run-2", "leviathan-other-scheduler")
		a.worker(first, "demo")
		a.worker(second, "other")
		a.desk.runs[first] = &run{target: "demo", state: gateway.Running, started: true}
		a.desk.runs[second] = &run{target: "other", state: gateway.Running, started: true}
		a.desk.runs[third] = &run{target: "demo", state: gateway.Reserved}
		began := time.Now()
		want(t, a.emergency().Stop(t.Context()),
			"halt stopped recorded for target demo at 2000-01-01T00:00:00.000000Z",
			"attempt/"+string(first)+" stopped of task guide is cancelled, and its Job was seen to end",
			"attempt/"+string(third)+" stopped before a worker started it",
			"cronjob/leviathan-demo-scheduler stopped suspended: it begins no run",
			"job/"+scheduler.JobName(first)+" stopped a worker: it is gone, and its Pods before it",
			"job/run-1 stopped a scheduler's run: it is gone")
		if took := time.Since(began); took > 32*time.Second {
			t.Errorf("it took %v, and the grace of an attempt is 30 s", took)
		}
		if on, by := a.suspended("leviathan-demo-scheduler"); !on || by != "stop" {
			t.Errorf("the CronJob is suspended: %v, by %q", on, by)
		}
		if on, _ := a.suspended("leviathan-other-scheduler"); on {
			t.Error("another target's CronJob is suspended")
		}
		if !a.desk.runs[second].state.Live() {
			t.Error("another target's attempt has ended")
		}
		want(t, a.emergency().Stop(t.Context()), // again: there is nothing left
			"halt stopped recorded",
			"attempts none no live attempt of target demo",
			"cronjob/leviathan-demo-scheduler stopped suspended: it begins no run")

		want(t, a.emergency().Resume(t.Context()), "cronjob/leviathan-demo-scheduler resumed on its schedule")
		if on, by := a.suspended("leviathan-demo-scheduler"); on || by != "" {
			t.Errorf("after it was resumed the CronJob is suspended: %v, by %q", on, by)
		}
		want(t, a.emergency().Resume(t.Context()), "cronjob/leviathan-demo-scheduler none it is not suspended")
	})
}

func TestWithoutJobDeletionWorkersAreWaitedFor(t *testing.T) {
	ring(t, func(t *testing.T, a *alarm) {
		a.config.Target = ""
		a.cron("leviathan-demo-scheduler", "demo", nil)
		a.worker(first, "demo")
		a.worker(second, "other")
		a.desk.runs[first] = &run{target: "demo", state: gateway.Running, started: true, obeys: 11 * time.Second}
		a.desk.runs[second] = &run{target: "other", state: gateway.Proposed, started: true, obeys: time.Hour}
		a.end(scheduler.JobName(first), 12*time.Second)
		began := time.Now()
		want(t, a.emergency().Stop(t.Context()),
			"halt stopped recorded for every target",
			"attempt/"+string(first)+" stopped cancelled, as its worker reported",
			"attempt/"+string(second)+" not_seen Its worker was not seen to end",
			"cronjob/leviathan-demo-scheduler stopped suspended",
			"job/"+scheduler.JobName(first)+" stopped a worker: it has ended",
			"job/"+scheduler.JobName(second)+" not_seen still runs, with 1 Pods; --delete-jobs ends it")
		if took := time.Since(began); took != 2*time.Minute {
			t.Errorf("it looked for %v, want all of --wait", took)
		}
		if got := a.desk.cancels; !slices.Equal(got, []gateway.AttemptID{second}) {
			t.Errorf("cancelled: %v; one whose worker reports its end within the grace is not", got)
		}
	})
}

func TestAJobThatNeverGoesIsNotSaidToHaveStopped(t *testing.T) {
	ring(t, func(t *testing.T, a *alarm) {
		a.config.DeleteJobs = true
		a.worker(first, "demo")
		job := a.job(scheduler.JobName(first))
		job.Finalizers = []string{"test/held"}
		a.update(job)
		a.desk.runs[first] = &run{target: "demo", state: gateway.Running, started: true}
		want(t, a.emergency().Stop(t.Context()),
			"halt stopped recorded",
			"attempt/"+string(first)+" not_seen Its worker was not seen to end",
			"cronjob none no CronJob with the label app=leviathan-scheduler of target demo",
			"job/"+scheduler.JobName(first)+" not_seen told to end and is still there, with 1 Pods")
	})
}

func TestAJobThatSomebodyElseDeletedMayHaveLeftItsPods(t *testing.T) {
	ring(t, func(t *testing.T, a *alarm) {
		a.worker(first, "demo")
		a.desk.runs[first] = &run{target: "demo", state: gateway.Running, started: true}
		time.AfterFunc(3*time.Second, func() { a.remove(scheduler.JobName(first)) })
		want(t, a.emergency().Stop(t.Context()),
			"halt stopped recorded",
			"attempt/"+string(first)+" not_seen Its worker was not seen to end",
			"cronjob none no CronJob",
			"job/"+scheduler.JobName(first)+" not_seen whether its Pods have ended was not seen")
	})
}

func TestAWorkerThatARunMakesMeanwhileIsSeen(t *testing.T) {
	ring(t, func(t *testing.T, a *alarm) {
		a.cron("leviathan-demo-scheduler", "demo", nil)
		a.runOf("run-1", "leviathan-demo-scheduler")
		time.AfterFunc(2*time.Second, func() {
			a.worker(first, "demo")
			a.end("run-1", 0)
			a.end(scheduler.JobName(first), 20*time.Second)
		})
		want(t, a.emergency().Stop(t.Context()),
			"halt stopped recorded",
			"attempts none no live attempt",
			"cronjob/leviathan-demo-scheduler stopped suspended",
			"job/"+scheduler.JobName(first)+" stopped it has ended",
			"job/run-1 stopped it has ended")
	})
}

func TestARunThatTheSuspensionMetHalfwayIsSeen(t *testing.T) {
	ring(t, func(t *testing.T, a *alarm) {
		a.cron("leviathan-demo-scheduler", "demo", nil)
		time.AfterFunc(time.Second/2, func() {
			a.runOf("run-1", "leviathan-demo-scheduler")
			a.end("run-1", 4*time.Second)
		})
		want(t, a.emergency().Stop(t.Context())[3:], "job/run-1 stopped it has ended")
	})
}

func TestAJobThatIsNotLeviathansIsLeft(t *testing.T) {
	ring(t, func(t *testing.T, a *alarm) {
		a.config.Target, a.config.DeleteJobs, a.config.Wait = "", true, 10*time.Second
		a.add("mine", func(j *batchv1.Job) { j.Labels = map[string]string{"app": "leviathan-worker"} })
		a.add("yours", func(j *batchv1.Job) { j.Labels = map[string]string{"app": "something"} })
		found := a.emergency().Stop(t.Context())
		want(t, found[3:], "job/mine not_seen says of no attempt that it is its Job; it was left")
		a.job("mine")
		a.job("yours")
	})
}

func TestAGatewayThatIsDownKeepsNothingElseFromBeingStopped(t *testing.T) {
	for name, take := range map[string]func(a *alarm){
		"away":     func(a *alarm) { a.desk.down = true },
		"no token": func(a *alarm) { a.config.Gateway, a.config.GatewayProblem = nil, errors.New("no token") },
	} {
		t.Run(name, func(t *testing.T) {
			ring(t, func(t *testing.T, a *alarm) {
				take(a)
				a.config.DeleteJobs = true
				a.cron("leviathan-demo-scheduler", "demo", nil)
				a.worker(first, "demo")
				began := time.Now()
				found := a.emergency().Stop(t.Context())
				found = slices.DeleteFunc(found, func(f scheduler.Finding) bool { return f.What == "attempts" })
				want(t, found, "halt not_seen no halt was recorded",
					"cronjob/leviathan-demo-scheduler stopped suspended",
					"job/"+scheduler.JobName(first)+" stopped gone")
				if took := time.Since(began); took > 10*time.Second {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

func TestAnAPIServerThatRefusesKeepsNoHaltFromBeingRecorded(t *testing.T) {
	down := errors.New("connection refused")
	denied := apierrors.NewForbidden(batchv1.Resource("cronjobs"), "leviathan-demo-scheduler", errors.New("not yours"))
	for name, c := range map[string]struct {
		verb, resource string
		err            error
		lines          []string
	}{
		"down": {"*", "*", down, []string{"cluster not_seen api_unreachable: listing the CronJobs of namespace leviathan"}},
		"no patch": {"patch", "cronjobs", denied, []string{
			"cronjob/leviathan-demo-scheduler not_seen it is not suspended: forbidden: ",
			"job/" + scheduler.JobName(first) + " stopped gone"}},
		"no delete": {"delete", "jobs", denied, []string{"cronjob/leviathan-demo-scheduler stopped suspended",
			"job/" + scheduler.JobName(first) + " not_seen it runs, and was not deleted: forbidden"}},
		"no list of CronJobs": {"list", "cronjobs", denied, []string{"cluster not_seen forbidden: listing the CronJobs",
			"job/" + scheduler.JobName(first) + " stopped gone"}},
		"no list of Jobs": {"list", "jobs", denied, []string{"cluster not_seen forbidden: listing the Jobs", "cronjob/leviathan-demo-scheduler stopped suspended"}},
	} {
		t.Run(name, func(t *testing.T) {
			ring(t, func(t *testing.T, a *alarm) {
				a.config.DeleteJobs = true
				a.cron("leviathan-demo-scheduler", "demo", nil)
				a.worker(first, "demo")
				a.api.PrependReactor(c.verb, c.resource, func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, c.err })
				want(t, a.emergency().Stop(t.Context()), append([]string{"halt stopped recorded", "attempts none no live"}, c.lines...)...)
			})
		})
	}
}

func TestAClusterThatIsNotThere(t *testing.T) {
	ring(t, func(t *testing.T, a *alarm) {
		a.config.Cluster = nil
		a.desk.runs[first] = &run{target: "demo", state: gateway.Running, started: true, obeys: 12 * time.Second}
		want(t, a.emergency().Stop(t.Context()), "halt stopped recorded",
			"attempt/"+string(first)+" stopped as its worker reported", "cluster none there is no cluster here")
		a.config.ClusterProblem = errors.New("no such file")
		want(t, a.emergency().Stop(t.Context()), "halt stopped recorded", "attempts none no live",
			"cluster not_seen no CronJob was touched: no such file")
		want(t, a.emergency().Resume(t.Context()), "cluster not_seen no such file")
	})
}

func TestAHaltThatIsNotReadBackIsNotSeen(t *testing.T) {
	ring(t, func(t *testing.T, a *alarm) {
		a.config.Cluster, a.desk.forgets = nil, true
		want(t, a.emergency().Stop(t.Context())[:1], "halt not_seen its status shows none")
		a.config.Target = ""
		want(t, a.emergency().Stop(t.Context())[:1], "halt not_seen its status shows none")
	})
}

func TestAttemptsThatCannotBeListedAreNotSeen(t *testing.T) {
	ring(t, func(t *testing.T, a *alarm) {
		a.config.Cluster, a.desk.listFail = nil, true
		want(t, a.emergency().Stop(t.Context()), "halt stopped recorded", "attempts not_seen which attempts are live is not known", "cluster none there is no")
	})
}

func TestAttemptsAreLeftWhereCancelIsOff(t *testing.T) {
	ring(t, func(t *testing.T, a *alarm) {
		a.config.Cluster, a.config.Cancel = nil, false
		a.desk.runs[first] = &run{target: "demo", state: gateway.Reserved}
		want(t, a.emergency().Stop(t.Context()), "halt stopped recorded", "attempt/"+string(first)+" not_seen still reserved", "cluster none there is no")
		if len(a.desk.cancels) > 0 {
			t.Errorf("cancelled: %v", a.desk.cancels)
		}
	})
}

func TestAShortWaitCancelsAtItsEndAndLooksOnceMore(t *testing.T) {
	ring(t, func(t *testing.T, a *alarm) {
		a.config.Cluster, a.config.Wait = nil, 5*time.Second
		a.desk.runs[first] = &run{target: "demo", state: gateway.Pushed, started: true}
		want(t, a.emergency().Stop(t.Context()), "halt stopped recorded", "attempt/"+string(first)+" not_seen is cancelled: it can push and propose nothing more", "cluster none there is no")
	})
}

// Who launched a worker has seen it gone; an operator who cancels and a lease
// that ends have not.
func TestWhoseWordAnEndIs(t *testing.T) {
	for by, outcome := range map[string]string{string(first): "stopped", "token-of-scheduler": "stopped", "operator": "not_seen", "gateway": "not_seen"} {
		ring(t, func(t *testing.T, a *alarm) {
			a.config.Cluster = nil
			a.desk.runs[first] = &run{target: "demo", state: gateway.Running, started: true}
			time.AfterFunc(3*time.Second, func() {
				a.desk.mu.Lock()
				defer a.desk.mu.Unlock()
				a.desk.runs[first].state, a.desk.runs[first].by = gateway.Failed, by
			})
			want(t, a.emergency().Stop(t.Context())[1:2], "attempt/"+string(first)+" "+outcome+" failed")
		})
	}
}

func TestASuspensionOfSomebodyElseStays(t *testing.T) {
	ring(t, func(t *testing.T, a *alarm) {
		a.cron("leviathan-demo-scheduler", "demo", func(c *batchv1.CronJob) { c.Spec.Suspend = new(true) })
		found := a.emergency().Stop(t.Context())
		want(t, found[2:], "cronjob/leviathan-demo-scheduler stopped suspended, and not by this command")
		want(t, a.emergency().Resume(t.Context()), "cronjob/leviathan-demo-scheduler none not by `leviathan stop`")
		if on, by := a.suspended("leviathan-demo-scheduler"); !on || by != "" {
			t.Errorf("the CronJob is suspended: %v, by %q", on, by)
		}
	})
}

func TestACronJobIsFoundByItsTarget(t *testing.T) {
	mark := func(c *batchv1.CronJob) { c.Labels["leviathan.dev/target"] = "demo" }
	note := func(c *batchv1.CronJob) { c.Annotations = map[string]string{"leviathan.dev/target": "demo"} }
	apart := func(c *batchv1.CronJob) {
		args := &c.Spec.JobTemplate.Spec.Template.Spec.Containers[0].Args
		*args = append(*args, "--target", "demo")
	}
	ring(t, func(t *testing.T, a *alarm) {
		a.cron("by-annotation", "", note)
		a.cron("by-flag", "demo", nil)
		a.cron("by-label", "", mark)
		a.cron("by-word", "", apart)
		a.cron("unclear", "", nil)
		a.cron("wrong", "other", nil)
		want(t, a.emergency().Stop(t.Context())[2:],
			"cronjob/unclear not_seen Stop it with --cronjob unclear",
			"cronjob/by-annotation stopped suspended", "cronjob/by-flag stopped suspended", "cronjob/by-label stopped suspended", "cronjob/by-word stopped suspended")
		a.config.CronJob = "unclear"
		want(t, a.emergency().Stop(t.Context())[2:], "cronjob/unclear stopped suspended")
		want(t, a.emergency().Resume(t.Context()), "cronjob/unclear resumed on its schedule")
		a.config.CronJob = "missing"
		want(t, a.emergency().Stop(t.Context())[2:], "cluster not_seen not_found: looking at the CronJob missing of namespace leviathan")
		a.config.CronJob, a.config.Target = "", ""
		want(t, a.emergency().Stop(t.Context())[2:], "cronjob/by-annotation stopped suspended", "cronjob/by-flag stopped suspended", "cronjob/by-label stopped suspended",
			"cronjob/by-word stopped suspended", "cronjob/unclear stopped suspended", "cronjob/wrong stopped suspended")
	})
}

func TestACronJobThatMustBeThereIsMissed(t *testing.T) {
	ring(t, func(t *testing.T, a *alarm) {
		a.config.CronJobExpected = true
		want(t, a.emergency().Stop(t.Context())[2:], "cronjob not_seen see whether --namespace and --target are right")
		want(t, a.emergency().Resume(t.Context()), "cronjob not_seen has no CronJob")
	})
}

func TestAnotherWriterOfACronJobIsNotOverwritten(t *testing.T) {
	ring(t, func(t *testing.T, a *alarm) {
		a.cron("leviathan-demo-scheduler", "demo", nil)
		tries := 0
		a.api.PrependReactor("patch", "cronjobs", func(action clienttesting.Action) (bool, runtime.Object, error) {
			if tries++; tries > 1 {
				return false, nil, nil
			}
			return true, nil, apierrors.NewConflict(batchv1.Resource("cronjobs"), "leviathan-demo-scheduler", errors.New("it has changed"))
		})
		want(t, a.emergency().Stop(t.Context())[2:], "cronjob/leviathan-demo-scheduler stopped suspended: it begins no run")
		if tries != 2 {
			t.Errorf("it was changed in %d tries, want 2", tries)
		}
	})
}

func TestAStopThatIsInterruptedSaysWhatItSaw(t *testing.T) {
	ring(t, func(t *testing.T, a *alarm) {
		a.cron("leviathan-demo-scheduler", "demo", nil)
		a.worker(first, "demo")
		a.desk.runs[first] = &run{target: "demo", state: gateway.Running, started: true}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan []scheduler.Finding)
		go func() { ended <- a.emergency().Stop(ctx) }()
		synctest.Wait()
		cancel()
		want(t, <-ended, "halt stopped recorded", "attempt/"+string(first)+" not_seen is still running",
			"cronjob/leviathan-demo-scheduler stopped suspended", "job/"+scheduler.JobName(first)+" not_seen it still runs")
	})
}

func TestAnEmergencyWithoutWhatItNeedsIsRefused(t *testing.T) {
	for lacking, change := range map[string]func(c *scheduler.EmergencyConfig){
		"Gateway":   func(c *scheduler.EmergencyConfig) { c.Gateway = nil },
		"Namespace": func(c *scheduler.EmergencyConfig) { c.Namespace = "" },
		"target":    func(c *scheduler.EmergencyConfig) { c.Target = "no target" },
		"Reason":    func(c *scheduler.EmergencyConfig) { c.Reason = "" },
		"negative":  func(c *scheduler.EmergencyConfig) { c.Wait = -1 },
	} {
		ring(t, func(t *testing.T, a *alarm) {
			change(&a.config)
			if _, err := scheduler.NewEmergency(a.config); err == nil || !strings.Contains(err.Error(), lacking) {
				t.Errorf("%s: %v", lacking, err)
			}
		})
	}
}
