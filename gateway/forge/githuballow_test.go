package forge_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"leviathan/gateway/forge"
)

// openAPI is testdata/openapi/github.json: see the README beside it.
type openAPI struct {
	Version    string
	Operations []string
	Used       map[string]operation
}

type operation struct {
	Query        map[string]any `json:"query"`
	Body         map[string]any `json:"body"`
	BodyRequired bool           `json:"bodyRequired"`
}

func readOpenAPI(t *testing.T) openAPI {
	t.Helper()
	raw, err := os.ReadFile("testdata/openapi/github.json")
	if err != nil {
		t.Fatal(err)
	}
	var d openAPI
	if err := json.Unmarshal(raw, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// wanted are the operations that the forge may use, written down once more:
// whoever adds one changes two places and thinks twice.
var wanted = []string{
	"GET /rate_limit",
	"GET /repos/{owner}/{repo}",
	"GET /repos/{owner}/{repo}/branches/{branch}",
	"GET /repos/{owner}/{repo}/branches/{branch}/protection",
	"GET /repos/{owner}/{repo}/commits/{ref}/check-runs",
	"GET /repos/{owner}/{repo}/issues/{issue_number}/comments",
	"GET /repos/{owner}/{repo}/pulls",
	"GET /repos/{owner}/{repo}/pulls/{pull_number}",
	"GET /repos/{owner}/{repo}/pulls/{pull_number}/reviews",
	"GET /repos/{owner}/{repo}/rules/branches/{branch}",
	"GET /user",
	"PATCH /repos/{owner}/{repo}/check-runs/{check_run_id}",
	"PATCH /repos/{owner}/{repo}/issues/comments/{comment_id}",
	"POST /app/installations/{installation_id}/access_tokens",
	"POST /repos/{owner}/{repo}/check-runs",
	"POST /repos/{owner}/{repo}/issues/{issue_number}/comments",
	"POST /repos/{owner}/{repo}/issues/{issue_number}/labels",
	"POST /repos/{owner}/{repo}/pulls",
	"POST /repos/{owner}/{repo}/pulls/{pull_number}/requested_reviewers",
}

// values fill the names in a path with what the forge itself would.
var values = map[string]string{"owner": "acme", "repo": "app", "branch": "main", "ref": strings.Repeat("a", 40)}

var pathName = regexp.MustCompile(`\{([^}]+)\}`)

func fill(template string, other string) string {
	return pathName.ReplaceAllStringFunc(template, func(name string) string {
		if v, ok := values[strings.Trim(name, "{}")]; ok {
			return v
		}
		return other
	})
}

// S02: of all operations that GitHub describes, exactly those on the list pass.
func TestS02OfAllOfGitHubsOperationsExactlyTheAllowedPass(t *testing.T) {
	d := readOpenAPI(t)
	if len(d.Operations) < 1000 {
		t.Fatalf("the description has %d operations", len(d.Operations))
	}
	passed := []string{}
	for _, op := range d.Operations {
		method, path, _ := strings.Cut(op, " ")
		if forge.Permits(method, "https://api.github.com"+fill(path, "7")) {
			passed = append(passed, op)
		}
	}
	if !slices.Equal(passed, wanted) {
		t.Errorf("pass:\n%s\nwant:\n%s", strings.Join(passed, "\n"), strings.Join(wanted, "\n"))
	}
	for _, op := range d.Operations {
		method, path, _ := strings.Cut(op, " ")
		for _, other := range []string{"x", "main", strings.Repeat("b", 40)} {
			if forge.Permits(method, "https://api.github.com"+fill(path, other)) && !slices.Contains(wanted, op) {
				t.Errorf("%s passes with %q", op, other)
			}
		}
	}
}

func TestOnlyNamedFilesOfTheTargetsOwnRepositoryAreRead(t *testing.T) {
	for _, c := range []struct {
		method, url string
		want        bool
	}{
		{"GET", "https://api.github.com/repos/acme/app/contents/.github/workflows", true},
		{"GET", "https://api.github.com/repos/acme/app/contents/.github/workflows/ci.yml?ref=main", true},
		{"GET", "https://api.github.com/repos/acme/app/contents/CODEOWNERS", true},
		{"GET", "https://api.github.com/repos/acme/app/branches/agent%2F01J", true},
		{"PUT", "https://api.github.com/repos/acme/app/contents/CODEOWNERS", false},
		{"DELETE", "https://api.github.com/repos/acme/app/contents/CODEOWNERS", false},
		{"GET", "https://api.github.com/repos/acme/app/contents/secret.txt", false},
		{"GET", "https://api.github.com/repos/acme/app/contents/.github/workflows/..", false},
		{"GET", "https://api.github.com/repos/acme/app/contents/.github/workflows/%2e%2e", false},
		{"GET", "https://api.github.com/repos/acme/app/contents/.github/workflows/a%2Fb", false},
		{"GET", "https://api.github.com/repos/acme/app/branches/%2e%2e", false},
		{"GET", "https://api.github.com/repos/acme/app/branches/.", false},
		{"GET", "https://api.github.com/repos/acme/other", false},
		{"GET", "https://api.github.com/repos/other/app", false},
		{"GET", "https://api.github.com/repos/acme/app/", false},
		{"GET", "https://api.github.com//repos/acme/app", false},
		{"PUT", "https://api.github.com/repos/acme/app/pulls/7/merge", false},
		{"PUT", "https://api.github.com/repos/acme/app/pulls/7/update-branch", false},
		{"PATCH", "https://api.github.com/repos/acme/app/pulls/7", false},
		{"PATCH", "https://api.github.com/repos/acme/app/issues/7", false},
		{"POST", "https://api.github.com/repos/acme/app/pulls/7/reviews", false},
		{"POST", "https://api.github.com/repos/acme/app/merges", false},
		{"POST", "https://api.github.com/repos/acme/app/git/refs", false},
		{"POST", "https://api.github.com/graphql", false},
		{"GET", "http://api.github.com/repos/acme/app", false},
		{"GET", "https://github.com/repos/acme/app", false},
		{"GET", "https://api.github.com:8443/repos/acme/app", false},
		{"GET", "https://user:x@api.github.com/repos/acme/app", false},
		{"GET", "https://api.github.com.example.org/repos/acme/app", false},
	} {
		if got := forge.Permits(c.method, c.url); got != c.want {
			t.Errorf("%s %s: permitted %t, want %t", c.method, c.url, got, c.want)
		}
	}
}

// Each operation that the forge uses is described, so that what it sends can
// be checked.
func TestEveryAllowedOperationIsDescribed(t *testing.T) {
	d := readOpenAPI(t)
	for _, op := range wanted {
		if _, ok := d.Used[op]; !ok {
			t.Errorf("testdata/openapi does not describe %s: add it to reduce.mjs", op)
		}
	}
}
