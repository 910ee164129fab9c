package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"leviathan/gateway"
	"leviathan/gateway/engine"
	"leviathan/gateway/journal"
	"leviathan/gateway/repository"
)

// effectLimit is how long an effect that was decided may take: after it the
// connection is cut and observation decides what happened.
const effectLimit = 30 * time.Second

// gitRefs answers git's first request of a clone, fetch or push.
func (s *Server) gitRefs(w http.ResponseWriter, r *http.Request, p principal) error {
	service := r.URL.Query().Get("service")
	if service != "git-upload-pack" && service != "git-receive-pack" {
		return &gateway.Error{Kind: gateway.Invalid, Field: "service", Detail: "service must be git-upload-pack or git-receive-pack: this is smart HTTP alone"}
	}
	mirror, view, err := s.fetchAllowed(r, p, service)
	w.Header().Set("Cache-Control", "no-cache")
	if errors.Is(err, gateway.ErrDenied) || errors.Is(err, gateway.ErrUnknown) {
		w.Header().Set("Content-Type", "application/x-"+service+"-advertisement")
		return gitRefusal(w, "# service="+service+"\n", err)
	}
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/x-"+service+"-advertisement")
	return mirror.AdvertiseRefs(w, service, view)
}

// gitRefusal answers a git client so that it shows the reasons: git prints an
// ERR packet as "remote error", and of an HTTP status nothing but the number.
func gitRefusal(w http.ResponseWriter, service string, err error) error {
	text := strings.Join(strings.Fields(err.Error()), " ")
	if len(text) > 900 {
		text = text[:900] + " …"
	}
	lead := ""
	if service != "" {
		lead = fmt.Sprintf("%04x%s0000", len(service)+4, service)
	}
	line := "ERR " + text + "\n"
	if _, err := fmt.Fprintf(w, "%s%04x%s", lead, len(line)+4, line); err != nil {
		return errGone{err}
	}
	return nil
}

// gitUploadPack serves objects: what the view shows and nothing else.
func (s *Server) gitUploadPack(w http.ResponseWriter, r *http.Request, p principal) error {
	mirror, view, err := s.fetchAllowed(r, p, "git-upload-pack")
	if errors.Is(err, gateway.ErrDenied) || errors.Is(err, gateway.ErrUnknown) {
		w.Header().Set("Content-Type", "application/x-git-upload-pack-result")
		return gitRefusal(w, "", err)
	}
	if err != nil {
		return err
	}
	body, err := repository.Body(r.Body, r.Header.Get("Content-Encoding"), 16*mib)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/x-git-upload-pack-result")
	w.Header().Set("Cache-Control", "no-cache")
	served, err := mirror.UploadPack(r.Context(), w, body, view)
	s.metrics.gitBytes.Add(float64(served.Bytes))
	if err != nil {
		s.log.Info("fetch refused", "target", fields(r)["target"], "who", p.id, "error", err)
	}
	return nil // the refusal, if there is one, is on the wire as git shows it
}

// fetchAllowed asks whether the caller may have objects, and what it sees: an
// attempt its base commit, operators and readers the target branch.
func (s *Server) fetchAllowed(r *http.Request, p principal, service string) (*repository.Mirror, repository.View, error) {
	id := gateway.TargetID(fields(r)["target"])
	if !s.knows(id) {
		return nil, repository.View{}, gateway.Errorf(gateway.NotFound, "no config names target %q", id)
	}
	q := question{action: gateway.ActionRepositoryFetch, by: p, target: id, id: p.attempt,
		resource: gateway.Entity{Type: "repository", ID: string(id)}, request: map[string]string{"service": service}}
	d, err := s.decide(r.Context(), q)
	if err != nil {
		return nil, repository.View{}, err
	}
	if err := d.refusal(); err != nil {
		return nil, repository.View{}, err
	}
	cfg := s.targets.Check(id).Config
	if cfg == nil {
		return nil, repository.View{}, gateway.Errorf(gateway.Unknown, "the config of target %s cannot be read", id)
	}
	t := s.lookup(id)
	mirror, _, err := s.open(r.Context(), t, cfg)
	if err != nil {
		return nil, repository.View{}, gateway.Errorf(gateway.Unknown, "the mirror of %s cannot be opened: %v", id, err)
	}
	head := "refs/heads/" + cfg.TargetBranch
	if a := d.attempt; a != nil {
		view := repository.View{Refs: repository.Refs{head: a.BaseCommit}, Head: head, Push: "refs/heads/" + a.Branch}
		if a.PushedCommit != "" {
			view.Refs[view.Push] = a.PushedCommit
		}
		return mirror, view, nil
	}
	s.refresh(r.Context(), t)
	tip, err := mirror.Head(cfg.TargetBranch)
	if err != nil {
		return nil, repository.View{}, err
	}
	return mirror, repository.View{Refs: repository.Refs{head: tip}, Head: head}, nil
}

// pushPart is a push as the policy sees it.
type pushPart struct {
	Ref          string           `json:"ref"`
	Old          gateway.OID      `json:"old"`
	New          gateway.OID      `json:"new"`
	ExpectedRef  string           `json:"expected_ref"`
	BranchExists bool             `json:"branch_exists"`
	Commit       pushCommit       `json:"commit"`
	Expected     expectedCommit   `json:"expected"`
	PackBytes    int64            `json:"pack_bytes"`
	PackDigest   string           `json:"pack_digest"`
	Problems     []gateway.Reason `json:"problems"`
}

