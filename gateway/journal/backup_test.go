package journal_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"leviathan/gateway"
	"leviathan/gateway/journal"
)

// lived is an open journal with events, decisions over shared parts, a bundle,
// a cursor, and a pruned decision.
func lived(t *testing.T, dir string) *journal.Journal {
	t.Helper()
	c := newClock()
	j := open(t, dir, c)
	appendAll(t, j, registered("demo"), created(about("demo", "t1", attempt(1)), 1, "sha256:d1"))
	decide(t, j, journal.Record{Type: "cycle.plan"}, map[string]string{"own": `"a"`, "shared": `"s"`})
	c.add(time.Hour)
	for range 300 {
		decide(t, j, journal.Record{Type: "cycle.plan"}, map[string]string{"shared": `"s"`})
	}
	p := journal.PartOf([]byte("bundle"))
	commit(t, j, func(tx *journal.Tx) error { return tx.PutBundle(p.Digest, p.Bytes) })
	if err := j.SetCursor(t.Context(), "log", 7); err != nil {
		t.Fatal(err)
	}
	if n, err := j.Prune(t.Context(), gateway.At(c.Now())); n != 1 || err != nil {
		t.Fatalf("pruned %d, %v", n, err)
	}
	return j
}

func projections(t *testing.T, j *journal.Journal) string {
	t.Helper()
	d, err := j.ProjectionDigest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func copyKeys(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(filepath.Join(to, "keys"), os.DirFS(filepath.Join(from, "keys"))); err != nil {
		t.Fatal(err)
	}
}

func TestARestoredBackupIsTheJournal(t *testing.T) {
	dir, to := t.TempDir(), t.TempDir()
	j := lived(t, dir)
	file := filepath.Join(t.TempDir(), "backup.db")
	if err := os.WriteFile(file+".partial", []byte("a crash left this"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := j.Backup(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(file + ".partial"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what a crash left is there: %v", err)
	}
	want, seq, kept := projections(t, j), j.Seq(), checkpoint(t, j)
	commit(t, j, appendOne) // not in the backup
	if err := j.Backup(t.Context(), file); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second backup to the file: %v", err)
	}
	copyKeys(t, dir, to)
	if err := os.WriteFile(filepath.Join(to, journal.DatabaseFile+".partial"), []byte("a crash left this"), 0o600); err != nil {
		t.Fatal(err)
	}
	rep, err := journal.Restore(t.Context(), file, to, journal.RestoreOptions{})
	if err != nil || rep.Records != seq || rep.Bundles != 1 {
		t.Fatalf("%+v, %v", rep, err)
	}
	restored := open(t, to, newClock())
	if restored.Seq() != seq || projections(t, restored) != want || checkpoint(t, restored) != kept {
		t.Errorf("restored to record %d of %d", restored.Seq(), seq)
	}
	if err := restored.Rebuild(t.Context()); err != nil || projections(t, restored) != want {
		t.Errorf("rebuilt otherwise: %v", err)
	}
	if at, err := restored.Cursor(t.Context(), "log"); at != 7 || err != nil {
		t.Errorf("cursor %d, %v", at, err)
	}
	all := each(t, restored, journal.DecisionRange{})
	if len(all) != 301 || all[0].Why != journal.WhyPruned || !all[300].Replayable {
		t.Errorf("%d decisions, %+v", len(all), all[0])
	}
	commit(t, restored, appendOne)
	verifyDir(t, restored, to)
	if _, err := journal.Restore(t.Context(), file, to, journal.RestoreOptions{}); err == nil || !strings.Contains(err.Error(), "another gateway already runs") {
		t.Errorf("into a folder in use: %v", err)
	}
	closed(t, restored)
	if _, err := journal.Restore(t.Context(), file, to, journal.RestoreOptions{}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over a journal: %v", err)
	}
}

func TestRestoreRefusesWhatDoesNotVerify(t *testing.T) {
	file, _, _, _ := written(t)
	from := filepath.Dir(file)
	for name, c := range map[string]struct {
		file, want string
		keys       bool
	}{
		"changed":     {tamper(t, file, "UPDATE journal SET type = 'x' WHERE seq = 300"), "record 300 does not match its leaf", true},
		"no database": {filepath.Join(from, "lock"), "restore journal", true},
		"absent":      {filepath.Join(from, "nothing"), "no such file", true},
		"without key": {file, "copy the old folder's keys there", false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if c.keys {
				copyKeys(t, from, dir)
			}
			if _, err := journal.Restore(t.Context(), c.file, dir, journal.RestoreOptions{}); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%v, want %q", err, c.want)
			}
			left, err := filepath.Glob(filepath.Join(dir, journal.DatabaseFile+"*"))
			if err != nil || len(left) > 0 {
				t.Errorf("it left %v, %v", left, err)
			}
		})
	}
}

func TestRestoreUnderANewKey(t *testing.T) {
	file, _, _, _ := written(t)
	dir := t.TempDir()
	rep, err := journal.Restore(t.Context(), file, dir, journal.RestoreOptions{NewKey: true})
	if err != nil || rep.Records != 700 {
		t.Fatalf("%+v, %v", rep, err)
	}
	j := open(t, dir, newClock())
	commit(t, j, appendOne)
	verifyDir(t, j, dir)
}

func TestVacuumIsNoAlarm(t *testing.T) {
	file, key, kept, _ := written(t)
	if rep := verify(t, tamper(t, file, "VACUUM"), key, kept); rep.Problem != nil || rep.Records != 700 {
		t.Errorf("%+v", rep)
	}
}
