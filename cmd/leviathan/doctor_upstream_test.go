//go:build unix

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestDoctorLooksAtAnUpstreamOnThisMachine(t *testing.T) {
	h := makeHome(t)
	config := filepath.Join(h.dir, "config.yaml")
	upstream := filepath.Join(h.dir, "upstream.git")
	for _, c := range []struct {
		change func()
		says   []string
	}{
		{func() {}, []string{"ok    upstream  " + upstream + " has the branch main and a backlog"}},
		{func() { h.git(t, "--git-dir", upstream, "update-ref", "refs/heads/main", h.emptyCommit(t)) }, []string{"warn  upstream  main of demo has no .leviathan/backlog.yaml", "commit one"}},
		{func() { h.git(t, "--git-dir", upstream, "update-ref", "-d", "refs/heads/main") }, []string{"FAIL  upstream  " + upstream + " has no branch main", "push a first commit"}},
		{func() { h.git(t, "--git-dir", upstream, "config", "core.bare", "false") }, []string{"FAIL  upstream  " + upstream + " is a repository with a work tree", "git clone --bare"}},
		{func() { removeAll(t, filepath.Join(upstream, "HEAD")) }, []string{"FAIL  upstream  " + upstream + " is no git repository"}},
		{func() { removeAll(t, upstream) }, []string{"FAIL  upstream  the repository of demo: ", "git init --bare -b main " + upstream}},
	} {
		c.change()
		got := doctorSays(t, healthy, "--config", config, "--token-file", "-")
		has(t, got.stdout, c.says...)
		mended(t, got.stdout)
	}
}

func removeAll(t *testing.T, name string) {
	t.Helper()
	if err := os.RemoveAll(name); err != nil {
		t.Fatal(err)
	}
}

// emptyCommit is a commit without files, in the upstream.
func (h home) emptyCommit(t *testing.T) string {
	t.Helper()
	upstream := filepath.Join(h.dir, "upstream.git")
	run := func(args ...string) string {
		cmd := exec.CommandContext(t.Context(), "git", append([]string{"--git-dir", upstream, "-c", "user.name=A", "-c", "user.email=a@example.invalid"}, args...)...)
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(out))
	}
	return run("commit-tree", "-m", "empty", run("mktree"))
}
