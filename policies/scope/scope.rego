# METADATA
# title: Scope
# description: |
#   What may change: inside the operator's prefixes and the task's own paths,
#   never a protected name, only plain files of a bounded size, and no more than
#   the target's own policy allows. The same rules judge the paths that a task
#   asks for and the changes that an attempt pushes.
package leviathan.scope

import rego.v1

import data.leviathan.reason

# reasons are all the reasons against a push.
reasons := deny | {r | some rs in path_reasons; some r in rs} if input.action == "change.push"

default reasons := set()

# METADATA
# title: The path is malformed
# description: |
#   A path has an empty, dot or dot-dot component, a component that ends in a
#   dot or a space, a backslash, or characters that cannot be seen.
# custom:
#   code: scope.malformed_path
#   message: "{path} is not a path that can be judged"
#   remedy: "Write the path from the root of the repository, with slashes, without . and .. components."
path_reasons[j.key] contains r if {
	some j in judged
	j.literal != ""
	_malformed(_trimmed(j))
	r := reason.of(rego.metadata.chain(), {"path": j.path})
}

# A pushed path has no slash at its end; an entry that names a folder has.
_trimmed(j) := j.literal if j.change

_trimmed(j) := trim_suffix(j.literal, "/") if not j.change

# METADATA
# title: The path is outside the allowed prefixes
# description: The path is in none of the folders and files that the operator's config allows.
# custom:
#   code: scope.outside_prefix
#   message: "{path} is outside {prefixes}"
#   remedy: "Keep to the allowed prefixes, or let the operator widen allowed_path_prefixes in the config."
path_reasons[j.key] contains r if {
	some j in judged
	not within(j.literal, prefixes)
	r := reason.of(rego.metadata.chain(), {"path": j.path, "prefixes": _prefix_text})
}

_prefix_text := concat(", ", [p | some p in (prefixes.dirs | prefixes.files)])

# METADATA
# title: The path is protected
# description: |
#   The path has a name that is protected at any depth, in any case: what git,
#   CI and agents obey, and what governs Leviathan itself.
# custom:
#   code: scope.protected
#   message: "{path} is protected"
#   remedy: "Leave this to a human; a task cannot lift the protection."
path_reasons[j.key] contains r if {
	some j in judged
	is_protected(j.literal)
	r := reason.of(rego.metadata.chain(), {"path": j.path})
}

# METADATA
# title: The path is outside the task's paths
# description: The path is in none of the task's allowed_paths, as it was reserved or as it is now.
# custom:
#   code: scope.outside_task
#   message: "{path} is outside the task's allowed_paths"
#   remedy: "Change only what the task allows, or widen the task's allowed_paths in the backlog and start anew."
path_reasons[j.key] contains r if {
	some j in judged
	j.change
	not _in_task(j.literal)
	r := reason.of(rego.metadata.chain(), {"path": j.path})
}

_in_task(path) if {
	within(path, _reserved)
	within(path, _present)
}

# METADATA
# title: More paths are refused
# description: A refusal names the first fifty paths; this is how many there are besides.
# custom:
#   code: scope.more
#   message: "at least {count} more changed paths are refused"
#   remedy: "Correct what the reasons name, then look at the other paths."
deny contains r if {
	input.action == "change.push"
	count(_suspects) > _named
	r := reason.of(rego.metadata.chain(), {"count": count(_suspects) - _named})
}

# METADATA
# title: A change cannot be judged
# description: A change passes no look and no rule says why. What cannot be judged is denied.
# custom:
#   code: scope.not_judged
#   message: "{path} cannot be judged"
#   remedy: "Look at the change in the decision; report it as a defect of the policies."
deny contains r if {
	input.action == "change.push"
	some j in judged
	count(object.get(path_reasons, j.key, set())) == 0
	r := reason.of(rego.metadata.chain(), {"path": j.path})
}
