package server

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"leviathan/gateway"
	"leviathan/gateway/journal"
)

// consequences is what the policy says follows from the end of an attempt:
// how it ended, what the breaker does, when the task may be tried again and
// whether it is blocked. The server appends exactly these.
type consequences struct {
	End *struct {
		State       gateway.AttemptState `json:"state"`
		FailureType gateway.FailureType  `json:"failure_type"`
	} `json:"end"`
	Circuit *circuitChange `json:"circuit"`
	Retry   *struct {
		NotBeforeUS int64 `json:"not_before_us"`
	} `json:"retry"`
	Block bool `json:"block"`
}

type circuitChange struct {
	Event           string `json:"event"` // opened, half_opened or closed
	Cause           string `json:"cause"`
	CooldownSeconds int64  `json:"cooldown_seconds"`
	UntilUS         int64  `json:"until_us"`
}

// end is the effect of every question that ends an attempt.
func (s *Server) end(summary string) func(*journal.Tx, *decided) error {
	return func(tx *journal.Tx, d *decided) error {
		if !d.Allow {
			return nil
		}
		var follows consequences
		if err := d.obligations(&follows); err != nil {
			return err
		}
		if follows.End == nil {
			return gateway.Errorf(gateway.InternalError, "decision %s allows %s and does not say how the attempt ends", d.ID, d.action)
		}
		if err := s.endAttempt(tx, d, follows, summary); err != nil {
			return err
		}
		return s.aftermath(tx, d, follows)
	}
}

func (s *Server) endAttempt(tx *journal.Tx, d *decided, follows consequences, summary string) error {
	a := d.attempt
	if follows.End.State.Live() || !a.State.CanBecome(follows.End.State) {
		return gateway.Errorf(gateway.InternalError, "decision %s ends an attempt that is %s as %q", d.ID, a.State, follows.End.State)
	}
	end := journal.End{Status: follows.End.State, FailureType: follows.End.FailureType, ErrorSummary: summary, DecisionID: d.ID}
	if end.Status == gateway.Succeeded && a.PullRequest != nil {
		end.PRNumber, end.PRURL = a.PullRequest.Number, a.PullRequest.URL
	}
	return event(tx, d.by, journal.AttemptEnded{Subject: subject(a), End: end})
}

// aftermath appends what follows for breaker and task.
func (s *Server) aftermath(tx *journal.Tx, d *decided, follows consequences) error {
	a := d.attempt
	if follows.Circuit != nil {
		if err := s.changeCircuit(tx, d, follows.Circuit); err != nil {
			return err
		}
	}
	if follows.Block {
		return event(tx, d.by, journal.TaskBlocked{Subject: journal.Subject{TargetID: a.Target, TaskID: a.TaskID}, Digest: a.Digest,
			Reason: "its last attempt ended and none is left"})
	}
	if follows.Retry != nil {
		return event(tx, d.by, journal.RetryScheduled{Subject: subject(a), NotBefore: gateway.At(time.UnixMicro(follows.Retry.NotBeforeUS))})
	}
	return nil
}

func (s *Server) changeCircuit(tx *journal.Tx, d *decided, c *circuitChange) error {
	a := d.attempt
	switch c.Event {
	case "opened":
		return event(tx, d.by, journal.CircuitOpened{Subject: subject(a), Cause: c.Cause, CooldownSeconds: c.CooldownSeconds, Until: gateway.At(time.UnixMicro(c.UntilUS))})
	case "half_opened":
		return event(tx, d.by, journal.CircuitHalfOpened{Subject: subject(a)})
	case "closed":
		return event(tx, d.by, journal.CircuitClosed{Subject: subject(a), Reason: "the probe's pull request is open"})
	}
	return gateway.Errorf(gateway.InternalError, "decision %s changes the breaker to %q", d.ID, c.Event)
}

// retire lets go of what an ended attempt held outside the journal.
func (s *Server) retire(a *journal.Attempt) {
	t := s.lookup(a.Target)
	t.leases.drop(a.ID)
	if mirror, _, ok := t.opened(); ok {
		if err := mirror.Unpin(string(a.ID)); err != nil {
			s.log.Warn("unpinning", "attempt", a.ID, "error", err)
		}
	}
	s.changed(a.Target)
}

