package engine_test

import (
	"context"
	"errors"
	"iter"
	"testing"

	"leviathan/gateway/engine"
)

func asked(inputs ...engine.Input) iter.Seq2[string, engine.Input] {
	return func(yield func(string, engine.Input) bool) {
		for _, in := range inputs {
			if !yield("cycle.plan", in) {
				return
			}
		}
	}
}

func TestCoverCountsWhatQuestionsReached(t *testing.T) {
	s := load(t, smallBundle(t))
	c, err := s.Cover(t.Context(), asked(full(t), full(t), fine(t)))
	if err != nil {
		t.Fatal(err)
	}
	if c.Questions != 3 || c.Unusable != 0 || c.Fired["limits.running"] != 2 || c.Fired["guard.switched_off"] != 0 {
		t.Errorf("%+v", c)
	}
	if _, listed := c.Fired["guard.switched_off"]; !listed {
		t.Error("a code that never fired is not listed")
	}
	covered := func(c engine.Coverage) (n int) {
		for _, f := range c.Files {
			n += f.Covered
		}
		return n
	}
	none, err := s.Cover(t.Context(), asked())
	if err != nil || none.Questions != 0 || covered(none) != 0 {
		t.Errorf("no questions: %+v, %v", none, err)
	}
	some, err := s.Cover(t.Context(), asked(fine(t)))
	if err != nil || covered(some) == 0 || covered(some) >= covered(c) {
		t.Errorf("one question covers %d lines, three cover %d, %v", covered(some), covered(c), err)
	}
	unusable, err := load(t, deciding("decision := 1 if input.x")).Cover(t.Context(), asked(fine(t)))
	if err != nil || unusable.Unusable != 1 {
		t.Errorf("an undefined answer: %+v, %v", unusable, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Cover(ended, asked(fine(t))); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled run: %v", err)
	}
}
