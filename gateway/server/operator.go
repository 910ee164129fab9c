package server

import (
	"context"
	"net/http"
	"time"

	"github.com/oklog/ulid/v2"

	"leviathan/gateway"
	"leviathan/gateway/journal"
)

// halt stops everything, of one target or of all, until resume. It needs no
// fact but who asks: it is never refused because something is unknown.
func (s *Server) halt(w http.ResponseWriter, r *http.Request, p principal) error {
	return s.latch(w, r, p, gateway.ActionAutonomyHalt, func(at journal.Subject, req gateway.ReasonRequest, by string) journal.Payload {
		return journal.AutonomyHalted{Subject: at, Reason: req.Reason, By: by}
	})
}

// resume lifts a halt: that of one target, or the one of all.
func (s *Server) resume(w http.ResponseWriter, r *http.Request, p principal) error {
	return s.latch(w, r, p, gateway.ActionAutonomyResume, func(at journal.Subject, req gateway.ReasonRequest, by string) journal.Payload {
		return journal.AutonomyResumed{Subject: at, Reason: req.Reason, By: by}
	})
}

func (s *Server) latch(w http.ResponseWriter, r *http.Request, p principal, action string,
	made func(journal.Subject, gateway.ReasonRequest, string) journal.Payload) error {
	req, err := reason(r)
	if err != nil {
		return err
	}
	q := question{action: action, by: p, resource: gateway.Entity{Type: "target", ID: "*"}}
	if req.Target != nil {
		if !s.knows(*req.Target) {
			return &gateway.Error{Kind: gateway.NotFound, Field: "target", Detail: "no config names target " + string(*req.Target)}
		}
		q.target, q.resource.ID = *req.Target, string(*req.Target)
	}
	q.request = map[string]any{"target": string(q.target), "reason": req.Reason}
	q.effect = func(tx *journal.Tx, d *decided) error {
		if !d.Allow {
			return nil
		}
		return event(tx, p.id, made(journal.Subject{TargetID: q.target}, req, p.id))
	}
	return s.carryOut(w, r, q)
}

// carryOut decides an operator's question, with its effect, and answers.
func (s *Server) carryOut(w http.ResponseWriter, r *http.Request, q question) error {
	d, err := s.decide(r.Context(), q)
	if err != nil {
		return err
	}
	if err := d.refusal(); err != nil {
		return err
	}
	s.changed(q.target)
	return writeJSON(w, http.StatusOK, gateway.ActionResult{Status: "ok", Action: q.action, Target: q.target, DecisionID: d.ID})
}

func (s *Server) resetCircuit(w http.ResponseWriter, r *http.Request, p principal) error {
	req, err := reason(r)
	if err != nil {
		return err
	}
	id := gateway.TargetID(fields(r)["target"])
	if !s.knows(id) {
		return gateway.Errorf(gateway.NotFound, "no config names target %q", id)
	}
	return s.carryOut(w, r, question{action: gateway.ActionCircuitReset, by: p, target: id, resource: gateway.Entity{Type: "target", ID: string(id)},
		request: map[string]string{"reason": req.Reason},
		effect: func(tx *journal.Tx, d *decided) error {
			if !d.Allow {
				return nil
			}
			return event(tx, p.id, journal.CircuitClosed{Subject: journal.Subject{TargetID: id}, Reason: req.Reason, By: p.id})
		}})
}

func (s *Server) retryTask(w http.ResponseWriter, r *http.Request, p principal) error {
	req, err := reason(r)
	if err != nil {
		return err
	}
	id, task := gateway.TargetID(fields(r)["target"]), gateway.TaskID(fields(r)["task"])
	if !s.knows(id) {
		return gateway.Errorf(gateway.NotFound, "no config names target %q", id)
	}
	state, err := s.journal.State(id)
	if err != nil {
		return unrecorded(err)
	}
	if _, ok := state.Tasks[task]; !ok {
		return gateway.Errorf(gateway.NotFound, "nothing has happened to task %q of target %s yet, so there is nothing to retry", task, id)
	}
	return s.carryOut(w, r, question{action: gateway.ActionTaskRetry, by: p, target: id, task: task, resource: gateway.Entity{Type: "task", ID: string(task)},
		request: map[string]string{"reason": req.Reason},
		effect: func(tx *journal.Tx, d *decided) error {
			if !d.Allow {
				return nil
			}
			return event(tx, p.id, journal.TaskUnblocked{Subject: journal.Subject{TargetID: id, TaskID: task}, Reason: req.Reason, By: p.id})
		}})
}

