package autonomy_test

import (
	"path/filepath"
	"strings"
	"testing"

	"leviathan/gateway/autonomy"
)

// with replaces or appends one top-level key of the minimal config.
func with(key, value string) string {
	var lines []string
	for line := range strings.Lines(minimal) {
		if !strings.HasPrefix(line, key+":") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "") + key + ": " + value + "\n"
}

func TestValuesThatAreRefused(t *testing.T) {
	rows := []struct{ key, value, want string }{
		{"target_id", "Demo", `target_id "Demo" must be 1 to 63 of a-z`},
		{"target_id", "17", `target_id must be a string, not a number; put "17" in quotes`},
		{"target_id", `"-x"`, "target_id"},
		{"target_branch", "refs/heads/main", "must be the name without refs/heads/"},
		{"target_branch", "agent/x", "those are the branches of attempts"},
		{"target_branch", "a..b", "is not a name that git allows for a branch"},
		{"target_branch", "a//b", "is not a name that git allows for a branch"},
		{"target_branch", `""`, "is empty"},
		{"target_repo_url", "git@github.com:example/demo.git", `must be https, not ssh; write "https://github.com/example/demo.git"`},
		{"target_repo_url", "ssh://git@github.com/example/demo.git", `must be https, not ssh; write "https://github.com/example/demo.git"`},
		{"target_repo_url", "https://user:hunter2@example.org/x.git", "has user info in it"},
		{"target_repo_url", "https://example.org/x.git?y=1", "has a query in it"},
		{"target_repo_url", `"https://example.org/x.git#y"`, "has a fragment in it"},
		{"target_repo_url", "http://example.org/x.git", "plain http is only for a loopback host"},
		{"target_repo_url", "https://example.org", "names no repository"},
		{"target_repo_url", "https:///x.git", "has no host"},
		{"target_repo_url", "https://example.org/a/../b.git", "components in its path"},
		{"target_repo_url", "ftp://example.org/x.git", "must be https"},
		{"target_repo_url", "file:///srv/x.git", `write "/srv/x.git"`},
		{"target_repo_url", "github.com/example/demo", `has no scheme; write "https://github.com/example/demo"`},
		{"target_repo_url", `"~/x.git"`, "is not expanded"},
		{"target_repo_url", "/", "is the root folder"},
		{"target_repo_url", `""`, "is empty"},
		{"allowed_path_prefixes", "[]", "allowed_path_prefixes is empty"},
		{"allowed_path_prefixes", "docs/", "allowed_path_prefixes must be a list, not a string"},
		{"allowed_path_prefixes", `[""]`, "would allow everything"},
		{"allowed_path_prefixes", `["/"]`, "must be relative to the repository's root"},
		{"allowed_path_prefixes", `["."]`, "has the component ."},
		{"allowed_path_prefixes", `[".."]`, "has the component .."},
		{"allowed_path_prefixes", `[docs/../src/]`, "has the component .."},
		{"allowed_path_prefixes", `[docs//a]`, "has an empty component"},
		{"allowed_path_prefixes", `[docs/.GIT/]`, "names git's own folder"},
		{"allowed_path_prefixes", `['docs\a']`, "has a backslash"},
		{"allowed_path_prefixes", `["docs/\u0007"]`, "has control characters in it"},
		{"allowed_path_prefixes", `["docs/\u202e"]`, "has control characters in it"},
		{"allowed_path_prefixes", `[docs/, docs/]`, "is already at line 4"},
		{"allowed_path_prefixes", `[docs/, 3]`, "allowed_path_prefixes[1] must be a string, not a number"},
		{"max_open_prs", "0", "max_open_prs must be from 1 to"},
		{"max_open_prs", "-1", "max_open_prs must be from 1 to"},
		{"max_open_prs", "1.0", `max_open_prs must be a decimal integer, not the number "1.0"`},
		{"max_open_prs", "0x1", `max_open_prs must be a decimal integer, not the number "0x1"`},
		{"max_open_prs", `"1"`, "max_open_prs must be a decimal integer, not a string"},
		{"max_open_prs", "99999999999999999999", "max_open_prs must be from 1 to"},
		{"max_running_attempts", "0", "max_running_attempts must be from 1 to"},
		{"max_attempts_per_task", "101", "max_attempts_per_task must be from 1 to 100"},
		{"circuit_breaker_failures", "0", "circuit_breaker_failures must be from 1 to"},
		{"attempt_timeout_seconds", "86401", "attempt_timeout_seconds must be from 1 to 86400"},
		{"schedule_cron", `"@hourly"`, "must have five fields"},
		{"schedule_cron", `"* * * * * *"`, "must have five fields"},
		{"schedule_cron", `"TZ=UTC * * * * *"`, "must have five fields"},
		{"schedule_cron", `"TZ=0"`, "must have five fields"},
		{"schedule_cron", `"61 * * * *"`, "schedule_cron"},
		{"schedule_cron", `"0 0 30 2 *"`, "never comes"},
		{"control_plane_url", "leviathan:8000", "control_plane_url must begin with http:// or https://"},
		{"control_plane_url", "http://u:p@x:8000", "has user info in it"},
		{"worker_image", `"-x"`, "worker_image"},
		{"worker_namespace", "A_b", "worker_namespace"},
		{"workspace_dir", "work", "must be an absolute path"},
		{"workspace_dir", "/", "must not be the root folder"},
		{"workspace_dir", "/a/../b", "components"},
		{"agents", "{}", "agents is empty"},
		{"agents", "{A: {type: scaffold}}", `agents: the name "A" must be`},
		{"agents", "{a: {type: shell}}", "agents.a.type must be one of command, scaffold"},
		{"agents", "{a: {}}", "the key agents.a.type is missing"},
		{"agents", "{a: {type: command}}", "the key agents.a.command is missing"},
		{"agents", "{a: {type: command, command: []}}", "agents.a.command must begin with a program"},
		{"agents", "{a: {type: command, command: run me}}", "agents.a.command must be a list of words, not a string"},
		{"agents", "{a: {type: command, command: [x, sk-abcdef]}}", "agents.a.command[1] looks like a token"},
		{"agents", "{a: {type: scaffold, command: [x]}}", "agents.a.command is only for agents of type command"},
		{"agents", "{a: {type: command, command: [x], stdin: file}}", "agents.a.stdin must be one of none, prompt"},
		{"agents", "{a: {type: command, command: [x], sandbox: none}}", "agents.a.sandbox must be one of required, off"},
		{"agents", "{a: {type: command, command: [x], task_selectable: yes}}", "agents.a.task_selectable must be the YAML boolean"},
		{"agents", "{a: {type: command, command: [x], memory_mb: 0}}", "agents.a.memory_mb must be from 1 to"},
		{"agents", "{a: {type: command, command: [x], output_max_kb: 0}}", "agents.a.output_max_kb must be from 1 to"},
		{"agents", "{a: {type: command, command: [x], comand: [y]}}", `unknown key "agents.a.comand"; did you mean command?`},
		{"agents", "{a: {type: command, command: [x], env: {LD_PRELOAD: /x.so}}}", "agents.a.env.LD_PRELOAD is set by Leviathan or changes what runs"},
		{"agents", "{a: {type: command, command: [x], env: {N: 1}}}", "agents.a.env.N must be a string, not a number; put it in quotes"},
		{"agents", "{a: {type: command, command: [x], env: {A-B: x}}}", "is not a name for a variable"},
		{"agents", "{a: {type: command, command: [x], env_from: [key]}}", `agents.a.env_from[0] "key" must be a name of A-Z`},
		{"agents", "{a: {type: command, command: [x], env_from: [GITHUB_TOKEN]}}", "cannot be passed on"},
		{"agents", "{a: {type: command, command: [x], env_from: [LEVIATHAN_X]}}", "cannot be passed on"},
		{"agents", "{a: {type: command, command: [x], env_from: [LD_LIBRARY_PATH]}}", "cannot be passed on"},
		{"agents", "{a: {type: command, command: [x], env_from: [PATH]}}", "cannot be passed on"},
		{"agents", "{a: {type: command, command: [x], env_from: [HOME]}}", "cannot be passed on"},
		{"agents", "{a: {type: command, command: [x], env_from: [K, K]}}", "is there twice"},
		{"agents", "{a: {type: command, command: [x], env: {K: v}, env_from: [K]}}", "is in env too"},
		{"agents", "{a: {type: scaffold}, b: {type: scaffold}}", "the key default_agent is missing; with several agents (a, b) it is required"},
		{"default_agent", "other", "default_agent must be one of scaffold, not"},
		{"verify", "{V: {command: [x]}}", `verify: the name "V" must be`},
		{"verify", "{v: {}}", "the key verify.v.command is missing"},
		{"verify", "{v: {command: [x], timeout_seconds: 0}}", "verify.v.timeout_seconds must be from 1 to 86400"},
		{"sandbox", "{mode: off}", "sandbox.mode must be one of required, optional"},
		{"sandbox", "{read: [etc]}", "sandbox.read[0]"},
		{"sandbox", "{connect_ports: [0]}", "sandbox.connect_ports[0] must be from 1 to 65535"},
		{"sandbox", "{connect_ports: [65536]}", "sandbox.connect_ports[0] must be from 1 to 65535"},
		{"limits", "{max_tasks_per_day: -1}", "limits.max_tasks_per_day must be from 0 to"},
		{"limits", "{max_files: 0}", "limits.max_files must be from 1 to"},
		{"limits", "{retry_backoff_seconds: 10, retry_backoff_max_seconds: 5}", "limits.retry_backoff_max_seconds (5) must be at least limits.retry_backoff_seconds (10)"},
		{"limits", "{heartbeat_seconds: 30}", "limits.lease_seconds (60) must be more than twice limits.heartbeat_seconds (30)"},
		{"circuit", "{cooldown_seconds: 30000}", "circuit.cooldown_max_seconds (21600) must be at least circuit.cooldown_seconds (30000)"},
	}
	for _, row := range rows {
		t.Run(row.key+" "+row.value, func(t *testing.T) {
			cfg, diags := autonomy.Parse("dev.yaml", []byte(with(row.key, row.value)))
			if cfg != nil {
				t.Fatal("it is a valid config")
			}
			if !contains(diags, row.want) {
				t.Fatalf("no diagnostic has %q: %v", row.want, diags)
			}
			for _, d := range diags {
				if d.Line == 0 || d.Col == 0 {
					t.Errorf("a diagnostic has no place: %v", d)
				}
				if strings.Contains(d.Message, "hunter2") {
					t.Errorf("a diagnostic repeats a password: %v", d)
				}
			}
		})
	}
}

