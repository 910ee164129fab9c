package leviathan.schedule

import rego.v1

import data.leviathan.reason

# Most of what keeps a task from running depends on a few of its fields, which
# most tasks share. Tasks that are alike in these are one class, and a class is
# looked at once. Each check maps the classes that it is against to its reason.
# A task that lacks one of the fields, but for agent, is in no class, and
# malformed.
_class_of := _alike if count(_incomplete) == 0

_class_of := {id: class | some id, class in _alike; not class in _incomplete} if count(_incomplete) > 0

_incomplete := {class | some class in _kinds; count(object.remove(class, {"agent"})) < 5}

_kinds := {class | some class in _alike}

_alike := {id: class | class := object.filter(_tasks[id], {"ready", "status", "agent", "verify", "scope", "priority"})} if _all_sound

_alike := {id: object.filter(task, {"ready", "status", "agent", "verify", "scope", "priority"}) |
	some id, task in _tasks
	task.dependencies
	task.allowed_paths
	is_string(task.digest)
} if {
	not _all_sound
}

# _all_sound says of the whole backlog what is else looked at task by task: a
# digest, that is a text, is in every task, as dependencies and allowed paths
# are. Values have one order, in which texts stand together.
_all_sound if {
	digests := [digest | digest := _tasks[_].digest]
	count(digests) == count(_tasks)
	is_string(min(digests))
	is_string(max(digests))
	count(_independent) + count(_dependencies) == count(_tasks)
	count(_not_a_list) == 0
	count([1 | _tasks[_].allowed_paths]) == count(_tasks)
}

# _classes are the distinct ones, with the agent that they name, or none.
_classes := {class: object.union({"agent": ""}, class) | some class in (_kinds - _incomplete)}

# _class_reasons are the reasons of each class, by code; {} for one that may run.
_class_reasons := object.union_n(array.concat(
	[{class: {} | some class, _ in _classes}],
	[by_class | some by_class in _of_class],
))

# METADATA
# title: The task is not ready
# description: Only a task with ready, exactly the boolean true, runs.
# custom:
#   code: schedule.not_ready
#   message: "ready is not true"
#   remedy: "Set ready: true in the backlog when the task may run."
_of_class["not_ready"] := {class: {"schedule.not_ready": r} | some class, like in _classes; not like.ready == true} if {
	r := reason.fixed(rego.metadata.chain())
}

# METADATA
# title: The task is not open
# description: The status in the backlog says that the task is in progress, blocked or failed, or is not known.
# custom:
#   code: schedule.status
#   message: "the status in the backlog is {status}"
#   remedy: "Set status: pending, or remove it, when the task may run."
_of_class["status"] := {class: {"schedule.status": reason.of(chain, {"status": status})} |
	some class, like in _classes
	status := like.status
	not status in {"pending", "completed"}
} if {
	chain := rego.metadata.chain()
}

# METADATA
# title: The task is completed
# description: A pull request of this task was merged, or the backlog says completed. A task is completed by its id, for good.
# custom:
#   code: schedule.completed
#   message: "the task is completed"
#   remedy: "Add a new task with an id of its own for further work."
_completed_reason := reason.fixed(rego.metadata.chain())

_of_class["completed"] := {class: {"schedule.completed": _completed_reason} | some class in _completed_classes}

_completed_classes := {class | some class, like in _classes; like.status == "completed"}

# METADATA
# title: The task is malformed
# description: The scope, the priority or the verifications of a task are not what they have to be. Such a task is never reserved.
# custom:
#   code: schedule.malformed
#   message: "the task's {field} is malformed"
#   remedy: "Bring gateway and policies to one release."
_of_class["malformed"] := {class: {sprintf("schedule.malformed %s", [field]): reason.of(chain, {"field": field}) | some field in fields} |
	some class, like in _classes
	fields := _malformed_fields(like)
	count(fields) > 0
} if {
	chain := rego.metadata.chain()
}

_malformed_fields(like) := {field | some field, type in {"scope": "string", "agent": "string", "verify": "array"}; type_name(like[field]) != type} | {"priority" | not like.priority in {"high", "medium", "low"}}

# METADATA
# title: A verification is unknown
# description: A task may ask only for verifications that the operator's config names.
# custom:
#   code: schedule.unknown_verify
#   message: "the config has no verification {verify}"
#   remedy: "Correct the name, or let the operator add it under verify in the config."
_of_class["verify"] := {class: {sprintf("schedule.unknown_verify %v", [v]): reason.of(chain, {"verify": v}) | some v in unknown} |
	some class, like in _classes
	unknown := {v | some v in like.verify} - _verifications
	count(unknown) > 0
} if {
	chain := rego.metadata.chain()
}

_verifications := {v | some v, known in input.config.values.verify; is_object(known)}
