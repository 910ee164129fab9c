package journal_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"leviathan/gateway/journal"
)

// fileOf reads the checkpoints of the folder's file with the folder's key.
func fileOf(t *testing.T, dir string) (raw []byte, sizes string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "keys", "journal.pub"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := note.NewVerifier(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if raw, err = os.ReadFile(filepath.Join(dir, journal.CheckpointsFile)); err != nil {
		t.Fatal(err)
	}
	all, err := journal.ParseCheckpoints(raw, key)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, c := range all {
		out = append(out, fmt.Sprint(c.Size))
	}
	return raw, strings.Join(out, " ")
}

func openAt(t *testing.T, dir string, every int64, interval time.Duration, log *slog.Logger) *journal.Journal {
	t.Helper()
	j, err := journal.Open(t.Context(), journal.Config{Dir: dir, CheckpointEvery: every, CheckpointInterval: interval, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}

func closed(t *testing.T, j *journal.Journal) {
	t.Helper()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestACheckpointIsStoredWhenTimeHasGone(t *testing.T) {
	j := openAt(t, t.TempDir(), 1<<40, time.Millisecond, nil)
	commit(t, j, appendOne)
	for j.CheckpointFile().Size != 1 { // without an end it is a test that times out
		runtime.Gosched()
	}
	if f := j.CheckpointFile(); f.Err != nil || filepath.Base(f.Path) != journal.CheckpointsFile {
		t.Errorf("%+v", f)
	}
}

func TestTheFileHasEveryStoredCheckpoint(t *testing.T) {
	dir := t.TempDir()
	j := openAt(t, dir, 10, 0, nil)
	for range 25 {
		commit(t, j, appendOne)
	}
	closed(t, j)
	raw, sizes := fileOf(t, dir)
	if sizes != "10 20 25" {
		t.Fatalf("entries of %s", sizes)
	}
	path := filepath.Join(dir, journal.CheckpointsFile)
	closed(t, openAt(t, dir, 10, 0, nil)) // nothing new, nothing written
	if again, _ := fileOf(t, dir); !bytes.Equal(again, raw) {
		t.Errorf("an idle start wrote:\n%s", again)
	}
	for cut := 1; cut <= len(raw); cut += 7 { // what a crash may leave
		if err := os.WriteFile(path, raw[:len(raw)-cut], 0o600); err != nil {
			t.Fatal(err)
		}
		closed(t, openAt(t, dir, 10, 0, nil))
		if again, sizes := fileOf(t, dir); !bytes.Equal(again, raw) {
			t.Fatalf("torn %d bytes before its end the file became entries of %s:\n%s", cut, sizes, again)
		}
	}
	if got, err := journal.ParseCheckpoints(raw[:len(raw)-3], nil); err != nil || len(got) != 2 {
		t.Errorf("a torn file: %v, %v", got, err)
	}
	if _, err := journal.ParseCheckpoints(bytes.Replace(raw, []byte("\n20\n"), []byte("\nxx\n"), 1), nil); err == nil || !strings.Contains(err.Error(), "entry 2") {
		t.Errorf("a broken entry: %v", err)
	}
}

func TestAFileThatCannotBeWrittenStopsNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, journal.CheckpointsFile)
	if err := os.Mkdir(path, 0o700); err != nil { // not a file, for root as well
		t.Fatal(err)
	}
	var log bytes.Buffer
	j := openAt(t, dir, 2, 0, slog.New(slog.NewTextHandler(&log, nil)))
	for range 9 {
		commit(t, j, appendOne)
	}
	for j.CheckpointFile().Err == nil {
		runtime.Gosched()
	}
	closed(t, j)
	if n := strings.Count(log.String(), "append checkpoints"); n != 1 {
		t.Errorf("logged %d times:\n%s", n, log.String())
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	closed(t, openAt(t, dir, 2, 0, nil))
	if _, sizes := fileOf(t, dir); sizes != "2 4 6 8 9" {
		t.Errorf("entries of %s", sizes)
	}
	if err := os.WriteFile(path, []byte("a letter\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	j = openAt(t, dir, 2, 0, nil)
	closed(t, j)
	if f := j.CheckpointFile(); f.Err == nil || !strings.Contains(f.Err.Error(), "not a file of checkpoints") {
		t.Errorf("somebody else's file: %+v", f)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "a letter\n" {
		t.Errorf("somebody else's file became %q, %v", b, err)
	}
}

func TestAFileThatKnowsMoreIsSaidAndKept(t *testing.T) {
	dir := t.TempDir()
	j := openAt(t, dir, 10, 0, nil)
	for range 12 {
		commit(t, j, appendOne)
	}
	closed(t, j)
	raw, _ := fileOf(t, dir)
	for _, name := range []string{journal.DatabaseFile, journal.DatabaseFile + "-wal", journal.DatabaseFile + "-shm"} {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	j = openAt(t, dir, 10, 0, nil)
	commit(t, j, appendOne)
	closed(t, j)
	if f := j.CheckpointFile(); f.Err == nil || !strings.Contains(f.Err.Error(), "covers 12 records and the journal has 1") {
		t.Errorf("%+v", f)
	}
	if again, err := os.ReadFile(filepath.Join(dir, journal.CheckpointsFile)); err != nil || !bytes.Equal(again, raw) {
		t.Errorf("the file was changed: %v\n%s", err, again)
	}
}
