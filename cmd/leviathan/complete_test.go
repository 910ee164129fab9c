//go:build unix

package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Real bash, with the script that the binary writes, completes what a real
// gateway knows; without a gateway it completes nothing and says nothing.
func TestBashCompletesWhatTheGatewayKnows(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash is not installed")
	}
	h := makeHome(t)
	g, err := openGateway(t.Context(), gatewayOptions{state: filepath.Join(h.dir, "state"), config: filepath.Join(h.dir, "config.yaml"), listen: "127.0.0.1:0", logLevel: "error"}, io.Discard, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	}()
	id := string(failOne(t, g))
	tab := func(url, line string) (offered []string, stderr string) {
		t.Helper()
		// The script of cobra wants the helpers of bash-completion; what it
		// takes from them is the words so far.
		script := `set -u
source <(leviathan completion bash)
_get_comp_words_by_ref() { words=("${COMP_WORDS[@]}"); cword=$COMP_CWORD; cur=${COMP_WORDS[COMP_CWORD]}; prev=${COMP_WORDS[COMP_CWORD-1]}; }
__ltrim_colon_completions() { :; }
_init_completion() { _get_comp_words_by_ref; }
compopt() { :; }
read -ra COMP_WORDS <<<"$1"; [[ $1 == *" " ]] && COMP_WORDS+=("")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMP_LINE=$1 COMP_POINT=${#1} COMP_TYPE=9
__start_leviathan
printf '%s\n' "${COMPREPLY[@]:-}"
`
		cmd := exec.CommandContext(t.Context(), bash, "--norc", "-c", script, "bash", line)
		cmd.Env = append(os.Environ(), gatewayVariable+"="+url, tokenVariable+"="+g.token)
		var said strings.Builder
		cmd.Stderr = &said
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v: %s", line, err, said.String())
		}
		for offer := range strings.Lines(string(out)) {
			if word, _, _ := strings.Cut(strings.TrimSpace(offer), " "); word != "" {
				offered = append(offered, word)
			}
		}
		return offered, said.String()
	}
	for line, want := range map[string]string{
		"leviathan atte":                           "attempts",
		"leviathan attempts show ":                 id,
		"leviathan tasks why ":                     "sleep",
		"leviathan tasks --target ":                "demo",
		"leviathan attempts --state fai":           "failed",
		"leviathan status --output j":              "json",
		"leviathan decisions list --outcome ":      "allow",
		"leviathan attempts invalidate " + id[:20]: id,
		"leviathan attempts-show ":                 id,
	} {
		offered, said := tab(g.url, line)
		if len(offered) == 0 || offered[0] != want || said != "" {
			t.Errorf("%q completes to %q, not %q; stderr %q", line, offered, want, said)
		}
	}
	for _, line := range []string{"leviathan attempts show ", "leviathan tasks --target ", "leviathan decisions --code "} {
		began := time.Now()
		if offered, said := tab("http://127.0.0.1:1", line); len(offered) > 0 || said != "" {
			t.Errorf("without a gateway %q completes to %q; stderr %q after %s", line, offered, said, time.Since(began))
		}
	}
}

// A script for each shell is written, and decisions and codes are offered.
func TestCompletionsOfOtherShells(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if got := executeOn(t.Context(), newRoot(), "completion", shell); got.code != exitDone || !strings.Contains(got.stdout, "leviathan") {
			t.Errorf("%s: exit %d, %s", shell, got.code, got.stderr)
		}
	}
	root := newRoot()
	for line, want := range map[string]string{"decisions list --action ": "change.push", "token create --role ": "reader", "gateway --log-level ": "debug"} {
		got := executeOn(t.Context(), root, append([]string{"__complete"}, strings.Split(line, " ")...)...)
		if got.code != exitDone || !strings.Contains(got.stdout, want) {
			t.Errorf("%q: exit %d, %s", line, got.code, got.stdout)
		}
	}
}