type pushCommit struct {
	ID        gateway.OID      `json:"id"`
	Tree      gateway.OID      `json:"tree"`
	Parents   []gateway.OID    `json:"parents"`
	Message   string           `json:"message"`
	Author    gateway.Identity `json:"author"`
	Committer gateway.Identity `json:"committer"`
}

type expectedCommit struct {
	Message string           `json:"message"`
	Author  gateway.Identity `json:"author"`
}

// gitReceivePack takes one push: quarantine, check, decide, forward. The
// answer is git's own, with the reasons as remote lines.
func (s *Server) gitReceivePack(w http.ResponseWriter, r *http.Request, p principal) error {
	id := gateway.TargetID(fields(r)["target"])
	if !s.knows(id) {
		return gateway.Errorf(gateway.NotFound, "no config names target %q", id)
	}
	a, err := s.pusher(r.Context(), p, id)
	if err != nil {
		return err
	}
	cfg := s.targets.Check(id).Config
	if cfg == nil {
		return gateway.Errorf(gateway.Unknown, "the config of target %s cannot be read", id)
	}
	t := s.lookup(id)
	mirror, _, err := s.open(r.Context(), t, cfg)
	if err != nil {
		return gateway.Errorf(gateway.Unknown, "the mirror of %s cannot be opened: %v", id, err)
	}
	limits := repository.Limits{MaxPackBytes: int64(cfg.Limits.MaxPackMB) * mib, MaxChanges: 100_000}
	body, err := repository.Body(r.Body, r.Header.Get("Content-Encoding"), limits.MaxPackBytes+mib)
	if err != nil {
		return err
	}
	// One push of an attempt at a time, or one worker could fill the disk with
	// quarantines. Others are not kept waiting while a slow one sends.
	if _, busy := t.pushing.LoadOrStore(a.ID, true); busy {
		return &gateway.Error{Kind: gateway.Conflict, Code: "attempt.push_under_way", Detail: "attempt.push_under_way: another push of this attempt is under way"}
	}
	defer t.pushing.Delete(a.ID)
	push, err := mirror.Receive(r.Context(), body, limits)
	w.Header().Set("Content-Type", "application/x-git-receive-pack-result")
	w.Header().Set("Cache-Control", "no-cache")
	if errors.Is(err, repository.ErrProbe) {
		w.WriteHeader(http.StatusOK)
		return nil
	}
	if push == nil {
		return err
	}
	defer func() {
		if err := push.Discard(); err != nil {
			s.log.Warn("discarding a quarantine", "target", id, "error", err)
		}
	}()
	t.push.Lock()
	defer t.push.Unlock()
	verdict := s.judge(r.Context(), t, p, a, push, err)
	s.metrics.gitBytes.Add(float64(push.PackBytes()))
	return push.Report(w, verdict.ok, verdict.code, verdict.lines)
}

// pusher is the attempt whose token pushes. Only attempts push; for others the
// policy says no, and that is journalled.
func (s *Server) pusher(ctx context.Context, p principal, id gateway.TargetID) (*journal.Attempt, error) {
	if p.role == gateway.RoleAttempt && p.target == id {
		a, ok, err := s.journal.Attempt(ctx, p.attempt)
		if err != nil {
			return nil, unrecorded(err)
		}
		if ok {
			return a, ended(p, a)
		}
	}
	d, err := s.decide(ctx, question{action: gateway.ActionChangePush, by: p, target: id, resource: gateway.Entity{Type: "changeset", ID: p.id}})
	if err != nil {
		return nil, err
	}
	if d.Allow { // no attempt, so nothing could be forwarded: refuse all the same
		return nil, gateway.Errorf(gateway.Forbidden, "only an attempt may push")
	}
	return nil, d.refusal()
}

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
	return s.forward(ctx, t, a, d, push)
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

// refuse keeps what was pushed, for the people who paid for it, and ends the
// attempt when the policy says that it has tried often enough.
func (s *Server) refuse(ctx context.Context, t *target, a *journal.Attempt, d *decided, push *repository.Push) verdict {
	v := verdict{code: "denied"}
	for _, r := range d.Reasons {
		line := r.Code + ": " + r.Message
		if r.Remedy != "" {
			line += " — " + r.Remedy
		}
		v.lines = append(v.lines, line)
	}
	if len(d.Reasons) > 0 {
		v.code = d.Reasons[0].Code
	}
	v.lines = append(v.lines, "decision "+string(d.ID))
	evicted, err := push.Keep(string(d.ID))
	if err != nil {
		s.log.Error("keeping a refused push", "decision", d.ID, "error", err)
		v.lines = append(v.lines, "the objects could not be kept: "+err.Error())
	} else {
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
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), effectLimit)
	defer cancel()
	err := push.Forward(ctx)
	if err != nil && gateway.KindOf(err) == gateway.Unknown {
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
	payload := journal.AttemptPushed{Subject: subject(a), Status: gateway.Pushed, BranchName: a.Branch, CommitSHA: push.New(), Tree: push.Commit().Tree}
	if err := s.receipt(ctx, a, payload); err != nil {
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
