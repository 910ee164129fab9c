package server

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"leviathan/gateway"
	"leviathan/gateway/autonomy"
	"leviathan/gateway/forge"
)

const (
	probeEvery = time.Hour
	probeAgain = 5 * time.Minute // after one that failed
	probeLimit = time.Minute
)

// around is what is looked at and written beside a target's pull requests on
// GitHub, while nobody waits.
type around struct {
	waiting atomic.Bool // one runs, and at most one waits for its turn
	turn    sync.Mutex
	probed  atomic.Pointer[probed]
	notes   notes
}

// A probed is what the last probe said; immutable.
type probed struct {
	of       forge.Forge
	branch   string
	again    time.Time // when the next is due
	warnings []string
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

// probe asks how safe the repository's settings are: at the first observation,
// then hourly.
func (s *Server) probe(ctx context.Context, t *target, g *forge.GitHub, branch string) {
	last := t.around.probed.Load()
	if last != nil && last.of == g && last.branch == branch && s.now().Before(last.again) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	r, err := g.Probe(ctx, branch)
	if ctx.Err() != nil && s.background.ctx.Err() != nil {
		return // the gateway ends
	}
	next := &probed{of: g, branch: branch, again: s.now().Add(probeEvery), warnings: r.Warnings}
	if err != nil {
		next.again = s.now().Add(max(probeAgain, retryAfter(err)))
		next.warnings = append(next.warnings, "how safe the repository's settings are could not be found out: "+problemText(err))
	}
	// What is said of the gateway as a whole is not said again of each target.
	next.warnings = slices.DeleteFunc(next.warnings, func(w string) bool { return slices.Contains(s.warnings, w) })
	for _, warning := range next.warnings {
		if last == nil || !slices.Contains(last.warnings, warning) {
			s.log.Warn("the repository on GitHub", "target", t.id, "warning", warning)
		}
	}
	t.around.probed.Store(next)
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
