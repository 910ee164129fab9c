package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"leviathan/gateway"
	"leviathan/gateway/engine"
	"leviathan/gateway/journal"
	"leviathan/gateway/replay"
)

// replayLast is how many records back from its end the journal is replayed for
// a candidate that comes by itself, unless the config says otherwise.
const replayLast = 20_000

// The causes of an activation.
const (
	causeStart    = "start"
	causeReload   = "reload"
	causeRollback = "rollback"
)

// A policyLife is what is on its way to govern. What governs is the engine's.
type policyLife struct {
	change sync.Mutex // held by whoever changes the policy

	mu        sync.Mutex
	source    string
	problem   string                   // why the source cannot be read
	candidate *engine.Snapshot         // what waits; nil if it does not even load
	waiting   *gateway.PolicyCandidate // nil if the source has what governs
}

// InitialPolicy is the policy that a gateway with the journal starts on. Where
// the source is one that changes by itself, it is what governed last: load is
// asked only if nothing ever did, so that a source that is down or has become
// worse stops no start. What the source has then takes the gate like any change.
func InitialPolicy(ctx context.Context, j *journal.Journal, logger *slog.Logger, watched bool, load func(context.Context) (*engine.Snapshot, error)) (*engine.Snapshot, error) {
	if watched {
		last, err := j.Activations(ctx, 1)
		if err != nil {
			return nil, err
		}
		if len(last) == 1 && last[0].Stored {
			policy, err := storedPolicy(ctx, j, last[0].PolicyDigest, engine.Options{Tested: true, Logger: logger})
			if err != nil {
				return nil, fmt.Errorf("start on the policy that governed last: %w; start once without --policies, on the built-in one, and the source takes the gate from there", err)
			}
			return policy, nil
		}
	}
	return load(ctx)
}

// storedPolicy loads a policy that governed before from the journal.
func storedPolicy(ctx context.Context, j *journal.Journal, digest string, opts engine.Options) (*engine.Snapshot, error) {
	data, err := j.Bundle(ctx, digest)
	if err != nil {
		return nil, err
	}
	s, err := engine.LoadBytes(ctx, data, opts)
	if err != nil {
		return nil, fmt.Errorf("load the policy %s from the journal: %w", digest, err)
	}
	return s, nil
}

// BeginPolicy journals the policy that the gateway starts on, if another one
// governed last.
func (s *Server) BeginPolicy(ctx context.Context, source string) error {
	s.policy.mu.Lock()
	s.policy.source = source
	s.policy.mu.Unlock()
	current := s.engine.Current()
	last, err := s.journal.Activations(ctx, 1)
	if err != nil {
		return err
	}
	if len(last) == 1 && last[0].Stored && last[0].PolicyDigest == current.Digest() {
		return nil
	}
	return s.journal.Commit(ctx, func(tx *journal.Tx) error {
		return activated(tx, current, self.id, journal.BundleActivated{Source: source, Cause: causeStart})
	})
}

// activated appends that a policy governs from here on, with its bytes.
func activated(tx *journal.Tx, policy *engine.Snapshot, by string, what journal.BundleActivated) error {
	data, err := policy.Bytes()
	if err != nil {
		return fmt.Errorf("pack policy %s: %w", policy.Revision(), err)
	}
	if err := tx.PutBundle(policy.Digest(), data); err != nil {
		return err
	}
	what.Revision, what.PolicyDigest, what.By = policy.Revision(), policy.Digest(), by
	return event(tx, by, what)
}

// OfferPolicy takes a candidate that the source has, and that held the steps so
// far, through the rest of the gate: the journal's decisions are decided again by
// it, and the policy that governs is asked whether it may take its place. When it
// returns nil the decision and the fact are on disk, and the candidate governs;
// after any error it does not, and the status says why.
func (s *Server) OfferPolicy(ctx context.Context, source string, candidate *engine.Snapshot, steps []gateway.PolicyStep) error {
	s.policy.change.Lock()
	defer s.policy.change.Unlock()
	c := offer{by: self, source: source, candidate: candidate, steps: steps}
	away, err := s.rolledBackFrom(ctx, candidate.Digest())
	if err == nil && away {
		err = errors.New("an operator rolled back from this policy: leviathan policy activate --reason TEXT takes it again, a change of the source offers another")
	}
	if err != nil {
		s.waits(&c, err)
		return err
	}
	return s.take(ctx, &c)
}

