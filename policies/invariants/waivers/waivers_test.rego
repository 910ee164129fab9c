package leviathan.invariants.waivers_test

import rego.v1

import data.leviathan.invariants.waivers

_good := {
	"file": ".leviathan/invariants.yaml", "line": 4, "column": 3, "code": "docs_structure.dead_link", "glob": "docs/old.md",
	"reason": "moves next week", "owner": "ada", "expires": "2026-03-01", "matches": 1, "checked": true,
}

_codes(changes) := {v.code | some v in found} if {
	found := waivers.deny with input as {"today": "2026-02-01", "in_a_year": "2027-02-01", "waivers": [object.union(_good, changes)]}
}

test_a_waiver_in_force_holds if _codes({}) == set()

test_a_waiver_holds_on_its_last_day if _codes({"expires": "2026-02-01"}) == set()

test_an_expired_waiver_is_a_violation if _codes({"expires": "2026-01-31"}) == {"waivers.expired"}

test_an_unused_waiver_is_a_violation if _codes({"matches": 0}) == {"waivers.unused"}

test_a_waiver_of_a_category_that_did_not_run_is_not_unused if _codes({"matches": 0, "checked": false}) == set()

test_a_broad_waiver_is_a_violation if {
	_codes({"glob": "**"}) == {"waivers.too_broad"}
	_codes({"glob": "*.md"}) == {"waivers.too_broad"}
	_codes({"code": "docs_structure.*"}) == {"waivers.too_broad"}
	_codes({"expires": "2028-01-01"}) == {"waivers.too_broad"}
	_codes({"matches": 21}) == {"waivers.too_broad"}
}

test_a_violation_is_at_the_waiver if {
	found := waivers.deny with input as {"today": "2026-02-01", "in_a_year": "2027-02-01", "waivers": [object.union(_good, {"matches": 0})]}
	some v in found
	[v.file, v.line, v.subject] == [".leviathan/invariants.yaml", 4, "docs_structure.dead_link docs/old.md"]
}
