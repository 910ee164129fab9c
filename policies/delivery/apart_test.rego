package leviathan.delivery_test

import rego.v1

import data.leviathan.delivery
import data.leviathan.fixture_test as fixture

# What differs only where two conditions of a rule come apart.

_halted(question) := fixture.set(question, "/halt/target", {"reason": "fire"})

# _brink is where one more failure of the machinery blocks the task and opens the
# breaker.
_brink(question) := _history(question, {"infrastructure": 1000, "digest": question.attempt.digest}, {"infrastructure": 1000, "infrastructure_task": ""})

test_a_worker_that_is_lost_in_a_halt_counts_for_nothing if {
	_after(_brink(_lost)).block == true
	_after(_brink(_lost)).circuit.event == "opened"
	_after(_halted(_brink(_lost))).block == false
	_after(_halted(_brink(_lost))).circuit == null
}

test_an_attempt_that_succeeds_opens_no_breaker if {
	_after(_brink(fixture.finish("succeeded", "", "proposed"))).circuit == null
}

test_what_is_proposed_may_still_fail if {
	_after(fixture.finish("failed", "timeout", "proposed")).end == {"state": "failed", "failure_type": "timeout"}
}

test_what_succeeds_in_a_halt_has_succeeded if {
	_after(_halted(fixture.finish("succeeded", "", "proposed"))).end == {"state": "succeeded", "failure_type": ""}
}

test_what_was_never_started_expires_in_a_halt_without_a_type if {
	question := fixture.set(fixture.expire("start_deadline", "reserved"), "/attempt/start_deadline_us", fixture.now_us - 1)
	_after(question).end == {"state": "expired", "failure_type": "launch"}
	_after(_halted(question)).end == {"state": "expired", "failure_type": ""}
}

test_an_outcome_that_is_none_is_none_with_a_type_too if {
	"delivery.outcome" in fixture.codes(delivery.deny) with input as fixture.finish("odd", "timeout", "running")
}

test_a_deadline_that_has_passed_keeps_no_attempt_from_ending if {
	every question in [
		fixture.set(fixture.finish("failed", "timeout", "reserved"), "/attempt/start_deadline_us", 1),
		fixture.set(fixture.finish("failed", "timeout", "running"), "/attempt/deadline_us", 1),
		fixture.set(fixture.lost("process_gone", "running"), "/attempt/deadline_us", 1),
		fixture.set(fixture.lost("image_pull", "reserved"), "/attempt/start_deadline_us", 1),
	] {
		delivery.deny == set() with input as question
	}
}

test_the_start_deadline_is_over_with_the_start if {
	question := json.patch(fixture.start, [
		{"op": "add", "path": "/attempt/state", "value": "running"},
		{"op": "add", "path": "/attempt/instance", "value": "i-1"},
		{"op": "add", "path": "/attempt/start_deadline_us", "value": 1},
	])
	delivery.deny == set() with input as question
}

test_what_nobody_has_started_has_no_other_worker if {
	delivery.deny == set() with input as fixture.set(fixture.start, "/attempt/instance", "")
	fixture.codes(delivery.deny) == {"delivery.already_started"} with input as fixture.set(fixture.set(fixture.start, "/attempt/instance", "i-2"), "/attempt/state", "running")
}

_asked_by_hand := object.union(json.remove(fixture.push, ["/push"]), {"resource": {"properties": {"changes": [fixture.added("docs/a.md")]}}})

test_a_question_by_hand_minds_nothing_that_only_a_push_has if {
	every question in [
		fixture.set(_asked_by_hand, "/attempt/has_push_intent", true),
		fixture.set(_asked_by_hand, "/target_policy", {"known": true, "state": "valid", "reason": "", "values": {"safety_rules": {"require_conventional_commit": true}}}),
		fixture.set(_asked_by_hand, "/attempt/push_attempts", 1000),
	] {
		delivery.deny == set() with input as question
	}
}

test_a_problem_that_cannot_be_read_is_said_in_the_policys_words if {
	every problem in [{"code": "x"}, {"code": "x", "message": 7}, {"message": "m"}, "x"] {
		question := fixture.set(fixture.push, "/push/problems", [problem])
		fixture.codes(delivery.deny) == {"delivery.problem"} with input as question
		delivery.problems == set() with input as question
	}
}

test_a_verification_that_is_no_list_is_none if {
	question := json.patch(fixture.run, [
		{"op": "add", "path": "/attempt/task/verify", "value": ["odd"]},
		{"op": "add", "path": "/config/values/verify", "value": {"odd": {"command": {"a": "go"}, "timeout_seconds": 9}}},
	])
	"delivery.unknown_verify" in fixture.codes(delivery.deny) with input as question
}

test_a_task_that_is_narrower_now_keeps_no_attempt_from_ending if {
	question := fixture.set(fixture.finish("failed", "timeout", "running"), "/task_now/task/allowed_paths", [])
	delivery.deny == set() with input as question
}
