package autonomy_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leviathan/gateway"
	"leviathan/gateway/autonomy"
)

// minimal has every required key and no other.
const minimal = `autonomy_enabled: true
target_id: demo
target_repo_url: https://github.com/example/demo.git
allowed_path_prefixes: [docs/]
`

const full = `autonomy_enabled: false
target_id: demo.2
target_repo_url: http://127.0.0.1:3000/demo.git
target_branch: release/1.x
allowed_path_prefixes: [docs/, README.md]
max_open_prs: 3
max_running_attempts: 4
max_attempts_per_task: 100
circuit_breaker_failures: 5
attempt_timeout_seconds: 86400
schedule_cron: "15 3 * * MON"
control_plane_url: https://gateway.example.org
worker_image: registry.example.org/leviathan-worker:v1
worker_namespace: agents
workspace_dir: /var/workspace
agents:
  writer:
    type: command
    command: [writer, --print]
    stdin: prompt
    env: {MODE: fast}
    env_from: [WRITER_API_KEY]
    sandbox: required
    task_selectable: false
    memory_mb: 512
    output_max_kb: 64
  free: {type: command, command: [free], sandbox: off}
  scaffold: {type: scaffold}
default_agent: writer
verify:
  unit: {command: [go, test, ./...], timeout_seconds: 60}
  vet: {command: [go, vet]}
sandbox: {mode: optional, read: [/usr/share/dict], connect_ports: [443, 65535]}
limits: {retry_backoff_seconds: 1, retry_backoff_max_seconds: 2, max_tasks_per_day: 9, heartbeat_seconds: 3, lease_seconds: 7,
  start_deadline_seconds: 4, fact_max_age_seconds: 5, max_files: 6, max_file_kb: 8, max_pack_mb: 10, max_push_attempts: 11}
circuit: {cooldown_seconds: 12, cooldown_max_seconds: 13}
`

func parsed(t *testing.T, text string) *autonomy.Config {
	t.Helper()
	cfg, diags := autonomy.Parse("dev.yaml", []byte(text))
	if cfg == nil {
		t.Fatalf("the config is refused: %v", diags)
	}
	return cfg
}

func TestDefaults(t *testing.T) {
	cfg := parsed(t, minimal)
	want := `{"autonomy_enabled":true,"target_id":"demo","target_repo_url":"https://github.com/example/demo.git","target_branch":"main",
	"allowed_path_prefixes":["docs/"],"max_open_prs":1,"max_running_attempts":1,"max_attempts_per_task":2,"circuit_breaker_failures":2,
	"attempt_timeout_seconds":900,"schedule_cron":"*/5 * * * *","control_plane_url":"http://leviathan-control-plane:8000",
	"worker_image":"leviathan-worker:local","worker_namespace":"leviathan","workspace_dir":"/workspace",
	"agents":{"scaffold":{"type":"scaffold","command":[],"stdin":"none","env":{},"env_from":[],"sandbox":"required","task_selectable":true,
	"memory_mb":2048,"output_max_kb":10240}},"default_agent":"scaffold","verify":{},"sandbox":{"mode":"required","read":[],"connect_ports":[]},
	"limits":{"retry_backoff_seconds":60,"retry_backoff_max_seconds":3600,"max_tasks_per_day":0,"heartbeat_seconds":10,"lease_seconds":60,
	"start_deadline_seconds":300,"fact_max_age_seconds":600,"max_files":100,"max_file_kb":1024,"max_pack_mb":64,"max_push_attempts":3},
	"circuit":{"cooldown_seconds":900,"cooldown_max_seconds":21600}}`
	diffJSON(t, cfg, want)
	if got := cfg.Next(time.Date(2026, 1, 1, 12, 1, 0, 0, time.UTC)); !got.Equal(time.Date(2026, 1, 1, 12, 5, 0, 0, time.UTC)) {
		t.Errorf("the next cycle is at %v", got)
	}
}

