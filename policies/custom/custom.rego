# METADATA
# title: Custom
# description: |
#   What an operator forbids on top of everything else. The rules of this
#   package can only narrow: a reason in deny is one more against the question,
#   one in deny_task[ID] keeps that task out of the plan, and an entry of room is
#   one limit more of how many attempts a plan may reserve. As shipped there is
#   none. A folder custom/ beside the other packages adds files with rules of its
#   own, of these three names, in this same package.
package leviathan.custom

import rego.v1

import data.leviathan.reason

# _closed are the actions that are closed, each with why. Never close what lets
# an attempt end, or what an operator stops work with.
_closed := {}

# METADATA
# title: The action is closed
# description: The operator has closed this action for everybody, whatever else would allow it. As shipped no action is closed.
# custom:
#   code: custom.closed_action
#   message: "{action} is closed: {why}"
#   remedy: "Wait until the operator opens it again."
deny contains r if {
	some action, why in _closed
	input.action == action
	r := reason.of(rego.metadata.chain(), {"action": action, "why": why})
}

# _held are the tasks that are held back, each with why.
_held := {}

# METADATA
# title: The task is held back
# description: The operator holds this task back, whatever else would let it run. As shipped no task is held back.
# custom:
#   code: custom.held_task
#   message: "the operator holds this task back: {why}"
#   remedy: "Wait until the operator lets it go."
deny_task[id] contains r if {
	some id, why in _held
	r := reason.of(rego.metadata.chain(), {"why": why})
}

# _most is how many attempts a plan may reserve at the most; null is no limit.
_most := null

# METADATA
# title: The plan is as large as it may be
# description: The operator lets a plan reserve no more attempts than this. As shipped there is no such limit.
# custom:
#   code: custom.plan_size
#   message: "a plan may reserve {most} attempts"
#   remedy: "Wait for a later cycle."
room contains {"left": _most, "reason": r} if {
	_most != null
	r := reason.of(rego.metadata.chain(), {"most": _most})
}
