package server

import (
	"context"
	"net/http"
	"regexp"
	"slices"
	"time"

	"leviathan/gateway"
	"leviathan/gateway/engine"
	"leviathan/gateway/forge"
	"leviathan/gateway/journal"
)

var instancePattern = regexp.MustCompile(`^[A-Za-z0-9_-]{8,128}$`)

// subjectAttempt finds the attempt of a request's path. A caller with another
// attempt's token learns nothing about it: the policy answers.
func (s *Server) subjectAttempt(r *http.Request) (*journal.Attempt, error) {
	id := gateway.AttemptID(fields(r)["attempt"])
	if !id.Valid() {
		return nil, gateway.Errorf(gateway.NotFound, "no attempt %q", id)
	}
	a, ok, err := s.journal.Attempt(r.Context(), id)
	if err != nil {
		return nil, unrecorded(err)
	}
	if !ok {
		return nil, gateway.Errorf(gateway.NotFound, "no attempt %q", id)
	}
	return a, nil
}

// about makes a question about an attempt.
func about(action string, p principal, a *journal.Attempt) question {
	return question{action: action, by: p, target: a.Target, id: a.ID, task: a.TaskID, resource: gateway.Entity{Type: "attempt", ID: string(a.ID)}}
}

// ended is the answer to an attempt's own token after the attempt has ended.
func ended(p principal, a *journal.Attempt) error {
	if p.role == gateway.RoleAttempt && p.attempt == a.ID && !a.State.Live() {
		return &gateway.Error{Kind: gateway.Conflict, Code: "attempt.ended", Detail: "attempt " + string(a.ID) + " has ended: " + string(a.State)}
	}
	return nil
}

// runObligations is the policy's answer to agent.run.
type runObligations struct {
	Agent   string            `json:"agent"`
	Type    string            `json:"type"`
	Command []string          `json:"command"`
	Env     map[string]string `json:"env"`
	EnvFrom []string          `json:"env_from"`
	Stdin   string            `json:"stdin"`
	Sandbox struct {
		Required     bool     `json:"required"`
		Off          bool     `json:"off"`
		Read         []string `json:"read"`
		ConnectPorts []int    `json:"connect_ports"`
	} `json:"sandbox"`
	Limits struct {
		MemoryMB    int `json:"memory_mb"`
		OutputMaxKB int `json:"output_max_kb"`
	} `json:"limits"`
	Verify []gateway.VerifySpec `json:"verify"`
}

// start gives a reserved attempt to one worker process. Two questions must
// both be allowed: whether the agent may run, and whether the lease begins.
// The same instance asking again gets the same answer; another one conflicts.
func (s *Server) start(w http.ResponseWriter, r *http.Request, p principal) error {
	var req gateway.StartRequest
	if err := readJSON(r, &req); err != nil {
		return err
	}
	if !instancePattern.MatchString(req.Instance) {
		return &gateway.Error{Kind: gateway.Invalid, Field: "instance", Detail: "instance must be 8 to 128 letters, digits, _ or -"}
	}
	a, err := s.subjectAttempt(r)
	if err != nil {
		return err
	}
	if err := ended(p, a); err != nil {
		return err
	}
	if err := startedBy(a, p, req.Instance); err != nil {
		return err
	}
	s.refresh(r.Context(), s.lookup(a.Target))
	run, err := s.decide(r.Context(), about(gateway.ActionAgentRun, p, a))
	if err != nil {
		return err
	}
	if err := run.refusal(); err != nil {
		return err
	}
	if a.State == gateway.Reserved {
		if err := s.begin(r.Context(), p, a, req.Instance); err != nil {
			return err
		}
	}
	return s.answerStart(w, r, run, a)
}

// startedBy refuses a second worker on one attempt.
func startedBy(a *journal.Attempt, p principal, instance string) error {
	if a.State == gateway.Reserved || p.attempt != a.ID || (a.State == gateway.Running && a.Instance == instance) {
		return nil
	}
	return &gateway.Error{Kind: gateway.Conflict, Code: "attempt.already_started", Detail: "attempt.already_started: another worker has this attempt"}
}

// begin asks attempt.start and, if it is allowed, begins the lease.
func (s *Server) begin(ctx context.Context, p principal, a *journal.Attempt, instance string) error {
	q := about(gateway.ActionAttemptStart, p, a)
	q.request = map[string]string{"instance": instance}
	t := s.lookup(a.Target)
	lease := s.now().Add(time.Duration(a.LeaseSeconds) * time.Second)
	var conflict error
	q.effect = func(tx *journal.Tx, d *decided) error {
		if !d.Allow {
			return nil
		}
		if conflict = startedBy(d.attempt, p, instance); conflict != nil || d.attempt.State == gateway.Running {
			return conflict
		}
		// Before the commit: whoever sees the attempt running sees its lease.
		t.leases.renew(a.ID, lease)
		return event(tx, d.by, journal.AttemptStarted{Subject: subject(a), Status: gateway.Running, DecisionID: d.ID,
			Instance: instance, LeaseExpiresAt: gateway.At(lease), Deadline: gateway.At(tx.Now().Add(time.Duration(a.TimeoutSeconds) * time.Second))})
	}
	d, err := s.decide(ctx, q)
	if err != nil {
		return err
	}
	if !d.Allow && d.attempt != nil {
		if conflict := startedBy(d.attempt, p, instance); conflict != nil {
			return conflict // it was quicker
		}
	}
	return d.refusal()
}

