package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"leviathan/gateway"
	"leviathan/gateway/engine"
	"leviathan/gateway/journal"
	"leviathan/gateway/replay"
)

// maxRounds is how often a heavy question is evaluated again, outside the
// writer, because the journal moved on meanwhile.
const maxRounds = 2

// A question is one thing that somebody wants to do, with what follows from
// its answer.
type question struct {
	action   string
	by       principal
	target   gateway.TargetID
	task     gateway.TaskID
	id       gateway.AttemptID // of the attempt it is about
	resource gateway.Entity
	context  map[string]any
	request  any
	extra    []engine.Part

	// dry marks an evaluation by hand: journalled, without effect. about is
	// whom it asks about, if not the asker.
	dry   bool
	about *gateway.Entity

	// prepare, if there is one, reads what the answer demands, outside the
	// writer where it can be; it is called again for another answer.
	prepare func(d *decided) error

	// effect appends what follows from the answer, allowed or not, in the
	// transaction of the decision. It sees the state as of that transaction.
	effect func(tx *journal.Tx, d *decided) error

	attempt *journal.Attempt // filled by the door, with the state it belongs to
}

// subject is who asks, as the policy sees it.
func (q *question) subject() subjectPart {
	p := subjectPart{Type: "component", ID: q.by.id, Role: q.by.role, Attempt: q.by.attempt, Target: q.by.target, AskedBy: q.by.id}
	if q.about == nil {
		return p
	}
	p.Type, p.ID, p.Role, p.Attempt, p.Target = q.about.Type, q.about.ID, roleOf(q.about), "", ""
	if p.Role == gateway.RoleAttempt {
		p.Attempt, p.Target = q.id, q.target
	}
	return p
}

// roleOf is the role that a dry run asks about: the subject's role property,
// or what its id names: a role, or worker.
func roleOf(subject *gateway.Entity) gateway.Role {
	if role, ok := subject.Properties["role"].(string); ok {
		return gateway.Role(role)
	}
	if subject.ID == "worker" {
		return gateway.RoleAttempt
	}
	return gateway.Role(subject.ID)
}

// A decided question: the answer, and where it stands in the journal.
type decided struct {
	gateway.Decision
	action  string
	by      string // the token that asked
	now     gateway.Time
	state   *journal.State
	attempt *journal.Attempt
	input   engine.Input
	result  engine.Result
	policy  *engine.Snapshot
	masked  *masked        // what is recorded instead, if the policy masks
	record  journal.Record // made outside the writer, appended inside
	seq     int64          // the record's place, once it is on disk
	trace   string         // the place in a trace at which it was decided; "" for none
	// category is of the verdict on a repository that this is; "" for the
	// answer to a question.
	category string
}

// obligations decodes what the policy demands with its answer.
func (d *decided) obligations(v any) error {
	if err := json.Unmarshal(d.Obligations, v); err != nil {
		return fmt.Errorf("decision %s: obligations of %s: %w", d.ID, d.action, err)
	}
	return nil
}

// refusal is the error of a denied question, nil if it was allowed. A fact
// that cannot be had is unknown, everything else is forbidden.
func (d *decided) refusal() error {
	if d.Allow {
		return nil
	}
	e := &gateway.Error{Kind: gateway.Forbidden, DecisionID: d.ID, Reasons: d.Reasons, Detail: d.action + " is denied"}
	if !slices.ContainsFunc(d.Reasons, func(r gateway.Reason) bool { return isUnknown(r.Code) }) {
		return e
	}
	// Who may not ask gets to know that, and not which facts were not looked up
	// for somebody else; the record has all reasons.
	barred := slices.DeleteFunc(slices.Clone(d.Reasons), func(r gateway.Reason) bool { return !strings.HasPrefix(r.Code, "access.") })
	if len(barred) > 0 {
		e.Reasons = barred
		return e
	}
	e.Kind, e.RetryAfter, e.Detail = gateway.Unknown, 5*time.Second, d.action+" cannot be decided"
	return e
}

// isUnknown reports whether a code says that a fact could not be had.
func isUnknown(code string) bool { return len(code) > 8 && code[:8] == "unknown." }

// heavy reports whether the action's evaluation is too long for the writer.
func heavy(action string) bool {
	return action == gateway.ActionCyclePlan || action == gateway.ActionChangePush
}

// errMoved says that the journal moved on while a heavy question was
// evaluated.
var errMoved = errors.New("the journal moved on")

