package journal_test

import (
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"leviathan/gateway/journal"
)

// reLeaf makes a record's leaf match its columns again, as who edits a copy
// with care would, and if told so the stored tile above it.
func reLeaf(t *testing.T, path string, seq int64, tile bool) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var id, kind, origin, typ, target, task, attempt string
	var at int64
	var body []byte
	err = db.QueryRow(`SELECT id, kind, origin, type, at, target, task, attempt, body_digest FROM journal WHERE seq = ?`, seq).
		Scan(&id, &kind, &origin, &typ, &at, &target, &task, &attempt, &body)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]any{"seq": seq, "id": id, "kind": kind, "origin": origin, "type": typ, "at": at, "target": target, "task": task,
		"attempt": attempt, "body_digest": "sha256:" + hex.EncodeToString(body)})
	if err != nil {
		t.Fatal(err)
	}
	leaf := tlog.RecordHash(text)
	if _, err := db.Exec(`UPDATE journal SET leaf = ? WHERE seq = ?`, leaf[:], seq); err != nil {
		t.Fatal(err)
	}
	if !tile {
		return
	}
	n := (seq - 1) / 256
	rows, err := db.Query(`SELECT leaf FROM journal WHERE seq > ? AND seq <= ? ORDER BY seq`, n*256, n*256+256)
	if err != nil {
		t.Fatal(err)
	}
	var level []tlog.Hash
	for rows.Next() {
		var b []byte
		if err := rows.Scan(&b); err != nil {
			t.Fatal(err)
		}
		level = append(level, tlog.Hash(b))
	}
	if err := rows.Close(); err != nil {
		t.Fatal(err)
	}
	for len(level) > 1 {
		for i := range len(level) / 2 {
			level[i] = tlog.NodeHash(level[2*i], level[2*i+1])
		}
		level = level[:len(level)/2]
	}
	if _, err := db.Exec(`UPDATE tile SET hash = ? WHERE n = ?`, level[0][:], n); err != nil {
		t.Fatal(err)
	}
}

// An edit that takes the leaf, and then the tile, along is seen by the tile,
// and then by the next checkpoint; each names the span that it can.
func TestVerifySeesEditsThatTakeTheHashesAlong(t *testing.T) {
	file, key, kept, _ := written(t) // checkpoints of 50 and each 100 after it
	id := strings.Repeat("Z", 26)
	const body = `{"body":{},"index":{}}`
	sum := sha256.Sum256([]byte(body))
	edits := map[string]string{
		"id": "id = '" + id + "'", "kind": "kind = 'event'", "origin": "origin = 'external'", "type": "type = 'x'",
		"target": "target = 'x'", "task": "task = 'x'", "attempt": "attempt = ''", "body_digest": "body_digest = x'" + hex.EncodeToString(sum[:]) + "'",
	}
	for column, set := range edits {
		change := []string{"UPDATE journal SET " + set + " WHERE seq = 300"}
		if column == "body_digest" {
			change = append(change, "UPDATE body SET bytes = x'00"+hex.EncodeToString([]byte(body))+"' WHERE seq = 300")
		}
		for _, tile := range []bool{false, true} {
			bad := tamper(t, file, change...)
			reLeaf(t, bad, 300, tile)
			rep := verify(t, bad, key, kept)
			if p := rep.Problem; p == nil || p.Seq != 251 || p.Last != 350 || !strings.Contains(p.What, "checkpoint") {
				t.Errorf("%s, tile too %v: %+v", column, tile, p)
			}
			// Without any checkpoint the tile alone tells, and when that went along nothing does.
			alone := tamperMore(t, bad, "DELETE FROM checkpoint")
			p := verify(t, alone, key, nil).Problem
			if tile != (p == nil) || p != nil && (p.Seq != 257 || p.Last != 512) {
				t.Errorf("%s without checkpoints, tile too %v: %+v", column, tile, p)
			}
			if p := verify(t, alone, key, kept).Problem; p == nil {
				t.Errorf("%s with the kept checkpoint alone, tile too %v: not seen", column, tile)
			}
		}
	}
}

func tamperMore(t *testing.T, path, statement string) string {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statement); err != nil {
		t.Fatal(err)
	}
	return path
}

// A folder that was taken back to an older copy of itself, and went on from
// there under its own key, is whole in itself: only what was kept tells.
func TestVerifySeesRollbackAndFork(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, journal.DatabaseFile)
	grow := func(n int) {
		j := openAt(t, dir, 10, 0, nil)
		for range n {
			commit(t, j, appendOne)
		}
		closed(t, j)
	}
	grow(23)
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	grow(30)
	text, err := os.ReadFile(filepath.Join(dir, "keys", "journal.pub"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := note.NewVerifier(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	raw, sizes := fileOf(t, dir)
	if sizes != "10 20 23 30 40 50 53" {
		t.Fatalf("entries of %s", sizes)
	}
	check := func(file []byte) journal.Report {
		rep, err := journal.Verify(t.Context(), path, journal.VerifyOptions{Key: key, Checkpoints: file})
		if err != nil {
			t.Fatal(err)
		}
		return rep
	}
	if rep := check(raw); rep.Problem != nil || rep.Kept != 53 || rep.Checkpoints != 14 {
		t.Fatalf("untouched: %+v", rep)
	}
	if err := os.WriteFile(path, old, 0o600); err != nil {
		t.Fatal(err)
	}
	if p := check(raw).Problem; p == nil || p.Seq != 24 || !strings.Contains(p.What, "cut") {
		t.Errorf("rolled back: %+v", p)
	}
	grow(40) // another history after 23
	if p := check(nil).Problem; p != nil {
		t.Fatalf("a fork by itself: %+v", p)
	}
	if p := check(raw).Problem; p == nil || p.Seq != 24 || p.Last != 30 || !strings.Contains(p.What, "24 to 30") {
		t.Errorf("forked: %+v", p)
	}
	if p := check([]byte(strings.Replace(string(raw), "\n20\n", "\n21\n", 1))).Problem; p == nil || !strings.Contains(p.What, "entry 2") {
		t.Errorf("an edited file of checkpoints: %+v", p)
	}
}

func BenchmarkVerify(b *testing.B) {
	const n = 100_000
	j, dir := filled(b, n)
	if err := j.Close(); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		rep, err := journal.Verify(b.Context(), filepath.Join(dir, journal.DatabaseFile), journal.VerifyOptions{})
		if err != nil || rep.Problem != nil || rep.Records != n {
			b.Fatalf("%+v, %v", rep, err)
		}
	}
	b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds(), "records/s")
}
