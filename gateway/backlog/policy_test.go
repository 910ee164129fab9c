package backlog_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leviathan/gateway/backlog"
)

func TestPolicyForms(t *testing.T) {
	rows := []struct{ text, want string }{
		{"version: \"1\"\n", `{"allowed_paths":null,"forbidden_paths":[],"scope_constraints":{},"safety_rules":{},"file_size_limits":{"max_file_size_kb":{}}}`},
		{"allowed_paths: [docs/**]\nforbidden_paths: ['*.key']\n",
			`{"allowed_paths":["docs/**"],"forbidden_paths":["*.key"],"scope_constraints":{},"safety_rules":{},"file_size_limits":{"max_file_size_kb":{}}}`},
		{"allowed_paths: []\n", `{"allowed_paths":[],"forbidden_paths":[],"scope_constraints":{},"safety_rules":{},"file_size_limits":{"max_file_size_kb":{}}}`},
		{"allowed_paths: {}\n", `{"allowed_paths":{},"forbidden_paths":[],"scope_constraints":{},"safety_rules":{},"file_size_limits":{"max_file_size_kb":{}}}`},
		{"allowed_paths: {docs: ['docs/**']}\nscope_constraints: {docs: {max_files_per_task: 3, allowed_operations: []}}\n" +
			"safety_rules: {max_attempts_per_task: 1, backoff_seconds: 2, max_concurrent_attempts: 3, max_tasks_per_day: 4, require_conventional_commit: true}\n" +
			"file_size_limits: {max_file_size_kb: {'*.md': 5}}\n",
			`{"allowed_paths":{"docs":["docs/**"]},"forbidden_paths":[],"scope_constraints":{"docs":{"max_files_per_task":3,"allowed_operations":[]}},` +
				`"safety_rules":{"max_attempts_per_task":1,"backoff_seconds":2,"max_concurrent_attempts":3,"max_tasks_per_day":4,"require_conventional_commit":true},` +
				`"file_size_limits":{"max_file_size_kb":{"*.md":5}}}`},
	}
	for _, row := range rows {
		p, diags, err := backlog.ParsePolicy("policy.yaml", []byte(row.text))
		if err != nil || len(diags) != 0 {
			t.Errorf("%q: %v, %v", row.text, err, diags)
			continue
		}
		got, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(row.want, string(got)); diff != "" {
			t.Errorf("%q: %s", row.text, diff)
		}
		var back backlog.TargetPolicy
		if err := json.Unmarshal(got, &back); err != nil {
			t.Fatal(err)
		}
		if again, err := json.Marshal(back); err != nil || string(again) != string(got) {
			t.Errorf("read back it is %s, %v", again, err)
		}
	}
}

func TestPolicyThatIsRefused(t *testing.T) {
	rows := []struct{ text, want string }{
		{"", "policy.yaml:1:1: the file is empty"},
		{"- a\n", "policy.yaml:1:1: the file must be a mapping, not a list"},
		{"allowed_paths: docs/**\n", "policy.yaml:1:16: allowed_paths must be a list of globs or a mapping from scope to one, not a string"},
		{"allowed_paths:\n", "allowed_paths must be a list of globs or a mapping from scope to one, not empty"},
		{"allowed_paths: {docs: x}\n", "allowed_paths.docs must be a list, not a string"},
		{"allowed_paths: {docs: [a], docs: [b]}\n", `the key "docs" is already at line 1`},
		{"allowed_paths: *x\n", "an alias (*) is refused"},
		{"forbidden_paths: {a: b}\n", "forbidden_paths must be a list, not a mapping"},
		{"forbidden_paths: [1]\n", "forbidden_paths[0] must be a string, not a number"},
		{"forbidden_paths: [/etc]\n", "must be relative to the repository's root"},
		{"forbidden_paths: [secrets/]\n", `matches no file; write "secrets/**"`},
		{"forbidden_paths: ['a{b']\n", "has brackets that do not close"},
		{"forbidden_paths: ['']\n", "forbidden_paths[0] is empty"},
		{"scope_constraints: [docs]\n", "scope_constraints must be a mapping, not a list"},
		{"scope_constraints: {docs: 3}\n", "scope_constraints.docs must be a mapping, not a number"},
		{"scope_constraints: {docs: {max_files_per_task: 0}}\n", "scope_constraints.docs.max_files_per_task must be from 1 to"},
		{"scope_constraints: {docs: {allowed_operations: create}}\n", "allowed_operations must be a list, not a string"},
		{"scope_constraints: {docs: {allowed_operations: [rename]}}\n", "must be one of create, update, delete"},
		{"safety_rules: []\n", "safety_rules must be a mapping, not a list"},
		{"safety_rules: {max_attempts_per_task: '3'}\n", "safety_rules.max_attempts_per_task must be a decimal integer, not a string"},
		{"safety_rules: {max_tasks_per_day: 0}\n", "safety_rules.max_tasks_per_day must be from 1 to"},
		{"safety_rules: {max_concurrent_attempts: 1.5}\n", "safety_rules.max_concurrent_attempts must be a decimal integer"},
		{"safety_rules: {backoff_seconds: -1}\n", "safety_rules.backoff_seconds must be from 0 to"},
		{"safety_rules: {require_conventional_commit: yes}\n", "safety_rules.require_conventional_commit must be the YAML boolean"},
		{"file_size_limits: 3\n", "file_size_limits must be a mapping, not a number"},
		{"file_size_limits: {max_file_size_kb: 3}\n", "file_size_limits.max_file_size_kb must be a mapping, not a number"},
		{"file_size_limits: {max_file_size_kb: {'*.md': big}}\n", "file_size_limits.max_file_size_kb.*.md must be a decimal integer"},
	}
	for _, row := range rows {
		p, diags, err := backlog.ParsePolicy("policy.yaml", []byte(row.text))
		var broken *backlog.Error
		if p != nil || !errors.As(err, &broken) || !contains(diags, row.want) || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%q: no diagnostic has %q: %v, %v", row.text, row.want, diags, err)
		}
	}
}

func TestRelease04PolicyLoads(t *testing.T) {
	p, diags, err := backlog.ParsePolicy("policy.yaml", sample(t, "policy-0.4.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if len(p.AllowedPaths.ByScope) != 4 || len(p.ForbiddenPaths) != 13 || p.ScopeConstraints["core"].MaxFilesPerTask != 5 ||
		p.SafetyRules.MaxTasksPerDay != 10 || p.FileSizeLimits.MaxFileSizeKB["*.py"] != 2000 {
		t.Errorf("the policy is %+v", p)
	}
	for _, key := range []string{"scope_constraints.core.requires_documentation", "safety_rules.require_lint_pass", "safety_rules.max_artifact_size_mb", "code_style"} {
		if !contains(diags, `warning: unknown key "`+key+`"`) || !contains(diags, "(it is not enforced)") {
			t.Errorf("%s is not listed: %v", key, diags)
		}
	}
	if len(diags) != 12 {
		t.Errorf("%d keys are listed: %v", len(diags), diags)
	}
}
