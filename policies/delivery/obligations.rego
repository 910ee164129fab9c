package leviathan.delivery

import rego.v1

import data.leviathan.scope

# obligations are what the server does with the answer, by action.
default obligations := {}

obligations := _started if {
	input.action == "attempt.start"
	allow
}

obligations := _run if {
	input.action == "agent.run"
	allow
}

obligations := {"lease_seconds": input.config.values.limits.lease_seconds} if {
	input.action == "attempt.heartbeat"
	allow
}

obligations := _end_obligations if {
	input.action in {"attempt.finish", "attempt.lost", "attempt.expire"}
	allow
}

obligations := {"circuit": _closes} if {
	input.action == "pull_request.open"
	allow
}

obligations := {"end": _push_ends} if {
	input.action == "change.push"
	_refused
}

# A pull request that is open shows that things work again.
default _closes := null

_closes := {"event": "closed"} if {
	input.attempt.probe == true
	input.state.circuit.state == "half_open"
}

# Only what is wrong with the push itself uses up a push: a halt or an unknown
# fact is not the worker's fault.
_refused if count(((deny | problems) | scope.reasons)) > 0

_own_faults := {r |
	some r in ((deny | problems) | scope.reasons)
	not startswith(r.code, "unknown.")
}

default _push_ends := false

_push_ends if {
	count(_own_faults) > 0
	input.attempt.push_attempts + 1 >= input.config.values.limits.max_push_attempts
}
