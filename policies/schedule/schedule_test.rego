package leviathan.schedule_test

import rego.v1

import data.leviathan.fixture_test as fixture
import data.leviathan.schedule

_plan(question) := o if {
	o := schedule.obligations with input as question
}

# _skips are the codes for which the one task of the question is skipped.
_skips(question) := {r.code | some r in _plan(question).skip["T-1"].reasons}

_set(path, value) := _skips(fixture.set(fixture.plan, path, value))

_task(fields) := _skips(object.union(fixture.plan, {"backlog": {"tasks": {"T-1": fields}}}))

_record(fields) := object.union(fixture.plan, {"state": {"tasks": {"T-1": fixture.record(fields)}}})

_rooted := fixture.set(fixture.plan, "/config/values/agents/root", fixture.root)

# _backlog is a plan over several tasks in the order of their ids.
_backlog(tasks) := object.union(json.remove(fixture.plan, ["/backlog/tasks/T-1", "/backlog/order/T-1"]), {"backlog": {
	"tasks": {id: object.union(fixture.task, object.union({"id": id, "digest": id}, fields)) | some id, fields in tasks},
	"order": {id: i | some i, id in [id | some id, _ in tasks]},
}})

test_an_eligible_task_is_reserved if {
	_plan(fixture.plan) == {
		"reserve": [{"task_id": "T-1", "attempt_number": 1, "agent": "coder", "probe": false}],
		"skip": {},
		"block": [],
		"half_open": false,
		"limits": {
			"max_open_prs": 2, "max_running_attempts": 2, "max_attempts_per_task": 2, "max_tasks_per_day": 0,
			"retry_backoff_seconds": 60, "retry_backoff_max_seconds": 3600,
		},
	}
	schedule.allow with input as fixture.plan
}

test_attempts_are_numbered_on if {
	_plan(_record({"attempts": 4})).reserve[0].attempt_number == 5
}

test_only_a_boolean_true_is_ready if {
	every value in [false, "true", "yes", 1, null] {
		_set("/backlog/tasks/T-1/ready", value) == {"schedule.not_ready"}
	}
	_skips(fixture.without(fixture.plan, "/backlog/tasks/T-1/ready")) == {"schedule.malformed_record"}
}

test_only_a_pending_task_is_open if {
	_task({"status": "in_progress"}) == {"schedule.status"}
	_task({"status": "blocked"}) == {"schedule.status"}
	_task({"status": "completed"}) == {"schedule.completed"}
}

test_a_merged_task_is_completed_for_good if {
	_skips(_record({"completed": true, "digest": "sha256:old"})) == {"schedule.completed"}
}

test_a_task_closed_by_a_human_waits_for_another_text if {
	_skips(_record({"closed_digest": "sha256:t1"})) == {"schedule.closed_by_human"}
	_skips(_record({"closed_digest": "sha256:t0"})) == set()
}

test_a_task_runs_once_at_a_time if {
	_skips(_record({"live": fixture.attempt_id})) == {"schedule.running"}
}

test_a_task_has_one_open_pull_request if {
	_skips(_record({"open_pr": 7})) == {"schedule.pull_request_open"}
	_skips(_record({"open_pr": -1})) == {"schedule.pull_request_open"}
}

test_a_blocked_task_waits_for_another_text if {
	_skips(_record({"blocked": true, "blocked_digest": "sha256:t1"})) == {"schedule.blocked"}
	_skips(_record({"blocked": true, "blocked_digest": "sha256:t0"})) == set()
}

test_a_task_without_attempts_left_is_blocked if {
	question := _record({"counted": 2})
	_skips(question) == {"limits.attempts"}
	_plan(question).block == ["T-1"]
	_plan(_record({"counted": 2, "blocked": true, "blocked_digest": "sha256:t1"})).block == []
	_plan(_record({"counted": 2, "live": fixture.attempt_id})).block == []
}

test_attempts_at_another_text_do_not_count if {
	_skips(_record({"counted": 2, "digest": "sha256:t0"})) == set()
}

test_a_task_waits_after_a_failure if {
	question := _record({"counted": 1, "last_failure_us": fixture.now_us - 59000000})
	_skips(question) == {"limits.backoff"}
	_plan(question).skip["T-1"].next_eligible_us == fixture.now_us + 1000000
	_skips(_record({"counted": 1, "last_failure_us": fixture.now_us - 60000000})) == set()
}

test_failures_of_the_machinery_lengthen_the_wait if {
	question := _record({"counted": 1, "infrastructure": 1, "last_failure_us": fixture.now_us - 60000000})
	_plan(question).skip["T-1"].next_eligible_us == fixture.now_us + 60000000
}

_second(fields) := _plan(_backlog({"A": fields, "B": {"dependencies": ["A"]}}))

test_a_task_waits_for_its_dependencies if {
	{r.code | some r in _second({}).skip.B.reasons} == {"schedule.dependency"}
	_second({"status": "completed"}).reserve[0].task_id == "B"
}

test_a_merged_dependency_is_enough if {
	question := object.union(fixture.plan, {
		"backlog": {"tasks": {"T-1": {"dependencies": ["T-0"]}}},
		"state": {"tasks": {"T-0": fixture.record({"completed": true})}},
	})
	_skips(question) == set()
}

