package main

import (
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leviathan/gateway/autonomy"
	"leviathan/gateway/engine"
	"leviathan/gateway/journal"
	"leviathan/gateway/server"
	checkreport "leviathan/invariants/report"
	"leviathan/policies"
)

// serveInvariants is a real gateway without targets.
func serveInvariants(t *testing.T) (url string) {
	t.Helper()
	policy, err := engine.LoadFS(t.Context(), policies.FS, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	targets, err := autonomy.Open(t.TempDir(), nil, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	state := t.TempDir()
	j, err := journal.Open(t.Context(), journal.Config{Dir: state})
	if err != nil {
		t.Fatal(err)
	}
	s, err := server.New(t.Context(), server.Config{StateDir: state, Journal: j, Engine: engine.New(policy), Targets: targets,
		OperatorToken: testToken, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	served := httptest.NewServer(s.Handler())
	t.Cleanup(func() {
		served.Close()
		for _, close := range []func() error{s.Close, j.Close} {
			if err := close(); err != nil {
				t.Error(err)
			}
		}
	})
	return served.URL
}

// ids are what a verdict of one journal and bundle has and one of another has
// not.
var ids = regexp.MustCompile(`"(decision_id|revision|policy_digest)": "[^"]*"`)

func TestTheGateAsksAGateway(t *testing.T) {
	url, dir := serveInvariants(t), t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("good/README.md", "# Good\n")
	write("bad/README.md", "# Bad\n\nSee [it](gone.md).\n")
	write("own/README.md", "# Own\n")
	write("own/.leviathan/invariants.yaml", "version: 1\nrules: rules\n")
	token := write("token", testToken+"\n")
	check := func(args ...string) ran {
		return execute(t.Context(), testOperator(nil), "", append([]string{"invariants", "check"}, args...)...)
	}
	ask := func(args ...string) ran { return check(append(args, "--gateway", url, "--token-file", token)...) }

	for repository, code := range map[string]int{"good": exitDone, "bad": exitNo} {
		for _, format := range checkreport.Formats() {
			here, there := check(filepath.Join(dir, repository), "-o", format), ask(filepath.Join(dir, repository), "-o", format)
			if here.code != code || there.code != code || there.stderr != "" {
				t.Errorf("%s as %s: exit codes %d here and %d there: %s", repository, format, here.code, there.code, there.stderr)
			}
			if diff := cmp.Diff(ids.ReplaceAllString(here.stdout, "$1"), ids.ReplaceAllString(there.stdout, "$1")); diff != "" {
				t.Errorf("%s as %s: here -, there +\n%s", repository, format, diff)
			}
		}
	}
	var r checkreport.Report
	if err := json.Unmarshal([]byte(ask(filepath.Join(dir, "bad"), "-o", "json").stdout), &r); err != nil || r.Verdict != checkreport.Violated {
		t.Fatalf("verdict %q, %v", r.Verdict, err)
	}
	shown := execute(t.Context(), testOperator(nil), "", "decisions", "show", string(r.Categories[0].DecisionID), "--gateway", url, "--token-file", token)
	if shown.code != exitDone || !strings.Contains(shown.stdout, "invariants.check") {
		t.Errorf("the verdict in the gateway's journal: %d %s%s", shown.code, shown.stdout, shown.stderr)
	}

	good, wrong := filepath.Join(dir, "good"), write("wrong", "wrong\n")
	for name, row := range map[string]struct {
		ran  ran
		says []string
	}{
		"a wrong token":        {check(good, "--gateway", url, "--token-file", wrong), []string{"the token is not", "token came from " + wrong}},
		"no token":             {check(good, "--gateway", url), []string{"no token for the gateway", "--token-file"}},
		"a gateway away":       {check(good, "--gateway", away(), "--token-file", token), []string{"the gateway was looked for at"}},
		"no URL":               {check(good, "--gateway", "gateway:8000", "--token-file", token), []string{"http://"}},
		"own rules":            {ask(filepath.Join(dir, "own")), []string{"rules: rules", "does not evaluate"}},
		"a journal of its own": {ask(good, "--state", filepath.Join(dir, "state")), []string{"its own journal"}},
		"a token for nobody":   {check(good, "--token-file", token), []string{"--gateway, which is missing"}},
	} {
		if row.ran.code != exitUsage || row.ran.stdout != "" {
			t.Errorf("%s: exit code %d: %s%s", name, row.ran.code, row.ran.stdout, row.ran.stderr)
		}
		for _, text := range row.says {
			if !strings.Contains(row.ran.stderr, text) {
				t.Errorf("%s: %q is not in %s", name, text, row.ran.stderr)
			}
		}
	}
}
