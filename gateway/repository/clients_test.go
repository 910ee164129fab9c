package repository_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gogit "github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/config"
	"github.com/go-git/go-git/v5/plumbing/object"

	"leviathan/gateway"
	"leviathan/gateway/repository"
)

func TestFetchesThatStockGitMakes(t *testing.T) {
	w := newWorld(t)
	t.Run("clone", func(t *testing.T) {
		dir := w.clone("full")
		w.fsck(dir)
		if got := w.run(dir, "rev-list", "--count", "HEAD"); got != "7" {
			t.Errorf("clone has %s commits, want 7", got)
		}
		if got := w.run(dir, "symbolic-ref", "HEAD"); got != "refs/heads/main" {
			t.Errorf("HEAD is %s", got)
		}
	})
	t.Run("depth", func(t *testing.T) {
		dir := w.clone("shallow", "--depth", "1")
		for _, step := range []struct {
			args []string
			want string
		}{
			{nil, "1"},
			{[]string{"fetch", "-q"}, "1"},
			{[]string{"fetch", "-q", "--depth", "3"}, "3"},
			{[]string{"fetch", "-q", "--deepen", "1"}, "4"},
			{[]string{"fetch", "-q", "--unshallow"}, "7"},
		} {
			if step.args != nil {
				w.run(dir, step.args...)
			}
			w.fsck(dir)
			if got := w.run(dir, "rev-list", "--count", "origin/main"); got != step.want {
				t.Errorf("after %v: %s commits, want %s", step.args, got, step.want)
			}
		}
	})
	t.Run("incremental", func(t *testing.T) {
		dir, shallow := w.clone("inc"), w.clone("incshallow", "--depth", "2")
		// commits that only the client has make several rounds of haves
		for i := range 120 {
			w.run(dir, "commit", "-q", "--allow-empty", "-m", fmt.Sprint("local ", i))
		}
		tip := w.commit(w.seed, "one file", map[string]string{"docs/new.md": "new\n"})
		w.run(w.seed, "push", "-q", w.upstream, "main")
		w.fetch()
		w.run(dir, "fetch", "-q")
		w.run(shallow, "fetch", "-q")
		w.fsck(dir)
		w.fsck(shallow)
		for _, d := range []string{dir, shallow} {
			if got := w.oid(d, "origin/main"); got != tip {
				t.Errorf("origin/main is %s, want %s", got, tip)
			}
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		last := w.served[len(w.served)-1]
		if last.Objects == 0 || last.Objects > 4 {
			t.Errorf("a fetch of one file sent %d objects", last.Objects)
		}
	})
}

func TestOnlyAdvertisedHistoryIsServed(t *testing.T) {
	w := newWorld(t)
	w.run(w.seed, "checkout", "-q", "-b", "agent/hidden")
	hidden := w.commit(w.seed, "hidden", map[string]string{"secret": "s"})
	w.run(w.seed, "push", "-q", w.upstream, "agent/hidden")
	w.fetch()
	if _, err := w.m.Head("agent/hidden"); err != nil {
		t.Fatal("the mirror lacks the hidden branch:", err)
	}
	dir := w.clone("c")
	out, err := w.try(dir, "fetch", "origin", string(hidden))
	if err == nil || !strings.Contains(out, "not our ref") {
		t.Errorf("fetch of a hidden commit: %v\n%s", err, out)
	}
	older := w.oid(w.seed, "main~3")
	w.run(w.work, "init", "-q", "old")
	old := filepath.Join(w.work, "old")
	w.run(old, "fetch", "-q", w.url(), string(older))
	w.fsck(old)
	if got := w.oid(old, "FETCH_HEAD"); got != older {
		t.Errorf("fetched %s, want %s", got, older)
	}
}

func TestClonesOfOneCommitShareAPack(t *testing.T) {
	w := newWorld(t)
	w.clone("a")
	w.clone("b")
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := len(w.served); n < 2 || w.served[0].Cached || !w.served[n-1].Cached {
		t.Errorf("served %+v", w.served)
	}
}

// variants are ways in which stock git sends one push.
var variants = []struct {
	name  string
	clone []string
	flags []string
}{
	{"full", nil, nil},
	{"depth 1", []string{"--depth", "1"}, nil},
	{"chunked", nil, []string{"-c", "http.postBuffer=1024"}},
	{"chunked from depth 1", []string{"--depth", "1"}, []string{"-c", "http.postBuffer=1024"}},
	{"no deltas", nil, []string{"-c", "pack.depth=0"}},
}

func TestPushesThatStockGitMakes(t *testing.T) {
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			w := newWorld(t)
			dir := w.clone("c", v.clone...)
			big := strings.Repeat("incompressible? ", 9000)
			head := w.commit(dir, "change", map[string]string{"docs/guide.md": big + t.Name(), "docs/added.md": randomText(40_000)})
			w.run(dir, append(v.flags, "push", "-q", "origin", "HEAD:"+agentRef)...)
			if got := w.oid(w.upstream, agentRef); got != head {
				t.Errorf("upstream has %s, want %s", got, head)
			}
			if got, err := w.m.Head(strings.TrimPrefix(agentRef, "refs/heads/")); err != nil || got != head {
				t.Errorf("mirror has %s (%v), want %s", got, err, head)
			}
			w.fsck(w.upstream)
			w.fsck(w.dir)
			// again: nothing to do, and no error
			w.run(dir, append(v.flags, "push", "-q", "origin", "HEAD:"+agentRef)...)
		})
	}
}

