package leviathan.delivery_test

import rego.v1

import data.leviathan.delivery
import data.leviathan.fixture_test as fixture

# _unusual is a config in which nothing is as it would be by default.
_unusual(question) := object.union(question, {"config": {"values": {
	"max_attempts_per_task": 9,
	"circuit_breaker_failures": 4,
	"limits": {"retry_backoff_seconds": 7, "retry_backoff_max_seconds": 20},
	"circuit": {"cooldown_seconds": 11, "cooldown_max_seconds": 13},
}}})

test_the_config_says_how_long_a_task_waits if {
	_after(_unusual(_history(_failed, {}, {}))).retry == {"not_before_us": _seconds(7)}
	_after(_unusual(_history(_failed, {"counted": 3}, {}))).retry == {"not_before_us": _seconds(20)}
}

test_the_config_says_when_the_breaker_opens_and_for_how_long if {
	_after(_unusual(_history(_failed, {}, {"consecutive": 2}))).circuit == null
	_after(_unusual(_history(_failed, {}, {"consecutive": 3}))).circuit == {
		"event": "opened", "cause": "failures", "cooldown_seconds": 11, "until_us": _seconds(11),
	}
	_after(_unusual(fixture.set(_probe(_failed), "/state/circuit/cooldown_seconds", 11))).circuit.cooldown_seconds == 13
}

# _bad_push is a push with everything wrong.
_bad_push := object.union(fixture.push, {
	"push": {
		"ref": "refs/heads/main", "old": fixture.head, "branch_exists": true, "pack_bytes": 1000000000,
		"commit": {"parents": [], "message": "other", "author": {"name": "x", "email": "x"}, "committer": {"name": "x", "email": "x"}},
		"problems": [{"code": "delivery.malformed_pack", "message": "m"}],
	},
	"target_policy": {"known": true, "state": "valid", "values": {"safety_rules": {"require_conventional_commit": true}}},
	"attempt": {"push_attempts": 9},
})

test_what_is_wrong_with_a_push_is_no_reason_against_anything_else if {
	pushed := delivery.deny with input as _bad_push
	count(pushed) > 3
	every action in ["attempt.heartbeat", "attempt.evidence", "artifact.put", "attempt.finish", "attempt.cancel"] {
		question := object.union(_bad_push, {"action": action, "request": {"outcome": "failed", "failure_type": "timeout", "name": "agent.log", "offset": 0, "size": 1, "count": 1, "total": 1}})
		denied := delivery.deny with input as question
		{r.code | some r in denied} & {r.code | some r in pushed} == set()
		delivery.problems == set() with input as question
	}
}

test_what_is_asked_by_hand_about_changes_has_no_push_to_look_at if {
	dry := object.union(json.remove(fixture.push, ["/push"]), {"resource": {"properties": {"changes": [fixture.added("docs/a.md")]}}})
	delivery.deny == set() with input as dry
	delivery.problems == set() with input as dry
}

test_how_an_attempt_ends_is_no_reason_against_anything_else if {
	every action in ["attempt.heartbeat", "attempt.evidence"] {
		denied := delivery.deny with input as object.union(fixture.finish("no such end", "none", "running"), {"action": action})
		denied == set()
	}
}

# _granted reports whether delivery grants a question that nothing is against.
_granted(question) if {
	delivery.allow with input as question with data.leviathan.delivery.deny as set()
}

test_nothing_against_is_not_yet_a_word_for if {
	_granted(fixture.heartbeat)
	_granted(fixture.annotate)
	_granted(fixture.set(fixture.fetch, "/subject/role", "reader"))
	every action in ["cycle.plan", "autonomy.halt", "pull_request.merge", "route.read"] {
		not _granted(fixture.set(fixture.heartbeat, "/action", action))
	}
	not delivery.allow with input as fixture.annotate with data.leviathan.delivery.deny as {{"code": "x"}}
}

test_what_is_denied_obliges_to_nothing if {
	every question in [fixture.start, fixture.run, fixture.heartbeat, fixture.open, fixture.finish("failed", "timeout", "running")] {
		delivery.obligations == {} with input as question with data.leviathan.delivery.deny as {{"code": "x"}}
	}
}
