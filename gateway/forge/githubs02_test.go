package forge_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-github/v60/github"

	"leviathan/gateway/forge"
)

const goGitHub = "github.com/google/go-github/"

// called are the methods of go-github's services that this module may call.
// Merge, CreateReview, Edit and all the others are not among them.
var called = []string{
	"Checks.CreateCheckRun", "Checks.ListCheckRunsForRef", "Checks.UpdateCheckRun",
	"PullRequests.Create", "PullRequests.Get", "PullRequests.List", "PullRequests.ListReviews", "PullRequests.RequestReviewers",
	"Repositories.Get", "Repositories.GetBranchProtection", "Repositories.GetContents",
}

// services are the fields of go-github's client that have methods.
func services() (names []string) {
	client := reflect.TypeFor[github.Client]()
	for i := range client.NumField() {
		if f := client.Field(i); f.IsExported() && f.Type.Kind() == reflect.Pointer && strings.HasSuffix(f.Type.Elem().Name(), "Service") {
			names = append(names, f.Name)
		}
	}
	return names
}

// usesOf lists what a file calls of go-github's services, or takes of them in
// any other way, as Service or Service.Method.
func usesOf(t *testing.T, path string, src any, of []string) (imports bool, found []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, src, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range file.Imports {
		imports = imports || strings.Contains(i.Path.Value, goGitHub)
	}
	inner := map[*ast.SelectorExpr]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := sel.X.(*ast.SelectorExpr); ok && slices.Contains(of, x.Sel.Name) {
			inner[x] = true
			found = append(found, x.Sel.Name+"."+sel.Sel.Name)
		} else if slices.Contains(of, sel.Sel.Name) && !inner[sel] {
			found = append(found, sel.Sel.Name)
		}
		return true
	})
	return imports, found
}

// S02: a syntax test over the module: of go-github only the listed methods are
// called, and no service is handed around.
func TestS02OnlyListedMethodsOfGoGitHubAreCalled(t *testing.T) {
	all := services()
	if len(all) < 20 || !slices.Contains(all, "PullRequests") {
		t.Fatalf("go-github's client has the services %v", all)
	}
	used := map[string]bool{}
	root := moduleRoot(t)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && path != root):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		// The client is at hand in all files of the package, with the import or
		// without it.
		ours := filepath.Dir(path) == filepath.Join(root, "gateway", "forge")
		src, err := os.ReadFile(path)
		if err != nil || !ours && !strings.Contains(string(src), goGitHub) {
			return err
		}
		imports, found := usesOf(t, path, src, all)
		if imports && !ours {
			t.Errorf("%s imports go-github", path)
		}
		for _, use := range found {
			if used[use] = true; !slices.Contains(called, use) {
				t.Errorf("%s uses %s of go-github", path, use)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, use := range called {
		if !used[use] {
			t.Errorf("nobody calls %s: take it off the list", use)
		}
	}
}

func TestS02TheSearchOfGoGitHubFinds(t *testing.T) {
	for body, want := range map[string]string{
		`c.PullRequests.Merge(ctx, "o", "r", 1, "", nil)`: "PullRequests.Merge",
		`g.client.PullRequests.CreateReview()`:            "PullRequests.CreateReview",
		`pulls := g.client.PullRequests; pulls.Merge()`:   "PullRequests",
		`f := g.client.Git.UpdateRef; f()`:                "Git.UpdateRef",
	} {
		_, found := usesOf(t, "x.go", "package x\nfunc f() { "+body+" }\n", services())
		if !slices.Equal(found, []string{want}) {
			t.Errorf("%s: found %v, want %s", body, found, want)
		}
	}
}

func TestS02TheGitHubForgeHasNoMoreMethodsThanItsDuties(t *testing.T) {
	typ := reflect.TypeFor[*forge.GitHub]()
	got := []string{}
	for i := range typ.NumMethod() {
		got = append(got, typ.Method(i).Name)
	}
	want := []string{"Annotate", "Budget", "Credential", "CredentialHost", "GitClient", "Observe", "Open", "Probe", "String", "Warnings"}
	if !slices.Equal(got, want) {
		t.Errorf("the GitHub forge has the methods %v, want %v", got, want)
	}
}

// S02: a recording GitHub sees only list, create, read, comment and label in
// the whole life of a pull request.
func TestS02AWholeLifeOnGitHubIsListCreateReadCommentAndLabel(t *testing.T) {
	f := newFake(t)
	g := f.open(f.app)
	n := noted(f, g)
	n.AskReviewers = true
	f.files["CODEOWNERS"] = "* @ann\n"
	if _, err := g.Probe(t.Context(), "main"); err != nil {
		t.Fatal(err)
	}
	annotate(f, g, n)
	n.Status = "succeeded"
	n.Decisions = append(n.Decisions, "01J0000000000000000000000A")
	annotate(f, g, n)
	f.pulls[0]["state"], f.pulls[0]["merged_at"] = "closed", "2026-03-01T12:00:00Z"
	if _, err := g.Observe(t.Context(), "main", []forge.Known{{Number: 1, Attempt: n.Attempt, Head: n.Head}}); err != nil {
		t.Fatal(err)
	}
	wrote := []string{}
	for _, a := range f.asked {
		if !strings.HasPrefix(a, "GET ") && !slices.Contains(wrote, a) {
			wrote = append(wrote, a)
		}
	}
	slices.Sort(wrote)
	want := []string{
		"PATCH /repos/acme/app/check-runs/1", "PATCH /repos/acme/app/issues/comments/1", "POST /app/installations/8/access_tokens", "POST /repos/acme/app/check-runs",
		"POST /repos/acme/app/issues/1/comments", "POST /repos/acme/app/issues/1/labels", "POST /repos/acme/app/pulls", "POST /repos/acme/app/pulls/1/requested_reviewers",
	}
	if !slices.Equal(wrote, want) {
		t.Errorf("wrote\n%s\nwant\n%s", strings.Join(wrote, "\n"), strings.Join(want, "\n"))
	}
}
