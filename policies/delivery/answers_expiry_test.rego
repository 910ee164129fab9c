package leviathan.delivery_test

import rego.v1

import data.leviathan.delivery
import data.leviathan.fixture_test as fixture

test_the_lost_in_another_state if {
	question := fixture.changed(fixture.lost("oom", "running"), {"/attempt/state": "failed"})
	fixture.lines(delivery.deny) == [
		"delivery.state: the attempt is failed; attempt.lost needs it to be proposed or pushed or reserved or running",
	] with input as question
}

test_the_lost_of_one_that_is_reserved if {
	question := fixture.changed(fixture.lost("oom", "running"), {"/attempt/state": "reserved"})
	fixture.lines(delivery.deny) == [] with input as question
}

test_the_lost_of_one_that_is_pushed if {
	question := fixture.changed(fixture.lost("oom", "running"), {"/attempt/state": "pushed"})
	fixture.lines(delivery.deny) == [] with input as question
}

test_the_lost_of_one_that_is_proposed if {
	question := fixture.changed(fixture.lost("oom", "running"), {"/attempt/state": "proposed"})
	fixture.lines(delivery.deny) == [] with input as question
}

test_the_lost_without_a_record if {
	question := json.remove(fixture.lost("oom", "running"), ["/state/tasks/T-1"])
	fixture.lines(delivery.deny) == [
		"unknown.task_record: the journal's record of task T-1 is missing or incomplete",
	] with input as question
}

test_the_lost_without_a_task if {
	question := json.remove(fixture.lost("oom", "running"), ["/attempt/task_id"])
	fixture.lines(delivery.deny) == [
		"unknown.task_record: the journal's record of task ? is missing or incomplete",
	] with input as question
}

test_the_lost_with_an_odd_digest_7 if {
	question := fixture.changed(fixture.lost("oom", "running"), {"/state/tasks/T-1/digest": 7})
	fixture.lines(delivery.deny) == [
		"unknown.task_record: the journal's record of task T-1 is missing or incomplete",
	] with input as question
}

test_the_lost_with_an_odd_counted_1 if {
	question := fixture.changed(fixture.lost("oom", "running"), {"/state/tasks/T-1/counted": "1"})
	fixture.lines(delivery.deny) == [
		"unknown.task_record: the journal's record of task T-1 is missing or incomplete",
	] with input as question
}

test_the_lost_with_an_odd_counted_null if {
	question := fixture.changed(fixture.lost("oom", "running"), {"/state/tasks/T-1/counted": null})
	fixture.lines(delivery.deny) == [
		"unknown.task_record: the journal's record of task T-1 is missing or incomplete",
	] with input as question
}

test_the_lost_with_an_odd_infrastructure_1 if {
	question := fixture.changed(fixture.lost("oom", "running"), {"/state/tasks/T-1/infrastructure": "1"})
	fixture.lines(delivery.deny) == [
		"unknown.task_record: the journal's record of task T-1 is missing or incomplete",
	] with input as question
}

test_the_lost_with_an_odd_infrastructure_null if {
	question := fixture.changed(fixture.lost("oom", "running"), {"/state/tasks/T-1/infrastructure": null})
	fixture.lines(delivery.deny) == [
		"unknown.task_record: the journal's record of task T-1 is missing or incomplete",
	] with input as question
}

test_the_expire_in_another_state if {
	question := fixture.changed(fixture.expire("lease", "running"), {"/attempt/state": "failed"})
	fixture.lines(delivery.deny) == [
		"delivery.not_due: neither the attempt's start deadline nor its lease is over",
		"delivery.state: the attempt is failed; attempt.expire needs it to be proposed or pushed or reserved or running",
	] with input as question
}

test_the_expire_of_one_that_is_reserved if {
	question := fixture.changed(fixture.expire("lease", "running"), {"/attempt/state": "reserved"})
	fixture.lines(delivery.deny) == [
		"delivery.not_due: neither the attempt's start deadline nor its lease is over",
	] with input as question
}

test_the_expire_of_one_that_is_pushed if {
	question := fixture.changed(fixture.expire("lease", "running"), {"/attempt/state": "pushed"})
	fixture.lines(delivery.deny) == [
		"delivery.not_due: neither the attempt's start deadline nor its lease is over",
	] with input as question
}

