package journal

import (
	"context"
	"encoding/json"
	"fmt"

	"leviathan/gateway"
)

// What the end of an attempt says about its task and target.
const (
	failureNone      = 0
	failureCounted   = 1
	failureMachinery = 2
)

// A current is an attempt as it stands before an event.
type current struct {
	state  gateway.AttemptState
	digest string
	intent string
}

// attempt reads the attempt that the event is about; its target and task must
// be the event's.
func (f *folder) attempt(c *columns) (*current, error) {
	if c.Attempt == "" {
		return nil, invalid("it names no attempt")
	}
	r, found, err := f.db.one(context.Background(), `SELECT target, task, state, digest, intent FROM attempt WHERE attempt = ?`, c.Attempt)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, conflict("attempt %s is not known", c.Attempt)
	}
	if target, task := r.str(0), r.str(1); target != string(c.Target) || task != string(c.Task) {
		return nil, conflict("attempt %s is of target %s, task %s", c.Attempt, target, task)
	}
	return &current{state: gateway.AttemptState(r.str(2)), digest: r.str(3), intent: r.str(4)}, nil
}

// become reads the attempt and makes sure that it may change to next.
func (f *folder) become(c *columns, next gateway.AttemptState) (*current, error) {
	a, err := f.attempt(c)
	if err != nil {
		return nil, err
	}
	if !a.state.CanBecome(next) {
		return nil, conflict("attempt %s is %s and cannot become %s", c.Attempt, a.state, next)
	}
	return a, nil
}

// changed notes that the attempt changed what the target's facts say.
func (f *folder) changed(c *columns) error {
	f.touch(c.Target, c.Task, c.Attempt)
	if err := f.fact(c.Target, c.Seq); err != nil {
		return err
	}
	return f.attemptNode(c)
}

