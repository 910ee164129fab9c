package invariants_test

import (
	"maps"
	"os"
	"regexp"
	"strings"
	"testing"

	"leviathan/gateway"
	"leviathan/gateway/server"
	"leviathan/invariants/facts"
)

var (
	commandHeading = regexp.MustCompile("^### `(leviathan[a-z -]*[a-z])( [A-Z\\[].*)?`$")
	sameFlags      = regexp.MustCompile("^The same as `(leviathan[a-z -]*)`[.]$")
	flagRow        = regexp.MustCompile("^\\| `--([a-z-]+)( [^`]+)?` \\|")
)

// documentedBinary is what the binary has as docs/cli.md says it, which is made
// of the commands themselves: they cannot be asked from here.
func documentedBinary(t *testing.T) facts.Binary {
	t.Helper()
	page, err := os.ReadFile("../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	b := facts.Binary{Version: gateway.Version, Commands: map[string]facts.Command{}}
	for _, r := range server.Routes() {
		b.Routes = append(b.Routes, facts.Route{Method: r.Method, Path: r.Path, Action: r.Action, Summary: r.Summary})
	}
	connection := map[string]string{}
	current, name := connection, ""
	for line := range strings.Lines(string(page)) {
		line = strings.TrimRight(line, "\n")
		if m := commandHeading.FindStringSubmatch(line); m != nil {
			current, name = map[string]string{}, m[1]
			b.Commands[name] = facts.Command{Flags: current, Runs: true}
		}
		if m := sameFlags.FindStringSubmatch(line); m != nil {
			b.Commands[name] = b.Commands[m[1]]
		}
		if m := flagRow.FindStringSubmatch(line); m != nil && m[2] == "" {
			current[m[1]] = "bool"
		} else if m != nil {
			current[m[1]] = "string"
		}
		if strings.HasPrefix(line, "And the connection flags") {
			maps.Copy(current, connection)
		}
	}
	if len(b.Commands) < 10 || connection["gateway"] != "string" || b.Commands["leviathan gateway"].Flags["cluster"] != "bool" {
		t.Fatalf("docs/cli.md is not read: %d commands", len(b.Commands))
	}
	return b
}
