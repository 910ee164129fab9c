package backlog_test

import (
	"errors"
	"testing"

	"leviathan/gateway"
	"leviathan/gateway/backlog"
)

// FuzzParse holds that no input breaks the reader, that a file is there or an
// error, and that no task with an error is among the valid ones.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"", "- id: a\n  ready: true\n", "tasks:\n  - {id: a, dependencies: [a]}\n", "- id: a\n- id: a\n", "tasks: [*x]\n",
		"- id: a\n  description: |\n    x\n\n    y\n  ready: yes\n", "{tasks: [{id: a, ready: !!bool true}]}", "? - a\n: b\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := backlog.Parse("backlog.yaml", data)
		var broken *backlog.Error
		if (file == nil) != errors.As(err, &broken) {
			t.Fatalf("the file is %v, the error %v", file, err)
		}
		if file == nil {
			return
		}
		seen := map[gateway.TaskID]bool{}
		for _, task := range file.Tasks {
			if !task.ID.Valid() || task.Line < 1 || task.Digest == "" || seen[task.ID] {
				t.Fatalf("a valid task is %+v", task)
			}
			seen[task.ID] = true
		}
		for _, e := range file.Invalid {
			if len(e.Reasons) == 0 || e.Line < 1 || seen[e.ID] {
				t.Fatalf("an invalid task is %+v", e)
			}
		}
	})
}

// FuzzParsePolicy holds that a policy and an error never come together.
func FuzzParsePolicy(f *testing.F) {
	for _, seed := range []string{"", "allowed_paths: [a]\n", "allowed_paths: {a: [b]}\n", "safety_rules: {max_tasks_per_day: 1}\n", "forbidden_paths: ['[']\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		policy, diags, err := backlog.ParsePolicy("policy.yaml", data)
		failed := false
		for _, d := range diags {
			failed = failed || !d.Warning
		}
		if (policy == nil) != (err != nil) || failed != (err != nil) {
			t.Fatalf("the policy is %v, the error %v, the diagnostics %v", policy, err, diags)
		}
	})
}
