package leviathan.custom_test

import rego.v1

import data.leviathan.custom
import data.leviathan.fixture_test as fixture
import data.leviathan.limits
import data.leviathan.main

test_nothing_is_denied_as_shipped if {
	every question in [fixture.plan, fixture.start, fixture.push, fixture.open, {}] {
		custom.deny == set() with input as question
	}
}

test_a_closed_action_says_why if {
	custom.deny == {{
		"code": "custom.closed_action",
		"message": "pull_request.open is closed: release week",
		"remedy": "Wait until the operator opens it again.",
		"rule": "leviathan.custom",
	}} with input as fixture.open with data.leviathan.custom._closed as {"pull_request.open": "release week"}
}

test_other_actions_stay_open if {
	custom.deny == set() with input as fixture.push with data.leviathan.custom._closed as {"pull_request.open": "release week"}
}

_reason := {"code": "custom.x", "message": "m", "rule": "leviathan.custom"}

test_a_custom_reason_denies_what_is_allowed_without_it if {
	every question in [fixture.plan, fixture.start, fixture.run, fixture.heartbeat, fixture.push, fixture.open] {
		before := main.decision with input as question
		before.allow
		after := main.decision with input as question with data.leviathan.custom.deny as {_reason}
		not after.allow
		after.reasons == [_reason]
	}
}

test_without_a_custom_reason_the_answer_is_the_same if {
	every question in [fixture.plan, fixture.push, {}, object.union(fixture.push, {"halt": {}})] {
		before := main.decision with input as question
		after := main.decision with input as question with data.leviathan.custom.deny as set()
		before == after
	}
}

_three := object.union(fixture.plan, {
	"backlog": {
		"tasks": {id: fixture.plan.backlog.tasks["T-1"] | some id in ["T-1", "T-2", "T-3"]},
		"order": {"T-1": 0, "T-2": 1, "T-3": 2},
	},
	"config": {"values": {"max_open_prs": 9, "max_running_attempts": 9}},
})

_reserved(decision) := [r.task_id | some r in decision.obligations.reserve]

test_a_task_that_is_held_back_is_skipped_and_the_others_are_not if {
	d := main.decision with input as _three with data.leviathan.custom._held as {"T-2": "ask Ann first", "T-9": "not in the backlog"}
	d.allow
	_reserved(d) == ["T-1", "T-3"]
	object.keys(d.obligations.skip) == {"T-2"}
	d.obligations.skip["T-2"].reasons == [{
		"code": "custom.held_task",
		"message": "the operator holds this task back: ask Ann first",
		"remedy": "Wait until the operator lets it go.",
		"rule": "leviathan.custom",
	}]
}

test_two_reasons_of_one_rule_against_one_task_are_both_said if {
	two := {{"code": "custom.x", "message": message, "rule": "leviathan.custom"} | some message in ["a", "b"]}
	d := main.decision with input as _three with data.leviathan.custom.deny_task as {"T-2": two}
	{r.message | some r in d.obligations.skip["T-2"].reasons} == {"a", "b"}
}

test_a_plan_is_no_larger_than_the_operator_lets_it if {
	d := main.decision with input as _three with data.leviathan.custom._most as 2
	_reserved(d) == ["T-1", "T-2"]
	d.obligations.skip["T-3"].reasons == [{
		"code": "custom.plan_size",
		"message": "a plan may reserve 2 attempts",
		"remedy": "Wait for a later cycle.",
		"rule": "leviathan.custom",
	}]
	none := main.decision with input as _three with data.leviathan.custom._most as 0
	none.allow
	_reserved(none) == []
	wide := main.decision with input as _three with data.leviathan.custom._most as 3
	_reserved(wide) == ["T-1", "T-2", "T-3"]
}

test_the_tightest_of_the_operators_limits_is_in_force if {
	entries := {{"left": left, "reason": object.union(_reason, {"message": sprintf("%v", [left])})} | some left in [1, 2]}
	d := main.decision with input as _three with data.leviathan.custom.room as entries
	_reserved(d) == ["T-1"]
	[r.message | some r in d.obligations.skip["T-2"].reasons] == ["1"]
}

test_a_limit_that_is_no_number_leaves_no_room if {
	every left in ["many", null, [3]] {
		d := main.decision with input as _three with data.leviathan.custom.room as {{"left": left, "reason": _reason}}
		_reserved(d) == []
		d.obligations.skip["T-1"].reasons == [_reason]
	}
	d := main.decision with input as _three with data.leviathan.custom.room as {{"reason": _reason}}
	_reserved(d) == []
}

test_a_limit_without_a_reason_holds_and_is_named if {
	every entry in [{"left": 1}, {"left": 1, "reason": "because"}, {"left": 1, "reason": {"message": "no code"}}] {
		d := main.decision with input as _three with data.leviathan.custom.room as {entry}
		_reserved(d) == ["T-1"]
		[r.code | some r in d.obligations.skip["T-2"].reasons] == ["limits.custom"]
	}
}

test_a_custom_reason_against_the_plan_reserves_nothing_and_explains_every_task if {
	d := main.decision with input as _three with data.leviathan.custom.deny as {_reason}
	not d.allow
	_reserved(d) == []
	{id: s.reasons | some id, s in d.obligations.skip} == {id: [_reason] | some id in ["T-1", "T-2", "T-3"]}
}

test_a_limit_of_the_operators_own_is_none_by_itself if {
	limits.slots == 1 with input as fixture.plan with data.leviathan.custom.room as {{"left": 1, "reason": _reason}}
	not limits.slots with input as {} with data.leviathan.custom.room as {{"left": 1, "reason": _reason}}
}

test_a_reason_that_is_none_keeps_the_task_out_all_the_same if {
	every r in ["because", 7, {}, {"code": "custom.x"}, {"message": "m"}] {
		d := main.decision with input as _three with data.leviathan.custom.deny_task as {"T-2": {r}}
		_reserved(d) == ["T-1", "T-3"]
		d.obligations.skip["T-2"].reasons == [r]
	}
	d := main.decision with input as _three with data.leviathan.custom.deny_task as {"T-2": "because"}
	_reserved(d) == ["T-1", "T-3"]
}
