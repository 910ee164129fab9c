package journal

import (
	"context"
	"encoding/json"
	"fmt"

	"leviathan/gateway"
)

// target makes sure that the target has its row, and notes its change.
func (f *folder) target(c *columns) error {
	if err := needTarget(c); err != nil {
		return err
	}
	if err := f.db.exec(`INSERT INTO target (target) VALUES (?) ON CONFLICT DO NOTHING`, c.Target); err != nil {
		return err
	}
	return f.fact(c.Target, c.Seq)
}

// task makes sure that the task has its row, and notes its change.
func (f *folder) task(c *columns) error {
	if err := needTask(c); err != nil {
		return err
	}
	if err := f.target(c); err != nil {
		return err
	}
	f.touch(c.Target, c.Task, "")
	return f.db.exec(`INSERT INTO task (target, task) VALUES (?, ?) ON CONFLICT DO NOTHING`, c.Target, c.Task)
}

func (f *folder) targetRegistered(c *columns, p *TargetRegistered) error {
	if err := f.target(c); err != nil {
		return err
	}
	text, err := Canonical(p)
	if err != nil {
		return err
	}
	if err := f.db.exec(`UPDATE target SET registered = ? WHERE target = ?`, string(text), c.Target); err != nil {
		return err
	}
	return f.node(c, targetNode(c.Target), "Target", "", text)
}

func (f *folder) taskCreated(c *columns, p *TaskCreated) error {
	if err := f.task(c); err != nil {
		return err
	}
	return f.taskNode(c, p)
}

func (f *folder) taskBlocked(c *columns, p *TaskBlocked) error {
	if err := f.task(c); err != nil {
		return err
	}
	return f.db.exec(`UPDATE task SET blocked = 1, blocked_digest = ? WHERE target = ? AND task = ?`, p.Digest, c.Target, c.Task)
}

func (f *folder) taskUnblocked(c *columns, _ *TaskUnblocked) error {
	if err := f.task(c); err != nil {
		return err
	}
	return f.db.exec(`UPDATE task SET blocked = 0, blocked_digest = '', closed_digest = '', counted = 0, infrastructure = 0,
		last_failure_us = 0, reset_seq = ? WHERE target = ? AND task = ?`, c.Seq, c.Target, c.Task)
}

func (f *folder) taskCompleted(c *columns, _ *TaskCompleted) error {
	if err := f.task(c); err != nil {
		return err
	}
	return f.db.exec(`UPDATE task SET completed = 1 WHERE target = ? AND task = ?`, c.Target, c.Task)
}

func (f *folder) circuitOpened(c *columns, p *CircuitOpened) error {
	if p.Cause != "failures" && p.Cause != "infrastructure" {
		return invalid("cause %q is neither failures nor infrastructure", p.Cause)
	}
	if err := f.target(c); err != nil {
		return err
	}
	return f.db.exec(`UPDATE target SET circuit = 'open', cause = ?, opened_us = ?, until_us = ?, cooldown_seconds = ?, probe = ''
		WHERE target = ?`, p.Cause, c.At, p.Until, p.CooldownSeconds, c.Target)
}

func (f *folder) circuitHalfOpened(c *columns, p *CircuitHalfOpened) error {
	if err := f.target(c); err != nil {
		return err
	}
	return f.db.exec(`UPDATE target SET circuit = 'half_open', probe = ? WHERE target = ?`, p.Probe, c.Target)
}

func (f *folder) circuitClosed(c *columns, _ *CircuitClosed) error {
	if err := f.target(c); err != nil {
		return err
	}
	err := f.db.exec(`UPDATE target SET circuit = 'closed', cause = '', opened_us = 0, until_us = 0, cooldown_seconds = 0, probe = '',
		reset_seq = ? WHERE target = ?`, c.Seq, c.Target)
	if err != nil {
		return err
	}
	return f.recountTarget(c.Target)
}

