package scheduler

import "context"

// Resume takes up the CronJobs that Stop suspended, and leaves those that
// somebody else did. It does not lift a halt: that comes first, and is the
// gateway's.
func (e *Emergency) Resume(ctx context.Context) []Finding {
	if e.Cluster == nil {
		return []Finding{e.noCluster()}
	}
	crons, err := e.cronJobs(ctx)
	if err != nil {
		return []Finding{{"cluster", NotSeen, "no CronJob was taken up: " + err.Error()}}
	}
	if len(crons) == 0 {
		f := Finding{"cronjob", Nothing, "namespace " + e.Namespace + " has no CronJob with the label " + labelApp + "=" + appScheduler + " of " + e.whom()}
		if e.CronJobExpected {
			f.Outcome = NotSeen
		}
		return []Finding{f}
	}
	var found []Finding
	for i := range crons {
		cron := &crons[i]
		f := Finding{What: "cronjob/" + cron.Name, Outcome: Nothing}
		var seen cronSeen
		switch seen.see(cron); {
		case e.CronJob == "" && e.Target != "" && cronTarget(cron) == "":
			f.Detail = "it was left: nothing on it says of which target it is"
		case !seen.ours && seen.suspended:
			f.Detail = "it is suspended, and not by `leviathan stop`: it was left so"
		case !seen.ours:
			f.Detail = "it is not suspended"
		default:
			f.Outcome, f.Detail = Resumed, "it runs on its schedule again"
			after, err := e.patchCron(ctx, cron, takeUp)
			if err != nil {
				f.Outcome, f.Detail = NotSeen, "it was not taken up: "+err.Error()
			} else if seen.see(after); seen.suspended {
				f.Outcome, f.Detail = NotSeen, "it was taken up and is suspended again"
			}
		}
		found = append(found, f)
	}
	return found
}
