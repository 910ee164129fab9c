package server

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"leviathan/gateway"
	"leviathan/gateway/autonomy"
	"leviathan/gateway/journal"
)

// tokenGrace is what an attempt's token outlives its longest run by.
const tokenGrace = 10 * time.Minute

// planObligations is the policy's answer to cycle.plan.
type planObligations struct {
	Reserve  []plannedAttempt               `json:"reserve"`
	Skip     map[gateway.TaskID]plannedSkip `json:"-"` // read by planOf
	Block    []gateway.TaskID               `json:"block"`
	HalfOpen bool                           `json:"half_open"`
	Limits   map[string]int                 `json:"limits"`
}

type plannedAttempt struct {
	TaskID        gateway.TaskID `json:"task_id"`
	AttemptNumber int            `json:"attempt_number"`
	Agent         string         `json:"agent"`
	Probe         bool           `json:"probe"`
}

type plannedSkip struct {
	Reasons        []gateway.Reason `json:"reasons"`
	NextEligibleUS *int64           `json:"next_eligible_us"`
}

// planOf reads the plan in an answer. Most skipped tasks of a large backlog are
// skipped for the same reasons, so each text of them is decoded once.
func planOf(d *decided) (plan planObligations, err error) {
	members, err := d.result.Members()
	if err != nil {
		return plan, fmt.Errorf("decision %s: %w", d.ID, err)
	}
	delete(members, "skip")
	few, err := json.Marshal(members)
	if err != nil {
		return plan, fmt.Errorf("decision %s: writing the obligations of %s: %w", d.ID, d.action, err)
	}
	if err := json.Unmarshal(few, &plan); err != nil {
		return plan, fmt.Errorf("decision %s: obligations of %s: %w", d.ID, d.action, err)
	}
	skips, err := d.result.Members("skip")
	if err != nil {
		return plan, fmt.Errorf("decision %s: %w", d.ID, err)
	}
	plan.Skip = make(map[gateway.TaskID]plannedSkip, len(skips))
	read := map[string]plannedSkip{}
	for id, text := range skips {
		skip, ok := read[string(text)]
		if !ok {
			if err := json.Unmarshal(text, &skip); err != nil {
				return plan, fmt.Errorf("decision %s: why task %s is skipped: %w", d.ID, id, err)
			}
			read[string(text)] = skip
		}
		plan.Skip[gateway.TaskID(id)] = skip
	}
	return plan, nil
}

// at is when the task may become eligible by time alone; zero if time alone
// will not do.
func (p plannedSkip) at() gateway.Time {
	if p.NextEligibleUS == nil {
		return gateway.Time{}
	}
	return gateway.At(time.UnixMicro(*p.NextEligibleUS))
}

// cycle plans a target's backlog: observe, decide, and reserve in the
// decision's own transaction, so that no limit can be raced past.
func (s *Server) cycle(w http.ResponseWriter, r *http.Request, p principal) error {
	var req gateway.CycleRequest
	if err := readJSON(r, &req); err != nil {
		return err
	}
	if req.Capacity != nil && *req.Capacity < 0 {
		return &gateway.Error{Kind: gateway.Invalid, Field: "capacity", Detail: "capacity cannot be negative"}
	}
	id := gateway.TargetID(fields(r)["target"])
	if !s.knows(id) {
		return gateway.Errorf(gateway.NotFound, "no config names target %q; GET /v1/autonomy/status lists those that are loaded", id)
	}
	t := s.lookup(id)
	if p.role == gateway.RoleScheduler || p.role == gateway.RoleOperator { // others cause no traffic; the policy answers them
		s.observe(r.Context(), t)
	}
	result := gateway.CycleResult{CycleID: ulid.Make().String(), Target: id, HeadCommit: t.facts().head}
	var plan planObligations
	d, err := s.decide(r.Context(), question{action: gateway.ActionCyclePlan, by: p, target: id,
		resource: gateway.Entity{Type: "target", ID: string(id)}, request: req,
		prepare: func(d *decided) (err error) {
			plan, err = planOf(d)
			return err
		},
		effect: func(tx *journal.Tx, d *decided) error { return s.reserve(tx, t, d, plan, &result) }})
	if err != nil {
		return err
	}
	if notAllowedToAsk(d) {
		return d.refusal()
	}
	result.DecisionID, result.Reasons = d.ID, d.Reasons
	if err := s.fillCycle(r.Context(), t, d, plan, &result); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, result)
}

// notAllowedToAsk reports whether a plan was denied because of who asks. That
// is no outcome of a cycle, and says nothing about the backlog.
func notAllowedToAsk(d *decided) bool {
	return slices.ContainsFunc(d.Reasons, func(r gateway.Reason) bool { return strings.HasPrefix(r.Code, "access.") })
}

