package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"leviathan/gateway"
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
	if err == nil && service == "git-receive-pack" && p.role != gateway.RoleAttempt { // said here, where git shows it, and not after the pack
		_, err = s.pusher(r.Context(), p, gateway.TargetID(fields(r)["target"]))
	}
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
	s.metrics.gitBytes.WithLabelValues(packServed).Add(float64(served.Bytes))
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
	s.metrics.gitBytes.WithLabelValues(packReceived).Add(float64(push.PackBytes()))
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
