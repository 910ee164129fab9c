package journal_test

import (
	"fmt"
	"testing"
	"time"

	"leviathan/gateway"
	"leviathan/gateway/journal"
)

func TestPruneRemovesOldInputsAlone(t *testing.T) {
	dir, c := t.TempDir(), newClock()
	j := open(t, dir, c)
	appendAll(t, j, registered("demo"))
	parts := func(own int) map[string]string {
		return map[string]string{"own": fmt.Sprintf(`{"n":%d}`, own), "shared": `"shared"`}
	}
	var ids []string
	decisions := func(from, to int) {
		commit(t, j, func(tx *journal.Tx) error {
			for i := from; i < to; i++ {
				a, err := tx.Append(decision(t, journal.Record{Type: "cycle.plan"}, parts(i)))
				if err != nil {
					return err
				}
				ids = append(ids, a.ID)
			}
			return nil
		})
	}
	decisions(0, 1201) // more than two batches
	c.add(time.Hour)
	decisions(1201, 1203)
	n, err := j.Prune(t.Context(), gateway.At(c.Now()))
	if err != nil || n != 1201 {
		t.Fatalf("pruned %d, %v, want 1201", n, err)
	}
	old, _, err := j.Decision(t.Context(), gateway.DecisionID(ids[0]))
	if err != nil || len(old.Pruned) != 1 || old.Pruned[0] != "own" || string(old.Input) != `{"action":"x","shared":"shared","subject":{"id":"w","type":"component"}}` {
		t.Errorf("old decision: pruned %v, input %s, %v", old.Pruned, old.Input, err)
	}
	kept, _, err := j.Decision(t.Context(), gateway.DecisionID(ids[1202]))
	if err != nil || len(kept.Pruned) != 0 {
		t.Errorf("kept decision lacks %v, %v", kept.Pruned, err)
	}
	// A part that was removed is stored again when it is used again.
	again := decide(t, j, journal.Record{Type: "cycle.plan"}, parts(0))
	if d, _, err := j.Decision(t.Context(), gateway.DecisionID(again)); err != nil || len(d.Pruned) != 0 {
		t.Errorf("decision over a pruned part lacks %v, %v", d.Pruned, err)
	}
	verifyDir(t, j, dir)
	before, err := j.ProjectionDigest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Rebuild(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after, err := j.ProjectionDigest(t.Context()); err != nil || after != before {
		t.Errorf("pruning changed a rebuild: %s, %s, %v", before, after, err)
	}
}
