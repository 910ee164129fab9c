package leviathan.guard_test

import rego.v1

import data.leviathan.fixture_test as fixture
import data.leviathan.guard

_said(question) := {r.message | some r in denied} if {
	denied := guard.reasons with input as question
}

# _looking_at_task are the questions about an attempt that read its task as it is now.
_looking_at_task := [fixture.start, fixture.run, fixture.heartbeat, fixture.push, fixture.open]

test_each_field_of_the_present_task_is_needed if {
	every question in _looking_at_task {
		every field, types in {
			"ready": "boolean", "status": "string", "scope": "string",
			"allowed_paths": "array", "dependencies": "array", "verify": "array",
		} {
			text := sprintf("task_now.task.%s is missing or is not of type %s", [field, types])
			text in _said(fixture.without(question, sprintf("/task_now/task/%s", [field])))
			text in _said(fixture.set(question, sprintf("/task_now/task/%s", [field]), 7))
		}
	}
}

test_each_field_of_the_subject_is_named if {
	every field in ["type", "id", "role", "attempt", "target"] {
		sprintf("subject.%s is missing or is not of type string", [field]) in _said(fixture.without(fixture.heartbeat, sprintf("/subject/%s", [field])))
	}
}

test_a_task_that_is_gone_has_no_fields if {
	not "unknown.field" in _codes(fixture.set(fixture.heartbeat, "/task_now", {"known": true, "present": false, "task": null}))
}

test_a_target_policy_that_is_not_known_is_not_also_invalid if {
	_codes(fixture.set(fixture.push, "/target_policy", {"known": false, "state": "invalid", "reason": "r", "values": null})) == {"unknown.target_policy"}
}

test_a_target_policy_is_invalid_when_its_state_says_so if {
	_codes(fixture.set(fixture.push, "/target_policy", {"known": true, "state": "invalid", "reason": "r", "values": {}})) == {"guard.target_policy_invalid"}
	_codes(fixture.set(fixture.push, "/target_policy", {"known": true, "state": "valid", "reason": "", "values": {}})) == set()
}

test_a_stale_fact_is_named if {
	_said(fixture.set(fixture.plan, "/backlog/age_seconds", 601)) == {"the backlog was seen 601 s ago, the limit is 600 s"}
	_said(fixture.set(fixture.plan, "/forge/age_seconds", 601)) == {"the forge was seen 601 s ago, the limit is 600 s"}
}

test_operators_read_without_facts_and_act_with_them if {
	off := fixture.set(fixture.push, "/config/values/autonomy_enabled", false)
	"guard.switched_off" in _codes(fixture.set(off, "/subject/role", "operator"))
	"guard.switched_off" in _codes(fixture.set(off, "/subject/role", "reader"))
}

test_what_was_pushed_may_be_missing_in_a_question_about_a_push_alone if {
	dry := object.union(json.remove(fixture.push, ["/push"]), {"resource": {"properties": {"changes": []}}})
	not "unknown.field" in _codes(dry)
	not guard.dry_push with input as object.union(dry, {"action": "attempt.heartbeat"})
}
