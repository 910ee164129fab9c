package server

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"leviathan/gateway"
	"leviathan/gateway/autonomy"
)

// githubWebhook takes what GitHub sends. A delivery is a reason to look, never
// a fact: it makes an observation of the targets of that repository due, and
// nobody waits for it.
func (s *Server) githubWebhook(w http.ResponseWriter, r *http.Request, _ principal) error {
	if s.webhook == nil {
		return gateway.Errorf(gateway.NotFound, "no such route: the gateway has no secret of a webhook (--github-webhook-secret-file)")
	}
	d, err := s.webhook.Receive(r)
	if err != nil {
		if errors.Is(err, gateway.ErrUnauthenticated) {
			s.metrics.authFailures.Inc()
		}
		return err
	}
	due := []gateway.TargetID{}
	var refused error // of one target; it keeps no other from being observed
	if d.Event == "pull_request" {
		for _, cfg := range s.targetsOf(d.Repository) {
			answer, err := s.decide(r.Context(), question{action: gateway.ActionForgeObserve, by: self, target: cfg.ID,
				resource: gateway.Entity{Type: "target", ID: string(cfg.ID)},
				request:  map[string]any{"event": d.Event, "action": d.Action, "pr_number": d.Number}})
			if err != nil {
				return err
			}
			if err := answer.refusal(); err != nil {
				refused = errors.Join(refused, err)
				continue
			}
			due = append(due, cfg.ID)
			s.background.run(func(ctx context.Context) { s.observeAnew(ctx, s.lookup(cfg.ID)) })
		}
	}
	s.log.Info("a delivery of the webhook", "delivery", d.ID, "event", d.Event, "action", d.Action, "repository", d.Repository, "due", due)
	if refused != nil {
		return refused
	}
	return writeJSON(w, http.StatusAccepted, gateway.WebhookResult{Status: "accepted", Observed: due})
}

// targetsOf are the targets whose repository on GitHub has the name.
func (s *Server) targetsOf(name string) []autonomy.State {
	found := []autonomy.State{}
	for _, cfg := range s.targets.Targets() {
		if cfg.ID == "" || cfg.Config == nil {
			continue
		}
		if have, ok := s.onGitHub(cfg.Config.TargetRepoURL); ok && strings.EqualFold(have, name) {
			found = append(found, cfg)
		}
	}
	return found
}

// observeAnew observes after what is under way already, which may have looked
// too early, and tells whoever plans.
func (s *Server) observeAnew(ctx context.Context, t *target) {
	t.mu.Lock()
	busy := t.flight != nil
	t.mu.Unlock()
	if busy {
		s.observe(ctx, t)
	}
	s.observe(ctx, t)
	s.changed(t.id)
}
