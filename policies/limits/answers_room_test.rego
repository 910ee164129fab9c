package leviathan.limits_test

import rego.v1

import data.leviathan.fixture_test as fixture
import data.leviathan.limits

_waits := {code: wait.message | some code, wait in limits.beyond}

# _of_tasks is all that limits say of single tasks.

_of_tasks := {
	"unsound": sort(limits.unsound), "blocked": sort(limits.blocked), "exhausted": sort(limits.exhausted), "sound": sort(object.keys(limits.states)),
	"next": limits.next_eligible, "said": [line | some by_task in limits.of_task; some id, rs in by_task; some line in [sprintf("%s %s", [id, l]) | some l in fixture.lines({r | some r in rs})]],
}

# A record that lacks a field, or has it of another type, makes its task unsound.

_is_unsound(question) if {
	unsound := limits.unsound with input as question
	unsound == {"T-1"}
}

_odd(value) := [7, null] if is_string(value)

_odd(value) := ["odd", null] if not is_string(value)

test_the_wait_is_the_base_doubled_by_each_failure if {
	[limits.doubled(60, n, 100000000000000) | some n in [1, 2, 3, 30, 31, 32, 90]] == [60, 120, 240, 32212254720, 64424509440, 64424509440, 64424509440]
}

test_the_room_of_a_quiet_target if {
	question := fixture.plan
	limits.room == {
		"limits.open_prs": 2,
		"limits.running_attempts": 2,
	} with input as question
	limits.slots == 2 with input as question
	limits.effective == {
		"max_attempts_per_task": 2,
		"max_open_prs": 2,
		"max_running_attempts": 2,
		"max_tasks_per_day": 0,
		"retry_backoff_max_seconds": 3600,
		"retry_backoff_seconds": 60,
	} with input as question
	fixture.lines(limits.deny) == [] with input as question
	limits.probing == false with input as question
}

test_the_room_of_a_busy_target if {
	question := fixture.changed(fixture.plan, {"/state/open": 1, "/state/in_flight": 3, "/state/live": 5, "/state/reserved_today": 7, "/forge/unlisted": [{}, {}], "/request/capacity": 4, "/config/values/limits/max_tasks_per_day": 9})
	limits.room == {
		"limits.capacity": 4,
		"limits.daily": 2,
		"limits.open_prs": -4,
		"limits.running_attempts": -3,
	} with input as question
	limits.slots == 0 with input as question
	_waits == {
		"limits.capacity": "the scheduler can launch 4 in this cycle",
		"limits.daily": "7 attempts were reserved today, the limit is 9",
		"limits.open_prs": "6 pull requests are open or under way, the limit is 2",
		"limits.probe": "the circuit breaker is half open: one probe at a time",
		"limits.running_attempts": "5 attempts are live, the limit is 2",
	} with input as question
}

test_a_capacity_that_is_not_said if {
	question := json.remove(fixture.plan, ["/request"])
	limits.room == {
		"limits.open_prs": 2,
		"limits.running_attempts": 2,
	} with input as question
	fixture.lines(limits.deny) == [] with input as question
	limits.wait_capacity.message == "the scheduler can launch 0 in this cycle" with input as question
}

test_a_capacity_of_a_text if {
	question := fixture.changed(fixture.plan, {"/request/capacity": "4"})
	limits.room == {
		"limits.open_prs": 2,
		"limits.running_attempts": 2,
	} with input as question
	fixture.lines(limits.deny) == [
		"limits.capacity_invalid: request.capacity must be null or a whole number, at least 0",
	] with input as question
}

test_a_capacity_of_half_a_worker if {
	fixture.lines(limits.deny) == [
		"limits.capacity_invalid: request.capacity must be null or a whole number, at least 0",
	] with input as fixture.changed(fixture.plan, {"/request/capacity": 0.5})
}

test_a_capacity_of_none if {
	question := fixture.changed(fixture.plan, {"/request/capacity": 0})
	fixture.lines(limits.deny) == [] with input as question
	limits.room == {
		"limits.capacity": 0,
		"limits.open_prs": 2,
		"limits.running_attempts": 2,
	} with input as question
}

