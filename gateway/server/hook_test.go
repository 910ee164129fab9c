package server_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"leviathan/gateway"
)

// hook installs a hook on the upstream.
func (w *world) hook(name, script string) {
	w.t.Helper()
	path := filepath.Join(w.upstream, "hooks", name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		w.t.Fatal(err)
	}
}

func TestAnUpstreamThatRefusesIsHeard(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	r := reservation(t, w.cycle(), "guide")
	started := w.startAttempt(r)
	w.hook("pre-receive", "echo 'not on a Friday' >&2\nexit 1\n")
	refs := w.refs()
	out, err := w.push(r, started, map[string]string{"docs/guide.md": "# Guide\n"})
	if err == nil || !strings.Contains(out, "delivery.upstream_refused") || !strings.Contains(out, "remote: decision ") {
		t.Errorf("%v\n%s", err, out)
	}
	if now := w.refs(); now != refs {
		t.Errorf("the upstream has %s", now)
	}
	if count := w.events(); count["push.voided"] != 1 || count["attempt.pushed"] != 0 {
		t.Errorf("events: %v", count)
	}
	w.hook("pre-receive", "exit 0\n")
	if out, err := w.push(r, started, map[string]string{"docs/guide.md": "# Guide\n"}); err != nil {
		t.Errorf("and then: %v\n%s", err, out)
	}
}

func TestAPushUnderWayWritesItsOwnReceipt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	ctx := context.Background()
	r := reservation(t, w.cycle(), "guide")
	started := w.startAttempt(r)
	gate, arrived := filepath.Join(w.dir, "gate"), filepath.Join(w.dir, "arrived")
	for _, pipe := range []string{gate, arrived} {
		if err := syscall.Mkfifo(pipe, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w.hook("post-receive", "echo here > "+arrived+"\nread go < "+gate+"\n")
	pushed := make(chan string, 1)
	go func() {
		out, err := w.push(r, started, map[string]string{"docs/guide.md": "# Guide\n"})
		if err != nil {
			out += err.Error()
		}
		pushed <- out
	}()
	if _, err := os.ReadFile(arrived); err != nil { // blocks until the hook runs
		t.Fatal(err)
	}
	// It is upstream, and its receipt comes from the push as soon as that sees
	// it. The clockwork leaves it alone, others are not kept waiting, and an
	// operator can end the attempt.
	w.server.SettleIntents(ctx)
	if a, _, err := w.journal.Attempt(ctx, r.AttemptID); err != nil || !a.HasPushIntent && a.State != gateway.Pushed {
		t.Errorf("the clockwork settled what is under way: %+v %v", a, err)
	}
	if beat, err := w.client(r.Token).Heartbeat(ctx, r.AttemptID, gateway.HeartbeatRequest{}); err != nil || beat.Action != gateway.Continue {
		t.Errorf("heartbeat: %+v %v", beat, err)
	}
	w.refused(w.ask("POST", "/git/demo.git/git-receive-pack", r.Token, "0000"), 409, "attempt.push_under_way")
	if err := w.client(operator).Cancel(ctx, r.AttemptID, "enough"); err != nil {
		t.Errorf("cancel: %v", err)
	}
	if err := os.WriteFile(gate, []byte("go\n"), 0); err != nil {
		t.Fatal(err)
	}
	t.Log(<-pushed)
	w.server.SettleIntents(ctx)
	a, _, err := w.journal.Attempt(ctx, r.AttemptID)
	if err != nil || a.State != gateway.Cancelled || a.HasPushIntent || string(a.PushedCommit) != w.git(w.upstream, "rev-parse", "refs/heads/"+r.Branch) {
		t.Errorf("the attempt is %s, intent %v, pushed %s, %v", a.State, a.HasPushIntent, a.PushedCommit, err)
	}
	if count := w.events(); count["attempt.pushed"] != 1 || count["push.voided"] != 0 {
		t.Errorf("more than one receipt: %v", count)
	}
	w.refused(w.ask("POST", "/v1/attempts/"+string(r.AttemptID)+"/pull-request", r.Token, `{"summary":"s"}`), 409, "attempt.ended")
	w.fold()
}

func TestASlowPushKeepsNobodyWaiting(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	result := w.cycle()
	slow, quick := reservation(t, result, "guide"), reservation(t, result, "notes")
	w.startAttempt(slow)
	started := w.startAttempt(quick)
	body, feed := io.Pipe()
	req, err := http.NewRequest("POST", w.http.URL+"/git/demo.git/git-receive-pack", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+slow.Token)
	ended := make(chan error, 1)
	go func() {
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err == nil {
			err = resp.Body.Close()
		}
		ended <- err
	}()
	line := command(strings.Repeat("0", 40), strings.Repeat("a", 40), "refs/heads/"+slow.Branch) + "\x00 report-status"
	// More than any buffer on the way, so that the gateway is known to read it.
	if _, err := feed.Write(append([]byte(pkt(line)+"0000PACK\x00\x00\x00\x02\x00\x00\x00\x01"), bytes.Repeat([]byte{0xff}, 8<<20)...)); err != nil {
		t.Fatal(err)
	}
	if out, err := w.push(quick, started, map[string]string{"docs/notes/a.md": "x\n"}); err != nil {
		t.Errorf("beside a slow push: %v\n%s", err, out)
	}
	w.refused(w.ask("POST", "/git/demo.git/git-receive-pack", slow.Token, "0000"), 409, "attempt.push_under_way")
	if err := feed.CloseWithError(io.ErrUnexpectedEOF); err != nil {
		t.Error(err)
	}
	<-ended
	if refs := w.git(w.upstream, "for-each-ref", "refs/heads/"+slow.Branch); refs != "" {
		t.Errorf("the upstream has %s", refs)
	}
}
