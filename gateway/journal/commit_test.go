package journal_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"leviathan/gateway"
	"leviathan/gateway/journal"
)

func isNotRecorded(err error) bool { return errors.Is(err, journal.ErrNotRecorded) }

// together makes the fns wait behind one turn, so that they share a batch.
func together(t *testing.T, j *journal.Journal, fns ...func(*journal.Tx) error) []error {
	t.Helper()
	errs := make([]error, len(fns))
	started, gate := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = j.Commit(context.Background(), func(*journal.Tx) error { close(started); <-gate; return nil })
	})
	<-started
	for i, fn := range fns {
		wg.Go(func() { errs[i] = j.Commit(context.Background(), fn) })
		for j.Queued() <= i {
			runtime.Gosched()
		}
	}
	close(gate)
	wg.Wait()
	return errs
}

func appendOne(tx *journal.Tx) error {
	_, err := tx.Append(journal.NewEvent("test", journal.GatewayStarted{}))
	return err
}

func TestAFailedTurnUndoesItselfAlone(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, newClock())
	boom := errors.New("boom")
	errs := together(t, j,
		appendOne,
		func(tx *journal.Tx) error {
			for range 300 { // past a tile
				if err := appendOne(tx); err != nil {
					return err
				}
			}
			_, err := tx.Append(journal.NewEvent("test", registered("gone")))
			return errors.Join(err, boom)
		},
		appendOne,
		func(tx *journal.Tx) error { _ = appendOne(tx); panic("oh") },
		appendOne,
	)
	for i, want := range []bool{false, true, false, true, false} {
		if (errs[i] != nil) != want {
			t.Errorf("turn %d: %v", i, errs[i])
		}
	}
	if !errors.Is(errs[1], boom) || gateway.KindOf(errs[3]) != gateway.InternalError {
		t.Errorf("errors are %v and %v", errs[1], errs[3])
	}
	if j.Seq() != 3 || j.FactsSeq("gone") != 0 {
		t.Fatalf("seq %d, facts %d, want 3 and 0", j.Seq(), j.FactsSeq("gone"))
	}
	if s, err := j.State("gone"); err != nil || s.Registered != nil {
		t.Fatalf("state of an undone target: %+v, %v", s, err)
	}
	verifyDir(t, j, dir)
}

func TestAnAppendErrorCannotBeHidden(t *testing.T) {
	j := open(t, t.TempDir(), newClock())
	err := j.Commit(t.Context(), func(tx *journal.Tx) error {
		if err := appendOne(tx); err != nil {
			t.Error(err)
		}
		_, _ = tx.Append(journal.Record{})
		if err := appendOne(tx); err == nil {
			t.Error("a failed turn appends")
		}
		return nil
	})
	if gateway.KindOf(err) != gateway.Invalid || j.Seq() != 0 {
		t.Fatalf("err %v, seq %d", err, j.Seq())
	}
}

func TestATurnSeesThoseBeforeIt(t *testing.T) {
	j := open(t, t.TempDir(), newClock())
	if _, err := j.State("demo"); err != nil {
		t.Fatal(err)
	}
	errs := together(t, j,
		func(tx *journal.Tx) error { return create(tx, "demo", "t1", attempt(1), 1) },
		func(tx *journal.Tx) error {
			if err := create(tx, "demo", "t2", attempt(2), 1); err != nil {
				return err
			}
			if s, err := tx.State("demo"); err != nil || s.InFlight != 2 {
				t.Errorf("inside: %+v, %v", s, err)
			}
			return errors.New("undo")
		},
		func(tx *journal.Tx) error {
			s, err := tx.State("demo")
			if err != nil {
				return err
			}
			if s.InFlight != 1 || s.FactsSeq != 1 || tx.FactsSeq("demo") != 1 || s.Tasks["t2"] != nil {
				t.Errorf("after an undone turn: %+v", s)
			}
			if _, found, err := tx.Attempt(attempt(1)); !found || err != nil {
				t.Errorf("attempt 1: %v, %v", found, err)
			}
			return nil
		})
	if errs[0] != nil || errs[1] == nil || errs[2] != nil {
		t.Fatal(errs)
	}
	if s, err := j.State("demo"); err != nil || s.InFlight != 1 {
		t.Fatalf("committed: %+v, %v", s, err)
	}
}

func TestCancelledBeforeItsTurnDoesNotRun(t *testing.T) {
	j := open(t, t.TempDir(), newClock())
	started, gate := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = j.Commit(context.Background(), func(*journal.Tx) error { close(started); <-gate; return nil })
	})
	<-started
	ctx, cancel := context.WithCancel(t.Context())
	ran := false
	result := make(chan error)
	go func() { result <- j.Commit(ctx, func(*journal.Tx) error { ran = true; return nil }) }()
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Fatalf("cancelled: %v", err)
	}
	close(gate)
	wg.Wait()
	commit(t, j, appendOne)
	if ran {
		t.Fatal("it ran all the same")
	}
}

