package leviathan.custom

import rego.v1

import data.leviathan.reason

# _debt is how many pull requests may wait for people longer than _patience
# before no new work begins.
_debt := 3

_patience_us := ((3 * 24) * 3600) * 1000000

# METADATA
# title: Too much waits for review
# description: New work begins when people have caught up. A pull request counts when nobody has approved it, or asked for changes, for longer than the patience.
# custom:
#   code: custom.review_debt
#   message: "{waiting} pull requests have waited for a review for more than {days} days ({numbers}); new work begins below {limit}"
#   remedy: "Review, merge or close some of them."
deny contains r if {
	input.action == "cycle.plan"
	_pulls_known
	count(_waiting) >= _debt
	r := reason.of(rego.metadata.chain(), {
		"waiting": count(_waiting),
		"days": _patience_us / ((24 * 3600) * 1000000),
		"numbers": concat(", ", [sprintf("#%v", [number]) | some number in _waiting]),
		"limit": _debt,
	})
}

# METADATA
# title: The review debt needs the open pull requests
# description: Without the time, or what is known of each open pull request, nobody can say how much waits for review.
# custom:
#   code: custom.review_debt_unknown
#   message: "the question does not say what pull requests are open, or since when"
#   remedy: "Bring gateway and policies to one release."
deny contains r if {
	input.action == "cycle.plan"
	not _pulls_known
	r := reason.fixed(rego.metadata.chain())
}

_pulls_known if {
	is_number(input.time.now_us)
	is_array(input.state.open_pulls)
	every pull in input.state.open_pulls {
		is_number(pull.intended_us)
		is_number(pull.number)
		is_string(pull.review)
	}
}

_waiting := [pull.number |
	some pull in input.state.open_pulls
	not pull.review in {"approved", "changes_requested"}
	pull.intended_us < input.time.now_us - _patience_us
]