// recountTarget counts the target's failures anew: counted ones since the last
// pull request or circuit.closed, and those of the machinery since then or
// since the last counted one.
func (f *folder) recountTarget(target gateway.TargetID) error {
	ctx := context.Background()
	r, _, err := f.db.one(ctx, `SELECT max(reset_seq, coalesce((SELECT max(proposed_seq) FROM attempt
		WHERE target = ?1 AND proposed_seq <> 0), 0)) FROM target WHERE target = ?1`, target)
	if err != nil {
		return err
	}
	since := r.int64(0)
	var counted, machinery int
	task := ""
	err = f.db.query(ctx, `SELECT failure, task FROM attempt WHERE target = ? AND ended_seq > ? AND failure <> 0 ORDER BY ended_seq`,
		[]any{target, since}, func(r row) error {
			switch {
			case r.int(0) == failureCounted:
				counted++
				machinery, task = 0, ""
			case machinery == 0:
				machinery, task = 1, r.str(1)
			default:
				machinery++
				if task != r.str(1) {
					task = ""
				}
			}
			return nil
		})
	if err != nil {
		return err
	}
	return f.db.exec(`UPDATE target SET consecutive = ?, infrastructure = ?, infrastructure_task = ? WHERE target = ?`,
		counted, machinery, task, target)
}

func (f *folder) halted(c *columns, p *AutonomyHalted) error {
	if err := f.fact(c.Target, c.Seq); err != nil {
		return err
	}
	return f.db.exec(`INSERT INTO halt (target, reason, by, at_us) VALUES (?, ?, ?, ?)
		ON CONFLICT (target) DO UPDATE SET reason = excluded.reason, by = excluded.by, at_us = excluded.at_us`,
		c.Target, p.Reason, p.By, c.At)
}

func (f *folder) resumed(c *columns, _ *AutonomyResumed) error {
	if err := f.fact(c.Target, c.Seq); err != nil {
		return err
	}
	return f.db.exec(`DELETE FROM halt WHERE target = ?`, c.Target)
}

func (f *folder) tokenCreated(c *columns, p *TokenCreated) error {
	if p.ID == "" || len(p.Hash) != 64 {
		return invalid("a token needs an id and the hex SHA-256 of its secret")
	}
	err := f.db.exec(`INSERT INTO token (id, role, target, hash, created_us, expires_us) VALUES (?, ?, ?, ?, ?, ?)`,
		p.ID, p.Role, c.Target, p.Hash, c.At, p.ExpiresAt)
	if isConstraint(err) {
		return conflict("token %s is there already", p.ID)
	}
	return err
}

func (f *folder) tokenRevoked(c *columns, p *TokenRevoked) error {
	_, found, err := f.db.one(context.Background(), `SELECT 1 FROM token WHERE id = ? AND revoked_us = 0`, p.ID)
	if err != nil {
		return err
	}
	if !found {
		return conflict("token %s is not there or revoked", p.ID)
	}
	return f.db.exec(`UPDATE token SET revoked_us = ? WHERE id = ?`, c.At, p.ID)
}

func (f *folder) forgeObserved(c *columns, p *ForgeObserved) error {
	if err := f.target(c); err != nil {
		return err
	}
	if p.Unlisted == nil {
		p.Unlisted = []UnlistedPull{}
	}
	text, err := json.Marshal(p.Unlisted)
	if err != nil {
		return fmt.Errorf("marshal unlisted pull requests: %w", err)
	}
	at := p.ObservedAt
	if at.IsZero() {
		at = fromMicros(c.At)
	}
	return f.db.exec(`UPDATE target SET unlisted = ?, unlisted_us = ? WHERE target = ?`, string(text), at, c.Target)
}

// forgeProbed moves the facts: who decided on the old settings decides again.
func (f *folder) forgeProbed(c *columns, _ *ForgeProbed) error { return f.target(c) }

// configObserved moves the facts: who decided on the old config decides again.
func (f *folder) configObserved(c *columns, _ *ConfigObserved) error { return f.target(c) }