func TestATurnIsOverAfterCommit(t *testing.T) {
	j := open(t, t.TempDir(), newClock())
	var kept *journal.Tx
	commit(t, j, func(tx *journal.Tx) error { kept = tx; return nil })
	if err := appendOne(kept); err == nil {
		t.Fatal("a turn that is over appends")
	}
	if _, err := kept.State("demo"); err == nil {
		t.Fatal("a turn that is over reads")
	}
}

func TestCloseAnswersEverybody(t *testing.T) {
	j := open(t, t.TempDir(), newClock())
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			if err := j.Commit(context.Background(), appendOne); err != nil && !isNotRecorded(err) {
				t.Error(err)
			}
		})
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
}

func TestManyWritersKeepOneOrder(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, newClock())
	var mu sync.Mutex
	seen := map[int64]bool{}
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() {
			for i := range 40 {
				var seq int64
				err := j.Commit(context.Background(), func(tx *journal.Tx) error {
					a, err := tx.Append(journal.NewEvent(fmt.Sprint(w, i), journal.GatewayStarted{}))
					seq = a.Seq
					if (w+i)%7 == 0 {
						return errors.New("no")
					}
					return err
				})
				if err == nil {
					mu.Lock()
					if seen[seq] {
						t.Errorf("seq %d twice", seq)
					}
					seen[seq] = true
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	if int64(len(seen)) != j.Seq() {
		t.Fatalf("%d acknowledged, %d recorded", len(seen), j.Seq())
	}
	verifyDir(t, j, dir)
}

func TestATurnsFirstDecisionIsThereForTheRest(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, newClock())
	d := func(id string) journal.Record {
		r := decision(t, journal.Record{Type: "x.y"}, map[string]string{"p": `"` + id + `"`})
		r.ID = id
		return r
	}
	const a, b = "01JAAAAAAAAAAAAAAAAAAAAAAA", "01JBBBBBBBBBBBBBBBBBBBBBBB"
	alone := func(r journal.Record) func(*journal.Tx) error {
		return func(tx *journal.Tx) error { _, err := tx.Append(r); return err }
	}
	errs := together(t, j,
		alone(d(a)),
		alone(d(a)), // a taken id, found when the turn has ended
		func(tx *journal.Tx) error {
			got, err := tx.Append(d(b))
			if err != nil {
				return err
			}
			if got.Seq != 2 || tx.Seq() != 2 {
				t.Errorf("decision at %d, log at %d", got.Seq, tx.Seq())
			}
			if _, found, err := tx.HasEvent(b); !found || err != nil {
				t.Errorf("the turn's own decision: %v, %v", found, err)
			}
			return appendOne(tx)
		},
		func(tx *journal.Tx) error {
			_, err := tx.Append(d("01JCCCCCCCCCCCCCCCCCCCCCCC"))
			return errors.Join(err, errors.New("undo"))
		},
		func(tx *journal.Tx) error {
			if err := alone(d("01JDDDDDDDDDDDDDDDDDDDDDDD"))(tx); err != nil {
				return err
			}
			return alone(d(b))(tx)
		},
		appendOne,
	)
	for i, want := range []bool{false, true, false, true, true, false} {
		if (errs[i] != nil) != want {
			t.Errorf("turn %d: %v", i, errs[i])
		}
	}
	if gateway.KindOf(errs[1]) != gateway.Conflict || gateway.KindOf(errs[4]) != gateway.Conflict {
		t.Errorf("taken ids: %v, %v", errs[1], errs[4])
	}
	if j.Seq() != 4 {
		t.Errorf("seq %d, want 4", j.Seq())
	}
	if rep := verifyDir(t, j, dir); rep.Parts != 2 {
		t.Errorf("%d parts are stored, want 2", rep.Parts)
	}
}

// After a panic inside a commit nobody knows where memory and disk stand:
// nothing is written any more, and whoever asks is told.
func TestAPanicOfTheWriterEndsIt(t *testing.T) {
	j := open(t, t.TempDir(), newClock())
	j.OnCommit(func(journal.Committed) { panic("a defect") })
	write := func() error {
		return j.Commit(t.Context(), func(tx *journal.Tx) error {
			_, err := tx.Append(decision(t, journal.Record{Type: "cycle.plan"}, nil))
			return err
		})
	}
	func() {
		defer func() {
			if p := recover(); p != "a defect" {
				t.Errorf("the panic was %v", p)
			}
		}()
		t.Errorf("the commit returned %v", write())
	}()
	j.OnCommit(func(journal.Committed) {})
	if err := write(); !errors.Is(err, journal.ErrNotRecorded) {
		t.Errorf("after the panic: %v", err)
	}
}
