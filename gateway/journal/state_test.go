package journal_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"leviathan/gateway"
	"leviathan/gateway/journal"
)

func TestAStateTellsTheLastReservationsAndTheOpenPullRequests(t *testing.T) {
	dir, c := t.TempDir(), newClock()
	j := open(t, dir, c)
	if s := state(t, j, "demo"); s.ReservedUS == nil || len(s.ReservedUS) != 0 || s.OpenPulls == nil || len(s.OpenPulls) != 0 {
		t.Errorf("of a new target: %v, %v", s.ReservedUS, s.OpenPulls)
	}
	const many = journal.MaxReserved + 2
	var times []int64
	for n := range many {
		c.add(time.Second)
		times = append([]int64{c.Now().UnixMicro()}, times...)
		commit(t, j, func(tx *journal.Tx) error {
			return create(tx, "demo", gateway.TaskID(fmt.Sprintf("t%d", n)), attempt(n+1), 1)
		})
		if got := state(t, j, "demo").ReservedUS; !slices.Equal(got, times[:min(len(times), journal.MaxReserved)]) {
			t.Fatalf("after %d reservations: %d, the newest %d, want %d", n+1, len(got), got[0], times[0])
		}
	}
	s := about("demo", "t0", attempt(1))
	appendAll(t, j, toProposed(s, 7)...)
	appendAll(t, j, journal.PullObserved{Subject: s, PRNumber: 7, Review: "approved", Conflicts: true, Edited: true})
	seen := state(t, j, "demo")
	want := []journal.OpenPull{{TaskID: "t0", AttemptID: s.AttemptID, Number: 7, IntendedUS: c.Now().UnixMicro(), Review: "approved", Conflicts: true, Edited: true}}
	if !slices.Equal(seen.OpenPulls, want) {
		t.Errorf("open pull requests %+v, want %+v", seen.OpenPulls, want)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	again := state(t, open(t, dir, c), "demo")
	if !slices.Equal(again.ReservedUS, seen.ReservedUS) || !slices.Equal(again.OpenPulls, seen.OpenPulls) {
		t.Errorf("after a restart: %d reservations, %+v", len(again.ReservedUS), again.OpenPulls)
	}
}
