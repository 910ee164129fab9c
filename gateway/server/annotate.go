package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"leviathan/gateway"
	"leviathan/gateway/forge"
	"leviathan/gateway/journal"
)

const (
	noteAgain = 10 * time.Minute // after a refusal or a failure
	noteLabel = "leviathan"
)

// notes remember what was said beside which pull request, so that it is said
// again only when it has changed. They are forgotten with the process: the
// forge changes nothing that is so already.
type notes struct {
	mu    sync.Mutex
	of    forge.Forge // on another one everything is said anew
	said  map[gateway.AttemptID]noteKey
	wrong map[gateway.AttemptID][]string // for the status
	again time.Time                      // nothing is said before
}

// A noteKey is what a note is made of: one that differs is another note.
type noteKey struct {
	state    gateway.AttemptState
	summary  string
	head     gateway.OID
	decision gateway.DecisionID
}

// problems are what went wrong with the notes on a forge's pull requests.
func (n *notes) problems(of forge.Forge) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	list := []string{}
	if n.of == of {
		for _, some := range n.wrong {
			list = append(list, some...)
		}
	}
	slices.Sort(list)
	return list
}

// remember keeps what was said of a pull request and what went wrong, and
// returns what went wrong that did not before.
func (n *notes) remember(id gateway.AttemptID, key noteKey, wrong []string) (news []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, w := range wrong {
		if !slices.Contains(n.wrong[id], w) {
			news = append(news, w)
		}
	}
	n.said[id] = key
	delete(n.wrong, id)
	if len(wrong) > 0 {
		n.wrong[id] = wrong
	}
	return news
}

// wait keeps everything unsaid until a time.
func (n *notes) wait(until time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.again = until
}

// A pendingNote is a pull request about which something else is to be said
// than was.
type pendingNote struct {
	attempt *journal.Attempt
	pull    *journal.PullRequest
	key     noteKey
}

// annotate brings what is said beside the target's open pull requests up to
// date: a comment, a check run, a label and reviewers. It is decided once for
// all of them. What fails is logged and shown in the status, and fails nothing
// else.
func (s *Server) annotate(ctx context.Context, t *target, g *forge.GitHub) {
	pending, err := s.pendingNotes(ctx, t, g)
	if err == nil && len(pending) > 0 {
		err = s.say(ctx, t, g, pending)
	}
	if err != nil && ctx.Err() == nil {
		s.log.Warn("noting the state of pull requests", "target", t.id, "error", err)
		t.around.notes.wait(s.now().Add(max(noteAgain, retryAfter(err))))
	}
}

