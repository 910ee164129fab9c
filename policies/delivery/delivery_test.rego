package leviathan.delivery_test

import rego.v1

import data.leviathan.delivery
import data.leviathan.fixture_test as fixture

_codes(question) := {r.code | some r in denied} if {
	denied := delivery.deny with input as question
}

_set(question, path, value) := _codes(fixture.set(question, path, value))

_may(question) if {
	delivery.allow with input as question
}

test_each_step_is_allowed_in_its_state if {
	every question in [
		fixture.start, fixture.run, fixture.heartbeat, fixture.fetch, fixture.push, fixture.evidence, fixture.artifact,
		fixture.open, fixture.annotate, fixture.lost("oom", "running"), fixture.finish("succeeded", "", "proposed"),
	] {
		_may(question)
		_codes(question) == set()
	}
}

test_no_step_is_allowed_in_another_state if {
	every action_and_states in [
		[fixture.start, ["pushed", "proposed", "failed"]], [fixture.run, ["pushed", "succeeded"]], [fixture.heartbeat, ["reserved", "failed"]],
		[fixture.fetch, ["reserved", "expired"]], [fixture.push, ["reserved", "pushed", "proposed", "failed"]],
		[fixture.evidence, ["reserved", "failed"]], [fixture.artifact, ["failed", "succeeded"]],
		[fixture.open, ["running", "proposed", "failed"]], [fixture.lost("oom", "running"), ["failed"]],
	] {
		every state in action_and_states[1] {
			question := fixture.set(action_and_states[0], "/attempt/state", state)
			"delivery.state" in _codes(question)
			not _may(question)
		}
	}
	"delivery.state" in _codes(fixture.without(fixture.push, "/attempt"))
}

test_the_same_worker_may_start_again_and_no_other if {
	again := fixture.set(fixture.start, "/attempt/state", "running")
	_codes(again) == set()
	_set(again, "/request/instance", "i-2") == {"delivery.already_started"}
	_codes(fixture.without(again, "/request/instance")) == {"delivery.already_started"}
	_set(again, "/attempt/lease/live", false) == {"delivery.lease"}
	_set(fixture.set(fixture.run, "/attempt/state", "running"), "/attempt/lease/known", false) == {"delivery.lease"}
	_set(fixture.start, "/attempt/lease/live", false) == set()
}

test_an_attempt_must_be_started_in_time if {
	every question in [fixture.start, fixture.run] {
		_set(question, "/attempt/start_deadline_us", fixture.now_us) == set()
		_set(question, "/attempt/start_deadline_us", fixture.now_us - 1) == {"delivery.start_deadline"}
		_codes(fixture.without(question, "/attempt/start_deadline_us")) == {"delivery.start_deadline"}
	}
}

test_objects_are_served_while_the_lease_lives if {
	_set(fixture.fetch, "/attempt/lease/live", false) == {"delivery.lease"}
	reader := fixture.without(object.union(fixture.fetch, {"subject": fixture.component("reader")}), "/attempt")
	_codes(reader) == set()
	_may(reader)
}

test_ten_minutes_after_its_timeout_an_attempt_is_out_of_time if {
	every question in [fixture.heartbeat, fixture.push, fixture.open] {
		_set(question, "/attempt/deadline_us", fixture.now_us - 600000000) == set()
		_set(question, "/attempt/deadline_us", fixture.now_us - 600000001) == {"delivery.out_of_time"}
		_codes(fixture.without(question, "/attempt/deadline_us")) == {"delivery.out_of_time"}
	}
	_set(fixture.set(fixture.heartbeat, "/attempt/state", "proposed"), "/attempt/deadline_us", 0) == set()
}

# The questions that mind the task as it is now.
_minding := [fixture.start, fixture.run, fixture.heartbeat, fixture.push, fixture.open]

test_a_task_that_is_gone_stops_the_attempt if {
	every question in _minding {
		_set(question, "/task_now", {"known": true, "present": false, "task": null}) == {"delivery.task_gone"}
	}
}

test_a_task_that_is_not_ready_any_more_stops_the_attempt if {
	every question in _minding {
		_set(question, "/task_now/task/ready", false) == {"delivery.task_not_ready"}
		_set(question, "/task_now/task/status", "completed") == {"delivery.task_not_ready"}
		_set(question, "/task_now/task/status", "in_progress") == set()
	}
}

test_a_narrower_task_stops_the_attempt if {
	every question in _minding {
		_set(question, "/task_now/task/allowed_paths", ["docs/"]) == {"delivery.task_changed"}
		_set(question, "/task_now/task/allowed_paths", ["docs/guides/", "README.md"]) == {"delivery.task_changed"}
		_set(question, "/task_now/task/verify", ["unit", "lint"]) == {"delivery.task_changed"}
		_set(question, "/task_now/task/dependencies", ["T-0"]) == {"delivery.task_changed"}
		_set(question, "/attempt/task/allowed_paths", ["docs/", 7]) == {"delivery.task_changed"}
	}
}

test_a_wider_or_reworded_task_does_not if {
	every question in _minding {
		_set(question, "/task_now/task/allowed_paths", ["docs/**", "README.md", "src/"]) == set()
		_set(question, "/task_now/task/verify", []) == set()
		_set(question, "/task_now/task/digest", "sha256:t2") == set()
	}
	_set(fixture.push, "/attempt/task/allowed_paths", ["docs/guides/"]) == set()
}

test_a_task_that_is_not_known_or_was_delivered_stops_nothing if {
	_set(fixture.heartbeat, "/task_now", {"known": false, "present": false, "task": null}) == set()
	_set(fixture.set(fixture.heartbeat, "/attempt/state", "proposed"), "/task_now/present", false) == set()
}

