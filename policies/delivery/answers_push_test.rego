package leviathan.delivery_test

import rego.v1

import data.leviathan.delivery
import data.leviathan.fixture_test as fixture

test_the_push_as_it_should_be if {
	question := fixture.push
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {} with input as question
	delivery.allow == true with input as question
}

test_the_push_in_another_state if {
	question := fixture.changed(fixture.push, {"/attempt/state": "failed"})
	fixture.lines(delivery.deny) == [
		"delivery.state: the attempt is failed; change.push needs it to be running",
	] with input as question
	delivery.allow == false with input as question
}

test_the_push_in_no_state if {
	question := json.remove(fixture.push, ["/attempt/state"])
	fixture.lines(delivery.deny) == [
		"delivery.state: the attempt is not known; change.push needs it to be running",
	] with input as question
	delivery.allow == false with input as question
}

test_a_push_out_of_time if {
	question := fixture.changed(fixture.push, {"/attempt/deadline_us": 1700000000000000})
	fixture.lines(delivery.deny) == [
		"delivery.out_of_time: the attempt's time was over at 2023-11-14T22:13:20Z",
	] with input as question
}

test_a_push_just_in_overtime if {
	question := fixture.changed(fixture.push, {"/attempt/deadline_us": fixture.now_us - 600000000})
	fixture.lines(delivery.deny) == [] with input as question
}

test_a_push_just_out_of_time if {
	question := fixture.changed(fixture.push, {"/attempt/deadline_us": fixture.now_us - 600000001})
	fixture.lines(delivery.deny) == [
		"delivery.out_of_time: the attempt's time was over at 2026-09-21T14:03:19.999999Z",
	] with input as question
}

test_a_push_of_no_known_deadline if {
	fixture.lines(delivery.deny) == [
		"delivery.out_of_time: the attempt's time was over at 1970-01-01T00:00:00Z",
	] with input as json.remove(fixture.push, ["/attempt/deadline_us"])
}

test_a_push_of_another_branch if {
	question := fixture.changed(fixture.push, {"/push/ref": "refs/heads/main"})
	fixture.lines(delivery.deny) == [
		"delivery.ref: refs/heads/main is not the attempt's branch refs/heads/agent/01JAZ0000000000000000000AA",
	] with input as question
	delivery.obligations == {
		"end": false,
	} with input as question
}

test_a_push_of_another_expected_branch if {
	question := fixture.changed(fixture.push, {"/push/ref": "refs/heads/main", "/push/expected_ref": "refs/heads/main"})
	fixture.lines(delivery.deny) == [
		"delivery.ref: refs/heads/main is not the attempt's branch refs/heads/main",
	] with input as question
}

test_a_push_that_expects_another_branch if {
	question := fixture.changed(fixture.push, {"/push/expected_ref": "refs/heads/main"})
	fixture.lines(delivery.deny) == [
		"delivery.ref: refs/heads/agent/01JAZ0000000000000000000AA is not the attempt's branch refs/heads/main",
	] with input as question
}

test_a_push_without_anything if {
	question := json.remove(fixture.push, ["/push"])
	fixture.lines(delivery.deny) == [
		"delivery.author: the commit's author is not the one that start gave",
		"delivery.branch_exists: the attempt's branch exists already",
		"delivery.message: the commit message is not the one that start gave",
		"delivery.pack_too_large: the push has ? bytes, the limit is 64 MiB",
		"delivery.parents: the commit's parents are ; its only parent must be 1111111111111111111111111111111111111111",
		"delivery.ref: ? is not the attempt's branch ?",
	] with input as question
	delivery.obligations == {
		"end": false,
	} with input as question
}

test_a_push_of_a_branch_that_exists if {
	fixture.lines(delivery.deny) == [
		"delivery.branch_exists: the attempt's branch exists already",
	] with input as fixture.changed(fixture.push, {"/push/branch_exists": true})
}

test_a_push_over_another_commit if {
	fixture.lines(delivery.deny) == [
		"delivery.branch_exists: the attempt's branch exists already",
	] with input as fixture.changed(fixture.push, {"/push/old": fixture.base})
}