// outcome is what one word says about a plan.
func outcome(d *decided, reserved int) string {
	switch {
	case slices.ContainsFunc(d.Reasons, func(r gateway.Reason) bool { return isUnknown(r.Code) }):
		return gateway.CycleUnknown
	case !d.Allow:
		return gateway.CycleDenied
	case reserved > 0:
		return gateway.CycleWorked
	}
	return gateway.CycleIdle
}

// reserve is the effect of a plan: attempts that the policy reserved, tasks
// that it blocked, and the fact that a cycle happened.
func (s *Server) reserve(tx *journal.Tx, t *target, d *decided, plan planObligations, result *gateway.CycleResult) error {
	if notAllowedToAsk(d) {
		return nil
	}
	cfg, seen := s.targets.Check(t.id), t.facts()
	reserved := []gateway.AttemptID{}
	if d.Allow {
		if !sameGround(d, cfg, seen) {
			return errMoved // a reservation is made of what was judged, and of nothing newer
		}
		result.HeadCommit = seen.head
		if err := s.registerTarget(tx, t, d, cfg.Config); err != nil {
			return err
		}
		for _, id := range plan.Block {
			if err := s.block(tx, t, d, seen, id); err != nil {
				return err
			}
		}
		for _, planned := range plan.Reserve {
			id, err := s.create(tx, t, d, cfg.Config, seen, planned)
			if err != nil {
				return err
			}
			reserved = append(reserved, id)
		}
	}
	result.Outcome = outcome(d, len(reserved))
	return event(tx, d.by, journal.CycleCompleted{Subject: journal.Subject{TargetID: t.id}, CycleID: result.CycleID, DecisionID: d.ID,
		HeadCommit: result.HeadCommit, Outcome: result.Outcome, Reserved: reserved, Skipped: len(plan.Skip)})
}

// sameGround reports whether config and backlog are still those that the
// decision was made on.
func sameGround(d *decided, cfg autonomy.State, seen *facts) bool {
	same := 0
	for _, part := range d.input {
		switch part.Name {
		case "backlog":
			if part.Digest == seen.backlogPart.Digest {
				same++
			}
		case "config":
			var told struct {
				Digest string `json:"digest"`
			}
			if json.Unmarshal(part.JSON, &told) == nil && cfg.Valid && cfg.Config != nil && told.Digest == cfg.Digest {
				same++
			}
		}
	}
	return same == 2
}

// registerTarget journals a target when it is first governed.
func (s *Server) registerTarget(tx *journal.Tx, t *target, d *decided, cfg *autonomy.Config) error {
	if d.state.Registered != nil {
		return nil
	}
	return event(tx, d.by, journal.TargetRegistered{Subject: journal.Subject{TargetID: t.id}, Name: string(t.id),
		RepoURL: cfg.TargetRepoURL, DefaultBranch: cfg.TargetBranch})
}

// meet journals a task when something first happens to it.
func (s *Server) meet(tx *journal.Tx, t *target, d *decided, task gateway.Task) error {
	if _, known := d.state.Tasks[task.ID]; known {
		return nil
	}
	return event(tx, d.by, journal.TaskCreated{Subject: journal.Subject{TargetID: t.id, TaskID: task.ID}, Title: task.Title, Scope: task.Scope,
		Priority: task.Priority, EstimatedSize: task.EstimatedSize, AllowedPaths: task.AllowedPaths, AcceptanceCriteria: task.AcceptanceCriteria,
		Dependencies: task.Dependencies, Status: task.Status})
}

func (s *Server) block(tx *journal.Tx, t *target, d *decided, seen *facts, id gateway.TaskID) error {
	task, ok := seen.tasks[id]
	if !ok {
		return gateway.Errorf(gateway.InternalError, "the policy blocks task %q, which is not in the backlog", id)
	}
	if err := s.meet(tx, t, d, task); err != nil {
		return err
	}
	return event(tx, d.by, journal.TaskBlocked{Subject: journal.Subject{TargetID: t.id, TaskID: id}, Digest: task.Digest, Reason: "its attempts are used up"})
}

// create reserves one attempt.
func (s *Server) create(tx *journal.Tx, t *target, d *decided, cfg *autonomy.Config, seen *facts, planned plannedAttempt) (gateway.AttemptID, error) {
	task, ok := seen.tasks[planned.TaskID]
	if !ok {
		return "", gateway.Errorf(gateway.InternalError, "the policy reserves task %q, which is not in the backlog", planned.TaskID)
	}
	if err := s.meet(tx, t, d, task); err != nil {
		return "", err
	}
	id := gateway.AttemptID(ulid.Make().String())
	timeout := cfg.AttemptTimeoutSeconds
	if task.TimeoutSeconds > 0 {
		timeout = min(timeout, task.TimeoutSeconds)
	}
	created := tx.Now()
	about := journal.Subject{TargetID: t.id, TaskID: task.ID, AttemptID: id}
	err := event(tx, d.by, journal.AttemptCreated{Subject: about,
		AttemptNumber: planned.AttemptNumber, Status: gateway.Reserved, Task: task, Digest: task.Digest, Agent: planned.Agent, BaseCommit: seen.head,
		Branch: id.Branch(), Probe: planned.Probe, TimeoutSeconds: int64(timeout), LeaseSeconds: int64(cfg.Limits.LeaseSeconds),
		StartDeadline: gateway.At(created.Add(time.Duration(cfg.Limits.StartDeadlineSeconds) * time.Second)), DecisionID: d.ID, TraceParent: d.trace})
	if err != nil || !planned.Probe {
		return id, err
	}
	return id, event(tx, d.by, journal.CircuitHalfOpened{Subject: about, Probe: id})
}

