package leviathan.schedule

import rego.v1

import data.leviathan.limits

_ranks := {"high": 0, "medium": 1, "low": 2}

# _queue are the eligible tasks in the order in which they are reserved:
# priority from high to low, then the order of the file.
_queue := [entry[2] |
	some entry in sort([[rank, input.backlog.order[id], id] |
		count(_class_rank) > 0
		some id, class in _plain
		rank := _class_rank[class]
	])
]

# The classes without a reason, and the tasks without a reason of their own.
_class_rank := {class: _ranks[_classes[class].priority] | some class, rs in _class_reasons; rs == {}}

_plain := object.remove(_class_of, object.keys(_task_reasons)) if count(_task_reasons) > 0

_plain := _class_of if count(_task_reasons) == 0

default _reserve := []

_reserve := [_reservation(id) | some id in array.slice(_queue, 0, limits.slots)] if allow

_reservation(id) := {
	"task_id": id,
	"attempt_number": object.get(input.state.tasks, [id, "attempts"], 0) + 1,
	"agent": agent_of(object.get(_tasks[id], "agent", "")),
	"probe": limits.probing,
}

# _skip explains every task that is not reserved, and every entry that could
# not be read.
_skip := object.union_n([part |
	some part in [_skip_invalid, _skip_classes, _skip_tasks, _skip_unclassed, _skip_backoff, _skip_waiting]
	count(part) > 0
])

_skip_invalid := {id: _skipped(rs) | some id, rs in _invalid; not _tasks[id]}

# A task without reasons of its own has those of its class, said once.
_skip_classes := {id: said | some id, class in _plain; said := _class_said[class]} if count(_class_said) > 0

default _skip_classes := {}

_class_said := {class: _skipped(rs) | some class, rs in _class_reasons; rs != {}}

_skip_tasks := {id: {"reasons": [r | some r in object.union(_class_reasons[_class_of[id]], rs)], "next_eligible_us": null} |
	some id, rs in _task_reasons
}

_skip_unclassed := {id: _skipped(_task_reasons[id]) | some id in _unclassed}

_skip_backoff := {id: {"next_eligible_us": until} | some id, until in limits.next_eligible}

# Reasons stand under their codes, so that they come out in that order.
_skipped(rs) := {"reasons": [r | some r in rs], "next_eligible_us": null}

# _skip_waiting are the eligible tasks that are not reserved. Where the queue
# stands between the same limits, the text is the same.
_skip_waiting := {id: said |
	some i, from in _cuts
	until := object.get({"cuts": _cuts}, ["cuts", i + 1], count(_queue))
	said := _skipped({code: wait | some code, wait in limits.waits; limits.rooms[code] <= from})
	some id in array.slice(_queue, from, until)
} if {
	allow
}

# Or the whole cycle is denied, and all wait for that.
_skip_waiting := {id: said |
	said := {"reasons": [r | some r in _against_all], "next_eligible_us": null}
	some id in _queue
} if {
	not allow
}

# _cuts are the places of the queue at which one limit more has no room.
_cuts := sort([room | some room in {max({0, r}) | some r in limits.rooms}; room >= limits.slots])
