package forge_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"leviathan/gateway"
	"leviathan/gateway/forge"
)

// Every way in which a human may merge with git, and what it is known by.
func TestMerged(t *testing.T) {
	for _, c := range []struct {
		name  string
		how   string
		merge func(w *world, p forge.Proposal)
	}{
		{"fast-forward", forge.ByAncestor, func(w *world, p forge.Proposal) {
			w.git(w.clone, "merge", "-q", "--ff-only", string(p.Head))
		}},
		{"merge commit", forge.ByAncestor, func(w *world, p forge.Proposal) {
			w.git(w.clone, "merge", "-q", "--no-ff", "-m", "merge", string(p.Head))
		}},
		{"merge commit after other work", forge.ByAncestor, func(w *world, p forge.Proposal) {
			w.write("other", "x\n")
			w.commit("other")
			w.git(w.clone, "merge", "-q", "-m", "merge", string(p.Head))
		}},
		{"squash that keeps the trailer", forge.ByTrailer, func(w *world, p forge.Proposal) {
			w.write("README.md", "changed by the human as well\n")
			w.commit("docs: better (squashed)\n\n" + p.Body)
		}},
		{"rebase over a neighbour", forge.ByTrailer, func(w *world, p forge.Proposal) {
			w.write("other", "x\n")
			w.commit("other")
			w.git(w.clone, "cherry-pick", string(p.Head))
		}},
		{"squash by git", forge.ByPatchID, func(w *world, p forge.Proposal) {
			w.write("other", "x\n")
			w.commit("other")
			w.git(w.clone, "merge", "-q", "--squash", string(p.Head))
			w.git(w.clone, "commit", "-q", "--no-edit")
		}},
		{"cherry-pick with words of one's own", forge.ByPatchID, func(w *world, p forge.Proposal) {
			w.write("README.md", "zero\none\ntwo\nthree\nfour\nfive\nsix\nseven\n")
			w.commit("a line before")
			w.git(w.clone, "cherry-pick", "-n", string(p.Head))
			w.git(w.clone, "commit", "-q", "-m", "my own words")
		}},
		{"cherry-pick on a branch that is merged", forge.ByPatchID, func(w *world, p forge.Proposal) {
			w.git(w.clone, "checkout", "-q", "-b", "side")
			w.git(w.clone, "cherry-pick", "-n", string(p.Head))
			w.git(w.clone, "commit", "-q", "-m", "my own words")
			w.git(w.clone, "checkout", "-q", "main")
			w.git(w.clone, "merge", "-q", "--no-ff", "-m", "merge", "side")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			p := w.push(1, "README.md", "one\ntwo\nthree\nfour\nfive\nsix\nSEVEN\n")
			w.propose(p)
			w.wantState(known(p)[0], gateway.PullRequestOpen, "")
			c.merge(w, p)
			w.git(w.clone, "push", "-q", "origin", "main")
			want := gateway.OID(w.git(w.bare, "rev-parse", "main"))
			pr := w.wantState(known(p)[0], gateway.PullRequestMerged, c.how)
			if pr.MergeCommit != want {
				t.Errorf("merge commit %s, want %s", pr.MergeCommit, want)
			}
			// Work goes on, and what is merged stays merged without its refs.
			w.write("later", "x\n")
			w.commit("later")
			w.git(w.clone, "push", "-q", "origin", "main")
			w.git(w.bare, "update-ref", "-d", "refs/pull/1/head")
			w.git(w.bare, "update-ref", "-d", "refs/heads/"+p.Branch)
			if pr := w.wantState(known(p)[0], gateway.PullRequestMerged, c.how); pr.MergeCommit != want {
				t.Errorf("later the merge commit is %s, want %s", pr.MergeCommit, want)
			}
			if c.how == forge.ByPatchID {
				return // with the objects gone the change cannot be compared
			}
			w.git(w.bare, "reflog", "expire", "--expire=now", "--all")
			w.git(w.bare, "gc", "-q", "--prune=now")
			w.forge = w.open(forge.LocalOptions{})
			k := known(p)[0]
			k.BaseCommit = "" // not even that is known
			w.wantState(k, gateway.PullRequestMerged, c.how)
		})
	}
}

