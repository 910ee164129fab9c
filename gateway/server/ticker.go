package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"leviathan/gateway"
	"leviathan/gateway/forge"
	"leviathan/gateway/journal"
)

// Why an attempt ran out of time.
const (
	expiredLease = "lease"
	expiredStart = "start_deadline"
)

// tickEvery is how often the gateway looks for attempts whose time is up.
const tickEvery = time.Second

// recover brings what lives in memory in line with the journal, before the
// first request: each live lease is renewed once, in full; each intent without
// receipt is observed, never performed.
func (s *Server) recover(ctx context.Context) error {
	if err := s.journal.Commit(ctx, func(tx *journal.Tx) error {
		return event(tx, self.id, journal.GatewayStarted{Version: gateway.Version})
	}); err != nil {
		return err
	}
	live, err := s.journal.LiveAttempts(ctx, "")
	if err != nil {
		return err
	}
	for _, a := range live {
		if !a.State.Leased() {
			continue
		}
		until := s.now().Add(time.Duration(a.LeaseSeconds) * time.Second)
		err := s.journal.Commit(ctx, func(tx *journal.Tx) error {
			return event(tx, self.id, journal.LeaseRenewed{Subject: subject(a), LeaseExpiresAt: gateway.At(until)})
		})
		if err != nil {
			return err
		}
		s.lookup(a.Target).leases.renew(a.ID, until)
	}
	return nil
}