test_the_expire_of_one_that_is_proposed if {
	question := fixture.changed(fixture.expire("lease", "running"), {"/attempt/state": "proposed"})
	fixture.lines(delivery.deny) == [
		"delivery.not_due: neither the attempt's start deadline nor its lease is over",
	] with input as question
}

test_the_expire_without_a_record if {
	question := json.remove(fixture.expire("lease", "running"), ["/state/tasks/T-1"])
	fixture.lines(delivery.deny) == [
		"delivery.not_due: neither the attempt's start deadline nor its lease is over",
		"unknown.task_record: the journal's record of task T-1 is missing or incomplete",
	] with input as question
}

test_the_expire_without_a_task if {
	question := json.remove(fixture.expire("lease", "running"), ["/attempt/task_id"])
	fixture.lines(delivery.deny) == [
		"delivery.not_due: neither the attempt's start deadline nor its lease is over",
		"unknown.task_record: the journal's record of task ? is missing or incomplete",
	] with input as question
}

test_the_expire_with_an_odd_digest_7 if {
	question := fixture.changed(fixture.expire("lease", "running"), {"/state/tasks/T-1/digest": 7})
	fixture.lines(delivery.deny) == [
		"delivery.not_due: neither the attempt's start deadline nor its lease is over",
		"unknown.task_record: the journal's record of task T-1 is missing or incomplete",
	] with input as question
}

test_the_expire_with_an_odd_counted_1 if {
	question := fixture.changed(fixture.expire("lease", "running"), {"/state/tasks/T-1/counted": "1"})
	fixture.lines(delivery.deny) == [
		"delivery.not_due: neither the attempt's start deadline nor its lease is over",
		"unknown.task_record: the journal's record of task T-1 is missing or incomplete",
	] with input as question
}

test_the_expire_with_an_odd_counted_null if {
	question := fixture.changed(fixture.expire("lease", "running"), {"/state/tasks/T-1/counted": null})
	fixture.lines(delivery.deny) == [
		"delivery.not_due: neither the attempt's start deadline nor its lease is over",
		"unknown.task_record: the journal's record of task T-1 is missing or incomplete",
	] with input as question
}

test_the_expire_with_an_odd_infrastructure_1 if {
	question := fixture.changed(fixture.expire("lease", "running"), {"/state/tasks/T-1/infrastructure": "1"})
	fixture.lines(delivery.deny) == [
		"delivery.not_due: neither the attempt's start deadline nor its lease is over",
		"unknown.task_record: the journal's record of task T-1 is missing or incomplete",
	] with input as question
}

test_the_expire_with_an_odd_infrastructure_null if {
	question := fixture.changed(fixture.expire("lease", "running"), {"/state/tasks/T-1/infrastructure": null})
	fixture.lines(delivery.deny) == [
		"delivery.not_due: neither the attempt's start deadline nor its lease is over",
		"unknown.task_record: the journal's record of task T-1 is missing or incomplete",
	] with input as question
}

test_a_loss_while_off if {
	question := fixture.changed(fixture.lost("oom", "running"), {"/config/values/autonomy_enabled": false})
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "lost", "state": "failed"},
		"retry": null,
	} with input as question
}

test_an_expiry_while_off if {
	question := fixture.changed(fixture.expire("lease", "running"), {"/config/values/autonomy_enabled": false, "/attempt/lease/live": false})
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "", "state": "expired"},
		"retry": null,
	} with input as question
}

test_a_loss_while_halted if {
	question := fixture.changed(fixture.lost("oom", "running"), {"/halt/target": {}})
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "lost", "state": "failed"},
		"retry": null,
	} with input as question
}

test_an_expiry_while_halted if {
	question := fixture.changed(fixture.expire("lease", "running"), {"/halt/target": {}, "/attempt/lease/live": false})
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "", "state": "expired"},
		"retry": null,
	} with input as question
}

test_a_loss_while_halted_all if {
	question := fixture.changed(fixture.lost("oom", "running"), {"/halt/all": {}})
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "lost", "state": "failed"},
		"retry": null,
	} with input as question
}

test_an_expiry_while_halted_all if {
	question := fixture.changed(fixture.expire("lease", "running"), {"/halt/all": {}, "/attempt/lease/live": false})
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "", "state": "expired"},
		"retry": null,
	} with input as question
}

