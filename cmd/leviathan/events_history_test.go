package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// old is a journal of release 0.4.
const old = `{"event_id":"e1","event_type":"attempt.created","timestamp":"2026-01-28T10:00:00","actor_id":"worker-a1","payload":{"attempt_number":1,"attempt_id":"a1"},"prev_hash":null,"hash":"b532a17cb0178008a5ab78dedbfcd79560d575616f920109144e5bce43aae178"}
{"event_id":"e2","event_type":"pr.created","timestamp":"2026-01-28T10:00:00.123456Z","actor_id":null,"payload":{"z":[1,2.5,null,true],"a":{"é":"ü\n\"<&","b":1e20}},"prev_hash":"b532a17cb0178008a5ab78dedbfcd79560d575616f920109144e5bce43aae178","hash":"14d0ce3acc8f44e54148947417a3b8c643949e43e8ef6713593aa4fe9e2fb202"}
`

// S19 and S26: events of the earlier release are taken over, as claims.
func TestS19AnOldJournalIsTakenOverByARealGateway(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	config := file("autonomy.yaml", "autonomy_enabled: false\ntarget_id: demo\ntarget_repo_url: /nowhere/upstream.git\nallowed_path_prefixes: [docs/]\n")
	o := gatewayOptions{state: filepath.Join(dir, "state"), config: config, listen: "127.0.0.1:0", logLevel: "error"}
	g, err := openGateway(t.Context(), o, io.Discard, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	}()
	op := testOperator(map[string]string{gatewayVariable: g.url, tokenVariable: g.token})
	run := func(code int, args ...string) ran {
		t.Helper()
		got := execute(t.Context(), op, "", args...)
		if got.code != code {
			t.Errorf("%v ended with %d: %s%s", args, got.code, got.stdout, got.stderr)
		}
		return got
	}
	whole := file("old.ndjson", old)
	if got := run(0, "events", "verify", whole); !strings.Contains(got.stdout, "2 events in one chain, from its beginning, to 2026-01-28T10:00:00.123456Z") {
		t.Error(got.stdout)
	}
	changed := file("changed.ndjson", strings.Replace(old, "pr.created", "pr.merged", 1))
	for _, command := range []string{"verify", "import"} {
		if got := run(exitNo, "events", command, changed); !strings.Contains(got.stdout, "changed.ndjson:2: its hash is") || !strings.Contains(got.stdout, "1 events before it") {
			t.Errorf("%s: %s", command, got.stdout)
		}
	}
	run(exitUsage, "events", "verify", file("empty.ndjson", ""))
	run(exitUsage, "events", "verify", filepath.Join(dir, "absent"))
	if got := run(0, "events", "import", whole, "--target", "demo"); !strings.Contains(got.stdout, "imported 2 events") {
		t.Error(got.stdout)
	}
	if got := run(0, "events", "import", whole, "--target", "demo"); !strings.Contains(got.stdout, "imported 0 events of "+whole+"; 2 were there already") {
		t.Error(got.stdout)
	}
	exported := filepath.Join(dir, "events.ndjson")
	run(0, "events", "export", "-o", exported)
	run(exitUsage, "events", "export", "-o", exported) // never over a file
	text, err := os.ReadFile(exported)
	if err != nil {
		t.Fatal(err)
	}
	claims := 0
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, `"event_id":"e1"`) || strings.Contains(line, `"event_id":"e2"`) {
			claims++
			if !strings.Contains(line, `"origin":"external"`) || !strings.Contains(line, `"target":"demo"`) {
				t.Errorf("taken over as %s", line)
			}
		}
	}
	if claims != 2 {
		t.Errorf("%d of the events are in the export:\n%s", claims, text)
	}
}
