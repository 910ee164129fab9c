package journal_test

import (
	"path/filepath"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"leviathan/gateway/journal"
)

// verifyDir verifies the live database against a checkpoint of its own.
func verifyDir(t testing.TB, j *journal.Journal, dir string) journal.Report {
	t.Helper()
	text, err := j.VerifierKey()
	if err != nil {
		t.Fatal(err)
	}
	key, err := note.NewVerifier(text)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := j.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	rep, err := journal.Verify(t.Context(), filepath.Join(dir, journal.DatabaseFile), journal.VerifyOptions{Key: key, Checkpoint: signed})
	if err != nil {
		t.Fatal(err)
	}
	if rep.Problem != nil {
		t.Fatalf("verify: record %d: %s", rep.Problem.Seq, rep.Problem.What)
	}
	if rep.Records != j.Seq() {
		t.Fatalf("verified %d of %d records", rep.Records, j.Seq())
	}
	return rep
}