// acceptClock lets records follow a clock that went backwards.
func (s *Server) acceptClock(w http.ResponseWriter, r *http.Request, p principal) error {
	req, err := reason(r)
	if err != nil {
		return err
	}
	return s.carryOut(w, r, question{action: gateway.ActionClockAccept, by: p, resource: gateway.Entity{Type: "journal", ID: "clock"},
		request: map[string]string{"reason": req.Reason},
		effect: func(tx *journal.Tx, d *decided) error {
			if !d.Allow {
				return nil
			}
			return event(tx, p.id, journal.ClockAccepted{By: p.id, Reason: req.Reason, BehindSeconds: int64(s.clockBehind().Seconds())})
		}})
}

const (
	tokenLife    = 720 * time.Hour
	tokenLifeMax = 10 * 365 * 24 * time.Hour
)

func (s *Server) createToken(w http.ResponseWriter, r *http.Request, p principal) error {
	var req gateway.TokenRequest
	if err := readJSON(r, &req); err != nil {
		return err
	}
	switch req.Role {
	case gateway.RoleScheduler, gateway.RoleReader, gateway.RoleIngest:
	default:
		return &gateway.Error{Kind: gateway.Invalid, Field: "role", Detail: "role must be scheduler, reader or ingest"}
	}
	life := tokenLife
	if req.ExpiresIn != "" {
		var err error
		if life, err = time.ParseDuration(req.ExpiresIn); err != nil || life <= 0 || life > tokenLifeMax {
			return &gateway.Error{Kind: gateway.Invalid, Field: "expires_in", Detail: "expires_in is a duration such as 720h, at most ten years"}
		}
	}
	made := journal.TokenCreated{ID: ulid.Make().String(), Role: req.Role, ExpiresAt: gateway.At(s.now().Add(life))}
	if req.Target != nil {
		if !req.Target.Valid() {
			return &gateway.Error{Kind: gateway.Invalid, Field: "target", Detail: "target is not a valid id"}
		}
		made.TargetID = *req.Target
	}
	secret := newSecret("lev_" + string(req.Role) + "_")
	made.Hash = hashSecret(secret)
	q := question{action: gateway.ActionTokenCreate, by: p, resource: gateway.Entity{Type: "token", ID: made.ID},
		request: map[string]string{"role": string(req.Role), "target": string(made.TargetID)},
		effect: func(tx *journal.Tx, d *decided) error {
			if !d.Allow {
				return nil
			}
			return event(tx, p.id, made)
		}}
	d, err := s.decide(r.Context(), q)
	if err != nil {
		return err
	}
	if err := d.refusal(); err != nil {
		return err
	}
	return writeJSON(w, http.StatusCreated, gateway.TokenResult{ID: made.ID, Token: secret})
}

func (s *Server) revokeToken(w http.ResponseWriter, r *http.Request, p principal) error {
	id := fields(r)["token"]
	known, err := s.tokenExists(r.Context(), id)
	if err != nil {
		return err
	}
	if !known {
		return gateway.Errorf(gateway.NotFound, "no token %q", id)
	}
	return s.carryOut(w, r, question{action: gateway.ActionTokenRevoke, by: p, resource: gateway.Entity{Type: "token", ID: id},
		request: map[string]string{"id": id},
		effect: func(tx *journal.Tx, d *decided) error {
			if !d.Allow {
				return nil
			}
			return event(tx, p.id, journal.TokenRevoked{ID: id})
		}})
}

func (s *Server) tokenExists(ctx context.Context, id string) (bool, error) {
	tokens, err := s.journal.Tokens(ctx)
	if err != nil {
		return false, unrecorded(err)
	}
	for _, t := range tokens.Items {
		if t.ID == id {
			return true, nil
		}
	}
	return false, nil
}

func (s *Server) listTokens(w http.ResponseWriter, r *http.Request, _ principal) error {
	tokens, err := s.journal.Tokens(r.Context())
	if err != nil {
		return unrecorded(err)
	}
	return writeJSON(w, http.StatusOK, tokens)
}
