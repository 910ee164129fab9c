package leviathan.schedule

import rego.v1

import data.leviathan.limits

_ranks := {"high": 0, "medium": 1, "low": 2}

# _queue are the eligible tasks in the order in which they are reserved:
# priority from high to low, then the order of the file.
_queue := [entry[2] |
	some entry in {[_ranks[task.priority], input.backlog.order[id], id] |
		some id, task in _tasks
		not id in _ineligible
	}
]

# _ineligible are the tasks with a reason of their own.
_ineligible := {id | some by_task in _all_checks; some id, _ in by_task}

_all_checks := object.union(_checks, limits.checks)

default _reserve := []

_reserve := [_reservation(id) | some id in array.slice(_queue, 0, limits.slots)] if allow

_reservation(id) := {
	"task_id": id,
	"attempt_number": object.get(_states, [id, "attempts"], 0) + 1,
	"agent": agent_of(_tasks[id]),
	"probe": limits.probing,
}

# _waiting are the reasons of the eligible tasks that are not reserved: by each
# limit that has no room for their place in the queue, or, when the whole cycle
# is denied, by what denies it.
_waiting[code] := {id: {limits.beyond[code]} | some id in array.slice(_queue, max({0, room}), count(_queue))} if {
	allow
	some code, room in limits.room
}

_waiting["cycle"] := {id: _against_all | some id in _queue} if not allow

# _skip explains every task that is not reserved, and every entry that could
# not be read.
_skip := object.union(_skip_invalid, _skip_tasks)

_skip_tasks := {id: _skipped(id) |
	some id, _ in _tasks
	not id in _reserved
}

_reserved := {r.task_id | some r in _reserve}

_skipped(id) := {
	"reasons": [r | some by_task in _explained; some r in by_task[id]],
	"next_eligible_us": object.get(limits.next_eligible, id, null),
}

# _explained are the checks that found something, in the order of their codes,
# so that the reasons of a task come out sorted.
_explained := array.concat(
	[by_task | some by_task in _all_checks; count(by_task) > 0],
	[by_task | some by_task in _waiting; count(by_task) > 0],
)
