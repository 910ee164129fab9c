# METADATA
# title: The tree
# description: |
#   Everything that could not be read, or only in part. It always runs: a rule
#   that does not see a file cannot say that the file is right.
package leviathan.invariants.tree

import rego.v1

import data.leviathan.invariants._lib as lib

# METADATA
# title: A file is not read
# description: A file is binary, not UTF-8, too large or inaccessible, or the tree has too many, so that no rule can look at it.
# custom:
#   code: tree.not_read
#   severity: error
#   message: "{message}"
#   remedy: "Correct the file, or leave its folder out with exclude in .leviathan/invariants.yaml."
deny contains v if {
	some problem in input.problems
	problem.code in {"too_large", "too_many", "not_utf8", "binary", "unreadable"}
	v := lib.violation(rego.metadata.chain(), problem, _values(problem))
}

# METADATA
# title: A symbolic link leads nowhere
# description: A link leads out of the tree, around in a circle, or to nothing.
# custom:
#   code: tree.link
#   severity: error
#   message: "{message}"
#   remedy: "Point the link at a file of this repository, or remove it."
deny contains v if {
	some problem in input.problems
	startswith(problem.code, "link_")
	v := lib.violation(rego.metadata.chain(), problem, _values(problem))
}

# METADATA
# title: YAML cannot be read
# description: A document is not YAML, has a key twice, or is too deep or too large once its aliases are resolved.
# custom:
#   code: tree.yaml
#   severity: error
#   message: "{message}"
#   remedy: "Correct the document; the other documents of the file are checked all the same."
deny contains v if {
	some problem in input.problems
	startswith(problem.code, "yaml_")
	v := lib.violation(rego.metadata.chain(), problem, _values(problem))
}

# METADATA
# title: A kustomization cannot be rendered
# description: A kustomization names what is not in the tree, or kustomize refuses it.
# custom:
#   code: tree.kustomize
#   severity: error
#   message: "{message}"
#   remedy: "Name only files of this repository, and see that kustomize build of the folder works."
deny contains v if {
	some problem in input.problems
	startswith(problem.code, "kustomize_")
	v := lib.violation(rego.metadata.chain(), problem, _values(problem))
}

# METADATA
# title: A value of a manifest is of a wrong type
# description: A value of a manifest has a type that its field cannot have. Kubernetes would refuse it, and the other rules see the manifest without it.
# custom:
#   code: tree.manifest
#   severity: error
#   message: "{message}"
#   remedy: "Correct it; kubectl explain says the type of every field."
deny contains v if {
	some problem in input.problems
	startswith(problem.code, "manifest_")
	v := lib.violation(rego.metadata.chain(), problem, _values(problem))
}

# METADATA
# title: A file has a syntax error
# description: A Go file, a go.mod file or a Dockerfile cannot be parsed, or there is a problem of a kind that this rule does not know.
# custom:
#   code: tree.syntax
#   severity: error
#   message: "{message}"
#   remedy: "Correct the file at the place named."
deny contains v if {
	some problem in input.problems
	not _named_above(problem.code)
	v := lib.violation(rego.metadata.chain(), problem, _values(problem))
}

_named_above(code) if code in {"too_large", "too_many", "not_utf8", "binary", "unreadable"}

_named_above(code) if strings.any_prefix_match(code, ["link_", "yaml_", "kustomize_", "manifest_"])

_values(problem) := {"message": problem.message, "subject": problem.code}
