package journal_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"leviathan/gateway"
	"leviathan/gateway/journal"
)

// childDir names the folder that a re-executed test binary commits to until it
// is killed.
const childDir = "LEVIATHAN_JOURNAL_TEST_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		forEver := commitForEver
		if kind := os.Getenv(childWork); kind != "" {
			forEver = func(dir string) error { return work(kind, dir) }
		}
		if err := forEver(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// commitForEver commits from several goroutines and prints each id that was
// acknowledged, after it was.
func commitForEver(dir string) error {
	j, err := journal.Open(context.Background(), journal.Config{Dir: dir, CheckpointEvery: 64})
	if err != nil {
		return err
	}
	failed := make(chan error)
	for range 8 {
		go func() {
			for {
				var id string
				err := j.Commit(context.Background(), func(tx *journal.Tx) error {
					a, err := tx.Append(journal.NewEvent("child", journal.GatewayStarted{}))
					id = a.ID
					return err
				})
				if err != nil {
					failed <- err
					return
				}
				os.Stdout.WriteString(id + "\n")
			}
		}()
	}
	return <-failed
}

func TestWhatWasAcknowledgedSurvivesAKill(t *testing.T) {
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	acknowledged := map[string]bool{}
	for round, kill := range []int{1, 37, 150, 400, 3} {
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), childDir+"="+dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewReader(out)
		for n := 0; ; n++ {
			line, err := lines.ReadString('\n')
			if err != nil {
				break // a torn last line was not acknowledged to anybody
			}
			acknowledged[strings.TrimSpace(line)] = true
			if n == kill {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
			t.Fatalf("round %d: the child ended with %v", round, err)
		}
		j := open(t, dir, newClock())
		commit(t, j, func(tx *journal.Tx) error {
			for id := range acknowledged {
				if _, found, err := tx.HasEvent(id); err != nil || !found {
					t.Errorf("round %d: acknowledged %s is lost (%v)", round, id, err)
				}
			}
			return nil
		})
		verifyDir(t, j, dir)
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAFullDiskRefusesAndRecovers(t *testing.T) {
	dir, c := t.TempDir(), newClock()
	j := open(t, dir, c)
	appendAll(t, j, registered("demo"))
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j, err := journal.Open(t.Context(), journal.Config{Dir: dir, Now: c.Now}.WithPragmas("max_page_count=120"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.Close() }() // closed below; this is for a test that ends early
	before := state(t, j, "demo")
	noise := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "%x", i*2654435761)
		}
		return b.String()
	}
	seq, root := j.Seq(), checkpoint(t, j)
	errs := together(t, j, appendOne, func(tx *journal.Tx) error {
		if _, err := tx.Append(journal.NewEvent("x", registered("other"))); err != nil {
			return err
		}
		_, err := tx.Append(journal.NewEvent("x", journal.BundleRejected{Reason: noise(200_000)}))
		return err
	}, appendOne)
	for i, err := range errs {
		if !isNotRecorded(err) || gateway.KindOf(err) != gateway.Unknown || !strings.Contains(err.Error(), "the disk is full") {
			t.Errorf("turn %d: %v", i, err)
		}
	}
	if j.Seq() != seq || checkpoint(t, j) != root || j.FactsSeq("other") != 0 || state(t, j, "demo") != before {
		t.Error("memory has moved")
	}
	commit(t, j, appendOne) // there is room for this one
	if j.Seq() != seq+1 {
		t.Errorf("seq %d, want %d", j.Seq(), seq+1)
	}
	verifyDir(t, j, dir)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

func checkpoint(t *testing.T, j *journal.Journal) string {
	t.Helper()
	b, err := j.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestReadyQuicklyWithManyRecords(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 20,000 records")
	}
	dir := t.TempDir()
	j := open(t, dir, newClock())
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			commit(t, j, func(tx *journal.Tx) error {
				for range 1000 {
					if err := appendOne(tx); err != nil {
						return err
					}
				}
				return nil
			})
		})
	}
	wg.Wait()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	j = open(t, dir, newClock())
	if took := time.Since(start); took > 300*time.Millisecond {
		t.Errorf("ready after %s, the limit is 300ms", took)
	}
	if j.Seq() != 20_000 {
		t.Fatalf("seq %d", j.Seq())
	}
}
