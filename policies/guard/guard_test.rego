package leviathan.guard_test

import rego.v1

import data.leviathan.fixture_test as fixture
import data.leviathan.guard

_codes(question) := {r.code | some r in denied} if {
	denied := guard.reasons with input as question
}

_set(question, path, value) := _codes(fixture.set(question, path, value))

_without(question, path) := _codes(fixture.without(question, path))

# Every action that begins or delivers work.
_acting := [fixture.plan, fixture.start, fixture.run, fixture.push, fixture.open, fixture.annotate]

# Every action that running work needs.
_running := [fixture.heartbeat, fixture.fetch]

# What must be possible whatever is off or unknown.
_always := [
	fixture.evidence, fixture.artifact, fixture.finish("failed", "timeout", "running"), fixture.lost("oom", "running"),
	fixture.expire("lease", "running"), fixture.by("operator", "autonomy.halt", {}), fixture.by("operator", "attempt.cancel", {}),
	fixture.by("operator", "autonomy.resume", {}), fixture.by("operator", "clock.accept", {}),
]

test_a_target_that_is_on_passes if {
	every question in array.concat(_acting, _running) {
		_codes(question) == set()
	}
}

test_a_switched_off_target_is_denied_at_every_step if {
	every question in array.concat(_acting, _running) {
		_set(question, "/config/values/autonomy_enabled", false) == {"guard.switched_off"}
		_set(question, "/config/values/autonomy_enabled", "true") == {"guard.switched_off"}
		_without(question, "/config/values/autonomy_enabled") == {"guard.switched_off"}
	}
}

test_a_halt_is_denied_at_every_step if {
	every question in array.concat(_acting, _running) {
		_set(question, "/halt/all", {"reason": "fire", "at": "t", "by": "op"}) == {"guard.halted_all"}
		_set(question, "/halt/target", {"reason": "fire", "at": "t", "by": "op"}) == {"guard.halted"}
		_set(question, "/halt/target", {}) == {"guard.halted"}
		_set(question, "/halt/known", false) == {"unknown.halt"}
		_without(question, "/halt") == {"unknown.halt"}
		_without(question, "/halt/target") == {"unknown.halt"}
	}
}

test_a_halt_says_why if {
	some r in guard.reasons with input as fixture.set(fixture.plan, "/halt/target", {"reason": "fire"})
	r == {
		"code": "guard.halted",
		"message": "an operator has halted this target: fire",
		"rule": "leviathan.guard",
		"remedy": "leviathan resume --target, when the cause is gone.",
	}
}

test_an_attempt_can_end_and_an_operator_can_stop_whatever_is_off_or_unknown if {
	every question in _always {
		_set(question, "/config/values/autonomy_enabled", false) == set()
		_set(question, "/halt/all", {"reason": "fire"}) == set()
		_set(question, "/time/clock/known", false) == set()
		_without(question, "/config") == set()
	}
}

test_the_clock_must_be_known_and_not_behind if {
	every question in array.concat(_acting, _running) {
		_set(question, "/time/clock/known", false) == {"unknown.clock"}
		_set(question, "/time/clock/behind_seconds", 2.5) == {"unknown.clock"}
		_set(question, "/time/clock/behind_seconds", 2) == set()
		"unknown.clock" in _without(question, "/time/now_us")
	}
}

test_an_invalid_config_stops_new_work_at_once if {
	every question in _acting {
		_codes(_invalid(question, 1)) == {"guard.config_invalid"}
	}
}

test_an_invalid_config_stops_running_work_after_five_seconds if {
	every question in _running {
		_codes(_invalid(question, 5)) == set()
		_codes(_invalid(question, 5.1)) == {"guard.config_invalid"}
		_codes(fixture.set(_invalid(question, 1), "/config/values", null)) == {"guard.config_invalid"}
		_codes(fixture.set(_invalid(question, 1), "/config/values/autonomy_enabled", false)) == {"guard.switched_off"}
	}
}

_invalid(question, seconds) := object.union(question, {"config": {"state": "invalid", "reason": "line 3", "invalid_seconds": seconds}})

test_a_target_without_a_config_is_off if {
	every question in array.concat(_acting, _running) {
		_codes(json.patch(question, [
			{"op": "replace", "path": "/config/state", "value": "absent"},
			{"op": "replace", "path": "/config/values", "value": null},
		])) == {"guard.config_absent"}
	}
}

test_a_config_without_state_or_values_is_unknown if {
	every question in array.concat(_acting, _running) {
		"unknown.config" in _without(question, "/config")
		"unknown.config" in _set(question, "/config/state", "fine")
		"unknown.config_values" in _set(question, "/config/values", null)
		"unknown.config_values" in _without(question, "/config/values")
	}
}

test_the_backlog_must_be_known_and_fresh if {
	_set(fixture.plan, "/backlog/known", false) == {"unknown.backlog"}
	_set(fixture.plan, "/backlog/age_seconds", 600) == set()
	_set(fixture.plan, "/backlog/age_seconds", 601) == {"unknown.stale"}
	_without(fixture.plan, "/backlog/age_seconds") == {"unknown.stale"}
	_without(fixture.plan, "/backlog") == {"unknown.backlog", "unknown.stale"}
}

