package server

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/oklog/ulid/v2"

	"leviathan/gateway"
	"leviathan/gateway/engine"
	"leviathan/gateway/journal"
)

// categoryPart is the part of a verdict's input that names its category. It is
// the only one that is not the asker's.
const categoryPart = "category"

// listInvariants lists the checks of repositories in the policy that governs.
func (s *Server) listInvariants(w http.ResponseWriter, r *http.Request, _ principal) error {
	policy := s.engine.Current()
	checks, err := checksOf(r.Context(), policy)
	if err != nil {
		return err
	}
	out := gateway.InvariantChecks{Revision: policy.Revision(), PolicyDigest: policy.Digest(), Items: []gateway.InvariantCheck{}, Rules: []gateway.InvariantRule{}}
	for _, c := range checks.List() {
		out.Items = append(out.Items, gateway.InvariantCheck{Name: c.Name, Title: c.Title, Description: c.Description,
			Needs: append([]string{}, c.Needs...), Named: c.Named})
	}
	for _, c := range checks.Codes() {
		if c.Severity != "" || slices.ContainsFunc(out.Items, func(i gateway.InvariantCheck) bool { return c.Package == "leviathan.invariants."+i.Name }) {
			out.Rules = append(out.Rules, gateway.InvariantRule{Code: c.Code, Severity: gateway.Severity(cmp.Or(c.Severity, string(gateway.SeverityError))),
				Title: c.Title, Description: c.Description, Remedy: c.Remedy})
		}
	}
	return writeJSON(w, http.StatusOK, out)
}

// checksOf are the checks of a policy; one that has none cannot be asked.
func checksOf(ctx context.Context, policy *engine.Snapshot) (*engine.Checks, error) {
	checks, err := policy.Checks(ctx)
	if err != nil {
		return nil, gateway.Errorf(gateway.NotFound, "the policy that governs, %s, has no invariants to ask about: %v", policy.Revision(), err)
	}
	return checks, nil
}

// checkInvariants answers with the verdicts on a repository: its facts are the
// body, and the query says which categories are asked. Whether the caller may ask
// is a question like any other. A verdict is none: it reads no state and moves
// none, so that it is decided beside the door, by the policy that allowed it to
// be asked, and recorded before it is told.
func (s *Server) checkInvariants(w http.ResponseWriter, r *http.Request, p principal) error {
	categories := r.URL.Query()[categoryPart]
	if len(categories) == 0 {
		return &gateway.Error{Kind: gateway.Invalid, Field: categoryPart, Detail: "no category: name each that is asked, as category=NAME; GET /v1/invariants lists them"}
	}
	if err := s.limits.allow(p, s.now(), 1); err != nil {
		return err
	}
	d, err := s.decide(r.Context(), question{action: gateway.ActionInvariantsCheck, by: p, resource: gateway.Entity{Type: "repository", ID: "*"},
		request: map[string]any{"categories": categories}})
	if err != nil {
		return err
	}
	if err := d.refusal(); err != nil {
		return err
	}
	if wanted := r.URL.Query().Get("policy_digest"); wanted != "" && wanted != d.policy.Digest() {
		return gateway.Errorf(gateway.Conflict, "another policy governs now: %s (%s); check again", d.policy.Revision(), d.policy.Digest())
	}
	checks, err := checksOf(r.Context(), d.policy)
	if err != nil {
		return err
	}
	for i, name := range categories {
		if !slices.ContainsFunc(checks.List(), func(c engine.Check) bool { return c.Name == name }) || slices.Contains(categories[:i], name) {
			return &gateway.Error{Kind: gateway.Invalid, Field: categoryPart, Detail: fmt.Sprintf("the category %q is named twice, or the policy has none of that name", name)}
		}
	}
	body, err := readBody(r)
	if err != nil {
		return err
	}
	verdicts, err := s.verdictsOn(r.Context(), p, d, checks, categories, body)
	if err != nil {
		return err
	}
	out := gateway.InvariantVerdicts{Revision: d.policy.Revision(), PolicyDigest: d.policy.Digest(), DecisionID: d.ID}
	for i, v := range verdicts {
		out.Items = append(out.Items, gateway.InvariantVerdict{Category: categories[i], DecisionID: v.ID, InputDigest: v.InputDigest,
			Decision: v.Allow, Reasons: v.Reasons, Obligations: v.Obligations})
	}
	return writeJSON(w, http.StatusOK, out)
}

