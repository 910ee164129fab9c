package journal_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"leviathan/gateway"
	"leviathan/gateway/journal"
)

// childWork names what a re-executed test binary does over and over in
// childDir, until it is killed; empty commits events.
const childWork = "LEVIATHAN_JOURNAL_TEST_WORK"

// work does one kind of upkeep for ever, and prints a line before each time.
func work(kind, dir string) error {
	ctx := context.Background()
	var j *journal.Journal
	if kind != "restore" {
		var err error
		if j, err = journal.Open(ctx, journal.Config{Dir: dir}); err != nil {
			return err
		}
	}
	for n := 0; ; n++ {
		fmt.Println(n)
		var err error
		switch kind {
		case "backup":
			err = j.Backup(ctx, filepath.Join(dir, fmt.Sprintf("copy-%d.db", n)))
		case "restore":
			to := filepath.Join(dir, fmt.Sprintf("copy-%d", n))
			if err = os.CopyFS(filepath.Join(to, "keys"), os.DirFS(filepath.Join(dir, "keys"))); err == nil {
				_, err = journal.Restore(ctx, filepath.Join(dir, "backup.db"), to, journal.RestoreOptions{})
			}
		case "prune":
			if err = decideSome(j, 1500); err == nil {
				_, err = j.Prune(ctx, gateway.At(time.Now().Add(time.Hour)))
			}
		}
		if err != nil {
			return err
		}
	}
}

// decideSome commits n decisions, each with a part of its own.
func decideSome(j *journal.Journal, n int) error {
	return j.Commit(context.Background(), func(tx *journal.Tx) error {
		for i := range n {
			p, err := journal.NewPart(json.RawMessage(fmt.Sprintf(`{"n":%d,"text":%q}`, i, strings.Repeat("x", 200))))
			if err != nil {
				return err
			}
			r := journal.Record{Type: "cycle.plan", Kind: journal.Decision, Origin: journal.Gateway, Parts: []journal.Part{p},
				Decision: &journal.DecisionIndex{Allow: true, Revision: "r1", PolicyDigest: "sha256:11", AskedBy: "tok"},
				Body: journal.DecisionBody{Decision: journal.DecisionHead{InputDigest: "sha256:00"}, Parts: map[string]string{"own": p.Digest}, Result: json.RawMessage(`{"allow":true}`),
					Inline: map[string]json.RawMessage{"subject": json.RawMessage(`{"id":"w","type":"component"}`), "action": json.RawMessage(`"x"`)}}}
			if _, err := tx.Append(r); err != nil {
				return err
			}
		}
		return nil
	})
}

// killAt runs a child that does the work in dir, and kills it in the given turn as
// soon as now says so.
func killAt(t *testing.T, kind, dir string, turn int, now func(turn int) bool) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childDir+"="+dir, childWork+"="+kind)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	for n := 0; n <= turn; n++ {
		if _, err := lines.ReadString('\n'); err != nil {
			t.Fatalf("the child ended by itself: %v, %v", err, cmd.Wait())
		}
	}
	for deadline := time.Now().Add(time.Minute); !now(turn); {
		if time.Now().After(deadline) {
			t.Fatal("the child never came to where it is killed")
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("the child ended with %v", err)
	}
}

// there reports whether a file is there and at least so large.
func there(size int64, name ...string) bool {
	info, err := os.Stat(filepath.Join(name...))
	return err == nil && info.Size() >= size
}

func longLived(t *testing.T, dir string) {
	t.Helper()
	j := open(t, dir, newClock())
	appendAll(t, j, registered("demo"))
	if err := decideSome(j, 3000); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

// whole verifies a database file, which must be as long as the journal was.
func whole(t *testing.T, file string) {
	t.Helper()
	rep, err := journal.Verify(t.Context(), file, journal.VerifyOptions{})
	if err != nil || rep.Problem != nil || rep.Records < 3001 {
		t.Errorf("%s: %d records, %v, %v", file, rep.Records, rep.Problem, err)
	}
}

func TestABackupThatIsKilledLeavesNoHalfFile(t *testing.T) {
	dir := t.TempDir()
	longLived(t, dir)
	for round, size := range []int64{0, 1, 200_000} {
		killAt(t, "backup", dir, round, func(turn int) bool {
			return there(size, dir, fmt.Sprintf("copy-%d.db.partial", turn)) || there(0, dir, fmt.Sprintf("copy-%d.db", turn))
		})
		copies, err := filepath.Glob(filepath.Join(dir, "copy-*.db"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range copies {
			whole(t, name)
			if err := os.Remove(name); err != nil {
				t.Fatal(err)
			}
		}
		j := open(t, dir, newClock())
		again := filepath.Join(dir, fmt.Sprintf("copy-%d.db", round))
		if err := j.Backup(t.Context(), again); err != nil {
			t.Errorf("a backup after one that was killed: %v", err)
		}
		whole(t, again)
		if there(0, again+".partial") {
			t.Error("what the killed backup left is still there")
		}
		verifyDir(t, j, dir)
		if err := errors.Join(j.Close(), os.Remove(again)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestARestoreThatIsKilledLeavesNoJournalOrAWholeOne(t *testing.T) {
	for turn, size := range []int64{0, 1, 200_000} {
		dir := t.TempDir()
		longLived(t, dir)
		j := open(t, dir, newClock())
		if err := errors.Join(j.Backup(t.Context(), filepath.Join(dir, "backup.db")), j.Close()); err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, fmt.Sprintf("copy-%d", turn))
		database := filepath.Join(to, journal.DatabaseFile)
		killAt(t, "restore", dir, turn, func(int) bool { return there(size, database+".partial") || there(0, database) })
		if _, err := os.Stat(database); errors.Is(err, fs.ErrNotExist) {
			if _, err := journal.Restore(t.Context(), filepath.Join(dir, "backup.db"), to, journal.RestoreOptions{}); err != nil {
				t.Errorf("a restore after one that was killed: %v", err)
			}
		} else if err != nil {
			t.Fatal(err)
		}
		whole(t, database)
		restored := open(t, to, newClock())
		verifyDir(t, restored, to)
		if err := restored.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAPruneThatIsKilledLosesNoRecord(t *testing.T) {
	dir := t.TempDir()
	longLived(t, dir)
	for _, turn := range []int{0, 1, 2} {
		killAt(t, "prune", dir, turn, func(int) bool { return true })
		j := open(t, dir, newClock())
		verifyDir(t, j, dir)
		before := projections(t, j)
		if err := j.Rebuild(t.Context()); err != nil {
			t.Fatal(err)
		}
		if after := projections(t, j); after != before {
			t.Errorf("turn %d: a rebuild after a prune that was killed is another: %s, %s", turn, before, after)
		}
		if _, err := j.Prune(t.Context(), gateway.At(time.Now().Add(time.Hour))); err != nil {
			t.Errorf("a prune after one that was killed: %v", err)
		}
		whole(t, filepath.Join(dir, journal.DatabaseFile))
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
