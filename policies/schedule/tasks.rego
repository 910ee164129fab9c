package leviathan.schedule

import rego.v1

import data.leviathan.custom
import data.leviathan.limits
import data.leviathan.reason

# What keeps single tasks from running, whatever their class: each check maps
# the tasks that it is against to its reason.

# _task_reasons are the reasons of each task that has some, by code.
_task_reasons := object.union_n(array.concat(
	[by_task | some by_task in _of_task],
	[by_task | some by_task in limits.of_task],
))

# What the operator's own rules have against single tasks. One rule may have
# several reasons against one task; one that is not a proper reason holds, too.
_of_task["custom"] := {id: {sprintf("%v", [r]): r | some r in rs} |
	some id, rs in custom.deny_task
	_tasks[id]
}

# METADATA
# title: The task's record is malformed
# description: |
#   The gateway handed over a task, or the journal a record of one, without a
#   field that the rules read. Such a task is never reserved.
# custom:
#   code: schedule.malformed_record
#   message: "the task or its record in the journal is incomplete"
#   remedy: "Bring gateway and policies to one release."
_of_task["malformed"] := {id: rs | some id in _malformed} if {
	rs := {"schedule.malformed_record": reason.fixed(rego.metadata.chain())}
}

_malformed := (_unclassed | _unplaced) | (limits.unsound | _not_a_list)

default _unclassed := set()

_unclassed := object.keys(_tasks) - object.keys(_class_of) if count(_tasks) != count(_class_of)

default _unplaced := set()

_unplaced := object.keys(_tasks) - object.keys(input.backlog.order) if count(_tasks) != count(input.backlog.order)

_of_task["completed"] := {id: {"schedule.completed": _completed_reason} | some id in _completed_by_record}

_completed_by_record := {id |
	some id, state in input.state.tasks
	state.completed == true
	_tasks[id]
}

# _completed are the tasks of which others may depend: also some that are no
# longer in the backlog.
_completed := {id | some id, state in input.state.tasks; state.completed == true} | _completed_by_backlog

default _completed_by_backlog := set()

_completed_by_backlog := {id |
	some id, class in _class_of
	class in _completed_classes
} if {
	count(_completed_classes) > 0
}

# METADATA
# title: A human closed the task's pull request
# description: A pull request of this very text was closed without a merge; the same again would be no better.
# custom:
#   code: schedule.closed_by_human
#   message: "a human closed the pull request of this task"
#   remedy: "Change the task's text, or retry it with leviathan tasks retry."
_of_task["closed"] := {id: rs |
	some id, state in limits.states
	state.closed_digest == _tasks[id].digest
} if {
	rs := {"schedule.closed_by_human": reason.fixed(rego.metadata.chain())}
}

# METADATA
# title: The task runs
# description: An attempt at this task is live.
# custom:
#   code: schedule.running
#   message: "an attempt at this task is live"
#   remedy: "Wait for it to end, or cancel it."
_of_task["running"] := {id: rs | some id in _live} if {
	rs := {"schedule.running": reason.fixed(rego.metadata.chain())}
}

_live := {id | some id, state in limits.states; state.live != ""}

# METADATA
# title: The task's pull request is open
# description: A pull request of this task is open, or under way, and waits for a human.
# custom:
#   code: schedule.pull_request_open
#   message: "a pull request of this task is open"
#   remedy: "Merge or close it."
_of_task["open"] := {id: rs | some id, state in limits.states; state.open_pr != 0} if {
	rs := {"schedule.pull_request_open": reason.fixed(rego.metadata.chain())}
}

# METADATA
# title: The task is blocked
# description: The attempts at this very text are used up.
# custom:
#   code: schedule.blocked
#   message: "the task is blocked: its attempts are used up"
#   remedy: "Change the task's text, or unblock it with leviathan tasks retry."
_of_task["blocked"] := {id: rs | some id in limits.blocked} if {
	rs := {"schedule.blocked": reason.fixed(rego.metadata.chain())}
}

# _block are the tasks whose attempts are used up and of whom the journal does
# not say so yet: a limit was lowered meanwhile.
default _block := []

_block := [id | some id in ((limits.exhausted - limits.blocked) - _live)] if allow
