package engine_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"leviathan/gateway/engine"
)

func explain(t *testing.T, s *engine.Snapshot, in engine.Input) engine.Explanation {
	t.Helper()
	e, err := s.Explain(t.Context(), "cycle.plan", in)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func ruleOf(t *testing.T, e engine.Explanation, code string) engine.Explained {
	t.Helper()
	i := slices.IndexFunc(e.Rules, func(x engine.Explained) bool { return x.Code == code })
	if i < 0 {
		t.Fatalf("no rule of %s in %+v", code, e.Rules)
	}
	return e.Rules[i]
}

func TestADenyIsExplainedByTheConditionsOfItsRule(t *testing.T) {
	s := load(t, smallBundle(t))
	e := explain(t, s, full(t))
	if e.Allow || len(e.Reasons) != 1 || e.Rules[0].Code != "limits.running" {
		t.Fatalf("%+v", e)
	}
	x := ruleOf(t, e, "limits.running")
	if !x.Reason || !x.Fired || len(x.Conditions) == 0 {
		t.Fatalf("%+v", x)
	}
	saw := false
	for _, c := range x.Conditions {
		if !c.Held || c.Line <= x.Line-1 || c.Text == "" {
			t.Errorf("%+v", c)
		}
		for _, h := range c.Helpers {
			for _, below := range h.Conditions {
				saw = saw || !h.Fired && !below.Held && slices.Contains(below.Values, engine.Seen{Name: "input.state.running", Value: "7"})
			}
		}
	}
	if !saw {
		t.Errorf("no helper's condition saw input.state.running = 7: %+v", x.Conditions)
	}
	if text := e.Text(0); !strings.Contains(text, "limits.running is a reason") || !strings.Contains(text, "input.state.running = 7") {
		t.Errorf("%s", text)
	}
}

func TestAnAllowSaysWhereEachDenyRuleStopped(t *testing.T) {
	s := load(t, smallBundle(t))
	e := explain(t, s, fine(t))
	if !e.Allow {
		t.Fatalf("%+v", e)
	}
	for _, x := range e.Rules {
		if !x.Tried || x.Fired || x.Reason || len(x.Conditions) == 0 || x.Conditions[len(x.Conditions)-1].Held {
			t.Errorf("%+v", x)
		}
	}
	for line := range strings.Lines(e.Text(40)) {
		if len([]rune(line)) > 41 {
			t.Errorf("wider than 40: %q", line)
		}
	}
	if one, other := e.Text(0), explain(t, s, fine(t)).Text(0); one != other {
		t.Errorf("two explanations differ:\n%s\n%s", one, other)
	}
}

func TestNoAnswerHasNoExplanation(t *testing.T) {
	if _, err := load(t, deciding(`decision := 1 if input.x`)).Explain(t.Context(), "a", fine(t)); err == nil {
		t.Error("an undefined answer is explained")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := load(t, smallBundle(t)).Explain(ended, "a", fine(t)); err == nil {
		t.Error("a cancelled question is explained")
	}
}
