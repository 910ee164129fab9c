package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"time"

	"leviathan/gateway"
	"leviathan/gateway/autonomy"
	"leviathan/gateway/journal"
)

// status says what governs now. It reads the config files and the journal and
// asks nobody else: facts are shown with the age that they have.
func (s *Server) status(w http.ResponseWriter, r *http.Request, p principal) error {
	st := gateway.Status{Version: gateway.Version, PolicyRevision: s.engine.Current().Revision(), PolicyDigest: s.engine.Current().Digest(),
		PolicyProblem: s.policyProblem(), Clock: "ok", KillSwitch: s.killSwitch.status(s.now()), Warnings: append([]string{}, s.warnings...), Targets: []gateway.TargetStatus{}}
	if behind := s.clockBehind(); behind > clockTolerance {
		st.Clock = fmt.Sprintf("unknown.clock: the clock is %.0f s behind the last record", behind.Seconds())
	}
	if free, _, err := diskSpace(s.stateDir); err == nil && free < leastDisk {
		st.Warnings = append(st.Warnings, fmt.Sprintf("the file system of %s has %.0f bytes left: nothing can be decided until there is space", s.stateDir, free))
	}
	if s.writer != nil {
		writer := s.writer.Status()
		st.Writer = &writer
	}
	all := s.targets.Targets()
	if p.target != "" { // see boundRoutes
		all = slices.DeleteFunc(slices.Clone(all), func(cfg autonomy.State) bool { return cfg.ID != p.target })
	}
	for _, cfg := range all {
		one, err := s.targetStatus(r.Context(), cfg)
		if err != nil {
			return err
		}
		st.AutonomyEnabled = st.AutonomyEnabled || one.AutonomyEnabled
		st.Targets = append(st.Targets, one)
		st.Warnings = append(st.Warnings, s.forgeWarnings(cfg.ID)...)
		for _, d := range cfg.Diagnostics {
			st.Warnings = append(st.Warnings, d.String())
		}
		if cfg.Config != nil {
			for name, agent := range cfg.Config.Agents {
				if agent.Sandbox == gateway.SandboxOff {
					st.Warnings = append(st.Warnings, fmt.Sprintf("target %s: agent %s runs without a sandbox: it is as trusted as the operator", cfg.ID, name))
				}
			}
		}
	}
	state, err := s.journal.State("")
	if err != nil {
		return unrecorded(err)
	}
	st.HaltedAll = state.HaltAll
	st.Source = source(all)
	return writeJSON(w, http.StatusOK, st)
}

// source names where the configs come from, in the words of release 0.4.
func source(all []autonomy.State) string {
	if len(all) == 0 {
		return "default (no config is loaded)"
	}
	for _, cfg := range all {
		if !cfg.Valid {
			return "default (" + cfg.Reason + ")"
		}
	}
	if len(all) == 1 {
		return "configmap:" + all[0].File
	}
	return "configmap:" + filepath.Dir(all[0].File)
}

