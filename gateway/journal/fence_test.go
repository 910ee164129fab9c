package journal_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"leviathan/gateway"
	"leviathan/gateway/journal"
)

// openFenced opens the journal of dir for the epoch.
func openFenced(t testing.TB, dir string, epoch int64, held func() error) (*journal.Journal, error) {
	t.Helper()
	j, err := journal.Open(t.Context(), journal.Config{Dir: dir, Now: newClock().Now, Fence: journal.Fence{Epoch: epoch, Held: held}})
	if err == nil {
		t.Cleanup(func() { _ = j.Close() }) // tests that care close it themselves
	}
	return j, err
}

func lastEpoch(t testing.TB, dir string) int64 {
	t.Helper()
	epoch, err := journal.LastEpoch(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return epoch
}

func TestAWriterThatMayNotWriteCommitsNothing(t *testing.T) {
	dir := t.TempDir()
	var lost atomic.Bool
	j, err := openFenced(t, dir, 1, func() error {
		if lost.Load() {
			return errors.New("the Lease was not renewed for 12 s")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	appendAll(t, j, registered("demo"))
	before, seen := j.Seq(), state(t, j, "demo")
	lost.Store(true)
	for i, err := range together(t, j, appendOne, func(tx *journal.Tx) error {
		_, err := tx.Append(journal.NewEvent("test", registered("other")))
		return err
	}) {
		if !isNotRecorded(err) || gateway.KindOf(err) != gateway.Unknown || !strings.Contains(err.Error(), "not renewed for 12 s") {
			t.Errorf("commit %d: %v, want unknown and why", i, err)
		}
	}
	if err := j.SetCursor(context.Background(), "spider", before); !isNotRecorded(err) {
		t.Errorf("a cursor moved: %v", err)
	}
	if err := j.Rebuild(context.Background()); !isNotRecorded(err) {
		t.Errorf("the projections were rebuilt: %v", err)
	}
	if j.Seq() != before || j.FactsSeq("other") != 0 {
		t.Errorf("memory moved: record %d, was %d", j.Seq(), before)
	}
	lost.Store(false)
	if state(t, j, "demo") != seen {
		t.Error("the state in memory moved")
	}
	commit(t, j, appendOne)
	if j.Seq() != before+1 {
		t.Errorf("record %d after %d: something of what was refused is there", j.Seq(), before)
	}
	verifyDir(t, j, dir)
}

func TestAWriterThatIsTooLateIsNotLetIn(t *testing.T) {
	dir := t.TempDir()
	if got := lastEpoch(t, dir); got != 0 {
		t.Errorf("epoch %d without a journal", got)
	}
	j, err := openFenced(t, dir, 5, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := lastEpoch(t, dir); got != 5 { // while it is open
		t.Errorf("epoch %d, want 5", got)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	for _, epoch := range []int64{1, 4, 5} {
		if _, err := openFenced(t, dir, epoch, nil); err == nil || !strings.Contains(err.Error(), "it has epoch 5") {
			t.Errorf("epoch %d: %v", epoch, err)
		}
	}
	if _, err := openFenced(t, dir, 6, func() error { return errors.New("not held") }); err == nil || !strings.Contains(err.Error(), "not held") {
		t.Errorf("opened by one who may not write: %v", err)
	}
	if got := lastEpoch(t, dir); got != 5 {
		t.Errorf("a refused writer left epoch %d", got)
	}
	if _, err := openFenced(t, dir, 6, nil); err != nil {
		t.Errorf("the next one: %v", err)
	}
}

// TestAPausedWriterCannotWriteAfterAnother lets another take the database from
// under a writer whose own clockwork still says that it may write: the journal
// itself must know better.
func TestAPausedWriterCannotWriteAfterAnother(t *testing.T) {
	dir := t.TempDir()
	j, err := openFenced(t, dir, 1, func() error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	appendAll(t, j, registered("demo"))
	before := j.Seq()
	// A file system without working locks: another process has the folder.
	other := journal.OpenUnlocked(t, filepath.Join(dir, journal.DatabaseFile))
	if err := other.Exec(`UPDATE meta SET value = '2' WHERE key = 'epoch'`); err != nil {
		t.Fatal(err)
	}
	if err := j.Commit(context.Background(), appendOne); !isNotRecorded(err) || !strings.Contains(err.Error(), "it has epoch 2 and this process 1") {
		t.Errorf("commit: %v", err)
	}
	if j.Seq() != before {
		t.Errorf("memory moved to record %d", j.Seq())
	}
	if err := j.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if n, err := other.Count(`SELECT count(*) FROM journal`); err != nil || int64(n) != before {
		t.Errorf("%d records on disk, want %d (%v)", n, before, err)
	}
	if n, err := other.Count(`SELECT count(*) FROM checkpoint`); err != nil || n != 0 {
		t.Errorf("%d checkpoints of a writer that may not write (%v)", n, err)
	}
}

func TestOneOutsideTheClusterFencesOutThoseInIt(t *testing.T) {
	dir := t.TempDir()
	j, err := openFenced(t, dir, 3, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = open(t, dir, newClock())
	commit(t, j, appendOne)
	if got := lastEpoch(t, dir); got != 4 {
		t.Errorf("epoch %d, want 4", got)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := openFenced(t, dir, 4, nil); err == nil {
		t.Error("one of the same epoch was let in")
	}
	plain := t.TempDir()
	open(t, plain, newClock())
	if got := lastEpoch(t, plain); got != 0 {
		t.Errorf("a journal that never was in a cluster has epoch %d", got)
	}
}
