package repository_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"leviathan/gateway"
	"leviathan/gateway/repository"
)

// watchedGit is git behind a script that writes down each process that is
// started: its number and its service.
func (w *world) watchedGit() (binary string, started func() [][]string) {
	w.t.Helper()
	real, err := exec.LookPath("git")
	if err != nil {
		w.t.Fatal(err)
	}
	log := filepath.Join(w.work, "started")
	binary = filepath.Join(w.work, "watched-git")
	script := fmt.Sprintf("#!/bin/sh\necho \"$$ $1\" >>'%s'\nexec '%s' \"$@\"\n", log, real)
	if err := os.WriteFile(binary, []byte(script), 0o755); err != nil {
		w.t.Fatal(err)
	}
	return binary, func() [][]string {
		data, err := os.ReadFile(log)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			w.t.Fatal(err)
		}
		var out [][]string
		for line := range strings.Lines(string(data)) {
			out = append(out, strings.Fields(line))
		}
		return out
	}
}

func services(started [][]string) []string {
	var out []string
	for _, s := range started {
		out = append(out, s[1])
	}
	return out
}

func TestUpstreamRefIsWhatGitSays(t *testing.T) {
	w := newWorld(t)
	binary, started := w.watchedGit()
	older, head := w.oid(w.upstream, "main~1"), w.oid(w.upstream, "main")
	w.run(w.upstream, "update-ref", "refs/heads/packed", string(older))
	w.run(w.upstream, "update-ref", "refs/heads/moved", string(older))
	w.run(w.upstream, "update-ref", "refs/heads/gone", string(older))
	w.run(w.upstream, "pack-refs", "--all")
	w.run(w.upstream, "update-ref", "refs/heads/moved", string(head))
	w.run(w.upstream, "update-ref", "-d", "refs/heads/gone")
	w.run(w.upstream, "update-ref", "refs/heads/a/b", string(head))
	w.open(repository.Upstream{URL: w.upstream, GitBinary: binary})
	for name, want := range map[string]gateway.OID{
		"packed": older, "moved": head, "gone": gateway.ZeroOID, "a/b": head, "a": gateway.ZeroOID, "a/b/c": gateway.ZeroOID, "never": gateway.ZeroOID,
	} {
		if got, err := w.m.UpstreamRef(t.Context(), "refs/heads/"+name); err != nil || got != want {
			t.Errorf("%s is %s (%v), not %s", name, got, err, want)
		}
	}
	if got := started(); len(got) != 0 {
		t.Errorf("git was started to read files: %v", got)
	}

	t.Run("a symbolic ref", func(t *testing.T) {
		w.run(w.upstream, "symbolic-ref", "refs/heads/alias", "refs/heads/packed")
		if got, err := w.m.UpstreamRef(t.Context(), "refs/heads/alias"); err != nil || got != older {
			t.Errorf("%s, %v", got, err)
		}
	})
	t.Run("a config that keeps refs elsewhere", func(t *testing.T) {
		path := filepath.Join(w.upstream, "config")
		config, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append(config, "[extensions]\n\trefStorage = elsewhere\n"...), 0o644); err != nil {
			t.Fatal(err)
		}
		before := len(started())
		if got, err := w.m.UpstreamRef(t.Context(), "refs/heads/packed"); len(started()) != before+1 {
			t.Errorf("git was not asked: %s, %v", got, err)
		}
	})
}

func TestUpstreamRefOfAWorkingTree(t *testing.T) {
	w := newWorld(t)
	linked := filepath.Join(w.work, "linked")
	w.run(w.seed, "worktree", "add", "-q", linked, "-b", "other")
	for _, path := range []string{w.seed, filepath.Join(w.seed, ".git"), filepath.Join(w.seed, ".git/worktrees/linked")} {
		w.open(repository.Upstream{URL: path})
		if got, err := w.m.UpstreamRef(t.Context(), "refs/heads/other"); err != nil || got != w.oid(w.seed, "other") {
			t.Errorf("%s: %s, %v", path, got, err)
		}
	}
}