func randomText(n int) string {
	var b strings.Builder
	x := uint64(88172645463325252)
	for b.Len() < n {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		fmt.Fprintf(&b, "%x\n", x)
	}
	return b.String()
}

func TestPushesThatAreRefused(t *testing.T) {
	w := newWorld(t)
	cases := []struct {
		name string
		args []string
		want []string
	}{
		{"wrong branch", []string{"HEAD:refs/heads/other"}, []string{"remote: only " + agentRef, "(delivery.wrong_ref)"}},
		{"tag", []string{"HEAD:refs/tags/v1"}, []string{"is not a branch", "(delivery.bad_ref)"}},
		{"annotated tag to a branch", []string{"v9^{tag}:refs/tags/v9"}, []string{"[remote rejected]", "(delivery.bad_ref)"}},
		{"several refs", []string{"HEAD:" + agentRef, "HEAD:refs/heads/agent/two"}, []string{"(delivery.multiple_refs)", "agent/two"}},
		{"delete", []string{":refs/heads/main"}, []string{"remote: delivery.deletion", "(delivery.deletion)"}},
		{"two commits", []string{"two:" + agentRef}, []string{"(delivery.multiple_commits)"}},
		{"option", []string{"--push-option=x", "HEAD:" + agentRef}, []string{"does not support push options"}},
	}
	dir := w.clone("c")
	w.run(dir, "tag", "-a", "-m", "x", "v9")
	w.commit(dir, "one", map[string]string{"docs/1": "1"})
	w.run(dir, "branch", "one")
	w.commit(dir, "two", map[string]string{"docs/2": "2"})
	w.run(dir, "branch", "two")
	w.run(dir, "checkout", "-q", "one")
	before := w.run(w.upstream, "for-each-ref")
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			out, err := w.try(dir, append([]string{"push", "origin"}, c.args...)...)
			if err == nil {
				t.Errorf("the push succeeded:\n%s", out)
			}
			for _, want := range c.want {
				if !strings.Contains(out, want) {
					t.Errorf("no %q in\n%s", want, out)
				}
			}
		})
	}
	if got := w.run(w.upstream, "for-each-ref"); got != before {
		t.Errorf("the upstream changed:\n%s", got)
	}
}

