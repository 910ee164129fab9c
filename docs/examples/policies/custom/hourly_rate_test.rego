package leviathan.custom_test

import rego.v1

import data.leviathan.custom
import data.leviathan.fixture_test as fixture
import data.leviathan.main

_minutes_ago(list) := fixture.set(fixture.plan, "/state/reserved_us", [us | some m in list; us := fixture.now_us - (m * 60000000)])

_rate_left(question) := left if {
	some entry in custom.room with input as question
	entry.reason.code == "custom.hourly_rate"
	left := entry.left
}

test_reservations_of_the_last_hour_are_counted if {
	_rate_left(_minutes_ago([])) == 12
	_rate_left(_minutes_ago([1, 59])) == 10
	_rate_left(_minutes_ago([1, 59, 60, 61])) == 10
}

test_a_reservation_that_is_still_to_come_counts if {
	_rate_left(_minutes_ago([-5])) == 11
}

test_a_used_up_rate_reserves_nothing_and_says_when_there_is_room if {
	d := main.decision with input as _minutes_ago(numbers.range(1, 12)) with custom._freezes as []
	d.allow
	d.obligations.reserve == []
	some r in d.obligations.skip["T-1"].reasons
	r.code == "custom.hourly_rate"
	r.message == "12 attempts were reserved in the last hour, the rate is 12"
	r.remedy == sprintf("Wait; the oldest of them leaves the count at %s.", [time.format((fixture.now_us + (48 * 60000000)) * 1000)])
}

test_a_rate_beyond_leaves_less_than_no_room if {
	_rate_left(_minutes_ago(numbers.range(1, 13))) == -1
	d := main.decision with input as _minutes_ago(numbers.range(1, 13)) with custom._freezes as []
	d.obligations.reserve == []
}

test_without_the_reservations_the_plan_is_denied if {
	every question in [
		fixture.without(fixture.plan, "/state/reserved_us"),
		fixture.set(fixture.plan, "/state/reserved_us", "many"),
		fixture.set(fixture.plan, "/state/reserved_us", ["now"]),
		fixture.without(fixture.plan, "/time/now_us"),
	] {
		"custom.hourly_rate_unknown" in fixture.codes(custom.deny) with input as question
	}
	not "custom.hourly_rate_unknown" in fixture.codes(custom.deny) with input as fixture.plan
}

test_the_rate_is_about_plans_alone if {
	every question in [fixture.start, fixture.push, fixture.open] {
		not _rate_left(question)
		custom.deny == set() with input as question
	}
}
