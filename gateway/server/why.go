package server

import (
	"context"
	"net/http"

	"leviathan/gateway"
	"leviathan/gateway/engine"
	"leviathan/gateway/replay"
)

// whyDecision decides one decision again, by the policy that decided it, with
// every step shown.
func (s *Server) whyDecision(w http.ResponseWriter, r *http.Request, _ principal) error {
	id := gateway.DecisionID(fields(r)["decision"])
	explanation, err := replay.Explain(r.Context(), s.journal, id, s.policyOf)
	if err != nil {
		return err
	}
	if r.URL.Query().Get("all") != "true" {
		explanation = explanation.Brief()
	}
	return writeJSON(w, http.StatusOK, decisionWhy{id, explanation, explanation.Text(0)})
}

// A decisionWhy is a decision with every step of it; Text says the same for a
// terminal.
type decisionWhy struct {
	ID gateway.DecisionID `json:"id"`
	engine.Explanation
	Text string `json:"text"`
}

// policyOf finds a policy by its digest: the one that governs, the one before,
// or one of the journal. The last that was loaded for this is kept.
func (s *Server) policyOf(ctx context.Context, digest string) (*engine.Snapshot, error) {
	for _, known := range []*engine.Snapshot{s.engine.Current(), s.engine.Previous(), s.explained.Load()} {
		if known != nil && known.Digest() == digest {
			return known, nil
		}
	}
	policy, err := storedPolicy(ctx, s.journal, digest, engine.Options{Tested: true, Logger: s.log})
	if err != nil {
		return nil, err
	}
	s.explained.Store(policy)
	return policy, nil
}
