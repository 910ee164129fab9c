package journal_test

import (
	"bytes"
	"database/sql"
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"leviathan/gateway"
	"leviathan/gateway/journal"
)

func TestBundlesAreKeptByDigest(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, newClock())
	text := []byte(strings.Repeat("package main\n", 500))
	p := journal.PartOf(text)
	if _, err := j.Bundle(t.Context(), p.Digest); gateway.KindOf(err) != gateway.NotFound {
		t.Fatalf("a bundle that was never stored: %v", err)
	}
	appendAll(t, j, journal.BundleActivated{Revision: "old", PolicyDigest: "sha256:00", Source: "dir"})
	full := journal.BundleActivated{
		Revision: "r2", PolicyDigest: p.Digest, Source: "/policies", By: "ann", Cause: "rollback",
		Accepted: []journal.AcceptedFlips{{Class: "deny_to_allow", Reason: "reviewed"}},
		Steps:    []journal.GateStep{{Step: "tests", Seconds: 0.25, Detail: "200 passed"}},
	}
	for range 2 { // the second time the bytes are there
		commit(t, j, func(tx *journal.Tx) error {
			if err := tx.PutBundle(p.Digest, text); err != nil {
				return err
			}
			_, err := tx.Append(journal.NewEvent("test", full))
			return err
		})
	}
	if got, err := j.Bundle(t.Context(), p.Digest); err != nil || !bytes.Equal(got, text) {
		t.Fatalf("read back %d bytes, %v", len(got), err)
	}
	list, err := j.Activations(t.Context(), 2)
	if err != nil || len(list) != 2 || list[0].Seq != 3 || list[1].Seq != 2 || !list[0].Stored || list[0].At.IsZero() {
		t.Fatalf("%+v, %v", list, err)
	}
	if !reflect.DeepEqual(list[0].BundleActivated, full) {
		t.Errorf("read %+v, wrote %+v", list[0].BundleActivated, full)
	}
	if list, err = j.Activations(t.Context(), 0); err != nil || len(list) != 3 || list[2].Stored || list[2].Cause != "" {
		t.Fatalf("%+v, %v", list, err)
	}
	if _, err := j.Activations(t.Context(), -1); gateway.KindOf(err) != gateway.Invalid {
		t.Errorf("limit -1: %v", err)
	}
	if n, err := j.Prune(t.Context(), gateway.At(time.Now())); n != 0 || err != nil {
		t.Errorf("pruned %d, %v", n, err)
	}
	if rep := verifyDir(t, j, dir); rep.Bundles != 1 {
		t.Errorf("verified %d bundles", rep.Bundles)
	}
}

func TestABundleGoesWithItsTurn(t *testing.T) {
	j := open(t, t.TempDir(), newClock())
	p := journal.PartOf([]byte("bundle"))
	no := errors.New("no")
	errs := together(t, j,
		func(tx *journal.Tx) error { return errors.Join(tx.PutBundle(p.Digest, p.Bytes), no) },
		func(tx *journal.Tx) error { return tx.PutBundle(p.Digest, []byte("another")) },
		func(tx *journal.Tx) error { return tx.PutBundle("sha256:12", p.Bytes) },
		func(tx *journal.Tx) error {
			_ = tx.PutBundle("", nil) // hidden, and yet the turn fails
			return nil
		},
	)
	if !errors.Is(errs[0], no) {
		t.Errorf("%v", errs[0])
	}
	for _, err := range errs[1:] {
		if gateway.KindOf(err) != gateway.Invalid {
			t.Errorf("a digest that is not the bytes': %v", err)
		}
	}
	if _, err := j.Bundle(t.Context(), p.Digest); gateway.KindOf(err) != gateway.NotFound {
		t.Errorf("an undone turn left its bundle: %v", err)
	}
	if _, err := j.Bundle(t.Context(), "x"); gateway.KindOf(err) != gateway.Invalid {
		t.Errorf("no digest at all: %v", err)
	}
}

func TestStoredBundlesAreNeverChanged(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, newClock())
	p := journal.PartOf([]byte("bundle"))
	commit(t, j, func(tx *journal.Tx) error { return tx.PutBundle(p.Digest, p.Bytes) })
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, journal.DatabaseFile))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range []string{"UPDATE bundle SET bytes = x'00'", "DELETE FROM bundle"} {
		if _, err := db.Exec(s); err == nil || !strings.Contains(err.Error(), "append-only") {
			t.Errorf("%s: %v", s, err)
		}
	}
	for _, s := range []string{"DROP TRIGGER bundle_no_update", "UPDATE bundle SET bytes = x'0031'"} {
		if _, err := db.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
	j = open(t, dir, newClock())
	if _, err := j.Bundle(t.Context(), p.Digest); err == nil || !strings.Contains(err.Error(), "not what its digest says") {
		t.Errorf("a changed bundle reads as %v", err)
	}
	if rep := verify(t, filepath.Join(dir, journal.DatabaseFile), nil, nil); rep.Problem == nil || !strings.Contains(rep.Problem.What, "bundle") {
		t.Errorf("a changed bundle verifies: %+v", rep)
	}
}
