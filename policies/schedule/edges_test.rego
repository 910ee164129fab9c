package leviathan.schedule_test

import rego.v1

import data.leviathan.fixture_test as fixture
import data.leviathan.schedule

_said(question, id) := {r.message | some r in _plan(question).skip[id].reasons}

# _beside_unsound is a backlog in which another task has no digest: tasks are then told apart
# one by one.
_beside_unsound(fields) := object.union(
	fixture.set(fixture.set(fixture.plan, "/backlog/tasks/U", object.remove(fixture.task, ["digest"])), "/backlog/order/U", 1),
	{"backlog": {"tasks": {"T-1": fields}}},
)

test_an_unsound_task_is_told_and_spoils_no_other if {
	every unsound in [
		object.remove(fixture.task, ["digest"]), object.remove(fixture.task, ["dependencies"]), object.remove(fixture.task, ["allowed_paths"]),
		object.union(fixture.task, {"digest": 7}), object.union(fixture.task, {"digest": {}}), object.union(fixture.task, {"dependencies": "T-1"}),
		object.union(fixture.task, {"dependencies": {}}), object.remove(fixture.task, ["status"]),
	] {
		question := fixture.set(fixture.set(fixture.plan, "/backlog/tasks/U", unsound), "/backlog/order/U", 1)
		"schedule.malformed_record" in _waits(question, "U")
		_reserved(question) == ["T-1"]
	}
}

test_beside_an_unsound_task_each_field_counts_as_ever if {
	_reserved(_beside_unsound({})) == ["T-1"]
	every code, fields in {
		"schedule.not_ready": {"ready": false},
		"schedule.status": {"status": "blocked"},
		"schedule.completed": {"status": "completed"},
		"schedule.unknown_agent": {"agent": "nobody"},
		"schedule.unknown_verify": {"verify": ["lint"]},
		"schedule.malformed": {"priority": "urgent"},
	} {
		_waits(_beside_unsound(fields), "T-1") == [code]
	}
	"schedule.malformed" in _waits(_beside_unsound({"scope": 7}), "T-1")
}

test_beside_an_unsound_task_priorities_count if {
	question := json.patch(_three, [
		{"op": "add", "path": "/backlog/tasks/U", "value": object.remove(fixture.task, ["digest"])},
		{"op": "add", "path": "/backlog/order/U", "value": 3},
	])
	_reserved(question) == ["C", "B"]
}

_of_one(fields) := _said(object.union(fixture.plan, {"backlog": {"tasks": {"T-1": fields}}}), "T-1")

test_a_reason_names_what_is_wrong if {
	_of_one({"agent": "nobody"}) == {"the config has no agent nobody"}
	_of_one({"status": "blocked"}) == {"the status in the backlog is blocked"}
	_of_one({"dependencies": ["T-0"]}) == {"dependency T-0 is not in the backlog"}
	_of_one({"allowed_paths": ["other/a"]}) == {"other/a is outside README.md, docs/, src/"}
	_said(fixture.set(_rooted, "/backlog/tasks/T-1/agent", "root"), "T-1") == {"a task may not choose the agent root"}
	_said(_backlog({"A": {}, "B": {"dependencies": ["A"]}}), "B") == {"dependency A is not completed"}
}

test_each_of_several_faults_is_told if {
	_of_one({"verify": ["lint", "fuzz"]}) == {"the config has no verification lint", "the config has no verification fuzz"}
	_of_one({"dependencies": ["X", "Y"]}) == {"dependency X is not in the backlog", "dependency Y is not in the backlog"}
	_said(_backlog({"A": {}, "B": {}, "C": {"dependencies": ["A", "B"]}}), "C") == {"dependency A is not completed", "dependency B is not completed"}
	_said(fixture.set(fixture.plan, "/backlog/invalid", {"T-9": ["no id", "no title"]}), "T-9") == {
		"the entry in the backlog is invalid: no id", "the entry in the backlog is invalid: no title",
	}
	_of_one({"priority": "urgent", "scope": 7}) == {"the task's priority is malformed", "the task's scope is malformed"}
	_of_one({"allowed_paths": ["other/a", "other/b"]}) == {"other/a is outside README.md, docs/, src/", "other/b is outside README.md, docs/, src/"}
}

test_an_agent_that_is_no_name_is_malformed if "the task's agent is malformed" in _of_one({"agent": 7})

