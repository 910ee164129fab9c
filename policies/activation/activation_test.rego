package leviathan.activation_test

import rego.v1

import data.leviathan.activation
import data.leviathan.fixture_test as fixture
import data.leviathan.main

_codes(question) := {r.code | some r in denied} if {
	denied := activation.deny with input as question
}

_activates(question) if {
	main.allow with input as question
}

_flips(changed) := object.union({"error": 0, "deny_to_allow": 0, "allow_to_deny": 0, "reasons": 0, "obligations": 0}, changed)

_asked(role, changed, accepted) := fixture.by(role, "bundle.activate", {
	"source": "/etc/policies", "revision": "2", "flips": _flips(changed), "accepted": accepted, "compared": 10, "not_replayable": 0,
})

test_a_candidate_that_flips_nothing_is_activated if {
	_activates(_asked("gateway", {}, []))
	_activates(_asked("operator", {}, []))
}

test_what_only_narrows_needs_nobody if {
	_activates(_asked("gateway", {"allow_to_deny": 7, "reasons": 3, "obligations": 2}, []))
}

test_what_loosens_must_be_accepted if {
	_codes(_asked("gateway", {"deny_to_allow": 1}, [])) == {"activation.deny_to_allow"}
	_codes(_asked("operator", {"deny_to_allow": 1}, ["error"])) == {"activation.deny_to_allow"}
	not _activates(_asked("gateway", {"deny_to_allow": 1}, []))
	_activates(_asked("operator", {"deny_to_allow": 1}, ["deny_to_allow"]))
}

test_what_fails_must_be_accepted if {
	_codes(_asked("gateway", {"error": 2}, [])) == {"activation.error"}
	_codes(_asked("operator", {"error": 2, "deny_to_allow": 1}, ["deny_to_allow"])) == {"activation.error"}
	_activates(_asked("operator", {"error": 2}, ["error"]))
}

test_the_message_says_how_many if {
	some r in activation.deny with input as _asked("gateway", {"deny_to_allow": 3}, [])
	r.message == "3 of the decisions that were denied would be allowed by the candidate"
}

_messages(question) := {r.message | some r in denied} if {
	denied := activation.deny with input as question
}

test_one_failure_is_enough_and_is_counted if {
	_messages(_asked("gateway", {"error": 1}, [])) == {"the candidate gives no usable answer to 1 of the recorded questions"}
}

test_who_may_not_accept_is_named if {
	_messages(_asked("gateway", {}, ["error"])) == {"the role gateway may not accept what a candidate changes"}
	_messages(fixture.without(_asked("operator", {}, ["error"]), "/subject/role")) == {"the role of an unnamed subject may not accept what a candidate changes"}
	_messages(fixture.without(_asked("operator", {}, ["error"]), "/subject")) == {"the role of an unnamed subject may not accept what a candidate changes"}
}

test_what_is_slow_is_not_taken_by_anybody if {
	slow := fixture.set(_asked("operator", {}, []), "/request/slow", ["attempt.heartbeat", "cycle.plan"])
	_codes(slow) == {"activation.slow"}
	_messages(slow) == {"attempt.heartbeat takes the candidate more than half of its time", "cycle.plan takes the candidate more than half of its time"}
	not _activates(slow)
	not _activates(fixture.set(slow, "/request/accepted", ["error", "deny_to_allow"]))
	_activates(fixture.set(slow, "/request/slow", []))
	_codes(fixture.set(slow, "/action", "bundle.rollback")) == set()
}

test_only_an_operator_accepts if {
	_codes(_asked("gateway", {"deny_to_allow": 1}, ["deny_to_allow"])) == {"activation.accepted_by"}
	_codes(_asked("operator", {"deny_to_allow": 1}, ["deny_to_allow"])) == set()
	_codes(fixture.without(_asked("operator", {}, ["error"]), "/subject/role")) == {"activation.accepted_by"}
}

test_flips_that_are_not_known_deny if {
	every path in ["/request/flips", "/request/flips/error", "/request/flips/deny_to_allow", "/request/accepted", "/request"] {
		not _activates(fixture.without(_asked("operator", {}, []), path))
	}
	not _activates(fixture.set(_asked("operator", {}, []), "/request/flips/error", "0"))
	not _activates(fixture.set(_asked("operator", {}, []), "/request/accepted", "deny_to_allow"))
}

test_other_actions_are_not_its_concern if {
	every asked in [_asked("operator", {"deny_to_allow": 1}, []), _asked("operator", {"error": 1}, []), _asked("gateway", {}, ["error"])] {
		_codes(fixture.set(asked, "/action", "bundle.rollback")) == set()
	}
}