// decide is the one door: the only caller of the engine for live questions.
// It evaluates outside the writer, commits the decision with its effect, and
// returns when both are on disk. If what the policy had been told has moved
// by then, the question is evaluated again, inside the writer; a heavy one
// outside, at most maxRounds times, and then denied as unknown.contention.
//
// An error means that the question has no recorded answer, which is the only
// refusal without a record.
func (s *Server) decide(ctx context.Context, q question) (d *decided, err error) {
	ctx, span := s.decisionSpan(ctx, &q)
	defer func() { s.endDecision(span, d, err) }()
	for round := 0; ; round++ {
		d, err = s.decideOnce(ctx, &q, round)
		if errors.Is(err, errMoved) {
			if round < 2*maxRounds {
				continue
			}
			err = s.contend(ctx, &q, d)
		}
		if err != nil {
			if errors.Is(err, journal.ErrNotRecorded) || gateway.KindOf(err) == gateway.InternalError && ctx.Err() == nil {
				s.metrics.unrecorded.Inc()
			}
			return nil, err
		}
		s.metrics.decision(q.action, d)
		s.offerShadow(&q, d)
		return d, nil
	}
}

// offerShadow hands a decided question to the candidate policy, if one waits.
func (s *Server) offerShadow(q *question, d *decided) {
	codes := make([]string, 0, len(d.Reasons))
	for _, r := range d.Reasons {
		codes = append(codes, r.Code)
	}
	s.shadow.Offer(replay.Question{Decision: d.ID, Action: q.action, Target: q.target, Task: q.taskID(), Attempt: q.id, DryRun: q.dry,
		Codes: codes, Input: d.input, Result: d.result.JSON})
}

func (s *Server) decideOnce(ctx context.Context, q *question, round int) (*decided, error) {
	state, err := s.journal.State(q.target)
	if err != nil {
		return nil, unrecorded(err)
	}
	if q.id != "" {
		if q.attempt, _, err = s.journal.Attempt(ctx, q.id); err != nil {
			return nil, unrecorded(err)
		}
	}
	d, err := s.ask(ctx, q, state, s.journalNow())
	if err != nil {
		return nil, err
	}
	err = s.journal.Commit(ctx, func(tx *journal.Tx) error {
		if tx.FactsSeq(q.target) != state.FactsSeq {
			if d, err = s.askAgain(ctx, q, tx, d, round); err != nil {
				return err
			}
		}
		appended, err := tx.Append(d.record)
		if err != nil {
			return err
		}
		if d.seq = appended.Seq; q.dry || q.effect == nil {
			return nil
		}
		return q.effect(tx, d)
	})
	if err != nil && !errors.Is(err, errMoved) {
		err = unrecorded(err)
	}
	return d, err
}

// contend records that a question could not be decided, because what it was
// about changed each time.
func (s *Server) contend(ctx context.Context, q *question, d *decided) error {
	if d == nil {
		return gateway.Errorf(gateway.Unknown, "what %s is about changed each time that it was decided; ask again", q.action)
	}
	d.answer(contention())
	if err := s.complete(ctx, q, d); err != nil {
		return err
	}
	err := s.journal.Commit(ctx, func(tx *journal.Tx) error {
		appended, err := tx.Append(d.record)
		if d.seq = appended.Seq; err != nil || q.dry || q.effect == nil {
			return err
		}
		return q.effect(tx, d)
	})
	if err != nil {
		return unrecorded(err)
	}
	return nil
}

// codeContention is the one reason that the door itself gives.
const codeContention = "unknown.contention"

func contention() engine.Result {
	return engine.Refuse(codeContention, "the target's state changed three times while this was being decided", "Ask again.")
}

// askAgain answers a question whose facts moved before its commit. It runs
// under the writer, where nothing moves any more.
func (s *Server) askAgain(ctx context.Context, q *question, tx *journal.Tx, before *decided, round int) (*decided, error) {
	if heavy(q.action) {
		if round < maxRounds {
			return nil, errMoved
		}
		before.answer(contention())
		return before, s.complete(ctx, q, before)
	}
	state, err := tx.State(q.target)
	if err != nil {
		return nil, err
	}
	if q.id != "" {
		if q.attempt, _, err = tx.Attempt(q.id); err != nil {
			return nil, err
		}
	}
	return s.askNow(ctx, q, state, tx.Now(), func(evaluate func() engine.Result) engine.Result { return evaluate() })
}

