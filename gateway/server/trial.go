package server

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"leviathan/gateway"
	"leviathan/gateway/autonomy"
	"leviathan/gateway/engine"
	"leviathan/gateway/journal"
)

// maxTried is how many tasks one answer tells of.
const maxTried = 1000

// tryLimit shows the next plan as it is and with another value of one limit.
// Like the list of tasks it evaluates and decides nothing: no attempt is
// reserved, nothing is journalled, and the config stays as it is. It pays for
// two evaluations.
func (s *Server) tryLimit(w http.ResponseWriter, r *http.Request, p principal) error {
	id := gateway.TargetID(fields(r)["target"])
	if !s.knows(id) {
		return gateway.Errorf(gateway.NotFound, "no config names target %q", id)
	}
	value, err := strconv.Atoi(r.URL.Query().Get("value"))
	if err != nil {
		return &gateway.Error{Kind: gateway.Invalid, Field: "value", Detail: "value is a whole number"}
	}
	cfg := s.targets.Check(id)
	if !cfg.Valid || cfg.Config == nil {
		return gateway.Errorf(gateway.Conflict, "the config of target %s is not valid, so no other value can be tried: %s", id, cfg.Reason)
	}
	trial := gateway.PlanTrial{Target: id, Key: r.URL.Query().Get("key"), Then: value}
	with, now, err := cfg.Config.With(trial.Key, value)
	if err != nil {
		return err
	}
	if err := s.limits.allow(p, s.now(), 2); err != nil {
		return err
	}
	trial.Now = now
	if err := s.plansWith(r.Context(), s.lookup(id), cfg, with, &trial); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, trial)
}

// plansWith evaluates the next plan with the config as it is and with another,
// on the same facts and by the same policy, and fills the trial.
func (s *Server) plansWith(ctx context.Context, t *target, cfg autonomy.State, with *autonomy.Config, trial *gateway.PlanTrial) error {
	s.refresh(ctx, t)
	seen := t.facts()
	if seen.backlogPart.Name == "" {
		return &gateway.Error{Kind: gateway.Unknown, Detail: "the backlog cannot be read: " + seen.mirrorErr}
	}
	state, err := s.journal.State(t.id)
	if err != nil {
		return unrecorded(err)
	}
	at := s.journalNow()
	q := question{action: gateway.ActionCyclePlan, by: principal{role: gateway.RoleScheduler, id: "trial"}, target: t.id, dry: true,
		resource: gateway.Entity{Type: "target", ID: string(t.id)}, request: gateway.CycleRequest{}}
	in, err := s.input(&q, at, state)
	if err != nil {
		return gateway.Errorf(gateway.Invalid, "the question cannot be put to the policy: %v", err)
	}
	policy := s.engine.Current()
	trial.AsOf, trial.Revision, trial.PolicyDigest = at, policy.Revision(), policy.Digest()
	var plans [2]tried
	for i, config := range []*autonomy.Config{cfg.Config, with} {
		part, err := engine.NewPart("config", configPart{State: "valid", Digest: config.Digest, Values: config, Reason: cfg.Reason})
		if err != nil {
			return err
		}
		asked := slices.Clone(in)
		if j := slices.IndexFunc(asked, func(p engine.Part) bool { return p.Name == "config" }); j >= 0 {
			asked[j] = part
		}
		if plans[i], err = s.planTried(ctx, policy, asked, &q, state); err != nil {
			return err
		}
	}
	compareTried(trial, plans[0], plans[1], seen)
	return nil
}

// A tried is one of the two plans.
type tried struct {
	verdict gateway.PlanVerdict
	tasks   map[gateway.TaskID]gateway.TaskVerdict
}

func (s *Server) planTried(ctx context.Context, policy *engine.Snapshot, in engine.Input, q *question, state *journal.State) (tried, error) {
	began := time.Now()
	result := s.evaluations.run(ctx, q.action, func() engine.Result { return policy.Decide(ctx, q.action, in) })
	s.metrics.evaluation.Observe(time.Since(began).Seconds())
	if err := ctx.Err(); err != nil {
		return tried{}, err
	}
	d := &decided{action: q.action, state: state}
	d.answer(result)
	plan, err := planOf(d)
	if err != nil {
		return tried{}, err
	}
	t := tried{gateway.PlanVerdict{Decision: d.Allow, Reasons: d.Reasons}, map[gateway.TaskID]gateway.TaskVerdict{}}
	for id, skip := range plan.Skip {
		t.tasks[id] = gateway.TaskVerdict{Reasons: append([]gateway.Reason{}, skip.Reasons...), NextEligibleAt: skip.at()}
	}
	if d.Allow { // a plan that is denied as a whole reserves nothing
		t.verdict.Reserved = len(plan.Reserve)
		for _, a := range plan.Reserve {
			t.tasks[a.TaskID] = gateway.TaskVerdict{Reserved: true, Reasons: []gateway.Reason{}}
		}
	}
	return t, nil
}

// of is what the plan says of a task. One that it says nothing of is held back
// by what holds the whole plan back.
func (t tried) of(id gateway.TaskID) gateway.TaskVerdict {
	if v, ok := t.tasks[id]; ok {
		return v
	}
	return gateway.TaskVerdict{Reasons: t.verdict.Reasons}
}

// compareTried fills a trial with what two plans say.
func compareTried(trial *gateway.PlanTrial, now, then tried, seen *facts) {
	trial.PlanNow, trial.PlanThen, trial.Tasks = now.verdict, then.verdict, []gateway.TriedTask{}
	for _, id := range seen.order {
		one := gateway.TriedTask{TaskID: id, Title: seen.tasks[id].Title, Now: now.of(id), Then: then.of(id)}
		one.Differs = one.Now.Reserved != one.Then.Reserved || !one.Now.NextEligibleAt.Equal(one.Then.NextEligibleAt.Time) ||
			!slices.Equal(codesOf(one.Now.Reasons), codesOf(one.Then.Reasons))
		switch {
		case !one.Differs && !one.Now.Reserved:
			trial.Same++
		case len(trial.Tasks) < maxTried:
			trial.Tasks = append(trial.Tasks, one)
		default:
			trial.Truncated = true
		}
	}
}

// codesOf are the codes of reasons, sorted, each once.
func codesOf(reasons []gateway.Reason) []string {
	codes := map[string]bool{}
	for _, r := range reasons {
		codes[r.Code] = true
	}
	return sortedKeys(codes)
}
