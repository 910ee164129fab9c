package journal_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"leviathan/gateway/journal"
)

// A log that was made long at the start stays as long under commits, and what
// is in it is found by who opens what a kill left: nothing, or records.
func TestAWarmLog(t *testing.T) {
	for _, records := range []int{0, 300} {
		t.Run(fmt.Sprint(records), func(t *testing.T) {
			dir, left := t.TempDir(), t.TempDir()
			j, err := journal.Open(t.Context(), journal.Config{Dir: dir, Now: newClock().Now, Warm: true})
			if err != nil {
				t.Fatal(err)
			}
			size := func() int64 {
				info, err := os.Stat(filepath.Join(dir, journal.DatabaseFile+"-wal"))
				if err != nil {
					t.Fatal(err)
				}
				return info.Size()
			}
			before := size()
			if before < 4000*4096 {
				t.Errorf("the log has %d bytes", before)
			}
			for range records {
				append1(t, j, decision(t, journal.Record{Type: "cycle.plan"}, nil))
			}
			if after := size(); after != before {
				t.Errorf("the log has %d bytes after commits, and %d before", after, before)
			}
			copyKeys(t, dir, left)
			for _, name := range []string{journal.DatabaseFile, journal.DatabaseFile + "-wal"} {
				data, err := os.ReadFile(filepath.Join(dir, name))
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(left, name), data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
			again, err := journal.Open(t.Context(), journal.Config{Dir: left, Now: newClock().Now, Warm: true})
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := again.Close(); err != nil {
					t.Error(err)
				}
			}()
			if again.Seq() != int64(records) {
				t.Errorf("%d of %d records are there", again.Seq(), records)
			}
			append1(t, again, decision(t, journal.Record{Type: "cycle.plan"}, nil))
			verifyDir(t, again, left)
		})
	}
}