test_a_loss_while_off_by_an_invalid_config if {
	question := fixture.changed(fixture.lost("oom", "running"), {"/config/values/autonomy_enabled": false, "/config/state": "invalid"})
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "lost", "state": "failed"},
		"retry": null,
	} with input as question
}

test_an_expiry_while_off_by_an_invalid_config if {
	question := fixture.changed(fixture.expire("lease", "running"), {"/config/values/autonomy_enabled": false, "/config/state": "invalid", "/attempt/lease/live": false})
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "lost", "state": "expired"},
		"retry": null,
	} with input as question
}

test_a_loss_while_halted_by_something if {
	question := fixture.changed(fixture.lost("oom", "running"), {"/halt/all": "x", "/halt/target": "x"})
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "lost", "state": "failed"},
		"retry": null,
	} with input as question
}

test_an_expiry_while_halted_by_something if {
	question := fixture.changed(fixture.expire("lease", "running"), {"/halt/all": "x", "/halt/target": "x", "/attempt/lease/live": false})
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "lost", "state": "expired"},
		"retry": null,
	} with input as question
}

test_a_loss_by_job_deleted if {
	question := fixture.lost("job_deleted", "running")
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "lost", "state": "failed"},
		"retry": null,
	} with input as question
}

test_a_loss_by_job_failed if {
	question := fixture.lost("job_failed", "running")
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "lost", "state": "failed"},
		"retry": null,
	} with input as question
}

test_a_loss_by_evicted if {
	question := fixture.lost("evicted", "running")
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "lost", "state": "failed"},
		"retry": null,
	} with input as question
}

test_a_loss_by_oom if {
	question := fixture.lost("oom", "running")
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "lost", "state": "failed"},
		"retry": null,
	} with input as question
}

test_a_loss_by_image_pull if {
	question := fixture.lost("image_pull", "running")
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "launch", "state": "failed"},
		"retry": null,
	} with input as question
}

test_a_loss_by_process_gone if {
	question := fixture.lost("process_gone", "running")
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "lost", "state": "failed"},
		"retry": null,
	} with input as question
}

test_a_loss_by_odd if {
	question := fixture.lost("odd", "running")
	fixture.lines(delivery.deny) == [
		"delivery.observed: odd is not something that a launcher observes",
	] with input as question
	delivery.obligations == {} with input as question
}

test_a_loss_that_was_not_observed if {
	question := json.remove(fixture.lost("oom", "running"), ["/request"])
	fixture.lines(delivery.deny) == [
		"delivery.observed: ? is not something that a launcher observes",
	] with input as question
	delivery.obligations == {} with input as question
}

test_a_loss_of_one_that_was_reserved if {
	question := fixture.lost("oom", "reserved")
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "launch", "state": "failed"},
		"retry": null,
	} with input as question
}

test_a_loss_of_one_that_was_proposed if {
	question := fixture.lost("oom", "proposed")
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "", "state": "succeeded"},
		"retry": null,
	} with input as question
}

test_an_expiry_by_lease_of_one_that_is_reserved if {
	question := fixture.changed(fixture.expire("lease", "reserved"), {"/attempt/lease/live": false, "/attempt/start_deadline_us": fixture.now_us})
	fixture.lines(delivery.deny) == [
		"delivery.not_due: neither the attempt's start deadline nor its lease is over",
	] with input as question
	delivery.obligations == {} with input as question
}

test_an_expiry_by_lease_of_one_that_is_running if {
	question := fixture.changed(fixture.expire("lease", "running"), {"/attempt/lease/live": false, "/attempt/start_deadline_us": fixture.now_us})
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "lost", "state": "expired"},
		"retry": null,
	} with input as question
}

test_an_expiry_by_lease_of_one_that_is_pushed if {
	question := fixture.changed(fixture.expire("lease", "pushed"), {"/attempt/lease/live": false, "/attempt/start_deadline_us": fixture.now_us})
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "lost", "state": "expired"},
		"retry": null,
	} with input as question
}

test_an_expiry_by_lease_of_one_that_is_proposed if {
	question := fixture.changed(fixture.expire("lease", "proposed"), {"/attempt/lease/live": false, "/attempt/start_deadline_us": fixture.now_us})
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "", "state": "succeeded"},
		"retry": null,
	} with input as question
}

