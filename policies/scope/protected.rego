package leviathan.scope

import rego.v1

# protected are the names that no attempt may touch, at any depth and in any
# case: what git, CI and agents obey, what governs Leviathan itself, and who
# must review. A file or a folder of such a name is meant alike; * stands for
# any rest of the name. An operator may change this list; a task may not.
protected := {
	".git*", ".leviathan*", "leviathan-autonomy-config*",
	".github", ".gitlab-ci.yml", ".circleci", ".buildkite", ".woodpecker*", ".drone.yml", ".travis.yml",
	"Jenkinsfile*", "azure-pipelines*.yml", "bitbucket-pipelines.yml", ".pre-commit-config.yaml",
	"CODEOWNERS", "AGENTS.md", "CLAUDE.md", ".claude", ".cursor*", ".mcp.json",
	".devcontainer", ".vscode", ".husky", ".envrc",
	"git~*",
}

# (?i) folds as Unicode does, so that neither a Kelvin sign nor a long s hides
# a name. A colon ends a name on file systems that have streams.
_protected_pattern := sprintf(`(?i)(?:^|/)(?:%s)(?:[/:]|$)`, [concat("|", [_as_regex(name) | some name in protected])])

_as_regex(name) := replace(replace(name, ".", `\.`), "*", `[^/]*`)

# What is no path of its own: an empty, dot or dot-dot component; one that ends
# in a dot or a space, which some file systems drop; control and invisible
# characters; a backslash.
_malformed_pattern := `(?:^|/)(?:/|$)|[ .](?:/|$)|[\x00-\x1f\x7f\\]|\p{Cf}`

# Either of the two in one pass.
_suspicious_pattern := sprintf("%s|%s", [_protected_pattern, _malformed_pattern])

is_protected(path) if regex.match(_protected_pattern, path)

_malformed(path) if regex.match(_malformed_pattern, path)
