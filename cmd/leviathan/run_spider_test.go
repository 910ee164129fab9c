//go:build unix

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"leviathan/gateway"
)

// A watched is a spider's process.
type watched struct {
	cmd *exec.Cmd
	url string
	out *bufio.Reader
	err fmt.Stringer
}

func (h home) watch(ctx context.Context, t *testing.T, args ...string) watched {
	t.Helper()
	cmd, _, stderr := h.command(ctx, append([]string{"spider", "--listen", "127.0.0.1:0", "--log-level", "error"}, args...)...)
	cmd.Stdout = nil
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w := watched{cmd: cmd, out: bufio.NewReader(pipe), err: stderr}
	line, err := w.out.ReadString('\n')
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if err != nil || !ok {
		t.Fatalf("it says %q: %v\n%s", line, err, stderr)
	}
	w.url = url
	return w
}

// shows waits until the metrics have the line.
func (w watched) shows(ctx context.Context, t *testing.T, line string) string {
	t.Helper()
	want := regexp.MustCompile("(?m)^" + regexp.QuoteMeta(line) + "$")
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, "GET", w.url+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatalf("no line %q: %v\n%s", line, err, w.err)
		}
		page, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if want.Match(page) {
			return string(page)
		}
		<-tick.C
	}
}

// interrupt ends it as an operator would.
func (w watched) interrupt(t *testing.T) {
	t.Helper()
	if err := w.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(w.out)
	if err != nil || len(rest) > 0 {
		t.Errorf("it also says %q (%v)", rest, err)
	}
	if err := w.cmd.Wait(); err != nil || w.err.String() != "" {
		t.Errorf("it ends with %v and says %s", err, w.err)
	}
}

func TestASpiderFollowsAGatewayOverItsOwnRestart(t *testing.T) {
	h := makeHome(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	g, err := openGateway(ctx, gatewayOptions{state: filepath.Join(h.dir, "state"), config: filepath.Join(h.dir, "config.yaml"), listen: "127.0.0.1:0", logLevel: "error"}, io.Discard, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	}()
	operator, err := gateway.NewClient(g.url, g.token, gateway.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	reader, err := operator.CreateToken(ctx, gateway.TokenRequest{Role: gateway.RoleReader, ExpiresIn: "1h"})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(h.dir, "reader.token"), []byte(reader.Token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"--follow", g.url, "--token-file", "reader.token", "--state", "spider.json"}
	for round := 1; round <= 2; round++ {
		if err := operator.Halt(ctx, gateway.ReasonRequest{Reason: "drill"}); err != nil {
			t.Fatal(err)
		}
		s := h.watch(ctx, t, args...)
		s.shows(ctx, t, fmt.Sprintf("leviathan_halts_total %d", round))
		s.shows(ctx, t, "leviathan_halted_all 1")
		s.shows(ctx, t, `leviathan_autonomy_enabled{target="demo"} 1`)
		if err := operator.Resume(ctx, gateway.ReasonRequest{Reason: "over"}); err != nil {
			t.Fatal(err)
		}
		s.shows(ctx, t, "leviathan_halted_all 0")
		all := 0
		for _, err := range operator.Events(ctx, gateway.EventQuery{Limit: 1000}) {
			if err != nil {
				t.Fatal(err)
			}
			all++
		}
		s.shows(ctx, t, fmt.Sprintf("leviathan_events_received_total %d", all))
		s.interrupt(t)
	}
}

func TestASpidersTokenMayBeReplacedWhileItRuns(t *testing.T) {
	shown := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		shown <- r.Header.Get("Authorization")
		io.WriteString(w, "{}")
	}))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "token")
	o := spiderOptions{follow: server.URL, tokenFile: file, maxTargets: 1}
	var client *gateway.Client
	for _, token := range []string{"first", "second"} {
		if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if client == nil {
			var err error
			if client, err = o.client(spiderCommand()); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := client.Status(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := <-shown; got != "Bearer "+token {
			t.Errorf("it shows %q when its file has %s", got, token)
		}
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Status(t.Context()); err == nil {
		t.Error("it asks without the token that it should have")
	}
}