func TestEachLimitIsAtLeastOne(t *testing.T) {
	for _, key := range []string{"retry_backoff_seconds", "retry_backoff_max_seconds", "heartbeat_seconds", "lease_seconds", "start_deadline_seconds",
		"fact_max_age_seconds", "max_files", "max_file_kb", "max_pack_mb", "max_push_attempts"} {
		cfg, diags := autonomy.Parse("dev.yaml", []byte(with("limits", "{"+key+": 0}")))
		if cfg != nil || !contains(diags, "limits."+key+" must be from 1 to") {
			t.Errorf("%s: 0 is taken: %v", key, diags)
		}
	}
}

func TestValuesThatAreTaken(t *testing.T) {
	for _, row := range [][2]string{
		{"target_repo_url", "/srv/git/demo.git"}, {"target_repo_url", "http://localhost/x"}, {"target_repo_url", "http://[::1]:80/x"},
		{"target_repo_url", "https://example.org:8443/a/b"}, {"target_branch", "feature/x-1"}, {"limits", "{max_tasks_per_day: 0}"},
		{"schedule_cron", `"0 0 29 2 *"`}, {"allowed_path_prefixes", `[README.md, "a b/", ünï/]`},
		{"agents", "{a: {type: command, command: [x], env: {LANG: C.UTF-8, URL: https://example.org/v1/models/some-long-model-name}}}"},
	} {
		if cfg, diags := autonomy.Parse("dev.yaml", []byte(with(row[0], row[1]))); cfg == nil {
			t.Errorf("%s: %s is refused: %v", row[0], row[1], diags)
		}
	}
}