// rolledBackFrom reports whether the last change of policy was a rollback away
// from the one with the digest.
func (s *Server) rolledBackFrom(ctx context.Context, digest string) (bool, error) {
	last, err := s.journal.Activations(ctx, 2)
	if err != nil {
		return false, err
	}
	return len(last) == 2 && last[0].Cause == causeRollback && last[1].PolicyDigest == digest && last[0].PolicyDigest != digest, nil
}

// An offer is a candidate at the last steps of the gate.
type offer struct {
	by        principal
	source    string
	candidate *engine.Snapshot
	steps     []gateway.PolicyStep
	accept    []gateway.FlipClass
	reason    string

	flips    gateway.FlipCounts
	decision gateway.DecisionID
	reasons  []gateway.Reason
}

func (o *offer) step(name string, began time.Time, err error, detail string) {
	step := gateway.PolicyStep{Step: name, Outcome: gateway.StepHeld, Seconds: time.Since(began).Seconds(), Detail: detail}
	if err != nil {
		step.Outcome, step.Detail = gateway.StepRefused, err.Error()
	}
	o.steps = append(o.steps, step)
}

// take replays, asks, and activates what is allowed. The caller holds the
// change, so that what governs is what the journal says last.
func (s *Server) take(ctx context.Context, o *offer) error {
	began := time.Now()
	report, err := replay.Run(ctx, s.journal, o.candidate, replay.Options{Last: s.replayLast})
	if err != nil {
		o.step("replay", began, err, "")
		s.waits(o, fmt.Errorf("replaying the journal: %w", err))
		return err
	}
	o.flips = report.Counts
	notReplayable := 0
	for _, n := range report.NotReplayable {
		notReplayable += n
	}
	o.step("replay", began, nil, fmt.Sprintf("%d decisions of the last %d records decided again, flips: %s", report.Compared, s.replayLast, replay.Describe(report.Counts)))
	tooSlow := []string{}
	for _, a := range report.Slow {
		tooSlow = append(tooSlow, a.Action)
		o.steps = append(o.steps, gateway.PolicyStep{Step: "latency", Outcome: gateway.StepRefused,
			Detail: fmt.Sprintf("one %s in ten takes %.0f ms or longer, of %.0f ms", a.Action, 1000*a.Seconds, 1000*a.DeadlineSeconds)})
	}
	if len(tooSlow) == 0 {
		o.step("latency", time.Now(), nil, "no action takes more than half of its time")
	}
	began = time.Now()
	flips := map[gateway.FlipClass]int{}
	for _, class := range gateway.FlipClasses() {
		flips[class] = report.Counts[class]
	}
	accepted := []journal.AcceptedFlips{}
	for _, class := range o.accept {
		accepted = append(accepted, journal.AcceptedFlips{Class: string(class), Reason: o.reason})
	}
	d, err := s.decide(ctx, question{action: gateway.ActionBundleActivate, by: o.by,
		resource: gateway.Entity{Type: "bundle", ID: o.candidate.Digest()},
		request: map[string]any{"source": o.source, "revision": o.candidate.Revision(), "flips": flips, "compared": report.Compared,
			"not_replayable": notReplayable, "slow": tooSlow, "accepted": append([]gateway.FlipClass{}, o.accept...), "reason": o.reason},
		effect: func(tx *journal.Tx, d *decided) error {
			if !d.Allow {
				return nil
			}
			return activated(tx, o.candidate, o.by.id, journal.BundleActivated{Source: o.source, Cause: causeReload, Accepted: accepted, Steps: passed(o.steps)})
		}})
	if err != nil {
		o.step("activation", began, err, "")
		s.waits(o, err)
		return err
	}
	o.decision, o.reasons = d.ID, d.Reasons
	err = d.refusal()
	o.step("activation", began, err, "")
	if err != nil {
		s.waits(o, err)
		return err
	}
	s.engine.Activate(o.candidate)
	s.governs()
	return nil
}

