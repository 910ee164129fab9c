package journal

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"

	"leviathan/gateway"
)

// A cached is a State with what has changed since it was made.
type cached struct {
	state *State
	// tasks and attempts are to be read again; allTasks and allAttempts are
	// the same since the transaction began, for when a part of it is undone.
	tasks, allTasks       map[gateway.TaskID]struct{}
	attempts, allAttempts map[gateway.AttemptID]struct{}
}

func (c *cached) touch(task gateway.TaskID, attempt gateway.AttemptID) {
	if c.allTasks == nil {
		c.tasks, c.allTasks = map[gateway.TaskID]struct{}{}, map[gateway.TaskID]struct{}{}
		c.attempts, c.allAttempts = map[gateway.AttemptID]struct{}{}, map[gateway.AttemptID]struct{}{}
	}
	if task != "" {
		c.tasks[task], c.allTasks[task] = struct{}{}, struct{}{}
	}
	if attempt != "" {
		c.attempts[attempt], c.allAttempts[attempt] = struct{}{}, struct{}{}
	}
}

// back returns to the committed state; all that the transaction touched is to
// be read again.
func (c *cached) back(committed *cached) {
	c.state = nil
	if committed != nil {
		c.state = committed.state
	}
	if c.allTasks != nil {
		c.tasks, c.attempts = maps.Clone(c.allTasks), maps.Clone(c.allAttempts)
	}
}

// refresh makes the state that of facts_seq seq, reading only what changed.
func (c *cached) refresh(db *conn, target gateway.TargetID, seq int64) error {
	if c.state != nil && c.state.FactsSeq == seq && len(c.attempts) == 0 {
		return nil
	}
	var next *State
	var err error
	switch {
	case c.state == nil:
		next, err = loadState(db, target, seq)
	case c.state.FactsSeq == seq:
		// Only leases and their like moved: the JSON is the same.
		view := *c.state
		next = &view
		err = next.loadAttempts(db, c.attempts)
	default:
		next = c.state.with(seq)
		if err = next.loadTasks(db, c.tasks); err == nil {
			if err = next.loadAttempts(db, c.attempts); err == nil {
				err = next.loadRest(db)
			}
		}
	}
	if err != nil {
		return fmt.Errorf("load state of target %s: %w", target, err)
	}
	c.state = next
	clear(c.tasks)
	clear(c.attempts)
	return nil
}

