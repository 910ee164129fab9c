package leviathan.delivery

import rego.v1

import data.leviathan.limits

# What follows when an attempt ends, for its task and for the target's breaker.

# This many failures of the machinery in a row are no accident.
_machinery_limit := 5

# The config may be invalid or gone when an attempt ends, and the attempt must
# end all the same: then the documented defaults stand in.
_setting(path, fallback) := n if {
	n := object.get(input, array.concat(["config", "values"], path), fallback)
	is_number(n)
}

_setting(path, fallback) := fallback if {
	not is_number(object.get(input, array.concat(["config", "values"], path), fallback))
}

_end_obligations := {
	"end": _end,
	"circuit": _circuit,
	"retry": _retry,
	"block": _block,
}

_counts if {
	not _stopped
	_end.failure_type in _counted_types
}

_machinery if {
	not _stopped
	_end.failure_type in _machinery_types
}

# Failures of this very text before this one.
default _before := {"counted": 0, "infrastructure": 0}

_before := _record if _record.digest == input.attempt.digest

default _block := false

_block if {
	_counts
	_before.counted + 1 >= _setting(["max_attempts_per_task"], 2)
}

_block if {
	_machinery
	_before.infrastructure + 1 >= _machinery_limit
}

default _retry := null

_retry := {"not_before_us": input.time.now_us + (1000000 * wait)} if {
	_counts
	not _block
	wait := limits.doubled(
		_setting(["limits", "retry_backoff_seconds"], 60),
		(_before.counted + _before.infrastructure) + 1,
		_setting(["limits", "retry_backoff_max_seconds"], 3600),
	)
}

default _circuit := null

_circuit := _opened("failures", _cooldown) if {
	_counts
	input.state.circuit.state == "closed"
	input.state.circuit.consecutive + 1 >= _setting(["circuit_breaker_failures"], 2)
}

_circuit := _opened("infrastructure", _cooldown) if {
	_machinery
	input.state.circuit.state == "closed"
	input.state.circuit.infrastructure + 1 >= _machinery_limit
	not _one_task
}

# A failed probe doubles the cooldown.
_circuit := _opened("failures", min({2 * max({input.state.circuit.cooldown_seconds, 1}), _cooldown_max})) if {
	_probe
	_counts
}

# Any other end of a probe says nothing about the target: the next may try.
_circuit := {"event": "half_opened", "cause": "", "cooldown_seconds": 0, "until_us": 0} if {
	_probe
	not _counts
	_end.state != "succeeded"
}

_probe if {
	input.attempt.probe == true
	input.state.circuit.state == "half_open"
}

_opened(cause, seconds) := {
	"event": "opened",
	"cause": cause,
	"cooldown_seconds": seconds,
	"until_us": input.time.now_us + (1000000 * seconds),
}

_cooldown := _setting(["circuit", "cooldown_seconds"], 900)

_cooldown_max := _setting(["circuit", "cooldown_max_seconds"], 21600)

# All failures of the machinery in this row are of one task: then the task is
# blocked, and the others go on.
_one_task if input.state.circuit.infrastructure_task == input.attempt.task_id
