package leviathan.limits_test

import rego.v1

import data.leviathan.fixture_test as fixture
import data.leviathan.limits

test_each_field_of_a_record_is_needed if {
	sound := {field |
		some field, value in fixture.no_record
		some odd in _odd(value)
		question := fixture.changed(fixture.plan, {"/state/tasks/T-1": object.union(fixture.no_record, {field: odd})})
		not _is_unsound(question)
	}
	sound == set()
	taken := {field |
		some field, _ in fixture.no_record
		question := fixture.changed(fixture.plan, {"/state/tasks/T-1": object.remove(fixture.no_record, [field])})
		not _is_unsound(question)
	}
	taken == set()
}

test_a_task_that_was_never_tried if {
	question := fixture.changed(fixture.plan, {"/state/tasks/T-1": fixture.record({})})
	_of_tasks == {
		"blocked": [],
		"exhausted": [],
		"next": {},
		"said": [],
		"sound": ["T-1"],
		"unsound": [],
	} with input as question
}

test_a_task_that_failed_once if {
	question := fixture.changed(fixture.plan, {"/state/tasks/T-1": fixture.record({"counted": 1, "last_failure_us": fixture.now_us - 59999999})})
	_of_tasks == {
		"blocked": [],
		"exhausted": [],
		"next": {"T-1": 1790000000000001},
		"said": ["T-1 limits.backoff: the task waits until 2026-09-21T14:13:20.000001Z after its last failure"],
		"sound": ["T-1"],
		"unsound": [],
	} with input as question
}

test_a_task_that_failed_once_a_while_ago if {
	question := fixture.changed(fixture.plan, {"/state/tasks/T-1": fixture.record({"counted": 1, "last_failure_us": fixture.now_us - 60000000})})
	_of_tasks == {
		"blocked": [],
		"exhausted": [],
		"next": {},
		"said": [],
		"sound": ["T-1"],
		"unsound": [],
	} with input as question
}

test_a_task_whose_launch_failed_thrice if {
	question := fixture.changed(fixture.plan, {"/state/tasks/T-1": fixture.record({"infrastructure": 3, "last_failure_us": fixture.now_us - 1})})
	_of_tasks == {
		"blocked": [],
		"exhausted": [],
		"next": {"T-1": 1790000239999999},
		"said": ["T-1 limits.backoff: the task waits until 2026-09-21T14:17:19.999999Z after its last failure"],
		"sound": ["T-1"],
		"unsound": [],
	} with input as question
}

test_a_task_that_failed_both_ways if {
	question := fixture.changed(fixture.plan, {"/state/tasks/T-1": fixture.record({"counted": 1, "infrastructure": 1, "last_failure_us": fixture.now_us - 1})})
	_of_tasks == {
		"blocked": [],
		"exhausted": [],
		"next": {"T-1": 1790000119999999},
		"said": ["T-1 limits.backoff: the task waits until 2026-09-21T14:15:19.999999Z after its last failure"],
		"sound": ["T-1"],
		"unsound": [],
	} with input as question
}

test_a_task_that_failed_so_often_that_the_wait_is_the_longest if {
	question := fixture.changed(fixture.plan, {"/state/tasks/T-1": fixture.record({"infrastructure": 70, "last_failure_us": fixture.now_us - 1})})
	_of_tasks == {
		"blocked": [],
		"exhausted": [],
		"next": {"T-1": 1790003599999999},
		"said": ["T-1 limits.backoff: the task waits until 2026-09-21T15:13:19.999999Z after its last failure"],
		"sound": ["T-1"],
		"unsound": [],
	} with input as question
}

test_a_task_that_is_exhausted if {
	question := fixture.changed(fixture.plan, {"/state/tasks/T-1": fixture.record({"counted": 2, "last_failure_us": fixture.now_us - 1})})
	_of_tasks == {
		"blocked": [],
		"exhausted": ["T-1"],
		"next": {},
		"said": ["T-1 limits.attempts: the task has used up its 2 attempts"],
		"sound": ["T-1"],
		"unsound": [],
	} with input as question
}

test_a_task_that_is_exhausted_with_another_text if {
	question := fixture.changed(fixture.plan, {"/state/tasks/T-1": fixture.record({"counted": 2, "last_failure_us": fixture.now_us - 1, "digest": "old"})})
	_of_tasks == {
		"blocked": [],
		"exhausted": [],
		"next": {},
		"said": [],
		"sound": ["T-1"],
		"unsound": [],
	} with input as question
}

test_a_task_that_is_blocked if {
	question := fixture.changed(fixture.plan, {"/state/tasks/T-1": fixture.record({"blocked": true, "blocked_digest": "sha256:t1", "counted": 1, "last_failure_us": fixture.now_us - 1})})
	_of_tasks == {
		"blocked": ["T-1"],
		"exhausted": [],
		"next": {},
		"said": [],
		"sound": ["T-1"],
		"unsound": [],
	} with input as question
}

test_a_task_that_was_blocked_with_another_text if {
	question := fixture.changed(fixture.plan, {"/state/tasks/T-1": fixture.record({"blocked": true, "blocked_digest": "old"})})
	_of_tasks == {
		"blocked": [],
		"exhausted": [],
		"next": {},
		"said": [],
		"sound": ["T-1"],
		"unsound": [],
	} with input as question
}

test_a_task_that_is_blocked_no_more if {
	question := fixture.changed(fixture.plan, {"/state/tasks/T-1": fixture.record({"blocked": false, "blocked_digest": "sha256:t1"})})
	_of_tasks == {
		"blocked": [],
		"exhausted": [],
		"next": {},
		"said": [],
		"sound": ["T-1"],
		"unsound": [],
	} with input as question
}

test_a_task_that_is_completed if {
	question := fixture.changed(fixture.plan, {"/state/tasks/T-1": fixture.record({"completed": true, "counted": 9})})
	_of_tasks == {
		"blocked": [],
		"exhausted": [],
		"next": {},
		"said": [],
		"sound": [],
		"unsound": [],
	} with input as question
}

test_a_record_of_no_task if {
	question := fixture.changed(fixture.plan, {"/state/tasks/T-9": fixture.record({"counted": 9})})
	_of_tasks == {
		"blocked": [],
		"exhausted": [],
		"next": {},
		"said": [],
		"sound": [],
		"unsound": [],
	} with input as question
}

test_a_task_of_no_record if {
	_of_tasks == {
		"blocked": [],
		"exhausted": [],
		"next": {},
		"said": [],
		"sound": [],
		"unsound": [],
	} with input as fixture.plan
}

test_one_attempt_a_day if {
	question := fixture.changed(fixture.plan, {"/config/values/limits/max_tasks_per_day": 1})
	limits.room == {
		"limits.daily": 1,
		"limits.open_prs": 2,
		"limits.running_attempts": 2,
	} with input as question
}