func TestWarnings(t *testing.T) {
	rows := []struct{ key, value, want string }{
		{"allowed_path_prefixes", "[docs/, docs/.github/]", `"docs/.github/" is a protected path and stays denied`},
		{"allowed_path_prefixes", "[.GitModules]", "is a protected path"},
		{"allowed_path_prefixes", "[Jenkinsfile.prod]", "is a protected path"},
		{"allowed_path_prefixes", "[docs/*.md]", "match only themselves"},
		{"agents", "{a: {type: command, command: [x], sandbox: off}}", "agents.a runs without a sandbox"},
		{"target_repo_url", "../demo.git", `it is "/srv/demo.git"`},
	}
	for _, row := range rows {
		cfg, diags := autonomy.Parse("/srv/config/dev.yaml", []byte(with(row.key, row.value)))
		if cfg == nil || len(diags) != 1 || !diags[0].Warning || !strings.Contains(diags[0].String(), row.want) {
			t.Errorf("%s: %s: no warning has %q: %v", row.key, row.value, row.want, diags)
		}
	}
}

func TestRelativeRepositoryIsResolved(t *testing.T) {
	t.Chdir(t.TempDir())
	cfg, _ := autonomy.Parse("dev.yaml", []byte(with("target_repo_url", "./demo.git")))
	if cfg == nil || !filepath.IsAbs(cfg.TargetRepoURL) || filepath.Base(cfg.TargetRepoURL) != "demo.git" {
		t.Errorf("the config is %+v", cfg)
	}
}

func TestSecretsAreRefusedAndNeverRepeated(t *testing.T) {
	for _, secret := range []string{"ghp_" + strings.Repeat("a1B2", 9), "github_pat_11ABCDE", "sk-proj-abc123", "AKIA" + "IOSFODNN7EXAMPLE", "xoxb-1234-abcd",
		"Bearer abc", "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY", "0123456789abcdef0123456789abcdef", "prefix ghp_zzzz", "eyJhbGciOiJIUzI1NiJ9.e30.x"} {
		cfg, diags := autonomy.Parse("dev.yaml", []byte(with("agents", `{a: {type: command, command: [x], env: {K: "`+secret+`"}}}`)))
		if cfg != nil || !contains(diags, "agents.a.env.K looks like a token") {
			t.Errorf("%s is taken: %v", secret, diags)
		}
		if contains(diags, secret) {
			t.Errorf("a diagnostic repeats %s", secret)
		}
	}
	for _, public := range []string{"task-runner", "en_US.UTF-8", "https://api.example.org/v1", "claude-sonnet-4-20250514", "/usr/local/share/some/long/path/name", "risk-free", ""} {
		if cfg, diags := autonomy.Parse("dev.yaml", []byte(with("agents", `{a: {type: command, command: [x], env: {K: "`+public+`"}}}`))); cfg == nil {
			t.Errorf("%q is refused: %v", public, diags)
		}
	}
}
