package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"leviathan/gateway"
)

// The ids of nodes. A pull request is one of its repository, which the target
// stands for.
func targetNode(t gateway.TargetID) string { return "target:" + string(t) }
func taskNode(t gateway.TargetID, id gateway.TaskID) string {
	return "task:" + string(t) + "/" + string(id)
}
func attemptNode(id gateway.AttemptID) string { return "attempt:" + string(id) }
func artifactNode(id gateway.AttemptID, name string) string {
	return "artifact:" + string(id) + "/" + name
}
func pullNode(t gateway.TargetID, number int64) string {
	return "pull_request:" + string(t) + "#" + strconv.FormatInt(number, 10)
}

const (
	dependsOn = gateway.EdgeDependsOn
	produced  = gateway.EdgeProduced
)

// node writes a node of the gateway's own over whatever was claimed.
func (f *folder) node(c *columns, id, typ, state string, properties []byte) error {
	return f.db.exec(`INSERT INTO node (id, type, target, state, external, properties, created_us, updated_us, seq)
		VALUES (?, ?, ?, ?, 0, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET target = excluded.target, state = excluded.state, properties = excluded.properties,
		created_us = CASE external WHEN 1 THEN excluded.created_us ELSE created_us END, updated_us = excluded.updated_us,
		seq = CASE external WHEN 1 THEN excluded.seq ELSE seq END, external = 0`,
		id, typ, c.Target, state, string(properties), c.At, c.At, c.Seq)
}

// edge draws an edge of the gateway's own.
func (f *folder) edge(typ, source, sink string) error {
	return f.db.exec(`INSERT INTO edge (type, source, sink, external) VALUES (?, ?, ?, 0)
		ON CONFLICT DO UPDATE SET external = 0`, typ, source, sink)
}

func (f *folder) taskNode(c *columns, p *TaskCreated) error {
	text, err := Canonical(p)
	if err != nil {
		return err
	}
	id := taskNode(c.Target, c.Task)
	if err := f.node(c, id, "Task", "", text); err != nil {
		return err
	}
	for _, d := range p.Dependencies {
		if err := f.edge(dependsOn, id, taskNode(c.Target, d)); err != nil {
			return err
		}
	}
	return nil
}

// attemptNode draws the attempt as it stands.
func (f *folder) attemptNode(c *columns) error {
	a, err := loadAttempt(context.Background(), f.db, c.Attempt)
	if err != nil {
		return err
	}
	if a == nil {
		return fmt.Errorf("draw attempt %s: it is not there", c.Attempt)
	}
	p := map[string]any{
		"attempt_id": a.ID, "task_id": a.TaskID, "target_id": a.Target, "attempt_number": a.Number, "status": a.State,
		"state": a.State, "digest": a.Digest, "agent": a.Agent, "base_commit": a.BaseCommit, "branch_name": a.Branch,
	}
	if a.FailureType != "" {
		p["failure_type"], p["error_summary"] = a.FailureType, a.ErrorSummary
	}
	if a.Invalidated {
		p["invalidated"] = true
	}
	if a.PushedCommit != "" {
		p["commit_sha"] = a.PushedCommit
	}
	if a.PullRequest != nil && a.PullRequest.Number > 0 {
		pull := a.PullRequest
		p["pr_number"], p["pr_url"], p["pr_state"] = pull.Number, pull.URL, pull.State
		if pull.Review != "" {
			p["pr_review"], p["pr_conflicts"], p["pr_edited"] = pull.Review, pull.Conflicts, pull.Edited
		}
	}
	text, err := Canonical(p)
	if err != nil {
		return err
	}
	return f.node(c, attemptNode(a.ID), "Attempt", string(a.State), text)
}

// pullNode draws the attempt's pull request once it has a number and is there.
func (f *folder) pullNode(c *columns) error {
	r, found, err := f.db.one(context.Background(), selectPull+`WHERE attempt = ? AND state IN ('open', 'merged', 'closed')`, c.Attempt)
	if err != nil || !found {
		return err
	}
	p := scanPull(r[3:], c.Attempt, c.Task, c.Target)
	text, err := Canonical(p)
	if err != nil {
		return err
	}
	id := pullNode(c.Target, int64(p.Number))
	if err := f.node(c, id, "PullRequest", string(p.State), text); err != nil {
		return err
	}
	return f.edge(produced, attemptNode(c.Attempt), id)
}

func (f *folder) artifactNode(c *columns, p *ArtifactCreated) error {
	text, err := Canonical(p)
	if err != nil {
		return err
	}
	id := artifactNode(c.Attempt, p.Name)
	if err := f.node(c, id, "Artifact", "", text); err != nil {
		return err
	}
	return f.edge(produced, attemptNode(c.Attempt), id)
}

