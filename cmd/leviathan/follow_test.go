package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"leviathan/gateway"
	"leviathan/gateway/journal"
)

func TestWatchGoesOnWhileTheGatewayIsAway(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := asked.Add(1)
		if n >= 2 && n <= 4 { // all tries of the second look
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		if _, err := io.WriteString(w, healthy); err != nil {
			t.Error(err)
		}
		if n == 6 {
			cancel()
		}
	}))
	defer server.Close()
	o := testOperator(map[string]string{gatewayVariable: server.URL, tokenVariable: testToken})
	got := execute(ctx, o, "", "status", "--watch", "--interval", "100ms")
	if got.code != exitInterrupted {
		t.Errorf("exit %d", got.code)
	}
	if n := strings.Count(got.stdout, "Leviathan "+gateway.Version); n < 2 {
		t.Errorf("%d screens:\n%s", n, got.stdout)
	}
	if n := strings.Count(got.stderr, "leviathan: asking for the status: the server answered 503"); n != 1 {
		t.Errorf("stderr says so %d times:\n%s", n, got.stderr)
	}
	if strings.Contains(got.stdout, "\x1b") {
		t.Error("there are escape sequences though stdout is no terminal")
	}
	if got := execute(t.Context(), o, "", "status", "--watch", "--interval", "1ms"); got.code != exitUsage {
		t.Errorf("exit %d with an interval that is too short", got.code)
	}
}

// stopAt is a writer that calls stop when it has seen a text.
type stopAt struct {
	bytes.Buffer
	text string
	stop func()
}

func (w *stopAt) Write(p []byte) (int, error) {
	n, err := w.Buffer.Write(p)
	if strings.Contains(w.String(), w.text) {
		w.stop()
	}
	return n, err
}

func TestTailFollowsFromTheLastEvents(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := `[{"event_id":"b","event_type":"task.created","timestamp":"2026-01-28T09:30:01Z","seq":7},{"event_id":"a","event_type":"target.registered","timestamp":"2026-01-28T09:30:00Z","seq":6}]`
		if r.URL.Path == "/v1/events" {
			if got := r.URL.RawQuery; got != "after=7&follow=true" {
				t.Errorf("followed with %s", got)
			}
			answer = `{"event_id":"c","event_type":"attempt.created\u001b[2J","timestamp":"2026-01-28T09:30:02Z","target":"demo","seq":8}` + "\n"
		}
		if _, err := io.WriteString(w, answer); err != nil {
			t.Error(err)
		}
		if r.URL.Path == "/v1/events" {
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Error(err)
			}
			<-r.Context().Done()
		}
	}))
	defer server.Close()
	for form, want := range map[string]string{
		"table": "2026-01-28T09:30:00Z  target.registered     -  -  -\n2026-01-28T09:30:01Z  task.created          -  -  -\n2026-01-28T09:30:02Z  attempt.created       demo  -  -\n",
		"json": `{"event_id":"a","event_type":"target.registered","timestamp":"2026-01-28T09:30:00.000000Z","payload":null,"seq":6}` + "\n" +
			`{"event_id":"b","event_type":"task.created","timestamp":"2026-01-28T09:30:01.000000Z","payload":null,"seq":7}` + "\n" +
			`{"event_id":"c","event_type":"attempt.created\u001b[2J","timestamp":"2026-01-28T09:30:02.000000Z","payload":null,"target":"demo","seq":8}` + "\n",
	} {
		ctx, cancel := context.WithCancel(t.Context())
		out := &stopAt{text: "attempt.created", stop: cancel}
		o := testOperator(map[string]string{gatewayVariable: server.URL, tokenVariable: testToken})
		if got := executeTo(ctx, out, o, "", "events", "tail", "--output", form); got.code != exitInterrupted || got.stderr != "" {
			t.Errorf("%s: exit %d, %s", form, got.code, got.stderr)
		}
		if out.String() != want {
			t.Errorf("%s: got\n%swant\n%s", form, out.String(), want)
		}
		cancel()
	}
}

