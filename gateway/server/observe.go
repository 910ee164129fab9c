package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"leviathan/gateway"
	"leviathan/gateway/autonomy"
	"leviathan/gateway/backlog"
	"leviathan/gateway/engine"
	"leviathan/gateway/forge"
	"leviathan/gateway/journal"
	"leviathan/gateway/repository"
)

const (
	backlogPath  = ".leviathan/backlog.yaml"
	policyPath   = ".leviathan/policy.yaml"
	backlogMax   = 4 * mib
	policyMax    = 256 * kib
	observeLimit = time.Minute
)

// observe looks at the upstream and the forge of a target. One observation is
// under way at a time; a later caller waits for it and shares what it saw. A
// failure is a fact too: it is kept with what was seen before, and the policy
// decides what an old fact is worth.
func (s *Server) observe(ctx context.Context, t *target) {
	t.mu.Lock()
	if f := t.flight; f != nil {
		t.mu.Unlock()
		select {
		case <-f.done:
		case <-ctx.Done():
		}
		return
	}
	f := &flight{done: make(chan struct{})}
	t.flight = f
	t.mu.Unlock()
	defer func() {
		t.mu.Lock()
		t.flight = nil
		t.mu.Unlock()
		close(f.done)
	}()
	// The observation outlives a caller that gives up: others may share it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), observeLimit)
	defer cancel()
	s.look(ctx, t)
}

// look makes one observation.
func (s *Server) look(ctx context.Context, t *target) {
	cfg := s.targets.Check(t.id)
	if cfg.Config == nil {
		return
	}
	next := *t.facts()
	mirror, fg, err := s.open(ctx, t, cfg.Config)
	if err != nil {
		next.mirrorErr, next.forgeErr = problemText(err), problemText(err)
		t.seen.Store(&next)
		return
	}
	if err := s.lookAtMirror(ctx, mirror, cfg.Config, &next); err != nil {
		next.mirrorErr = problemText(err)
		s.log.Warn("observing the upstream", "target", t.id, "error", err)
	} else {
		next.mirrorAt, next.mirrorErr = s.now(), ""
	}
	if until := t.quietUntil(); s.now().Before(until) && next.forgeErr != "" {
		s.log.Debug("the forge is left alone", "target", t.id, "until", until)
	} else if err := s.lookAtForge(ctx, t, fg, cfg.Config, &next); err != nil {
		next.forgeErr = problemText(err)
		if until := t.leaveAlone(err, s.now()); !until.IsZero() {
			next.forgeErr += "; asked again at " + gateway.At(until).String()
		}
		s.log.Warn("observing the forge", "target", t.id, "error", err)
	} else {
		next.forgeAt, next.forgeErr = s.now(), ""
		s.probeFirst(ctx, t, fg, cfg.Config.TargetBranch)
	}
	t.seen.Store(&next)
	s.lookAround(t, fg, cfg.Config)
}

// lookAtMirror fetches the upstream and reads backlog and target policy at
// the head of the target branch. Both are parsed again only when the head or
// the config has changed.
func (s *Server) lookAtMirror(ctx context.Context, m *repository.Mirror, cfg *autonomy.Config, next *facts) error {
	if _, err := m.Fetch(ctx, cfg.TargetBranch); err != nil {
		return fmt.Errorf("fetching %s: %w", cfg.TargetBranch, err)
	}
	head, err := m.Head(cfg.TargetBranch)
	if err != nil {
		return fmt.Errorf("branch %s: %w", cfg.TargetBranch, err)
	}
	if head == next.head && cfg.Digest == next.configDigest {
		return nil
	}
	parsed := facts{head: head, configDigest: cfg.Digest}
	if err := readBacklog(ctx, m, head, cfg, &parsed); err != nil {
		return err
	}
	if err := readPolicy(ctx, m, head, &parsed); err != nil {
		return err
	}
	parsed.mirrorAt, parsed.mirrorErr = next.mirrorAt, next.mirrorErr
	parsed.forgeAt, parsed.forgeErr, parsed.unlisted = next.forgeAt, next.forgeErr, next.unlisted
	*next = parsed
	return nil
}

// backlogInput is the backlog as the policy sees it.
type backlogInput struct {
	Commit     gateway.OID                     `json:"commit"`
	MaxOpenPRs int                             `json:"max_open_prs"`
	Tasks      map[gateway.TaskID]gateway.Task `json:"tasks"`
	Order      map[gateway.TaskID]int          `json:"order"`
	Invalid    map[gateway.TaskID]invalidTask  `json:"invalid"`
}

