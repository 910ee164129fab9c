package backlog_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leviathan/gateway"
	"leviathan/gateway/backlog"
)

func parse(t *testing.T, text string) *backlog.File {
	t.Helper()
	f, err := backlog.Parse("backlog.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func sample(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "data", name))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("the sample is not here: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestEveryKey(t *testing.T) {
	f := parse(t, `version: "1"
max_open_prs: 2
metadata: {owner: someone}
tasks:
  - task_id: a.1
    title: A title
    description: |
      Two lines
      of text.
    scope: docs
    priority: low
    ready: true
    status: in_progress
    allowed_paths: [docs/, docs/../x]
    acceptance_criteria: [it holds]
    dependencies: [b, unknown]
    estimated_size: large
    labels: [x]
    agent: writer
    verify: [unit, vet]
    timeout_seconds: 60
  - id: b
`)
	a := gateway.Task{ID: "a.1", Title: "A title", Description: "Two lines\nof text.\n", Scope: "docs", Priority: gateway.Low, Ready: true,
		Status: "in_progress", AllowedPaths: []string{"docs/", "docs/../x"}, AcceptanceCriteria: []string{"it holds"},
		Dependencies: []gateway.TaskID{"b", "unknown"}, EstimatedSize: "l", Labels: []string{"x"}, Agent: "writer", Verify: []string{"unit", "vet"},
		TimeoutSeconds: 60, Line: 5}
	b := gateway.Task{ID: "b", Priority: gateway.Medium, Status: "pending", AllowedPaths: []string{}, AcceptanceCriteria: []string{},
		Dependencies: []gateway.TaskID{}, Verify: []string{}, Line: 22}
	a.Digest, b.Digest = backlog.Digest(a, ""), backlog.Digest(b, "")
	want := &backlog.File{Tasks: []gateway.Task{a, b}, Invalid: []backlog.Entry{}, MaxOpenPRs: 2, Version: "1"}
	if diff := cmp.Diff(want, f); diff != "" {
		t.Error(diff)
	}
	if alone := parse(t, "- id: a\n- id: b\n"); len(alone.Tasks) != 2 || alone.Tasks[1].Line != 2 {
		t.Errorf("the list alone is %+v", alone)
	}
}

func TestSizes(t *testing.T) {
	for given, want := range map[string]string{"xs": "xs", "s": "s", "m": "m", "l": "l", "xl": "xl", "small": "s", "medium": "m", "large": "l"} {
		if f := parse(t, "- {id: a, estimated_size: "+given+"}\n"); len(f.Tasks) != 1 || f.Tasks[0].EstimatedSize != want {
			t.Errorf("%s is read as %+v", given, f)
		}
	}
}

// TestS01OnlyTheBooleanTrueIsReady holds that nothing else is, and that
// everything else leaves a trace.
func TestS01OnlyTheBooleanTrueIsReady(t *testing.T) {
	rows := []struct {
		ready, reason string // reason is empty for a valid task
		want          bool
	}{
		{"ready: true", "", true},
		{"ready: false", "", false},
		{"title: no ready at all", "", false},
		{`ready: "true"`, "line 2: ready must be the YAML boolean true, not a string", false},
		{"ready: 'true'", "line 2: ready must be the YAML boolean true, not a string", false},
		{"ready: yes", `line 2: ready must be the YAML boolean true, not the string "yes"`, false},
		{"ready: on", `line 2: ready must be the YAML boolean true, not the string "on"`, false},
		{"ready: 1", "line 2: ready must be the YAML boolean true, not a number", false},
		{"ready: True", "line 2: ready must be the YAML boolean true, in lower case, not True", false},
		{"ready:", "line 2: ready must be the YAML boolean true, not empty", false},
		{"ready: null", "line 2: ready must be the YAML boolean true, not empty", false},
		{"ready: [true]", "line 2: ready must be the YAML boolean true, not a list", false},
		{"ready: {a: true}", "line 2: ready must be the YAML boolean true, not a mapping", false},
		{"ready: !!bool true", "line 2: a tag (!) is refused; remove it", false},
		{"ready: &x true", "line 2: an anchor (&) is refused; remove it", false},
		{"ready: |\n    true", "line 2: ready must be the YAML boolean true, not a string", false},
		{"ready: false\n  ready: true", `line 3: the key "ready" is already at line 2`, false},
	}
	for _, row := range rows {
		f := parse(t, "- id: a\n  "+row.ready+"\n- id: z\n  ready: true\n")
		if row.reason == "" {
			if len(f.Tasks) != 2 || f.Tasks[0].Ready != row.want {
				t.Errorf("%q: %+v", row.ready, f)
			}
			continue
		}
		if len(f.Tasks) != 1 || f.Tasks[0].ID != "z" || len(f.Invalid) != 1 {
			t.Errorf("%q: %+v", row.ready, f)
			continue
		}
		want := backlog.Entry{ID: "a", Line: 1, Reasons: []gateway.Reason{{Code: "schedule.invalid_task", Message: row.reason}}}
		if diff := cmp.Diff(want, f.Invalid[0]); diff != "" {
			t.Errorf("%q: %s", row.ready, diff)
		}
	}
}

func TestBadTasksAreSetAsideAlone(t *testing.T) {
	rows := []struct{ task, want string }{
		{"just a string", "2:3: a task must be a mapping, not a string"},
		{"", "2:2: a task must be a mapping, not empty"},
		{"[a]", "2:3: a task must be a mapping, not a list"},
		{"*x", "2:3: an alias (*) is refused"},
		{"title: x", "2:3: the key id is missing"},
		{"id: 7", `2:7: id must be a string, not a number; put "7" in quotes`},
		{"id: a b", `2:7: id "a b" must be 1 to 128 letters`},
		{"id: ../x", `2:7: id "../x" must be`},
		{"{id: a, task_id: b}", `task_id "b" contradicts id "a"`},
		{"{id: a, title: [x]}", "2:18: title must be a string, not a list"},
		{"{id: a, title: 3}", "title must be a string, not a number"},
		{"{id: a, description: ~}", "description must be a string, not empty"},
		{`{id: a, title: "x\u0007"}`, "title has control characters in it"},
		{"{id: a, scope: {x: y}}", "scope must be a string, not a mapping"},
		{"{id: a, priority: urgent}", `priority must be one of high, medium, low, not "urgent"`},
		{"{id: a, status: done}", `status must be one of pending, open, in_progress, completed, blocked, failed, not "done"`},
		{"{id: a, allowed_paths: docs/}", "allowed_paths must be a list, not a string"},
		{"{id: a, allowed_paths: [1]}", "allowed_paths[0] must be a string, not a number"},
		{"{id: a, allowed_paths: [/etc]}", `allowed_paths[0] "/etc" must be relative`},
		{`{id: a, allowed_paths: ['a\b']}`, "has a backslash"},
		{`{id: a, allowed_paths: ["a\tb"]}`, "has control characters in it"},
		{`{id: a, allowed_paths: [""]}`, "allowed_paths[0] is empty"},
		{"{id: a, acceptance_criteria: [{x: y}]}", "acceptance_criteria[0] must be a string, not a mapping"},
		{"{id: a, dependencies: [a b]}", `dependencies[0] "a b" is not the id of a task`},
		{"{id: a, estimated_size: huge}", "estimated_size must be one of"},
		{"{id: a, labels: x}", "labels must be a list, not a string"},
		{`{id: a, agent: ""}`, "agent is empty"},
		{"{id: a, verify: [{command: [x]}]}", "verify[0] must be a string, not a mapping"},
		{"{id: a, verify: [u, u]}", `verify[1] "u" is there twice`},
		{"{id: a, timeout_seconds: 0}", "timeout_seconds must be from 1 to 86400"},
		{`{id: a, timeout_seconds: "9"}`, "timeout_seconds must be a decimal integer, not a string"},
		{"{id: a, x: *y}", "an alias (*) is refused"},
		{"{id: a, title: " + strings.Repeat("x", backlog.MaxStringBytes+1) + "}", "title has 65537 bytes"},
	}
	for _, row := range rows {
		f := parse(t, "tasks:\n- "+row.task+"\n- {id: z, ready: true}\n")
		if len(f.Tasks) != 1 || f.Tasks[0].ID != "z" || len(f.Invalid) != 1 || f.Invalid[0].Line != 2 {
			t.Errorf("%s: %+v", row.task, f)
			continue
		}
		if !contains(f.Diagnostics, row.want) {
			t.Errorf("%s: no diagnostic has %q: %v", row.task, row.want, f.Diagnostics)
		}
		for _, r := range f.Invalid[0].Reasons {
			if r.Code != backlog.CodeInvalidTask || !strings.HasPrefix(r.Message, "line 2: ") {
				t.Errorf("%s: the reason is %+v", row.task, r)
			}
		}
	}
}

func contains(diags []gateway.Diagnostic, want string) bool {
	for _, d := range diags {
		if strings.Contains(d.String(), want) {
			return true
		}
	}
	return false
}

func TestUnknownKeysAreWarnings(t *testing.T) {
	f := parse(t, "owner: me\ntasks:\n  - {id: a, redy: true, dependencies: [b, b]}\n")
	if len(f.Tasks) != 1 || f.Tasks[0].Ready || len(f.Invalid) != 0 || len(f.Tasks[0].Dependencies) != 1 {
		t.Fatalf("the file is %+v", f)
	}
	var got []string
	for _, d := range f.Diagnostics {
		got = append(got, d.String())
	}
	want := []string{`backlog.yaml:1:1: warning: unknown key "owner"`, `backlog.yaml:3:13: warning: unknown key "redy"; did you mean ready?`,
		`backlog.yaml:3:43: warning: dependencies[1] "b" is there twice`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestDuplicateIDsAreAllSetAside(t *testing.T) {
	f := parse(t, "- {id: a, ready: true}\n- {id: b}\n- {task_id: a}\n- {id: a, priority: 1}\n")
	if len(f.Tasks) != 1 || f.Tasks[0].ID != "b" || len(f.Invalid) != 3 {
		t.Fatalf("the file is %+v", f)
	}
	for i, others := range []string{"3, 4", "1, 4", "1, 3"} {
		r := f.Invalid[i].Reasons[len(f.Invalid[i].Reasons)-1]
		if r.Code != backlog.CodeDuplicateID || !strings.Contains(r.Message, "the id a stands also at line "+others) {
			t.Errorf("entry %d has the reason %+v", i, r)
		}
	}
}

func TestCycles(t *testing.T) {
	rows := []struct {
		text    string
		invalid map[gateway.TaskID]string
	}{
		{"- {id: a, dependencies: [a]}\n", map[gateway.TaskID]string{"a": "a → a"}},
		{"- {id: a, dependencies: [b]}\n- {id: b, dependencies: [c]}\n- {id: c, dependencies: [a]}\n- {id: d, dependencies: [a]}\n- {id: e}\n",
			map[gateway.TaskID]string{"a": "a → b → c → a", "b": "a → b → c → a", "c": "a → b → c → a"}},
		{"- {id: a, dependencies: [b, none]}\n- {id: b, dependencies: [none]}\n", nil},
		{"- {id: a, dependencies: [b]}\n- {id: b, dependencies: [a]}\n- {id: c, dependencies: [d]}\n- {id: d, dependencies: [c]}\n",
			map[gateway.TaskID]string{"a": "a → b → a", "b": "a → b → a", "c": "c → d → c", "d": "c → d → c"}},
	}
	for _, row := range rows {
		got := map[gateway.TaskID]string{}
		f := parse(t, row.text)
		for _, e := range f.Invalid {
			if e.Reasons[0].Code != backlog.CodeCycle {
				t.Errorf("%s: %+v", e.ID, e.Reasons)
			}
			got[e.ID] = strings.TrimPrefix(e.Reasons[0].Message, "its dependencies form a cycle: ")
		}
		if diff := cmp.Diff(row.invalid, got); len(row.invalid)+len(got) > 0 && diff != "" {
			t.Error(diff)
		}
	}
}

func TestLongChainsAndCycles(t *testing.T) {
	const size = 5000
	var b strings.Builder
	for i := range size {
		fmt.Fprintf(&b, "- {id: t%d, dependencies: [t%d]}\n", i, i+1)
	}
	if f := parse(t, b.String()); len(f.Tasks) != size {
		t.Errorf("of a chain %d tasks are valid", len(f.Tasks))
	}
	fmt.Fprintf(&b, "- {id: t%d, dependencies: [t0]}\n", size)
	if f := parse(t, b.String()); len(f.Invalid) != size+1 || len(f.Invalid[0].Reasons[0].Message) > 300 {
		t.Errorf("of a cycle %d tasks are invalid", len(f.Invalid))
	}
}

func TestFilesThatCannotBeUsed(t *testing.T) {
	rows := map[string]struct{ text, want string }{
		"empty":             {"", "backlog.yaml:1:1: the file is empty"},
		"no tasks":          {"version: 1\n", "backlog.yaml:1:1: the key tasks is missing"},
		"tasks are none":    {"tasks:\n", "backlog.yaml:1:8: tasks must be a list, not empty"},
		"tasks are a map":   {"tasks: {a: b}\n", "backlog.yaml:1:8: tasks must be a list, not a mapping"},
		"a string":          {"hello\n", "backlog.yaml:1:1: the file must be a mapping, not a string"},
		"broken":            {"tasks: [\n", "backlog.yaml:1:8: not YAML: "},
		"two documents":     {"tasks: []\n---\ntasks: []\n", "backlog.yaml:2:1: a second document begins"},
		"limit of no use":   {"max_open_prs: 0\ntasks: []\n", "backlog.yaml:1:15: max_open_prs must be from 1 to"},
		"limit of no type":  {"max_open_prs: \"1\"\ntasks: []\n", "max_open_prs must be a decimal integer, not a string"},
		"tasks twice":       {"tasks: []\ntasks: []\n", `backlog.yaml:2:1: the key "tasks" is already at line 1`},
		"too large":         {"tasks: []\n#" + strings.Repeat("x", backlog.MaxBytes), "bytes; at most 4194304 are read"},
		"too many tasks":    {"[" + strings.Repeat("1,", backlog.MaxTasks+1) + "]", "the backlog has 50001 tasks; at most 50000 are read"},
		"not UTF-8":         {"tasks: [\xff]\n", "backlog.yaml:1:9: the file is not UTF-8"},
		"nested too deeply": {strings.Repeat("[", 1000), "nested deeper than 64 levels"},
	}
	for name, row := range rows {
		f, err := backlog.Parse("backlog.yaml", []byte(row.text))
		var broken *backlog.Error
		if f != nil || !errors.As(err, &broken) || len(broken.Diagnostics) == 0 || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
}

func TestRelease04BacklogLoads(t *testing.T) {
	f := parse(t, string(sample(t, "backlog-0.4.yaml")))
	if len(f.Tasks) != 5 || len(f.Invalid) != 0 || len(f.Diagnostics) != 0 {
		t.Fatalf("the file is %+v", f)
	}
	lines := []int{}
	for _, task := range f.Tasks {
		lines = append(lines, task.Line)
	}
	if diff := cmp.Diff([]int{5, 34, 64, 97, 130}, lines); diff != "" {
		t.Error(diff)
	}
	if !f.Tasks[0].Ready || f.Tasks[1].Ready || f.Tasks[2].EstimatedSize != "m" {
		t.Errorf("the tasks are %+v", f.Tasks)
	}
}

func TestSampleBacklog(t *testing.T) {
	f := parse(t, string(sample(t, "backlog-sample.yaml")))
	if len(f.Tasks) != 9 || len(f.Invalid) != 1 || f.Invalid[0].ID != "quoted-ready" || f.Version != "1" {
		t.Fatalf("the file is %+v", f)
	}
	for _, task := range f.Tasks {
		if task.ID == "climbs-out" && task.AllowedPaths[0] != "docs/../.github/workflows/x.yml" {
			t.Errorf("the path is not kept as written: %q", task.AllowedPaths)
		}
	}
}

func TestDigest(t *testing.T) {
	base := gateway.Task{ID: "a", AllowedPaths: []string{"docs/"}}
	// The RFC 8785 form, written by hand:
	// {"acceptance_criteria":[],"agent":"scaffold","allowed_paths":["docs/"],"dependencies":[],"description":"","id":"a","scope":"","title":"","verify":[]}
	const want = "sha256:958558c93693eda8e2c0688829bae779c8026c17af9e7ba327316c1800022d9e"
	if got := backlog.Digest(base, "scaffold"); got != want {
		t.Errorf("the digest is %s, not %s", got, want)
	}
	named := base
	named.Agent = "scaffold"
	if backlog.Digest(named, "other") != want {
		t.Error("a default that is written out changes the digest")
	}
	for name, change := range map[string]func(*gateway.Task){
		"title": func(t *gateway.Task) { t.Title = "x" }, "description": func(t *gateway.Task) { t.Description = "x" },
		"scope": func(t *gateway.Task) { t.Scope = "x" }, "allowed_paths": func(t *gateway.Task) { t.AllowedPaths = []string{"x"} },
		"acceptance_criteria": func(t *gateway.Task) { t.AcceptanceCriteria = []string{"x"} },
		"dependencies":        func(t *gateway.Task) { t.Dependencies = []gateway.TaskID{"x"} },
		"agent":               func(t *gateway.Task) { t.Agent = "x" }, "verify": func(t *gateway.Task) { t.Verify = []string{"x"} },
		"id": func(t *gateway.Task) { t.ID = "x" },
	} {
		other := base
		if change(&other); backlog.Digest(other, "scaffold") == want {
			t.Errorf("another %s leaves the digest", name)
		}
	}
	same := base
	same.Ready, same.Status, same.Priority, same.Line, same.Labels, same.TimeoutSeconds = true, "failed", gateway.High, 9, []string{"x"}, 5
	if backlog.Digest(same, "scaffold") != want {
		t.Error("what does not make the task changes the digest")
	}
}

func BenchmarkParse10000(b *testing.B) {
	var text strings.Builder
	text.WriteString("version: \"1\"\ntasks:\n")
	for i := range 10_000 {
		fmt.Fprintf(&text, "  - id: task-%d\n    title: Write page %d\n    scope: docs\n    priority: high\n    ready: true\n    allowed_paths: [docs/%d.md]\n", i, i, i)
		fmt.Fprintf(&text, "    acceptance_criteria:\n      - the page exists\n      - it says which version it describes\n    dependencies: []\n")
	}
	b.SetBytes(int64(text.Len()))
	for b.Loop() {
		if f, err := backlog.Parse("backlog.yaml", []byte(text.String())); err != nil || len(f.Tasks) != 10_000 {
			b.Fatal(err)
		}
	}
}
