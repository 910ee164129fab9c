package server

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"leviathan/gateway/engine"
	"leviathan/gateway/journal"
)

// inlineMax is the size up to which a part of the input is written into the
// decision itself; larger ones are stored once, by digest.
const inlineMax = 2 * kib

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
		Decision: &journal.DecisionIndex{Allow: d.Allow, DryRun: q.dry, Revision: d.Revision, PolicyDigest: d.PolicyDigest, Codes: codes, AskedBy: q.by.id}}, err
}

// bodyOf writes a journal.DecisionBody as canonical JSON. Parts and result are
// canonical already, so only the few fields around them are written here.
func bodyOf(d *decided) (json.RawMessage, []journal.Part, error) {
	reasons, err := journal.Canonical(d.Reasons)
	if err != nil {
		return nil, nil, fmt.Errorf("writing the reasons of a decision: %w", err)
	}
	input := slices.SortedFunc(slices.Values(d.input), func(a, b engine.Part) int { return strings.Compare(a.Name, b.Name) })
	b := fmt.Appendf(make([]byte, 0, 4*kib), `{"decision":{"evaluated_at":"%s","input_digest":"%s","reasons":%s},"inline":{`, d.now, d.InputDigest, reasons)
	digests := []byte{}
	var parts []journal.Part
	for _, part := range input {
		if len(part.JSON) <= inlineMax {
			b = append(appendKey(b, part.Name), part.JSON...)
			continue
		}
		digests = append(appendKey(digests, part.Name), `"`+part.Digest+`"`...)
		parts = append(parts, journal.Part{Digest: part.Digest, Bytes: part.JSON})
	}
	b = append(append(append(b, `},"parts":{`...), digests...), '}')
	if result := d.result.JSON; len(result) <= inlineMax {
		b = append(append(b, `,"result":`...), result...)
	} else {
		part := journal.PartOf(result)
		b = fmt.Appendf(b, `,"result_digest":"%s"`, part.Digest)
		parts = append(parts, part)
	}
	return append(b, '}'), parts, nil
}

// appendKey begins a member of an object. Names of parts need no escapes.
func appendKey(b []byte, name string) []byte {
	if n := len(b); n > 0 && b[n-1] != '{' {
		b = append(b, ',')
	}
	return append(append(append(b, '"'), name...), `":`...)
}
