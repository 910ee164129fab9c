package invariants

import (
	"context"
	"errors"
	"fmt"

	"leviathan/gateway"
	"leviathan/gateway/engine"
	"leviathan/invariants/report"
)

// A remoteJudge asks a running gateway, which decides by its own policy and
// records in its own journal.
type remoteJudge struct {
	client *gateway.Client
	policy policyInfo
}

// askGateway learns which categories the gateway's policy has. What only a check
// here can do is refused: it would be left out in silence.
func askGateway(ctx context.Context, opts Options, s Settings) (*remoteJudge, error) {
	switch {
	case s.Rules != "":
		return nil, fmt.Errorf("the settings %s have rules of this repository's own (rules: %s), which a gateway does not evaluate: put them in the gateway's policies, or check without a gateway",
			s.File, s.Rules)
	case opts.State != "":
		return nil, errors.New("the verdicts of a gateway are in its own journal: leave out the folder for one, or check without a gateway")
	}
	known, err := opts.Gateway.InvariantChecks(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask the gateway which categories it has: %w", err)
	}
	r := &remoteJudge{client: opts.Gateway, policy: policyInfo{revision: known.Revision, digest: known.PolicyDigest}}
	for _, c := range known.Items {
		r.policy.checks = append(r.policy.checks, engine.Check{Name: c.Name, Title: c.Title, Description: c.Description, Needs: c.Needs, Named: c.Named})
	}
	for _, c := range known.Rules {
		r.policy.rules = append(r.policy.rules, report.Rule{Code: c.Code, Severity: c.Severity, Title: c.Title, Description: c.Description, Remedy: c.Remedy})
	}
	return r, nil
}

func (r *remoteJudge) about() policyInfo { return r.policy }

func (r *remoteJudge) close() error { return nil }

func (r *remoteJudge) verdicts(ctx context.Context, selected []engine.Check, shared engine.Input) ([]report.Category, error) {
	document, err := shared.JSON()
	if err != nil {
		return nil, fmt.Errorf("write the facts: %w", err)
	}
	names := make([]string, len(selected))
	for i, check := range selected {
		names[i] = check.Name
	}
	said, err := r.client.CheckInvariants(ctx, r.policy.digest, names, document)
	if err != nil {
		return nil, fmt.Errorf("ask the gateway for the verdicts: %w", err)
	}
	if len(said.Items) != len(selected) {
		return nil, fmt.Errorf("ask the gateway for the verdicts: it gave %d on %d categories", len(said.Items), len(selected))
	}
	out := make([]report.Category, len(selected))
	for i, check := range selected {
		in, err := Question(check.Name, shared)
		if err != nil {
			return nil, err
		}
		v := said.Items[i]
		if v.Category != check.Name || v.InputDigest != in.Digest() {
			return nil, fmt.Errorf("ask the gateway for the verdict on %s: it answered another question, about %s with the input %s", check.Name, v.Category, v.InputDigest)
		}
		out[i] = categoryOf(check, v.DecisionID, v.Reasons, v.Obligations)
	}
	return out, nil
}
