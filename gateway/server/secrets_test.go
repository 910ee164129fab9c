package server_test

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"leviathan/gateway"
)

// A lockedBuffer takes what several goroutines log.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func TestS23NoTokenIsEverWrittenDown(t *testing.T) {
	t.Parallel()
	logs := &lockedBuffer{}
	w := newUpstream(t, baseBacklog, baseConfig)
	w.logs = logs
	w.start()
	ctx := context.Background()
	result := w.cycle()
	r, other := reservation(t, result, "guide"), reservation(t, result, "notes")
	scheduler, reader := w.token("scheduler", ""), w.token("reader", "")
	canaries := map[string]string{"operator": operator, "scheduler": scheduler, "reader": reader, "attempt": r.Token, "other attempt": other.Token}
	var answers strings.Builder
	keep := func(a answer) { answers.WriteString(a.body) }
	// Everything that can go wrong with a token at hand, goes wrong.
	started := w.startAttempt(r)
	if out, err := w.push(r, started, map[string]string{"src/core.txt": "hacked\n"}); err == nil {
		t.Fatal(out)
	}
	if out, err := w.push(r, started, map[string]string{"docs/guide.md": "# Guide\n"}); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, token := range canaries {
		keep(w.ask("GET", "/v1/tokens", token, ""))
		keep(w.ask("POST", "/v1/targets/demo/cycle", token, `{"x":1}`))
		keep(w.ask("POST", "/v1/attempts/"+string(r.AttemptID)+"/heartbeat", token, `{"progress":"at work"}`))
		keep(w.ask("POST", "/v1/attempts/"+string(r.AttemptID)+"/start", token, `{"instance":"instance-1"}`))
		keep(w.ask("GET", "/git/demo.git/info/refs?service=git-receive-pack", token, ""))
		keep(w.ask("POST", "/git/demo.git/git-receive-pack", token, "garbage"))
		keep(w.ask("POST", "/git/demo.git/git-upload-pack", token, "garbage"))
		keep(w.ask("GET", "/v1/nothing", token, ""))
		keep(w.ask("GET", "/v1/attempts/"+string(r.AttemptID), token+"x", ""))
	}
	back := w.hide()
	keep(w.ask("POST", "/v1/attempts/"+string(r.AttemptID)+"/pull-request", r.Token, `{"summary":"s"}`))
	w.cycle()
	back()
	if _, err := w.client(r.Token).OpenPullRequest(ctx, r.AttemptID, gateway.PullRequestRequest{Summary: "Done."}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/metrics", "/v1/tokens", "/v1/events?limit=1000", "/v1/autonomy/status", "/v1/decisions?limit=1000", "/v1/attempts/" + string(r.AttemptID)} {
		keep(w.ask("GET", path, operator, ""))
	}
	for _, d := range w.decisions() {
		answers.Write(d.Input)
		answers.Write(d.Result)
	}
	for _, e := range w.log() {
		answers.Write(e.Payload)
	}
	w.stop()
	files := 0
	for _, root := range []string{filepath.Join(w.dir, "state"), w.upstream} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			data, err := os.ReadFile(path)
			files++
			for name, token := range canaries {
				if bytes.Contains(data, []byte(token)) {
					t.Errorf("the %s token is in %s", name, path)
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, token := range canaries {
		if strings.Contains(logs.String(), token) {
			t.Errorf("the %s token is in the log", name)
		}
		if strings.Contains(answers.String(), token) {
			t.Errorf("the %s token is in an answer or a record", name)
		}
	}
	if logs.String() == "" || files < 10 || answers.Len() < 10_000 {
		t.Errorf("%d bytes of log, %d files, %d bytes of answers: nothing was searched", len(logs.String()), files, answers.Len())
	}
}

func TestTheStateFolderIsForItsOwnerAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	w.cycle()
	w.stop()
	err := filepath.WalkDir(filepath.Join(w.dir, "state", "keys"), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 && !strings.HasSuffix(path, ".pub") {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(w.dir, "state", "leviathan.db"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the journal: %v %v", info.Mode(), err)
	}
}