test_a_push_again if {
	fixture.lines(delivery.deny) == [] with input as fixture.changed(fixture.push, {"/push/old": fixture.head})
}

test_a_push_that_deletes if {
	question := fixture.changed(fixture.push, {"/push/new": "0000000000000000000000000000000000000000", "/push/commit/id": "0000000000000000000000000000000000000000"})
	fixture.lines(delivery.deny) == [
		"delivery.branch_exists: the attempt's branch exists already",
	] with input as question
}

test_a_push_while_one_is_under_way if {
	question := fixture.changed(fixture.push, {"/attempt/has_push_intent": true, "/attempt/push_attempts": 2})
	fixture.lines(delivery.deny) == [
		"unknown.push_intent: an earlier push of this attempt has not been settled yet",
	] with input as question
	delivery.obligations == {
		"end": false,
	} with input as question
}

test_a_push_of_nothing if {
	question := fixture.push_of([])
	fixture.lines(delivery.deny) == [
		"delivery.no_change: the commit changes nothing",
	] with input as question
	delivery.obligations == {
		"end": false,
	} with input as question
}

test_a_push_on_another_base if {
	question := fixture.changed(fixture.push, {"/push/commit/parents": [fixture.head, 7]})
	fixture.lines(delivery.deny) == [
		"delivery.parents: the commit's parents are 2222222222222222222222222222222222222222 7; its only parent must be 1111111111111111111111111111111111111111",
	] with input as question
}

test_a_push_on_no_base if {
	question := fixture.changed(fixture.push, {"/push/commit/parents": [""], "/attempt/base_commit": ""})
	fixture.lines(delivery.deny) == [
		"delivery.parents: the commit's parents are ; its only parent must be ",
	] with input as question
}

test_a_push_of_another_commit if {
	question := fixture.changed(fixture.push, {"/push/commit/id": fixture.base})
	fixture.lines(delivery.deny) == [
		"delivery.parents: the commit's parents are 1111111111111111111111111111111111111111; its only parent must be 1111111111111111111111111111111111111111",
	] with input as question
}

test_a_push_on_an_unknown_base if {
	fixture.lines(delivery.deny) == [
		"delivery.parents: the commit's parents are 1111111111111111111111111111111111111111; its only parent must be ?",
	] with input as json.remove(fixture.push, ["/attempt/base_commit"])
}

test_a_push_with_another_message if {
	fixture.lines(delivery.deny) == [
		"delivery.message: the commit message is not the one that start gave",
	] with input as fixture.changed(fixture.push, {"/push/commit/message": "x"})
}

test_a_push_by_another_author if {
	question := fixture.changed(fixture.push, {"/push/commit/author/name": "x"})
	fixture.lines(delivery.deny) == [
		"delivery.author: the commit's author is not the one that start gave",
	] with input as question
}

test_a_push_by_an_author_of_another_address if {
	question := fixture.changed(fixture.push, {"/push/commit/author/email": "x"})
	fixture.lines(delivery.deny) == [
		"delivery.author: the commit's author is not the one that start gave",
	] with input as question
}

test_a_conventional_commit_0 if {
	question := fixture.changed(fixture.push, {"/target_policy": {"known": true, "state": "valid", "values": {"safety_rules": {"require_conventional_commit": true}}}, "/push/commit/message": "Explain", "/push/expected/message": "Explain"})
	fixture.lines(delivery.deny) == [
		"delivery.conventional_commit: the commit message does not begin as a conventional commit does",
	] with input as question
}

test_a_conventional_commit_1 if {
	question := fixture.changed(fixture.push, {"/target_policy": {"known": true, "state": "valid", "values": {"safety_rules": {"require_conventional_commit": true}}}, "/push/commit/message": "docs: x", "/push/expected/message": "docs: x"})
	fixture.lines(delivery.deny) == [] with input as question
}

test_a_conventional_commit_2 if {
	question := fixture.changed(fixture.push, {"/target_policy": {"known": true, "state": "valid", "values": {"safety_rules": {"require_conventional_commit": true}}}, "/push/commit/message": "docs(a)!: x", "/push/expected/message": "docs(a)!: x"})
	fixture.lines(delivery.deny) == [] with input as question
}

