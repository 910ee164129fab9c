package leviathan.guard_test

import rego.v1

import data.leviathan.fixture_test as fixture
import data.leviathan.guard

_probed(question, probe) := {r | some r in reasons} if {
	reasons := guard.reasons with input as object.union(question, {"forge": object.union(fixture.plan.forge, {"probe": probe})})
}

test_settings_that_are_known_and_fresh_say_nothing_against if {
	every age in [0, 7200] {
		_probed(fixture.plan, {"known": true, "age_seconds": age}) == set()
	}
	_probed(fixture.plan, null) == set()
}

test_settings_that_are_not_known_deny_new_work_alone if {
	every probe in [{"age_seconds": 1}, {"known": false, "age_seconds": 1}, {"known": "true", "age_seconds": 1}, {"known": false, "age_seconds": 1, "reason": ""}] {
		{r.message | some r in _probed(fixture.plan, probe)} == {"how safe the repository's settings are is not known: no reason is given"}
	}
	{[r.code, r.message] | some r in _probed(fixture.plan, {"known": false, "age_seconds": 1, "reason": "forge.permission: no"})} == {["unknown.probe", "how safe the repository's settings are is not known: forge.permission: no"]}
	every wrong in [false, 0, "", [], {}] {
		{r.code | some r in _probed(fixture.plan, wrong)} == {"unknown.probe", "unknown.stale"}
	}
	every question in [fixture.start, fixture.run, fixture.heartbeat, fixture.push, fixture.open] {
		_probed(question, {"known": false, "reason": "r", "age_seconds": 1}) == set()
	}
}

test_settings_that_were_seen_too_long_ago_deny_new_work if {
	{[r.code, r.message] | some r in _probed(fixture.plan, {"known": true, "age_seconds": 7201})} == {["unknown.stale", "the probe was seen 7201 s ago, the limit is 7200 s"]}
	{r.message | some r in _probed(fixture.plan, {"known": true})} == {"the probe was seen an unknown number of s ago, the limit is 7200 s"}
}