func readBacklog(ctx context.Context, m *repository.Mirror, head gateway.OID, cfg *autonomy.Config, into *facts) error {
	data, err := m.ReadFile(ctx, head, backlogPath, backlogMax)
	if errors.Is(err, gateway.ErrNotFound) {
		return fmt.Errorf("%s is not in branch %s at %s; commit one", backlogPath, cfg.TargetBranch, head[:12])
	}
	if err != nil {
		return fmt.Errorf("reading %s at %s: %w", backlogPath, head[:12], err)
	}
	file, err := backlog.Parse(backlogPath, data)
	if err != nil {
		return fmt.Errorf("%s at %s: %w", backlogPath, head[:12], err)
	}
	in := backlogInput{Commit: head, MaxOpenPRs: file.MaxOpenPRs, Tasks: map[gateway.TaskID]gateway.Task{},
		Order: map[gateway.TaskID]int{}, Invalid: map[gateway.TaskID]invalidTask{}}
	for i, task := range file.Tasks {
		task.Digest = backlog.Digest(task, cfg.DefaultAgentName())
		in.Tasks[task.ID], in.Order[task.ID] = task, i
		into.order = append(into.order, task.ID)
	}
	for _, entry := range file.Invalid {
		id := entry.ID
		if id == "" {
			id = gateway.TaskID(fmt.Sprintf("line-%d", entry.Line))
		}
		in.Invalid[id] = invalidTask{Line: entry.Line, Reasons: entry.Reasons}
	}
	for _, d := range file.Diagnostics {
		into.warnings = append(into.warnings, d.String())
	}
	into.tasks, into.invalid, into.maxOpenPRs = in.Tasks, in.Invalid, file.MaxOpenPRs
	into.backlogPart, err = engine.NewPart("backlog", in)
	return err
}

// policyInput is the target's own policy as the policy sees it.
type policyInput struct {
	Known  bool                  `json:"known"`
	State  string                `json:"state"`
	Reason string                `json:"reason"`
	Values *backlog.TargetPolicy `json:"values"`
}

func readPolicy(ctx context.Context, m *repository.Mirror, head gateway.OID, into *facts) error {
	in := policyInput{Known: true, State: "absent"}
	data, err := m.ReadFile(ctx, head, policyPath, policyMax)
	switch {
	case errors.Is(err, gateway.ErrNotFound):
	case err != nil:
		return fmt.Errorf("reading %s at %s: %w", policyPath, head[:12], err)
	default:
		policy, diagnostics, err := backlog.ParsePolicy(policyPath, data)
		in.State, in.Values = "valid", policy
		if err != nil {
			in.State, in.Reason, in.Values = "invalid", err.Error(), nil
			into.policyProblem = err.Error()
		}
		for _, d := range diagnostics {
			into.warnings = append(into.warnings, d.String())
		}
	}
	into.policyPart, err = engine.NewPart("target_policy", in)
	return err
}

// lookAtForge asks the forge for every pull request that the journal has not
// seen end, and journals what ended.
func (s *Server) lookAtForge(ctx context.Context, t *target, fg forge.Forge, cfg *autonomy.Config, next *facts) error {
	state, err := s.journal.State(t.id)
	if err != nil {
		return err
	}
	known := make([]forge.Known, 0, len(state.PullRequests))
	for _, pr := range state.PullRequests {
		a, ok, err := s.journal.Attempt(ctx, pr.AttemptID)
		if err != nil {
			return err
		}
		if ok {
			known = append(known, forge.Known{Number: pr.Number, Attempt: pr.AttemptID, Head: pr.Commit, BaseCommit: a.BaseCommit, TextDigest: pr.TextDigest})
		}
	}
	seen, err := fg.Observe(ctx, cfg.TargetBranch, known)
	if err != nil {
		return err
	}
	unlisted := make([]journal.UnlistedPull, 0, len(seen.Unlisted))
	for _, pr := range seen.Unlisted {
		unlisted = append(unlisted, journal.UnlistedPull{Number: pr.Number, Branch: pr.Branch})
	}
	changed := !slices.Equal(unlisted, next.unlisted)
	if err := s.recordForge(ctx, t, seen, unlisted, changed); err != nil {
		return fmt.Errorf("journalling what the forge showed: %w", err)
	}
	next.unlisted = unlisted
	return nil
}

