package journal_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	_ "modernc.org/sqlite"

	"leviathan/gateway/journal"
)

// written makes a closed journal of 700 records, and checkpoints of its first
// 650 and of all.
func written(t *testing.T) (file string, key note.Verifier, kept, last []byte) {
	t.Helper()
	dir := t.TempDir()
	j, err := journal.Open(t.Context(), journal.Config{Dir: dir, Now: newClock().Now, CheckpointEvery: 100})
	if err != nil {
		t.Fatal(err)
	}
	s := about("demo", "t1", attempt(1))
	appendAll(t, j, registered("demo"), created(s, 1, "sha256:d1"), started(s))
	decisions := func(n int) {
		commit(t, j, func(tx *journal.Tx) error {
			for range n {
				r := decision(t, journal.Record{Type: "route.read", Target: "demo", Task: "t1", Attempt: attempt(1)}, map[string]string{"n": "1"})
				if _, err := tx.Append(r); err != nil {
					return err
				}
			}
			return nil
		})
	}
	decisions(47)
	for range 6 {
		decisions(100)
	}
	if kept, err = j.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	decisions(50)
	if last, err = j.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	text, err := j.VerifierKey()
	if err != nil {
		t.Fatal(err)
	}
	if key, err = note.NewVerifier(text); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, journal.DatabaseFile), key, kept, last
}

