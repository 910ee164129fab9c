package replay

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"leviathan/gateway"
	"leviathan/gateway/engine"
)

// An answer is the part of a result that is compared.
type answer struct {
	Allow       bool             `json:"allow"`
	Reasons     []gateway.Reason `json:"reasons"`
	Obligations json.RawMessage  `json:"obligations"`
}

// compare finds how the other policy's result differs from the recorded one;
// false if it does not, byte for byte.
func compare(recorded []byte, other engine.Result) (gateway.Flip, bool, error) {
	if bytes.Equal(recorded, other.JSON) {
		return gateway.Flip{}, false, nil
	}
	var was answer
	if err := json.Unmarshal(recorded, &was); err != nil {
		return gateway.Flip{}, false, fmt.Errorf("read a recorded result: %w", err)
	}
	f := gateway.Flip{Gone: lacking(was.Reasons, other.Reasons), New: lacking(other.Reasons, was.Reasons)}
	switch {
	case slices.ContainsFunc(f.New, engineFailure):
		f.Class = gateway.FlipError
	case was.Allow != other.Allow && other.Allow:
		f.Class = gateway.FlipDenyToAllow
	case was.Allow != other.Allow:
		f.Class = gateway.FlipAllowToDeny
	case !slices.Equal(was.Reasons, other.Reasons):
		f.Class = gateway.FlipReasons
	default:
		f.Class = gateway.FlipObligations
	}
	return f, true, nil
}

// lacking are the codes of a that b has not, sorted, each once; never nil.
func lacking(a, b []gateway.Reason) []string {
	codes := map[string]bool{}
	for _, r := range a {
		codes[r.Code] = true
	}
	for _, r := range b {
		delete(codes, r.Code)
	}
	return slices.AppendSeq([]string{}, slices.Values(slices.Sorted(maps.Keys(codes))))
}

// engineFailure reports whether a code says that the policy gave no answer.
func engineFailure(code string) bool {
	return slices.ContainsFunc(engine.Failures(), func(c engine.Code) bool { return c.Code == code })
}

// notThePolicys reports whether a recorded answer was given without the
// policy's word: it ran out of time or of tries, and would not do so again.
func notThePolicys(codes []string) bool {
	return slices.ContainsFunc(codes, func(code string) bool {
		return code == "unknown.contention" || code == engine.CodeTimeout || code == engine.CodeCancelled
	})
}

// Describe lists the counts that are not zero, the gravest first: "2
// deny_to_allow, 1 reasons", or "none".
func Describe(counts gateway.FlipCounts) string {
	var parts []string
	for _, class := range gateway.FlipClasses() {
		if counts[class] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[class], class))
		}
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}