func TestNotMerged(t *testing.T) {
	binary := "\x00\x01\x02"
	for _, c := range []struct {
		name          string
		path, content string
		happens       func(w *world, p forge.Proposal)
	}{
		{"nothing happens", "a", "a\n", func(*world, forge.Proposal) {}},
		{"another change of the same file", "README.md", "one\n", func(w *world, p forge.Proposal) {
			w.write("README.md", "two\n")
			w.commit("other")
		}},
		{"another binary of the same name", "a.bin", binary + "ours", func(w *world, p forge.Proposal) {
			w.write("a.bin", binary+"theirs")
			w.commit("other")
		}},
		{"an empty commit", "README.md", "one\ntwo\nthree\nfour\nfive\nsix\nseven\n", func(w *world, p forge.Proposal) {
			w.commit("empty too")
		}},
		{"another attempt's trailer", "a", "a\n", func(w *world, p forge.Proposal) {
			w.commit("x\n\n" + forge.TrailerAttempt + ": " + string(attempt(2)))
		}},
		{"the trailer's words in prose", "a", "a\n", func(w *world, p forge.Proposal) {
			w.commit("x\n\nsee " + forge.TrailerAttempt + ": " + string(attempt(1)) + "\n\nthe end")
		}},
		{"the branch gets another history", "a", "a\n", func(w *world, p forge.Proposal) {
			w.git(w.clone, "checkout", "-q", "--orphan", "new")
			w.commit("another first")
			w.git(w.clone, "branch", "-q", "-M", "main")
			w.git(w.clone, "push", "-q", "--force", "origin", "main")
		}},
		{"a branch is named like a commit", "a", "a\n", func(w *world, p forge.Proposal) {
			w.git(w.bare, "update-ref", "refs/heads/"+string(p.Head), "main")
		}},
		{"the same change on another branch", "a", "a\n", func(w *world, p forge.Proposal) {
			w.git(w.clone, "push", "-q", "origin", string(p.Head)+":refs/heads/other")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			p := w.push(1, c.path, c.content)
			w.propose(p)
			c.happens(w, p)
			w.git(w.clone, "push", "-q", "origin", "main")
			w.wantState(known(p)[0], gateway.PullRequestOpen, "")
		})
	}
}

// A change that the branch made and took back before the base is not a merge.
func TestTheSameChangeBeforeTheBaseIsNoMerge(t *testing.T) {
	w := newWorld(t)
	w.write("other", "x\n")
	root := w.push(2, "b", "b\n") // keeps older commits in question
	w.propose(root)
	w.write("a", "a\n")
	w.commit("made")
	w.git(w.clone, "revert", "--no-edit", "HEAD")
	w.git(w.clone, "push", "-q", "origin", "main")
	p := w.push(1, "a", "a\n")
	w.propose(p)
	seen := w.observe(known(root, p)...)
	for _, pr := range seen.Known {
		if pr.State != gateway.PullRequestOpen {
			t.Errorf("pull request %d is %s by %s, want open", pr.Number, pr.State, pr.How)
		}
	}
}

func TestClosed(t *testing.T) {
	w := newWorld(t)
	a, b, c := w.push(1, "a", "a\n"), w.push(2, "b", "b\n"), w.push(3, "c", "c\n")
	for _, p := range []forge.Proposal{a, b, c} {
		w.propose(p)
	}
	w.git(w.bare, "update-ref", "-d", "refs/pull/1/head")
	w.git(w.bare, "update-ref", "-d", "refs/heads/"+b.Branch)
	seen := w.observe(known(a, b, c)...)
	want := []struct {
		state gateway.PullRequestState
		how   string
	}{
		{gateway.PullRequestClosed, "refs/pull/1/head"},
		{gateway.PullRequestClosed, "refs/heads/" + b.Branch},
		{gateway.PullRequestOpen, ""},
	}
	for i, pr := range seen.Known {
		if pr.State != want[i].state || pr.How != want[i].how || pr.Number != i+1 || pr.Attempt != attempt(i+1) {
			t.Errorf("observed %+v, want %+v", pr, want[i])
		}
	}
	if len(seen.Known) != 3 || len(seen.Unlisted) != 0 {
		t.Errorf("observed %+v", seen)
	}
}