// finishNow asks a question that ends an attempt and carries it out.
func (s *Server) finishNow(ctx context.Context, q question, summary string) (*decided, gateway.AttemptState, error) {
	q.effect = s.end(summary)
	d, err := s.decide(ctx, q)
	if err != nil {
		return nil, "", err
	}
	if !d.Allow {
		return d, "", nil
	}
	var follows consequences
	if err := d.obligations(&follows); err != nil {
		return nil, "", err
	}
	s.retire(d.attempt)
	return d, follows.End.State, nil
}

// maxSummary bounds what a worker may say about a failure.
const maxSummary = 4000

// clip makes a text safe to keep and to show: valid UTF-8 without control
// characters but line feeds and tabs, at most maxSummary bytes.
func clip(text string) string {
	text = strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || (r >= ' ' && r != 0x7f && r != utf8.RuneError) {
			return r
		}
		return -1
	}, text)
	if len(text) <= maxSummary {
		return text
	}
	cut := maxSummary
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + " […]"
}

func (s *Server) finish(w http.ResponseWriter, r *http.Request, p principal) error {
	var req gateway.FinishRequest
	if err := readJSON(r, &req); err != nil {
		return err
	}
	switch {
	case !slices.Contains([]string{"succeeded", "failed", "cancelled"}, req.Outcome):
		return &gateway.Error{Kind: gateway.Invalid, Field: "outcome", Detail: "outcome must be succeeded, failed or cancelled"}
	case req.Outcome == "failed" && !req.FailureType.Valid():
		return &gateway.Error{Kind: gateway.Invalid, Field: "failure_type", Detail: "a failed attempt needs a known failure_type"}
	case req.Outcome != "failed" && req.FailureType != "":
		return &gateway.Error{Kind: gateway.Invalid, Field: "failure_type", Detail: "only a failed attempt has a failure_type"}
	}
	a, err := s.subjectAttempt(r)
	if err != nil {
		return err
	}
	if p.attempt == a.ID && string(a.State) == req.Outcome && a.FailureType == req.FailureType {
		return writeJSON(w, http.StatusOK, gateway.FinishResult{AttemptID: a.ID, State: a.State}) // said again after a lost reply
	}
	if err := ended(p, a); err != nil {
		return err
	}
	if p.attempt == a.ID && req.Outcome == "succeeded" && a.State != gateway.Proposed {
		return &gateway.Error{Kind: gateway.Conflict, Code: "attempt.not_proposed", Detail: "attempt.not_proposed: only an attempt whose pull request is open can succeed; this one is " + string(a.State)}
	}
	q := about(gateway.ActionAttemptFinish, p, a)
	q.request = map[string]any{"outcome": req.Outcome, "failure_type": req.FailureType}
	d, state, err := s.finishNow(r.Context(), q, clip(req.ErrorSummary))
	if err != nil {
		return err
	}
	if err := d.refusal(); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, gateway.FinishResult{AttemptID: a.ID, State: state, DecisionID: d.ID})
}

// observations are what a launcher may have seen of a worker that is gone.
var observations = []string{"job_deleted", "job_failed", "evicted", "oom", "image_pull", "process_gone"}

func (s *Server) lost(w http.ResponseWriter, r *http.Request, p principal) error {
	var req gateway.LostRequest
	if err := readJSON(r, &req); err != nil {
		return err
	}
	if !slices.Contains(observations, req.Observed) {
		return &gateway.Error{Kind: gateway.Invalid, Field: "observed", Detail: "observed must be one of " + strings.Join(observations, ", ")}
	}
	a, err := s.subjectAttempt(r)
	if err != nil {
		return err
	}
	if !a.State.Live() && launches(p, a) { // to all others the policy answers
		return &gateway.Error{Kind: gateway.Conflict, Code: "attempt.ended", Detail: "attempt " + string(a.ID) + " has ended: " + string(a.State)}
	}
	q := about(gateway.ActionAttemptLost, p, a)
	q.request = map[string]string{"observed": req.Observed}
	d, state, err := s.finishNow(r.Context(), q, clip(req.Observed+": "+req.Detail))
	if err != nil {
		return err
	}
	if err := d.refusal(); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, gateway.FinishResult{AttemptID: a.ID, State: state, DecisionID: d.ID})
}

