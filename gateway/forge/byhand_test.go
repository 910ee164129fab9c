package forge_test

import (
	"strings"
	"testing"

	"leviathan/gateway"
	"leviathan/gateway/forge"
)

func TestByHandIsPlainGitThatWorks(t *testing.T) {
	w := newWorld(t)
	a, b := w.push(1, "a", "by the agent\n"), w.push(2, "b", "b\n")
	first, second := w.propose(a), w.propose(b)
	w.write("other", "x\n") // so that no fast-forward will do
	w.commit("other")
	w.git(w.clone, "push", "-q", "origin", "main")

	do, ok := forge.ByHand(first)
	if !ok {
		t.Fatalf("no commands for %+v", first)
	}
	if out := w.shell(do.Look); !strings.Contains(out, "Title: docs: Improve a") || !strings.Contains(out, "+by the agent") {
		t.Errorf("%s\nshows:\n%s", do.Look, out)
	}
	w.shell(do.Merge)
	if seen := w.observe(known(a, b)...); seen.Known[0].State != gateway.PullRequestMerged || seen.Known[1].State != gateway.PullRequestOpen {
		t.Errorf("after %s: %+v", do.Merge, seen.Known)
	}

	do, _ = forge.ByHand(second)
	w.shell(do.Close)
	if seen := w.observe(known(a, b)...); seen.Known[1].State != gateway.PullRequestClosed {
		t.Errorf("after %s: %+v", do.Close, seen.Known[1])
	}
}

func TestByHandIsForLocalPullRequestsOnly(t *testing.T) {
	good := forge.PullRequest{Number: 3, URL: "file:///r.git#refs/pull/3/head", Base: "main"}
	if _, ok := forge.ByHand(good); !ok {
		t.Errorf("no commands for %+v", good)
	}
	for name, change := range map[string]func(*forge.PullRequest){
		"a web page":       func(p *forge.PullRequest) { p.URL = "https://github.com/o/r/pull/3" },
		"another number":   func(p *forge.PullRequest) { p.Number = 4 },
		"no base":          func(p *forge.PullRequest) { p.Base = "" },
		"a flag as a base": func(p *forge.PullRequest) { p.Base = "-x" },
	} {
		pr := good
		change(&pr)
		if do, ok := forge.ByHand(pr); ok || do != (forge.Commands{}) {
			t.Errorf("%s: %+v", name, do)
		}
	}
}