test_a_conventional_commit_3 if {
	question := fixture.changed(fixture.push, {"/target_policy": {"known": true, "state": "valid", "values": {"safety_rules": {"require_conventional_commit": true}}}, "/push/commit/message": "docs:x", "/push/expected/message": "docs:x"})
	fixture.lines(delivery.deny) == [
		"delivery.conventional_commit: the commit message does not begin as a conventional commit does",
	] with input as question
}

test_a_conventional_commit_4 if {
	question := fixture.changed(fixture.push, {"/target_policy": {"known": true, "state": "valid", "values": {"safety_rules": {"require_conventional_commit": true}}}, "/push/commit/message": "docs: ", "/push/expected/message": "docs: "})
	fixture.lines(delivery.deny) == [
		"delivery.conventional_commit: the commit message does not begin as a conventional commit does",
	] with input as question
}

test_a_conventional_commit_5 if {
	question := fixture.changed(fixture.push, {"/target_policy": {"known": true, "state": "valid", "values": {"safety_rules": {"require_conventional_commit": true}}}, "/push/commit/message": "Docs: x", "/push/expected/message": "Docs: x"})
	fixture.lines(delivery.deny) == [
		"delivery.conventional_commit: the commit message does not begin as a conventional commit does",
	] with input as question
}

test_a_conventional_commit_6 if {
	question := fixture.changed(fixture.push, {"/target_policy": {"known": true, "state": "valid", "values": {"safety_rules": {"require_conventional_commit": true}}}, "/push/commit/message": "docs(): x", "/push/expected/message": "docs(): x"})
	fixture.lines(delivery.deny) == [
		"delivery.conventional_commit: the commit message does not begin as a conventional commit does",
	] with input as question
}

test_a_conventional_commit_7 if {
	question := fixture.changed(fixture.push, {"/target_policy": {"known": true, "state": "valid", "values": {"safety_rules": {"require_conventional_commit": true}}}, "/push/commit/message": " docs: x", "/push/expected/message": " docs: x"})
	fixture.lines(delivery.deny) == [
		"delivery.conventional_commit: the commit message does not begin as a conventional commit does",
	] with input as question
}

test_a_commit_that_need_not_be_conventional if {
	question := fixture.changed(fixture.push, {"/target_policy": {"known": true, "state": "valid", "values": {"safety_rules": {"require_conventional_commit": false}}}, "/push/commit/message": "x", "/push/expected/message": "x"})
	fixture.lines(delivery.deny) == [] with input as question
}

test_a_commit_under_a_policy_that_is_absent if {
	question := fixture.changed(fixture.push, {"/target_policy": {"known": true, "state": "absent", "values": {"safety_rules": {"require_conventional_commit": true}}}, "/push/commit/message": "x", "/push/expected/message": "x"})
	fixture.lines(delivery.deny) == [] with input as question
}

test_a_push_that_is_too_large if {
	question := fixture.changed(fixture.push, {"/push/pack_bytes": 67108865})
	fixture.lines(delivery.deny) == [
		"delivery.pack_too_large: the push has 67108865 bytes, the limit is 64 MiB",
	] with input as question
}

test_a_push_that_is_as_large_as_may_be if {
	question := fixture.changed(fixture.push, {"/push/pack_bytes": 67108864})
	fixture.lines(delivery.deny) == [] with input as question
}

test_a_push_of_no_known_size if {
	question := json.remove(fixture.push, ["/push/pack_bytes", "/config/values/limits/max_pack_mb"])
	fixture.lines(delivery.deny) == [
		"delivery.pack_too_large: the push has ? bytes, the limit is ? MiB",
	] with input as question
}

test_a_push_too_many if {
	question := fixture.changed(fixture.push, {"/attempt/push_attempts": 3})
	fixture.lines(delivery.deny) == [
		"delivery.push_attempts: 3 pushes of this attempt were refused, the limit is 3",
	] with input as question
	delivery.obligations == {
		"end": true,
	} with input as question
}