test_an_entry_that_gives_no_reason_is_invalid_all_the_same if {
	_said(fixture.set(fixture.plan, "/backlog/invalid", {"T-9": [{}]}), "T-9") == {"the entry in the backlog is invalid: no reason is given"}
}

test_what_time_alone_does_not_change_has_no_time if {
	every fields in [{"ready": false}, {"dependencies": ["X"]}, {"allowed_paths": []}] {
		_plan(object.union(fixture.plan, {"backlog": {"tasks": {"T-1": fields}}})).skip["T-1"].next_eligible_us == null
	}
	_plan(_record({"live": fixture.attempt_id})).skip["T-1"].next_eligible_us == null
	_plan(fixture.set(fixture.plan, "/config/values/autonomy_enabled", false)).skip["T-1"].next_eligible_us == null
	_plan(fixture.set(fixture.plan, "/request/capacity", 0)).skip["T-1"].next_eligible_us == null
	_plan(fixture.set(fixture.plan, "/backlog/invalid", {"T-9": ["no id"]})).skip["T-9"].next_eligible_us == null
}

test_the_default_agent_is_the_one_that_is_named if {
	question := fixture.without(fixture.plan, "/backlog/tasks/T-1/agent")
	_skips(fixture.set(question, "/config/values/default_agent", "nobody")) == {"schedule.unknown_agent"}
}

test_an_agent_for_choice_is_taken_beside_another_default if {
	question := fixture.set(_rooted, "/config/values/default_agent", "root")
	_plan(question).reserve[0].agent == "coder"
	_plan(fixture.set(question, "/backlog/tasks/T-1/agent", "root")).reserve[0].agent == "root"
}

test_a_verification_must_be_one if _skips(fixture.set(fixture.plan, "/config/values/verify/unit", 7)) == {"schedule.unknown_verify"}

test_the_record_of_a_task_that_is_gone_is_no_skip if {
	question := object.union(fixture.plan, {"state": {"tasks": {"T-9": fixture.record({"completed": true})}}})
	object.keys(_plan(question).skip) == set()
}

test_more_open_than_may_be_leaves_no_room if {
	question := object.union(_three, {"state": {"open": 5}})
	_reserved(question) == []
	every id in ["A", "B", "C"] {
		"limits.open_prs" in _waits(question, id)
	}
}

# granted reports whether a plan is allowed when nobody has a reason against it.
granted(question) if {
	schedule.allow with input as question
		with data.leviathan.access.deny as set()
		with data.leviathan.guard.reasons as set()
		with data.leviathan.limits.deny as set()
		with data.leviathan.custom.deny as set()
}

test_a_plan_is_for_those_who_plan_and_nothing_else_is_a_plan if {
	granted(fixture.plan)
	granted(fixture.set(fixture.plan, "/subject/role", "operator"))
	not granted(fixture.set(fixture.plan, "/subject/role", "reader"))
	not granted(fixture.without(fixture.plan, "/subject/role"))
	not granted(fixture.set(fixture.plan, "/action", "change.push"))
	not granted(fixture.without(fixture.plan, "/config"))
	schedule.allow == false with input as {}
	not schedule.obligations with input as fixture.heartbeat
}

test_an_operator_plans_too if _reserved(fixture.set(fixture.plan, "/subject/role", "operator")) == ["T-1"]

test_only_a_record_that_says_completed_completes if {
	question := object.union(fixture.plan, {
		"backlog": {"tasks": {"T-1": {"dependencies": ["T-0"]}}},
		"state": {"tasks": {"T-0": fixture.record({"completed": false})}},
	})
	_skips(question) == {"schedule.dependency"}
}

test_paths_are_judged_for_the_scope_of_each_task if {
	question := object.union(_backlog({"A": {"scope": "docs"}, "B": {"scope": "code"}}), {"target_policy": {"state": "valid", "values": {"allowed_paths": {
		"docs": ["docs/**", "README.md"],
		"code": ["docs/**"],
	}}}})
	_reserved(question) == ["A"]
	_said(question, "B") == {"README.md is not in allowed_paths of .leviathan/policy.yaml for scope code"}
}

test_a_list_of_paths_is_a_list if {
	"schedule.no_allowed_paths" in _task({"allowed_paths": {"a": "docs/"}})
	"schedule.no_allowed_paths" in _task({"allowed_paths": "docs/"})
}

test_a_task_that_is_completed_completes_no_other if {
	question := _backlog({"A": {}, "B": {"dependencies": ["A"]}, "C": {"status": "completed"}})
	_waits(question, "B") == ["schedule.dependency"]
}
