package leviathan.delivery_test

import rego.v1

import data.leviathan.delivery
import data.leviathan.fixture_test as fixture

test_the_task_of_a_start_is_gone if {
	fixture.lines(delivery.deny) == [
		"delivery.task_gone: the task is no longer in the backlog",
	] with input as fixture.changed(fixture.start, {"/task_now/present": false})
}

test_the_task_of_a_start_is_not_ready if {
	question := fixture.changed(fixture.start, {"/task_now/task/ready": false})
	fixture.lines(delivery.deny) == [
		"delivery.task_not_ready: the task is no longer ready to run",
	] with input as question
}

test_the_task_of_a_run_is_gone if {
	fixture.lines(delivery.deny) == [
		"delivery.task_gone: the task is no longer in the backlog",
	] with input as fixture.changed(fixture.run, {"/task_now/present": false})
}

test_the_task_of_a_run_is_not_ready if {
	question := fixture.changed(fixture.run, {"/task_now/task/ready": false})
	fixture.lines(delivery.deny) == [
		"delivery.task_not_ready: the task is no longer ready to run",
	] with input as question
}

test_the_task_of_a_heartbeat_is_gone if {
	question := fixture.changed(fixture.heartbeat, {"/task_now/present": false})
	fixture.lines(delivery.deny) == [
		"delivery.task_gone: the task is no longer in the backlog",
	] with input as question
}

test_the_task_of_a_heartbeat_is_not_ready if {
	question := fixture.changed(fixture.heartbeat, {"/task_now/task/ready": false})
	fixture.lines(delivery.deny) == [
		"delivery.task_not_ready: the task is no longer ready to run",
	] with input as question
}

test_the_task_of_a_push_is_gone if {
	fixture.lines(delivery.deny) == [
		"delivery.task_gone: the task is no longer in the backlog",
	] with input as fixture.changed(fixture.push, {"/task_now/present": false})
}

test_the_task_of_a_push_is_not_ready if {
	question := fixture.changed(fixture.push, {"/task_now/task/ready": false})
	fixture.lines(delivery.deny) == [
		"delivery.task_not_ready: the task is no longer ready to run",
	] with input as question
}

test_the_task_of_a_open_is_gone if {
	fixture.lines(delivery.deny) == [
		"delivery.task_gone: the task is no longer in the backlog",
	] with input as fixture.changed(fixture.open, {"/task_now/present": false})
}

test_the_task_of_a_open_is_not_ready if {
	question := fixture.changed(fixture.open, {"/task_now/task/ready": false})
	fixture.lines(delivery.deny) == [
		"delivery.task_not_ready: the task is no longer ready to run",
	] with input as question
}

test_the_task_of_a_evidence_is_gone if {
	question := fixture.changed(fixture.evidence, {"/task_now/present": false})
	fixture.lines(delivery.deny) == [] with input as question
}

test_the_task_of_a_evidence_is_not_ready if {
	question := fixture.changed(fixture.evidence, {"/task_now/task/ready": false})
	fixture.lines(delivery.deny) == [] with input as question
}

test_the_task_is_in_progress if {
	question := fixture.changed(fixture.push, {"/task_now/task/status": "in_progress"})
	fixture.lines(delivery.deny) == [] with input as question
}

test_the_task_is_done if {
	question := fixture.changed(fixture.push, {"/task_now/task/status": "completed"})
	fixture.lines(delivery.deny) == [
		"delivery.task_not_ready: the task is no longer ready to run",
	] with input as question
}

test_the_task_is_gone_and_not_known if {
	question := fixture.changed(fixture.heartbeat, {"/task_now": {"known": false, "present": false}})
	fixture.lines(delivery.deny) == [] with input as question
}

test_the_task_is_gone_after_its_proposal if {
	question := fixture.changed(fixture.heartbeat, {"/attempt/state": "proposed", "/task_now/present": false})
	fixture.lines(delivery.deny) == [] with input as question
}

test_the_task_lost_a_path if {
	question := fixture.changed(fixture.push, {"/task_now/task/allowed_paths": ["docs/"]})
	fixture.lines(delivery.deny) == [
		"delivery.task_changed: the task is narrower than it was reserved: README.md is not allowed any more",
	] with input as question
}

test_the_task_lost_a_folder if {
	question := fixture.changed(fixture.push, {"/task_now/task/allowed_paths": ["docs/a/", "README.md"]})
	fixture.lines(delivery.deny) == [
		"delivery.task_changed: the task is narrower than it was reserved: docs/ is not allowed any more",
	] with input as question
}

test_the_task_has_a_wider_folder if {
	question := fixture.changed(fixture.push, {"/attempt/task/allowed_paths": ["docs/a/", "docs/b.md"]})
	fixture.lines(delivery.deny) == [] with input as question
}

test_the_task_has_an_odd_path if {
	question := fixture.changed(fixture.push, {"/attempt/task/allowed_paths": ["docs/", 7]})
	fixture.lines(delivery.deny) == [
		"delivery.task_changed: the task is narrower than it was reserved: 7 is not allowed any more",
	] with input as question
}

test_the_task_asks_for_more if {
	question := fixture.changed(fixture.push, {"/task_now/task/verify": ["unit", "lint"], "/task_now/task/dependencies": ["T-0"]})
	fixture.lines(delivery.deny) == [
		"delivery.task_changed: the task is narrower than it was reserved: it asks for T-0 besides",
		"delivery.task_changed: the task is narrower than it was reserved: it asks for lint besides",
	] with input as question
}

test_the_task_asks_for_less if {
	question := fixture.changed(fixture.push, {"/task_now/task/verify": [], "/attempt/task/dependencies": ["T-0"]})
	fixture.lines(delivery.deny) == [] with input as question
}
