# METADATA
# title: Main
# description: |
#   The one question: may this subject do this? It routes the action to its
#   package, collects the reasons of all, and allows only what the action's
#   package allows and nothing speaks against.
package leviathan.main

import rego.v1

import data.leviathan.access
import data.leviathan.activation
import data.leviathan.custom
import data.leviathan.delivery
import data.leviathan.guard
import data.leviathan.limits
import data.leviathan.schedule
import data.leviathan.scope

# METADATA
# title: The decision
# description: The answer to a question, as docs/policy_input.md has both.
# entrypoint: true
# custom:
#   deadline_ms:
#     default: 250
#     cycle.plan: 5000
#     change.push: 10000
decision := {
	"allow": allow,
	"reasons": [r | some r in _against],
	"obligations": _obligations,
}

# _against are all the reasons of all packages; a package that the action does
# not concern has none.
_against := (((access.deny | guard.reasons) | (limits.deny | delivery.deny)) | ((scope.reasons | delivery.problems) | delivery.settings)) | (activation.deny | custom.deny)

# allow needs both: the word of the action's own package, and no reason against.
default allow := false

allow if {
	_granted
	count(_against) == 0
}

_granted if {
	input.action == "cycle.plan"
	schedule.allow
}

_granted if delivery.allow

_granted if access.allow

default _obligations := {}

_obligations := object.union(schedule.obligations, _warned) if input.action == "cycle.plan"

default _warned := {}

# What is seen and does not deny is said with every plan.
_warned := {"warnings": [r | some r in delivery.warnings]} if count(delivery.warnings) > 0

# What follows from an allowed action is not said of a denied one.
_obligations := delivery.obligations if {
	input.action != "cycle.plan"
	_said
}

_said if allow

_said if input.action == "change.push"
