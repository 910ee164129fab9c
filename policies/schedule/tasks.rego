package leviathan.schedule

import rego.v1

import data.leviathan.limits
import data.leviathan.reason

# Each check maps the tasks that it is against to its reasons. Its key is its
# code, so that the reasons of a task come out in the order of their codes.

# METADATA
# title: The task is malformed
# description: |
#   The gateway handed over a task, or the journal a record of it, without a
#   field that the rules read. Such a task is never reserved.
# custom:
#   code: schedule.malformed
#   message: "the task or its record lacks a field that the policies read"
#   remedy: "Bring gateway and policies to one release."
_checks["schedule.malformed"] := {id: rs | some id in (object.keys(_tasks) - _sound)} if {
	rs := {reason.fixed(rego.metadata.chain())}
}

_sound := {id |
	some id, task in _tasks
	is_string(task.digest)
	is_string(task.scope)
	is_array(task.dependencies)
	is_array(task.verify)
	task.priority in _priorities
	is_number(input.backlog.order[id])
	not id in limits.unsound
}

_priorities := {"high", "medium", "low"}

# METADATA
# title: The task is not ready
# description: Only a task with ready, exactly the boolean true, runs.
# custom:
#   code: schedule.not_ready
#   message: "ready is not true"
#   remedy: "Set ready: true in the backlog when the task may run."
_checks["schedule.not_ready"] := {id: rs |
	some id, task in _tasks
	not task.ready == true
} if {
	rs := {reason.fixed(rego.metadata.chain())}
}

# METADATA
# title: The task is not open
# description: The status in the backlog says that the task is in progress, blocked or failed, or is not known.
# custom:
#   code: schedule.status
#   message: "the status in the backlog is {status}"
#   remedy: "Set status: pending, or remove it, when the task may run."
_checks["schedule.status"] := {id: {rs[status]} |
	some id, task in _tasks
	status := object.get(task, "status", "missing")
	not status in {"pending", "completed"}
} if {
	chain := rego.metadata.chain()
	rs := {status: reason.of(chain, {"status": status}) | some status in _statuses}
}

_statuses := {object.get(task, "status", "missing") | some task in _tasks}

# METADATA
# title: The task is completed
# description: A pull request of this task was merged, or the backlog says completed. A task is completed by its id, for good.
# custom:
#   code: schedule.completed
#   message: "the task is completed"
#   remedy: "Add a new task with an id of its own for further work."
_checks["schedule.completed"] := {id: rs | some id in (_completed & object.keys(_tasks))} if {
	rs := {reason.fixed(rego.metadata.chain())}
}

_completed := {id | some id, task in _tasks; task.status == "completed"} | {id | some id, state in _states; state.completed == true}

_checks["schedule.invalid"] := {id: rs | some id, rs in _invalid; _tasks[id]}

_skip_invalid := {id: {"reasons": [r | some r in rs], "next_eligible_us": null} | some id, rs in _invalid}

# _invalid are the entries that the reader of the backlog could not take.
_invalid := {id: {invalid_reason(why) | some why in _whys(entry)} | some id, entry in input.backlog.invalid}

_whys(entry) := entry if is_array(entry)

_whys(entry) := entry.reasons if is_object(entry)

# METADATA
# title: The entry is invalid
# description: The entry in the backlog could not be read; it does not spoil the others.
# custom:
#   code: schedule.invalid
#   message: "the entry in the backlog is invalid: {why}"
#   remedy: "Correct the entry in .leviathan/backlog.yaml on the target branch."
invalid_reason(why) := reason.of(rego.metadata.chain(), {"why": _why(why)})

_why(why) := object.get(why, "message", "no reason is given") if is_object(why)

_why(why) := why if not is_object(why)