// passed are the steps as the journal keeps them.
func passed(steps []gateway.PolicyStep) []journal.GateStep {
	out := make([]journal.GateStep, 0, len(steps))
	for _, st := range steps {
		out = append(out, journal.GateStep{Step: st.Step, Seconds: st.Seconds, Detail: st.Detail})
	}
	return out
}

// waits remembers a candidate that was not taken, and why; live questions are
// put to it as well, to show what it would change.
func (s *Server) waits(o *offer, why error) {
	s.policy.mu.Lock()
	s.policy.candidate = o.candidate
	s.policy.waiting = &gateway.PolicyCandidate{Revision: o.candidate.Revision(), PolicyDigest: o.candidate.Digest(), Source: o.source,
		SeenAt: gateway.At(s.now()), Steps: o.steps, Problem: clip(why.Error()), Reasons: append([]gateway.Reason{}, o.reasons...),
		DecisionID: o.decision, Flips: o.flips}
	s.policy.mu.Unlock()
	s.shadow.Watch(o.candidate)
	s.changed("")
}

// governs forgets the candidate: what the source has is what governs, or an
// operator wants it so.
func (s *Server) governs() {
	s.policy.mu.Lock()
	s.policy.candidate, s.policy.waiting = nil, nil
	s.policy.mu.Unlock()
	s.shadow.Watch(nil)
	s.changed("")
}

// PolicyRefused journals that what the source has was refused, and where. A source
// that cannot be read is for SetSourceProblem.
func (s *Server) PolicyRefused(ctx context.Context, source string, steps []gateway.PolicyStep, refused error) {
	var load *engine.LoadError
	rejected := journal.BundleRejected{Source: source, Reason: clip(refused.Error())}
	if errors.As(refused, &load) {
		rejected.Step, rejected.Problems = string(load.Step), load.Problems
		s.policy.mu.Lock()
		s.policy.candidate = nil
		s.policy.waiting = &gateway.PolicyCandidate{Source: source, SeenAt: gateway.At(s.now()), Steps: steps, Problem: clip(refused.Error()), Reasons: []gateway.Reason{}}
		s.policy.mu.Unlock()
		s.shadow.Watch(nil)
	} else if c := s.waitingPolicy(); c != nil {
		rejected.Revision, rejected.PolicyDigest, rejected.Step = c.Revision, c.PolicyDigest, lastStep(c.Steps)
	}
	if err := s.journal.Commit(ctx, func(tx *journal.Tx) error { return event(tx, self.id, rejected) }); err != nil && ctx.Err() == nil {
		s.log.Error("journalling a policy that was refused", "source", source, "error", err)
	}
	s.changed("")
}

func lastStep(steps []gateway.PolicyStep) string {
	if len(steps) == 0 {
		return ""
	}
	return steps[len(steps)-1].Step
}

// SetSourceProblem says why the source of policies cannot be read; nil, that it
// can. It is shown and not journalled: it says nothing about a policy.
func (s *Server) SetSourceProblem(problem error) {
	text := ""
	if problem != nil {
		text = clip(problem.Error())
	}
	s.policy.mu.Lock()
	s.policy.problem = text
	s.policy.mu.Unlock()
}

// PolicyActive forgets why an earlier candidate was refused: what the source
// has now is what governs.
func (s *Server) PolicyActive() { s.governs() }

func (s *Server) waitingPolicy() *gateway.PolicyCandidate {
	s.policy.mu.Lock()
	defer s.policy.mu.Unlock()
	return s.policy.waiting
}