// pendingNotes are the open pull requests whose note is not what it should be.
func (s *Server) pendingNotes(ctx context.Context, t *target, g *forge.GitHub) ([]pendingNote, error) {
	state, err := s.journal.State(t.id)
	if err != nil {
		return nil, err
	}
	n := &t.around.notes
	n.mu.Lock()
	if n.of != g {
		n.of, n.again = g, time.Time{}
		n.said, n.wrong = map[gateway.AttemptID]noteKey{}, map[gateway.AttemptID][]string{}
	}
	said, again := n.said, n.again
	n.mu.Unlock()
	if s.now().Before(again) {
		return nil, nil
	}
	pending, open := []pendingNote{}, map[gateway.AttemptID]bool{}
	for _, pr := range state.PullRequests {
		if pr.State != gateway.PullRequestOpen || pr.Number <= 0 || pr.Edited {
			continue
		}
		open[pr.AttemptID] = true
		a, ok, err := s.journal.Attempt(ctx, pr.AttemptID)
		if err != nil {
			return nil, err
		}
		key := noteKey{}
		if ok {
			key = noteKey{state: a.State, summary: a.ErrorSummary, head: pr.Commit, decision: pr.DecisionID}
		}
		n.mu.Lock()
		is := said[pr.AttemptID] == key
		n.mu.Unlock()
		if ok && !is {
			pending = append(pending, pendingNote{attempt: a, pull: pr, key: key})
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for id := range n.said {
		if !open[id] {
			delete(n.said, id)
			delete(n.wrong, id)
		}
	}
	return pending, nil
}

// say asks whether it may, and says what is pending, as far as it comes within
// effectLimit of the decision. The rest is pending again at the next refresh,
// which is decided anew: a switch or a halt between the two is obeyed.
func (s *Server) say(ctx context.Context, t *target, g *forge.GitHub, pending []pendingNote) error {
	numbers := []int{}
	for _, p := range pending {
		numbers = append(numbers, p.pull.Number)
	}
	d, err := s.decide(ctx, question{action: gateway.ActionPullRequestNote, by: self, target: t.id,
		resource: gateway.Entity{Type: "target", ID: string(t.id)}, request: map[string]any{"pull_requests": numbers}})
	if err != nil {
		return err
	}
	if err := d.refusal(); err != nil {
		return err
	}
	ctx, cancel, err := s.effect(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	for _, p := range pending {
		if ctx.Err() != nil {
			return nil
		}
		note, err := s.note(ctx, p)
		if err != nil {
			return err
		}
		wrong, err := g.Annotate(ctx, note)
		if err != nil && gateway.KindOf(err) != gateway.Conflict {
			// Unsaid: shown until it is tried again, and logged once.
			text := fmt.Sprintf("pull request %d has no note of its state: %s", note.Number, problemText(err))
			for _, news := range t.around.notes.remember(p.attempt.ID, noteKey{}, []string{text}) {
				s.log.Warn("noting the state of a pull request", "target", t.id, "number", note.Number, "warning", news)
			}
			t.around.notes.wait(s.now().Add(max(noteAgain, retryAfter(err))))
			return nil
		}
		if err != nil { // ended, or taken over by a human: left alone
			s.log.Info("a pull request is left alone", "target", t.id, "number", note.Number, "reason", err)
		}
		for _, news := range t.around.notes.remember(p.attempt.ID, p.key, wrong) {
			s.log.Warn("noting the state of a pull request", "target", t.id, "number", note.Number, "warning", news)
		}
	}
	return nil
}

// note is what is to be said of one pull request.
func (s *Server) note(ctx context.Context, p pendingNote) (forge.Note, error) {
	n := forge.Note{Number: p.pull.Number, Attempt: p.attempt.ID, Head: p.pull.Commit, TextDigest: p.pull.TextDigest, Status: string(p.attempt.State),
		Summary: p.attempt.ErrorSummary, Labels: []string{noteLabel}, AskReviewers: true}
	push, err := s.pushDecision(ctx, p.attempt.ID)
	if err != nil {
		return n, err
	}
	for _, id := range []gateway.DecisionID{p.attempt.DecisionID, p.attempt.StartDecision, push.ID, p.pull.DecisionID} {
		if id != "" {
			n.Decisions = append(n.Decisions, id)
		}
	}
	n.Revision = push.Revision
	var said struct {
		Changes []gateway.Change `json:"changes"`
	}
	if len(push.Input) > 0 {
		if err := json.Unmarshal(push.Input, &said); err != nil {
			return n, fmt.Errorf("decision %s: %w", push.ID, err)
		}
	}
	for _, c := range said.Changes {
		n.Paths = append(n.Paths, c.Path)
	}
	return n, nil
}

// pushDecision is the one that allowed the attempt's commit, with its input as
// far as it is kept; empty if there is none.
func (s *Server) pushDecision(ctx context.Context, id gateway.AttemptID) (journal.DecisionRecord, error) {
	list, err := s.journal.Decisions(ctx, journal.DecisionFilter{Action: gateway.ActionChangePush, Outcome: "allow", Attempt: id, Page: journal.Page{Limit: 20}})
	if err != nil {
		return journal.DecisionRecord{}, err
	}
	for _, item := range list.Items {
		if item.DryRun {
			continue
		}
		record, ok, err := s.journal.Decision(ctx, item.ID)
		if err == nil && !ok {
			err = errors.New("the journal lists decision " + string(item.ID) + " and does not have it")
		}
		return record, err
	}
	return journal.DecisionRecord{}, nil
}
