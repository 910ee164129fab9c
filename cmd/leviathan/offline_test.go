package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLookWhereNoGatewayRuns(t *testing.T) {
	dir := t.TempDir()
	state, config := filepath.Join(dir, "state"), filepath.Join(dir, "demo.yaml")
	makeJournal(t, state)
	write(t, config, "autonomy_enabled: true\ntarget_id: demo\ntarget_repo_url: "+filepath.Join(dir, "missing.git")+"\nallowed_path_prefixes: [docs/]\n", 0o600)
	o := testOperator(nil)
	got := execute(t.Context(), o, "", "status", "--state", state, "--config", config)
	if got.code != exitDone {
		t.Fatalf("exit %d, %s%s", got.code, got.stdout, got.stderr)
	}
	has(t, got.stdout, " at "+state+", where no gateway runs\n", "\ndemo  HELD", "config        valid, "+config, "mirror: unknown")
	got = execute(t.Context(), o, "", "events", "--state", state, "--config", config)
	if got.code != exitDone || got.stderr != "" {
		t.Errorf("exit %d, %s", got.code, got.stderr)
	}
	has(t, got.stdout, "gateway.started", "x.y")
	// It is closed again: the next one can open it, and what was written stands.
	has(t, execute(t.Context(), o, "", "journal", "verify", "--state", state).stdout, "VERIFIED")
}

func TestLookOpensNothingByMistake(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "demo.yaml")
	write(t, config, "autonomy_enabled: false\n", 0o600)
	for want, line := range map[string][]string{
		"name it with --state":             {"tasks", "--config", config},
		"name it with --state-dir":         {"attempts", "--config", config},
		"leave out --gateway":              {"status", "--config", config, "--state", dir, "--gateway", "http://127.0.0.1:1"},
		"leave out --gateway and --token-": {"status", "--config", config, "--state", dir, "--token-file", "-"},
		"is no state folder":               {"decisions", "--config", config, "--state", filepath.Join(dir, "typo")},
		"unknown flag: --config":           {"halt", "--config", config, "--state", dir, "--reason", "x"},
	} {
		got := execute(t.Context(), testOperator(nil), "", line...)
		if got.code != exitUsage || !strings.Contains(got.stderr, want) {
			t.Errorf("%v: exit %d, %s", line, got.code, got.stderr)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "typo")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder with a typo was made: %v", err)
	}
}
