package forge_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"leviathan/gateway"
	"leviathan/gateway/forge"
)

// world is a bare repository, a human's clone of it, and the forge.
type world struct {
	t     testing.TB
	home  string
	bare  string
	clone string
	forge *forge.Local
}

func newWorld(t testing.TB) *world {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("the git binary is not installed")
	}
	dir := t.TempDir()
	w := &world{t: t, home: dir, bare: filepath.Join(dir, "it's bare.git"), clone: filepath.Join(dir, "clone")}
	w.git(dir, "init", "-q", "--bare", "-b", "main", w.bare)
	w.git(dir, "init", "-q", "-b", "main", w.clone)
	w.git(w.clone, "remote", "add", "origin", w.bare)
	w.write("README.md", "one\ntwo\nthree\nfour\nfive\nsix\nseven\n")
	w.commit("first")
	w.git(w.clone, "push", "-q", "origin", "main")
	w.forge = w.open(forge.LocalOptions{})
	return w
}

func (w *world) open(opts forge.LocalOptions) *forge.Local {
	w.t.Helper()
	l, err := forge.NewLocal(w.bare, opts)
	if err != nil {
		w.t.Fatal(err)
	}
	return l
}

func (w *world) env() []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + w.home, "LC_ALL=C", "GIT_CONFIG_NOSYSTEM=1", "TMPDIR=" + w.home,
		"GIT_AUTHOR_NAME=A U Thor", "GIT_AUTHOR_EMAIL=author@example.com",
		"GIT_COMMITTER_NAME=C O Mitter", "GIT_COMMITTER_EMAIL=committer@example.com",
	}
}

func (w *world) git(dir string, args ...string) string {
	w.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Env = dir, w.env()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		w.t.Fatalf("git %s: %v\n%s%s", strings.Join(args, " "), err, out, stderr.String())
	}
	return strings.TrimSpace(string(out))
}

func (w *world) shell(script string) string {
	w.t.Helper()
	cmd := exec.Command("sh", "-ec", script)
	cmd.Dir, cmd.Env = w.home, w.env()
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return string(out)
}

func (w *world) write(path, content string) {
	w.t.Helper()
	path = filepath.Join(w.clone, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) commit(message string) gateway.OID {
	w.t.Helper()
	w.git(w.clone, "add", "-A")
	w.git(w.clone, "commit", "-q", "--allow-empty", "-m", message)
	return gateway.OID(w.git(w.clone, "rev-parse", "HEAD"))
}

// attempt n of a test; ids are ULIDs.
func attempt(n int) gateway.AttemptID {
	return gateway.AttemptID(fmt.Sprintf("01J00000000000000000%06d", n))
}

// push makes the attempt's commit on main as it is in the clone, one file
// changed, and pushes it to the attempt's branch.
func (w *world) push(n int, path, content string) forge.Proposal {
	w.t.Helper()
	base := gateway.OID(w.git(w.clone, "rev-parse", "main"))
	w.git(w.clone, "checkout", "-q", "--detach", "main")
	w.write(path, content)
	task := gateway.Task{ID: "task-1", Title: "Improve " + path, Scope: "docs"}
	head := w.commit(forge.CommitMessage(task, attempt(n), "01J0000000000000000000000D"))
	w.git(w.clone, "push", "-q", "origin", "HEAD:refs/heads/"+attempt(n).Branch())
	w.git(w.clone, "checkout", "-q", "main")
	return forge.Proposal{Attempt: attempt(n), Branch: attempt(n).Branch(), Base: "main", Head: head, BaseCommit: base,
		Title: forge.Title(task), Body: forge.Body(task, "It is better now.", forge.Facts{Attempt: attempt(n)})}
}

func (w *world) propose(p forge.Proposal) forge.PullRequest {
	w.t.Helper()
	pr, err := w.forge.Open(context.Background(), p)
	if err != nil {
		w.t.Fatal(err)
	}
	return pr
}

func known(prs ...forge.Proposal) []forge.Known {
	all := []forge.Known{}
	for i, p := range prs {
		all = append(all, forge.Known{Number: i + 1, Attempt: p.Attempt, Head: p.Head, BaseCommit: p.BaseCommit})
	}
	return all
}

func (w *world) observe(k ...forge.Known) forge.Observation {
	w.t.Helper()
	seen, err := w.forge.Observe(context.Background(), "main", k)
	if err != nil {
		w.t.Fatal(err)
	}
	return seen
}

// state observes what is known and wants the one pull request in this state.
func (w *world) wantState(k forge.Known, state gateway.PullRequestState, how string) forge.PullRequest {
	w.t.Helper()
	seen := w.observe(k)
	if len(seen.Known) != 1 || seen.Known[0].State != state || seen.Known[0].How != how {
		w.t.Fatalf("observed %+v, want one pull request %s by %q", seen.Known, state, how)
	}
	if len(seen.Unlisted) != 0 {
		w.t.Fatalf("unlisted: %+v", seen.Unlisted)
	}
	return seen.Known[0]
}
