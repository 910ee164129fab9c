# METADATA
# title: The answer to every question
package leviathan.main

import data.leviathan.guard

default allow := false

allow if {
	input.action in {"cycle.plan", "attempt.start"}
	count(guard.deny) == 0
}

# METADATA
# title: The decision
# custom:
#   deadline_ms:
#     default: 20000
#     cycle.plan: 5000
decision := {"allow": allow, "reasons": guard.deny, "obligations": {"limits": data.leviathan.limits}}