test_the_mirror_may_say_how_old_the_backlog_is if {
	_codes(fixture.mirrored) == set()
	_set(fixture.mirrored, "/mirror/known", false) == {"unknown.backlog"}
	_set(fixture.mirrored, "/mirror/age_seconds", 601) == {"unknown.stale"}
	_without(fixture.mirrored, "/mirror") == {"unknown.backlog", "unknown.stale"}
}

test_the_forge_must_be_known_and_fresh_for_a_plan if {
	_set(fixture.plan, "/forge/known", false) == {"unknown.forge"}
	_set(fixture.plan, "/forge/age_seconds", 601) == {"unknown.stale"}
	_set(fixture.plan, "/forge/age_seconds", "new") == {"unknown.stale"}
	_without(fixture.plan, "/config/values/limits/fact_max_age_seconds") == {"unknown.stale"}
}

test_a_pull_request_needs_the_forge_as_read_within_thirty_seconds if {
	_set(fixture.open, "/forge/age_seconds", 30) == set()
	_set(fixture.open, "/forge/age_seconds", 31) == {"unknown.stale"}
	_set(fixture.open, "/forge/known", false) == {"unknown.forge"}
}

test_a_forge_that_is_down_kills_no_running_work if {
	every question in [fixture.heartbeat, fixture.push, fixture.fetch] {
		_codes(object.union(question, {"forge": {"known": false}})) == set()
	}
}

test_the_targets_policy_must_be_known_and_valid if {
	every question in [fixture.plan, fixture.push] {
		_set(question, "/target_policy/known", false) & {"unknown.target_policy"} == {"unknown.target_policy"}
		_set(question, "/target_policy/state", "invalid") == {"guard.target_policy_invalid"}
		_set(question, "/target_policy/state", "valid") == {"guard.target_policy_invalid"}
		_codes(_policy(question, {})) == set()
	}
}

_policy(question, values) := object.union(question, {"target_policy": {"state": "valid", "values": values}})

test_a_wrong_type_in_the_targets_policy_switches_off if {
	every values in [
		{"allowed_paths": "docs/"}, {"forbidden_paths": "docs/"}, {"scope_constraints": []}, {"safety_rules": 1}, {"file_size_limits": []},
		{"safety_rules": {"max_attempts_per_task": "1"}}, {"safety_rules": {"require_conventional_commit": "yes"}},
	] {
		_codes(_policy(fixture.plan, values)) == {"guard.target_policy_invalid"}
	}
}

test_the_lease_must_be_known_and_live if {
	every question in [fixture.heartbeat, fixture.push, fixture.open] {
		_set(question, "/attempt/lease/known", false) == {"unknown.lease"}
		_set(question, "/attempt/lease/live", false) == {"guard.lease_ended"}
		_set(question, "/attempt/lease/live", "yes") == {"unknown.lease"}
	}
}

test_a_delivery_must_know_the_task_and_running_work_need_not if {
	_set(fixture.push, "/task_now/known", false) == {"unknown.task"}
	_set(fixture.open, "/task_now/known", false) == {"unknown.task"}
	_set(fixture.heartbeat, "/task_now/known", false) == set()
	_without(fixture.heartbeat, "/task_now/known") == {"unknown.task"}
	"unknown.task" in _without(fixture.heartbeat, "/task_now/present")
}

test_a_missing_field_is_named if {
	some r in guard.reasons with input as fixture.without(fixture.push, "/attempt/base_commit")
	r.code == "unknown.field"
	r.message == "attempt.base_commit is missing or is not of type string"
}

test_a_field_of_the_wrong_type_is_named if {
	some r in guard.reasons with input as fixture.set(fixture.run, "/config/values/verify", 7)
	r.message == "config.values.verify is missing or is not of type null or object"
}

test_people_fetch_without_an_attempt if {
	question := json.remove(object.union(fixture.fetch, {"subject": fixture.component("reader")}), ["/attempt", "/task_now"])
	_codes(question) == set()
	_codes(fixture.set(question, "/config/values/autonomy_enabled", false)) == set()
}

test_a_push_by_hand_needs_its_changes_and_no_push if {
	question := object.union(fixture.without(fixture.push, "/push"), {"resource": {"properties": {"changes": fixture.push.changes}}})
	_codes(question) == set()
	"unknown.field" in _without(fixture.push, "/push")
}

test_a_field_that_a_question_is_asked_with_is_named_when_it_is_missing if {
	every question, path in {
		fixture.heartbeat: "/config/values/limits/lease_seconds",
		fixture.start: "/task_now/task/ready",
		fixture.push: "/push/ref",
		fixture.open: "/attempt/deadline_us",
		fixture.fetch: "/attempt/lease/live",
	} {
		some r in guard.reasons with input as fixture.without(question, path)
		r.code == "unknown.field"
		startswith(r.message, concat(".", split(trim_left(path, "/"), "/")))
	}
}
