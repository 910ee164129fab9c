package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"github.com/spf13/cobra"
)

var update = flag.Bool("update", false, "write the golden files anew")

const testToken = "lev_operator_canary"

// testOperator is an operator at a fixed time with the given environment.
func testOperator(env map[string]string) operator {
	return operator{
		now:      func() time.Time { return time.Date(2026, 1, 28, 10, 0, 0, 0, time.UTC) },
		getenv:   func(name string) string { return env[name] },
		interval: 2 * time.Second,
	}
}

// A ran is what one command line did.
type ran struct {
	stdout, stderr string
	code           int
}

// execute runs one command line of an operator, as run does.
func execute(ctx context.Context, o operator, stdin string, args ...string) ran {
	var stdout bytes.Buffer
	got := executeTo(ctx, &stdout, o, stdin, args...)
	got.stdout = stdout.String()
	return got
}

// executeTo is execute with a stdout of the caller's.
func executeTo(ctx context.Context, stdout io.Writer, o operator, stdin string, args ...string) ran {
	root := &cobra.Command{Use: "leviathan", SilenceUsage: true, SilenceErrors: true}
	root.AddGroup(&cobra.Group{ID: "look", Title: "Look:"}, &cobra.Group{ID: "act", Title: "Act:"}, &cobra.Group{ID: "edit", Title: "Edit:"})
	root.AddCommand(o.commands()...)
	root.SetIn(strings.NewReader(stdin))
	root.SetOut(stdout)
	return executed(ctx, root, args...)
}

// executeOn runs one command line of a root, as run does.
func executeOn(ctx context.Context, root *cobra.Command, args ...string) ran {
	var stdout bytes.Buffer
	root.SetIn(strings.NewReader(""))
	root.SetOut(&stdout)
	got := executed(ctx, root, args...)
	got.stdout = stdout.String()
	return got
}

func executed(ctx context.Context, root *cobra.Command, args ...string) ran {
	var stderr bytes.Buffer
	root.SetArgs(args)
	root.SetErr(&stderr)
	code := exitDone
	if err := root.ExecuteContext(ctx); err != nil {
		code = exitCode(ctx, err)
		var coded *exitError
		if !errors.As(err, &coded) || coded.err != nil {
			fmt.Fprintln(&stderr, root.Name()+": "+err.Error())
		}
	}
	return ran{stderr: stderr.String(), code: code}
}

// serveWire is a gateway that says what testdata/wire.txtar says, and notes
// what it was asked.
func serveWire(t *testing.T) (url string, asked *[]string) {
	t.Helper()
	archive, err := txtar.ParseFile("testdata/wire.txtar")
	if err != nil {
		t.Fatal(err)
	}
	type answer struct {
		status int
		body   []byte
	}
	answers := map[string]answer{}
	for _, f := range archive.Files {
		parts := strings.Fields(f.Name)
		status := http.StatusOK
		if len(parts) == 3 {
			if status, err = strconv.Atoi(parts[2]); err != nil {
				t.Fatal(err)
			}
		}
		answers[parts[0]+" "+parts[1]] = answer{status, f.Data}
	}
	asked = new([]string)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("reading a request: %v", err)
		}
		key := r.Method + " " + r.URL.RequestURI()
		*asked = append(*asked, strings.TrimSpace(key+" "+string(body)))
		if got := r.Header.Get("Authorization"); got != "Bearer "+testToken {
			t.Errorf("%s: Authorization is %q", key, got)
		}
		a, known := answers[key]
		switch {
		case strings.HasSuffix(r.URL.Path, "/artifacts/agent.log"):
			a = answer{200, []byte("building\r\n\x1b[32mok\x1b[0m \x1b]52;c;aGk=\x07done\rover\n\xff tail \u202e\n")}
		case !known:
			t.Errorf("no answer to %s", key)
			a = answer{404, nil}
		case a.status >= 400:
			w.Header().Set("Content-Type", "application/problem+json")
		}
		w.WriteHeader(a.status)
		if _, err := w.Write(a.body); err != nil {
			t.Errorf("answering %s: %v", key, err)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL, asked
}

// golden compares got with a file, or writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "golden", name+".txt")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; run the test with -update", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs; run the test with -update if it should\n%s", file, diff)
	}
}