// launches reports whether the caller may know how the attempt ended, as one
// that launches workers for its target.
func launches(p principal, a *journal.Attempt) bool {
	return p.role == gateway.RoleOperator || p.role == gateway.RoleScheduler && (p.target == "" || p.target == a.Target)
}

// reason reads the body of an operator's route; every one needs a reason.
func reason(r *http.Request) (gateway.ReasonRequest, error) {
	var req gateway.ReasonRequest
	if err := readJSON(r, &req); err != nil {
		return req, err
	}
	if req.Reason = strings.TrimSpace(clip(req.Reason)); req.Reason == "" {
		return req, &gateway.Error{Kind: gateway.Invalid, Field: "reason", Detail: "say why: reason is empty"}
	}
	return req, nil
}

func (s *Server) cancelAttempt(w http.ResponseWriter, r *http.Request, p principal) error {
	req, err := reason(r)
	if err != nil {
		return err
	}
	a, err := s.subjectAttempt(r)
	if err != nil {
		return err
	}
	if !a.State.Live() && p.role == gateway.RoleOperator {
		return &gateway.Error{Kind: gateway.Conflict, Code: "attempt.ended", Detail: "attempt " + string(a.ID) + " has ended: " + string(a.State)}
	}
	q := about(gateway.ActionAttemptCancel, p, a)
	q.request = map[string]string{"reason": req.Reason}
	q.effect = func(tx *journal.Tx, d *decided) error {
		if !d.Allow {
			return nil
		}
		return s.cancel(tx, d, req.Reason)
	}
	d, err := s.decide(r.Context(), q)
	if err != nil {
		return err
	}
	if err := d.refusal(); err != nil {
		return err
	}
	s.retire(a)
	return writeJSON(w, http.StatusOK, gateway.FinishResult{AttemptID: a.ID, State: gateway.Cancelled, DecisionID: d.ID})
}

// cancel appends the end of an attempt that an operator stopped. A cancelled
// probe leaves the breaker half open, for the next one.
func (s *Server) cancel(tx *journal.Tx, d *decided, why string) error {
	a := d.attempt
	if !a.State.Live() {
		return nil
	}
	end := journal.End{Status: gateway.Cancelled, ErrorSummary: why, DecisionID: d.ID}
	if err := event(tx, d.by, journal.AttemptEnded{Subject: subject(a), End: end}); err != nil {
		return err
	}
	if d.state.Circuit.Probe != a.ID {
		return nil
	}
	return s.changeCircuit(tx, d, &circuitChange{Event: "half_opened"})
}

// invalidateAttempt takes an attempt out of every count; a live one is
// cancelled first.
func (s *Server) invalidateAttempt(w http.ResponseWriter, r *http.Request, p principal) error {
	req, err := reason(r)
	if err != nil {
		return err
	}
	a, err := s.subjectAttempt(r)
	if err != nil {
		return err
	}
	q := about(gateway.ActionAttemptInvalidate, p, a)
	q.request = map[string]string{"reason": req.Reason}
	q.effect = func(tx *journal.Tx, d *decided) error {
		if !d.Allow {
			return nil
		}
		if err := s.cancel(tx, d, "invalidated: "+req.Reason); err != nil || d.attempt.Invalidated {
			return err
		}
		return event(tx, d.by, journal.AttemptInvalidated{Subject: subject(a), Reason: req.Reason, By: d.by})
	}
	d, err := s.decide(r.Context(), q)
	if err != nil {
		return err
	}
	if err := d.refusal(); err != nil {
		return err
	}
	s.retire(a)
	return writeJSON(w, http.StatusOK, gateway.InvalidateResult{Status: "invalidated", AttemptID: a.ID, DecisionID: d.ID})
}
