package leviathan.guard_test

import rego.v1

import data.leviathan.fixture_test as fixture
import data.leviathan.guard

test_an_absent_config_because_fire if {
	question := fixture.changed(fixture.start, {"/config/state": "absent", "/config/reason": "fire", "/config/values": null})
	fixture.lines(guard.reasons) == [
		"guard.config_absent: no autonomy config governs this target: fire",
	] with input as question
}

test_an_invalid_config_because_fire if {
	question := fixture.changed(fixture.start, {"/config/state": "invalid", "/config/reason": "fire"})
	fixture.lines(guard.reasons) == [
		"guard.config_invalid: the autonomy config is invalid: fire",
	] with input as question
}

test_an_invalid_target_policy_because_fire if {
	question := fixture.changed(fixture.push, {"/target_policy/state": "invalid", "/target_policy/reason": "fire"})
	fixture.lines(guard.reasons) == [
		"guard.target_policy_invalid: .leviathan/policy.yaml is invalid: fire",
	] with input as question
}

test_an_unknown_target_policy_because_fire if {
	question := fixture.changed(fixture.push, {"/target_policy/known": false, "/target_policy/reason": "fire"})
	fixture.lines(guard.reasons) == [
		"unknown.target_policy: the target's own policy is not known: fire",
	] with input as question
}

test_an_unknown_backlog_because_fire if {
	question := fixture.changed(fixture.plan, {"/backlog/known": false, "/backlog/reason": "fire"})
	fixture.lines(guard.reasons) == [
		"unknown.backlog: the backlog is not known: fire",
	] with input as question
}

test_an_unknown_mirror_because_fire if {
	question := fixture.changed(fixture.mirrored, {"/mirror/known": false, "/mirror/reason": "fire"})
	fixture.lines(guard.reasons) == [
		"unknown.backlog: the backlog is not known: fire",
	] with input as question
}

test_an_unknown_forge_because_fire if {
	question := fixture.changed(fixture.plan, {"/forge/known": false, "/forge/reason": "fire"})
	fixture.lines(guard.reasons) == [
		"unknown.forge: the open pull requests are not known: fire",
	] with input as question
}

test_an_absent_config_because_none if {
	question := fixture.changed(fixture.start, {"/config/state": "absent", "/config/reason": "", "/config/values": null})
	fixture.lines(guard.reasons) == [
		"guard.config_absent: no autonomy config governs this target: no reason is given",
	] with input as question
}

test_an_invalid_config_because_none if {
	question := fixture.changed(fixture.start, {"/config/state": "invalid", "/config/reason": ""})
	fixture.lines(guard.reasons) == [
		"guard.config_invalid: the autonomy config is invalid: no reason is given",
	] with input as question
}

test_an_invalid_target_policy_because_none if {
	question := fixture.changed(fixture.push, {"/target_policy/state": "invalid", "/target_policy/reason": ""})
	fixture.lines(guard.reasons) == [
		"guard.target_policy_invalid: .leviathan/policy.yaml is invalid: no reason is given",
	] with input as question
}

test_an_unknown_target_policy_because_none if {
	question := fixture.changed(fixture.push, {"/target_policy/known": false, "/target_policy/reason": ""})
	fixture.lines(guard.reasons) == [
		"unknown.target_policy: the target's own policy is not known: no reason is given",
	] with input as question
}

test_an_unknown_backlog_because_none if {
	question := fixture.changed(fixture.plan, {"/backlog/known": false, "/backlog/reason": ""})
	fixture.lines(guard.reasons) == [
		"unknown.backlog: the backlog is not known: no reason is given",
	] with input as question
}

test_an_unknown_mirror_because_none if {
	question := fixture.changed(fixture.mirrored, {"/mirror/known": false, "/mirror/reason": ""})
	fixture.lines(guard.reasons) == [
		"unknown.backlog: the backlog is not known: no reason is given",
	] with input as question
}

test_an_unknown_forge_because_none if {
	question := fixture.changed(fixture.plan, {"/forge/known": false, "/forge/reason": ""})
	fixture.lines(guard.reasons) == [
		"unknown.forge: the open pull requests are not known: no reason is given",
	] with input as question
}

test_an_absent_config_because_odd if {
	question := fixture.changed(fixture.start, {"/config/state": "absent", "/config/reason": 7, "/config/values": null})
	fixture.lines(guard.reasons) == [
		"guard.config_absent: no autonomy config governs this target: no reason is given",
	] with input as question
}