func TestCommandsThatAskTheGateway(t *testing.T) {
	const first, second, gone = "01JQ0000000000000000000001", "01JQ0000000000000000000002", "01JQ0000000000000000000009"
	const decision = "01jq000000000000000000000d" // ids are taken in either case
	for name, line := range map[string][]string{
		"status":                  {"status"},
		"status-json":             {"status", "--output", "json"},
		"tasks":                   {"tasks"},
		"tasks-list-json":         {"tasks", "list", "--target", "demo", "--output", "json"},
		"tasks-why":               {"tasks", "why", "T-1", "--target", "demo"},
		"tasks-why-none":          {"tasks", "why", "T-9", "--target", "demo"},
		"tasks-retry":             {"tasks", "retry", "T-1", "--reason", "fixed the build"},
		"attempts":                {"attempts", "--target", "demo", "--state", "live"},
		"attempts-list-json":      {"attempts", "list", "--target", "demo", "--state", "live", "--output", "json"},
		"attempts-wrong-state":    {"attempts", "--state", "alive"},
		"attempts-show":           {"attempts", "show", first},
		"attempts-show-none":      {"attempts", "show", gone},
		"attempts-log":            {"attempts", "log", first},
		"attempts-log-several":    {"attempts", "log", second},
		"attempts-log-wrong-id":   {"attempts", "log", "7"},
		"attempts-cancel":         {"attempts", "cancel", first, "--reason", "wrong branch"},
		"attempts-cancel-ended":   {"attempts", "cancel", second, "--reason", "wrong branch"},
		"attempts-invalidate":     {"attempts", "invalidate", first, "--reason", "the machine was ill"},
		"decisions":               {"decisions", "list", "--action", "change.push", "--outcome", "deny", "--code", "scope.outside_prefix", "--target", "demo", "--since", "36h", "--limit", "2"},
		"decisions-wrong-since":   {"decisions", "--since", "yesterday"},
		"decisions-show":          {"decisions", "show", decision},
		"decisions-show-json":     {"decisions", "show", decision, "--output", "json"},
		"decisions-bundle":        {"decisions", "bundle", decision, "-o", "-"},
		"events":                  {"events"},
		"events-after":            {"events", "list", "--after", "3", "--limit", "2"},
		"events-after-json":       {"events", "list", "--after", "3", "--limit", "2", "--output", "json"},
		"graph-show":              {"graph", "show", "--target", "demo"},
		"graph-show-dot":          {"graph", "show", "--target", "demo", "--dot"},
		"graph-show-node":         {"graph", "show", "task:demo/T-1"},
		"graph-show-both":         {"graph", "show", "task:demo/T-1", "--dot"},
		"graph-list":              {"graph", "list", "--type", "Task", "--target", "demo", "--limit", "2"},
		"graph-list-wrong-type":   {"graph", "list", "--type", "Thing"},
		"graph-edges-json":        {"graph", "edges", "--type", "PRODUCED", "--output", "json"},
		"graph-summary":           {"graph", "summary"},
		"journal-checkpoint":      {"journal", "checkpoint"},
		"halt":                    {"halt", "--reason", "look into the build"},
		"halt-one":                {"halt", "--target", "demo", "--reason", "look into the build"},
		"halt-no-reason":          {"halt"},
		"resume-denied":           {"resume", "--reason", "done"},
		"circuit-reset":           {"circuit", "reset", "--reason", "fixed"},
		"clock-accept-no-token":   {"clock", "accept", "--reason", "it is right"},
		"token-create":            {"token", "create", "--role", "reader", "--expires-in", "30d"},
		"token-create-json":       {"token", "create", "--role", "reader", "--target", "demo", "--output", "json"},
		"token-create-wrong-role": {"token", "create", "--role", "operator"},
		"token-list":              {"token", "list"},
		"token-revoke":            {"token", "revoke", "01JQ000000000000000000000F"},
	} {
		t.Run(name, func(t *testing.T) {
			url, asked := serveWire(t)
			o := testOperator(map[string]string{gatewayVariable: url, tokenVariable: testToken})
			got := execute(t.Context(), o, "", line...)
			var b strings.Builder
			fmt.Fprintf(&b, "$ leviathan %s\n", strings.Join(line, " "))
			for _, request := range *asked {
				fmt.Fprintf(&b, "> %s\n", request)
			}
			fmt.Fprintf(&b, "exit %d\n-- stdout --\n%s-- stderr --\n%s", got.code, got.stdout, got.stderr)
			text := strings.ReplaceAll(b.String(), url, "http://gateway.invalid")
			golden(t, name, text)
			for _, r := range got.stdout + got.stderr {
				if r != '\n' && r != '\t' && visible(r) != r {
					t.Errorf("the output has the character %U", r)
				}
			}
			if strings.Contains(text, testToken) {
				t.Error("the output has the token")
			}
		})
	}
}
