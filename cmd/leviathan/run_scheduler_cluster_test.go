package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	"sigs.k8s.io/yaml"
)

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestTheJobOfAConfigIsPrinted(t *testing.T) {
	config := filepath.Join(t.TempDir(), "dev.yaml")
	writeFile(t, config, `autonomy_enabled: true
target_id: dev
target_repo_url: https://github.com/example/docs
allowed_path_prefixes: [docs/]
attempt_timeout_seconds: 600
agents:
  writer: {type: command, command: [writer], env_from: [MODEL_KEY], memory_mb: 4096}
  other: {type: scaffold}
default_agent: writer
`)
	printed := func(args ...string) (string, error) {
		root := newRoot()
		var out bytes.Buffer
		root.SetOut(&out)
		root.SetErr(&out)
		root.SetArgs(append([]string{"scheduler", "job-template"}, args...))
		err := root.ExecuteContext(t.Context())
		return out.String(), err
	}
	text, err := printed("--config", config, "--worker-cpu", "2")
	if err != nil {
		t.Fatal(err)
	}
	var job batchv1.Job
	if err := yaml.UnmarshalStrict([]byte(text), &job); err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
	k := job.Spec.Template.Spec.Containers[0]
	if job.Kind != "Job" || job.Namespace != "leviathan" || *job.Spec.ActiveDeadlineSeconds != 600+900 || k.Resources.Limits.Memory().String() != "4Gi" || k.Resources.Requests.Cpu().String() != "2" ||
		len(k.Env) != 1 || k.Env[0].ValueFrom.SecretKeyRef.Name != "leviathan-agent-writer" || k.Args[1] != "--gateway=http://leviathan-control-plane:8000" {
		t.Errorf("it is\n%s", text)
	}
	if strings.Contains(text, "status:") {
		t.Error("it has a status, which nobody has seen")
	}
	if text, err := printed("--config", config, "--agent", "other", "--worker-gateway", "http://elsewhere"); err != nil || strings.Contains(text, "secretKeyRef") || !strings.Contains(text, "--gateway=http://elsewhere") {
		t.Errorf("another agent's Job: %v\n%s", err, text)
	}

	broken := filepath.Join(t.TempDir(), "broken.yaml")
	writeFile(t, broken, "autonomy_enabled: perhaps\n")
	for says, args := range map[string][]string{
		"--config is required": nil,
		"broken.yaml:1":        {"--config", broken},
		"opening the config":   {"--config", config + "x"},
		`no agent "none"`:      {"--config", config, "--agent", "none"},
		`CPU "much"`:           {"--config", config, "--worker-cpu", "much"},
	} {
		if _, err := printed(args...); err == nil || exitCode(t.Context(), err) != exitUsage || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", args, err, says)
		}
	}
}
