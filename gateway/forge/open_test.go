package forge_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"leviathan/gateway"
	"leviathan/gateway/forge"
)

func TestOpenShowsThePullRequestToPlainGit(t *testing.T) {
	w := newWorld(t)
	p := w.push(1, "docs/a.md", "a\n")
	pr := w.propose(p)
	want := forge.PullRequest{Number: 1, URL: "file://" + strings.NewReplacer(" ", "%20", "'", "%27").Replace(w.bare) + "#refs/pull/1/head",
		Branch: attempt(1).Branch(), Attempt: attempt(1), Head: p.Head, Base: "main", State: gateway.PullRequestOpen}
	if pr != want {
		t.Errorf("opened %+v\nwant   %+v", pr, want)
	}
	if at := w.git(w.bare, "rev-parse", "refs/pull/1/head"); at != string(p.Head) {
		t.Errorf("refs/pull/1/head is %s, not the commit %s", at, p.Head)
	}
	text := w.git(w.bare, "cat-file", "-p", "refs/leviathan/pulls/1")
	for _, part := range []string{"Pull-Request: 1\n", "Title: docs: Improve docs/a.md\n", "Head: " + p.Branch + "\n", "Base: main\n", "It is better now."} {
		if !strings.Contains(text, part) {
			t.Errorf("the text lacks %q:\n%s", part, text)
		}
	}
}

func TestOpenIsIdempotentByHeadBranch(t *testing.T) {
	w := newWorld(t)
	p := w.push(1, "a", "a\n")
	first := w.propose(p)
	w.propose(w.push(2, "b", "b\n"))
	p.MinNumber = 7
	if again := w.propose(p); again != first {
		t.Errorf("opened again %+v, want %+v", again, first)
	}
	// A human closed it while the receipt was lost: it stays that one.
	w.git(w.bare, "update-ref", "-d", "refs/pull/1/head")
	if again := w.propose(p); again.Number != 1 || again.State != gateway.PullRequestClosed {
		t.Errorf("after a close Open answers %+v, want number 1, closed", again)
	}
	if refs := w.git(w.bare, "for-each-ref", "--format=%(refname)", "refs/pull"); refs != "refs/pull/2/head" {
		t.Errorf("refs/pull has %q", refs)
	}
}

func TestOpenTakesANumberThatIsGreaterThanAll(t *testing.T) {
	w := newWorld(t)
	main := w.git(w.bare, "rev-parse", "main")
	p := w.push(1, "a", "a\n")
	p.MinNumber = 4
	if pr := w.propose(p); pr.Number != 5 {
		t.Errorf("number %d, want 5: greater than the journal's", pr.Number)
	}
	w.git(w.bare, "update-ref", "refs/pull/8/merge", main)
	if pr := w.propose(w.push(2, "b", "b\n")); pr.Number != 9 {
		t.Errorf("number %d, want 9: greater than any ref's", pr.Number)
	}
	w.git(w.bare, "update-ref", "-d", "refs/pull/9/head")
	if pr := w.propose(w.push(3, "c", "c\n")); pr.Number != 10 {
		t.Errorf("number %d, want 10: a closed one's number is not used again", pr.Number)
	}
}

