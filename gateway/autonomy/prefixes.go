package autonomy

import (
	"path"
	"strconv"
	"strings"

	"leviathan/gateway/strictyaml"
)

// protectedNames are what policy protects at any depth, as far as a warning
// needs it: a trailing "*" is any rest of the name. The list that is enforced
// is policy's own.
var protectedNames = []string{".git*", ".leviathan", ".gitlab-ci.yml", ".circleci", ".buildkite", ".woodpecker*", ".drone.yml", ".travis.yml",
	"jenkinsfile*", "azure-pipelines*.yml", "bitbucket-pipelines.yml", ".pre-commit-config.yaml", "codeowners", "agents.md", "claude.md", ".claude",
	".cursor*", ".mcp.json", ".devcontainer", ".vscode", ".husky", ".envrc"}

// protected reports whether a component of the path is protected.
func protected(prefix string) bool {
	for part := range strings.SplitSeq(strings.ToLower(prefix), "/") {
		for _, pattern := range protectedNames {
			if ok, err := path.Match(pattern, part); err == nil && ok {
				return true
			}
		}
	}
	return false
}

func (l *loader) prefixes(n *strictyaml.Node) {
	const key = "allowed_path_prefixes"
	if !l.IsKind(n, key, strictyaml.List) {
		return
	}
	if len(n.Items) == 0 {
		l.Errorf(n, "%s is empty; name at least one folder or file, or set autonomy_enabled: false", key)
	}
	seen := map[string]int{}
	for i, item := range n.Items {
		s, ok := l.Text(item, key+"["+strconv.Itoa(i)+"]")
		if !ok {
			continue
		}
		if problem := prefixProblem(s); problem != "" {
			l.Errorf(item, "%s: %s %s", key, strictyaml.Show(s), problem)
			continue
		}
		if line, ok := seen[s]; ok {
			l.Errorf(item, "%s: %s is already at line %d", key, strictyaml.Show(s), line)
			continue
		}
		seen[s] = item.Line
		if protected(s) {
			l.Warnf(item, "%s: %s is a protected path and stays denied", key, strictyaml.Show(s))
		}
		if strings.ContainsAny(s, "*?[") {
			l.Warnf(item, "%s: %s is read as it stands; *, ? and [ match only themselves", key, strictyaml.Show(s))
		}
		l.cfg.AllowedPathPrefixes = append(l.cfg.AllowedPathPrefixes, s)
	}
}

// prefixProblem says why a prefix cannot be one.
func prefixProblem(s string) string {
	switch {
	case s == "":
		return "would allow everything; name a folder that ends in / or a file"
	case strings.HasPrefix(s, "/"):
		return "must be relative to the repository's root"
	case strings.Contains(s, `\`):
		return "has a backslash; git's paths use /"
	case strings.ContainsFunc(s, hidden):
		return "has control characters in it"
	case strings.TrimSpace(s) != s:
		return "has spaces around it"
	}
	for part := range strings.SplitSeq(strings.TrimSuffix(s, "/"), "/") {
		switch {
		case part == "":
			return "has an empty component"
		case part == "." || part == "..":
			return "has the component " + part
		case strings.EqualFold(part, ".git"):
			return "names git's own folder"
		}
	}
	return ""
}
