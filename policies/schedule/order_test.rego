package leviathan.schedule_test

import rego.v1

import data.leviathan.fixture_test as fixture
import data.leviathan.schedule

_three := _backlog({"A": {"priority": "low"}, "B": {"priority": "medium"}, "C": {"priority": "high"}})

_reserved(question) := [r.task_id | some r in _plan(question).reserve]

_waits(question, id) := [r.code | some r in _plan(question).skip[id].reasons]

test_tasks_are_reserved_by_priority_then_by_their_place if {
	_reserved(_three) == ["C", "B"]
	_reserved(_backlog({"A": {}, "B": {}, "C": {}})) == ["A", "B"]
	swapped := fixture.set(_backlog({"A": {}, "B": {}, "C": {}}), "/backlog/order", {"A": 2, "B": 1, "C": 0})
	_reserved(swapped) == ["C", "B"]
}

test_a_task_without_room_says_which_limits_it_waits_for if {
	_waits(_three, "A") == ["limits.open_prs", "limits.running_attempts"]
	_waits(fixture.set(_three, "/config/values/max_open_prs", 3), "A") == ["limits.running_attempts"]
}

test_tasks_wait_for_the_limits_that_have_no_room_for_their_place if {
	question := fixture.set(_three, "/request/capacity", 1)
	_reserved(question) == ["C"]
	_waits(question, "B") == ["limits.capacity"]
	_waits(question, "A") == ["limits.capacity", "limits.open_prs", "limits.running_attempts"]
}

test_a_full_day_is_said if {
	question := object.union(_three, {"config": {"values": {"limits": {"max_tasks_per_day": 4}}}, "state": {"reserved_today": 4}})
	_reserved(question) == []
	_waits(question, "C") == ["limits.daily"]
}

test_past_the_cooldown_exactly_one_probe_is_reserved if {
	question := object.union(_three, {"state": {"circuit": {"state": "open", "until_us": fixture.now_us}}})
	o := _plan(question)
	o.reserve == [{"task_id": "C", "attempt_number": 1, "agent": "coder", "probe": true}]
	o.half_open == true
	_waits(question, "B") == ["limits.probe"]
}

test_without_an_eligible_task_the_breaker_stays_as_it_is if {
	question := object.union(_backlog({"A": {"ready": false}}), {"state": {"circuit": {"state": "open", "until_us": fixture.now_us}}})
	o := _plan(question)
	o.reserve == []
	o.half_open == false
}

test_while_a_probe_lives_nothing_more_is_reserved if {
	question := object.union(_three, {"state": {"circuit": {"state": "half_open", "probe": fixture.attempt_id}}})
	_reserved(question) == []
	_waits(question, "C") == ["limits.probe"]
}

test_a_denied_cycle_reserves_and_blocks_nothing_and_explains_every_task if {
	question := fixture.set(
		object.union(_three, {
			"backlog": {"tasks": {"B": {"ready": false}}},
			"state": {"tasks": {"A": fixture.record({"digest": "A", "counted": 2})}},
		}),
		"/config/values/autonomy_enabled",
		false,
	)
	not schedule.allow with input as question
	o := _plan(question)
	o.reserve == []
	o.block == []
	_waits(question, "A") == ["limits.attempts"]
	_waits(question, "B") == ["schedule.not_ready"]
	_waits(question, "C") == ["guard.switched_off"]
}

test_a_role_that_may_not_plan_reserves_nothing if {
	_reserved(fixture.set(_three, "/subject/role", "reader")) == []
}

test_without_facts_the_plan_is_empty_and_still_an_answer if {
	o := _plan({"action": "cycle.plan"})
	o.reserve == []
	o.block == []
	o.half_open == false
}