test_a_capacity_below_none if {
	fixture.lines(limits.deny) == [
		"limits.capacity_invalid: request.capacity must be null or a whole number, at least 0",
	] with input as fixture.changed(fixture.plan, {"/request/capacity": -1})
}

test_a_breaker_that_is_open if {
	question := fixture.changed(fixture.plan, {"/state/circuit/state": "open", "/state/circuit/cause": "failures", "/state/circuit/until_us": 1900000000000000})
	fixture.lines(limits.deny) == [
		"limits.circuit_open: the circuit breaker is open (failures) until 2030-03-17T17:46:40Z",
	] with input as question
	limits.probing == false with input as question
	limits.room == {
		"limits.open_prs": 2,
		"limits.running_attempts": 2,
	} with input as question
}

test_a_breaker_that_is_open_for_no_cause if {
	question := fixture.changed(fixture.plan, {"/state/circuit/state": "open", "/state/circuit/until_us": 1900000000000000})
	fixture.lines(limits.deny) == [
		"limits.circuit_open: the circuit breaker is open (no reason is given) until 2030-03-17T17:46:40Z",
	] with input as question
}

test_a_breaker_that_is_open_for_an_odd_cause if {
	question := json.remove(fixture.changed(fixture.plan, {"/state/circuit/state": "open", "/state/circuit/until_us": 1900000000000000}), ["/state/circuit/cause"])
	fixture.lines(limits.deny) == [
		"limits.circuit_open: the circuit breaker is open (no reason is given) until 2030-03-17T17:46:40Z",
	] with input as question
}

test_a_breaker_that_is_open_until_an_unknown_time if {
	question := json.remove(fixture.changed(fixture.plan, {"/state/circuit/state": "open"}), ["/state/circuit/until_us"])
	fixture.lines(limits.deny) == [
		"limits.circuit_open: the circuit breaker is open (no reason is given) until 1970-01-01T00:00:00Z",
	] with input as question
}

test_a_breaker_past_its_cooldown if {
	question := fixture.changed(fixture.plan, {"/state/circuit/state": "open", "/state/circuit/until_us": fixture.now_us})
	fixture.lines(limits.deny) == [] with input as question
	limits.probing == true with input as question
	limits.room == {
		"limits.open_prs": 2,
		"limits.probe": 1,
		"limits.running_attempts": 2,
	} with input as question
}

test_a_breaker_that_is_half_open if {
	question := fixture.changed(fixture.plan, {"/state/circuit/state": "half_open"})
	fixture.lines(limits.deny) == [] with input as question
	limits.probing == true with input as question
	limits.room == {
		"limits.open_prs": 2,
		"limits.probe": 1,
		"limits.running_attempts": 2,
	} with input as question
}

test_a_breaker_with_a_probe if {
	question := fixture.changed(fixture.plan, {"/state/circuit/state": "half_open", "/state/circuit/probe": "p"})
	fixture.lines(limits.deny) == [] with input as question
	limits.probing == false with input as question
	limits.room == {
		"limits.open_prs": 2,
		"limits.probe": 0,
		"limits.running_attempts": 2,
	} with input as question
}

test_a_closed_breaker_with_an_old_probe if {
	question := fixture.changed(fixture.plan, {"/state/circuit/probe": "p"})
	fixture.lines(limits.deny) == [] with input as question
	limits.probing == false with input as question
	limits.room == {
		"limits.open_prs": 2,
		"limits.running_attempts": 2,
	} with input as question
}

test_a_breaker_in_an_odd_state if {
	question := fixture.changed(fixture.plan, {"/state/circuit/state": "ajar"})
	fixture.lines(limits.deny) == [
		"unknown.circuit: the circuit breaker's state ajar is not known",
	] with input as question
}

test_a_breaker_in_no_state if {
	fixture.lines(limits.deny) == [
		"unknown.circuit: the circuit breaker's state ? is not known",
	] with input as json.remove(fixture.plan, ["/state"])
}