// Git takes a repository named .git inside the path for the one that is meant.
func TestUpstreamRefOfANestedRepository(t *testing.T) {
	w := newWorld(t)
	nested := filepath.Join(w.upstream, ".git")
	w.run(w.work, "clone", "-q", "--bare", w.seed, nested)
	w.run(w.work, "--git-dir", nested, "update-ref", "refs/heads/main", string(w.oid(w.seed, "main~1")))
	if got, err := w.m.UpstreamRef(t.Context(), "refs/heads/main"); err != nil || got != w.oid(w.seed, "main~1") {
		t.Errorf("%s, %v", got, err)
	}
}

func TestForwardStartsOneProcess(t *testing.T) {
	w := newWorld(t)
	binary, started := w.watchedGit()
	w.open(repository.Upstream{URL: w.upstream, GitBinary: binary})
	p := w.change(t, "1", gateway.ZeroOID)
	if err := p.Forward(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := services(started()); !slices.Equal(got, []string{"receive-pack"}) {
		t.Errorf("started %v", got)
	}
	if got := w.oid(w.upstream, agentRef); got != p.New() {
		t.Errorf("the upstream has %s", got)
	}
}

// A push that is not forwarded has no effect, and leaves no process.
func TestDiscardEndsTheProcessThatWaits(t *testing.T) {
	w := newWorld(t)
	before := w.run(w.upstream, "for-each-ref")
	binary, started := w.watchedGit()
	w.open(repository.Upstream{URL: w.upstream, GitBinary: binary})
	p := w.change(t, "1", gateway.ZeroOID)
	if err := p.Discard(); err != nil {
		t.Fatal(err)
	}
	for _, s := range started() { // none, where it ended before it could write
		pid, err := strconv.Atoi(s[0])
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("git %s still runs: %v", s[1], err)
		}
	}
	if after := w.run(w.upstream, "for-each-ref"); after != before {
		t.Errorf("the upstream has changed:\n%s\n%s", before, after)
	}
}

// The process that waits was started in the repository that was there then.
func TestForwardGoesToTheRepositoryThatIsThere(t *testing.T) {
	w := newWorld(t)
	p := w.change(t, "1", gateway.ZeroOID)
	old := w.upstream + ".old"
	if err := os.Rename(w.upstream, old); err != nil {
		t.Fatal(err)
	}
	w.run(w.work, "clone", "-q", "--bare", old, w.upstream)
	if err := p.Forward(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := w.oid(w.upstream, agentRef); got != p.New() {
		t.Errorf("the upstream has %s", got)
	}
	if out, err := w.try(old, "rev-parse", "--verify", agentRef); err == nil {
		t.Errorf("the repository that was moved away has %s", out)
	}
}

func TestUpstreamIsLookedAfterSeldom(t *testing.T) {
	w := newWorld(t)
	said := filepath.Join(w.work, "said")
	w.hook("pre-receive", fmt.Sprintf("git config --get receive.autogc >>'%s' || echo as it is >>'%s'\n", said, said))
	old := gateway.ZeroOID
	for i := range 3 {
		p := w.change(t, fmt.Sprint(i), old)
		if err := p.Forward(t.Context()); err != nil {
			t.Fatal(err)
		}
		old = p.New()
	}
	if data, err := os.ReadFile(said); err != nil || string(data) != "as it is\nfalse\nfalse\n" {
		t.Errorf("%q, %v", data, err)
	}
}

// A process that died while it waited was told nothing: another one does it.
func TestForwardDoesNotAskAProcessThatDied(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	ended, binary := filepath.Join(dir, "ended"), filepath.Join(dir, "git")
	if err := syscall.Mkfifo(ended, 0o600); err != nil {
		t.Skipf("no named pipes here: %v", err)
	}
	real, err := exec.LookPath("git")
	if err != nil {
		t.Fatal(err)
	}
	// The first one holds the pipe open until it has ended.
	script := "#!/bin/sh\nif [ \"$1\" = receive-pack ] && mkdir " + dir + "/first 2>/dev/null; then exec 3>" + ended + "; exit 3; fi\nexec '" + real + "' \"$@\"\n"
	if err := os.WriteFile(binary, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	w.open(repository.Upstream{URL: w.upstream, GitBinary: binary})
	p := w.change(t, "1", gateway.ZeroOID)
	if _, err := os.ReadFile(ended); err != nil {
		t.Fatal(err)
	}
	if err := p.Forward(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := w.oid(w.upstream, agentRef); got != p.New() {
		t.Errorf("the upstream has %s", got)
	}
}
