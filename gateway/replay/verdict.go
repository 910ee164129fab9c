package replay

import (
	"encoding/json"

	"leviathan/gateway"
	"leviathan/gateway/journal"
)

// AVerdict is why a verdict on a repository is not decided again with the
// others: no live question depends on it, and its input is a repository.
// Explain decides it again.
const AVerdict = "verdict"

// categoryOf is the category of invariants that a decision is the verdict of.
// The question whether somebody may ask for verdicts is of the same action, and
// is none: it names its action, as every live question does.
func categoryOf(d journal.StoredDecision) (name string, ok bool) {
	if d.Action != gateway.ActionInvariantsCheck {
		return "", false
	}
	for _, p := range d.Parts {
		switch p.Name {
		case "action":
			return "", false
		case "category":
			ok = json.Unmarshal(p.JSON, &name) == nil && name != ""
		}
	}
	return name, ok
}