func (f *folder) attemptCreated(c *columns, p *AttemptCreated) error {
	if c.Attempt == "" {
		return invalid("it names no attempt")
	}
	if err := f.task(c); err != nil {
		return err
	}
	r, _, err := f.db.one(context.Background(), `SELECT attempts, live FROM task WHERE target = ? AND task = ?`, c.Target, c.Task)
	if err != nil {
		return err
	}
	if live := r.str(1); live != "" {
		return conflict("task %s has the live attempt %s", c.Task, live)
	}
	if n := r.int(0); p.AttemptNumber != n+1 {
		return conflict("task %s had %d attempts, the next is not number %d", c.Task, n, p.AttemptNumber)
	}
	snapshot, err := Canonical(p.Task)
	if err != nil {
		return err
	}
	err = f.db.exec(`INSERT INTO attempt (attempt, target, task, number, state, live, digest, base_commit, branch, agent, probe,
		snapshot, timeout_seconds, lease_seconds, start_deadline_us, decision_id, trace_parent, created_us, seq)
		VALUES (?, ?, ?, ?, 'reserved', 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		c.Attempt, c.Target, c.Task, p.AttemptNumber, p.Digest, p.BaseCommit, p.Branch, p.Agent, p.Probe,
		string(snapshot), p.TimeoutSeconds, p.LeaseSeconds, p.StartDeadline, p.DecisionID, p.TraceParent, c.At, c.Seq)
	if isConstraint(err) {
		return conflict("attempt %s is there already", c.Attempt)
	}
	if err != nil {
		return err
	}
	err = f.db.exec(`UPDATE task SET attempts = attempts + 1, digest = ?, live = ? WHERE target = ? AND task = ?`,
		p.Digest, c.Attempt, c.Target, c.Task)
	if err != nil {
		return err
	}
	if err := f.countDay(c); err != nil {
		return err
	}
	if err := f.recountTask(c.Target, c.Task); err != nil {
		return err
	}
	return f.changed(c)
}

// countDay counts the attempts of the target created on c's UTC day.
func (f *folder) countDay(c *columns) error {
	at := fromMicros(c.At).UTC()
	from := at.Truncate(24 * 3600e9)
	return f.db.exec(`UPDATE target SET reserved_day = ?1, reserved_count = CASE reserved_day WHEN ?1 THEN reserved_count + 1 ELSE
		(SELECT count(*) FROM attempt WHERE target = ?2 AND created_us >= ?3 AND created_us < ?4) END WHERE target = ?2`,
		at.Format(dayLayout), c.Target, from.UnixMicro(), from.UnixMicro()+24*3600e6)
}

func (f *folder) attemptStarted(c *columns, p *AttemptStarted) error {
	if _, err := f.become(c, gateway.Running); err != nil {
		return err
	}
	err := f.db.exec(`UPDATE attempt SET state = 'running', instance = ?, started_us = ?, deadline_us = ?, lease_us = ?,
		start_decision_id = ?, seq = ? WHERE attempt = ?`,
		p.Instance, c.At, p.Deadline, p.LeaseExpiresAt, p.DecisionID, c.Seq, c.Attempt)
	if err != nil {
		return err
	}
	return f.changed(c)
}

// leaseRenewed changes the attempt alone: no other question depends on it, so
// that a hundred heartbeats do not make everybody decide again.
func (f *folder) leaseRenewed(c *columns, p *LeaseRenewed) error {
	a, err := f.attempt(c)
	if err != nil {
		return err
	}
	if !a.state.Leased() {
		return conflict("attempt %s is %s and has no lease", c.Attempt, a.state)
	}
	f.touch(c.Target, "", c.Attempt)
	return f.db.exec(`UPDATE attempt SET lease_us = ?, progress = CASE ? WHEN '' THEN progress ELSE ? END, seq = ? WHERE attempt = ?`,
		p.LeaseExpiresAt, p.Progress, p.Progress, c.Seq, c.Attempt)
}

func (f *folder) attemptEvidence(c *columns, p *AttemptEvidence) error {
	a, err := f.attempt(c)
	if err != nil {
		return err
	}
	if !a.state.Live() {
		return conflict("attempt %s is %s", c.Attempt, a.state)
	}
	if p.Results == nil {
		p.Results = []gateway.EvidenceResult{}
	}
	text, err := json.Marshal(p.Evidence)
	if err != nil {
		return fmt.Errorf("marshal evidence: %w", err)
	}
	f.touch(c.Target, "", c.Attempt)
	return f.db.exec(`UPDATE attempt SET evidence = ?, seq = ? WHERE attempt = ?`, string(text), c.Seq, c.Attempt)
}

func (f *folder) attemptEnded(c *columns, p *AttemptEnded) error {
	next := gateway.AttemptState(c.Type[len("attempt."):])
	if p.Status != "" && p.Status != next {
		return invalid("its status is %s", p.Status)
	}
	if _, err := f.become(c, next); err != nil {
		return err
	}
	failure := failureNone
	switch {
	case next == gateway.Failed && !p.FailureType.Valid():
		return invalid("failure type %q is not known", p.FailureType)
	case next == gateway.Failed && p.FailureType.Counts():
		failure = failureCounted
	case next == gateway.Failed, next == gateway.Expired:
		failure = failureMachinery
	}
	err := f.db.exec(`UPDATE attempt SET state = ?, live = 0, ended_seq = ?, ended_us = ?, failure_type = ?, error_summary = ?,
		failure = ?, seq = ? WHERE attempt = ?`,
		next, c.Seq, c.At, p.FailureType, p.ErrorSummary, failure, c.Seq, c.Attempt)
	if err != nil {
		return err
	}
	err = f.db.exec(`UPDATE task SET live = '' WHERE target = ? AND task = ? AND live = ?`, c.Target, c.Task, c.Attempt)
	if err != nil {
		return err
	}
	// A probe that ended gives its place to the next one.
	if err := f.db.exec(`UPDATE target SET probe = '' WHERE target = ? AND probe = ?`, c.Target, c.Attempt); err != nil {
		return err
	}
	return f.recount(c)
}

func (f *folder) attemptInvalidated(c *columns, _ *AttemptInvalidated) error {
	a, err := f.attempt(c)
	if err != nil {
		return err
	}
	if a.state.Live() {
		return conflict("attempt %s is %s: cancel it first", c.Attempt, a.state)
	}
	err = f.db.exec(`UPDATE attempt SET invalidated = 1, failure = 0, seq = ? WHERE attempt = ?`, c.Seq, c.Attempt)
	if err != nil {
		return err
	}
	return f.recount(c)
}

// recount counts the attempt's task and target anew.
func (f *folder) recount(c *columns) error {
	if err := f.recountTask(c.Target, c.Task); err != nil {
		return err
	}
	if err := f.recountTarget(c.Target); err != nil {
		return err
	}
	return f.changed(c)
}

// recountTask counts the failures of the task's current digest since it was
// last unblocked; those of the machinery only since the last counted failure
// or pull request.
func (f *folder) recountTask(target gateway.TargetID, task gateway.TaskID) error {
	var counted, machinery int
	var last int64
	err := f.db.query(context.Background(), `SELECT a.failure, a.ended_us, a.proposed_seq FROM attempt a
		JOIN task t ON t.target = a.target AND t.task = a.task
		WHERE a.target = ? AND a.task = ? AND a.digest = t.digest AND max(a.ended_seq, a.proposed_seq) > t.reset_seq
		ORDER BY a.number`,
		[]any{target, task}, func(r row) error {
			if r.int64(2) > 0 {
				machinery = 0
			}
			switch r.int(0) {
			case failureCounted:
				counted++
				machinery, last = 0, r.int64(1)
			case failureMachinery:
				machinery++
				last = r.int64(1)
			}
			return nil
		})
	if err != nil {
		return err
	}
	return f.db.exec(`UPDATE task SET counted = ?, infrastructure = ?, last_failure_us = ? WHERE target = ? AND task = ?`,
		counted, machinery, last, target, task)
}

func (f *folder) artifactCreated(c *columns, p *ArtifactCreated) error {
	if _, err := f.attempt(c); err != nil {
		return err
	}
	err := f.db.exec(`INSERT INTO artifact (attempt, name, id, sha256, type, size, path, at_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (attempt, name) DO UPDATE SET id = excluded.id, sha256 = excluded.sha256, type = excluded.type,
		size = excluded.size, path = excluded.path, at_us = excluded.at_us`,
		c.Attempt, p.Name, p.ArtifactID, p.SHA256, p.ArtifactType, p.SizeBytes, p.StoragePath, c.At)
	if err != nil {
		return err
	}
	return f.artifactNode(c, p)
}
