package journal_test

import (
	"errors"
	"testing"

	"leviathan/gateway"
	"leviathan/gateway/journal"
)

func TestEachAttempt(t *testing.T) {
	j := open(t, t.TempDir(), newClock())
	const n = 1003 // past a page
	commit(t, j, func(tx *journal.Tx) error {
		for i := range n {
			if err := create(tx, "demo", "t1", attempt(i+1), i+1); err != nil {
				return err
			}
			if _, err := tx.Append(journal.NewEvent("x", ended(about("demo", "t1", attempt(i+1)), gateway.Cancelled, ""))); err != nil {
				return err
			}
		}
		return nil
	})
	seen := 0
	err := j.EachAttempt(t.Context(), func(a *journal.Attempt) error {
		if seen++; a.ID != attempt(seen) {
			t.Fatalf("attempt %d is %s", seen, a.ID)
		}
		return nil
	})
	if err != nil || seen != n {
		t.Errorf("%d attempts, %v", seen, err)
	}
	enough := errors.New("enough")
	if err := j.EachAttempt(t.Context(), func(*journal.Attempt) error { return enough }); err != enough {
		t.Errorf("ended with %v", err)
	}
}
