package leviathan.custom

import rego.v1

import data.leviathan.reason
import data.leviathan.scope

# _busy are the tasks that have work of theirs open: a pull request, or an
# attempt that may become one.
_busy contains id if {
	input.action == "cycle.plan"
	some id, record in input.state.tasks
	object.get(record, "open_pr", 1) != 0
}

_busy contains id if {
	input.action == "cycle.plan"
	some id, record in input.state.tasks
	object.get(record, "live", "?") != ""
}

# METADATA
# title: Open work changes the same paths
# description: A task waits while a pull request or a live attempt of another task may change a path that it may change. Tasks of one and the same plan are not compared with each other.
# custom:
#   code: custom.path_overlap
#   message: "{path} is also open to {other}, whose work is under way"
#   remedy: "Merge or close that pull request first, or narrow the allowed_paths of one."
deny_task[id] contains r if {
	some other in _busy
	some theirs in input.backlog.tasks[other].allowed_paths
	some id, task in input.backlog.tasks
	id != other
	some mine in task.allowed_paths
	_overlapping(scope.literal(mine), scope.literal(theirs))
	r := reason.of(rego.metadata.chain(), {"path": mine, "other": other})
}

# METADATA
# title: Open work may change any path
# description: The task of a pull request or a live attempt is no longer in the backlog, so that nobody can say which paths it may change.
# custom:
#   code: custom.path_overlap_unknown
#   message: "{other}, whose work is under way, is no longer in the backlog, and its paths are not known"
#   remedy: "Merge or close its pull request, or put the task back."
deny_task[id] contains r if {
	some other in _busy
	not is_array(object.get(input.backlog.tasks, [other, "allowed_paths"], null))
	some id, _ in input.backlog.tasks
	id != other
	r := reason.of(rego.metadata.chain(), {"other": other})
}

# Of two places, one lies in the other, or they are one. A glob may match
# anything below the part of it that is certain.
_overlapping(a, b) if startswith(_folder(a), _folder(b))

_overlapping(a, b) if startswith(_folder(b), _folder(a))

_folder(path) := "" if path == ""

_folder(path) := concat("", [trim_suffix(path, "/"), "/"]) if path != ""
