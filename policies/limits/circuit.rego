package leviathan.limits

import rego.v1

import data.leviathan.reason

# METADATA
# title: The circuit breaker is open
# description: |
#   Too many attempts of this target failed in a row; nothing is reserved until
#   the cooldown ends, and then one probe.
# custom:
#   code: limits.circuit_open
#   message: "the circuit breaker is open ({cause}) until {until}"
#   remedy: "See why the attempts failed; leviathan circuit reset closes it at once."
deny contains r if {
	input.action == "cycle.plan"
	input.state.circuit.state == "open"
	not _cooled_down
	r := reason.of(rego.metadata.chain(), {
		"cause": reason.told(object.get(input.state.circuit, "cause", "")),
		"until": instant(object.get(input.state.circuit, "until_us", 0)),
	})
}

_cooled_down if input.time.now_us >= input.state.circuit.until_us

# METADATA
# title: The state of the circuit breaker is not known
# description: The breaker is in a state that these policies do not know.
# custom:
#   code: unknown.circuit
#   message: "the circuit breaker's state {state} is not known"
#   remedy: "Bring gateway and policies to one release."
deny contains r if {
	input.action == "cycle.plan"
	not _state_known
	r := reason.of(rego.metadata.chain(), {"state": object.get(input, ["state", "circuit", "state"], "?")})
}

_state_known if input.state.circuit.state in {"closed", "open", "half_open"}

# probing: the next reservation is the one that tries whether things work again.
default probing := false

probing if {
	input.state.circuit.state == "open"
	_cooled_down
}

probing if {
	input.state.circuit.state == "half_open"
	input.state.circuit.probe == ""
}

_probe_live if {
	input.state.circuit.state == "half_open"
	input.state.circuit.probe != ""
}

# instant is the RFC 3339 form of microseconds since 1970.
instant(us) := time.format(us * 1000) if is_number(us)

instant(us) := "an unknown time" if not is_number(us)
