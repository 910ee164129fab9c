package leviathan.scope

import rego.v1

# Which paths are looked at one by one. Nearly every path of nearly every
# question is fine at a glance (fine and fine_entries, one pass of builtins);
# the rules of this package look at the others.

# How many paths a refusal names. The count of the others is one reason more.
_named := 50

# judged are the paths to look at. Of a push: the changes that are not fine at
# a glance and do not pass a closer look, the first of them. Of a plan: entries
# of allowed_paths, by the scope of their task.
judged := [_judgement(i) | some i in array.slice(_suspects, 0, _named)] if input.action == "change.push"

judged := [{"key": key, "path": path, "literal": literal(path), "scopes": {key[0]}} |
	some key in (_entries - _fine_entries)
	path := key[1]
] if {
	input.action == "cycle.plan"
}

default judged := []

_judgement(i) := {
	"key": path,
	"path": path,
	"literal": path,
	"scopes": _scopes,
	"change": input.changes[i],
} if {
	path := _path_of(i)
}

_path_of(i) := path if {
	path := object.get({"change": input.changes[i]}, ["change", "path"], null)
	is_string(path)
}

_path_of(i) := sprintf("changes[%d]", [i]) if {
	path := object.get({"change": input.changes[i]}, ["change", "path"], null)
	not is_string(path)
}

# A push with more changes than may be is refused for that; the first of its
# paths say enough about the others.
_looked_at := input.changes if not _too_many

_looked_at := array.slice(input.changes, 0, 4 * _named) if _too_many

_too_many if count(input.changes) > max_files

_suspects := [i |
	some i, change in _looked_at
	not i in _fine
	not _passes(change)
]

# _fine are the changes of ordinary files, below a folder that config, reserved
# task and present task allow, without a suspicious name.
_fine := {i |
	_target_silent
	some i, change in _looked_at
	is_string(change.path)
	strings.any_prefix_match(change.path, _common_dirs)
	not regex.match(_suspicious_pattern, change.path)
	change.size >= 0
	change.size <= _max_bytes
	[change.op, object.get(change, "old_mode", ""), object.get(change, "new_mode", "")] in _plain_changes
}

default _common_dirs := []

_common_dirs := [d | some d in common(prefixes.dirs, common(_reserved.dirs, _present.dirs))]

_reserved := entries(input.attempt.task.allowed_paths)

_present := entries(input.task_now.task.allowed_paths)

_scopes := {input.attempt.task.scope, input.task_now.task.scope}

_plain_changes := ({["add", "", "100644"], ["add", "", "100755"]} | {[op, old, new] | op := "modify"; some old in _modes; some new in {"100644", "100755"}}) | {["delete", old, ""] | some old in _modes}

# _passes is the closer look at a change: the opposite of all rules together.
_passes(change) if {
	is_string(change.path)
	not _malformed(change.path)
	not is_protected(change.path)
	within(change.path, prefixes)
	within(change.path, _reserved)
	within(change.path, _present)
	_sound(change)
	_small(change)
	_link_ok(change)
	_target_passes(change.path, _scopes)
	_target_operation_ok(change.op)
	_target_size_ok(change)
}

# The entries of all tasks by scope, and those of them that are fine at a glance.
_entries := {[task.scope, path] |
	some task in input.backlog.tasks
	some path in task.allowed_paths
	is_string(path)
}

_fine_entries := {key |
	_target_silent
	some key in _entries
	strings.any_prefix_match(key[1], prefixes.dirs)
	not regex.match(_suspicious_entry, trim_suffix(key[1], "/"))
}

_suspicious_entry := sprintf(`%s|[*?\[{]`, [_suspicious_pattern])