// ask evaluates a question on a state. It changes nothing.
func (s *Server) ask(ctx context.Context, q *question, state *journal.State, at gateway.Time) (*decided, error) {
	return s.askNow(ctx, q, state, at, func(evaluate func() engine.Result) engine.Result {
		return s.evaluations.run(ctx, q.action, evaluate)
	})
}

// askNow is ask with another way to wait for a turn: the writer has none to
// wait for.
func (s *Server) askNow(ctx context.Context, q *question, state *journal.State, at gateway.Time,
	turn func(func() engine.Result) engine.Result) (*decided, error) {
	in, err := s.input(q, at, state)
	if err != nil {
		return nil, gateway.Errorf(gateway.Invalid, "the question cannot be put to the policy: %v", err)
	}
	began := time.Now()
	policy := s.engine.Current()
	result := turn(func() engine.Result { return policy.Decide(ctx, q.action, in) })
	s.metrics.evaluation.Observe(time.Since(began).Seconds())
	d := &decided{action: q.action, by: q.by.id, now: at, state: state, attempt: q.attempt, input: in, policy: policy, trace: s.tracing.parent(ctx)}
	d.Decision = gateway.Decision{ID: gateway.DecisionID(ulid.Make().String()), EvaluatedAt: at, DryRun: q.dry,
		Revision: policy.Revision(), PolicyDigest: policy.Digest(), InputDigest: in.Digest()}
	d.answer(result)
	return d, s.complete(ctx, q, d)
}

// complete makes what the commit of an answer needs.
func (s *Server) complete(ctx context.Context, q *question, d *decided) (err error) {
	if d.masked, err = s.applyMask(ctx, d.policy, q, d); err != nil {
		return err
	}
	if d.record, err = recordOf(q, d); err == nil && q.prepare != nil {
		err = q.prepare(d)
	}
	return err
}

// evaluations bounds how many questions are evaluated at once, to what the
// machine can do at once: the deadline of a question is for its policy, not
// for its turn. Heavy questions have turns of their own.
type evaluations struct{ light, heavy chan struct{} }

func newEvaluations() evaluations {
	n := runtime.GOMAXPROCS(0)
	return evaluations{light: make(chan struct{}, n), heavy: make(chan struct{}, max(1, n/2))}
}

// run evaluates when it is its turn.
func (e evaluations) run(ctx context.Context, action string, evaluate func() engine.Result) engine.Result {
	turns := e.light
	if heavy(action) {
		turns = e.heavy
	}
	select {
	case turns <- struct{}{}:
		defer func() { <-turns }()
		return evaluate()
	case <-ctx.Done():
		return engine.Refuse(engine.CodeCancelled, "the question was cancelled before its turn", "Ask again.")
	}
}

// answer sets what the decision says.
func (d *decided) answer(result engine.Result) {
	d.result = result
	d.Allow, d.Reasons, d.Obligations = result.Allow, result.Reasons, result.Obligations
	if d.Reasons == nil {
		d.Reasons = []gateway.Reason{}
	}
}

func (q *question) taskID() gateway.TaskID {
	if q.task == "" && q.attempt != nil {
		return q.attempt.TaskID
	}
	return q.task
}

// unrecorded makes the error of a question without a recorded answer.
func unrecorded(err error) error {
	var known *gateway.Error
	if errors.As(err, &known) {
		return err
	}
	return fmt.Errorf("deciding: %w", err)
}

// read asks the policy about reading a route. An allowed read is counted; a
// denied one goes through the door once more, to be journalled.
func (s *Server) read(r *http.Request, p principal, row route) error {
	q := question{action: gateway.ActionRouteRead, by: p, resource: gateway.Entity{Type: "route", ID: row.method + " " + row.path},
		request: map[string]string{"route": row.path, "method": row.method}}
	vars := fields(r)
	q.resource.Properties = map[string]any{"attempt": vars["attempt"], "target": s.readTarget(r, p, row)}
	if t := gateway.TargetID(vars["target"]); t != "" && s.knows(t) {
		q.target = t
	}
	state, err := s.journal.State(q.target)
	if err != nil {
		return unrecorded(err)
	}
	d, err := s.ask(r.Context(), &q, state, s.journalNow())
	if err != nil {
		return err
	}
	if d.Allow {
		s.metrics.decision(q.action, d)
		return nil
	}
	if d, err = s.decide(r.Context(), q); err != nil {
		return err
	}
	return d.refusal()
}