func TestArtifactsAndBundlesAreSavedAsTheyAre(t *testing.T) {
	url, _ := serveWire(t)
	dir := t.TempDir()
	o := testOperator(map[string]string{gatewayVariable: url, tokenVariable: testToken})
	for name, line := range map[string][]string{
		"agent.log": {"attempts", "log", "01JQ0000000000000000000001", "agent.log"},
		"x.bundle":  {"decisions", "bundle", "01JQ000000000000000000000D"},
	} {
		file := filepath.Join(dir, name)
		got := execute(t.Context(), o, "", append(line, "--out", file)...)
		if got.code != exitDone || got.stdout != "" || !strings.Contains(got.stderr, "wrote "+file) {
			t.Errorf("%s: exit %d, %s%s", name, got.code, got.stdout, got.stderr)
		}
		if again := execute(t.Context(), o, "", append(line, "--out", file)...); again.code != exitUsage || !strings.Contains(again.stderr, "exists already") {
			t.Errorf("%s again: exit %d, %s", name, again.code, again.stderr)
		}
	}
	data, err := os.ReadFile(filepath.Join(dir, "agent.log"))
	if err != nil || !strings.HasPrefix(string(data), "building\r\n\x1b[32mok") {
		t.Errorf("%q, %v", data, err)
	}
}

// makeJournal writes a small journal and returns a checkpoint of it.
func makeJournal(t *testing.T, dir string) []byte {
	t.Helper()
	j, err := journal.Open(t.Context(), journal.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		err := j.Commit(t.Context(), func(tx *journal.Tx) error {
			_, err := tx.Append(journal.Record{Kind: journal.Event, Origin: journal.External, Type: "x.y", Body: map[string]any{"a": time.Now().String()}})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	note, err := j.Checkpoint(t.Context())
	if err = errors.Join(err, j.Close()); err != nil {
		t.Fatal(err)
	}
	return note
}

func TestJournalVerify(t *testing.T) {
	dir, other, kept := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "kept")
	write(t, kept, string(makeJournal(t, dir)), 0o600)
	makeJournal(t, other)
	verify := func(args ...string) ran {
		return execute(t.Context(), testOperator(nil), "", append([]string{"journal", "verify", "--state"}, args...)...)
	}
	got := verify(dir)
	if got.code != exitDone {
		t.Errorf("exit %d, %s%s", got.code, got.stdout, got.stderr)
	}
	has(t, got.stdout, "VERIFIED  "+dir, "  3         records in order", "no checkpoint from elsewhere was given")
	got = verify(dir, "--checkpoint", kept, "--output", "json")
	if got.code != exitDone {
		t.Errorf("exit %d, %s%s", got.code, got.stdout, got.stderr)
	}
	has(t, got.stdout, `"verified": true`, `"records": 3`, `"kept_checkpoint": 3`, `"key": "`+filepath.Join(dir, "keys", "journal.pub"))
	got = verify(dir, "--checkpoint", kept, "--key", filepath.Join(other, "keys", "journal.pub"))
	if got.code != exitNo {
		t.Errorf("with another key: exit %d, %s%s", got.code, got.stdout, got.stderr)
	}
	has(t, got.stdout, "NOT VERIFIED  "+dir)
	got = verify(other, "--checkpoint", kept)
	if got.code != exitNo {
		t.Errorf("another journal's checkpoint: exit %d, %s%s", got.code, got.stdout, got.stderr)
	}
	if err := os.RemoveAll(filepath.Join(dir, "keys")); err != nil {
		t.Fatal(err)
	}
	has(t, verify(dir).stdout, "VERIFIED  "+dir, "signatures were not checked")
}

func TestEveryCommandHasHelp(t *testing.T) {
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		path := cmd.CommandPath()
		if cmd.Name() != "leviathan" && cmd.Short == "" {
			t.Errorf("%s has no short help", path)
		}
		if cmd.HasParent() && !cmd.Parent().HasParent() && !cmd.Hidden && cmd.GroupID == "" {
			t.Errorf("%s is in no group", path)
		}
		var out bytes.Buffer
		root := newRoot()
		root.SetOut(&out)
		root.SetArgs(append(strings.Fields(path)[1:], "--help"))
		if err := root.ExecuteContext(t.Context()); err != nil {
			t.Errorf("%s --help: %v", path, err)
		}
		if text := out.String(); !strings.Contains(text, "Usage:") || !strings.HasPrefix(text, cmp.Or(cmd.Long, cmd.Short)) {
			t.Errorf("%s --help says only %q", path, text)
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(newRoot())
}

func TestGeneratedPagesAreFresh(t *testing.T) {
	want, err := generated(t.Context(), newRoot(), os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	again, err := generated(t.Context(), newRoot(), os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	for name, page := range want {
		if !bytes.Equal(page, again[name]) {
			t.Errorf("%s differs from one making to the next", name)
		}
		got, err := os.ReadFile(filepath.Join("../../docs", name))
		if err != nil {
			t.Fatalf("%v; run make docs", err)
		}
		if !bytes.Equal(got, page) {
			t.Errorf("docs/%s is not what it describes; run make docs", name)
		}
	}
}
