package forge_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"leviathan/gateway"
	"leviathan/gateway/forge"
)

// wrapper is a git that writes down each call, does what the hook says ($sub
// is the subcommand, $real the binary, $dir the repository) and then the call.
func (w *world) wrapper(hook string) string {
	w.t.Helper()
	real, err := exec.LookPath("git")
	if err != nil {
		w.t.Fatal(err)
	}
	path := filepath.Join(w.home, "recording-git")
	script := `#!/bin/sh
real='` + real + `'
dir=${1#--git-dir=} sub=$2
echo "$sub" >>"` + w.home + `/calls"
` + hook + `
exec "$real" "$@"
`
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		w.t.Fatal(err)
	}
	return path
}

func (w *world) calls() []string {
	b, err := os.ReadFile(filepath.Join(w.home, "calls"))
	if err != nil {
		w.t.Fatal(err)
	}
	return strings.Fields(string(b))
}

// S02: all changes by pull request; never merges, approves or enables
// auto-merge.
func TestS02TheSeamHasNoWayToMerge(t *testing.T) {
	seam := reflect.TypeFor[forge.Forge]()
	got := []string{}
	for i := range seam.NumMethod() {
		got = append(got, seam.Method(i).Name)
	}
	if want := []string{"Observe", "Open"}; !slices.Equal(got, want) {
		t.Errorf("a forge has the methods %v, want exactly %v", got, want)
	}
	local := reflect.TypeFor[*forge.Local]()
	if local.NumMethod() != seam.NumMethod() {
		t.Errorf("the local forge has %d methods, want those of the seam alone", local.NumMethod())
	}
}

func TestS02TheLocalForgeOnlyReadsAndCreatesPullRequests(t *testing.T) {
	w := newWorld(t)
	w.forge = w.open(forge.LocalOptions{GitBinary: w.wrapper("")})
	refs := func() []string {
		return strings.Split(w.git(w.bare, "for-each-ref", "--format=%(refname) %(objectname)"), "\n")
	}
	a, b, c := w.push(1, "a", "a\n"), w.push(2, "b", "b\n"), w.push(3, "c", "c\n")
	before := refs()
	for _, p := range []forge.Proposal{a, b, c, a} {
		w.propose(p)
	}
	created := slices.DeleteFunc(refs(), func(r string) bool { return slices.Contains(before, r) })
	if len(created) != 6 || len(refs()) != len(before)+6 {
		t.Errorf("opening three created %v", created)
	}
	for _, r := range created {
		if !strings.HasPrefix(r, "refs/pull/") && !strings.HasPrefix(r, "refs/leviathan/pulls/") {
			t.Errorf("opening a pull request wrote %s", r)
		}
	}
	w.git(w.clone, "cherry-pick", "-n", string(a.Head))
	w.git(w.clone, "commit", "-q", "-m", "mine")
	w.git(w.clone, "push", "-q", "origin", "main")
	w.git(w.bare, "update-ref", "-d", "refs/pull/2/head")
	before = refs()
	if seen := w.observe(known(a, b, c)...); seen.Known[0].State != gateway.PullRequestMerged || seen.Known[1].State != gateway.PullRequestClosed || seen.Known[2].State != gateway.PullRequestOpen {
		t.Errorf("observed %+v", seen.Known)
	}
	if after := refs(); !slices.Equal(after, before) {
		t.Errorf("observing changed refs from %v to %v", before, after)
	}
	ran := w.calls()
	slices.Sort(ran)
	want := []string{"cat-file", "diff-tree", "for-each-ref", "hash-object", "merge-base", "patch-id", "rev-list", "rev-parse", "update-ref", "version"}
	if ran = slices.Compact(ran); !slices.Equal(ran, want) {
		t.Errorf("a pull request's life ran git %v, want %v", ran, want)
	}
}

var (
	forbiddenName = regexp.MustCompile(`(?i)^(do|try|run)?_?(auto_?merge|merge_?(pulls?|prs?|pull_?requests?)([^a-z]|$)|(pull|pr|pull_?request)_?merge$|enable_?(pull_?request_?)?auto_?merge|approve|create_?review|submit_?review)`)
	forbiddenText = regexp.MustCompile(`(?i)enablePullRequestAutoMerge|mergePullRequest|addPullRequestReview|/pulls?/[^ ]*/(merge|reviews)\b|^/(merge|reviews|merges)$|"?event"?: ?"?APPROVE`)
)

func TestS02NoCodeOfTheModuleMerges(t *testing.T) {
	root := moduleRoot(t)
	files := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || d.Name() == "vendor" || strings.HasPrefix(d.Name(), ".") && path != root):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		files++
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, found := range merges(t, path, src) {
			t.Error(found)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 20 {
		t.Fatalf("looked at %d files under %s: that is not the module", files, root)
	}
}

// merges lists what in a file's syntax could merge or approve.
func merges(t *testing.T, path string, src []byte) (found []string) {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, src, parser.SkipObjectResolution)
	if err != nil {
		t.Fatalf("parse: %v", err)
	}
	report := func(n ast.Node, what string) { found = append(found, set.Position(n.Pos()).String()+": "+what) }
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if forbiddenName.MatchString(n.Name.Name) {
				report(n, "declares "+n.Name.Name)
			}
		case *ast.SelectorExpr:
			inner, ok := n.X.(*ast.SelectorExpr)
			if forbiddenName.MatchString(n.Sel.Name) || ok && inner.Sel.Name == "PullRequests" && n.Sel.Name == "Merge" {
				report(n, "uses "+n.Sel.Name)
			}
		case *ast.CallExpr:
			if id, ok := n.Fun.(*ast.Ident); ok && forbiddenName.MatchString(id.Name) {
				report(n, "calls "+id.Name)
			}
		case *ast.BasicLit:
			if s, err := strconv.Unquote(n.Value); n.Kind == token.STRING && err == nil && forbiddenText.MatchString(s) && !strings.HasPrefix(s, "GET /") {
				report(n, "says "+n.Value)
			}
		}
		return true
	})
	return found
}

// The search is one that finds.
func TestS02TheSearchFinds(t *testing.T) {
	for _, body := range []string{
		`c.PullRequests.Merge(ctx, o, r, 1, "", nil)`, `c.PullRequests.CreateReview(ctx, o, r, 1, nil)`,
		`mergePullRequest(1)`, `x.MergePR(1)`, `f.Approve(1)`, `f.EnableAutoMerge(1)`, `client.EnablePullRequestAutoMerge()`,
		`post("mutation { enablePullRequestAutoMerge(input: {}) }")`, `put("/repos/o/r/pulls/1/merge")`, `put(base + "/merge")`, `put("/repos/%s/pulls/%d/reviews")`,
	} {
		if found := merges(t, "x.go", []byte("package x\nfunc f() { "+body+" }\n")); len(found) == 0 {
			t.Errorf("%s is not found", body)
		}
	}
	if found := merges(t, "x.go", []byte("package x\nfunc f() { p.merge(how, by); read(\"merged\"); pullMerged(); c.PullRequests.IsMerged() }\n")); len(found) != 0 {
		t.Errorf("found in harmless code: %v", found)
	}
}

func moduleRoot(t *testing.T) string {
	dir, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
	}
	t.Fatal("no go.mod above this package")
	return ""
}
