package gateway

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
)

// InvariantChecks lists the checks of repositories in the policy that governs.
func (c *Client) InvariantChecks(ctx context.Context) (InvariantChecks, error) {
	var out InvariantChecks
	err := c.do(ctx, call{method: http.MethodGet, path: []string{"v1", "invariants"}, idempotent: true}, &out)
	return out, err
}

// CheckInvariants asks for the verdicts of the categories about a repository.
// Facts is one JSON object, as `leviathan invariants facts` prints it, of at most
// MaxFactsBytes. It is an error of kind Conflict if the policy that governs is
// not the one with the digest; an empty digest takes any.
func (c *Client) CheckInvariants(ctx context.Context, policyDigest string, categories []string, facts json.RawMessage) (InvariantVerdicts, error) {
	var out InvariantVerdicts
	if len(facts) > MaxFactsBytes {
		return out, Errorf(TooLarge, "the facts about the repository have %d bytes, of %d that a gateway takes: leave folders out (exclude in the settings), or check without a gateway",
			len(facts), MaxFactsBytes)
	}
	values := url.Values{"category": categories}
	if policyDigest != "" {
		values.Set("policy_digest", policyDigest)
	}
	err := c.do(ctx, call{method: http.MethodPost, path: []string{"v1", "invariants", "check"}, query: values, body: facts, long: true}, &out)
	return out, err
}