test_an_invalid_config_because_odd if {
	question := fixture.changed(fixture.start, {"/config/state": "invalid", "/config/reason": 7})
	fixture.lines(guard.reasons) == [
		"guard.config_invalid: the autonomy config is invalid: no reason is given",
	] with input as question
}

test_an_invalid_target_policy_because_odd if {
	question := fixture.changed(fixture.push, {"/target_policy/state": "invalid", "/target_policy/reason": 7})
	fixture.lines(guard.reasons) == [
		"guard.target_policy_invalid: .leviathan/policy.yaml is invalid: no reason is given",
	] with input as question
}

test_an_unknown_target_policy_because_odd if {
	question := fixture.changed(fixture.push, {"/target_policy/known": false, "/target_policy/reason": 7})
	fixture.lines(guard.reasons) == [
		"unknown.target_policy: the target's own policy is not known: no reason is given",
	] with input as question
}

test_an_unknown_backlog_because_odd if {
	question := fixture.changed(fixture.plan, {"/backlog/known": false, "/backlog/reason": 7})
	fixture.lines(guard.reasons) == [
		"unknown.backlog: the backlog is not known: no reason is given",
	] with input as question
}

test_an_unknown_mirror_because_odd if {
	question := fixture.changed(fixture.mirrored, {"/mirror/known": false, "/mirror/reason": 7})
	fixture.lines(guard.reasons) == [
		"unknown.backlog: the backlog is not known: no reason is given",
	] with input as question
}

test_an_unknown_forge_because_odd if {
	question := fixture.changed(fixture.plan, {"/forge/known": false, "/forge/reason": 7})
	fixture.lines(guard.reasons) == [
		"unknown.forge: the open pull requests are not known: no reason is given",
	] with input as question
}

test_an_absent_config_without_a_reason if {
	question := json.remove(fixture.changed(fixture.start, {"/config/state": "absent"}), ["/config/reason"])
	fixture.lines(guard.reasons) == [
		"guard.config_absent: no autonomy config governs this target: no reason is given",
	] with input as question
}

test_a_target_policy_without_a_reason if {
	question := json.remove(fixture.changed(fixture.push, {"/target_policy/state": "invalid"}), ["/target_policy/reason"])
	fixture.lines(guard.reasons) == [
		"guard.target_policy_invalid: .leviathan/policy.yaml is invalid: no reason is given",
	] with input as question
}

test_an_unknown_target_policy_without_a_reason if {
	question := json.remove(fixture.changed(fixture.push, {"/target_policy/known": false}), ["/target_policy/reason"])
	fixture.lines(guard.reasons) == [
		"unknown.target_policy: the target's own policy is not known: no reason is given",
	] with input as question
}

test_an_invalid_config_with_values_of_an_odd_type if {
	question := fixture.changed(fixture.heartbeat, {"/config/state": "invalid", "/config/values": []})
	fixture.lines(guard.reasons) == [
		"guard.config_invalid: the autonomy config is invalid: no reason is given",
	] with input as question
}

test_an_invalid_config_for_no_known_time if {
	question := fixture.changed(fixture.heartbeat, {"/config/state": "invalid", "/config/invalid_seconds": null})
	fixture.lines(guard.reasons) == [
		"guard.config_invalid: the autonomy config is invalid: no reason is given",
	] with input as question
}

test_a_target_policy_that_is_sound_0 if {
	question := fixture.changed(fixture.push, {"/target_policy": {"known": true, "state": "valid", "values": {"allowed_paths": {"docs": []}}}})
	fixture.lines(guard.reasons) == [] with input as question
}

test_a_target_policy_that_is_sound_1 if {
	question := fixture.changed(fixture.push, {"/target_policy": {"known": true, "state": "valid", "values": {"allowed_paths": ["a"], "forbidden_paths": ["b"], "scope_constraints": {}, "safety_rules": {}, "file_size_limits": {}}}})
	fixture.lines(guard.reasons) == [] with input as question
}

test_a_target_policy_that_is_sound_2 if {
	question := fixture.changed(fixture.push, {"/target_policy": {"known": true, "state": "valid", "values": {"allowed_paths": null, "forbidden_paths": null, "scope_constraints": null, "safety_rules": null, "file_size_limits": null}}})
	fixture.lines(guard.reasons) == [] with input as question
}

test_a_target_policy_that_is_sound_3 if {
	question := fixture.changed(fixture.push, {"/target_policy": {"known": true, "state": "valid", "values": {"safety_rules": {"max_attempts_per_task": 1, "backoff_seconds": 1, "max_concurrent_attempts": 1, "max_tasks_per_day": 1, "require_conventional_commit": true}}}})
	fixture.lines(guard.reasons) == [] with input as question
}

