# METADATA
# title: Schedule
# description: |
#   The plan of a cycle: which tasks may run now, in which order, and for every
#   other task each reason why not. The whole backlog is one question; a check
#   is one pass over the tasks, and a reason whose text does not depend on the
#   task is made once.
package leviathan.schedule

import rego.v1

import data.leviathan.access
import data.leviathan.custom
import data.leviathan.delivery
import data.leviathan.guard
import data.leviathan.limits

# allow says that the cycle as a whole may reserve: no fact is missing, the
# switch is on, the breaker lets something through.
default allow := false

allow if {
	input.action == "cycle.plan"
	input.subject.role in {"scheduler", "operator"}
	is_number(limits.slots)
	count(_against_all) == 0
}

# _against_all are the reasons that stop the whole cycle.
_against_all := ((access.deny | guard.reasons) | (limits.deny | delivery.settings)) | custom.deny

_tasks := input.backlog.tasks

# obligations are what the server does when the plan is allowed, and shows in
# any case.
obligations := {
	"reserve": _reserve,
	"skip": _skip,
	"block": _block,
	"half_open": _half_open,
	"limits": _limits,
} if {
	input.action == "cycle.plan"
}

default _limits := {}

_limits := limits.effective

# A probe takes the breaker from open, past its cooldown, to half open.
default _half_open := false

_half_open if {
	limits.probing
	count(_reserve) > 0
}
