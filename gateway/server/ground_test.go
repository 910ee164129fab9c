package server_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"leviathan/gateway"
)

// While a human changes the backlog and schedulers ask, each reservation is of
// a task as the backlog of its base commit has it, and as it was judged.
func TestS01AReservationIsOfTheBacklogThatWasJudged(t *testing.T) {
	t.Parallel()
	ready := "tasks:\n  - {id: t, title: Ready, scope: docs, ready: true, allowed_paths: [docs/a.md]}\n"
	not := "tasks:\n  - {id: t, title: Not ready, scope: docs, ready: false, allowed_paths: [docs/b.md]}\n"
	w := newWorld(t, ready, baseConfig)
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	var seen sync.Map
	var reserved atomic.Int64
	for range 4 {
		group.Go(func() {
			for ctx.Err() == nil {
				result, err := w.client(operator).Cycle(context.Background(), "demo", gateway.CycleRequest{})
				if err != nil {
					t.Errorf("cycle: %v", err)
					return
				}
				if result.Outcome == gateway.CycleUnknown && !slices.Contains(reasonCodes(result.Reasons), "unknown.contention") {
					t.Errorf("cycle: %v", result.Reasons)
				}
				for _, r := range result.Reserved {
					if _, known := seen.LoadOrStore(r.AttemptID, true); !known {
						reserved.Add(1)
					}
					if err := w.client(operator).Cancel(context.Background(), r.AttemptID, "next"); err != nil && gateway.KindOf(err) != gateway.Conflict {
						t.Errorf("cancel: %v", err)
					}
				}
			}
		})
	}
	// The backlog moves until enough was reserved from it, however slow that is.
	for n := 0; n < 10 || (reserved.Load() < 4 && n < 300); n++ {
		w.commit(map[string]string{".leviathan/backlog.yaml": []string{not, ready}[n%2]})
	}
	cancel()
	group.Wait()
	created := 0
	for _, e := range w.log() {
		if e.EventType != gateway.EventAttemptCreated {
			continue
		}
		created++
		var p struct {
			Task gateway.Task `json:"task"`
			Base gateway.OID  `json:"base_commit"`
		}
		if err := json.Unmarshal(e.Payload, &p); err != nil {
			t.Fatal(err)
		}
		file := w.git(w.upstream, "show", string(p.Base)+":.leviathan/backlog.yaml")
		if !p.Task.Ready || !strings.Contains(file, "title: "+p.Task.Title+",") || !strings.Contains(file, p.Task.AllowedPaths[0]) {
			t.Errorf("attempt %s is of %+v, and its base says %s", e.AttemptID, p.Task, file)
		}
	}
	if created < 3 {
		t.Errorf("%d reservations: nothing was at stake", created)
	}
}
