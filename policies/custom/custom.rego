# METADATA
# title: Custom
# description: |
#   What an operator forbids on top of everything else. The rules of this
#   package can only narrow: a reason in deny is one more against the question.
#   As shipped there is none. A folder custom/ beside the other packages adds
#   files with rules of its own, each named deny, in this same package.
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