// fillCycle completes the answer: every attempt that waits for a worker, with
// its token, and every other task with its reasons.
func (s *Server) fillCycle(ctx context.Context, t *target, d *decided, plan planObligations, result *gateway.CycleResult) error {
	state, err := s.journal.State(t.id)
	if err != nil {
		return err
	}
	result.Reserved = []gateway.Reservation{}
	cfg := s.targets.Check(t.id).Config
	if d.Allow && cfg != nil {
		for _, a := range liveAttempts(state) {
			if a.State != gateway.Reserved {
				continue
			}
			reservation, err := s.reservation(ctx, t, cfg, a)
			if err != nil {
				return err
			}
			result.Reserved = append(result.Reserved, reservation)
		}
	}
	result.Skipped = make([]gateway.Skipped, 0, len(plan.Skip))
	for id, skip := range plan.Skip {
		result.Skipped = append(result.Skipped, gateway.Skipped{TaskID: id, Reasons: skip.Reasons, NextEligibleAt: skip.at()})
	}
	slices.SortFunc(result.Skipped, func(a, b gateway.Skipped) int { return strings.Compare(string(a.TaskID), string(b.TaskID)) })
	if cfg != nil {
		result.NextCycleAt = gateway.At(cfg.Next(s.now()))
	}
	return nil
}

// reservation is what a launcher needs for one attempt. Its base commit is
// pinned in the mirror first, so that it can be cloned while the attempt
// lives, whatever happens upstream.
func (s *Server) reservation(ctx context.Context, t *target, cfg *autonomy.Config, a *journal.Attempt) (gateway.Reservation, error) {
	mirror, _, err := s.open(ctx, t, cfg)
	if err != nil {
		return gateway.Reservation{}, err
	}
	if err := mirror.Pin(string(a.ID), a.BaseCommit); err != nil {
		return gateway.Reservation{}, err
	}
	claims := claimsOf(t.id, a)
	token, err := s.keys.sign(claims)
	if err != nil {
		return gateway.Reservation{}, err
	}
	agent, _ := cfg.Agent(a.Agent)
	envFrom := agent.EnvFrom
	if envFrom == nil {
		envFrom = []string{}
	}
	return gateway.Reservation{AttemptID: a.ID, TaskID: a.TaskID, AttemptNumber: a.Number, Branch: a.Branch, BaseCommit: a.BaseCommit,
		Token: token, ExpiresAt: gateway.At(claims.ExpiresAt), CloneURL: cloneURL(t.id), TimeoutSeconds: int(a.TimeoutSeconds), Agent: a.Agent,
		StartDeadline: gateway.At(time.UnixMicro(a.StartDeadlineUS)),
		Worker:        gateway.WorkerSpec{Image: cfg.WorkerImage, Namespace: cfg.WorkerNamespace, MemoryMB: agent.MemoryMB, EnvFrom: envFrom}}, nil
}

// claimsOf is what an attempt's token says, from the attempt alone, so that
// it is the same each time.
func claimsOf(target gateway.TargetID, a *journal.Attempt) attemptClaims {
	run := time.Duration(a.TimeoutSeconds)*time.Second + tokenGrace
	return attemptClaims{Attempt: a.ID, Target: target, TaskDigest: a.Digest, Base: a.BaseCommit,
		IssuedAt: time.UnixMicro(a.CreatedUS), ExpiresAt: time.UnixMicro(a.StartDeadlineUS).Add(run)}
}

// liveAttempts are the attempts that have not ended, oldest first.
func liveAttempts(state *journal.State) []*journal.Attempt {
	return slices.SortedFunc(maps.Values(state.Attempts), func(a, b *journal.Attempt) int { return strings.Compare(string(a.ID), string(b.ID)) })
}

// subject names an attempt in the events about it.
func subject(a *journal.Attempt) journal.Subject {
	return journal.Subject{TargetID: a.Target, TaskID: a.TaskID, AttemptID: a.ID}
}

// holdsSlot reports whether a pull request counts as open.
func holdsSlot(pr *journal.PullRequest) bool {
	return pr != nil && (pr.State == gateway.PullRequestIntended || pr.State == gateway.PullRequestOpen)
}

func cloneURL(target gateway.TargetID) string { return "/git/" + string(target) + ".git" }