func TestEveryKey(t *testing.T) {
	cfg := parsed(t, full)
	want := `{"autonomy_enabled":false,"target_id":"demo.2","target_repo_url":"http://127.0.0.1:3000/demo.git","target_branch":"release/1.x",
	"allowed_path_prefixes":["docs/","README.md"],"max_open_prs":3,"max_running_attempts":4,"max_attempts_per_task":100,"circuit_breaker_failures":5,
	"attempt_timeout_seconds":86400,"schedule_cron":"15 3 * * MON","control_plane_url":"https://gateway.example.org",
	"worker_image":"registry.example.org/leviathan-worker:v1","worker_namespace":"agents","workspace_dir":"/var/workspace",
	"agents":{"writer":{"type":"command","command":["writer","--print"],"stdin":"prompt","env":{"MODE":"fast"},"env_from":["WRITER_API_KEY"],
	"sandbox":"required","task_selectable":false,"memory_mb":512,"output_max_kb":64},
	"free":{"type":"command","command":["free"],"stdin":"none","env":{},"env_from":[],"sandbox":"off","task_selectable":false,"memory_mb":2048,"output_max_kb":10240},
	"scaffold":{"type":"scaffold","command":[],"stdin":"none","env":{},"env_from":[],"sandbox":"required","task_selectable":true,"memory_mb":2048,"output_max_kb":10240}},
	"default_agent":"writer","verify":{"unit":{"command":["go","test","./..."],"timeout_seconds":60},"vet":{"command":["go","vet"],"timeout_seconds":300}},
	"sandbox":{"mode":"optional","read":["/usr/share/dict"],"connect_ports":[443,65535]},
	"limits":{"retry_backoff_seconds":1,"retry_backoff_max_seconds":2,"max_tasks_per_day":9,"heartbeat_seconds":3,"lease_seconds":7,
	"start_deadline_seconds":4,"fact_max_age_seconds":5,"max_files":6,"max_file_kb":8,"max_pack_mb":10,"max_push_attempts":11},
	"circuit":{"cooldown_seconds":12,"cooldown_max_seconds":13}}`
	diffJSON(t, cfg, want)
	if a, ok := cfg.Agent(""); !ok || a.Command[0] != "writer" || cfg.DefaultAgentName() != "writer" {
		t.Errorf("the default agent is %v, %v", a, ok)
	}
	if _, ok := cfg.Agent("absent"); ok {
		t.Error("an agent that the config does not have is found")
	}
	if diff := cmp.Diff([]string{"free", "scaffold", "writer"}, cfg.AgentNames()); diff != "" {
		t.Error(diff)
	}
}

func diffJSON(t *testing.T, got any, want string) {
	t.Helper()
	encoded, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	var a, b any
	if err := errors.Join(json.Unmarshal(encoded, &a), json.Unmarshal([]byte(want), &b)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b, a); diff != "" {
		t.Error(diff)
	}
}

func TestDigest(t *testing.T) {
	a := parsed(t, minimal)
	same := parsed(t, "# a comment\n"+minimal+"max_open_prs: 1\n")
	other := parsed(t, minimal+"max_open_prs: 2\n")
	if !strings.HasPrefix(a.Digest, "sha256:") || len(a.Digest) != len("sha256:")+64 {
		t.Errorf("the digest is %q", a.Digest)
	}
	if a.Digest != same.Digest {
		t.Error("a comment and a default that is written out change the digest")
	}
	if a.Digest == other.Digest {
		t.Error("another limit leaves the digest")
	}
}

func TestRelease04ConfigLoads(t *testing.T) {
	file := filepath.Join("..", "..", "..", "shared", "data", "autonomy-0.4.yaml")
	cfg, diags, err := autonomy.Load(file)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("the sample of release 0.4 is not here: %v", err)
	}
	if err != nil || cfg == nil {
		t.Fatalf("Load: %v, %v", err, diags)
	}
	if !cfg.AutonomyEnabled || cfg.TargetID != "radix" || cfg.AttemptTimeoutSeconds != 900 {
		t.Errorf("the config is %+v", cfg)
	}
	if len(diags) != 1 || !diags[0].Warning || diags[0].Line != 21 || !strings.Contains(diags[0].Message, ".leviathan/") {
		t.Errorf("the protected prefix is not what is warned of: %v", diags)
	}
}

