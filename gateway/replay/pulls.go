package replay

import (
	"context"
	"maps"
	"slices"

	"leviathan/gateway"
	"leviathan/gateway/journal"
)

// stops remember which attempts another policy would have stopped, each with
// the first decision that does.
type stops struct {
	attempts map[gateway.AttemptID]gateway.DecisionID
	plans    map[planned]gateway.DecisionID
}

// A planned task is one that a plan reserved.
type planned struct {
	decision gateway.DecisionID
	task     gateway.TaskID
}

// onTheWay are the actions without which there is no pull request.
var onTheWay = map[string]bool{
	gateway.ActionAttemptStart: true, gateway.ActionAgentRun: true, gateway.ActionChangePush: true, gateway.ActionPullRequestOpen: true,
}

// note takes a flip: an attempt's own step that is denied now, or a plan that
// does not reserve some tasks any more.
func (s *stops) note(f gateway.Flip, dropped []gateway.TaskID) {
	if f.DryRun {
		return
	}
	if s.attempts == nil {
		s.attempts, s.plans = map[gateway.AttemptID]gateway.DecisionID{}, map[planned]gateway.DecisionID{}
	}
	for _, task := range dropped {
		s.plans[planned{f.Decision, task}] = f.Decision
	}
	denied := f.Class == gateway.FlipAllowToDeny || f.Class == gateway.FlipError
	if _, known := s.attempts[f.Attempt]; denied && !known && f.Attempt != "" && onTheWay[f.Action] {
		s.attempts[f.Attempt] = f.Decision
	}
}

// findPulls lists the pull requests of the attempts that would have been
// stopped.
func (r *run) findPulls(ctx context.Context, j *journal.Journal) error {
	r.report.PullRequests = []gateway.LostPull{}
	for _, target := range slices.Sorted(maps.Keys(r.groups[byTarget])) {
		if err := r.pullsOf(ctx, j, gateway.TargetID(target)); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) pullsOf(ctx context.Context, j *journal.Journal, target gateway.TargetID) error {
	for page := (journal.Page{Limit: 1000}); ; {
		list, err := j.PullRequests(ctx, target, page)
		if err != nil {
			return err
		}
		for _, pr := range list.Items {
			by, ok := r.stops.attempts[pr.AttemptID]
			if !ok {
				a, found, err := j.Attempt(ctx, pr.AttemptID)
				if err != nil {
					return err
				}
				if !found {
					continue
				}
				if by, ok = r.stops.plans[planned{a.DecisionID, a.TaskID}]; !ok {
					continue
				}
			}
			r.report.PullRequests = append(r.report.PullRequests, gateway.LostPull{Target: pr.Target, Task: pr.TaskID, Attempt: pr.AttemptID,
				Number: pr.Number, URL: pr.URL, DecisionID: by})
		}
		if page.Token = list.NextPageToken; page.Token == "" {
			return nil
		}
	}
}
