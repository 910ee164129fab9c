package server

import (
	"encoding/json"
	"strings"
	"testing"

	"leviathan/gateway"
	"leviathan/gateway/engine"
	"leviathan/gateway/journal"
)

// The body of a decision is written by hand, because every decision is; it is
// what the general way would have written.
func TestTheBodyOfADecisionIsCanonical(t *testing.T) {
	for name, long := range map[string]bool{"short": false, "long": true} {
		t.Run(name, func(t *testing.T) {
			filler := "a <short> text"
			if long {
				filler = strings.Repeat("ä long text ", 500)
			}
			d := &decided{now: gateway.At(gateway.Time{}.Time.AddDate(2026, 0, 0)), result: engine.Refuse("unknown.test", filler, "")}
			d.answer(d.result)
			want := journal.DecisionBody{Decision: journal.DecisionHead{EvaluatedAt: d.now, Reasons: d.Reasons}, Inline: map[string]json.RawMessage{}, Parts: map[string]string{}}
			for part, v := range map[string]any{"action": "x.y", "zeta": map[string]string{"b": filler, "a": "1"}, "middle": []int{1, 2}} {
				made, err := engine.NewPart(part, v)
				if err != nil {
					t.Fatal(err)
				}
				d.input = append(d.input, made)
				if len(made.JSON) <= journal.InlineMax {
					want.Inline[part] = made.JSON
				} else {
					want.Parts[part] = made.Digest
				}
			}
			d.InputDigest = d.input.Digest()
			want.Decision.InputDigest = d.InputDigest
			if len(d.result.JSON) <= journal.InlineMax {
				want.Result = d.result.JSON
			} else {
				want.ResultDigest = journal.PartOf(d.result.JSON).Digest
			}
			canonical, err := journal.Canonical(want)
			if err != nil {
				t.Fatal(err)
			}
			got, parts, err := bodyOf(d)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != string(canonical) {
				t.Errorf("got  %s\nwant %s", got, canonical)
			}
			if long != (len(parts) == 2) {
				t.Errorf("%d parts", len(parts))
			}
		})
	}
}
