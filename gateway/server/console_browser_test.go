package server_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"leviathan/gateway"
)

const hostileBacklog = `tasks:
  - {id: guide, title: "<img src=x onerror=alert(1)> Write \u202Eediug a", scope: docs, priority: high, ready: true, allowed_paths: [docs/guide.md], acceptance_criteria: [it helps]}
  - {id: notes, title: "Write notes\"><script>alert(2)</script>", scope: docs, ready: true, allowed_paths: [docs/notes/], acceptance_criteria: [it helps]}
  - {id: a-task-with-a-very-long-name-that-has-no-place-to-break-it-anywhere-at-all, title: Wait for the others, scope: docs, ready: true, allowed_paths: [docs/], acceptance_criteria: [it helps], dependencies: [guide]}
  - {id: later, title: Not yet ready, scope: docs, ready: false, allowed_paths: [docs/], acceptance_criteria: [it helps]}
`

// TestConsoleInABrowser walks the console in headless Chromium. It is asked
// for: LEVIATHAN_BROWSER_TEST names the folder that keeps the screenshots, and
// gateway/console/testdata/browser.mjs says what must be installed.
func TestConsoleInABrowser(t *testing.T) {
	out := os.Getenv("LEVIATHAN_BROWSER_TEST")
	if out == "" {
		t.Skip("set LEVIATHAN_BROWSER_TEST to a folder for screenshots to walk the console in a browser")
	}
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("needs node")
	}
	w := newWorld(t, hostileBacklog, baseConfig)
	w.server.Prove(context.Background())
	result := w.cycle()
	notes, guide := reservation(t, result, "notes"), reservation(t, result, "guide")
	w.deliver(notes, map[string]string{"docs/notes/one.md": "# One\n"})
	started := w.startAttempt(guide)
	if _, err := w.push(guide, started, map[string]string{"src/<b>evil</b>.txt": "x", "docs/guide.md": "a\n"}); err == nil {
		t.Fatal("a push outside the scope passed")
	}
	output := strings.Repeat("reading the repository\n", 40) + "\x1b[31m<script>alert(3)</script>\x1b[0m\r\u202Etxt.exe\n"
	worker := w.client(guide.Token)
	if err := worker.PutArtifact(context.Background(), guide.AttemptID, "agent.log", 0, []byte(output)); err != nil {
		t.Fatal(err)
	}
	evidence := gateway.Evidence{Tree: "0123456789012345678901234567890123456789",
		Results: []gateway.EvidenceResult{{Name: "unit", Seconds: 3.2}, {Name: "<i>lint</i>", ExitCode: 2, Seconds: 0.4}}}
	if err := worker.Evidence(context.Background(), guide.AttemptID, evidence); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err = filepath.Abs(out); err != nil {
		t.Fatal(err)
	}
	said, err := exec.Command(node, "../console/testdata/browser.mjs", w.http.URL, operator, string(guide.AttemptID), out).CombinedOutput()
	if strings.Contains(string(said), "Cannot find module 'playwright-core'") || strings.Contains(string(said), "executable doesn't exist") {
		t.Skipf("needs playwright-core and Chromium: %s", said)
	}
	if err != nil || !strings.Contains(string(said), "checks held") {
		t.Fatalf("%v\n%s", err, said)
	}
	t.Logf("%s", said)
}
