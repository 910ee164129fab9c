package server

import (
	"encoding/json"

	"leviathan/gateway/journal"
)

// recordOf is the journal's record of a decision: everything that is needed to
// decide it again. Its large parts are stored by digest, so that a thousand
// decisions over one backlog hold it once.
func recordOf(q *question, d *decided) (journal.Record, error) {
	codes := make([]string, 0, len(d.Reasons))
	for _, r := range d.Reasons {
		codes = append(codes, r.Code)
	}
	body, parts, err := bodyOf(d)
	return journal.Record{Kind: journal.Decision, Origin: journal.Gateway, ID: string(d.ID), Type: q.action,
		Target: q.target, Task: q.taskID(), Attempt: q.id, Body: body, Parts: parts,
		Decision: &journal.DecisionIndex{Allow: d.Allow, DryRun: q.dry, Revision: d.Revision, PolicyDigest: d.PolicyDigest, Codes: codes, AskedBy: q.by.id,
			Masked: d.masked != nil}}, err
}

// bodyOf is the body of a decision and what is stored beside it.
func bodyOf(d *decided) (json.RawMessage, []journal.Part, error) {
	if m := d.masked; m != nil {
		head := journal.DecisionHead{EvaluatedAt: d.now, InputDigest: d.InputDigest, Reasons: m.reasons, Masked: true, Erased: m.erased}
		return journal.NewBody(head, m.input, m.result)
	}
	input := make([]journal.NamedPart, len(d.input))
	for i, part := range d.input {
		input[i] = journal.NamedPart{Name: part.Name, Part: journal.Part{Digest: part.Digest, Bytes: part.JSON}}
	}
	return journal.NewBody(journal.DecisionHead{EvaluatedAt: d.now, InputDigest: d.InputDigest, Reasons: d.Reasons}, input, d.result.JSON)
}
