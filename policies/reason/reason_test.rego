package leviathan.reason_test

import rego.v1

import data.leviathan.reason

_chain := [
	{"path": ["leviathan", "scope", "deny"], "annotations": {"custom": {"code": "scope.x", "message": "{path}: {n} > {limit}", "remedy": "See {path}."}}},
	{"path": ["leviathan", "scope"]},
]

test_a_reason_is_its_metadata_with_the_values_filled_in if {
	reason.of(_chain, {"path": "a/b", "n": 3, "limit": 2}) == {
		"code": "scope.x", "message": "a/b: 3 > 2", "remedy": "See a/b.", "rule": "leviathan.scope", "path": "a/b",
	}
}

test_a_value_that_looks_like_a_placeholder_is_not_filled_in_again if {
	reason.of(_chain, {"path": "{n}", "n": 3, "limit": 2}).message == "{n}: 3 > 2"
}

test_a_rule_of_an_invariant_is_named_with_its_category if {
	chain := [{"path": ["leviathan", "invariants", "manifests", "deny"], "annotations": {"custom": {"code": "a.b", "message": "m"}}}]
	reason.fixed(chain) == {"code": "a.b", "message": "m", "rule": "leviathan.invariants.manifests"}
}

test_a_rule_without_metadata_still_gives_a_reason if {
	reason.fixed([]) == {"code": "unknown.rule_text", "message": "denied by a rule without text", "rule": "leviathan.main"}
}

test_what_is_not_told_is_said_to_be_so if {
	reason.told("fire") == "fire"
	reason.told("") == "no reason is given"
	reason.told(null) == "no reason is given"
}
