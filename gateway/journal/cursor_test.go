package journal_test

import (
	"errors"
	"testing"
	"time"

	"leviathan/gateway"
	"leviathan/gateway/journal"
)

func TestCursorsOnlyGoOn(t *testing.T) {
	dir, c := t.TempDir(), newClock()
	j := open(t, dir, c)
	appendAll(t, j, registered("a"), registered("b"), registered("c"))
	if got, err := j.Cursor(t.Context(), "log"); err != nil || got != 0 {
		t.Fatalf("a cursor that was never set: %d, %v", got, err)
	}
	for _, s := range []struct {
		name string
		seq  int64
		kind gateway.Kind
	}{
		{"log", 2, ""}, {"log", 2, ""}, {"log", 1, gateway.Conflict}, {"log", 4, gateway.Invalid}, {"other", 1, ""}, {"log", 3, ""},
		{"log", -1, gateway.Invalid}, {"", 1, gateway.Invalid}, {"a\n", 1, gateway.Invalid},
	} {
		err := j.SetCursor(t.Context(), s.name, s.seq)
		if (err == nil) != (s.kind == "") || err != nil && gateway.KindOf(err) != s.kind {
			t.Errorf("set %q to %d: %v, want kind %q", s.name, s.seq, err, s.kind)
		}
		c.add(time.Second)
	}
	if j.Seq() != 3 {
		t.Errorf("a cursor made a record: seq %d", j.Seq())
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if err := j.SetCursor(t.Context(), "log", 3); !errors.Is(err, journal.ErrNotRecorded) {
		t.Errorf("set on a closed journal: %v", err)
	}
	j = open(t, dir, c)
	if got, err := j.Cursor(t.Context(), "log"); err != nil || got != 3 {
		t.Errorf("after a restart %d, %v, want 3", got, err)
	}
	verifyDir(t, j, dir)
}
