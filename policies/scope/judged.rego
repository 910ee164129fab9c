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
	not _all_entries_fine
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

# _suspects are the places of the changes that do not pass. When the first of
# those that are not fine at a glance are bad already, the others need no look.
_suspects := [] if _all_fine

_suspects := _first_suspects if {
	not _all_fine
	count(_first_suspects) > _named
}

_suspects := array.concat(_first_suspects, [i | some i in array.slice(_doubtful, _sample, count(_doubtful)); not _passes(input.changes[i])]) if {
	not _all_fine
	count(_first_suspects) <= _named
}

_first_suspects := [i | some i in array.slice(_doubtful, 0, _sample); not _passes(input.changes[i])]

_doubtful := [i | fine := {i | some i in _fine}; some i, _ in _looked_at; not i in fine]

_sample := 20 * _named

# _fine are the changes of ordinary files, below a folder that config, reserved
# task and present task allow, without a suspicious name.
_fine := [i |
	_target_silent
	some i, change in _looked_at
	is_string(change.path)
	strings.any_prefix_match(change.path, _common_dirs)
	not regex.match(_suspicious_pattern, change.path)
	change.size >= 0
	change.size <= _max_bytes
	object.filter(change, {"op", "old_mode", "new_mode"}) in _plain_changes
]

_common_dirs := [d | some d in common(prefixes.dirs, common(_reserved.dirs, _present.dirs))]

_reserved := entries(input.attempt.task.allowed_paths)

_present := entries(input.task_now.task.allowed_paths)

# The scopes of the task, as it was reserved and as it is now.
_scopes := {s | s := input.attempt.task.scope} | {s | s := input.task_now.task.scope}

# The operations with the modes that go with them.
_plain_changes := ({{"op": "add", "new_mode": new} | some new in _file_modes} | {{"op": "modify", "old_mode": old, "new_mode": new} | some old in _modes; some new in _file_modes}) | {{"op": "delete", "old_mode": old} | some old in _modes}

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

# lists are the distinct lists of allowed paths in the backlog, each with the
# scope of its tasks where that matters; entries of them are judged one by one.
lists := {["", list] | some list in _lists} if not by_scope

lists := {[task.scope, task.allowed_paths] | some task in input.backlog.tasks} if by_scope

_lists := {list | list := input.backlog.tasks[_].allowed_paths}

# by_scope says that the target's policy allows other paths to each scope.
by_scope if is_object(_target.allowed_paths)

_entries := {[key[0], path] |
	some key in lists
	some path in key[1]
	is_string(path)
}

_fine_entries := {key |
	_target_silent
	some key in _entries
	strings.any_prefix_match(key[1], prefixes.dirs)
	not regex.match(_suspicious_entry, key[1])
}

# What is not at once a plain file or folder: a name that is protected or no
# name, a glob. A slash at the end is that of a folder.
_suspicious_entry := sprintf(`%s|(?:^|/)/|[ .](?:/|$)|[\x00-\x1f\x7f\\*?\[{]|\p{Cf}`, [_protected_pattern])