test_a_push_goes_to_the_attempts_own_branch if {
	_set(fixture.push, "/push/ref", "refs/heads/main") == {"delivery.ref"}
	_codes(json.patch(fixture.push, [
		{"op": "replace", "path": "/push/ref", "value": "refs/heads/main"},
		{"op": "replace", "path": "/push/expected_ref", "value": "refs/heads/main"},
	])) == {"delivery.ref"}
}

test_a_push_creates_its_branch if {
	_set(fixture.push, "/push/branch_exists", true) == {"delivery.branch_exists"}
	_set(fixture.push, "/push/old", fixture.base) == {"delivery.branch_exists"}
	_set(fixture.push, "/push/old", fixture.head) == set()
	"delivery.branch_exists" in _set(fixture.push, "/push/new", "0000000000000000000000000000000000000000")
}

test_a_push_waits_for_the_one_before if {
	_set(fixture.push, "/attempt/has_push_intent", true) == {"unknown.push_intent"}
}

test_a_push_changes_something if {
	_codes(fixture.push_of([])) == {"delivery.no_change"}
}

test_a_push_is_one_commit_on_the_base if {
	_set(fixture.push, "/push/commit/parents", [fixture.head]) == {"delivery.parents"}
	_set(fixture.push, "/push/commit/parents", []) == {"delivery.parents"}
	_set(fixture.push, "/push/commit/parents", [fixture.base, fixture.head]) == {"delivery.parents"}
	_set(fixture.push, "/push/commit/id", fixture.base) == {"delivery.parents"}
}

test_a_push_carries_the_given_message_and_author if {
	_set(fixture.push, "/push/commit/message", "docs: x\n") == {"delivery.message"}
	_set(fixture.push, "/push/commit/author/name", "A Person") == {"delivery.author"}
	_set(fixture.push, "/push/commit/author/email", "a@b") == {"delivery.author"}
}

test_a_conventional_commit_is_required_where_the_target_says_so if {
	required := {"target_policy": {"state": "valid", "values": {"safety_rules": {"require_conventional_commit": true}}}}
	messages := {"push": {"commit": {"message": "Explain"}, "expected": {"message": "Explain"}}}
	_codes(object.union(fixture.push, required)) == set()
	_codes(object.union(fixture.push, messages)) == set()
	_codes(object.union_n([fixture.push, required, messages])) == {"delivery.conventional_commit"}
}

test_a_pack_is_bounded if {
	_set(fixture.push, "/push/pack_bytes", 67108864) == set()
	_set(fixture.push, "/push/pack_bytes", 67108865) == {"delivery.pack_too_large"}
	"delivery.pack_too_large" in _codes(fixture.without(fixture.push, "/push/pack_bytes"))
}

test_pushes_are_counted if {
	_set(fixture.push, "/attempt/push_attempts", 2) == set()
	_set(fixture.push, "/attempt/push_attempts", 3) == {"delivery.push_attempts"}
}

test_a_tree_that_the_worker_says_failed_is_not_delivered if {
	failed := {"tree": fixture.tree, "results": [{"name": "unit", "exit_code": 1}]}
	_set(fixture.push, "/attempt/evidence", failed) == {"delivery.verify_failed"}
	_set(fixture.push, "/attempt/evidence", object.union(failed, {"tree": fixture.base})) == set()
	_set(fixture.push, "/attempt/evidence", {"tree": fixture.tree, "results": [{"name": "unit", "exit_code": 0}]}) == set()
}

test_problems_of_the_pushed_objects_are_reasons if {
	problem := {"code": "scope.bad_name", "message": "m", "path": "a"}
	question := fixture.set(fixture.push, "/push/problems", [problem])
	_codes(question) == set()
	delivery.problems == {object.union(problem, {"rule": "leviathan.delivery"})} with input as question
}

test_a_problem_that_is_not_understood_is_a_reason_too if {
	_set(fixture.push, "/push/problems", ["bad"]) == {"delivery.problem"}
	_set(fixture.push, "/push/problems", [{"code": 7, "message": "m"}]) == {"delivery.problem"}
}

test_a_push_by_hand_has_changes_alone if {
	question := object.union(fixture.without(fixture.push, "/push"), {"resource": {"properties": {"changes": fixture.push.changes}}})
	_codes(question) == set()
	"delivery.ref" in _codes(fixture.without(fixture.push, "/push"))
}

test_a_pull_request_needs_the_commit_upstream if {
	_set(fixture.open, "/attempt/pushed_commit", "") == {"delivery.not_pushed"}
	_codes(fixture.without(fixture.open, "/attempt/pushed_commit")) == {"delivery.not_pushed"}
}

test_a_summary_is_bounded if {
	_set(fixture.open, "/request/summary_length", 4000) == set()
	_set(fixture.open, "/request/summary_length", 4001) == {"delivery.summary_too_long"}
	_codes(fixture.without(fixture.open, "/request")) == {"delivery.summary_too_long"}
}

test_artifacts_are_bounded if {
	_set(fixture.artifact, "/request/name", "../x") == {"delivery.artifact_name"}
	_set(fixture.artifact, "/request/name", "..") == {"delivery.artifact_name"}
	_set(fixture.artifact, "/request/total", 11) == {"delivery.artifact_too_large"}
	_set(fixture.artifact, "/request", {"name": "a", "offset": 10485760, "size": 1, "total": 10485761, "count": 1}) == {"delivery.artifact_too_large"}
	_set(fixture.artifact, "/request/count", 50) == set()
	_set(fixture.artifact, "/request/count", 51) == {"delivery.too_many_artifacts"}
}
