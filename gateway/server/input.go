package server

import (
	"time"

	"leviathan/gateway"
	"leviathan/gateway/autonomy"
	"leviathan/gateway/engine"
	"leviathan/gateway/journal"
)

// The types of this file are the policy's input, one for each part that is
// small and made anew for every question. The large parts, the backlog and
// the journal's state, are built once and shared; see observe.go and
// stateParts. docs/policy_input.md is the manual of the whole document.

type subjectPart struct {
	Type    string            `json:"type"`
	ID      string            `json:"id"`
	Role    gateway.Role      `json:"role"`
	Attempt gateway.AttemptID `json:"attempt"`
	Target  gateway.TargetID  `json:"target"`
	AskedBy string            `json:"asked_by"`
}

type timePart struct {
	Now   gateway.Time `json:"now"`
	NowUS int64        `json:"now_us"`
	Clock clockPart    `json:"clock"`
}

type clockPart struct {
	Known         bool    `json:"known"`
	BehindSeconds float64 `json:"behind_seconds"`
}

type configPart struct {
	State          string           `json:"state"`
	Reason         string           `json:"reason"`
	Digest         string           `json:"digest"`
	InvalidSeconds float64          `json:"invalid_seconds"`
	Values         *autonomy.Config `json:"values"`
}

type haltPart struct {
	Known  bool          `json:"known"`
	All    *gateway.Halt `json:"all"`
	Target *gateway.Halt `json:"target"`
}

type mirrorPart struct {
	Known      bool    `json:"known"`
	Reason     string  `json:"reason"`
	AgeSeconds float64 `json:"age_seconds"`
}

type forgePart struct {
	Known      bool                   `json:"known"`
	Reason     string                 `json:"reason"`
	AgeSeconds float64                `json:"age_seconds"`
	Unlisted   []journal.UnlistedPull `json:"unlisted"`
	// Probe is of a repository on GitHub alone.
	Probe *probePart `json:"probe,omitempty"`
}

// A probePart has what was seen last of the repository's settings; where they
// never were, it is not known.
type probePart struct {
	Known      bool    `json:"known"`
	Reason     string  `json:"reason"`
	AgeSeconds float64 `json:"age_seconds"`
	*gateway.ForgeProbe
}

type taskNowPart struct {
	Known   bool          `json:"known"`
	Present bool          `json:"present"`
	Task    *gateway.Task `json:"task"`
}

type agentPart struct {
	Name  string `json:"name"`
	Known bool   `json:"known"`
}

// A builder collects the parts of one input; the first failure sticks.
type builder struct {
	in  engine.Input
	err error
}

func (b *builder) add(name string, v any) {
	if b.err != nil {
		return
	}
	part, err := engine.NewPart(name, v)
	if err != nil {
		b.err = err
		return
	}
	b.in = append(b.in, part)
}

// share adds a part that was made before. One that never was is left out: the
// policy denies what it misses, and what does not need it goes on.
func (b *builder) share(part engine.Part) {
	if part.Name != "" {
		b.in = append(b.in, part)
	}
}

func (b *builder) shareMade(part engine.Part, err error) {
	if b.err == nil {
		b.in, b.err = append(b.in, part), err
	}
}

// input is what the policy is told about a question, with state as the
// journal had it. It stats the config file, and does no other I/O.
func (s *Server) input(q *question, at gateway.Time, state *journal.State) (engine.Input, error) {
	var b builder
	b.add("action", q.action)
	b.add("subject", q.subject())
	resource := q.resource
	if resource.Properties == nil {
		resource.Properties = map[string]any{}
	}
	if q.target != "" {
		resource.Properties["target"] = string(q.target)
	}
	b.add("resource", resource)
	context := q.context
	if context == nil {
		context = map[string]any{}
	}
	b.add("context", context)
	b.add("time", timePart{Now: at, NowUS: at.UnixMicro(), Clock: clockPart{Known: true, BehindSeconds: s.clockBehind().Seconds()}})
	if q.request != nil {
		b.add("request", q.request)
	}
	b.add("halt", haltPart{Known: true, All: state.HaltAll, Target: state.HaltTarget})
	if q.target != "" {
		s.targetParts(&b, q, at, state)
	}
	for _, part := range q.extra {
		b.share(part)
	}
	return b.in, b.err
}

