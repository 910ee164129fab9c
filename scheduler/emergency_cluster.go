package scheduler

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"leviathan/gateway"
)

const (
	appScheduler = "leviathan-scheduler"
	// annotationSuspended marks a CronJob that an emergency stop suspended: only
	// that one is taken up again by Resume.
	annotationSuspended = "leviathan.dev/suspended-by"
	suspendedByStop     = "stop"
	// patchTries is how often a CronJob is looked at again when another writer
	// was faster.
	patchTries = 4
)

// clusterSeen is what the cluster's side of a stop saw.
type clusterSeen struct {
	findings []Finding
	ended    map[gateway.AttemptID]bool // attempts whose Jobs were all seen to end
}

// A clusterStop is the cluster's side of one stop.
type clusterStop struct {
	*Emergency
	crons   map[string]*cronSeen
	jobs    map[types.UID]*jobSeen
	unclear []string // CronJobs of which nobody can tell the target
	problem error    // of the last look
}

// A cronSeen is a CronJob that is to be suspended.
type cronSeen struct {
	suspended, ours bool // as it was seen last; by a stop
	gone            bool
	problem         error // of suspending it
}

// stopCluster suspends the CronJobs, deletes the Jobs where that is asked for,
// and looks until nothing of them runs.
func (e *Emergency) stopCluster(ctx context.Context, deadline time.Time) clusterSeen {
	if e.Cluster == nil {
		return clusterSeen{findings: []Finding{e.noCluster()}}
	}
	c := clusterStop{Emergency: e, crons: map[string]*cronSeen{}, jobs: map[types.UID]*jobSeen{}}
	// One quiet look may be older than a run that the suspension met halfway.
	for quiet := 0; quiet < 2; {
		if c.look(ctx); c.problem == nil && !c.busy() {
			quiet++
		} else {
			quiet = 0
		}
		if quiet < 2 && !e.pause(ctx, deadline) {
			break
		}
	}
	return clusterSeen{findings: c.findings(), ended: c.ended()}
}

// noCluster says why nothing was done in a cluster.
func (e *Emergency) noCluster() Finding {
	if e.ClusterProblem != nil {
		return Finding{"cluster", NotSeen, "no CronJob was touched: " + e.ClusterProblem.Error()}
	}
	return Finding{"cluster", Nothing, "there is no cluster here to look at"}
}

// look sees what there is, suspends what is not suspended, and deletes what is
// to be deleted.
func (c *clusterStop) look(ctx context.Context) {
	crons, err := c.cronJobs(ctx)
	c.problem = err
	if err == nil {
		c.unclear = nil
		for _, seen := range c.crons {
			seen.gone = true
		}
	}
	for i := range crons {
		name := crons[i].Name
		if c.CronJob == "" && c.Target != "" && cronTarget(&crons[i]) == "" {
			c.unclear = append(c.unclear, name)
			continue
		}
		seen := c.crons[name]
		if seen == nil {
			seen = &cronSeen{}
			c.crons[name] = seen
		}
		seen.gone = false
		seen.see(&crons[i])
		if !seen.suspended {
			after, err := c.patchCron(ctx, &crons[i], suspend)
			if seen.problem = err; err == nil {
				seen.see(after)
			}
		}
	}
	if err := c.lookAtJobs(ctx); c.problem == nil {
		c.problem = err
	}
}

func (s *cronSeen) see(cron *batchv1.CronJob) {
	s.suspended = cron.Spec.Suspend != nil && *cron.Spec.Suspend
	s.ours = cron.Annotations[annotationSuspended] == suspendedByStop
}

// busy reports whether anything may still run or begin.
func (c *clusterStop) busy() bool {
	for _, cron := range c.crons {
		if !cron.gone && !cron.suspended {
			return true
		}
	}
	for _, job := range c.jobs {
		if job.runs() {
			return true
		}
	}
	return false
}

// cronJobs lists the CronJobs of schedulers that this is about, and those of
// which it cannot be told.
func (e *Emergency) cronJobs(ctx context.Context) (found []batchv1.CronJob, err error) {
	api := e.Cluster.BatchV1().CronJobs(e.Namespace)
	if e.CronJob != "" {
		cron, err := api.Get(ctx, e.CronJob, metav1.GetOptions{})
		if err != nil {
			return nil, apiError("looking at the CronJob "+e.CronJob+" of namespace "+e.Namespace, err)
		}
		return []batchv1.CronJob{*cron}, nil
	}
	for page := ""; ; {
		list, err := api.List(ctx, metav1.ListOptions{LabelSelector: labelApp + "=" + appScheduler, Limit: pageSize, Continue: page})
		if err != nil {
			return nil, apiError("listing the CronJobs of namespace "+e.Namespace, err)
		}
		for _, cron := range list.Items {
			if of := cronTarget(&cron); e.Target == "" || of == e.Target || of == "" {
				found = append(found, cron)
			}
		}
		if page = list.Continue; page == "" {
			return found, nil
		}
	}
}