test_a_dependency_must_exist if {
	_task({"dependencies": ["T-0"]}) == {"schedule.unknown_dependency"}
	_task({"dependencies": [7]}) == {"schedule.unknown_dependency"}
}

test_a_task_must_have_allowed_paths if {
	_task({"allowed_paths": []}) == {"schedule.no_allowed_paths"}
	"schedule.no_allowed_paths" in _task({"allowed_paths": ["docs/", 7]})
	_task({"allowed_paths": null}) == {"schedule.no_allowed_paths"}
	_skips(fixture.without(fixture.plan, "/backlog/tasks/T-1/allowed_paths")) == {"schedule.malformed_record"}
}

test_paths_out_of_scope_keep_a_task_from_running if {
	_task({"allowed_paths": ["docs/", "other/"]}) == {"scope.outside_prefix"}
	_task({"allowed_paths": ["docs/.github/"]}) == {"scope.protected"}
}

_by_scope(scopes) := object.union(fixture.plan, {"target_policy": {"state": "valid", "values": {"allowed_paths": scopes}}})

test_a_task_of_a_scope_that_the_targets_policy_does_not_have_never_runs if {
	_skips(_by_scope({"docs": ["docs/**", "README.md"]})) == set()
	_skips(_by_scope({"docs": ["docs/**"]})) == {"scope.not_in_target_policy"}
	_skips(_by_scope({"code": ["**"]})) == {"scope.not_in_target_policy"}
}

test_a_task_may_name_an_agent_of_the_config if {
	_task({"agent": "nobody"}) == {"schedule.unknown_agent"}
	_set("/config/values/agents/coder", 7) == {"schedule.unknown_agent"}
}

test_a_task_may_choose_only_an_agent_for_choice if {
	_skips(fixture.set(_rooted, "/backlog/tasks/T-1/agent", "root")) == {"schedule.agent_not_selectable"}
	chosen := fixture.set(_rooted, "/backlog/tasks/T-1/agent", "root")
	_skips(fixture.set(chosen, "/config/values/default_agent", "root")) == set()
}

test_a_task_without_an_agent_gets_the_default if {
	question := fixture.without(fixture.plan, "/backlog/tasks/T-1/agent")
	_plan(question).reserve[0].agent == "coder"
	_plan(fixture.set(question, "/config/values/default_agent", "")).reserve[0].agent == "coder"
	unnamed := fixture.set(fixture.without(_rooted, "/backlog/tasks/T-1/agent"), "/config/values/default_agent", "")
	_skips(unnamed) == {"schedule.no_agent"}
}

test_a_task_may_ask_only_for_verifications_of_the_config if {
	_task({"verify": ["lint"]}) == {"schedule.unknown_verify"}
	_task({"verify": []}) == set()
}

test_a_malformed_task_is_never_reserved if {
	_task({"priority": "urgent"}) == {"schedule.malformed"}
	"schedule.malformed" in _task({"scope": 7})
	"schedule.malformed" in _task({"verify": "unit"})
	_task({"digest": 7}) == {"schedule.malformed_record"}
	_task({"dependencies": null}) == {"schedule.malformed_record"}
	_skips(fixture.without(fixture.plan, "/backlog/order/T-1")) == {"schedule.malformed_record"}
	_skips(fixture.without(_record({}), "/state/tasks/T-1/counted")) == {"schedule.malformed_record"}
	_skips(fixture.set(fixture.plan, "/backlog/tasks/T-1", "text")) == {"schedule.malformed_record"}
}

test_an_entry_that_could_not_be_read_is_explained if {
	question := fixture.set(fixture.plan, "/backlog/invalid", {"T-9": ["ready must be a boolean"], "T-8": {"line": 4, "reasons": [{"code": "x", "message": "no id"}]}})
	o := _plan(question)
	o.skip["T-9"].reasons[0].message == "the entry in the backlog is invalid: ready must be a boolean"
	o.skip["T-8"].reasons[0].message == "the entry in the backlog is invalid: no id"
	count(o.reserve) == 1
}

test_an_entry_with_the_id_of_a_good_task_spoils_it if {
	_set("/backlog/invalid", {"T-1": ["duplicate id"]}) == {"schedule.invalid"}
}

test_every_reason_is_given_in_the_order_of_the_codes if {
	question := object.union(
		_record({"live": fixture.attempt_id, "counted": 1, "last_failure_us": fixture.now_us}),
		{"backlog": {"tasks": {"T-1": {"ready": false, "allowed_paths": ["other/"], "dependencies": ["B", "A"], "verify": ["lint"]}}}},
	)
	[r.code | some r in _plan(question).skip["T-1"].reasons] == [
		"limits.backoff", "schedule.not_ready", "schedule.running", "schedule.unknown_dependency", "schedule.unknown_dependency",
		"schedule.unknown_verify", "scope.outside_prefix",
	]
}

test_a_task_without_paths_keeps_no_other_from_running if {
	plan := _plan(_backlog({"A": {"allowed_paths": []}, "B": {"allowed_paths": ["docs/b.md"]}}))
	{r.code | some r in plan.skip.A.reasons} == {"schedule.no_allowed_paths"}
	[r.task_id | some r in plan.reserve] == ["B"]
}
