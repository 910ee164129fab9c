package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"leviathan/gateway"
	"leviathan/gateway/engine"
	"leviathan/gateway/journal"
	"leviathan/gateway/repository"
)

// A verdict is what git is told about a push.
type verdict struct {
	ok    bool
	code  string
	lines []string
}

// failed is the verdict when something of ours, not the push, went wrong.
func failed(code string, err error, decision gateway.DecisionID) verdict {
	v := verdict{code: code, lines: []string{code + ": " + err.Error()}}
	if decision != "" {
		v.lines = append(v.lines, "decision "+string(decision))
	}
	return v
}

// judge decides one push and carries the decision out.
func (s *Server) judge(ctx context.Context, t *target, p principal, a *journal.Attempt, push *repository.Push, received error) verdict {
	if received != nil {
		s.log.Error("receiving a push", "attempt", a.ID, "error", received)
		return failed("unknown.quarantine", errors.New("the push could not be checked; the gateway's log says why"), "")
	}
	// Another push of this attempt may have ended since the token was read.
	if now, ok, err := s.journal.Attempt(ctx, a.ID); err != nil || !ok {
		s.log.Error("reading the attempt of a push", "attempt", a.ID, "error", err)
		return failed("unknown.unrecorded", errors.New("the attempt could not be read, so the answer is no"), "")
	} else {
		a = now
	}
	if a.PushedCommit != "" && a.PushedCommit == push.New() && push.Ref() == "refs/heads/"+a.Branch {
		return verdict{ok: true, lines: []string{"already forwarded"}}
	}
	s.refresh(ctx, t)
	d, err := s.decidePush(ctx, p, a, push)
	if err != nil {
		s.log.Error("deciding a push", "attempt", a.ID, "error", err)
		return failed("unknown.unrecorded", errors.New("the decision could not be recorded, so it is no"), "")
	}
	if !d.Allow {
		return s.refuse(ctx, t, a, d, push)
	}
	return s.forwardTraced(ctx, t, a, d, push)
}

// decidePush asks change.push about exactly what was pushed. Its effect is
// the intent, or the refusal, in the decision's own transaction.
func (s *Server) decidePush(ctx context.Context, p principal, a *journal.Attempt, push *repository.Push) (*decided, error) {
	problems := push.Problems()
	changes, err := push.Changes(ctx, a.BaseCommit)
	var known *gateway.Error
	if errors.As(err, &known) && known.Kind == gateway.TooLarge {
		problems = append(problems, gateway.Reason{Code: known.Code, Message: known.Detail})
	} else if err != nil && len(problems) == 0 {
		problems = append(problems, gateway.Reason{Code: "unknown.changes", Message: "the change cannot be computed: " + err.Error()})
	}
	if changes == nil {
		changes = []gateway.Change{}
	}
	if problems == nil {
		problems = []gateway.Reason{}
	}
	c, expected := push.Commit(), s.commitOf(a)
	if c.Parents == nil {
		c.Parents = []gateway.OID{}
	}
	part, err := engine.NewPart("push", pushPart{Ref: push.Ref(), Old: push.Old(), New: push.New(), ExpectedRef: "refs/heads/" + a.Branch,
		BranchExists: a.PushedCommit != "", PackBytes: push.PackBytes(), PackDigest: push.PackDigest(), Problems: problems,
		Commit: pushCommit{ID: c.ID, Tree: c.Tree, Parents: c.Parents, Message: c.Message,
			Author: gateway.Identity{Name: c.Author.Name, Email: c.Author.Email}, Committer: gateway.Identity{Name: c.Committer.Name, Email: c.Committer.Email}},
		Expected: expectedCommit{Message: expected.Message, Author: expected.Author}})
	if err != nil {
		return nil, err
	}
	changed, err := engine.NewPart("changes", changes)
	if err != nil {
		return nil, err
	}
	q := about(gateway.ActionChangePush, p, a)
	q.resource = gateway.Entity{Type: "changeset", ID: string(a.ID)}
	q.extra = []engine.Part{part, changed}
	q.effect = func(tx *journal.Tx, d *decided) error {
		if !d.Allow {
			if !ownFault(d.Reasons) {
				return nil // a halt or an unknown fact uses up no push
			}
			codes := make([]string, 0, len(d.Reasons))
			for _, r := range d.Reasons {
				codes = append(codes, r.Code)
			}
			return event(tx, d.by, journal.PushRefused{Subject: subject(a), DecisionID: d.ID, New: push.New(), Codes: codes})
		}
		return event(tx, d.by, journal.PushIntended{Subject: subject(a), PushIntent: journal.PushIntent{RefName: push.Ref(),
			Old: push.Old(), New: push.New(), Tree: c.Tree, DecisionID: d.ID}})
	}
	return s.decide(ctx, q)
}

// ownFault reports whether something is wrong with the push itself, beside
// what is wrong around it.
func ownFault(reasons []gateway.Reason) bool {
	return slices.ContainsFunc(reasons, func(r gateway.Reason) bool {
		return !isUnknown(r.Code) && !strings.HasPrefix(r.Code, "guard.") && !strings.HasPrefix(r.Code, "access.")
	})
}

// tells ranks the reasons of a refusal by how much they tell: a push to another
// branch, or one that is too large to be read, is wrong in every other way, too.
func tells(code string) int {
	switch code {
	case "delivery.ref", "delivery.pack_too_large":
		return 0
	}
	return 1
}