// cronTarget is the target whose cycles a CronJob asks for: its label or
// annotation leviathan.dev/target, or else the --target of its command. "" if
// nobody can tell.
func cronTarget(cron *batchv1.CronJob) gateway.TargetID {
	for _, marks := range []map[string]string{cron.Labels, cron.Annotations} {
		if of := marks[annotationTarget]; of != "" {
			return gateway.TargetID(of)
		}
	}
	return podTarget(&cron.Spec.JobTemplate.Spec.Template.Spec)
}

func podTarget(pod *corev1.PodSpec) gateway.TargetID {
	for _, c := range pod.Containers {
		words := slices.Concat(c.Command, c.Args)
		for i, word := range words {
			if value, ok := strings.CutPrefix(word, "--target="); ok {
				return gateway.TargetID(value)
			}
			if word == "--target" && i+1 < len(words) {
				return gateway.TargetID(words[i+1])
			}
		}
	}
	return ""
}

// A cronChange is what is to become of a CronJob: the mark and the switch; nil
// takes the mark away.
type cronChange struct {
	mark    any
	suspend bool
}

var (
	suspend = cronChange{suspendedByStop, true}
	takeUp  = cronChange{nil, false}
)

// patchCron changes a CronJob as it was seen, and no other: one that somebody
// has changed meanwhile is looked at again, and left if it is suspended then
// as it should be.
func (e *Emergency) patchCron(ctx context.Context, cron *batchv1.CronJob, to cronChange) (*batchv1.CronJob, error) {
	api := e.Cluster.BatchV1().CronJobs(e.Namespace)
	for try := 1; ; try++ {
		patch, err := json.Marshal(map[string]any{
			"metadata": map[string]any{"resourceVersion": cron.ResourceVersion, "annotations": map[string]any{annotationSuspended: to.mark}},
			"spec":     map[string]any{"suspend": to.suspend},
		})
		if err != nil {
			return nil, fmt.Errorf("writing the patch of the CronJob %s: %w", cron.Name, err)
		}
		after, err := api.Patch(ctx, cron.Name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: "leviathan-stop"})
		if !apierrors.IsConflict(err) || try == patchTries {
			if err != nil {
				return nil, apiError("changing the CronJob "+cron.Name, err)
			}
			return after, nil
		}
		if cron, err = api.Get(ctx, cron.Name, metav1.GetOptions{}); err != nil {
			return nil, apiError("looking at the CronJob again", err)
		}
		var now cronSeen
		if now.see(cron); now.suspended == to.suspend || !to.suspend && !now.ours {
			return cron, nil
		}
	}
}

// findings are what is said of the CronJobs and Jobs.
func (c *clusterStop) findings() (found []Finding) {
	if c.problem != nil {
		found = append(found, Finding{"cluster", NotSeen, "what runs in namespace " + c.Namespace + " is not known: " + c.problem.Error()})
	}
	for _, name := range c.unclear {
		found = append(found, Finding{"cronjob/" + name, NotSeen, "it was left: nothing on it says of which target it is. Stop it with --cronjob " + name})
	}
	if len(c.crons) == 0 && len(c.unclear) == 0 && c.problem == nil {
		f := Finding{"cronjob", Nothing, fmt.Sprintf("namespace %s has no CronJob with the label %s=%s of %s", c.Namespace, labelApp, appScheduler, c.whom())}
		if c.CronJobExpected {
			f.Outcome = NotSeen
			f.Detail += ": see whether --namespace and --target are right"
		}
		found = append(found, f)
	}
	for _, name := range slices.Sorted(maps.Keys(c.crons)) {
		found = append(found, c.crons[name].finding(name))
	}
	for _, job := range slices.SortedFunc(maps.Values(c.jobs), func(a, b *jobSeen) int { return strings.Compare(a.name, b.name) }) {
		found = append(found, job.finding())
	}
	return found
}

func (s *cronSeen) finding(name string) Finding {
	f := Finding{What: "cronjob/" + name, Outcome: Stopped}
	switch {
	case s.gone:
		f.Detail = "it is not there any more"
	case s.suspended && s.ours:
		f.Detail = "suspended: it begins no run"
	case s.suspended:
		f.Detail = "suspended, and not by this command: `leviathan resume` leaves it so"
	case s.problem != nil:
		f.Outcome, f.Detail = NotSeen, "it is not suspended: "+s.problem.Error()
	default:
		f.Outcome, f.Detail = NotSeen, "it is not suspended: somebody took it up again"
	}
	return f
}