test_an_expiry_by_start_deadline_of_one_that_is_reserved if {
	question := fixture.changed(fixture.expire("start_deadline", "reserved"), {"/attempt/lease/live": false, "/attempt/start_deadline_us": fixture.now_us})
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "launch", "state": "expired"},
		"retry": null,
	} with input as question
}

test_an_expiry_by_start_deadline_of_one_that_is_running if {
	question := fixture.changed(fixture.expire("start_deadline", "running"), {"/attempt/lease/live": false, "/attempt/start_deadline_us": fixture.now_us})
	fixture.lines(delivery.deny) == [
		"delivery.not_due: neither the attempt's start deadline nor its lease is over",
	] with input as question
	delivery.obligations == {} with input as question
}

test_an_expiry_by_start_deadline_of_one_that_is_pushed if {
	question := fixture.changed(fixture.expire("start_deadline", "pushed"), {"/attempt/lease/live": false, "/attempt/start_deadline_us": fixture.now_us})
	fixture.lines(delivery.deny) == [
		"delivery.not_due: neither the attempt's start deadline nor its lease is over",
	] with input as question
	delivery.obligations == {} with input as question
}

test_an_expiry_by_start_deadline_of_one_that_is_proposed if {
	question := fixture.changed(fixture.expire("start_deadline", "proposed"), {"/attempt/lease/live": false, "/attempt/start_deadline_us": fixture.now_us})
	fixture.lines(delivery.deny) == [
		"delivery.not_due: neither the attempt's start deadline nor its lease is over",
	] with input as question
	delivery.obligations == {} with input as question
}

test_an_expiry_by_odd_of_one_that_is_reserved if {
	question := fixture.changed(fixture.expire("odd", "reserved"), {"/attempt/lease/live": false, "/attempt/start_deadline_us": fixture.now_us})
	fixture.lines(delivery.deny) == [
		"delivery.not_due: neither the attempt's start deadline nor its lease is over",
	] with input as question
	delivery.obligations == {} with input as question
}

test_an_expiry_by_odd_of_one_that_is_running if {
	question := fixture.changed(fixture.expire("odd", "running"), {"/attempt/lease/live": false, "/attempt/start_deadline_us": fixture.now_us})
	fixture.lines(delivery.deny) == [
		"delivery.not_due: neither the attempt's start deadline nor its lease is over",
	] with input as question
	delivery.obligations == {} with input as question
}

test_an_expiry_by_odd_of_one_that_is_pushed if {
	question := fixture.changed(fixture.expire("odd", "pushed"), {"/attempt/lease/live": false, "/attempt/start_deadline_us": fixture.now_us})
	fixture.lines(delivery.deny) == [
		"delivery.not_due: neither the attempt's start deadline nor its lease is over",
	] with input as question
	delivery.obligations == {} with input as question
}

test_an_expiry_by_odd_of_one_that_is_proposed if {
	question := fixture.changed(fixture.expire("odd", "proposed"), {"/attempt/lease/live": false, "/attempt/start_deadline_us": fixture.now_us})
	fixture.lines(delivery.deny) == [
		"delivery.not_due: neither the attempt's start deadline nor its lease is over",
	] with input as question
	delivery.obligations == {} with input as question
}

test_an_expiry_before_the_deadline if {
	question := fixture.changed(fixture.expire("start_deadline", "reserved"), {"/attempt/start_deadline_us": fixture.now_us + 1})
	fixture.lines(delivery.deny) == [
		"delivery.not_due: neither the attempt's start deadline nor its lease is over",
	] with input as question
}

test_an_expiry_of_a_lease_that_lives if {
	fixture.lines(delivery.deny) == [
		"delivery.not_due: neither the attempt's start deadline nor its lease is over",
	] with input as fixture.expire("lease", "running")
}

test_an_expiry_of_a_lease_that_is_not_known if {
	question := fixture.changed(fixture.expire("lease", "running"), {"/attempt/lease": {"known": false, "live": false}})
	fixture.lines(delivery.deny) == [
		"delivery.not_due: neither the attempt's start deadline nor its lease is over",
	] with input as question
}