func TestForcedPushIsAConflict(t *testing.T) {
	w := newWorld(t)
	dir := w.clone("c")
	first := w.commit(dir, "first", map[string]string{"docs/a": "1"})
	w.run(dir, "push", "-q", "origin", "HEAD:"+agentRef)
	w.run(dir, "reset", "-q", "--hard", "HEAD~1")
	w.commit(dir, "second", map[string]string{"docs/a": "2"})
	out, err := w.try(dir, "push", "--force", "origin", "HEAD:"+agentRef)
	if err == nil || !strings.Contains(out, "(conflict)") {
		t.Errorf("%v\n%s", err, out)
	}
	if got := w.oid(w.upstream, agentRef); got != first {
		t.Errorf("the upstream has %s, want %s", got, first)
	}
}

func TestDenialShowsItsLines(t *testing.T) {
	w := newWorld(t)
	w.decide = func(*repository.Push) (bool, string, []string) {
		return false, "scope.outside_prefix", []string{"src/x.go is \x1b[31moutside\nok refs/heads/evil", strings.Repeat("long", 100)}
	}
	dir := w.clone("c")
	w.commit(dir, "x", map[string]string{"src/x.go": "x"})
	out, err := w.try(dir, "push", "origin", "HEAD:"+agentRef)
	if err == nil {
		t.Error("the push succeeded")
	}
	for _, want := range []string{"remote: src/x.go is ?[31moutside ok refs/heads/evil", "! [remote rejected]", "(scope.outside_prefix)"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	for line := range strings.SplitSeq(out, "\n") {
		if len([]rune(line)) > 230 {
			t.Errorf("line of %d characters", len([]rune(line)))
		}
	}
}

func TestPushOverTheLimitIsAnswered(t *testing.T) {
	w := newWorld(t)
	w.limits = repository.Limits{MaxPackBytes: 50_000}
	dir := w.clone("c")
	w.commit(dir, "big", map[string]string{"docs/big": randomText(3 << 20)})
	for _, flags := range [][]string{nil, {"-c", "http.postBuffer=65536"}} {
		out, err := w.try(dir, append(flags, "push", "origin", "HEAD:"+agentRef)...)
		if err == nil || !strings.Contains(out, "remote: scope.pack_too_large: the pack is over the limit of 50000 bytes") {
			t.Errorf("%v\n%s", err, out)
		}
	}
	entries, err := os.ReadDir(filepath.Join(w.dir, "quarantine"))
	if err != nil || len(entries) != 0 {
		t.Errorf("quarantine has %d entries (%v)", len(entries), err)
	}
}

func TestGoGitClient(t *testing.T) {
	w := newWorld(t)
	for _, depth := range []int{0, 1} {
		dir := filepath.Join(w.work, fmt.Sprint("gogit", depth))
		repo, err := gogit.PlainClone(dir, false, &gogit.CloneOptions{URL: w.url(), Depth: depth})
		if err != nil {
			t.Fatalf("clone with depth %d: %v", depth, err)
		}
		w.fsck(dir)
		if err := repo.Fetch(&gogit.FetchOptions{}); err != nil && err != gogit.NoErrAlreadyUpToDate {
			t.Errorf("fetch with depth %d: %v", depth, err)
		}
		if depth != 0 {
			continue
		}
		tree, err := repo.Worktree()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "docs/gogit.md"), []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := tree.Add("docs/gogit.md"); err != nil {
			t.Fatal(err)
		}
		id, err := tree.Commit("change", &gogit.CommitOptions{Author: &object.Signature{Name: "n", Email: "e@example.com", When: time.Unix(1700000000, 0)}})
		if err != nil {
			t.Fatal(err)
		}
		if err := repo.Push(&gogit.PushOptions{RefSpecs: []config.RefSpec{config.RefSpec(id.String() + ":" + agentRef)}}); err != nil {
			t.Fatal("push:", err)
		}
		if got := w.oid(w.upstream, agentRef); got != gateway.OID(id.String()) {
			t.Errorf("upstream has %s, want %s", got, id)
		}
		err = repo.Push(&gogit.PushOptions{RefSpecs: []config.RefSpec{"refs/heads/*:refs/heads/x*"}})
		if err == nil || !strings.Contains(err.Error(), "delivery.wrong_ref") {
			t.Errorf("refused push: %v", err)
		}
	}
}
