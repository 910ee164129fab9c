package engine_test

import (
	"context"
	"strings"
	"testing"
	"testing/fstest"

	"leviathan/gateway/engine"
)

// gate takes the bundle through the gate.
func gate(t *testing.T, bundle fstest.MapFS, opts engine.TestOptions) (*engine.Snapshot, []engine.StepResult, error) {
	t.Helper()
	return engine.Gate(t.Context(), opts, func(ctx context.Context) (*engine.Snapshot, error) {
		return engine.LoadFS(ctx, bundle, engine.Options{})
	})
}

// reading is a bundle that passes the gate, with a module that has the text in
// the package leviathan.extra.
func reading(text string) fstest.MapFS {
	bundle := numbered(1)
	bundle["extra/extra.rego"] = &fstest.MapFile{Data: []byte("package leviathan.extra\n\n" + text + "\n")}
	return bundle
}

func TestGateKnowsTheInput(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		line int
		says string
	}{
		"a misspelt part":            {"x if input.atempt.state == \"running\"", 3, "input.atempt"},
		"a misspelt field":           {"x if input.attempt.sate == \"running\"", 3, "input.attempt.sate"},
		"deep down":                  {"y := 1\n\nx if input.config.values.limits.max_flies > y", 5, "max_flies"},
		"in a comprehension":         {"x := {c.paht | some c in input.changes}", 3, "paht"},
		"through a name":             {"x if {\n\ta := input.attempt\n\ta.sate == \"running\"\n}", 5, "sate"},
		"negated":                    {"x if not input.halt.everything", 3, "input.halt.everything"},
		"of a list":                  {"x contains p if {\n\tsome i\n\tp := input.changes[i].name\n}", 5, "name"},
		"of a task":                  {"x if input.task_now.task.alowed_paths", 3, "alowed_paths"},
		"a builtin's wrong argument": {"x if startswith(input.action, 1)", 3, "startswith"},
	} {
		t.Run(name, func(t *testing.T) {
			s, steps, err := gate(t, reading(tc.text), engine.TestOptions{})
			if err == nil || s != nil {
				t.Fatal("it passed")
			}
			e := loadError(t, err)
			want := engine.StepSchema
			if strings.Contains(tc.text, "startswith") {
				want = engine.StepCompile // known without the schema
			}
			if e.Step != want || e.Problems[0].File != "extra/extra.rego" || e.Problems[0].Line != tc.line || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v", err)
			}
			if last := steps[len(steps)-1]; last.Step != want || last.Held || len(last.Problems) == 0 {
				t.Errorf("the last step is %+v", last)
			}
		})
	}
}

func TestGateLeavesOpenWhatIsOpen(t *testing.T) {
	for name, text := range map[string]string{
		"context":             "x if input.context.anything.at.all == 1",
		"properties":          "x if input.resource.properties.anything == 1",
		"a task by id":        "x if input.backlog.tasks[\"t-1\"].anything",
		"an agent by name":    "x if input.config.values.agents.scribe.env.MODEL == \"small\"",
		"halt is null":        "x if input.halt.all == null",
		"config is null":      "x if is_null(input.config.values)",
		"task is null":        "x if is_null(input.task_now.task)",
		"a key from the task": "x if {\n\tsome key in {\"scope\", \"title\"}\n\tinput.attempt.task[key] != input.task_now.task[key]\n}",
		"everything":          "x := object.keys(input)",
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := gate(t, reading(text), engine.TestOptions{}); err != nil {
				t.Error(err)
			}
		})
	}
}

// A check is asked about a repository, and not about the gateway's input.
func TestGateLeavesChecksAlone(t *testing.T) {
	bundle := reading("y := 1")
	bundle["invariants/own/own.rego"] = &fstest.MapFile{Data: []byte("package leviathan.invariants.own\n\nx := input.documents.anything\n")}
	if _, _, err := gate(t, bundle, engine.TestOptions{}); err != nil {
		t.Error(err)
	}
}