test_the_push_before_the_last_refused if {
	question := fixture.changed(fixture.push, {"/attempt/push_attempts": 1, "/push/ref": "x"})
	fixture.lines(delivery.deny) == [
		"delivery.ref: x is not the attempt's branch refs/heads/agent/01JAZ0000000000000000000AA",
	] with input as question
	delivery.obligations == {
		"end": false,
	} with input as question
}

test_a_push_of_no_known_count if {
	question := json.remove(fixture.push, ["/attempt/push_attempts", "/config/values/limits/max_push_attempts"])
	fixture.lines(delivery.deny) == [
		"delivery.push_attempts: ? pushes of this attempt were refused, the limit is ?",
	] with input as question
	delivery.obligations == {
		"end": false,
	} with input as question
}

test_a_push_whose_verification_failed if {
	question := fixture.changed(fixture.push, {"/attempt/evidence": {"tree": fixture.tree, "results": [{"name": "unit", "exit_code": 1}, {"exit_code": 2}, {"name": "ok", "exit_code": 0}]}})
	fixture.lines(delivery.deny) == [
		"delivery.verify_failed: the worker says that verification ? of this tree failed",
		"delivery.verify_failed: the worker says that verification unit of this tree failed",
	] with input as question
}

test_a_push_whose_verification_was_of_another_tree if {
	question := fixture.changed(fixture.push, {"/attempt/evidence": {"tree": fixture.base, "results": [{"name": "unit", "exit_code": 1}]}})
	fixture.lines(delivery.deny) == [] with input as question
}

test_a_push_with_odd_problems if {
	question := fixture.changed(fixture.push, {"/push/problems": ["x", {"code": 7, "message": "m"}, {"code": "c", "message": 7}]})
	fixture.lines(delivery.deny) == [
		"delivery.problem: what was pushed has a problem that is not understood",
	] with input as question
}

test_a_push_with_problems if {
	question := fixture.changed(fixture.push, {"/push/problems": [{"code": "c", "message": "m", "path": "p"}]})
	fixture.lines(delivery.deny) == [] with input as question
	fixture.lines(delivery.problems) == [
		"c: m [p]",
	] with input as question
	[p.rule | some p in delivery.problems] == [
		"leviathan.delivery",
	] with input as question
	delivery.obligations == {
		"end": false,
	} with input as question
}

test_a_push_by_hand if {
	question := object.union(fixture.without(fixture.push, "/push"), {"resource": {"properties": {"changes": []}}})
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {} with input as question
	fixture.lines(delivery.problems) == [] with input as question
}

test_a_verification_that_is_not_known if {
	question := fixture.changed(fixture.run, {"/attempt/task/verify": ["lint"]})
	fixture.lines(delivery.deny) == [
		"delivery.task_changed: the task is narrower than it was reserved: it asks for unit besides",
		"delivery.unknown_verify: the config has no verification lint",
	] with input as question
}

test_a_verification_with_an_odd_command_232 if {
	question := fixture.changed(fixture.run, {"/config/values/verify/unit/command": "x"})
	fixture.lines(delivery.deny) == [
		"delivery.unknown_verify: the config has no verification unit",
	] with input as question
}

test_a_verification_with_an_odd_command_233 if {
	question := fixture.changed(fixture.run, {"/config/values/verify/unit/command": [7]})
	fixture.lines(delivery.deny) == [
		"delivery.unknown_verify: the config has no verification unit",
	] with input as question
}

test_a_verification_with_an_odd_timeout_seconds_234 if {
	question := fixture.changed(fixture.run, {"/config/values/verify/unit/timeout_seconds": "1"})
	fixture.lines(delivery.deny) == [
		"delivery.unknown_verify: the config has no verification unit",
	] with input as question
}

test_a_verification_with_an_odd_timeout_seconds_235 if {
	question := fixture.changed(fixture.run, {"/config/values/verify/unit/timeout_seconds": null})
	fixture.lines(delivery.deny) == [
		"delivery.unknown_verify: the config has no verification unit",
	] with input as question
}