// recordForge journals merges and closes, each once, what is new of the open
// ones, and a changed list of pull requests that the journal does not know.
func (s *Server) recordForge(ctx context.Context, t *target, seen forge.Observation, unlisted []journal.UnlistedPull, changed bool) error {
	state, err := s.journal.State(t.id)
	if err != nil {
		return err
	}
	before := map[gateway.AttemptID]*journal.PullRequest{}
	for _, pr := range state.PullRequests {
		before[pr.AttemptID] = pr
	}
	news := slices.DeleteFunc(slices.Clone(seen.Known), func(pr forge.PullRequest) bool {
		return pr.State == gateway.PullRequestOpen && (before[pr.Attempt] == nil || !looksOther(before[pr.Attempt], pr))
	})
	if len(news) == 0 && !changed {
		return nil
	}
	return s.journal.Commit(ctx, func(tx *journal.Tx) error {
		for _, pr := range news {
			record := s.recordEnded
			if pr.State == gateway.PullRequestOpen {
				record = s.recordSeen
			}
			if err := record(tx, t, pr); err != nil {
				return err
			}
		}
		if !changed {
			return nil
		}
		return event(tx, self.id, journal.ForgeObserved{Subject: journal.Subject{TargetID: t.id}, ObservedAt: gateway.At(s.now()), Source: "forge", Unlisted: unlisted})
	})
}

// looksOther reports whether an open pull request is not as it was seen last.
// Once it was taken over by a human it stays so.
func looksOther(last *journal.PullRequest, pr forge.PullRequest) bool {
	return last.State == gateway.PullRequestOpen && (last.Review != string(pr.Review) || last.Conflicts != pr.Conflicts || !last.Edited && pr.Edited)
}

// recordSeen journals what an open pull request looks like.
func (s *Server) recordSeen(tx *journal.Tx, _ *target, pr forge.PullRequest) error {
	a, ok, err := tx.Attempt(pr.Attempt)
	if err != nil || !ok || a.PullRequest == nil || !looksOther(a.PullRequest, pr) {
		return err // seen by an earlier observation
	}
	return event(tx, self.id, journal.PullObserved{Subject: subject(a), PRNumber: pr.Number, Review: string(pr.Review), Conflicts: pr.Conflicts,
		Edited: pr.Edited || a.PullRequest.Edited, ObservedAt: gateway.At(s.now())})
}

func (s *Server) recordEnded(tx *journal.Tx, t *target, pr forge.PullRequest) error {
	a, ok, err := tx.Attempt(pr.Attempt)
	if err != nil || !ok || !holdsSlot(a.PullRequest) {
		return err // seen by an earlier observation
	}
	if a.PullRequest.State == gateway.PullRequestIntended { // its receipt was lost, and a human was quicker than the clockwork
		if err := createdPull(tx, a, pr, a.PullRequest.Title); err != nil {
			return err
		}
	}
	if pr.State == gateway.PullRequestClosed {
		return event(tx, self.id, journal.PullClosed{Subject: subject(a), PRNumber: pr.Number, PRURL: pr.URL, How: pr.How})
	}
	if err := event(tx, self.id, journal.PullMerged{Subject: subject(a), PRNumber: pr.Number, PRURL: pr.URL, How: pr.How, MergeCommit: pr.MergeCommit}); err != nil {
		return err
	}
	return event(tx, self.id, journal.TaskCompleted{Subject: journal.Subject{TargetID: t.id, TaskID: a.TaskID}, PRNumber: pr.Number, Reason: "its pull request was merged"})
}

// event appends one of the gateway's own events. The actor is the token that
// asked for what happened.
func event(tx *journal.Tx, actor string, payload journal.Payload) error {
	if _, err := tx.Append(journal.NewEvent(actor, payload)); err != nil {
		return fmt.Errorf("appending %s: %w", payload.EventType(), err)
	}
	return nil
}

// statePart is the journal's state as the policy sees it: whole for the plan,
// and with the history of the question's own task for all other actions.
func (t *target) statePart(q *question, at gateway.Time, state *journal.State) (engine.Part, error) {
	seen := *state
	seen.ReservedToday = state.Today(at)
	if q.action != gateway.ActionCyclePlan {
		seen.ReservedUS, seen.OpenPulls = nil, nil
		task := q.taskID()
		seen.Tasks = map[gateway.TaskID]*journal.TaskState{}
		if history, ok := state.Tasks[task]; ok {
			seen.Tasks[task] = history
		}
		return engine.NewPart("state", seen)
	}
	if c := t.states.Load(); c != nil && c.seq == state.FactsSeq && c.today == seen.ReservedToday {
		return c.part, nil
	}
	part, err := engine.NewPart("state", seen)
	if err != nil {
		return engine.Part{}, err
	}
	t.states.Store(&stateParts{seq: state.FactsSeq, today: seen.ReservedToday, part: part})
	return part, nil
}
