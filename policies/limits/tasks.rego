package leviathan.limits

import rego.v1

import data.leviathan.reason

# What the journal knows of each task, and what of that still matters: counts
# are of one text, and a task whose text changed starts anew. What is completed
# needs no more looks.
_tasks := input.backlog.tasks

_open := {id: state |
	some id, state in input.state.tasks
	not state.completed == true
	_tasks[id]
}

# unsound are the tasks whose record lacks something that the rules read;
# states are the records of the others.
unsound := object.keys(_open) - object.keys(states)

states := {id: state |
	some id, state in _open
	state.completed == false
	is_string(state.closed_digest)
	is_boolean(state.blocked)
	is_string(state.blocked_digest)
	is_string(state.digest)
	is_number(state.attempts)
	is_number(state.counted)
	is_number(state.infrastructure)
	is_number(state.last_failure_us)
	is_string(state.live)
	is_number(state.open_pr)
}

_failed := {id: state |
	some id, state in states
	state.counted + state.infrastructure > 0
	state.digest == _tasks[id].digest
}

# blocked are the tasks that the journal says are blocked, for their present
# text; exhausted those whose counted failures have used up their attempts.
blocked := {id |
	some id, state in states
	state.blocked == true
	state.blocked_digest == _tasks[id].digest
}

exhausted := {id |
	some id, state in _failed
	state.counted >= max_attempts
}

# METADATA
# title: The task's attempts are used up
# description: As many attempts at this very text have failed as may.
# custom:
#   code: limits.attempts
#   message: "the task has used up its {limit} attempts"
#   remedy: "Change the task's text, or unblock it with leviathan tasks retry."
of_task["attempts"] := {id: rs | some id in exhausted} if {
	rs := {"limits.attempts": reason.of(rego.metadata.chain(), {"limit": max_attempts})}
}

# METADATA
# title: The task waits after a failure
# description: After each failure a task waits twice as long as before, up to a maximum.
# custom:
#   code: limits.backoff
#   message: "the task waits until {until} after its last failure"
#   remedy: "Wait, or retry it at once with leviathan tasks retry."
of_task["backoff"] := {id: {"limits.backoff": reason.of(chain, {"until": instant(until)})} | some id, until in next_eligible} if {
	chain := rego.metadata.chain()
}

# next_eligible is when a task that waits may run again, in microseconds.
next_eligible := {id: until |
	some id, state in _failed
	not id in exhausted
	not id in blocked
	until := not_before(state.counted + state.infrastructure, state.last_failure_us)
	input.time.now_us < until
}