func (s *Server) answerStart(w http.ResponseWriter, r *http.Request, run *decided, a *journal.Attempt) error {
	var may runObligations
	if err := run.obligations(&may); err != nil {
		return err
	}
	cfg := s.targets.Check(a.Target).Config
	if cfg == nil {
		return gateway.Errorf(gateway.Unknown, "the config of target %s went away", a.Target)
	}
	mode := gateway.SandboxOptional
	switch {
	case may.Sandbox.Off:
		mode = gateway.SandboxOff
	case may.Sandbox.Required:
		mode = gateway.SandboxRequired
	}
	return writeJSON(w, http.StatusOK, gateway.StartResult{Decision: true, DecisionID: run.ID, Task: a.Task,
		Agent: gateway.AgentSpec{Name: may.Agent, Type: may.Type, Command: may.Command, Stdin: may.Stdin, Env: may.Env, EnvFrom: may.EnvFrom,
			MemoryMB: may.Limits.MemoryMB, OutputMaxKB: may.Limits.OutputMaxKB},
		Verify: may.Verify, Sandbox: gateway.SandboxSpec{Mode: mode, Read: may.Sandbox.Read, ConnectPorts: may.Sandbox.ConnectPorts},
		Commit:     s.commitOf(a),
		BaseCommit: a.BaseCommit, Branch: a.Branch, CloneURL: cloneURL(a.Target), TimeoutSeconds: int(a.TimeoutSeconds),
		Heartbeat: cfg.Limits.HeartbeatSeconds, LeaseSeconds: int(a.LeaseSeconds), LeaseExpiresAt: gateway.At(s.lookup(a.Target).leases.until(a.ID)),
		TraceParent: a.TraceParent})
}

// The author of every commit. It is no person's name or address.
var author = gateway.Identity{Name: "Leviathan", Email: "leviathan@leviathan.invalid"}

// commitOf is what the attempt's commit must say, exactly. It follows from
// the attempt alone.
func (s *Server) commitOf(a *journal.Attempt) gateway.CommitSpec {
	return gateway.CommitSpec{Message: forge.CommitMessage(a.Task, a.ID, a.DecisionID), Author: author}
}

// heartbeat renews a lease, or says stop. Any genuine token gets an answer,
// also that of an attempt that has ended.
func (s *Server) heartbeat(w http.ResponseWriter, r *http.Request, p principal) error {
	var req gateway.HeartbeatRequest
	if err := readJSON(r, &req); err != nil {
		return err
	}
	if len(req.Progress) > 400 {
		return &gateway.Error{Kind: gateway.Invalid, Field: "progress", Detail: "progress is longer than 400 bytes"}
	}
	a, err := s.subjectAttempt(r)
	if err != nil {
		return err
	}
	if ended(p, a) != nil {
		reason := gateway.Reason{Code: "attempt.ended", Message: "the attempt has ended: " + string(a.State)}
		return writeJSON(w, http.StatusOK, gateway.HeartbeatResult{Action: gateway.Stop, Reason: &reason})
	}
	t := s.lookup(a.Target)
	q := about(gateway.ActionAttemptHeartbeat, p, a)
	q.request = struct{}{}
	until := s.now().Add(time.Duration(a.LeaseSeconds) * time.Second)
	q.effect = func(tx *journal.Tx, d *decided) error {
		if progress := clip(req.Progress); d.Allow && progress != "" && progress != d.attempt.Progress {
			return event(tx, d.by, journal.LeaseRenewed{Subject: subject(a), LeaseExpiresAt: gateway.At(until), Progress: progress})
		}
		return nil
	}
	d, err := s.decide(r.Context(), q)
	if err != nil {
		return err
	}
	if d.Allow {
		t.leases.renew(a.ID, until)
	} else if p.attempt != a.ID {
		return d.refusal()
	}
	result := gateway.HeartbeatResult{Action: gateway.Continue, LeaseExpiresAt: gateway.At(until)}
	if undecided(d) { // nothing was said against the attempt: its lease goes on, and it asks again
		return d.refusal()
	}
	if !d.Allow {
		reason := gateway.Reason{Code: "unknown", Message: "denied without a reason"}
		if len(d.Reasons) > 0 {
			reason = d.Reasons[0]
		}
		result = gateway.HeartbeatResult{Action: gateway.Stop, Reason: &reason, LeaseExpiresAt: gateway.At(t.leases.until(a.ID))}
	}
	return writeJSON(w, http.StatusOK, result)
}

// undecided reports whether the policy did not come to an answer at all: a busy
// machine is no reason to stop work that somebody paid for.
func undecided(d *decided) bool {
	return len(d.Reasons) == 1 && slices.Contains([]string{engine.CodeTimeout, engine.CodeCancelled}, d.Reasons[0].Code)
}

// evidence records what the worker says its verifications said. It is shown
// as the worker's claim; a policy may require it, and none is loosened by it.
func (s *Server) evidence(w http.ResponseWriter, r *http.Request, p principal) error {
	var req gateway.Evidence
	if err := readJSON(r, &req); err != nil {
		return err
	}
	if !req.Tree.Valid() {
		return &gateway.Error{Kind: gateway.Invalid, Field: "tree", Detail: "tree must be an object id of forty hex digits"}
	}
	if len(req.Results) > 50 {
		return &gateway.Error{Kind: gateway.Invalid, Field: "results", Detail: "more than 50 results"}
	}
	a, err := s.subjectAttempt(r)
	if err != nil {
		return err
	}
	if err := ended(p, a); err != nil {
		return err
	}
	q := about(gateway.ActionAttemptEvidence, p, a)
	q.request = req
	q.effect = func(tx *journal.Tx, d *decided) error {
		if !d.Allow {
			return nil
		}
		return event(tx, d.by, journal.AttemptEvidence{Subject: subject(a), Evidence: req})
	}
	d, err := s.decide(r.Context(), q)
	if err != nil {
		return err
	}
	if err := d.refusal(); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, gateway.EvidenceRecorded{Status: "recorded", DecisionID: d.ID})
}
