package journal

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"leviathan/gateway"
)

// InlineMax is the size up to which a part of an input, or a result, is written
// into the decision's body itself; larger ones are stored once, by digest.
const InlineMax = 2 << 10 // bytes

// A NamedPart is one top-level key of a decision's input. Its name is
// lower_snake_case.
type NamedPart struct {
	Name string
	Part
}

// NewBody writes a decision's body, a DecisionBody in canonical JSON, and
// lists the parts that are stored beside it. Parts and result must be
// canonical JSON. Whoever records decisions writes them with this function, so
// that one question has one record wherever it was asked.
func NewBody(head DecisionHead, input []NamedPart, result []byte) (json.RawMessage, []Part, error) {
	reasons := head.Reasons
	if reasons == nil {
		reasons = []gateway.Reason{}
	}
	texts, err := Canonical(reasons)
	if err != nil {
		return nil, nil, fmt.Errorf("write the reasons of a decision: %w", err)
	}
	var mask [2]string // before and after inline, in the order of the names
	if len(head.Erased) > 0 {
		erased, err := Canonical(head.Erased)
		if err != nil {
			return nil, nil, fmt.Errorf("write what was erased from a decision: %w", err)
		}
		mask[0] = `"erased":` + string(erased) + `,`
	}
	if head.Masked {
		mask[1] = `"masked":true,`
	}
	sorted := slices.SortedFunc(slices.Values(input), func(a, b NamedPart) int { return strings.Compare(a.Name, b.Name) })
	b := fmt.Appendf(make([]byte, 0, 4<<10), `{"decision":{"evaluated_at":"%s","input_digest":"%s","reasons":%s},%s"inline":{`,
		head.EvaluatedAt, head.InputDigest, texts, mask[0])
	digests := []byte{}
	var parts []Part
	for _, part := range sorted {
		if len(part.Bytes) <= InlineMax {
			b = append(appendMember(b, part.Name), part.Bytes...)
			continue
		}
		digests = append(appendMember(digests, part.Name), `"`+part.Digest+`"`...)
		parts = append(parts, part.Part)
	}
	b = append(append(append(append(b, `},`...), mask[1]...), `"parts":{`...), digests...)
	b = append(b, '}')
	if len(result) <= InlineMax {
		b = append(append(b, `,"result":`...), result...)
	} else {
		part := PartOf(result)
		b = fmt.Appendf(b, `,"result_digest":"%s"`, part.Digest)
		parts = append(parts, part)
	}
	return append(b, '}'), parts, nil
}

// appendMember begins a member of an object. Names of parts need no escapes.
func appendMember(b []byte, name string) []byte {
	if n := len(b); n > 0 && b[n-1] != '{' {
		b = append(b, ',')
	}
	return append(append(append(b, '"'), name...), `":`...)
}