// tamper runs statements on a copy of the file, its guards taken away first.
func tamper(t *testing.T, file string, statements ...string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "copy.db")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	guards := []string{"DROP TRIGGER journal_no_update", "DROP TRIGGER journal_no_delete", "DROP TRIGGER body_no_update", "DROP TRIGGER body_no_delete"}
	for _, s := range append(guards, statements...) {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func verify(t *testing.T, file string, key note.Verifier, kept []byte) journal.Report {
	t.Helper()
	rep, err := journal.Verify(t.Context(), file, journal.VerifyOptions{Key: key, Checkpoint: kept})
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

func TestVerifySeesEveryEdit(t *testing.T) {
	file, key, kept, last := written(t)
	if rep := verify(t, file, key, kept); rep.Problem != nil || rep.Records != 700 || rep.Kept != 650 || rep.Checkpoints != 8 || rep.Parts != 1 {
		t.Fatalf("untouched: %+v %v", rep, rep.Problem)
	}
	const swap = "UPDATE journal SET seq = -1 WHERE seq = 300; UPDATE journal SET seq = 300 WHERE seq = 301; UPDATE journal SET seq = 301 WHERE seq = -1"
	for _, c := range []struct {
		name, sql string
		seq       int64
		what      string
		kept      []byte
	}{
		{"id", "UPDATE journal SET id = '01JZZZZZZZZZZZZZZZZZZZZZZZ' WHERE seq = 300", 300, "leaf", nil},
		{"kind", "UPDATE journal SET kind = 'event' WHERE seq = 300", 300, "leaf", nil},
		{"origin", "UPDATE journal SET origin = 'external' WHERE seq = 300", 300, "leaf", nil},
		{"type", "UPDATE journal SET type = 'x' WHERE seq = 300", 300, "leaf", nil},
		{"at", "UPDATE journal SET at = at + 1 WHERE seq = 300", 300, "leaf", nil},
		{"target", "UPDATE journal SET target = 'other' WHERE seq = 300", 300, "leaf", nil},
		{"task", "UPDATE journal SET task = 'other' WHERE seq = 300", 300, "leaf", nil},
		{"attempt", "UPDATE journal SET attempt = '' WHERE seq = 300", 300, "leaf", nil},
		{"body digest", "UPDATE journal SET body_digest = zeroblob(32) WHERE seq = 300", 300, "leaf", nil},
		{"leaf", "UPDATE journal SET leaf = zeroblob(32) WHERE seq = 300", 300, "leaf", nil},
		{"last record", "UPDATE journal SET type = 'x' WHERE seq = 700", 700, "leaf", nil},
		{"first record", "UPDATE journal SET at = 1 WHERE seq = 1", 1, "leaf", nil},
		{"seq", swap, 300, "leaf", nil},
		{"delete", "DELETE FROM journal WHERE seq = 300", 300, "missing", nil},
		{"insert", "INSERT INTO journal SELECT 701, 'x', kind, origin, type, at, target, task, attempt, body_digest, leaf FROM journal WHERE seq = 700", 701, "leaf", nil},
		{"body", "UPDATE body SET bytes = x'007b7d' WHERE seq = 300", 300, "body", nil},
		{"body torn", "UPDATE body SET bytes = x'01' WHERE seq = 300", 300, "body", nil},
		{"body swapped", "UPDATE body SET bytes = (SELECT bytes FROM body WHERE seq = 2) WHERE seq = 300", 300, "body", nil},
		{"event body gone", "DELETE FROM body WHERE seq = 2", 2, "lost its body", nil},
		{"tile", "UPDATE tile SET hash = zeroblob(32) WHERE n = 1", 451, "tile", nil}, // up to 450 a checkpoint proves them
		{"tile gone", "DELETE FROM tile WHERE n = 0", 1, "tile", nil},
		{"checkpoint forged", "UPDATE checkpoint SET note = replace(note, '650', '550'), size = 550 WHERE size = 650; ", 0, "checkpoint", nil},
		{"part", "UPDATE blob SET bytes = x'0032'", 0, "digest", nil},
		{"cut", "DELETE FROM journal WHERE seq > 690; DELETE FROM body WHERE seq > 690", 691, "cut", nil},
		{"cut with stored checkpoints", "DELETE FROM journal WHERE seq > 690; DELETE FROM checkpoint WHERE size > 690", 691, "cut", last},
		{"cut to a tile", "DELETE FROM journal WHERE seq > 512; DELETE FROM checkpoint WHERE size > 512", 513, "cut", kept},
		{"inserted before the first", "INSERT INTO journal SELECT 0, 'x', kind, origin, type, at, target, task, attempt, body_digest, leaf FROM journal WHERE seq = 700", 0, "before the first", nil},
		{"inserted body", "INSERT INTO body VALUES (701, x'007b7d')", 701, "body of record 701", nil},
		{"deleted and closed up", "DELETE FROM journal WHERE seq = 300; DELETE FROM body WHERE seq = 300; UPDATE journal SET seq = -seq WHERE seq > 300; " +
			"UPDATE journal SET seq = -seq - 1 WHERE seq < 0; UPDATE body SET seq = -seq WHERE seq > 300; UPDATE body SET seq = -seq - 1 WHERE seq < 0", 300, "leaf", nil},
		{"inserted and moved up", "UPDATE journal SET seq = -seq WHERE seq > 299; UPDATE journal SET seq = 1 - seq WHERE seq < 0; UPDATE body SET seq = -seq WHERE seq > 299; " +
			"UPDATE body SET seq = 1 - seq WHERE seq < 0; INSERT INTO journal SELECT 300, 'x', kind, origin, type, at, target, task, attempt, body_digest, leaf FROM journal " +
			"WHERE seq = 299; INSERT INTO body SELECT 300, bytes FROM body WHERE seq = 299", 300, "leaf", nil},
		{"cut all", "DELETE FROM journal; DELETE FROM checkpoint; DELETE FROM tile", 1, "cut", kept},
	} {
		t.Run(c.name, func(t *testing.T) {
			sqls := strings.Split(strings.TrimSuffix(strings.TrimSpace(c.sql), ";"), "; ")
			if c.name == "checkpoint forged" {
				sqls = append([]string{"DELETE FROM checkpoint WHERE size = 550"}, sqls...)
			}
			rep := verify(t, tamper(t, file, sqls...), key, c.kept)
			if rep.Problem == nil {
				t.Fatal("nothing was seen")
			}
			if rep.Problem.Seq != c.seq || !strings.Contains(rep.Problem.What, c.what) {
				t.Fatalf("record %d: %s; want record %d and %q", rep.Problem.Seq, rep.Problem.What, c.seq, c.what)
			}
		})
	}
}

func TestVerifyAllowsPrunedInputs(t *testing.T) {
	file, key, kept, _ := written(t)
	if rep := verify(t, tamper(t, file, "DELETE FROM blob"), key, kept); rep.Problem != nil || rep.Parts != 0 {
		t.Fatalf("%+v %v", rep, rep.Problem)
	}
}

func TestVerifySeesARewriteByTheKeptCheckpointAlone(t *testing.T) {
	_, key, kept, _ := written(t)
	other, _, _, _ := written(t) // another history of the same length, whole in itself
	if rep := verify(t, other, nil, nil); rep.Problem != nil {
		t.Fatal(rep.Problem)
	}
	if rep := verify(t, tamper(t, other, "DELETE FROM checkpoint"), key, kept); rep.Problem == nil || !strings.Contains(rep.Problem.What, "650") {
		t.Fatalf("%+v", rep)
	}
	if rep := verify(t, other, key, nil); rep.Problem == nil || !strings.Contains(rep.Problem.What, "checkpoint") {
		t.Fatal("checkpoints of another key pass")
	}
}

func TestTheLogRefusesUpdateAndDelete(t *testing.T) {
	file, _, _, _ := written(t)
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range []string{"UPDATE journal SET type = 'x'", "DELETE FROM journal", "UPDATE body SET bytes = x'00'", "DELETE FROM body"} {
		if _, err := db.Exec(s); err == nil || !strings.Contains(err.Error(), "append-only") {
			t.Errorf("%s: %v", s, err)
		}
	}
}

func TestOpenChecksTheTail(t *testing.T) {
	for name, c := range map[string]struct{ sql, want string }{
		"column":     {"UPDATE journal SET type = 'x' WHERE seq = 690", "record 690 does not match its leaf"},
		"tile":       {"UPDATE tile SET hash = zeroblob(32) WHERE n = 1", "do not match their tile"},
		"tile gone":  {"DELETE FROM tile WHERE n = 0", "tile 0 is missing"},
		"cut":        {"DELETE FROM journal WHERE seq > 690", "the log was cut"},
		"checkpoint": {"UPDATE checkpoint SET note = 'x' WHERE size = 700", "stored checkpoint"},
	} {
		t.Run(name, func(t *testing.T) {
			file, _, _, _ := written(t)
			bad := tamper(t, file, c.sql)
			if err := os.Rename(bad, file); err != nil {
				t.Fatal(err)
			}
			_, err := journal.Open(t.Context(), journal.Config{Dir: filepath.Dir(file)})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("open: %v, want %q", err, c.want)
			}
		})
	}
}