// claim draws what an external event says. What cannot be drawn is stored and
// not projected: a claim is never an error here.
func (f *folder) claim(c *columns, b *stored) error {
	var p map[string]any
	if json.Unmarshal(b.Payload, &p) != nil || p == nil {
		return nil
	}
	text := func(key string) string { s, _ := p[key].(string); return s }
	number := func(key string) int64 { n, _ := p[key].(float64); return int64(n) }
	target := firstOf(string(c.Target), text("target_id"))
	task := firstOf(string(c.Task), text("task_id"))
	attempt := firstOf(string(c.Attempt), text("attempt_id"))
	at := c.At
	if t, err := gateway.ParseTime(b.Timestamp); err == nil {
		at = micros(t)
	}
	n := claimed{seq: c.Seq, at: at, target: target, properties: p}
	family, verb, _ := strings.Cut(c.Type, ".")
	id := gateway.AttemptID(attempt)
	switch {
	case c.Type == gateway.EventTargetRegistered && target != "":
		return f.claimNode(&n, targetNode(gateway.TargetID(target)), "Target", "")
	case family == "task" && task != "":
		return f.claimNode(&n, taskNode(gateway.TargetID(target), gateway.TaskID(task)), "Task", "")
	case family == "attempt" && attempt != "":
		if verb == "invalidated" {
			p["invalidated"] = true
			verb = ""
		} else if verb == "created" {
			verb = string(gateway.Reserved)
		} else if verb == "started" {
			verb = string(gateway.Running)
		}
		p["attempt_id"], p["task_id"], p["target_id"] = attempt, task, target
		return f.claimNode(&n, attemptNode(id), "Attempt", verb)
	case family == "pr" && target != "" && number("pr_number") > 0:
		pr := pullNode(gateway.TargetID(target), number("pr_number"))
		state := map[string]string{"created": "open", "merged": "merged", "closed": "closed"}[verb]
		if err := f.claimNode(&n, pr, "PullRequest", state); err != nil || attempt == "" {
			return err
		}
		return f.claimPull(&n, id, pr, p)
	case c.Type == gateway.EventArtifactCreated && attempt != "":
		art := artifactNode(id, firstOf(text("name"), text("artifact_id")))
		return errors.Join(f.claimNode(&n, art, "Artifact", ""), f.claimEdge(produced, attemptNode(id), art))
	}
	return nil
}

// claimPull notes a claimed pull request on the claimed attempt.
func (f *folder) claimPull(n *claimed, id gateway.AttemptID, pr string, p map[string]any) error {
	n.properties = map[string]any{"attempt_id": id, "target_id": n.target, "pr_number": p["pr_number"], "pr_url": p["pr_url"]}
	return errors.Join(f.claimNode(n, attemptNode(id), "Attempt", ""), f.claimEdge(produced, attemptNode(id), pr))
}

// A claimed is a node as an external event describes it.
type claimed struct {
	seq, at    int64
	target     string
	properties map[string]any
}

// claimNode merges a claim into a node that is a claim itself, or makes one.
// An empty state leaves the one before.
func (f *folder) claimNode(n *claimed, id, typ, state string) error {
	r, found, err := f.db.one(context.Background(), `SELECT external, properties, state, target FROM node WHERE id = ?`, id)
	if err != nil || found && !r.bool(0) {
		return err
	}
	merged := n.properties
	target := n.target
	if found {
		old := map[string]any{}
		if err := json.Unmarshal([]byte(r.str(1)), &old); err != nil {
			return fmt.Errorf("read node %s: %w", id, err)
		}
		maps.Copy(old, n.properties)
		merged, state, target = old, firstOf(state, r.str(2)), firstOf(n.target, r.str(3))
	}
	if state != "" {
		merged["state"] = state
	}
	text, err := Canonical(merged)
	if err != nil {
		return err
	}
	return f.db.exec(`INSERT INTO node (id, type, target, state, external, properties, created_us, updated_us, seq)
		VALUES (?, ?, ?, ?, 1, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET target = excluded.target, state = excluded.state, properties = excluded.properties,
		updated_us = max(updated_us, excluded.updated_us)`,
		id, typ, target, state, string(text), n.at, n.at, n.seq)
}

func (f *folder) claimEdge(typ, source, sink string) error {
	return f.db.exec(`INSERT INTO edge (type, source, sink, external) VALUES (?, ?, ?, 1) ON CONFLICT DO NOTHING`, typ, source, sink)
}

func firstOf(s ...string) string {
	for _, v := range s {
		if v != "" {
			return v
		}
	}
	return ""
}
