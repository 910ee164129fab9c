package leviathan.custom_test

import rego.v1

import data.leviathan.custom
import data.leviathan.fixture_test as fixture

_day_us := 86400000000

_pull(number, days, review) := {
	"task_id": sprintf("T-%d", [number]), "attempt_id": fixture.attempt_id, "number": number,
	"intended_us": fixture.now_us - (days * _day_us), "review": review, "conflicts": false, "edited": false,
}

_with_pulls(pulls) := fixture.set(fixture.plan, "/state/open_pulls", pulls)

_owed(pulls) := {r.message |
	some r in denied
	r.code == "custom.review_debt"
} if {
	denied := custom.deny with input as _with_pulls(pulls)
}

test_three_that_wait_too_long_stop_new_work if {
	_owed([_pull(1, 4, ""), _pull(2, 5, ""), _pull(3, 6, "none")]) == {"3 pull requests have waited for a review for more than 3 days (#1, #2, #3); new work begins below 3"}
	_owed([_pull(1, 4, ""), _pull(2, 5, "")]) == set()
}

test_only_beyond_the_patience_does_one_count if {
	_owed([_pull(1, 3, ""), _pull(2, 5, ""), _pull(3, 6, "")]) == set()
	later := [object.union(_pull(1, 3, ""), {"intended_us": (fixture.now_us - (3 * _day_us)) - 1}), _pull(2, 5, ""), _pull(3, 6, "")]
	count(_owed(later)) == 1
}

test_what_was_reviewed_is_no_debt if {
	every review in ["approved", "changes_requested"] {
		_owed([_pull(1, 4, review), _pull(2, 5, ""), _pull(3, 6, "")]) == set()
	}
}

test_a_fourth_one_is_said_too if {
	some message in _owed([_pull(n, 4, "") | some n in numbers.range(1, 4)])
	startswith(message, "4 pull requests")
}

test_without_the_pull_requests_new_work_waits if {
	every question in [
		fixture.without(fixture.plan, "/state/open_pulls"),
		fixture.set(fixture.plan, "/state/open_pulls", {}),
		_with_pulls([fixture.without(_pull(1, 4, ""), "/intended_us")]),
		_with_pulls([object.union(_pull(1, 4, ""), {"number": "1"})]),
		_with_pulls([object.union(_pull(1, 4, ""), {"review": null})]),
		fixture.without(fixture.plan, "/time/now_us"),
	] {
		"custom.review_debt_unknown" in fixture.codes(custom.deny) with input as question
	}
	not "custom.review_debt_unknown" in fixture.codes(custom.deny) with input as fixture.plan
}
