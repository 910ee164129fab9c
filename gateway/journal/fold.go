package journal

import (
	"encoding/json"
	"fmt"

	"leviathan/gateway"
)

// A folder brings the projections up to one record after another. It is the
// only writer of their tables, at append and at rebuild alike.
type folder struct {
	db *conn
	// touch hears of every task and attempt whose row changed, moved of every
	// target ("" for all) whose facts changed, and at which record.
	touch func(gateway.TargetID, gateway.TaskID, gateway.AttemptID)
	moved func(gateway.TargetID, int64)
}

// A stored is an event's body.
type stored struct {
	Actor         string          `json:"actor"`
	Payload       json.RawMessage `json:"payload"`
	SchemaVersion int             `json:"schema_version"`
	Timestamp     string          `json:"timestamp"`
}

// event folds an event. What others claim reaches the graph alone.
func (f *folder) event(c *columns, body []byte) error {
	var b stored
	if err := json.Unmarshal(body, &b); err != nil {
		return fmt.Errorf("read body of record %d: %w", c.Seq, err)
	}
	if c.Origin != Gateway {
		return f.claim(c, &b)
	}
	if err := f.apply(c, b.Payload); err != nil {
		return fmt.Errorf("append %s: %w", c.Type, err)
	}
	return nil
}

// apply is the one switch by which events change what policies read. A type
// that is not in it changes nothing.
func (f *folder) apply(c *columns, p json.RawMessage) error {
	switch c.Type {
	case gateway.EventTargetRegistered:
		return with(p, c, f.targetRegistered)
	case gateway.EventTaskCreated:
		return with(p, c, f.taskCreated)
	case gateway.EventTaskBlocked:
		return with(p, c, f.taskBlocked)
	case gateway.EventTaskUnblocked:
		return with(p, c, f.taskUnblocked)
	case gateway.EventTaskCompleted:
		return with(p, c, f.taskCompleted)
	case gateway.EventAttemptCreated:
		return with(p, c, f.attemptCreated)
	case gateway.EventAttemptStarted:
		return with(p, c, f.attemptStarted)
	case gateway.EventLeaseRenewed:
		return with(p, c, f.leaseRenewed)
	case gateway.EventAttemptEvidence:
		return with(p, c, f.attemptEvidence)
	case gateway.EventPushIntended:
		return with(p, c, f.pushIntended)
	case gateway.EventPushVoided:
		return with(p, c, f.pushVoided)
	case gateway.EventPushRefused:
		return with(p, c, f.pushRefused)
	case gateway.EventAttemptPushed:
		return with(p, c, f.attemptPushed)
	case gateway.EventPullIntended:
		return with(p, c, f.pullIntended)
	case gateway.EventPullVoided:
		return with(p, c, f.pullVoided)
	case gateway.EventPullCreated:
		return with(p, c, f.pullCreated)
	case gateway.EventPullObserved:
		return with(p, c, f.pullObserved)
	case gateway.EventPullMerged:
		return with(p, c, f.pullMerged)
	case gateway.EventPullClosed:
		return with(p, c, f.pullClosed)
	case gateway.EventAttemptSucceeded, gateway.EventAttemptFailed, gateway.EventAttemptCancelled, gateway.EventAttemptExpired:
		return with(p, c, f.attemptEnded)
	case gateway.EventAttemptInvalidated:
		return with(p, c, f.attemptInvalidated)
	case gateway.EventArtifactCreated:
		return with(p, c, f.artifactCreated)
	case gateway.EventCircuitOpened:
		return with(p, c, f.circuitOpened)
	case gateway.EventCircuitHalfOpened:
		return with(p, c, f.circuitHalfOpened)
	case gateway.EventCircuitClosed:
		return with(p, c, f.circuitClosed)
	case gateway.EventAutonomyHalted:
		return with(p, c, f.halted)
	case gateway.EventAutonomyResumed:
		return with(p, c, f.resumed)
	case gateway.EventTokenCreated:
		return with(p, c, f.tokenCreated)
	case gateway.EventTokenRevoked:
		return with(p, c, f.tokenRevoked)
	case gateway.EventForgeObserved:
		return with(p, c, f.forgeObserved)
	case gateway.EventForgeProbed:
		return with(p, c, f.forgeProbed)
	case gateway.EventConfigObserved:
		return with(p, c, f.configObserved)
	case gateway.EventBundleActivated, gateway.EventClockAccepted:
		return f.fact("", c.Seq)
	}
	return nil
}

// with decodes the payload and folds it.
func with[P any](raw json.RawMessage, c *columns, fold func(*columns, *P) error) error {
	var p P
	if err := json.Unmarshal(raw, &p); err != nil {
		return invalid("its payload is not a %T: %v", p, err)
	}
	return fold(c, &p)
}

// freshSpan is after how many records the decisions among them get their
// indexes. It depends on the seq alone, so that a rebuilt journal is equal.
const freshSpan = tileSize

// decision notes what a decision is found by.
func (f *folder) decision(c *columns, d *DecisionIndex) error {
	codes := []byte{'['}
	for i, code := range sorted(d.Codes) {
		if i > 0 {
			codes = append(codes, ',')
		}
		codes = appendText(codes, code)
	}
	return f.db.exec(`INSERT INTO decision_fresh (seq, action, allow, dry_run, target, task, attempt, revision, policy_digest, asked_by, masked, codes)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		c.Seq, c.Type, d.Allow, d.DryRun, c.Target, c.Task, c.Attempt, d.Revision, d.PolicyDigest, d.AskedBy, d.Masked, string(append(codes, ']')))
}

// settle indexes the fresh decisions, when seq is a record after which they
// are. It comes after the folding of every record.
func (f *folder) settle(seq int64) error {
	if seq%freshSpan != 0 {
		return nil
	}
	for _, sql := range []string{
		`INSERT INTO decision (seq, action, allow, dry_run, target, task, attempt, revision, policy_digest, asked_by, masked)
		SELECT seq, action, allow, dry_run, target, task, attempt, revision, policy_digest, asked_by, masked FROM decision_fresh`,
		`INSERT INTO decision_code (code, seq, action)
		SELECT c.value, f.seq, f.action FROM decision_fresh f CROSS JOIN json_each(f.codes) c`,
		`DELETE FROM decision_fresh`,
	} {
		if err := f.db.exec(sql); err != nil {
			return fmt.Errorf("index decisions: %w", err)
		}
	}
	return nil
}

// fact records that the target's facts, or everybody's, changed at seq.
func (f *folder) fact(target gateway.TargetID, seq int64) error {
	f.moved(target, seq)
	return f.db.exec(`INSERT INTO fact (target, seq) VALUES (?, ?) ON CONFLICT (target) DO UPDATE SET seq = excluded.seq`, target, seq)
}

// needTarget, needTask and needAttempt refuse an event that is not about what
// it must be about.
func needTarget(c *columns) error {
	if c.Target == "" {
		return invalid("it names no target")
	}
	return nil
}

func needTask(c *columns) error {
	if c.Task == "" {
		return invalid("it names no task")
	}
	return needTarget(c)
}

func conflict(format string, args ...any) error {
	return gateway.Errorf(gateway.Conflict, format, args...)
}
