package spider

import (
	"runtime"

	"github.com/prometheus/client_golang/prometheus"

	"leviathan/gateway"
)

// Describe lists every series that there may be.
func (s *Spider) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descUp, descReceived, descLast, descTypes, descDuplicates, descClaims, descRefused, descUntracked, descWrites,
		descJournals, descFollowing, descCursor, descBuild, descOpenPulls, descAttempts, descRunning, descBlocked, descWorst, descCircuit, descOpened,
		descHalted, descHaltedAll, descHalts, descEnded, descDuration, descToPull, descToMerge, descPulls, descAcceptance, descCycle, descCycles, descDecided, descReasons,
		descEnabled, descEffective, descLimit, descHeadroom} {
		ch <- d
	}
	if s.legacy {
		for _, t := range eventLabels() {
			ch <- legacyDesc(t)
		}
	}
}

// Collect shows what was last written down, and what is known of the gateway.
// It waits for nobody.
func (s *Spider) Collect(ch chan<- prometheus.Metric) {
	shown := s.shown.Load()
	for _, m := range shown.metrics {
		ch <- m
	}
	v := &view{}
	v.gauge(descUp, 1)
	v.gauge(descBuild, 1, "spider", gateway.Version, runtime.Version())
	v.gauge(descFollowing, one(s.connected.Load()))
	v.counter(descRefused, s.refused.Load())
	for label, u := range shown.use {
		v.usage(label, u)
	}
	if g := s.governed.Load(); g != nil && s.now().Sub(g.at) <= freshFor {
		for i := range g.targets {
			s.governedTarget(v, &g.targets[i], shown.use)
		}
	}
	for _, m := range v.metrics {
		ch <- m
	}
}

// usage counts what is under way, by label.
func (st *state) usage() map[string]*usage {
	use := map[string]*usage{}
	for label, t := range st.Targets {
		use[label] = &usage{open: t.Unlisted, states: map[gateway.AttemptState]int{}}
	}
	for _, p := range st.Pulls {
		if u := use[p.Target]; u != nil {
			u.open++
		}
	}
	for id, a := range st.Attempts {
		if u := use[a.Target]; u != nil {
			u.states[a.State]++
			u.live++
			if a.State.InFlight() && st.Pulls[string(id)] == nil { // else its pull request has the slot
				u.inFlight++
			}
		}
	}
	for _, t := range st.Tasks {
		if u := use[t.Target]; u != nil {
			if t.Blocked {
				u.blocked++
			} else {
				u.worst = max(u.worst, len(t.Failed))
			}
		}
	}
	return use
}

func (v *view) usage(label string, u *usage) {
	v.gauge(descOpenPulls, float64(u.open), label)
	v.gauge(descRunning, float64(u.live), label)
	v.gauge(descBlocked, float64(u.blocked), label)
	v.gauge(descWorst, float64(u.worst), label)
	for _, state := range gateway.AttemptStates() {
		if state.Live() {
			v.gauge(descAttempts, float64(u.states[state]), label, string(state))
		}
	}
}

// governedTarget shows what the status says of a target that has a label, or
// for which there is room.
func (s *Spider) governedTarget(v *view, t *gateway.TargetStatus, use map[string]*usage) {
	label := string(t.Target)
	u := use[label]
	switch {
	case !t.Target.Valid() || label == other:
		return
	case u == nil && len(use) >= s.maxTargets:
		return
	case u == nil: // no event has spoken of it yet
		u = &usage{}
	}
	v.gauge(descEnabled, one(t.AutonomyEnabled), label)
	v.gauge(descEffective, one(t.Effective), label)
	used := map[string]int{"max_open_prs": u.open + u.inFlight, "max_running_attempts": u.live, "max_attempts_per_task": u.worst,
		"circuit_breaker_failures": t.Circuit.ConsecutiveFailures}
	for _, name := range limits {
		limit, ok := t.Limits[name]
		if !ok {
			continue
		}
		v.gauge(descLimit, float64(limit), label, name)
		if n, counted := used[name]; counted {
			v.gauge(descHeadroom, float64(limit-n), label, name)
		}
	}
}
