package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"leviathan/gateway"
	"leviathan/gateway/autonomy"
	"leviathan/gateway/engine"
	"leviathan/gateway/journal"
)

const (
	// proveEvery is how often the kill switch is proved.
	proveEvery = 15 * time.Second
	// proofStale is the age at which the last proof proves nothing any more.
	proofStale = 4 * proveEvery
)

// How a proof ended; the label of leviathan_killswitch_proofs_total.
const (
	proofHeld   = "held"
	proofFailed = "failed"
)

// A killSwitch remembers the newest proof that off means off.
type killSwitch struct {
	mu      sync.Mutex
	tried   time.Time
	held    time.Time // of the last proof that held
	problem string    // why the newest did not; "" if it held
	nothing bool      // no config is valid, so there was nothing to prove
}

// due reports whether it is time for another proof, and takes the turn.
func (k *killSwitch) due(now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.tried.IsZero() && now.Sub(k.tried) < proveEvery {
		return false
	}
	k.tried = now
	return true
}

func (k *killSwitch) proved(now time.Time, targets int, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.nothing = targets == 0; k.nothing {
		k.problem = ""
		return
	}
	if k.problem = ""; err != nil {
		k.problem = err.Error()
		return
	}
	k.held = now
}

// status is what is known of the switch: when it was last seen to work, and
// what is wrong with it.
func (k *killSwitch) status(now time.Time) gateway.KillSwitchStatus {
	k.mu.Lock()
	defer k.mu.Unlock()
	st := gateway.KillSwitchStatus{Problem: k.problem}
	if !k.held.IsZero() {
		st.ProvedAt = gateway.At(k.held)
	}
	if st.Problem == "" && !k.nothing && now.Sub(k.held) > proofStale {
		st.Problem = "the switch has not been proved for a while: the gateway's clockwork stands"
	}
	return st
}

// prove walks the path of real questions with the switch off in what the
// policy is told, and holds every answer to be a denial because of it: of a plan,
// and of what each live attempt would ask next. It touches no config and no
// journal: proofs are counted.
func (s *Server) prove(ctx context.Context) {
	now := s.now()
	if !s.killSwitch.due(now) {
		return
	}
	var failures []error
	targets := 0
	for _, cfg := range s.targets.Targets() {
		if !cfg.Valid { // is off by that
			continue
		}
		targets++
		if err := s.proveTarget(ctx, cfg); err != nil {
			failures = append(failures, fmt.Errorf("target %s: %w", cfg.ID, err))
		}
	}
	err := errors.Join(failures...)
	if ctx.Err() != nil {
		return
	}
	s.killSwitch.proved(now, targets, err)
	switch {
	case targets == 0:
	case err != nil:
		s.metrics.proofs.WithLabelValues(proofFailed).Inc()
		s.log.Error("the kill switch does not work: stop this gateway, and correct the policy", "error", err)
	default:
		s.metrics.proofs.WithLabelValues(proofHeld).Inc()
		s.metrics.lastProof.Set(float64(now.UnixMicro()) / 1e6)
	}
}

// next are the questions that an attempt may ask in its state.
var next = map[gateway.AttemptState][]string{
	gateway.Reserved: {gateway.ActionAgentRun, gateway.ActionAttemptStart},
	gateway.Running:  {gateway.ActionAttemptHeartbeat},
	gateway.Pushed:   {gateway.ActionAttemptHeartbeat, gateway.ActionPullRequestOpen},
	gateway.Proposed: {gateway.ActionAttemptHeartbeat},
}

// proveTarget proves the switch for a plan, for what the gateway does itself,
// and for what every live attempt may ask next.
func (s *Server) proveTarget(ctx context.Context, cfg autonomy.State) error {
	state, err := s.journal.State(cfg.ID)
	if err != nil {
		return err
	}
	questions := []question{
		{action: gateway.ActionCyclePlan, by: principal{role: gateway.RoleScheduler, id: self.id}, target: cfg.ID,
			resource: gateway.Entity{Type: "target", ID: string(cfg.ID)}, request: map[string]any{}},
		{action: gateway.ActionPullRequestNote, by: self, target: cfg.ID, resource: gateway.Entity{Type: "target", ID: string(cfg.ID)}},
	}
	for _, a := range state.Attempts {
		for _, action := range next[a.State] {
			q := about(action, principal{role: gateway.RoleAttempt, id: string(a.ID), target: a.Target, attempt: a.ID}, a)
			q.attempt, q.request = a, map[string]any{}
			questions = append(questions, q)
		}
	}
	for _, q := range questions {
		if err := s.proveQuestion(ctx, &q, state, cfg); err != nil {
			return fmt.Errorf("%s: %w", q.action, err)
		}
	}
	return nil
}

// proveQuestion asks twice, with the switch on and off. Off must be denied,
// with a reason that on does not have: nothing else that speaks against the
// question may pass for the switch.
func (s *Server) proveQuestion(ctx context.Context, q *question, state *journal.State, cfg autonomy.State) error {
	in, err := s.input(q, s.journalNow(), state)
	if err != nil {
		return err
	}
	// The backlog is large and says nothing about the switch.
	in = slices.DeleteFunc(in, func(p engine.Part) bool { return p.Name == "backlog" })
	on, err := s.withSwitch(ctx, q, in, cfg, true)
	if err != nil {
		return err
	}
	off, err := s.withSwitch(ctx, q, in, cfg, false)
	if err != nil {
		return err
	}
	if off.Allow {
		return errors.New("is allowed with the switch off")
	}
	other := func(r gateway.Reason) bool {
		return !isUnknown(r.Code) && !slices.ContainsFunc(on.Reasons, func(o gateway.Reason) bool { return o.Code == r.Code })
	}
	if !slices.ContainsFunc(off.Reasons, other) {
		return errors.New("gives no reason that the switch is off")
	}
	return nil
}

// withSwitch evaluates the input with the config's switch set.
func (s *Server) withSwitch(ctx context.Context, q *question, in engine.Input, cfg autonomy.State, on bool) (engine.Result, error) {
	values := *cfg.Config
	values.AutonomyEnabled = on
	part, err := engine.NewPart("config", configPart{State: "valid", Digest: cfg.Digest, Values: &values})
	if err != nil {
		return engine.Result{}, err
	}
	in = slices.Clone(in)
	for i := range in {
		if in[i].Name == part.Name {
			in[i] = part
		}
	}
	return s.evaluations.run(ctx, q.action, func() engine.Result { return s.engine.Current().Decide(ctx, q.action, in) }), nil
}
