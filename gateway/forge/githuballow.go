package forge

import (
	"net/url"
	"slices"
	"strings"

	"leviathan/gateway"
)

// allowed is everything that this package may ask of GitHub; the transport
// refuses the rest before a byte leaves. In a pattern {owner} and {repo} are the
// target's own, {n} is digits, {sha} a commit id, {branch} and {file} one
// segment. What is a name in one place is never a pattern in another: of the
// contents of a repository only the files named here can be read.
//
// Nothing here merges, approves, closes, deletes, or writes refs or contents.
var allowed = []string{
	"GET /repos/{owner}/{repo}",
	"GET /repos/{owner}/{repo}/pulls",
	"POST /repos/{owner}/{repo}/pulls",
	"GET /repos/{owner}/{repo}/pulls/{n}",
	"GET /repos/{owner}/{repo}/pulls/{n}/reviews",
	"POST /repos/{owner}/{repo}/pulls/{n}/requested_reviewers",
	"GET /repos/{owner}/{repo}/issues/{n}/comments",
	"POST /repos/{owner}/{repo}/issues/{n}/comments",
	"PATCH /repos/{owner}/{repo}/issues/comments/{n}",
	"POST /repos/{owner}/{repo}/issues/{n}/labels",
	"GET /repos/{owner}/{repo}/commits/{sha}/check-runs",
	"POST /repos/{owner}/{repo}/check-runs",
	"PATCH /repos/{owner}/{repo}/check-runs/{n}",
	"GET /repos/{owner}/{repo}/branches/{branch}",
	"GET /repos/{owner}/{repo}/branches/{branch}/protection",
	"GET /repos/{owner}/{repo}/rules/branches/{branch}",
	"GET /repos/{owner}/{repo}/contents/CODEOWNERS",
	"GET /repos/{owner}/{repo}/contents/docs/CODEOWNERS",
	"GET /repos/{owner}/{repo}/contents/.github/CODEOWNERS",
	"GET /repos/{owner}/{repo}/contents/.github/workflows",
	"GET /repos/{owner}/{repo}/contents/.github/workflows/{file}",
	"POST /app/installations/{n}/access_tokens",
	"GET /rate_limit",
	"GET /user",
}

// A place is the one server and the one repository that may be spoken to.
type place struct {
	web   *url.URL // where humans look and git fetches, without a path
	api   *url.URL // the API, its path ending in /
	owner string
	name  string
}

// permits reports whether a request may leave: to the API's own host, with
// nothing in the URL that could be a secret, and on the list.
func (p place) permits(method string, u *url.URL) bool {
	if u.Scheme != p.api.Scheme || u.Host != p.api.Host || u.User != nil || u.Fragment != "" {
		return false
	}
	path, ok := strings.CutPrefix(u.EscapedPath(), strings.TrimSuffix(p.api.EscapedPath(), "/"))
	if !ok || !strings.HasPrefix(path, "/") {
		return false
	}
	return slices.ContainsFunc(allowed, func(a string) bool {
		verb, pattern, _ := strings.Cut(a, " ")
		return verb == method && p.fits(strings.Split(pattern, "/"), strings.Split(path, "/"))
	})
}

func (p place) fits(pattern, path []string) bool {
	if len(pattern) != len(path) {
		return false
	}
	for i, want := range pattern {
		got, err := url.PathUnescape(path[i])
		if err != nil {
			return false
		}
		switch want {
		case "{owner}":
			want = p.owner
		case "{repo}":
			want = p.name
		case "{n}":
			if !digits(got) {
				return false
			}
			continue
		case "{sha}":
			if !gateway.OID(got).Valid() {
				return false
			}
			continue
		case "{branch}":
			if !branchName(got) || got == "." {
				return false
			}
			continue
		case "{file}":
			if got == "" || got == "." || got == ".." || strings.Contains(got, "/") || !oneLine(got) {
				return false
			}
			continue
		}
		if got != want {
			return false
		}
	}
	return true
}

func digits(s string) bool {
	return s != "" && len(s) <= 19 && strings.Trim(s, "0123456789") == ""
}
