package gateway

import "encoding/json"

// MaxFactsBytes is the most that the facts about one repository may have when
// a gateway is asked about them.
const MaxFactsBytes = 16 << 20

// InvariantChecks are the checks of repositories in the policy that governs: GET
// /v1/invariants.
type InvariantChecks struct {
	Revision     string           `json:"revision"`
	PolicyDigest string           `json:"policy_digest"`
	Items        []InvariantCheck `json:"items"`
	Rules        []InvariantRule  `json:"rules"`
}

// An InvariantCheck is one category.
type InvariantCheck struct {
	Name        string `json:"name"`
	Title       string `json:"title"`
	Description string `json:"description"`
	// Needs names the parts of the facts without any of which the category has
	// nothing to look at; empty means that it always has.
	Needs []string `json:"needs"`
	// Named categories are about what only some repositories have: they are
	// asked for by name.
	Named bool `json:"named"`
}

// An InvariantRule is the documentation of one code.
type InvariantRule struct {
	Code        string   `json:"code"`
	Severity    Severity `json:"severity"`
	Title       string   `json:"title"`
	Description string   `json:"description"`
	Remedy      string   `json:"remedy"`
}

// InvariantVerdicts are what the policy says of a repository: the answer of POST
// /v1/invariants/check.
type InvariantVerdicts struct {
	Revision     string `json:"revision"`
	PolicyDigest string `json:"policy_digest"`
	// DecisionID is the decision that the asker may ask.
	DecisionID DecisionID         `json:"decision_id"`
	Items      []InvariantVerdict `json:"items"` // in the order that was asked for
}

// An InvariantVerdict is the decision about one category.
type InvariantVerdict struct {
	Category    string     `json:"category"`
	DecisionID  DecisionID `json:"decision_id"`
	InputDigest string     `json:"input_digest"`
	// Decision is true if the category found no error.
	Decision bool     `json:"decision"`
	Reasons  []Reason `json:"reasons"`
	// Obligations has the list violations. It has none, and the reasons say why,
	// if the category could not be decided: that is no pass.
	Obligations json.RawMessage `json:"obligations"`
}