// targetParts adds what is known about the question's target and attempt.
func (s *Server) targetParts(b *builder, q *question, at gateway.Time, state *journal.State) {
	cfg := s.targets.Check(q.target)
	t, now := s.lookup(q.target), s.now()
	seen := t.facts()
	b.shareMade(t.configPart(cfg, now))
	b.add("mirror", mirrorPart{Known: seen.mirrorErr == "" && !seen.mirrorAt.IsZero(), Reason: seen.mirrorErr, AgeSeconds: age(now, seen.mirrorAt)})
	unlisted := seen.unlisted
	if unlisted == nil { // a list that a rule can count, also while it is not known
		unlisted = []journal.UnlistedPull{}
	}
	b.add("forge", forgePart{Known: seen.forgeErr == "" && !seen.forgeAt.IsZero(), Reason: seen.forgeErr, AgeSeconds: age(now, seen.forgeAt), Unlisted: unlisted,
		Probe: t.around.probed.Load().part(now)})
	switch q.action {
	case gateway.ActionCyclePlan:
		b.share(seen.backlogPart)
		b.share(seen.policyPart)
		b.shareMade(t.statePart(q, at, state)) // which keeps it
	case gateway.ActionChangePush, gateway.ActionAttemptStart, gateway.ActionAgentRun, gateway.ActionPullRequestOpen:
		b.share(seen.policyPart)
		fallthrough
	default:
		type madeOf struct {
			seq   int64
			today int
		}
		b.shareMade(t.memos.part(memoID{"state", string(q.taskID())}, madeOf{state.FactsSeq, state.Today(at)}, func() (engine.Part, error) {
			return t.statePart(q, at, state)
		}))
	}
	if q.attempt != nil {
		s.attemptParts(b, q, t, seen, cfg.Config, now)
	}
}

// attemptParts adds the attempt, its task as it stands in the backlog now, and
// its agent. An *Attempt and *facts are never changed: one pointer, one part.
func (s *Server) attemptParts(b *builder, q *question, t *target, seen *facts, cfg *autonomy.Config, now time.Time) {
	type madeOf struct {
		attempt *journal.Attempt
		lease   journal.Lease
	}
	lease := t.leases.part(q.attempt, now)
	b.shareMade(t.memos.part(memoID{"attempt", string(q.attempt.ID)}, madeOf{q.attempt, lease}, func() (engine.Part, error) {
		a := *q.attempt
		a.Lease = lease
		return engine.NewPart("attempt", a)
	}))
	b.shareMade(t.memos.part(memoID{"task_now", string(q.attempt.TaskID)}, seen, func() (engine.Part, error) {
		task, present := seen.tasks[q.attempt.TaskID]
		current := taskNowPart{Known: !seen.mirrorAt.IsZero(), Present: present}
		if present {
			current.Task = &task
		}
		return engine.NewPart("task_now", current)
	}))
	if q.action == gateway.ActionAgentRun && cfg != nil {
		_, known := cfg.Agent(q.attempt.Agent)
		b.add("agent", agentPart{Name: q.attempt.Agent, Known: known})
	}
}

// configPart is the config as the policy sees it. A valid one is built once
// for each content of its file.
func (t *target) configPart(cfg autonomy.State, now time.Time) (engine.Part, error) {
	part := configPart{State: "valid", Digest: cfg.Digest, Values: cfg.Config, Reason: cfg.Reason}
	switch {
	case cfg.Config == nil && cfg.File == "":
		part.State, part.Reason = "absent", "no config names this target"
	case !cfg.Valid:
		part.State, part.InvalidSeconds = "invalid", age(now, cfg.InvalidSince)
	default:
		if c := t.config.Load(); c != nil && c.digest == cfg.Digest && c.reason == cfg.Reason {
			return c.part, nil
		}
	}
	made, err := engine.NewPart("config", part)
	if err == nil && part.State == "valid" {
		t.config.Store(&configCache{digest: cfg.Digest, reason: cfg.Reason, part: made})
	}
	return made, err
}

// age is how many seconds ago at was; the zero time has the age of a year, so
// that "never" is older than any bound.
func age(now, at time.Time) float64 {
	if at.IsZero() {
		return (365 * 24 * time.Hour).Seconds()
	}
	return max(0, now.Sub(at).Seconds())
}
