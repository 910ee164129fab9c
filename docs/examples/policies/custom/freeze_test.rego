package leviathan.custom_test

import rego.v1

import data.leviathan.custom
import data.leviathan.fixture_test as fixture

_at(question, when) := {r.code | some r in denied} if {
	denied := custom.deny with input as json.patch(question, [{"op": "replace", "path": "/time/now_us", "value": time.parse_rfc3339_ns(when) / 1000}])
}

test_friday_afternoon_in_berlin_is_frozen if {
	every question in [fixture.plan, fixture.start, fixture.open] {
		_at(question, "2026-01-09T10:59:59Z") == set()
		_at(question, "2026-01-09T11:00:00Z") == {"custom.frozen"}
		_at(question, "2026-01-09T22:59:59Z") == {"custom.frozen"}
	}
}

test_summer_time_moves_the_window if {
	_at(fixture.plan, "2026-07-10T09:59:59Z") == set()
	_at(fixture.plan, "2026-07-10T10:00:00Z") == {"custom.frozen"}
}

test_the_weekend_ends_at_midnight_in_berlin if {
	_at(fixture.plan, "2026-01-11T22:59:59Z") == {"custom.frozen"}
	_at(fixture.plan, "2026-01-11T23:00:00Z") == set()
}

test_what_has_begun_may_end_in_a_freeze if {
	every question in [fixture.heartbeat, fixture.push, fixture.finish("succeeded", "", "proposed")] {
		_at(question, "2026-01-10T12:00:00Z") == set()
	}
}

test_a_freeze_says_when_it_is_over if {
	some r in custom.deny with input as fixture.set(fixture.plan, "/time/now_us", time.parse_rfc3339_ns("2026-01-09T12:05:00Z") / 1000)
	r.message == "it is Friday, 13:05 in Europe/Berlin, and frozen from 12:00 until 24:00"
}

test_without_the_time_nothing_begins if {
	custom.deny == set() with input as fixture.heartbeat
	every question in [fixture.plan, fixture.start, fixture.open] {
		"custom.frozen_unknown" in fixture.codes(custom.deny) with input as fixture.without(question, "/time/now_us")
		"custom.frozen_unknown" in fixture.codes(custom.deny) with input as fixture.set(question, "/time/now_us", "today")
	}
}