// refuse keeps what was pushed, for the people who paid for it, and ends the
// attempt when the policy says that it has tried often enough.
func (s *Server) refuse(ctx context.Context, t *target, a *journal.Attempt, d *decided, push *repository.Push) verdict {
	v := verdict{code: "denied"}
	reasons := slices.Clone(d.Reasons)
	slices.SortStableFunc(reasons, func(a, b gateway.Reason) int { return cmp.Compare(tells(a.Code), tells(b.Code)) })
	for _, r := range reasons {
		line := r.Code + ": " + r.Message
		if r.Remedy != "" {
			line += " — " + r.Remedy
		}
		v.lines = append(v.lines, line)
	}
	if len(reasons) > 0 {
		v.code = reasons[0].Code
	}
	v.lines = append(v.lines, "decision "+string(d.ID))
	evicted, err := push.Keep(string(d.ID))
	if err != nil {
		s.log.Error("keeping a refused push", "decision", d.ID, "error", err)
		v.lines = append(v.lines, "the objects could not be kept: "+err.Error())
	} else if push.PackBytes() > 0 {
		v.lines = append(v.lines, "the objects are kept: leviathan decisions bundle "+string(d.ID))
	}
	if len(evicted) > 0 {
		s.log.Info("refused pushes made room", "target", t.id, "evicted", evicted)
		err := s.journal.Commit(ctx, func(tx *journal.Tx) error {
			return event(tx, self.id, journal.RefusedEvicted{Subject: journal.Subject{TargetID: t.id}, Decisions: evicted})
		})
		if err != nil {
			s.log.Error("journalling an eviction", "target", t.id, "error", err)
		}
	}
	var follows struct {
		End bool `json:"end"`
	}
	if err := d.obligations(&follows); err != nil {
		s.log.Error("reading obligations", "decision", d.ID, "error", err)
	}
	if follows.End {
		s.endDenied(ctx, a, d)
	}
	return v
}

// endDenied ends an attempt whose last push was refused.
func (s *Server) endDenied(ctx context.Context, a *journal.Attempt, refused *decided) {
	q := about(gateway.ActionAttemptFinish, self, a)
	q.request = map[string]any{"outcome": "failed", "failure_type": gateway.Denied}
	summary := fmt.Sprintf("push refused by decision %s", refused.ID)
	for _, r := range refused.Reasons {
		summary += "\n" + r.Code + ": " + r.Message
	}
	d, _, err := s.finishNow(ctx, q, clip(summary))
	if err == nil {
		err = d.refusal()
	}
	if err != nil {
		s.log.Error("ending a denied attempt", "attempt", a.ID, "error", err)
	}
}

// forward carries out a push that was decided: exactly this commit, only if
// the upstream is as it was, for at most effectLimit. What then happened is
// written down as the receipt; where it is not clear, the upstream is asked.
func (s *Server) forward(ctx context.Context, t *target, a *journal.Attempt, d *decided, push *repository.Push) verdict {
	ctx, cancel, err := s.effect(context.WithoutCancel(ctx))
	if err != nil {
		return failed("unknown.writer", err, d.ID)
	}
	defer cancel()
	payload := journal.AttemptPushed{Subject: subject(a), Status: gateway.Pushed, BranchName: a.Branch, CommitSHA: push.New(), Tree: push.Commit().Tree}
	var unwritten error
	written := false
	// The receipt is of what the upstream shows, not of what the mirror has yet.
	err = push.ForwardThen(ctx, func() { written, unwritten = true, s.receipt(ctx, a, payload) })
	if err != nil && gateway.KindOf(err) == gateway.Unknown && !refusedByForge(err) {
		shown, known := s.settlePush(ctx, t, push.Ref(), push.New())
		if !known { // the intent stays, and the clockwork asks again
			s.log.Warn("forwarding a push ended unclear", "attempt", a.ID, "decision", d.ID, "error", err)
			return failed("unknown.upstream", err, d.ID)
		}
		if shown {
			err = nil
		}
	}
	if err != nil {
		code := "unknown.upstream"
		var known *gateway.Error
		if errors.As(err, &known) && known.Code != "" {
			code = known.Code
		}
		s.log.Warn("forwarding a push", "attempt", a.ID, "decision", d.ID, "error", err)
		if err := s.receipt(ctx, a, journal.PushVoided{Subject: subject(a), Reason: code}); err != nil {
			s.log.Error("journalling a void push", "attempt", a.ID, "error", err)
		}
		return failed(code, err, d.ID)
	}
	if !written { // the upstream showed the commit only when it was asked again
		unwritten = s.receipt(ctx, a, payload)
	}
	if err := unwritten; err != nil {
		s.log.Error("journalling a forwarded push", "attempt", a.ID, "error", err)
		return failed("unknown.unrecorded", errors.New("the commit is upstream and its receipt could not be written; push it again"), d.ID)
	}
	return verdict{ok: true, lines: []string{"decision " + string(d.ID)}}
}

// settleLimit is how long the upstream may take to say what became of a push.
const settleLimit = 10 * time.Second

// settlePush asks the upstream what became of a push that ended unclear:
// whether the commit is shown, if that can be known. It has time of its own,
// since the push may have used up all that it had.
func (s *Server) settlePush(ctx context.Context, t *target, ref string, head gateway.OID) (shown, known bool) {
	mirror, _, ok := t.opened()
	if !ok {
		return false, false
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleLimit)
	defer cancel()
	at, err := mirror.UpstreamRef(ctx, ref)
	return err == nil && at == head, err == nil
}

// receipt appends what was seen of a push, once. An attempt that ended
// meanwhile keeps its end.
func (s *Server) receipt(ctx context.Context, a *journal.Attempt, payload journal.Payload) error {
	return s.journal.Commit(ctx, func(tx *journal.Tx) error {
		now, ok, err := tx.Attempt(a.ID)
		if err != nil || !ok || !now.HasPushIntent {
			return err
		}
		return event(tx, self.id, payload)
	})
}
