package invariants

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"leviathan/gateway"
	"leviathan/gateway/engine"
	"leviathan/invariants/report"
)

// A judge decides categories and records what it decided. There are two: this
// process, and a running gateway.
type judge interface {
	// about is the policy that it decides by.
	about() policyInfo
	// verdicts are the categories of the checks, in their order, decided and
	// recorded. What could not be decided is report.Unknown; an error says that
	// there is no record.
	verdicts(ctx context.Context, checks []engine.Check, shared engine.Input) ([]report.Category, error)
	close() error
}

// A policyInfo is what a judge's policy is called and what it has.
type policyInfo struct {
	revision, digest string
	checks           []engine.Check
	rules            []report.Rule
}

// Question is what a category is asked about a repository: the parts that all
// categories share, and its name.
func Question(category string, shared engine.Input) (engine.Input, error) {
	part, err := engine.PartOf("category", category)
	if err != nil {
		return nil, fmt.Errorf("make the question of %s: %w", category, err)
	}
	return append(slices.Clone(shared), part), nil
}

// categoryOf is a category's part of the report, as it was decided: what is no
// answer is why it could not run.
func categoryOf(check engine.Check, id gateway.DecisionID, reasons []gateway.Reason, obligations json.RawMessage) report.Category {
	c := report.Category{Name: check.Name, Title: check.Title, DecisionID: id, Violations: []gateway.Violation{}}
	var said struct {
		Violations *[]gateway.Violation `json:"violations"`
	}
	switch err := json.Unmarshal(obligations, &said); {
	case err != nil:
		c.Why = "the answer cannot be read: " + err.Error()
	case said.Violations == nil: // the engine's own denial
		for _, reason := range reasons {
			if reason.Code == engine.CodeNoFacts { // which says it in words
				c.Why = reason.Message
				break
			}
			c.Why = strings.TrimSpace(c.Why + " " + reason.Code + ": " + reason.Message)
		}
		c.Why = cmp.Or(c.Why, "the answer has no violations")
	default:
		c.Violations = *said.Violations
	}
	if c.Why != "" {
		c.Verdict = report.Unknown
	}
	return c
}
