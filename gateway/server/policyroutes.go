package server

import (
	"net/http"
	"slices"
	"strings"

	"leviathan/gateway"
	"leviathan/gateway/engine"
	"leviathan/gateway/journal"
	"leviathan/gateway/replay"
)

// policyStatus says which policy governs, and what became of the newest
// candidate.
func (s *Server) policyStatus(w http.ResponseWriter, r *http.Request, _ principal) error {
	history, err := s.journal.Activations(r.Context(), 1000)
	if err != nil {
		return err
	}
	current := s.engine.Current()
	st := gateway.PolicyStatus{Active: gateway.PolicyVersion{Revision: current.Revision(), PolicyDigest: current.Digest()}}
	for i, a := range history {
		if a.PolicyDigest != current.Digest() {
			if st.Previous == nil {
				previous := version(a)
				st.Previous = &previous
			}
			continue
		}
		if i == 0 {
			st.Active = version(a)
		}
	}
	if st.MaskedDecisions, err = s.journal.MaskedDecisions(r.Context()); err != nil {
		return err
	}
	s.policy.mu.Lock()
	st.Source, st.SourceProblem = s.policy.source, s.policy.problem
	if s.policy.waiting != nil {
		candidate := *s.policy.waiting
		st.Candidate = &candidate
	}
	s.policy.mu.Unlock()
	if report, ok := s.shadow.Report(); ok && st.Candidate != nil {
		st.Candidate.Shadow = &report
	}
	return writeJSON(w, http.StatusOK, st)
}

// version is an activation as the API shows it.
func version(a journal.Activation) gateway.PolicyVersion {
	return gateway.PolicyVersion{Revision: a.Revision, PolicyDigest: a.PolicyDigest, Source: a.Source, Cause: a.Cause, Since: a.At, By: a.By}
}

// policyHistory lists the policies that governed, newest first.
func (s *Server) policyHistory(w http.ResponseWriter, r *http.Request, _ principal) error {
	limit, err := limitOf(r, 50, 1000)
	if err != nil {
		return err
	}
	history, err := s.journal.Activations(r.Context(), limit)
	if err != nil {
		return err
	}
	items := make([]gateway.PolicyVersion, 0, len(history))
	for _, a := range history {
		items = append(items, version(a))
	}
	return writeJSON(w, http.StatusOK, gateway.PolicyHistory{Items: items})
}

// policyChange reads a request to change the policy: it must say why.
func policyChange(r *http.Request) (gateway.PolicyChangeRequest, error) {
	var req gateway.PolicyChangeRequest
	if err := readJSON(r, &req); err != nil {
		return req, err
	}
	if strings.TrimSpace(req.Reason) == "" {
		return req, &gateway.Error{Kind: gateway.Invalid, Field: "reason", Detail: "reason is missing: it is journalled with who asked"}
	}
	for _, class := range req.Accept {
		if !slices.Contains(gateway.FlipClasses(), class) {
			return req, &gateway.Error{Kind: gateway.Invalid, Field: "accept", Detail: "unknown class " + string(class)}
		}
	}
	return req, nil
}

// activatePolicy takes the waiting candidate on an operator's word.
func (s *Server) activatePolicy(w http.ResponseWriter, r *http.Request, p principal) error {
	req, err := policyChange(r)
	if err != nil {
		return err
	}
	if err := s.mayAsk(r, p, gateway.ActionBundleActivate); err != nil {
		return err
	}
	if err := s.activateWaiting(r.Context(), p, req); err != nil {
		return err
	}
	return s.policyStatus(w, r, p)
}

// rollBackPolicy makes an earlier policy govern again.
func (s *Server) rollBackPolicy(w http.ResponseWriter, r *http.Request, p principal) error {
	req, err := policyChange(r)
	if err != nil {
		return err
	}
	if err := s.mayAsk(r, p, gateway.ActionBundleRollback); err != nil {
		return err
	}
	if err := s.rollBack(r.Context(), p, req); err != nil {
		return err
	}
	return s.policyStatus(w, r, p)
}

// mayAsk asks whether the caller may change the policy at all, before anything
// is read, loaded or replayed for them: a dry run of a change that flips
// nothing. The change itself is a question of its own.
func (s *Server) mayAsk(r *http.Request, p principal, action string) error {
	nothing := map[string]any{"flips": map[string]int{"error": 0, "deny_to_allow": 0}, "accepted": []string{}}
	d, err := s.decide(r.Context(), question{action: action, by: p, resource: gateway.Entity{Type: "bundle", ID: "*"}, request: nothing, dry: true})
	if err != nil {
		return err
	}
	return d.refusal()
}

// replayPolicy decides the journal again by the candidate in the body, a
// tar.gz, or without one by the candidate that waits. It changes nothing.
func (s *Server) replayPolicy(w http.ResponseWriter, r *http.Request, p principal) error {
	o := replay.Options{Target: gateway.TargetID(r.URL.Query().Get("target"))}
	var err error
	if text := r.URL.Query().Get("since"); text != "" {
		if o.Since, err = gateway.ParseTime(text); err != nil {
			return &gateway.Error{Kind: gateway.Invalid, Field: "since", Detail: err.Error()}
		}
	}
	d, err := s.decide(r.Context(), question{action: gateway.ActionBundleReplay, by: p, resource: gateway.Entity{Type: "bundle", ID: "*"},
		request: map[string]any{"target": o.Target, "since": r.URL.Query().Get("since")}})
	if err != nil {
		return err
	}
	if err := d.refusal(); err != nil {
		return err
	}
	candidate, err := s.replayCandidate(r)
	if err != nil {
		return err
	}
	report, err := replay.Run(r.Context(), s.journal, candidate, o)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, report)
}

func (s *Server) replayCandidate(r *http.Request) (*engine.Snapshot, error) {
	body, err := readBody(r)
	if err != nil {
		return nil, err
	}
	if len(body) > 0 {
		candidate, err := engine.LoadBytes(r.Context(), body, engine.Options{})
		if err != nil {
			return nil, &gateway.Error{Kind: gateway.Invalid, Detail: "the candidate cannot be loaded: " + err.Error()}
		}
		return candidate, nil
	}
	s.policy.mu.Lock()
	defer s.policy.mu.Unlock()
	if s.policy.candidate == nil {
		return nil, gateway.Errorf(gateway.Conflict, "no candidate waits: send one as a tar.gz")
	}
	return s.policy.candidate, nil
}
