package server

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"
	"unicode/utf8"

	"leviathan/gateway"
	"leviathan/gateway/forge"
	"leviathan/gateway/journal"
)

// summaryMax is how many characters a worker may say about its change.
const summaryMax = 4000

// openPullRequest opens the attempt's pull request: the decision and the
// intent in one transaction, with which the slot passes from attempt to pull
// request; then the forge; then, when the forge shows it, the receipt.
func (s *Server) openPullRequest(w http.ResponseWriter, r *http.Request, p principal) error {
	var req gateway.PullRequestRequest
	if err := readJSON(r, &req); err != nil {
		return err
	}
	if utf8.RuneCountInString(req.Summary) > summaryMax {
		return &gateway.Error{Kind: gateway.Invalid, Field: "summary", Detail: "summary is longer than 4,000 characters"}
	}
	a, err := s.subjectAttempt(r)
	if err != nil {
		return err
	}
	if err := ended(p, a); err != nil {
		return err
	}
	if a.State == gateway.Proposed && p.attempt == a.ID {
		return writeJSON(w, http.StatusOK, pullResult(a, a.PullRequest.DecisionID)) // asked again after a lost reply
	}
	t := s.lookup(a.Target)
	if p.attempt == a.ID || p.role == gateway.RoleOperator { // others cause no traffic; the policy answers them
		s.observe(r.Context(), t)
	}
	t.pull.Lock()
	defer t.pull.Unlock()
	if a, err = s.subjectAttempt(r); err != nil {
		return err
	}
	if a.State == gateway.Proposed && p.attempt == a.ID { // opened while this request waited
		return writeJSON(w, http.StatusOK, pullResult(a, a.PullRequest.DecisionID))
	}
	title := forge.Title(a.Task)
	q := about(gateway.ActionPullRequestOpen, p, a)
	q.request = map[string]int{"summary_length": utf8.RuneCountInString(req.Summary)}
	q.effect = func(tx *journal.Tx, d *decided) error {
		if !d.Allow || holdsSlot(d.attempt.PullRequest) {
			return nil
		}
		return event(tx, d.by, journal.PullIntended{Subject: subject(a), PullIntent: journal.PullIntent{CommitSHA: d.attempt.PushedCommit, BranchName: a.Branch, Title: title, DecisionID: d.ID}})
	}
	d, err := s.decide(r.Context(), q)
	if err != nil {
		return err
	}
	if err := d.refusal(); err != nil {
		return err
	}
	after, err := s.propose(r.Context(), t, d, title, req.Summary)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, pullResult(after, d.ID))
}

func pullResult(a *journal.Attempt, decision gateway.DecisionID) gateway.PullRequestResult {
	return gateway.PullRequestResult{Number: a.PullRequest.Number, URL: a.PullRequest.URL, HeadCommit: a.PullRequest.Commit, DecisionID: decision}
}

// propose carries out a decided pull request. A forge that fails leaves the
// intent: the pull request is counted as open until the forge shows whether
// it is, and the worker may ask again.
func (s *Server) propose(ctx context.Context, t *target, d *decided, title, summary string) (*journal.Attempt, error) {
	a := d.attempt
	cfg := s.targets.Check(t.id).Config
	_, fg, ok := t.opened()
	if !ok || cfg == nil {
		return nil, gateway.Errorf(gateway.Unknown, "target %s is not open", t.id)
	}
	ctx, cancel, err := s.effect(context.WithoutCancel(ctx))
	if err != nil {
		return nil, err
	}
	defer cancel()
	newest, err := s.journal.PullRequests(ctx, t.id, journal.Page{Limit: 1000})
	if err != nil {
		return nil, unrecorded(err)
	}
	greatest := 0
	for _, pr := range newest.Items {
		greatest = max(greatest, pr.Number)
	}
	opening, span := s.effectSpan(ctx, "pull request", d, spanCommit.String(string(a.PushedCommit)))
	pr, err := fg.Open(opening, forge.Proposal{Attempt: a.ID, Branch: a.Branch, Base: cfg.TargetBranch, Head: a.PushedCommit, BaseCommit: a.BaseCommit,
		Title: title, Body: forge.Body(a.Task, summary, forge.Facts{Attempt: a.ID, Decision: d.ID, Revision: d.Revision, Evidence: a.Evidence}), MinNumber: greatest})
	if !spanFailed(span, err) {
		span.SetAttributes(spanPull.Int(pr.Number))
	}
	span.End()
	if err != nil {
		return nil, s.notOpened(ctx, d, err)
	}
	if err := s.recordPull(ctx, a, pr, title, d); err != nil {
		return nil, unrecorded(err)
	}
	s.changed(t.id)
	s.lookAround(t, fg, cfg)
	after, _, err := s.journal.Attempt(ctx, a.ID)
	if err == nil && (after == nil || after.PullRequest == nil) {
		err = &gateway.Error{Kind: gateway.Unknown, DecisionID: d.ID, RetryAfter: 5 * time.Second,
			Detail: "the pull request was taken for void while it was opened; ask again"}
	}
	return after, err
}