test_a_target_policy_with_an_odd_max_attempts_per_task if {
	question := fixture.changed(fixture.push, {"/target_policy": {"known": true, "state": "valid", "values": {"safety_rules": {"max_attempts_per_task": "1"}}}})
	fixture.lines(guard.reasons) == [
		"guard.target_policy_invalid: .leviathan/policy.yaml is invalid: no reason is given",
	] with input as question
}

test_a_target_policy_with_an_odd_backoff_seconds if {
	question := fixture.changed(fixture.push, {"/target_policy": {"known": true, "state": "valid", "values": {"safety_rules": {"backoff_seconds": "1"}}}})
	fixture.lines(guard.reasons) == [
		"guard.target_policy_invalid: .leviathan/policy.yaml is invalid: no reason is given",
	] with input as question
}

test_a_target_policy_with_an_odd_max_concurrent_attempts if {
	question := fixture.changed(fixture.push, {"/target_policy": {"known": true, "state": "valid", "values": {"safety_rules": {"max_concurrent_attempts": "1"}}}})
	fixture.lines(guard.reasons) == [
		"guard.target_policy_invalid: .leviathan/policy.yaml is invalid: no reason is given",
	] with input as question
}

test_a_target_policy_with_an_odd_max_tasks_per_day if {
	question := fixture.changed(fixture.push, {"/target_policy": {"known": true, "state": "valid", "values": {"safety_rules": {"max_tasks_per_day": "1"}}}})
	fixture.lines(guard.reasons) == [
		"guard.target_policy_invalid: .leviathan/policy.yaml is invalid: no reason is given",
	] with input as question
}

test_a_target_policy_with_an_odd_require_conventional_commit if {
	question := fixture.changed(fixture.push, {"/target_policy": {"known": true, "state": "valid", "values": {"safety_rules": {"require_conventional_commit": "1"}}}})
	fixture.lines(guard.reasons) == [
		"guard.target_policy_invalid: .leviathan/policy.yaml is invalid: no reason is given",
	] with input as question
}

test_a_target_policy_with_odd_allowed_paths if {
	question := fixture.changed(fixture.push, {"/target_policy": {"known": true, "state": "valid", "values": {"allowed_paths": "1"}}})
	fixture.lines(guard.reasons) == [
		"guard.target_policy_invalid: .leviathan/policy.yaml is invalid: no reason is given",
	] with input as question
}

test_a_target_policy_with_odd_forbidden_paths if {
	question := fixture.changed(fixture.push, {"/target_policy": {"known": true, "state": "valid", "values": {"forbidden_paths": "1"}}})
	fixture.lines(guard.reasons) == [
		"guard.target_policy_invalid: .leviathan/policy.yaml is invalid: no reason is given",
	] with input as question
}

test_a_target_policy_with_odd_scope_constraints if {
	question := fixture.changed(fixture.push, {"/target_policy": {"known": true, "state": "valid", "values": {"scope_constraints": "1"}}})
	fixture.lines(guard.reasons) == [
		"guard.target_policy_invalid: .leviathan/policy.yaml is invalid: no reason is given",
	] with input as question
}

test_a_target_policy_with_odd_safety_rules if {
	question := fixture.changed(fixture.push, {"/target_policy": {"known": true, "state": "valid", "values": {"safety_rules": "1"}}})
	fixture.lines(guard.reasons) == [
		"guard.target_policy_invalid: .leviathan/policy.yaml is invalid: no reason is given",
	] with input as question
}

test_a_target_policy_with_odd_file_size_limits if {
	question := fixture.changed(fixture.push, {"/target_policy": {"known": true, "state": "valid", "values": {"file_size_limits": "1"}}})
	fixture.lines(guard.reasons) == [
		"guard.target_policy_invalid: .leviathan/policy.yaml is invalid: no reason is given",
	] with input as question
}

test_a_target_policy_of_no_values if {
	question := fixture.changed(fixture.push, {"/target_policy": {"known": true, "state": "valid", "values": null}})
	fixture.lines(guard.reasons) == [
		"guard.target_policy_invalid: .leviathan/policy.yaml is invalid: no reason is given",
	] with input as question
}

test_a_target_policy_whose_values_are_a_list if {
	question := fixture.changed(fixture.push, {"/target_policy": {"known": true, "state": "valid", "values": []}})
	fixture.lines(guard.reasons) == [
		"guard.target_policy_invalid: .leviathan/policy.yaml is invalid: no reason is given",
	] with input as question
}
