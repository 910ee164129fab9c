package leviathan.schedule

import rego.v1

import data.leviathan.limits
import data.leviathan.reason

# METADATA
# title: A human closed the task's pull request
# description: A pull request of this very text was closed without a merge; the same again would be no better.
# custom:
#   code: schedule.closed_by_human
#   message: "a human closed the pull request of this task"
#   remedy: "Change the task's text, or retry it with leviathan task retry."
_checks["schedule.closed_by_human"] := {id: rs |
	some id, state in _states
	state.closed_digest != ""
	state.closed_digest == _tasks[id].digest
} if {
	rs := {reason.fixed(rego.metadata.chain())}
}

# METADATA
# title: The task runs
# description: An attempt at this task is live.
# custom:
#   code: schedule.running
#   message: "an attempt at this task is live"
#   remedy: "Wait for it to end, or cancel it."
_checks["schedule.running"] := {id: rs |
	some id, state in _states
	state.live != ""
	_tasks[id]
} if {
	rs := {reason.fixed(rego.metadata.chain())}
}

# METADATA
# title: The task's pull request is open
# description: A pull request of this task is open, or under way, and waits for a human.
# custom:
#   code: schedule.pull_request_open
#   message: "a pull request of this task is open"
#   remedy: "Merge or close it."
_checks["schedule.pull_request_open"] := {id: rs |
	some id, state in _states
	state.open_pr != 0
	_tasks[id]
} if {
	rs := {reason.fixed(rego.metadata.chain())}
}

# METADATA
# title: The task is blocked
# description: The attempts at this very text are used up.
# custom:
#   code: schedule.blocked
#   message: "the task is blocked: its attempts are used up"
#   remedy: "Change the task's text, or unblock it with leviathan task retry."
_checks["schedule.blocked"] := {id: rs | some id in limits.blocked} if {
	rs := {reason.fixed(rego.metadata.chain())}
}

# _block are the tasks whose attempts are used up and of whom the journal does
# not say so yet: a limit was lowered meanwhile.
default _block := []

_block := [id | some id in (((limits.exhausted - limits.blocked) - _completed) - _live)] if allow

_live := {id | some id, state in _states; state.live != ""}
