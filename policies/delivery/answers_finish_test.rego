package leviathan.delivery_test

import rego.v1

import data.leviathan.delivery
import data.leviathan.fixture_test as fixture

test_the_finish_in_another_state if {
	question := fixture.changed(fixture.finish("succeeded", "", "proposed"), {"/attempt/state": "failed"})
	fixture.lines(delivery.deny) == [
		"delivery.not_proposed: the attempt is failed; only one whose pull request is open can succeed",
		"delivery.state: the attempt is failed; attempt.finish needs it to be proposed or pushed or reserved or running",
	] with input as question
}

test_the_finish_of_one_that_is_reserved if {
	question := fixture.changed(fixture.finish("cancelled", "", "proposed"), {"/attempt/state": "reserved"})
	fixture.lines(delivery.deny) == [] with input as question
}

test_the_finish_of_one_that_is_pushed if {
	question := fixture.changed(fixture.finish("cancelled", "", "proposed"), {"/attempt/state": "pushed"})
	fixture.lines(delivery.deny) == [] with input as question
}

test_the_finish_of_one_that_is_proposed if {
	question := fixture.changed(fixture.finish("cancelled", "", "proposed"), {"/attempt/state": "proposed"})
	fixture.lines(delivery.deny) == [] with input as question
}

test_the_finish_without_a_record if {
	question := json.remove(fixture.finish("succeeded", "", "proposed"), ["/state/tasks/T-1"])
	fixture.lines(delivery.deny) == [
		"unknown.task_record: the journal's record of task T-1 is missing or incomplete",
	] with input as question
}

test_the_finish_without_a_task if {
	question := json.remove(fixture.finish("succeeded", "", "proposed"), ["/attempt/task_id"])
	fixture.lines(delivery.deny) == [
		"unknown.task_record: the journal's record of task ? is missing or incomplete",
	] with input as question
}

test_the_finish_with_an_odd_digest_7 if {
	question := fixture.changed(fixture.finish("succeeded", "", "proposed"), {"/state/tasks/T-1/digest": 7})
	fixture.lines(delivery.deny) == [
		"unknown.task_record: the journal's record of task T-1 is missing or incomplete",
	] with input as question
}

test_the_finish_with_an_odd_counted_1 if {
	question := fixture.changed(fixture.finish("succeeded", "", "proposed"), {"/state/tasks/T-1/counted": "1"})
	fixture.lines(delivery.deny) == [
		"unknown.task_record: the journal's record of task T-1 is missing or incomplete",
	] with input as question
}

test_the_finish_with_an_odd_counted_null if {
	question := fixture.changed(fixture.finish("succeeded", "", "proposed"), {"/state/tasks/T-1/counted": null})
	fixture.lines(delivery.deny) == [
		"unknown.task_record: the journal's record of task T-1 is missing or incomplete",
	] with input as question
}

test_the_finish_with_an_odd_infrastructure_1 if {
	question := fixture.changed(fixture.finish("succeeded", "", "proposed"), {"/state/tasks/T-1/infrastructure": "1"})
	fixture.lines(delivery.deny) == [
		"unknown.task_record: the journal's record of task T-1 is missing or incomplete",
	] with input as question
}

test_the_finish_with_an_odd_infrastructure_null if {
	question := fixture.changed(fixture.finish("succeeded", "", "proposed"), {"/state/tasks/T-1/infrastructure": null})
	fixture.lines(delivery.deny) == [
		"unknown.task_record: the journal's record of task T-1 is missing or incomplete",
	] with input as question
}

test_a_late_start if {
	question := fixture.changed(fixture.start, {"/attempt/start_deadline_us": 1700000000000000})
	fixture.lines(delivery.deny) == [
		"delivery.start_deadline: the attempt had to be started before 2023-11-14T22:13:20Z",
	] with input as question
}

test_a_late_run if {
	question := fixture.changed(fixture.run, {"/attempt/start_deadline_us": 1700000000000000})
	fixture.lines(delivery.deny) == [
		"delivery.start_deadline: the attempt had to be started before 2023-11-14T22:13:20Z",
	] with input as question
}

test_a_success if {
	question := fixture.finish("succeeded", "", "proposed")
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "", "state": "succeeded"},
		"retry": null,
	} with input as question
}

test_a_success_before_its_time if {
	question := fixture.finish("succeeded", "", "running")
	fixture.lines(delivery.deny) == [
		"delivery.not_proposed: the attempt is running; only one whose pull request is open can succeed",
	] with input as question
	delivery.obligations == {} with input as question
}

test_an_odd_outcome if {
	question := fixture.finish("odd", "x", "running")
	fixture.lines(delivery.deny) == [
		"delivery.outcome: an attempt cannot end as odd x",
	] with input as question
	delivery.obligations == {} with input as question
}

test_an_outcome_that_is_missing if {
	question := json.remove(fixture.finish("odd", "x", "running"), ["/request"])
	fixture.lines(delivery.deny) == [
		"delivery.outcome: an attempt cannot end as ? ",
	] with input as question
	delivery.obligations == {} with input as question
}

test_a_success_with_a_type if {
	question := fixture.finish("succeeded", "timeout", "proposed")
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "", "state": "succeeded"},
		"retry": null,
	} with input as question
}