// tick proves the switch, expires what is out of time and settles intents,
// until ctx ends.
func (s *Server) tick(ctx context.Context) {
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	for {
		s.prove(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := s.expire(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("expiring attempts", "error", err)
		}
		s.settleIntents(ctx)
	}
}

// expire ends attempts whose start deadline or lease is over, through the
// same door as everything else.
func (s *Server) expire(ctx context.Context) error {
	live, err := s.journal.LiveAttempts(ctx, "")
	if err != nil {
		return err
	}
	now := s.now()
	var failures []error // one that cannot be ended keeps no other alive
	for _, a := range live {
		why := ""
		if until := s.lookup(a.Target).leases.until(a.ID); a.State.Leased() && !until.IsZero() && now.After(until) {
			why = expiredLease
		} else if a.State == gateway.Reserved && now.After(time.UnixMicro(a.StartDeadlineUS)) {
			why = expiredStart
		}
		if why == "" {
			continue
		}
		q := about(gateway.ActionAttemptExpire, self, a)
		q.request = map[string]string{"why": why}
		d, _, err := s.finishNow(ctx, q, s.outOfTime(ctx, a, why))
		if err == nil {
			err = d.refusal()
		}
		if err != nil {
			failures = append(failures, fmt.Errorf("attempt %s, out of time: %w", a.ID, err))
			continue
		}
		s.metrics.expired.WithLabelValues(why).Inc()
	}
	return errors.Join(failures...)
}

// settleIntents observes what became of effects that were decided and have no
// receipt, because the gateway was killed or the other side did not answer.
// Nothing is performed here: what the upstream shows gets its receipt, what it
// does not show is void, and what cannot be seen stays.
func (s *Server) settleIntents(ctx context.Context) {
	intents, err := s.journal.Intents(ctx)
	if err != nil {
		if ctx.Err() == nil {
			s.log.Error("reading intents", "error", err)
		}
		return
	}
	for _, a := range intents {
		if a.HasPushIntent {
			s.settlePushIntent(ctx, a)
		}
		if a.PullRequest != nil && a.PullRequest.State == gateway.PullRequestIntended {
			s.settlePullIntent(ctx, a)
		}
	}
}

func (s *Server) settlePushIntent(ctx context.Context, a *journal.Attempt) {
	t := s.lookup(a.Target)
	if !t.push.TryLock() {
		return // the push itself is under way and will write its receipt
	}
	defer t.push.Unlock()
	if now, ok, err := s.journal.Attempt(ctx, a.ID); err != nil || !ok || now.Intent == nil {
		return
	}
	cfg := s.targets.Check(a.Target).Config
	if cfg == nil {
		return
	}
	mirror, _, err := s.open(ctx, t, cfg)
	if err != nil {
		return // said by the next observation
	}
	at, err := mirror.UpstreamRef(ctx, a.Intent.RefName)
	if err != nil {
		s.log.Warn("an intended push cannot be observed", "attempt", a.ID, "error", err)
		return
	}
	var payload journal.Payload = journal.PushVoided{Subject: subject(a), Reason: "the upstream does not show it"}
	if at == a.Intent.New {
		if _, err := mirror.Fetch(ctx, cfg.TargetBranch); err != nil {
			return
		}
		payload = journal.AttemptPushed{Subject: subject(a), Status: gateway.Pushed, BranchName: a.Branch, CommitSHA: a.Intent.New, Tree: a.Intent.Tree}
	}
	if err := s.receipt(ctx, a, payload); err != nil {
		s.log.Error("settling a push", "attempt", a.ID, "error", err)
	}
}

// pullGrace is how long an intended pull request may be under way before its
// absence from the forge says that it was never opened.
const pullGrace = 2 * effectLimit

func (s *Server) settlePullIntent(ctx context.Context, a *journal.Attempt) {
	since := s.now().Sub(a.PullRequest.IntendedAt.Time)
	if since < pullGrace && s.started.Before(a.PullRequest.IntendedAt.Time) {
		return // under way in this process
	}
	cfg := s.targets.Check(a.Target).Config
	if cfg == nil {
		return
	}
	t := s.lookup(a.Target)
	if s.now().Before(t.quietUntil()) {
		return // the forge asked not to be asked
	}
	if !t.pull.TryLock() {
		return // being opened right now, and the receipt follows
	}
	defer t.pull.Unlock()
	_, fg, err := s.open(ctx, t, cfg)
	if err != nil {
		return
	}
	seen, err := fg.Observe(ctx, cfg.TargetBranch, []forge.Known{{Attempt: a.ID, Head: a.PullRequest.Commit, BaseCommit: a.BaseCommit}})
	if err != nil {
		t.leaveAlone(err, s.now())
		s.log.Warn("an intended pull request cannot be observed", "attempt", a.ID, "error", err)
		return
	}
	circuit, err := s.decidedCircuit(ctx, a.PullRequest.DecisionID)
	if err == nil {
		err = s.journal.Commit(ctx, func(tx *journal.Tx) error { return s.settlePull(tx, t, a, seen.Known, circuit) })
	}
	if err != nil {
		s.log.Error("settling a pull request", "attempt", a.ID, "error", err)
	}
}

// settlePull writes what the forge showed of an intended pull request: the
// receipt, and its end where a human was quicker; or that there is none.
func (s *Server) settlePull(tx *journal.Tx, t *target, a *journal.Attempt, seen []forge.PullRequest, circuit *circuitChange) error {
	now, ok, err := tx.Attempt(a.ID)
	if err != nil || !ok || now.PullRequest == nil || now.PullRequest.State != gateway.PullRequestIntended {
		return err
	}
	switch {
	case len(seen) == 0:
		return event(tx, self.id, journal.PullVoided{Subject: subject(a), Reason: "the forge does not show it"})
	case seen[0].State == gateway.PullRequestOpen:
		if err := createdPull(tx, a, seen[0], now.PullRequest.Title); err != nil || circuit == nil {
			return err
		}
		return s.changeCircuit(tx, &decided{by: self.id, attempt: a}, circuit)
	}
	return s.recordEnded(tx, t, seen[0])
}

// decidedCircuit is what a recorded decision about a pull request demanded of
// the breaker, for a receipt that is written later.
func (s *Server) decidedCircuit(ctx context.Context, id gateway.DecisionID) (*circuitChange, error) {
	record, ok, err := s.journal.Decision(ctx, id)
	if err != nil || !ok || len(record.Result) == 0 {
		return nil, err
	}
	var result struct {
		Obligations struct {
			Circuit *circuitChange `json:"circuit"`
		} `json:"obligations"`
	}
	if err := json.Unmarshal(record.Result, &result); err != nil {
		return nil, fmt.Errorf("decision %s: %w", id, err)
	}
	return result.Obligations.Circuit, nil
}
