package leviathan.custom_test

import rego.v1

import data.leviathan.custom
import data.leviathan.fixture_test as fixture
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
