package leviathan.scope

import rego.v1

import data.leviathan.reason

# max_files is the least of what config and target policy allow.
max_files := min({input.config.values.limits.max_files} | _target_max_files)

_max_bytes := input.config.values.limits.max_file_kb * 1024

# METADATA
# title: The push changes too many files
# description: More paths change than config or target policy allow for one change.
# custom:
#   code: scope.too_many_files
#   message: "{count} paths change, the limit is {limit}"
#   remedy: "Make the change smaller, or split the task."
deny contains r if {
	input.action == "change.push"
	not _few_enough
	r := reason.of(rego.metadata.chain(), {
		"count": count(object.get(input, "changes", [])),
		"limit": object.get(input, ["config", "values", "limits", "max_files"], "not known"),
	})
}

_few_enough if count(input.changes) <= max_files

# METADATA
# title: A file is too large
# description: The new content of a file is larger than the config allows.
# custom:
#   code: scope.file_too_large
#   message: "{path} has {size} bytes, the limit is {limit}"
#   remedy: "Make the file smaller, or raise limits.max_file_kb in the config."
path_reasons[j.key] contains r if {
	some j in judged
	j.change
	_sound(j.change)
	not _small(j.change)
	r := reason.of(rego.metadata.chain(), {"path": j.path, "size": j.change.size, "limit": _max_bytes})
}

_small(change) if change.size <= _max_bytes
