package leviathan.limits

import rego.v1

import data.leviathan.reason

# What the journal knows of each task, and what of that still matters: counts
# are of one text, and a task whose text changed starts anew.
_states := input.state.tasks

_tasks := input.backlog.tasks

_current := {id: state |
	some id, state in _states
	state.digest == _tasks[id].digest
}

# unsound are the tasks whose record lacks something that the rules read.
unsound := {id | some id, state in _states; not state.completed == true} - {id |
	some id, state in _states
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

# blocked are the tasks that the journal says are blocked, for their present
# text; exhausted those whose counted failures have used up their attempts.
blocked := {id |
	some id, state in _states
	state.blocked == true
	state.blocked_digest == _tasks[id].digest
}

exhausted := {id |
	some id, state in _current
	state.counted >= max_attempts
}

# METADATA
# title: The task's attempts are used up
# description: As many attempts at this very text have failed as may.
# custom:
#   code: limits.attempts
#   message: "the task has used up its {limit} attempts"
#   remedy: "Change the task's text, or unblock it with leviathan task retry."
checks["limits.attempts"] := {id: rs | some id in exhausted} if {
	rs := {reason.of(rego.metadata.chain(), {"limit": max_attempts})}
}

# METADATA
# title: The task waits after a failure
# description: After each failure a task waits twice as long as before, up to a maximum.
# custom:
#   code: limits.backoff
#   message: "the task waits until {until} after its last failure"
#   remedy: "Wait, or retry it at once with leviathan task retry."
checks["limits.backoff"] := {id: {reason.of(chain, {"until": instant(until)})} | some id, until in next_eligible} if {
	chain := rego.metadata.chain()
}

# next_eligible is when a task that waits may run again, in microseconds.
next_eligible := {id: until |
	some id, state in _current
	failures := state.counted + state.infrastructure
	failures > 0
	not id in exhausted
	not id in blocked
	until := not_before(failures, state.last_failure_us)
	input.time.now_us < until
}