// policyUnreadable reports whether the source of policies cannot be read.
func (s *Server) policyUnreadable() bool {
	s.policy.mu.Lock()
	defer s.policy.mu.Unlock()
	return s.policy.problem != ""
}

// policyProblem is why the newest candidate is not active; "" if there is none.
func (s *Server) policyProblem() string {
	if c := s.waitingPolicy(); c != nil {
		return c.Problem
	}
	return ""
}

// activateWaiting takes the waiting candidate on an operator's word.
func (s *Server) activateWaiting(ctx context.Context, p principal, req gateway.PolicyChangeRequest) error {
	s.policy.change.Lock()
	defer s.policy.change.Unlock()
	s.policy.mu.Lock()
	candidate, waiting := s.policy.candidate, s.policy.waiting
	s.policy.mu.Unlock()
	switch {
	case waiting == nil:
		return gateway.Errorf(gateway.Conflict, "no candidate waits: what the source has is what governs")
	case candidate == nil:
		return gateway.Errorf(gateway.Conflict, "the candidate cannot be activated: %s", waiting.Problem)
	case !names(req, candidate.Digest(), candidate.Revision()):
		return gateway.Errorf(gateway.Conflict, "another candidate waits: %s (%s)", candidate.Revision(), candidate.Digest())
	}
	steps := slices.DeleteFunc(slices.Clone(waiting.Steps), func(st gateway.PolicyStep) bool {
		return slices.Contains([]string{"replay", "latency", "activation"}, st.Step)
	})
	return s.take(ctx, &offer{by: p, source: waiting.Source, candidate: candidate, steps: steps, accept: req.Accept, reason: req.Reason})
}

// names reports whether a request that names a policy means this one.
func names(req gateway.PolicyChangeRequest, digest, revision string) bool {
	return (req.PolicyDigest == "" || req.PolicyDigest == digest) && (req.Revision == "" || req.Revision == revision)
}

// rollBack makes a policy govern again that did before.
func (s *Server) rollBack(ctx context.Context, p principal, req gateway.PolicyChangeRequest) error {
	s.policy.change.Lock()
	defer s.policy.change.Unlock()
	to, err := s.earlierPolicy(ctx, req)
	if err != nil {
		return err
	}
	// Whole: another release may have taken it through the gate.
	policy, err := storedPolicy(ctx, s.journal, to.PolicyDigest, engine.Options{Logger: s.log})
	if err != nil {
		return err
	}
	d, err := s.decide(ctx, question{action: gateway.ActionBundleRollback, by: p, resource: gateway.Entity{Type: "bundle", ID: to.PolicyDigest},
		request: map[string]string{"revision": to.Revision, "reason": req.Reason},
		effect: func(tx *journal.Tx, d *decided) error {
			if !d.Allow {
				return nil
			}
			return activated(tx, policy, p.id, journal.BundleActivated{Source: to.Source, Cause: causeRollback})
		}})
	if err != nil {
		return err
	}
	if err := d.refusal(); err != nil {
		return err
	}
	s.engine.Activate(policy)
	s.governs()
	return nil
}

// earlierPolicy finds the newest activation of another policy than the one
// that governs, or the one that the request names.
func (s *Server) earlierPolicy(ctx context.Context, req gateway.PolicyChangeRequest) (journal.Activation, error) {
	list, err := s.journal.Activations(ctx, 1000)
	if err != nil {
		return journal.Activation{}, err
	}
	current := s.engine.Current().Digest()
	for _, a := range list {
		if a.PolicyDigest == current || !names(req, a.PolicyDigest, a.Revision) {
			continue
		}
		if !a.Stored {
			return a, gateway.Errorf(gateway.NotFound, "the bytes of policy %s (%s) are not in the journal", a.Revision, a.PolicyDigest)
		}
		return a, nil
	}
	return journal.Activation{}, gateway.Errorf(gateway.NotFound, "no other policy of that name governed here; leviathan policy history lists those that did")
}
