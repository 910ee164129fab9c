package server

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"leviathan/gateway"
	"leviathan/gateway/autonomy"
	"leviathan/gateway/forge"
	"leviathan/gateway/journal"
)

const (
	probeEvery = time.Hour
	probeAgain = 5 * time.Minute // after one that failed
	probeLimit = time.Minute
	// probeStale is when what was seen is so old that an observation waits for
	// the next look instead of leaving it to the background: well before the
	// policy takes it for stale.
	probeStale = 90 * time.Minute
)

// around is what is looked at and written beside a target's pull requests on
// GitHub.
type around struct {
	waiting atomic.Bool // one runs in the background, and at most one waits for its turn
	turn    sync.Mutex
	probing sync.Mutex // one probe at a time
	probed  atomic.Pointer[probed]
	notes   notes
}

// A probed is what the last probes said; immutable.
type probed struct {
	of       forge.Forge
	branch   string
	again    time.Time // when the next is due
	warnings []string
	problem  string              // why the last one failed; else empty
	seen     *gateway.ForgeProbe // by the last that did not fail; nil if none
	at       time.Time           // of seen
}

// part is what the policy is told; nil for what has no probe.
func (p *probed) part(now time.Time) *probePart {
	if p == nil {
		return nil
	}
	return &probePart{Known: p.seen != nil, Reason: p.problem, AgeSeconds: age(now, p.at), ForgeProbe: p.seen}
}

// probeFirst probes while an observation waits: a repository whose settings
// were not seen yet, or too long ago. What has no settings has no probe.
func (s *Server) probeFirst(ctx context.Context, t *target, fg forge.Forge, branch string) {
	g, ok := fg.(*forge.GitHub)
	if !ok {
		t.around.probed.Store(nil)
		return
	}
	last := t.around.probed.Load()
	if last == nil || last.of != fg || last.branch != branch || last.seen == nil || s.now().Sub(last.at) >= probeStale {
		s.probe(ctx, t, g, branch)
	}
}

// lookAround probes a repository on GitHub where that is due, and brings the
// notes on its pull requests up to date. It returns at once.
func (s *Server) lookAround(t *target, fg forge.Forge, cfg *autonomy.Config) {
	g, ok := fg.(*forge.GitHub)
	if !ok || t.around.waiting.Swap(true) {
		return
	}
	s.background.run(func(ctx context.Context) {
		t.around.turn.Lock()
		defer t.around.turn.Unlock()
		t.around.waiting.Store(false)
		s.probe(ctx, t, g, cfg.TargetBranch)
		s.annotate(ctx, t, g)
	})
}

// probe asks how safe the repository's settings are where that is due: at the
// first observation, then hourly. What it sees is journalled when it is new.
func (s *Server) probe(ctx context.Context, t *target, g *forge.GitHub, branch string) {
	t.around.probing.Lock()
	defer t.around.probing.Unlock()
	last := t.around.probed.Load()
	if last == nil || last.of != g || last.branch != branch {
		last = &probed{of: g, branch: branch}
	} else if s.now().Before(last.again) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	r, err := g.Probe(ctx, branch)
	if ctx.Err() != nil && s.background.ctx.Err() != nil {
		return // the gateway ends
	}
	next := &probed{of: g, branch: branch, again: s.now().Add(probeEvery), warnings: r.Warnings, seen: seenBy(r), at: s.now()}
	if err != nil {
		next.again = s.now().Add(max(probeAgain, retryAfter(err)))
		next.problem, next.seen, next.at = problemText(err), last.seen, last.at
		next.warnings = append(next.warnings, "how safe the repository's settings are could not be found out: "+next.problem)
	}
	// What is said of the gateway as a whole is not said again of each target.
	next.warnings = slices.DeleteFunc(next.warnings, func(w string) bool { return slices.Contains(s.warnings, w) })
	for _, warning := range next.warnings {
		if !slices.Contains(last.warnings, warning) {
			s.log.Warn("the repository on GitHub", "target", t.id, "warning", warning)
		}
	}
	t.around.probed.Store(next)
	if next.problem == last.problem && reflect.DeepEqual(next.seen, last.seen) {
		return
	}
	err = s.journal.Commit(ctx, func(tx *journal.Tx) error {
		e := journal.ForgeProbed{Subject: journal.Subject{TargetID: t.id}, ObservedAt: gateway.At(s.now()), Source: "forge", Problem: next.problem}
		if next.problem == "" {
			e.Probe = next.seen
		}
		return event(tx, self.id, e)
	})
	if err != nil {
		s.log.Warn("journalling what is seen of the repository's settings", "target", t.id, "error", err)
	}
	s.changed(t.id)
}

// seenBy is what a probe saw, as the policy and the journal have it.
func seenBy(r forge.ProbeResult) *gateway.ForgeProbe {
	seen := &gateway.ForgeProbe{Credential: r.Credential, Protected: string(r.Protected), ReviewRequired: string(r.ReviewRequired),
		CanMerge: string(r.CanMerge), Administers: string(r.Administers), Extra: append([]string{}, r.Extra...), Exposed: []gateway.ExposedWorkflow{}}
	for _, e := range r.Exposed {
		seen.Exposed = append(seen.Exposed, gateway.ExposedWorkflow{File: e.File, Event: e.Event, Why: e.Why})
	}
	return seen
}

// forgeWarnings are what the status says of a target's forge.
func (s *Server) forgeWarnings(id gateway.TargetID) []string {
	if id == "" {
		return nil
	}
	t := s.lookup(id)
	_, fg, _ := t.opened()
	list := []string{}
	if p := t.around.probed.Load(); p != nil && p.of == fg {
		list = append(list, p.warnings...)
	}
	list = append(list, t.around.notes.problems(fg)...)
	for i := range list {
		list[i] = fmt.Sprintf("target %s: %s", id, list[i])
	}
	return list
}