// verdictsOn decides every category and records all verdicts in one commit. The facts
// in the engine's form are some times as large as the body, so that one
// repository is judged at a time.
func (s *Server) verdictsOn(ctx context.Context, p principal, asked *decided, checks *engine.Checks, categories []string, body []byte) ([]*decided, error) {
	select {
	case s.judging <- struct{}{}:
		defer func() { <-s.judging }()
	case <-ctx.Done():
		return nil, gateway.Errorf(gateway.Unknown, "other repositories are being judged; ask again")
	}
	facts, err := factsOf(body)
	if err != nil {
		return nil, err
	}
	q := question{action: gateway.ActionInvariantsCheck, by: p}
	verdicts := make([]*decided, 0, len(categories))
	for _, name := range categories {
		part, err := engine.PartOf(categoryPart, name)
		if err != nil {
			return nil, fmt.Errorf("make the question of the category %s: %w", name, err)
		}
		v := &decided{action: q.action, by: p.id, now: s.journalNow(), input: append(slices.Clone(facts), part), policy: asked.policy, category: name}
		v.Decision = gateway.Decision{ID: gateway.DecisionID(ulid.Make().String()), EvaluatedAt: v.now,
			Revision: asked.policy.Revision(), PolicyDigest: asked.policy.Digest(), InputDigest: v.input.Digest()}
		v.answer(checks.Decide(ctx, name, v.input))
		if ctx.Err() != nil {
			return nil, gateway.Errorf(gateway.Unknown, "the verdicts took longer than the request may; ask about fewer categories")
		}
		if err := s.complete(ctx, &q, v); err != nil {
			return nil, err
		}
		verdicts = append(verdicts, v)
	}
	err = s.journal.Commit(ctx, func(tx *journal.Tx) error {
		for _, v := range verdicts {
			if _, err := tx.Append(v.record); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		s.metrics.unrecorded.Inc()
		return nil, unrecorded(err)
	}
	for _, v := range verdicts {
		s.metrics.decision(q.action, v)
	}
	return verdicts, nil
}

// factsOf are the members of the body, each a part of the input. Names of files
// are among the keys inside, where a and A are two.
func factsOf(body []byte) (engine.Input, error) {
	invalid := func(err error) error {
		return gateway.Errorf(gateway.Invalid, "the body is not the document that leviathan invariants facts prints: %v", err)
	}
	in := engine.Input{}
	dec := json.NewDecoder(bytes.NewReader(body))
	if token, err := dec.Token(); err != nil || token != json.Delim('{') {
		return nil, invalid(cmp.Or(err, errors.New("no JSON object")))
	}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return nil, invalid(err)
		}
		name, _ := token.(string)
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return nil, invalid(err)
		}
		switch {
		case name == categoryPart || name == "action": // which tell a verdict from a live question
			return nil, &gateway.Error{Kind: gateway.Invalid, Field: name, Detail: name + " is no fact about a repository; categories are named in the query"}
		case slices.ContainsFunc(in, func(p engine.Part) bool { return p.Name == name }):
			return nil, &gateway.Error{Kind: gateway.Invalid, Field: name, Detail: "duplicate key " + name}
		}
		part, err := engine.NewPart(name, raw)
		if err != nil {
			return nil, &gateway.Error{Kind: gateway.Invalid, Field: name, Detail: "the facts cannot be put to the policy: " + err.Error()}
		}
		in = append(in, part)
	}
	if _, err := dec.Token(); err != nil {
		return nil, invalid(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, invalid(errors.New("data after the object"))
	}
	if len(in) == 0 {
		return nil, invalid(errors.New("no facts"))
	}
	return in, nil
}