func TestUnlisted(t *testing.T) {
	w := newWorld(t)
	open, closed, merged, intended := w.push(1, "a", "a\n"), w.push(2, "b", "b\n"), w.push(3, "c", "c\n"), w.push(4, "d", "d\n")
	for _, p := range []forge.Proposal{open, closed, merged, intended} {
		w.propose(p)
	}
	w.push(5, "e", "e\n") // a branch alone is no pull request
	w.git(w.bare, "update-ref", "refs/pull/6/head", w.git(w.bare, "rev-parse", "main"))
	w.git(w.bare, "update-ref", "refs/heads/human", string(w.humansCommit("h")))
	w.git(w.bare, "update-ref", "refs/pull/7/head", "refs/heads/human")
	w.git(w.bare, "update-ref", "refs/heads/agent/by-hand", string(w.humansCommit("i")))
	w.git(w.bare, "update-ref", "refs/pull/8/head", "refs/heads/agent/by-hand")
	w.git(w.bare, "update-ref", "-d", "refs/heads/"+closed.Branch)
	w.git(w.clone, "merge", "-q", "--squash", string(merged.Head))
	w.git(w.clone, "commit", "-q", "-m", "mine")
	w.git(w.clone, "push", "-q", "origin", "main")

	got := []string{}
	for _, pr := range w.observe().Unlisted {
		got = append(got, fmt.Sprintf("%d %s %q %s", pr.Number, pr.Branch, pr.Attempt, pr.State))
	}
	want := []string{
		fmt.Sprintf("1 %s %q open", open.Branch, attempt(1)),
		fmt.Sprintf("4 %s %q open", intended.Branch, attempt(4)),
		`8 agent/by-hand "" open`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("unlisted:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}

	// An intent is found by its head; one that has none is left out.
	seen := w.observe(forge.Known{Attempt: attempt(5), Head: w.at("refs/heads/" + attempt(5).Branch())},
		forge.Known{Attempt: attempt(4), Head: intended.Head, BaseCommit: intended.BaseCommit})
	if len(seen.Known) != 1 || seen.Known[0].Number != 4 || seen.Known[0].State != gateway.PullRequestOpen || len(seen.Unlisted) != 2 {
		t.Errorf("with intents: %+v", seen)
	}
	w.git(w.bare, "update-ref", "-d", "refs/pull/4/head")
	seen = w.observe(forge.Known{Attempt: attempt(4), Head: intended.Head, BaseCommit: intended.BaseCommit})
	if len(seen.Known) != 1 || seen.Known[0].Number != 4 || seen.Known[0].State != gateway.PullRequestClosed {
		t.Errorf("an intent that a human closed: %+v", seen.Known)
	}
}

func (w *world) at(ref string) gateway.OID { return gateway.OID(w.git(w.bare, "rev-parse", ref)) }

func (w *world) humansCommit(path string) gateway.OID {
	w.git(w.clone, "checkout", "-q", "--detach", "main")
	w.write(path, "by a human\n")
	id := w.commit("by a human")
	w.git(w.clone, "push", "-q", "origin", "HEAD:refs/heads/scratch-"+path)
	w.git(w.clone, "checkout", "-q", "main")
	return id
}

// A merge followed by a tidy human, between two reads of the refs, is a merge.
func TestAMergeWhileWeLookIsNoClose(t *testing.T) {
	w := newWorld(t)
	p := w.push(1, "a", "a\n")
	w.propose(p)
	// After our first look the branch is gone and main is as it was; by the
	// second look main has moved.
	w.git(w.bare, "update-ref", "-d", "refs/heads/"+p.Branch)
	git := w.wrapper(`if [ "$sub" = cat-file ]; then
  "$real" --git-dir="$dir" update-ref refs/heads/main ` + string(p.Head) + `
fi`)
	w.forge = w.open(forge.LocalOptions{GitBinary: git})
	w.wantState(known(p)[0], gateway.PullRequestMerged, forge.ByAncestor)
}

func TestAHundredPullRequestsTakeAHandfulOfProcesses(t *testing.T) {
	w := newWorld(t)
	ps := w.many(100)
	for i := range 10 {
		w.git(w.clone, "fetch", "-q", "origin", fmt.Sprintf("refs/pull/%d/head", i+1))
		w.git(w.clone, "cherry-pick", "-n", "FETCH_HEAD")
		w.git(w.clone, "commit", "-q", "-m", "mine")
	}
	w.git(w.clone, "push", "-q", "origin", "main")
	w.forge = w.open(forge.LocalOptions{GitBinary: w.wrapper("")})
	before := len(w.calls())
	seen := w.observe(known(ps...)...)
	took := w.calls()[before:]
	for i, pr := range seen.Known {
		want := gateway.PullRequestOpen
		if i < 10 {
			want = gateway.PullRequestMerged
		}
		if pr.State != want || pr.Number != i+1 {
			t.Errorf("pull request %d is %s, want %s", pr.Number, pr.State, want)
		}
	}
	if len(seen.Known) != 100 || len(took) > 10 {
		t.Errorf("%d pull requests in %d git processes: %v", len(seen.Known), len(took), took)
	}
	if w.observe(known(ps...)...); len(w.calls()) != before+len(took)+1 {
		t.Errorf("looking again where nothing moved took %d processes, want 1", len(w.calls())-before-len(took))
	}
	if _, err := w.forge.Observe(context.Background(), "no..branch", nil); gateway.KindOf(err) != gateway.Invalid {
		t.Errorf("a range for a branch: error %v, want invalid", err)
	}
}

// many makes open pull requests 1 to n in one go.
func (w *world) many(n int) []forge.Proposal {
	w.t.Helper()
	base := w.at("main")
	var script strings.Builder
	for i := range n {
		message := forge.CommitMessage(gateway.Task{ID: "t", Title: "t"}, attempt(i+1), "")
		fmt.Fprintf(&script, "commit refs/heads/%s\nmark :%d\ncommitter C <c@example.com> 1700000000 +0000\ndata %d\n%sfrom %s\n", attempt(i+1).Branch(), i+1, len(message), message, base)
		fmt.Fprintf(&script, "M 100644 inline d/%d\ndata 2\nx\n\nreset refs/pull/%d/head\nfrom :%d\n", i, i+1, i+1)
	}
	w.file("script", script.String())
	w.shell("git --git-dir='" + strings.ReplaceAll(w.bare, "'", `'\''`) + "' fast-import --quiet <'" + strings.ReplaceAll(w.bare, "'", `'\''`) + "/script'")
	ps := []forge.Proposal{}
	for i := range n {
		ps = append(ps, forge.Proposal{Attempt: attempt(i + 1), Head: w.at("refs/heads/" + attempt(i+1).Branch()), BaseCommit: base})
	}
	return ps
}