// notOpened is the error of a pull request that the forge did not show: with
// the forge's own code, and when it may be asked again. What asking again
// cannot help is a conflict. Where nothing was written for sure, the intent is
// void, and the journal has the code.
func (s *Server) notOpened(ctx context.Context, d *decided, err error) error {
	e := &gateway.Error{Kind: gateway.Unknown, DecisionID: d.ID, RetryAfter: 5 * time.Second, Detail: "the forge did not open the pull request: " + problemText(err)}
	var known *gateway.Error
	if errors.As(err, &known) {
		e.Code, e.RetryAfter = known.Code, max(e.RetryAfter, known.RetryAfter)
	}
	kind := gateway.KindOf(err)
	nothing := kind == gateway.Invalid || kind == gateway.Conflict
	if nothing || refusedByForge(err) {
		e.Kind, e.RetryAfter = gateway.Conflict, 0
	}
	if !nothing {
		return e // the clockwork asks the forge what became of it
	}
	reason := problemText(err)
	voided := s.journal.Commit(ctx, func(tx *journal.Tx) error {
		now, ok, err := tx.Attempt(d.attempt.ID)
		if err != nil || !ok || now.PullRequest == nil || now.PullRequest.State != gateway.PullRequestIntended {
			return err
		}
		return event(tx, self.id, journal.PullVoided{Subject: subject(now), Reason: reason})
	})
	if voided != nil {
		s.log.Error("journalling a void pull request", "attempt", d.attempt.ID, "error", voided)
	}
	return e
}

// refusedByForge reports a refusal of the forge's own that lasts until somebody
// mends it: asking again at once does not help.
func refusedByForge(err error) bool {
	var known *gateway.Error
	return errors.As(err, &known) && slices.Contains([]string{forge.CodeCredential, forge.CodePermission, forge.CodeRepository, forge.CodeMoved}, known.Code)
}

// recordPull writes the receipt of a pull request that the forge showed.
func (s *Server) recordPull(ctx context.Context, a *journal.Attempt, pr forge.PullRequest, title string, d *decided) error {
	return s.journal.Commit(ctx, func(tx *journal.Tx) error {
		now, ok, err := tx.Attempt(a.ID)
		if err != nil || !ok || now.PullRequest == nil || now.PullRequest.State != gateway.PullRequestIntended {
			return err
		}
		if err := createdPull(tx, a, pr, title); err != nil || d == nil {
			return err
		}
		var follows struct {
			Circuit *circuitChange `json:"circuit"`
		}
		if err := d.obligations(&follows); err != nil || follows.Circuit == nil {
			return err
		}
		return s.changeCircuit(tx, d, follows.Circuit)
	})
}

// createdPull appends the receipt of a pull request.
func createdPull(tx *journal.Tx, a *journal.Attempt, pr forge.PullRequest, title string) error {
	return event(tx, self.id, journal.PullCreated{Subject: subject(a), PRNumber: pr.Number, PRURL: pr.URL,
		BranchName: pr.Branch, CommitSHA: pr.Head, Title: title, State: string(gateway.PullRequestOpen), TextDigest: pr.TextDigest})
}