// loadState reads the whole state.
func loadState(db *conn, target gateway.TargetID, seq int64) (*State, error) {
	s := &State{
		FactsSeq: seq, Target: target, parts: &stateParts{},
		Tasks: map[gateway.TaskID]*TaskState{}, Attempts: map[gateway.AttemptID]*Attempt{},
	}
	err := db.query(context.Background(), selectTask+`WHERE target = ?`, []any{target}, func(r row) error {
		id, t := scanTask(r)
		s.Tasks[id] = t
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = db.query(context.Background(), selectAttempt+`WHERE a.target = ? AND a.live = 1`, []any{target}, func(r row) error {
		a, err := scanAttempt(r)
		if err == nil {
			s.Attempts[a.ID] = a
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return s, s.loadRest(db)
}

const selectTask = `SELECT task, completed, closed_digest, blocked, blocked_digest, digest, attempts, counted, infrastructure,
	last_failure_us, live, open_pr FROM task `

func scanTask(r row) (gateway.TaskID, *TaskState) {
	return gateway.TaskID(r.str(0)), &TaskState{
		Completed: r.bool(1), ClosedDigest: r.str(2), Blocked: r.bool(3), BlockedDigest: r.str(4), Digest: r.str(5),
		Attempts: r.int(6), Counted: r.int(7), Infrastructure: r.int(8), LastFailureUS: r.int64(9),
		Live: gateway.AttemptID(r.str(10)), OpenPR: r.int(11),
	}
}

// loadTasks reads the named tasks again; s.Tasks must be s's own.
func (s *State) loadTasks(db *conn, ids map[gateway.TaskID]struct{}) error {
	for id := range ids {
		r, found, err := db.one(context.Background(), selectTask+`WHERE target = ? AND task = ?`, s.Target, id)
		if err != nil {
			return err
		}
		delete(s.Tasks, id)
		if found {
			_, s.Tasks[id] = scanTask(r)
		}
	}
	return nil
}

// loadAttempts reads the named attempts again into a map of s's own.
func (s *State) loadAttempts(db *conn, ids map[gateway.AttemptID]struct{}) error {
	s.Attempts = maps.Clone(s.Attempts)
	for id := range ids {
		a, err := loadAttempt(context.Background(), db, id)
		if err != nil {
			return err
		}
		delete(s.Attempts, id)
		if a != nil && a.State.Live() && a.Target == s.Target {
			s.Attempts[id] = a
		}
	}
	return nil
}

// loadAttempt reads one attempt, nil when there is none.
func loadAttempt(ctx context.Context, db *conn, id gateway.AttemptID) (*Attempt, error) {
	r, found, err := db.one(ctx, selectAttempt+`WHERE a.attempt = ?`, id)
	if err != nil || !found {
		return nil, err
	}
	a, err := scanAttempt(r)
	if err != nil {
		return nil, fmt.Errorf("read attempt %s: %w", id, err)
	}
	return a, nil
}

// loadRest reads the target's own row, its open pull requests and the halts,
// and counts.
func (s *State) loadRest(db *conn) error {
	if err := s.loadTarget(db); err != nil {
		return err
	}
	if err := s.loadHalts(db); err != nil {
		return err
	}
	s.PullRequests = nil
	err := db.query(context.Background(), selectPull+`WHERE target = ? AND open = 1 ORDER BY intended_us, attempt`, []any{s.Target},
		func(r row) error {
			s.PullRequests = append(s.PullRequests,
				scanPull(r[3:], gateway.AttemptID(r.str(0)), gateway.TaskID(r.str(1)), gateway.TargetID(r.str(2))))
			return nil
		})
	if err != nil {
		return err
	}
	s.OpenPulls = make([]OpenPull, 0, len(s.PullRequests))
	for _, p := range s.PullRequests {
		s.OpenPulls = append(s.OpenPulls, OpenPull{TaskID: p.TaskID, AttemptID: p.AttemptID, Number: p.Number,
			IntendedUS: p.IntendedAt.UnixMicro(), Review: p.Review, Conflicts: p.Conflicts, Edited: p.Edited})
	}
	s.count()
	return nil
}

const selectPull = `SELECT attempt, task, target, number, url, branch, commit_sha, title, state, how, intended_us, created_us,
	ended_us, decision_id, text_digest, review, conflicts, edited FROM pull_request `

// count derives the sums: a slot is held by the attempt until its pull request
// is intended, and by the pull request from then on.
func (s *State) count() {
	holds := make(map[gateway.AttemptID]bool, len(s.PullRequests))
	for _, p := range s.PullRequests {
		holds[p.AttemptID] = true
	}
	s.Open, s.Live, s.InFlight = len(s.PullRequests), len(s.Attempts), 0
	for id, a := range s.Attempts {
		if a.State.InFlight() && !holds[id] {
			s.InFlight++
		}
	}
}

func (s *State) loadTarget(db *conn) error {
	s.Circuit = CircuitState{State: gateway.CircuitClosed}
	if s.ReservedUS == nil {
		s.ReservedUS = []int64{}
	}
	r, found, err := db.one(context.Background(), `SELECT registered, circuit, cause, opened_us, until_us, cooldown_seconds, consecutive,
		infrastructure, infrastructure_task, probe, reserved_day, reserved_count, unlisted, unlisted_us
		FROM target WHERE target = ?`, s.Target)
	if err != nil || !found {
		return err
	}
	s.Circuit = CircuitState{
		State: gateway.Circuit(r.str(1)), Cause: r.str(2), OpenedUS: r.int64(3), UntilUS: r.int64(4),
		CooldownSeconds: r.int64(5), Consecutive: r.int(6), Infrastructure: r.int(7),
		InfrastructureTask: gateway.TaskID(r.str(8)), Probe: gateway.AttemptID(r.str(9)),
	}
	day, today := r.str(10), r.int(11)
	if day != s.ReservedDay || today != s.ReservedToday { // an attempt more
		if err := s.loadReserved(db); err != nil {
			return err
		}
	}
	s.ReservedDay, s.ReservedToday, s.UnlistedAt = day, today, r.time(13)
	s.Registered, s.Unlisted = nil, nil
	if text := r.str(0); text != "" {
		s.Registered = &TargetRegistered{}
		if err := json.Unmarshal([]byte(text), s.Registered); err != nil {
			return fmt.Errorf("read registration: %w", err)
		}
	}
	if err := json.Unmarshal([]byte(r.str(12)), &s.Unlisted); err != nil {
		return fmt.Errorf("read unlisted pull requests: %w", err)
	}
	return nil
}

func (s *State) loadReserved(db *conn) error {
	s.ReservedUS = []int64{}
	return db.query(context.Background(), `SELECT created_us FROM attempt WHERE target = ? ORDER BY created_us DESC LIMIT ?`,
		[]any{s.Target, MaxReserved}, func(r row) error {
			s.ReservedUS = append(s.ReservedUS, r.int64(0))
			return nil
		})
}

func (s *State) loadHalts(db *conn) error {
	s.HaltAll, s.HaltTarget = nil, nil
	return db.query(context.Background(), `SELECT target, reason, at_us, by FROM halt WHERE target IN ('', ?)`, []any{s.Target},
		func(r row) error {
			h := &gateway.Halt{Reason: r.str(1), At: r.time(2), By: r.str(3)}
			if r.str(0) == "" {
				s.HaltAll = h
			} else {
				s.HaltTarget = h
			}
			return nil
		})
}