test_another_action_has_no_breaker if {
	question := fixture.changed(fixture.plan, {"/action": "route.read", "/state/circuit/state": "open", "/state/circuit/until_us": 1900000000000000, "/request/capacity": -1})
	fixture.lines(limits.deny) == [] with input as question
}

test_another_action_knows_no_breaker if {
	fixture.lines(limits.deny) == [] with input as {"action": "route.read"}
}

test_the_target_narrows if {
	question := fixture.changed(fixture.plan, {"/backlog/max_open_prs": 1, "/target_policy": {"known": true, "state": "valid", "values": {"safety_rules": {"max_concurrent_attempts": 1, "max_attempts_per_task": 1, "backoff_seconds": 61, "max_tasks_per_day": 5}}}})
	limits.effective == {
		"max_attempts_per_task": 1,
		"max_open_prs": 1,
		"max_running_attempts": 1,
		"max_tasks_per_day": 5,
		"retry_backoff_max_seconds": 3600,
		"retry_backoff_seconds": 61,
	} with input as question
}

test_the_target_does_not_widen if {
	question := fixture.changed(fixture.plan, {"/backlog/max_open_prs": 3, "/target_policy": {"known": true, "state": "valid", "values": {"safety_rules": {"max_concurrent_attempts": 3, "max_attempts_per_task": 3, "backoff_seconds": 59, "max_tasks_per_day": 5}}}, "/config/values/limits/max_tasks_per_day": 4})
	limits.effective == {
		"max_attempts_per_task": 2,
		"max_open_prs": 2,
		"max_running_attempts": 2,
		"max_tasks_per_day": 4,
		"retry_backoff_max_seconds": 3600,
		"retry_backoff_seconds": 60,
	} with input as question
}

test_what_the_target_says_oddly_narrows_nothing if {
	question := fixture.changed(fixture.plan, {"/target_policy": {"known": true, "state": "valid", "values": {"safety_rules": {"max_concurrent_attempts": "1", "max_attempts_per_task": 0, "backoff_seconds": -1, "max_tasks_per_day": null}}}})
	limits.effective == {
		"max_attempts_per_task": 2,
		"max_open_prs": 2,
		"max_running_attempts": 2,
		"max_tasks_per_day": 0,
		"retry_backoff_max_seconds": 3600,
		"retry_backoff_seconds": 60,
	} with input as question
}

test_the_maximum_follows_the_base if {
	question := fixture.changed(fixture.plan, {"/config/values/limits/retry_backoff_seconds": 7200})
	limits.effective == {
		"max_attempts_per_task": 2,
		"max_open_prs": 2,
		"max_running_attempts": 2,
		"max_tasks_per_day": 0,
		"retry_backoff_max_seconds": 7200,
		"retry_backoff_seconds": 7200,
	} with input as question
}

test_a_target_policy_that_is_none if {
	question := fixture.changed(fixture.plan, {"/target_policy": "none", "/backlog": "none"})
	limits.effective == {
		"max_attempts_per_task": 2,
		"max_open_prs": 2,
		"max_running_attempts": 2,
		"max_tasks_per_day": 0,
		"retry_backoff_max_seconds": 3600,
		"retry_backoff_seconds": 60,
	} with input as question
}

test_a_closed_breaker_that_was_open_until_later if {
	question := fixture.changed(fixture.plan, {"/state/circuit/until_us": 1900000000000000})
	fixture.lines(limits.deny) == [] with input as question
}

test_a_wait_that_is_a_text_is_none if {
	question := fixture.changed(fixture.plan, {"/target_policy": {"known": true, "state": "valid", "values": {"safety_rules": {"backoff_seconds": "61"}}}})
	limits.effective == {
		"max_attempts_per_task": 2,
		"max_open_prs": 2,
		"max_running_attempts": 2,
		"max_tasks_per_day": 0,
		"retry_backoff_max_seconds": 3600,
		"retry_backoff_seconds": 60,
	} with input as question
}
