package worker_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"leviathan/gateway"
	"leviathan/worker"
)

func TestRedactionIsTheSameHoweverThePiecesFall(t *testing.T) {
	values := []string{"hunter2!", "hunter2!longer", "line one\nline two", "aaaa"}
	rapid.Check(t, func(t *rapid.T) {
		var text strings.Builder
		for range rapid.IntRange(0, 12).Draw(t, "parts") {
			text.WriteString(rapid.SampledFrom([]string{"hunter2!", "hunter2!longer", "hunter", "line one\nline two", "line one\n", "aaaaaa", "aa", " ", "\n", "x",
				"Bearer abcdefghijkl", "Bearer ", "ghp_0123456789abcdefABCDEF", "sk-", "0123456789abcdef0123", "word. "}).Draw(t, "part"))
		}
		whole, err := worker.Redact(values, text.String())
		if err != nil {
			t.Fatal(err)
		}
		var pieces []string
		for rest := text.String(); rest != ""; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "cut")
			pieces, rest = append(pieces, rest[:n]), rest[n:]
		}
		got, err := worker.Redact(values, pieces...)
		if err != nil {
			t.Fatal(err)
		}
		if got != whole {
			t.Fatalf("in pieces %q: %q, whole: %q", pieces, got, whole)
		}
		for _, v := range values {
			if strings.Contains(got, v) {
				t.Fatalf("%q is in %q", v, got)
			}
		}
	})
}

func TestRedactionKnowsShapes(t *testing.T) {
	for text, want := range map[string]string{
		"Authorization: Bearer abc.def-ghi_jkl":              "Authorization: [redacted]",
		"key sk-proj-0123456789abcdef!":                      "key [redacted]!",
		"url https://x:ghp_0123456789abcdefABCD@github.com/": "url https://x:[redacted]@github.com/",
		"a task-list and a desk":                             "a task-list and a desk",
		"AKIAIOSFODNN7EXAMPLE":                               "[redacted]",
		"lev_scheduler_0123456789abcdefghij":                 "[redacted]",
	} {
		if got, err := worker.Redact(nil, text); err != nil || got != want {
			t.Errorf("%q became %q (%v), want %q", text, got, err, want)
		}
	}
}

func TestWhatAllowedPathsOpen(t *testing.T) {
	for allowed, want := range map[string]struct {
		path string
		dir  bool
		ok   bool
	}{
		"docs/": {"docs", true, true}, "docs/a.md": {"docs/a.md", false, true}, "docs/**": {"docs", true, true}, "docs/x*/y.md": {"docs", true, true},
		"a/b/*.go": {"a/b", true, true}, "*.md": {".", true, true}, "a/{b,c}/d": {"a", true, true},
		"": {}, "/": {}, "/etc/passwd": {}, "../x": {}, "a/../../x": {}, "a//b": {}, "./a": {}, ".git/hooks/": {}, "a/.GIT/x": {}, "..": {}, "a/\x00": {},
	} {
		path, dir, err := worker.OpenPath(allowed)
		if (err == nil) != want.ok || path != want.path || dir != want.dir {
			t.Errorf("%q opens %q (folder %v), %v", allowed, path, dir, err)
		}
	}
}

func TestScaffoldMakesWhatTheNameSays(t *testing.T) {
	task := gateway.Task{ID: "Add-7", Title: "Add the thing", AcceptanceCriteria: []string{"it  adds\nup", `it says "no"`}}
	for allowed, want := range map[string]struct {
		name string
		has  []string
	}{
		"docs/a.md":         {"docs/a.md", []string{"# Add the thing\n", "- [ ] it adds up\n", "## it adds up\n"}},
		"docs/":             {"docs/add-7.md", []string{"# Add the thing"}},
		"docs/**":           {"docs/add-7.md", []string{"# Add the thing"}},
		"src/*_test.go":     {"src/add-7_test.go", []string{"package calc\n", "func TestAdd_71(t *testing.T) {\n\tt.Skip(\"to do: it adds up\")", `it says \"no\"`}},
		"t/test_add.py":     {"t/test_add.py", []string{"def test_add_7_2():", "pytest.mark.skip"}},
		"web/add.test.ts":   {"web/add.test.ts", []string{"it.todo(\"it adds up\")"}},
		"deep/er/still.txt": {"deep/er/still.txt", []string{"To be written."}},
	} {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "src"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "src", "calc.go"), []byte("// Doc.\npackage calc\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		task.AllowedPaths = []string{allowed}
		written, err := worker.Scaffold(root, task)
		if err != nil || len(written) != 1 || written[0] != want.name {
			t.Errorf("%s: wrote %v, %v", allowed, written, err)
			continue
		}
		data, err := root.ReadFile(want.name)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range want.has {
			if !strings.Contains(string(data), part) {
				t.Errorf("%s has no %q:\n%s", want.name, part, data)
			}
		}
		if again, err := worker.Scaffold(root, task); err != nil || len(again) != 0 {
			t.Errorf("%s: wrote %v over what was there, %v", allowed, again, err)
		}
	}
}

func TestScaffoldStaysInTheCheckout(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	if err := os.Symlink(outside, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if written, err := worker.Scaffold(root, gateway.Task{ID: "T", Title: "t", AllowedPaths: []string{"link/a.md"}}); err == nil {
		t.Errorf("wrote %v", written)
	}
	if entries, err := os.ReadDir(outside); err != nil || len(entries) != 0 {
		t.Errorf("outside are %v, %v", entries, err)
	}
}

func TestPromptHasTheTask(t *testing.T) {
	got := worker.Prompt(gateway.Task{ID: "T-1", Title: "Title", Description: "Text.", Scope: "docs", AllowedPaths: []string{"docs/"}, AcceptanceCriteria: []string{"done"}})
	for _, part := range []string{"# Task T-1: Title", "Text.", "Scope: docs", "- docs/", "- done", "LEVIATHAN_SUMMARY_FILE"} {
		if !strings.Contains(got, part) {
			t.Errorf("no %q in\n%s", part, got)
		}
	}
}

func TestReadsMustNotShowNeighbours(t *testing.T) {
	dir := t.TempDir()
	workspace := filepath.Join(dir, "attempts", "a")
	if err := os.MkdirAll(workspace, 0o700); err != nil {
		t.Fatal(err)
	}
	for path, ok := range map[string]bool{"/": false, dir: false, filepath.Join(dir, "attempts"): false, "/usr": true, "relative": false, "/does/not/exist": true} {
		if err := worker.CheckRead([]string{path}, workspace); (err == nil) != ok {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// A push that is refused ends the attempt as denied, which counts for the task,
// only where the task is at fault.
func TestARefusedPushCountsForTheTaskOnlyWhereTheTaskIsAtFault(t *testing.T) {
	for code, want := range map[string]gateway.FailureType{
		"delivery.upstream_moved":                gateway.Upstream, // somebody's branch of that name, with other content
		"forge.credential":                       gateway.Upstream,
		"unknown.mirror":                         gateway.Upstream,
		"delivery.upstream_refused":              gateway.Denied, // by a rule of the upstream's own
		"scope.path":                             gateway.Denied,
		"delivery.upstream_moved_somewhere_else": gateway.Denied,
	} {
		if got := worker.PushFailure("!\trefs/heads/a:refs/heads/agent/a\t[remote rejected] ("+code+")\n", "remote: "+code+": because\n"); got != want {
			t.Errorf("%s ends the attempt as %s, want %s", code, got, want)
		}
	}
}
