package leviathan.limits_test

import rego.v1

import data.leviathan.fixture_test as fixture
import data.leviathan.limits

_codes(question) := {r.code | some r in denied} if {
	denied := limits.deny with input as question
}

_slots(question) := n if {
	n := limits.slots with input as question
}

_effective(question) := e if {
	e := limits.effective with input as question
}

_state(fields) := object.union(fixture.plan, {"state": fields})

_rules(fields) := object.union(fixture.plan, {"target_policy": {"state": "valid", "values": {"safety_rules": fields}}})

test_the_configs_limits_are_in_force if {
	_effective(fixture.plan) == {
		"max_open_prs": 2, "max_running_attempts": 2, "max_attempts_per_task": 2, "max_tasks_per_day": 0,
		"retry_backoff_seconds": 60, "retry_backoff_max_seconds": 3600,
	}
}

test_the_most_restrictive_limit_is_in_force if {
	_effective(fixture.set(fixture.plan, "/backlog/max_open_prs", 1)).max_open_prs == 1
	_effective(fixture.set(fixture.plan, "/backlog/max_open_prs", 9)).max_open_prs == 2
	_effective(_rules({"max_concurrent_attempts": 1})).max_running_attempts == 1
	_effective(_rules({"max_attempts_per_task": 1})).max_attempts_per_task == 1
	_effective(_rules({"max_attempts_per_task": 9})).max_attempts_per_task == 2
	_effective(_rules({"backoff_seconds": 600})).retry_backoff_seconds == 600
	_effective(_rules({"backoff_seconds": 1})).retry_backoff_seconds == 60
	_effective(_rules({"backoff_seconds": 7200})).retry_backoff_max_seconds == 7200
	_effective(_rules({"max_tasks_per_day": 4})).max_tasks_per_day == 4
	_effective(fixture.set(_rules({"max_tasks_per_day": 4}), "/config/values/limits/max_tasks_per_day", 3)).max_tasks_per_day == 3
}

test_every_pull_request_and_every_attempt_in_flight_takes_a_slot if {
	_slots(fixture.plan) == 2
	_slots(_state({"open": 1})) == 1
	_slots(_state({"in_flight": 1, "live": 1})) == 1
	_slots(_state({"open": 1, "in_flight": 1})) == 0
	_slots(_state({"open": 7})) == 0
	_slots(fixture.set(fixture.plan, "/forge/unlisted", [{"number": 3, "branch": "agent/x"}])) == 1
}

test_live_attempts_are_bounded if {
	_slots(_state({"live": 1})) == 1
	_slots(_state({"live": 3})) == 0
}

test_a_days_attempts_are_bounded if {
	limited := fixture.set(_state({"reserved_today": 3}), "/config/values/limits/max_tasks_per_day", 4)
	_slots(limited) == 1
	_slots(_state({"reserved_today": 300})) == 2
}

test_the_schedulers_capacity_bounds_too if {
	_slots(fixture.set(fixture.plan, "/request/capacity", 1)) == 1
	_slots(fixture.set(fixture.plan, "/request/capacity", 0)) == 0
	_slots(fixture.without(fixture.plan, "/request")) == 2
	_codes(fixture.plan) == set()
	_codes(fixture.set(fixture.plan, "/request/capacity", 3)) == set()
	every capacity in [-1, 1.5, "1", true] {
		_codes(fixture.set(fixture.plan, "/request/capacity", capacity)) == {"limits.capacity_invalid"}
	}
}

_circuit(fields) := _state({"circuit": fields})

test_an_open_breaker_denies_the_cycle if {
	_codes(_circuit({"state": "open", "cause": "failures", "until_us": fixture.now_us + 1})) == {"limits.circuit_open"}
	"limits.circuit_open" in _codes(fixture.without(_circuit({"state": "open"}), "/state/circuit/until_us"))
}

test_an_open_breaker_says_why_and_until_when if {
	reasons := limits.deny with input as _circuit({"state": "open", "cause": "failures", "until_us": 1900000000000000})
	some r in reasons
	r.message == "the circuit breaker is open (failures) until 2030-03-17T17:46:40Z"
	not_known := limits.deny with input as _circuit({"state": "open", "until_us": "later"})
	some n in not_known
	endswith(n.message, "until an unknown time")
}

test_past_its_cooldown_one_probe_may_run if {
	question := _circuit({"state": "open", "until_us": fixture.now_us})
	_codes(question) == set()
	_slots(question) == 1
	limits.probing with input as question
}

test_half_open_allows_one_probe_at_a_time if {
	_slots(_circuit({"state": "half_open", "probe": ""})) == 1
	_slots(_circuit({"state": "half_open", "probe": fixture.attempt_id})) == 0
	not limits.probing with input as _circuit({"state": "half_open", "probe": fixture.attempt_id})
	not limits.probing with input as fixture.plan
}

test_a_breaker_in_no_known_state_is_unknown if {
	_codes(_circuit({"state": "ajar"})) == {"unknown.circuit"}
	_codes(fixture.without(fixture.plan, "/state/circuit")) == {"unknown.circuit"}
	_codes(fixture.heartbeat) == set()
}

test_the_wait_doubles_up_to_the_maximum if {
	limits.doubled(60, 1, 3600) == 60
	limits.doubled(60, 3, 3600) == 240
	limits.doubled(60, 99, 3600) == 3600
}