func (s *Server) targetStatus(ctx context.Context, cfg autonomy.State) (gateway.TargetStatus, error) {
	one := gateway.TargetStatus{Target: cfg.ID, AutonomyEnabled: cfg.Enabled, ConfigState: "valid", ConfigDigest: cfg.Digest, ConfigFile: cfg.File,
		ConfigReason: cfg.Reason, Reasons: []gateway.Reason{}, Limits: map[string]int{}, Facts: []gateway.FactStatus{}}
	if !cfg.Valid {
		one.ConfigState = "invalid"
		one.Reasons = append(one.Reasons, gateway.Reason{Code: "guard.config_invalid", Message: cfg.Reason})
	}
	if cfg.ID == "" {
		return one, nil
	}
	state, err := s.journal.State(cfg.ID)
	if err != nil {
		return one, unrecorded(err)
	}
	t := s.lookup(cfg.ID)
	one.Halt, one.OpenPRs, one.RunningAttempts = state.HaltTarget, state.Open, state.Live
	one.Circuit = circuitStatus(state.Circuit)
	now := s.now()
	if cfg.Config != nil {
		one.Limits = map[string]int{"max_open_prs": cfg.Config.MaxOpenPRs, "max_running_attempts": cfg.Config.MaxRunningAttempts,
			"max_attempts_per_task": cfg.Config.MaxAttemptsPerTask, "circuit_breaker_failures": cfg.Config.CircuitBreakerFailures,
			"attempt_timeout_seconds": cfg.Config.AttemptTimeoutSeconds}
		one.NextCycleAt = gateway.At(cfg.Config.Next(now))
	}
	seen := t.facts()
	one.OpenPRs += len(seen.unlisted)
	one.Facts = append(one.Facts, fact("config", cfg.File, now, cfg.ObservedAt, cfg.Reason, cfg.Valid),
		fact("mirror", string(seen.head), now, seen.mirrorAt, seen.mirrorErr, seen.mirrorErr == ""),
		fact("forge", "pull requests", now, seen.forgeAt, seen.forgeErr, seen.forgeErr == ""))
	if o, ok := s.targets.Seconded(); ok {
		one.Facts = append(one.Facts, fact("config_map", o.Source, now, o.ObservedAt, o.Problem, o.Known && o.Problem == ""))
	}
	if p := t.around.probed.Load(); p != nil {
		one.Facts = append(one.Facts, fact("probe", "settings of the repository", now, p.at, p.problem, p.seen != nil))
		one.Probe = p.seen
	}
	for _, pr := range state.PullRequests {
		one.PullRequests = append(one.PullRequests, pullItem(pr))
	}
	if one.LaunchProblem, err = s.launchProblem(ctx, cfg.ID); err != nil {
		return one, unrecorded(err)
	}
	return one, s.effective(ctx, &one, cfg, state)
}

// effective asks the policy whether the switch as a whole lets a plan pass:
// the conjunction of everything, as the next cycle would see it.
func (s *Server) effective(ctx context.Context, one *gateway.TargetStatus, cfg autonomy.State, state *journal.State) error {
	t := s.lookup(cfg.ID)
	if t.facts().backlogPart.Name == "" {
		one.Reasons = append(one.Reasons, gateway.Reason{Code: "unknown.backlog", Message: t.facts().mirrorErr})
		return nil
	}
	q := question{action: gateway.ActionCyclePlan, by: principal{role: gateway.RoleScheduler, id: "status"}, target: cfg.ID, dry: true,
		resource: gateway.Entity{Type: "target", ID: string(cfg.ID)}, request: gateway.CycleRequest{}}
	d, err := s.ask(ctx, &q, state, s.journalNow())
	if err != nil {
		return err
	}
	one.Effective, one.Reasons = d.Allow, d.Reasons
	members, err := d.result.Members()
	if err != nil {
		return fmt.Errorf("the obligations of a plan: %w", err)
	}
	if said, ok := members["warnings"]; ok {
		if err := json.Unmarshal(said, &one.Warnings); err != nil {
			return fmt.Errorf("the policy's warnings: %w", err)
		}
	}
	return nil
}

func circuitStatus(c journal.CircuitState) gateway.CircuitStatus {
	st := gateway.CircuitStatus{State: c.State, Cause: c.Cause, ConsecutiveFailures: c.Consecutive}
	if c.OpenedUS != 0 {
		st.OpenedAt = gateway.At(time.UnixMicro(c.OpenedUS))
	}
	if c.UntilUS != 0 {
		st.Until = gateway.At(time.UnixMicro(c.UntilUS))
	}
	return st
}

func fact(name, source string, now, at time.Time, problem string, known bool) gateway.FactStatus {
	f := gateway.FactStatus{Name: name, Source: source, Known: known && !at.IsZero(), Problem: problem}
	if !at.IsZero() {
		f.ObservedAt, f.AgeSeconds = gateway.At(at), int(now.Sub(at).Seconds())
	}
	return f
}
