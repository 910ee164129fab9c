package server

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"leviathan/gateway"
	"leviathan/gateway/engine"
)

// maxBatch is how many evaluations one batch may hold.
const maxBatch = 100

// evaluate answers one question asked by hand. It is journalled like any
// other decision and has no effect.
func (s *Server) evaluate(w http.ResponseWriter, r *http.Request, p principal) error {
	var asked gateway.Question
	if err := readJSON(r, &asked); err != nil {
		return err
	}
	if err := s.limits.allow(p, s.now(), 1); err != nil {
		return err
	}
	d, err := s.dryRun(r.Context(), p, asked)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, gateway.Evaluation{Decision: d.Allow, Context: d.Decision})
}

// dryRun puts a question about the live state to the door, marked as dry.
func (s *Server) dryRun(ctx context.Context, p principal, asked gateway.Question) (*decided, error) {
	q, err := s.dryQuestion(ctx, p, asked)
	if err != nil {
		return nil, err
	}
	return s.decide(ctx, q)
}

// dryQuestion checks who may ask about whom, and finds the target and attempt
// that the question's resource names.
func (s *Server) dryQuestion(ctx context.Context, p principal, asked gateway.Question) (question, error) {
	for _, f := range []struct{ name, value string }{{"action.name", asked.Action.Name}, {"subject.type", asked.Subject.Type},
		{"subject.id", asked.Subject.ID}, {"resource.type", asked.Resource.Type}, {"resource.id", asked.Resource.ID}} {
		if f.value == "" {
			return question{}, &gateway.Error{Kind: gateway.Invalid, Field: f.name, Detail: f.name + " is missing"}
		}
	}
	q := question{action: asked.Action.Name, by: p, dry: true, resource: asked.Resource, context: asked.Context}
	q.request = asked.Action.Properties
	if asked.Action.Properties == nil {
		q.request = map[string]any{}
	}
	if p.role == gateway.RoleOperator || p.role == gateway.RoleReader {
		q.about = &asked.Subject
	} else if asked.Subject.ID != p.id && asked.Subject.ID != subjectName(p.role) {
		return question{}, &gateway.Error{Kind: gateway.Forbidden, Field: "subject.id", Detail: "this token may ask only about itself"}
	}
	if id := gateway.AttemptID(asked.Resource.ID); id.Valid() {
		if p.role == gateway.RoleAttempt && id != p.attempt {
			return question{}, &gateway.Error{Kind: gateway.Forbidden, Field: "resource.id", Detail: "this token may ask only about its own attempt"}
		}
		a, ok, err := s.journal.Attempt(ctx, id)
		if err != nil {
			return question{}, unrecorded(err)
		}
		if ok {
			q.id, q.target, q.task = a.ID, a.Target, a.TaskID
		}
	}
	return q, s.dryTarget(&q, asked)
}

// dryTarget finds the target of a dry run, and its changes.
func (s *Server) dryTarget(q *question, asked gateway.Question) error {
	target, _ := asked.Resource.Properties["target"].(string)
	if asked.Resource.Type == "target" {
		target = asked.Resource.ID
	}
	if q.target == "" && target != "" && s.knows(gateway.TargetID(target)) {
		q.target = gateway.TargetID(target)
	}
	changes, ok := asked.Resource.Properties["changes"]
	if !ok || q.action != gateway.ActionChangePush {
		return nil
	}
	data, err := json.Marshal(changes)
	if err != nil {
		return &gateway.Error{Kind: gateway.Invalid, Field: "resource.properties.changes", Detail: err.Error()}
	}
	var typed []gateway.Change
	if err := json.Unmarshal(data, &typed); err != nil {
		return &gateway.Error{Kind: gateway.Invalid, Field: "resource.properties.changes", Detail: "changes are not what architecture calls a change: " + err.Error()}
	}
	part, err := engine.NewPart("changes", typed)
	if err != nil {
		return err
	}
	q.extra = append(q.extra, part)
	return nil
}

// subjectName is how a component calls itself in a question.
func subjectName(role gateway.Role) string {
	if role == gateway.RoleAttempt {
		return "worker"
	}
	return string(role)
}

// fill completes an evaluation with the batch's defaults.
func fill(b gateway.Batch, e gateway.PartialQuestion) gateway.Question {
	var q gateway.Question
	if s := cmp.Or(e.Subject, b.Subject); s != nil {
		q.Subject = *s
	}
	if a := cmp.Or(e.Action, b.Action); a != nil {
		q.Action = *a
	}
	if r := cmp.Or(e.Resource, b.Resource); r != nil {
		q.Resource = *r
	}
	if q.Context = e.Context; q.Context == nil {
		q.Context = b.Context
	}
	return q
}

// evaluateBatch answers several questions. The semantics are AuthZEN's:
// execute_all, deny_on_first_deny and permit_on_first_permit.
func (s *Server) evaluateBatch(w http.ResponseWriter, r *http.Request, p principal) error {
	var req gateway.Batch
	if err := readJSON(r, &req); err != nil {
		return err
	}
	semantic := req.Options.Semantic
	switch semantic {
	case "", gateway.ExecuteAll, gateway.DenyOnFirstDeny, gateway.PermitOnFirstPermit:
	default:
		return &gateway.Error{Kind: gateway.Invalid, Field: "options.evaluations_semantic", Detail: "unknown semantic " + semantic}
	}
	if most := min(maxBatch, burst(p.role)); len(req.Evaluations) > most {
		return gateway.Errorf(gateway.TooLarge, "a batch has at most %d evaluations with this token", most)
	}
	// The whole batch is paid for first: a refusal leaves nothing half done.
	if err := s.limits.allow(p, s.now(), max(1, len(req.Evaluations))); err != nil {
		return err
	}
	if len(req.Evaluations) == 0 { // a batch without evaluations is one question
		d, err := s.dryRun(r.Context(), p, fill(req, gateway.PartialQuestion{}))
		if err != nil {
			return err
		}
		return writeJSON(w, http.StatusOK, gateway.Evaluation{Decision: d.Allow, Context: d.Decision})
	}
	answers := []gateway.Evaluation{}
	for _, e := range req.Evaluations {
		answer, err := s.oneOf(r.Context(), p, fill(req, e))
		if err != nil {
			return err
		}
		answers = append(answers, answer)
		if (semantic == gateway.DenyOnFirstDeny && !answer.Decision) || (semantic == gateway.PermitOnFirstPermit && answer.Decision) {
			break
		}
	}
	return writeJSON(w, http.StatusOK, gateway.EvaluationList{Evaluations: answers})
}

// oneOf answers one question of a batch. One that cannot be asked is denied by
// itself, with why, and spoils no other.
func (s *Server) oneOf(ctx context.Context, p principal, asked gateway.Question) (gateway.Evaluation, error) {
	d, err := s.dryRun(ctx, p, asked)
	var wrong *gateway.Error
	if errors.As(err, &wrong) && (wrong.Kind == gateway.Invalid || wrong.Kind == gateway.Forbidden) {
		return gateway.Evaluation{Context: gateway.Decision{Reasons: []gateway.Reason{}, Obligations: json.RawMessage("{}"), DryRun: true,
			Error: &gateway.EvaluationError{Status: wrong.Kind.Status(), Message: wrong.Error()}}}, nil
	}
	if err != nil {
		return gateway.Evaluation{}, err
	}
	return gateway.Evaluation{Decision: d.Allow, Context: d.Decision}, nil
}