// TestS10Rows is the one table of inputs for the switch: what is not a valid
// file with the YAML boolean true is off, and says why.
func TestS10Rows(t *testing.T) {
	rest := strings.TrimPrefix(minimal, "autonomy_enabled: true\n")
	rows := []struct{ name, text, reason string }{
		{"true", minimal, ""},
		{"false", "autonomy_enabled: false\n" + rest, "1:19: autonomy_enabled is false"},
		{"quoted", "autonomy_enabled: \"true\"\n" + rest, `1:19: autonomy_enabled must be the YAML boolean true or false, not string "true"`},
		{"yes", "autonomy_enabled: yes\n" + rest, `1:19: autonomy_enabled must be the YAML boolean true or false, not string "yes"`},
		{"on", "autonomy_enabled: on\n" + rest, `1:19: autonomy_enabled must be the YAML boolean true or false, not string "on"`},
		{"one", "autonomy_enabled: 1\n" + rest, `1:19: autonomy_enabled must be the YAML boolean true or false, not number "1"`},
		{"capital", "autonomy_enabled: True\n" + rest, "1:19: autonomy_enabled must be the YAML boolean true or false, in lower case"},
		{"empty", "autonomy_enabled:\n" + rest, "1:18: autonomy_enabled must be the YAML boolean true or false, not empty"},
		{"tilde", "autonomy_enabled: ~\n" + rest, "1:19: autonomy_enabled must be the YAML boolean true or false, not empty"},
		{"list", "autonomy_enabled: [true]\n" + rest, "1:19: autonomy_enabled must be the YAML boolean true or false, not a list"},
		{"tagged", "autonomy_enabled: !!bool true\n" + rest, "1:19: a tag (!) is refused; remove it"},
		{"anchored", "autonomy_enabled: &x true\n" + rest, "1:19: an anchor (&) is refused; remove it"},
		{"block", "autonomy_enabled: |\n  true\n" + rest, "1:19: autonomy_enabled must be"},
		{"missing", rest, "1:1: the key autonomy_enabled is missing; it is required"},
		{"twice", minimal + "autonomy_enabled: false\n", `5:1: the key "autonomy_enabled" is already at line 1`},
		{"another key is wrong", minimal + "max_open_prs: 0\n", `5:15: max_open_prs must be from 1 to 2147483647, not "0"`},
		{"unknown key", minimal + "max_open_pr: 1\n", `5:1: unknown key "max_open_pr"; did you mean max_open_prs?`},
		{"half written", minimal[:len(minimal)-8], "4:24: allowed_path_prefixes must be a list, not empty"},
		{"empty file", "", "1:1: the file is empty"},
		{"second document", minimal + "---\n" + minimal, "5:1: a second document begins; the file must be one document"},
		{"hidden behind the end", minimal + "...\nautonomy_enabled: true\n", "6:1: something stands behind the end of the document (...)"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "dev.yaml")
			write(t, file, row.text)
			set, err := autonomy.Open(file, nil, time.Now)
			if err != nil {
				t.Fatal(err)
			}
			states := set.Targets()
			if len(states) != 1 {
				t.Fatalf("%d targets", len(states))
			}
			s := states[0]
			if s.Enabled != (row.reason == "") || s.Enabled && (!s.Valid || s.Config == nil) {
				t.Fatalf("enabled is %v, the reason %q", s.Enabled, s.Reason)
			}
			if s.Enabled && s.Reason != "" {
				t.Errorf("an enabled target has the reason %q", s.Reason)
			}
			if want := file + ":" + row.reason; !s.Enabled && !strings.HasPrefix(s.Reason, want) {
				t.Errorf("the reason is\n %q, not\n %q", s.Reason, want)
			}
		})
	}
}

func TestBytesThatAreRefused(t *testing.T) {
	rows := map[string]struct{ text, want string }{
		"byte order mark": {"\xef\xbb\xbf" + minimal, "dev.yaml:1:1: the file begins with a byte order mark"},
		"alias":           {minimal + "max_open_prs: *x\n", "an alias (*) is refused"},
		"merge key":       {minimal + "circuit: {<<: {cooldown_seconds: 1}}\n", "dev.yaml:5:11: a merge key (<<) is refused"},
		"alias bomb":      {"a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\n" + minimal, "is refused"},
		"too large":       {minimal + "#" + strings.Repeat("x", autonomy.MaxBytes), "bytes; at most 1048576 are read"},
		"a list":          {"- a\n", "dev.yaml:1:1: the file must be a mapping, not a list"},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			cfg, diags := autonomy.Parse("dev.yaml", []byte(row.text))
			if cfg != nil {
				t.Fatal("it is a valid config")
			}
			if !contains(diags, row.want) {
				t.Errorf("no diagnostic has %q: %v", row.want, diags)
			}
		})
	}
}

func TestCarriageReturnLineFeed(t *testing.T) {
	if a, b := parsed(t, minimal), parsed(t, strings.ReplaceAll(minimal, "\n", "\r\n")); a.Digest != b.Digest {
		t.Error("line ends change the config")
	}
}

func TestLoadNeverWaitsForAPipe(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "dev.yaml")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skipf("no pipe can be made here: %v", err)
	}
	if _, _, err := autonomy.Load(pipe); err == nil {
		t.Error("a pipe is read as a file")
	}
	if _, _, err := autonomy.Load(t.TempDir()); err == nil {
		t.Error("a folder is read as a file")
	}
	if _, _, err := autonomy.Load(filepath.Join(t.TempDir(), "none.yaml")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the error of a missing file is %v", err)
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

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
