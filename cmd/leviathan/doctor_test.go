package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"leviathan/gateway"
	"leviathan/gateway/journal"
)

// doctorSays runs the doctor against a gateway that answers with the status.
func doctorSays(t *testing.T, status string, args ...string) ran {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/health":
			if r.Header.Get("Authorization") != "" {
				t.Error("the token went to a route that needs none")
			}
		case r.Header.Get("Authorization") != "Bearer "+testToken:
			w.Header().Set("Content-Type", gateway.ProblemMediaType)
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"type":"https://leviathan.invalid/problems/unauthenticated","title":"No valid token","status":401,"detail":"the token is not known"}`)
			return
		}
		_, _ = io.WriteString(w, status)
	}))
	t.Cleanup(server.Close)
	o := testOperator(map[string]string{gatewayVariable: server.URL})
	o.now = time.Now
	return execute(t.Context(), o, testToken+"\n", append([]string{"doctor"}, args...)...)
}

// mended holds every finding that is not ok to say what to do.
func mended(t *testing.T, text string) {
	t.Helper()
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if (strings.HasPrefix(line, "warn") || strings.HasPrefix(line, "FAIL")) && !strings.HasPrefix(lines[i+1], "     ") {
			t.Errorf("nothing says how to mend: %s", line)
		}
	}
}

const healthy = `{"version":"` + gateway.Version + `","policy_revision":"r1","clock":"ok","targets":[{"target":"demo","facts":[{"name":"forge","known":false,"problem":"502"}]}]}`

func has(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains(text, line) {
			t.Errorf("there is no %q in\n%s", line, text)
		}
	}
}

func TestDoctorOfAHealthyGateway(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "demo.yaml")
	write(t, config, "autonomy_enabled: true\ntarget_id: demo\ntarget_repo_url: https://github.com/example/demo\nallowed_path_prefixes: [docs/]\n", 0o600)
	state := filepath.Join(dir, "state")
	if err := os.Mkdir(state, 0o700); err != nil {
		t.Fatal(err)
	}
	got := doctorSays(t, healthy, "--state", state, "--config", config, "--token-file", "-")
	if got.code != exitDone || got.stderr != "" {
		t.Errorf("exit %d, %s", got.code, got.stderr)
	}
	has(t, got.stdout, "ok    config    "+config+": target demo, autonomy on", "ok    gateway ", "ok    token     the token from stdin is good",
		"ok    clock     not behind the last record", "ok    policy    revision r1 is active", "warn  facts     forge of demo is unknown: 502")
	has(t, got.stdout, "ok    upstream  https://github.com/example/demo of demo is asked by the gateway", "warn  switch    the kill switch is not proved yet")
	mended(t, got.stdout)
	if strings.Contains(got.stdout, "FAIL") {
		t.Error(got.stdout)
	}
	proved := doctorSays(t, `{"version":"`+gateway.Version+`","policy_revision":"r1","clock":"ok","kill_switch":{"proved_at":"2026-01-28T10:00:00Z"},"targets":[{"target":"demo","facts":[{"name":"mirror","known":true}]}]}`, "--token-file", "-")
	has(t, proved.stdout, "ok    switch    proved at ", "ok    facts     all of demo are known")
	failing := doctorSays(t, `{"version":"`+gateway.Version+`","clock":"ok","kill_switch":{"problem":"target demo: cycle.plan: is allowed with the switch off"},"targets":[]}`, "--token-file", "-")
	has(t, failing.stdout, "FAIL  switch    the kill switch is not proved: target demo: cycle.plan: is allowed with the switch off", "stop this gateway")
	if failing.code != exitNo {
		t.Errorf("exit %d", failing.code)
	}
}

func TestDoctorFindsWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "demo.yaml")
	write(t, config, "autonomy_enabled: true\nmax_open_prs: 0\n", 0o600)
	state := filepath.Join(dir, "state")
	if err := os.Mkdir(state, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(state, tokenFileName), "wrong\n", 0o644)
	database := filepath.Join(state, journal.DatabaseFile)
	write(t, database, "", 0o600)
	if later := time.Now().Add(time.Hour); os.Chtimes(database, later, later) != nil {
		t.Skip("the file system keeps no times")
	}
	got := doctorSays(t, healthy, "--state", state, "--config", config)
	if got.code != exitNo {
		t.Errorf("exit %d, %s", got.code, got.stderr)
	}
	mended(t, got.stdout)
	has(t, got.stdout, "FAIL  config    "+config+":2:", "warn  state     "+state+" is open to others (mode 0755)", "chmod 700 "+state,
		"FAIL  state     "+filepath.Join(state, tokenFileName)+" can be read by others (mode 0644)",
		"FAIL  clock     the journal was last written 59m59s ahead of this clock", "FAIL  token     the gateway does not take the token from "+state)

	got = doctorSays(t, `{"version":"0.0.1","clock":"unknown.clock: 90 s","policy_problem":"a.rego:1: torn\u001b[2J"}`, "--token-file", "-")
	if got.code != exitNo {
		t.Errorf("exit %d, %s", got.code, got.stderr)
	}
	mended(t, got.stdout)
	has(t, got.stdout, "FAIL  clock     unknown.clock: 90 s", "FAIL  policy    a.rego:1: torn\n", "warn  gateway   it is release 0.0.1", "warn  config    not checked", "warn  state     not checked")
}

func TestDoctorWithoutAGateway(t *testing.T) {
	o := testOperator(map[string]string{gatewayVariable: "http://127.0.0.1:1"})
	got := execute(t.Context(), o, "", "doctor", "--state", filepath.Join(t.TempDir(), "new"), "--output", "json")
	if got.code != exitDone {
		t.Errorf("exit %d, %s", got.code, got.stderr)
	}
	has(t, got.stdout, `"check": "gateway"`, `"result": "warn"`, "does not exist yet")
	o = testOperator(map[string]string{gatewayVariable: "http://user:canary@127.0.0.1:1"})
	if got := execute(t.Context(), o, "", "doctor"); got.code != exitNo || strings.Contains(got.stdout+got.stderr, "canary") {
		t.Errorf("exit %d, %s%s", got.code, got.stdout, got.stderr)
	}
}

func write(t *testing.T, name, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, mode); err != nil {
		t.Fatal(err)
	}
}