func TestOpenRaces(t *testing.T) {
	w := newWorld(t)
	const n = 6
	var wg sync.WaitGroup
	numbers, errs := make([]int, n), make([]error, n)
	for i := range n {
		p, l := w.push(i+1, "f"+string(rune('a'+i)), "x\n"), w.open(forge.LocalOptions{})
		wg.Go(func() {
			pr, err := l.Open(context.Background(), p)
			numbers[i], errs[i] = pr.Number, err
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	slices.Sort(numbers)
	if !slices.Equal(numbers, []int{1, 2, 3, 4, 5, 6}) {
		t.Errorf("numbers %v, want each of 1 to 6 once", numbers)
	}
}

func TestOpenTakesTheNextNumberWhenAnotherWasQuicker(t *testing.T) {
	w := newWorld(t)
	p := w.push(1, "a", "a\n")
	main := w.git(w.bare, "rev-parse", "main")
	// The other one comes between our look and our transaction, once.
	git := w.wrapper(`if [ "$sub" = update-ref ] && [ ! -e "` + w.home + `/raced" ]; then
  : >"` + w.home + `/raced"
  "$real" --git-dir="$dir" update-ref refs/pull/1/head ` + main + `
fi`)
	w.forge = w.open(forge.LocalOptions{GitBinary: git})
	if pr := w.propose(p); pr.Number != 2 || pr.Head != p.Head {
		t.Errorf("opened %+v, want number 2", pr)
	}
	if at := w.git(w.bare, "rev-parse", "refs/pull/1/head"); at != main {
		t.Errorf("the other's pull request moved to %s", at)
	}
	if refs := w.git(w.bare, "for-each-ref", "--format=%(refname)", "refs/leviathan"); refs != "refs/leviathan/pulls/2" {
		t.Errorf("texts: %q", refs)
	}
}

func TestOpenRefuses(t *testing.T) {
	w := newWorld(t)
	good := w.push(1, "a", "a\n")
	for name, c := range map[string]struct {
		change func(*forge.Proposal)
		kind   gateway.Kind
	}{
		"no attempt":              {func(p *forge.Proposal) { p.Attempt = "" }, gateway.Invalid},
		"another's branch":        {func(p *forge.Proposal) { p.Branch = attempt(2).Branch() }, gateway.Invalid},
		"a title with a header":   {func(p *forge.Proposal) { p.Title = "x\nHead: y" }, gateway.Invalid},
		"an agent's branch":       {func(p *forge.Proposal) { p.Base = attempt(1).Branch() }, gateway.Invalid},
		"a base that is a range":  {func(p *forge.Proposal) { p.Base = "main..x" }, gateway.Invalid},
		"a short id":              {func(p *forge.Proposal) { p.Head = p.Head[:12] }, gateway.Invalid},
		"no base commit":          {func(p *forge.Proposal) { p.BaseCommit = "" }, gateway.Invalid},
		"a head that is not ours": {func(p *forge.Proposal) { p.Head = p.BaseCommit }, gateway.Conflict},
		"no such base":            {func(p *forge.Proposal) { p.Base = "other" }, gateway.Unknown},
	} {
		p := good
		c.change(&p)
		if _, err := w.forge.Open(context.Background(), p); gateway.KindOf(err) != c.kind {
			t.Errorf("%s: error %v, want kind %s", name, err, c.kind)
		}
	}
	if refs := w.git(w.bare, "for-each-ref", "refs/pull", "refs/leviathan"); refs != "" {
		t.Errorf("refused proposals left %s", refs)
	}
}

func TestWhatCannotBeReadIsAnError(t *testing.T) {
	w := newWorld(t)
	p := w.push(1, "a", "a\n")
	w.propose(p)
	cases := map[string]func(){
		"a torn ref": func() {
			w.file("refs/pull/2/head", "")
		},
		"a folder of refs that cannot be read": func() {
			w.remove("refs/pull/2")
			w.git(w.bare, "pack-refs", "--all")
			w.remove("refs/heads/agent")
			w.git(w.bare, "update-ref", "-d", "refs/heads/"+p.Branch)
			if err := os.Symlink("agent", filepath.Join(w.bare, "refs/heads/agent")); err != nil {
				t.Fatal(err)
			}
		},
		"no target branch": func() {
			w.remove("refs/heads/agent")
			w.git(w.bare, "update-ref", "-d", "refs/heads/main")
		},
		"no repository": func() { w.remove("HEAD") },
		"nothing":       func() { w.remove("") },
	}
	for _, name := range []string{"a torn ref", "a folder of refs that cannot be read", "no target branch", "no repository", "nothing"} {
		cases[name]()
		for _, l := range []*forge.Local{w.forge, w.open(forge.LocalOptions{})} {
			seen, err := l.Observe(context.Background(), "main", known(p))
			if !errors.Is(err, gateway.ErrUnknown) || len(seen.Known)+len(seen.Unlisted) != 0 {
				t.Errorf("%s: observed %+v with error %v, want unknown", name, seen, err)
			}
		}
	}
}

func (w *world) file(name, content string) {
	w.t.Helper()
	name = filepath.Join(w.bare, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(content), 0o644)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) remove(name string) {
	w.t.Helper()
	if err := os.RemoveAll(filepath.Join(w.bare, name)); err != nil {
		w.t.Fatal(err)
	}
}

func TestOnlyABareRepositoryHasAForge(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{w.clone, filepath.Join(w.clone, ".git")} {
		l, err := forge.NewLocal(path, forge.LocalOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Observe(context.Background(), "main", nil); !errors.Is(err, gateway.ErrInvalid) || !strings.Contains(err.Error(), "git clone --bare") {
			t.Errorf("%s: error %v, want invalid and the remedy", path, err)
		}
	}
	if _, err := forge.NewLocal("some/where", forge.LocalOptions{}); !errors.Is(err, gateway.ErrInvalid) {
		t.Errorf("a relative path: error %v, want invalid", err)
	}
	if _, err := forge.NewLocal(w.bare, forge.LocalOptions{GitBinary: "no-such-git"}); !errors.Is(err, gateway.ErrInvalid) {
		t.Errorf("no git: error %v, want invalid", err)
	}
}

func TestACancelledContextIsUnknown(t *testing.T) {
	w := newWorld(t)
	p := w.push(1, "a", "a\n")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := w.forge.Observe(ctx, "main", known(p)); !errors.Is(err, gateway.ErrUnknown) || !errors.Is(err, context.Canceled) {
		t.Errorf("Observe: error %v, want unknown, because cancelled", err)
	}
	if _, err := w.forge.Open(ctx, p); !errors.Is(err, gateway.ErrUnknown) || !errors.Is(err, context.Canceled) {
		t.Errorf("Open: error %v, want unknown, because cancelled", err)
	}
}
