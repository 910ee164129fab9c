package leviathan.delivery_test

import rego.v1

import data.leviathan.delivery
import data.leviathan.fixture_test as fixture

test_the_start_as_it_should_be if {
	question := fixture.start
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {
		"lease_seconds": 60,
		"timeout_seconds": 900,
	} with input as question
	delivery.allow == true with input as question
}

test_the_start_in_another_state if {
	question := fixture.changed(fixture.start, {"/attempt/state": "failed"})
	fixture.lines(delivery.deny) == [
		"delivery.state: the attempt is failed; attempt.start needs it to be reserved or running",
	] with input as question
	delivery.allow == false with input as question
}

test_the_start_in_no_state if {
	question := json.remove(fixture.start, ["/attempt/state"])
	fixture.lines(delivery.deny) == [
		"delivery.state: the attempt is not known; attempt.start needs it to be reserved or running",
	] with input as question
	delivery.allow == false with input as question
}

test_the_run_as_it_should_be if {
	question := fixture.run
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {
		"agent": "coder",
		"command": ["coder", "--fast"],
		"env": {"MODE": "x"},
		"env_from": ["KEY"],
		"limits": {"memory_mb": 2048, "output_max_kb": 10240},
		"sandbox": {"connect_ports": [443], "off": false, "read": ["/usr/share"], "required": true},
		"stdin": "prompt",
		"type": "command",
		"verify": [{"command": ["make", "test"], "name": "unit", "timeout_seconds": 300}],
	} with input as question
	delivery.allow == true with input as question
}

test_the_run_in_another_state if {
	question := fixture.changed(fixture.run, {"/attempt/state": "failed"})
	fixture.lines(delivery.deny) == [
		"delivery.state: the attempt is failed; agent.run needs it to be reserved or running",
	] with input as question
	delivery.allow == false with input as question
}

test_the_run_in_no_state if {
	question := json.remove(fixture.run, ["/attempt/state"])
	fixture.lines(delivery.deny) == [
		"delivery.state: the attempt is not known; agent.run needs it to be reserved or running",
	] with input as question
	delivery.allow == false with input as question
}

test_the_heartbeat_as_it_should_be if {
	question := fixture.heartbeat
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {
		"lease_seconds": 60,
	} with input as question
	delivery.allow == true with input as question
}

test_the_heartbeat_in_another_state if {
	question := fixture.changed(fixture.heartbeat, {"/attempt/state": "failed"})
	fixture.lines(delivery.deny) == [
		"delivery.state: the attempt is failed; attempt.heartbeat needs it to be proposed or pushed or running",
	] with input as question
	delivery.allow == false with input as question
}

test_the_heartbeat_in_no_state if {
	question := json.remove(fixture.heartbeat, ["/attempt/state"])
	fixture.lines(delivery.deny) == [
		"delivery.state: the attempt is not known; attempt.heartbeat needs it to be proposed or pushed or running",
	] with input as question
	delivery.allow == false with input as question
}

test_the_fetch_as_it_should_be if {
	question := fixture.fetch
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {} with input as question
	delivery.allow == true with input as question
}

test_the_fetch_in_another_state if {
	question := fixture.changed(fixture.fetch, {"/attempt/state": "failed"})
	fixture.lines(delivery.deny) == [
		"delivery.state: the attempt is failed; repository.fetch needs it to be proposed or pushed or running",
	] with input as question
	delivery.allow == false with input as question
}

test_the_fetch_in_no_state if {
	question := json.remove(fixture.fetch, ["/attempt/state"])
	fixture.lines(delivery.deny) == [
		"delivery.state: the attempt is not known; repository.fetch needs it to be proposed or pushed or running",
	] with input as question
	delivery.allow == false with input as question
}

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

test_the_evidence_as_it_should_be if {
	question := fixture.evidence
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {} with input as question
	delivery.allow == true with input as question
}

test_the_evidence_in_another_state if {
	question := fixture.changed(fixture.evidence, {"/attempt/state": "failed"})
	fixture.lines(delivery.deny) == [
		"delivery.state: the attempt is failed; attempt.evidence needs it to be proposed or pushed or running",
	] with input as question
	delivery.allow == false with input as question
}

test_the_evidence_in_no_state if {
	question := json.remove(fixture.evidence, ["/attempt/state"])
	fixture.lines(delivery.deny) == [
		"delivery.state: the attempt is not known; attempt.evidence needs it to be proposed or pushed or running",
	] with input as question
	delivery.allow == false with input as question
}

test_the_artifact_as_it_should_be if {
	question := fixture.artifact
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {} with input as question
	delivery.allow == true with input as question
}

test_the_artifact_in_another_state if {
	question := fixture.changed(fixture.artifact, {"/attempt/state": "failed"})
	fixture.lines(delivery.deny) == [
		"delivery.state: the attempt is failed; artifact.put needs it to be proposed or pushed or reserved or running",
	] with input as question
	delivery.allow == false with input as question
}

test_the_artifact_in_no_state if {
	question := json.remove(fixture.artifact, ["/attempt/state"])
	fixture.lines(delivery.deny) == [
		"delivery.state: the attempt is not known; artifact.put needs it to be proposed or pushed or reserved or running",
	] with input as question
	delivery.allow == false with input as question
}

test_the_open_as_it_should_be if {
	question := fixture.open
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {
		"circuit": null,
	} with input as question
	delivery.allow == true with input as question
}

test_the_open_in_another_state if {
	question := fixture.changed(fixture.open, {"/attempt/state": "failed"})
	fixture.lines(delivery.deny) == [
		"delivery.state: the attempt is failed; pull_request.open needs it to be pushed",
	] with input as question
	delivery.allow == false with input as question
}

test_the_open_in_no_state if {
	question := json.remove(fixture.open, ["/attempt/state"])
	fixture.lines(delivery.deny) == [
		"delivery.state: the attempt is not known; pull_request.open needs it to be pushed",
	] with input as question
	delivery.allow == false with input as question
}

test_the_annotate_as_it_should_be if {
	question := fixture.annotate
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {} with input as question
	delivery.allow == true with input as question
}

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

test_the_evidence_of_one_that_is_reserved if {
	question := fixture.changed(fixture.evidence, {"/attempt/state": "reserved"})
	fixture.lines(delivery.deny) == [
		"delivery.state: the attempt is reserved; attempt.evidence needs it to be proposed or pushed or running",
	] with input as question
}

test_the_evidence_of_one_that_is_running if {
	question := fixture.changed(fixture.evidence, {"/attempt/state": "running"})
	fixture.lines(delivery.deny) == [] with input as question
}

test_the_evidence_of_one_that_is_pushed if {
	question := fixture.changed(fixture.evidence, {"/attempt/state": "pushed"})
	fixture.lines(delivery.deny) == [] with input as question
}

test_the_evidence_of_one_that_is_proposed if {
	question := fixture.changed(fixture.evidence, {"/attempt/state": "proposed"})
	fixture.lines(delivery.deny) == [] with input as question
}

test_the_artifact_of_one_that_is_reserved if {
	question := fixture.changed(fixture.artifact, {"/attempt/state": "reserved"})
	fixture.lines(delivery.deny) == [] with input as question
}

test_the_artifact_of_one_that_is_running if {
	question := fixture.changed(fixture.artifact, {"/attempt/state": "running"})
	fixture.lines(delivery.deny) == [] with input as question
}

test_the_artifact_of_one_that_is_pushed if {
	question := fixture.changed(fixture.artifact, {"/attempt/state": "pushed"})
	fixture.lines(delivery.deny) == [] with input as question
}

test_the_artifact_of_one_that_is_proposed if {
	question := fixture.changed(fixture.artifact, {"/attempt/state": "proposed"})
	fixture.lines(delivery.deny) == [] with input as question
}

test_the_heartbeat_of_one_that_is_reserved if {
	question := fixture.changed(fixture.heartbeat, {"/attempt/state": "reserved"})
	fixture.lines(delivery.deny) == [
		"delivery.state: the attempt is reserved; attempt.heartbeat needs it to be proposed or pushed or running",
	] with input as question
}

test_the_heartbeat_of_one_that_is_running if {
	question := fixture.changed(fixture.heartbeat, {"/attempt/state": "running"})
	fixture.lines(delivery.deny) == [] with input as question
}

test_the_heartbeat_of_one_that_is_pushed if {
	question := fixture.changed(fixture.heartbeat, {"/attempt/state": "pushed"})
	fixture.lines(delivery.deny) == [] with input as question
}

test_the_heartbeat_of_one_that_is_proposed if {
	question := fixture.changed(fixture.heartbeat, {"/attempt/state": "proposed"})
	fixture.lines(delivery.deny) == [] with input as question
}

test_the_fetch_of_one_that_is_reserved if {
	question := fixture.changed(fixture.fetch, {"/attempt/state": "reserved"})
	fixture.lines(delivery.deny) == [
		"delivery.state: the attempt is reserved; repository.fetch needs it to be proposed or pushed or running",
	] with input as question
}

test_the_fetch_of_one_that_is_running if {
	question := fixture.changed(fixture.fetch, {"/attempt/state": "running"})
	fixture.lines(delivery.deny) == [] with input as question
}

test_the_fetch_of_one_that_is_pushed if {
	fixture.lines(delivery.deny) == [] with input as fixture.changed(fixture.fetch, {"/attempt/state": "pushed"})
}

test_the_fetch_of_one_that_is_proposed if {
	question := fixture.changed(fixture.fetch, {"/attempt/state": "proposed"})
	fixture.lines(delivery.deny) == [] with input as question
}

test_a_fetch_by_a_reader if {
	question := json.remove(object.union(fixture.fetch, {"subject": fixture.component("reader")}), ["/attempt"])
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {} with input as question
	delivery.allow == true with input as question
}

test_a_fetch_by_an_operator if {
	question := json.remove(object.union(fixture.fetch, {"subject": fixture.component("operator")}), ["/attempt"])
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {} with input as question
	delivery.allow == true with input as question
}

test_a_fetch_by_a_scheduler if {
	question := json.remove(object.union(fixture.fetch, {"subject": fixture.component("scheduler")}), ["/attempt"])
	fixture.lines(delivery.deny) == [
		"delivery.lease: the attempt's lease does not live",
		"delivery.state: the attempt is not known; repository.fetch needs it to be proposed or pushed or running",
	] with input as question
	delivery.allow == false with input as question
}

test_a_start_by_another_worker if {
	question := fixture.changed(fixture.start, {"/attempt/state": "running", "/request/instance": "i-2"})
	fixture.lines(delivery.deny) == [
		"delivery.already_started: another worker has started this attempt",
	] with input as question
}

test_a_start_by_the_same_worker if {
	question := fixture.changed(fixture.start, {"/attempt/state": "running"})
	fixture.lines(delivery.deny) == [] with input as question
}

test_a_start_by_a_worker_without_a_name if {
	question := fixture.changed(fixture.start, {"/attempt/state": "running", "/request/instance": "", "/attempt/instance": ""})
	fixture.lines(delivery.deny) == [
		"delivery.already_started: another worker has started this attempt",
	] with input as question
}

test_a_start_by_a_worker_of_an_odd_name if {
	question := fixture.changed(fixture.start, {"/attempt/state": "running", "/request/instance": 7, "/attempt/instance": 7})
	fixture.lines(delivery.deny) == [
		"delivery.already_started: another worker has started this attempt",
	] with input as question
}

test_a_late_start if {
	question := fixture.changed(fixture.start, {"/attempt/start_deadline_us": 1700000000000000})
	fixture.lines(delivery.deny) == [
		"delivery.start_deadline: the attempt had to be started before 2023-11-14T22:13:20Z",
	] with input as question
}

test_a_start_just_in_time if {
	question := fixture.changed(fixture.start, {"/attempt/start_deadline_us": fixture.now_us})
	fixture.lines(delivery.deny) == [] with input as question
}

test_a_start_of_no_known_deadline if {
	fixture.lines(delivery.deny) == [
		"delivery.start_deadline: the attempt had to be started before 1970-01-01T00:00:00Z",
	] with input as json.remove(fixture.start, ["/attempt/start_deadline_us"])
}

test_a_start_again_without_a_lease if {
	question := fixture.changed(fixture.start, {"/attempt/state": "running", "/attempt/lease/live": false})
	fixture.lines(delivery.deny) == [
		"delivery.lease: the attempt's lease does not live",
	] with input as question
}

test_a_start_again_with_a_lease_that_is_not_known if {
	question := fixture.changed(fixture.start, {"/attempt/state": "running", "/attempt/lease/known": false})
	fixture.lines(delivery.deny) == [
		"delivery.lease: the attempt's lease does not live",
	] with input as question
}

test_a_late_run if {
	question := fixture.changed(fixture.run, {"/attempt/start_deadline_us": 1700000000000000})
	fixture.lines(delivery.deny) == [
		"delivery.start_deadline: the attempt had to be started before 2023-11-14T22:13:20Z",
	] with input as question
}

test_a_run_just_in_time if {
	question := fixture.changed(fixture.run, {"/attempt/start_deadline_us": fixture.now_us})
	fixture.lines(delivery.deny) == [] with input as question
}

test_a_run_of_no_known_deadline if {
	fixture.lines(delivery.deny) == [
		"delivery.start_deadline: the attempt had to be started before 1970-01-01T00:00:00Z",
	] with input as json.remove(fixture.run, ["/attempt/start_deadline_us"])
}

test_a_run_again_without_a_lease if {
	question := fixture.changed(fixture.run, {"/attempt/state": "running", "/attempt/lease/live": false})
	fixture.lines(delivery.deny) == [
		"delivery.lease: the attempt's lease does not live",
	] with input as question
}

test_a_run_again_with_a_lease_that_is_not_known if {
	question := fixture.changed(fixture.run, {"/attempt/state": "running", "/attempt/lease/known": false})
	fixture.lines(delivery.deny) == [
		"delivery.lease: the attempt's lease does not live",
	] with input as question
}

test_a_fetch_without_a_lease if {
	question := fixture.changed(fixture.fetch, {"/attempt/lease/live": false})
	fixture.lines(delivery.deny) == [
		"delivery.lease: the attempt's lease does not live",
	] with input as question
}

test_a_fetch_with_a_lease_that_is_not_known if {
	question := fixture.changed(fixture.fetch, {"/attempt/lease/known": false})
	fixture.lines(delivery.deny) == [
		"delivery.lease: the attempt's lease does not live",
	] with input as question
}

test_a_heartbeat_out_of_time if {
	question := fixture.changed(fixture.heartbeat, {"/attempt/deadline_us": 1700000000000000})
	fixture.lines(delivery.deny) == [
		"delivery.out_of_time: the attempt's time was over at 2023-11-14T22:13:20Z",
	] with input as question
}

test_a_heartbeat_just_in_overtime if {
	question := fixture.changed(fixture.heartbeat, {"/attempt/deadline_us": fixture.now_us - 600000000})
	fixture.lines(delivery.deny) == [] with input as question
}

test_a_heartbeat_just_out_of_time if {
	question := fixture.changed(fixture.heartbeat, {"/attempt/deadline_us": fixture.now_us - 600000001})
	fixture.lines(delivery.deny) == [
		"delivery.out_of_time: the attempt's time was over at 2026-09-21T14:03:19.999999Z",
	] with input as question
}

test_a_heartbeat_of_no_known_deadline if {
	fixture.lines(delivery.deny) == [
		"delivery.out_of_time: the attempt's time was over at 1970-01-01T00:00:00Z",
	] with input as json.remove(fixture.heartbeat, ["/attempt/deadline_us"])
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

test_a_open_out_of_time if {
	question := fixture.changed(fixture.open, {"/attempt/deadline_us": 1700000000000000})
	fixture.lines(delivery.deny) == [
		"delivery.out_of_time: the attempt's time was over at 2023-11-14T22:13:20Z",
	] with input as question
}

test_a_open_just_in_overtime if {
	question := fixture.changed(fixture.open, {"/attempt/deadline_us": fixture.now_us - 600000000})
	fixture.lines(delivery.deny) == [] with input as question
}

test_a_open_just_out_of_time if {
	question := fixture.changed(fixture.open, {"/attempt/deadline_us": fixture.now_us - 600000001})
	fixture.lines(delivery.deny) == [
		"delivery.out_of_time: the attempt's time was over at 2026-09-21T14:03:19.999999Z",
	] with input as question
}

test_a_open_of_no_known_deadline if {
	fixture.lines(delivery.deny) == [
		"delivery.out_of_time: the attempt's time was over at 1970-01-01T00:00:00Z",
	] with input as json.remove(fixture.open, ["/attempt/deadline_us"])
}

test_a_heartbeat_of_a_push_out_of_time if {
	question := fixture.changed(fixture.heartbeat, {"/attempt/state": "pushed", "/attempt/deadline_us": 1700000000000000})
	fixture.lines(delivery.deny) == [
		"delivery.out_of_time: the attempt's time was over at 2023-11-14T22:13:20Z",
	] with input as question
}

test_a_heartbeat_of_a_proposal_out_of_time if {
	question := fixture.changed(fixture.heartbeat, {"/attempt/state": "proposed", "/attempt/deadline_us": 1700000000000000})
	fixture.lines(delivery.deny) == [] with input as question
}

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

test_the_last_push if {
	question := fixture.changed(fixture.push, {"/attempt/push_attempts": 2})
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {} with input as question
}

test_the_last_push_refused if {
	question := fixture.changed(fixture.push, {"/attempt/push_attempts": 2, "/push/ref": "x"})
	fixture.lines(delivery.deny) == [
		"delivery.ref: x is not the attempt's branch refs/heads/agent/01JAZ0000000000000000000AA",
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

test_the_last_push_refused_for_a_problem if {
	question := fixture.changed(fixture.push, {"/attempt/push_attempts": 2, "/push/problems": [{"code": "scope.x", "message": "m"}]})
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {
		"end": true,
	} with input as question
}

test_the_last_push_refused_for_its_paths if {
	question := fixture.changed(fixture.push, {"/attempt/push_attempts": 2, "/changes": [fixture.added("x")]})
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {
		"end": true,
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

test_a_pull_request_without_a_push if {
	question := fixture.changed(fixture.open, {"/attempt/pushed_commit": ""})
	fixture.lines(delivery.deny) == [
		"delivery.not_pushed: the attempt's commit is not on the upstream",
	] with input as question
}

test_a_pull_request_of_an_odd_commit if {
	question := fixture.changed(fixture.open, {"/attempt/pushed_commit": "222222222222222222222222222222222222222"})
	fixture.lines(delivery.deny) == [
		"delivery.not_pushed: the attempt's commit is not on the upstream",
	] with input as question
}

test_a_pull_request_of_too_long_a_commit if {
	question := fixture.changed(fixture.open, {"/attempt/pushed_commit": "22222222222222222222222222222222222222222"})
	fixture.lines(delivery.deny) == [
		"delivery.not_pushed: the attempt's commit is not on the upstream",
	] with input as question
}

test_a_summary_that_is_too_long if {
	question := fixture.changed(fixture.open, {"/request/summary_length": 4001})
	fixture.lines(delivery.deny) == [
		"delivery.summary_too_long: the summary has more than 4000 characters",
	] with input as question
}

test_a_summary_as_long_as_may_be if {
	question := fixture.changed(fixture.open, {"/request/summary_length": 4000})
	fixture.lines(delivery.deny) == [] with input as question
}

test_a_pull_request_of_probe_true_while_half_open if {
	question := fixture.changed(fixture.open, {"/attempt/probe": true, "/state/circuit/state": "half_open"})
	delivery.obligations == {
		"circuit": {"event": "closed"},
	} with input as question
}

test_a_pull_request_of_probe_true_while_closed if {
	question := fixture.changed(fixture.open, {"/attempt/probe": true, "/state/circuit/state": "closed"})
	delivery.obligations == {
		"circuit": null,
	} with input as question
}

test_a_pull_request_of_probe_true_while_open if {
	question := fixture.changed(fixture.open, {"/attempt/probe": true, "/state/circuit/state": "open"})
	delivery.obligations == {
		"circuit": null,
	} with input as question
}

test_a_pull_request_of_probe_false_while_half_open if {
	question := fixture.changed(fixture.open, {"/attempt/probe": false, "/state/circuit/state": "half_open"})
	delivery.obligations == {
		"circuit": null,
	} with input as question
}

test_a_pull_request_of_probe_false_while_closed if {
	question := fixture.changed(fixture.open, {"/attempt/probe": false, "/state/circuit/state": "closed"})
	delivery.obligations == {
		"circuit": null,
	} with input as question
}

test_a_pull_request_of_probe_false_while_open if {
	question := fixture.changed(fixture.open, {"/attempt/probe": false, "/state/circuit/state": "open"})
	delivery.obligations == {
		"circuit": null,
	} with input as question
}

test_an_artifact_named_182 if {
	fixture.lines(delivery.deny) == [
		"delivery.artifact_name: an artifact cannot have the name .",
	] with input as fixture.changed(fixture.artifact, {"/request/name": "."})
}

test_an_artifact_named_183 if {
	fixture.lines(delivery.deny) == [
		"delivery.artifact_name: an artifact cannot have the name ..",
	] with input as fixture.changed(fixture.artifact, {"/request/name": ".."})
}

test_an_artifact_named_184 if {
	fixture.lines(delivery.deny) == [] with input as fixture.changed(fixture.artifact, {"/request/name": "a"})
}

test_an_artifact_named_185 if {
	fixture.lines(delivery.deny) == [] with input as fixture.changed(fixture.artifact, {"/request/name": ".a"})
}

test_an_artifact_named_186 if {
	fixture.lines(delivery.deny) == [
		"delivery.artifact_name: an artifact cannot have the name A",
	] with input as fixture.changed(fixture.artifact, {"/request/name": "A"})
}

test_an_artifact_named_187 if {
	fixture.lines(delivery.deny) == [
		"delivery.artifact_name: an artifact cannot have the name a b",
	] with input as fixture.changed(fixture.artifact, {"/request/name": "a b"})
}

test_an_artifact_named_188 if {
	fixture.lines(delivery.deny) == [
		"delivery.artifact_name: an artifact cannot have the name ",
	] with input as fixture.changed(fixture.artifact, {"/request/name": ""})
}

test_an_artifact_named_189 if {
	fixture.lines(delivery.deny) == [
		"delivery.artifact_name: an artifact cannot have the name a/b",
	] with input as fixture.changed(fixture.artifact, {"/request/name": "a/b"})
}

test_an_artifact_named_190 if {
	question := fixture.changed(fixture.artifact, {"/request/name": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"})
	fixture.lines(delivery.deny) == [] with input as question
}

test_an_artifact_named_191 if {
	question := fixture.changed(fixture.artifact, {"/request/name": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"})
	fixture.lines(delivery.deny) == [
		"delivery.artifact_name: an artifact cannot have the name aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	] with input as question
}

test_an_artifact_named_192 if {
	question := fixture.changed(fixture.artifact, {"/request/name": "-_.0z"})
	fixture.lines(delivery.deny) == [] with input as question
}

test_an_artifact_without_a_name if {
	fixture.lines(delivery.deny) == [
		"delivery.artifact_name: an artifact cannot have the name ?",
	] with input as json.remove(fixture.artifact, ["/request/name"])
}

test_an_artifact_of_a_size_194 if {
	fixture.lines(delivery.deny) == [
		"delivery.artifact_too_large: an artifact has at most 10485760 bytes",
	] with input as fixture.changed(fixture.artifact, {"/request/total": 11})
}

test_an_artifact_of_a_size_195 if {
	question := fixture.changed(fixture.artifact, {"/request/offset": -1, "/request/total": 9})
	fixture.lines(delivery.deny) == [
		"delivery.artifact_too_large: an artifact has at most 10485760 bytes",
	] with input as question
}

test_an_artifact_of_a_size_196 if {
	question := fixture.changed(fixture.artifact, {"/request/size": -1, "/request/total": -1})
	fixture.lines(delivery.deny) == [
		"delivery.artifact_too_large: an artifact has at most 10485760 bytes",
	] with input as question
}

test_an_artifact_of_a_size_197 if {
	question := fixture.changed(fixture.artifact, {"/request/size": 0, "/request/total": 0})
	fixture.lines(delivery.deny) == [] with input as question
}

test_an_artifact_of_a_size_198 if {
	question := fixture.changed(fixture.artifact, {"/request/offset": 10485750, "/request/total": 10485760})
	fixture.lines(delivery.deny) == [] with input as question
}

test_an_artifact_of_a_size_199 if {
	question := fixture.changed(fixture.artifact, {"/request/offset": 10485751, "/request/total": 10485761})
	fixture.lines(delivery.deny) == [
		"delivery.artifact_too_large: an artifact has at most 10485760 bytes",
	] with input as question
}

test_an_artifact_of_a_size_200 if {
	fixture.lines(delivery.deny) == [] with input as fixture.changed(fixture.artifact, {"/request/count": 50})
}

test_an_artifact_of_a_size_201 if {
	fixture.lines(delivery.deny) == [
		"delivery.too_many_artifacts: an attempt leaves at most 50 artifacts",
	] with input as fixture.changed(fixture.artifact, {"/request/count": 51})
}

test_an_artifact_without_a_count if {
	fixture.lines(delivery.deny) == [
		"delivery.too_many_artifacts: an attempt leaves at most 50 artifacts",
	] with input as json.remove(fixture.artifact, ["/request/count"])
}

test_an_agent_with_type_203 if {
	question := fixture.changed(fixture.run, {"/config/values/agents/coder/type": "odd"})
	fixture.lines(delivery.deny) == [
		"delivery.agent_incomplete: the config's agent coder has no proper type",
	] with input as question
	delivery.obligations == {} with input as question
}

test_an_agent_with_command_204 if {
	question := fixture.changed(fixture.run, {"/config/values/agents/coder/command": []})
	fixture.lines(delivery.deny) == [
		"delivery.agent_incomplete: the config's agent coder has no proper command",
	] with input as question
	delivery.obligations == {} with input as question
}

test_an_agent_with_command_205 if {
	question := fixture.changed(fixture.run, {"/config/values/agents/coder/command": ["a", 7]})
	fixture.lines(delivery.deny) == [
		"delivery.agent_incomplete: the config's agent coder has no proper command",
	] with input as question
	delivery.obligations == {} with input as question
}

test_an_agent_with_command_206 if {
	question := fixture.changed(fixture.run, {"/config/values/agents/coder/command": "a"})
	fixture.lines(delivery.deny) == [
		"delivery.agent_incomplete: the config's agent coder has no proper command",
	] with input as question
	delivery.obligations == {} with input as question
}

test_an_agent_with_stdin_207 if {
	question := fixture.changed(fixture.run, {"/config/values/agents/coder/stdin": "all"})
	fixture.lines(delivery.deny) == [
		"delivery.agent_incomplete: the config's agent coder has no proper stdin",
	] with input as question
	delivery.obligations == {} with input as question
}

test_an_agent_with_stdin_208 if {
	question := fixture.changed(fixture.run, {"/config/values/agents/coder/stdin": "none"})
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {
		"agent": "coder",
		"command": ["coder", "--fast"],
		"env": {"MODE": "x"},
		"env_from": ["KEY"],
		"limits": {"memory_mb": 2048, "output_max_kb": 10240},
		"sandbox": {"connect_ports": [443], "off": false, "read": ["/usr/share"], "required": true},
		"stdin": "none",
		"type": "command",
		"verify": [{"command": ["make", "test"], "name": "unit", "timeout_seconds": 300}],
	} with input as question
}

test_an_agent_with_env_209 if {
	question := fixture.changed(fixture.run, {"/config/values/agents/coder/env": {"A": 7}})
	fixture.lines(delivery.deny) == [
		"delivery.agent_incomplete: the config's agent coder has no proper env",
	] with input as question
	delivery.obligations == {} with input as question
}

test_an_agent_with_env_210 if {
	question := fixture.changed(fixture.run, {"/config/values/agents/coder/env": null})
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {
		"agent": "coder",
		"command": ["coder", "--fast"],
		"env": {},
		"env_from": ["KEY"],
		"limits": {"memory_mb": 2048, "output_max_kb": 10240},
		"sandbox": {"connect_ports": [443], "off": false, "read": ["/usr/share"], "required": true},
		"stdin": "prompt",
		"type": "command",
		"verify": [{"command": ["make", "test"], "name": "unit", "timeout_seconds": 300}],
	} with input as question
}

test_an_agent_with_env_211 if {
	question := fixture.changed(fixture.run, {"/config/values/agents/coder/env": ["x"]})
	fixture.lines(delivery.deny) == [
		"delivery.agent_incomplete: the config's agent coder has no proper env",
	] with input as question
	delivery.obligations == {} with input as question
}

test_an_agent_with_env_from_212 if {
	question := fixture.changed(fixture.run, {"/config/values/agents/coder/env_from": [7]})
	fixture.lines(delivery.deny) == [
		"delivery.agent_incomplete: the config's agent coder has no proper env_from",
	] with input as question
	delivery.obligations == {} with input as question
}

test_an_agent_with_env_from_213 if {
	question := fixture.changed(fixture.run, {"/config/values/agents/coder/env_from": null})
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {
		"agent": "coder",
		"command": ["coder", "--fast"],
		"env": {"MODE": "x"},
		"env_from": [],
		"limits": {"memory_mb": 2048, "output_max_kb": 10240},
		"sandbox": {"connect_ports": [443], "off": false, "read": ["/usr/share"], "required": true},
		"stdin": "prompt",
		"type": "command",
		"verify": [{"command": ["make", "test"], "name": "unit", "timeout_seconds": 300}],
	} with input as question
}

test_an_agent_with_env_from_214 if {
	question := fixture.changed(fixture.run, {"/config/values/agents/coder/env_from": {"a": "x"}})
	fixture.lines(delivery.deny) == [
		"delivery.agent_incomplete: the config's agent coder has no proper env_from",
	] with input as question
	delivery.obligations == {} with input as question
}

test_an_agent_with_sandbox_215 if {
	question := fixture.changed(fixture.run, {"/config/values/agents/coder/sandbox": "some"})
	fixture.lines(delivery.deny) == [
		"delivery.agent_incomplete: the config's agent coder has no proper sandbox",
	] with input as question
	delivery.obligations == {} with input as question
}

test_an_agent_with_sandbox_216 if {
	question := fixture.changed(fixture.run, {"/config/values/agents/coder/sandbox": "off"})
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {
		"agent": "coder",
		"command": ["coder", "--fast"],
		"env": {"MODE": "x"},
		"env_from": ["KEY"],
		"limits": {"memory_mb": 2048, "output_max_kb": 10240},
		"sandbox": {"connect_ports": [443], "off": true, "read": ["/usr/share"], "required": false},
		"stdin": "prompt",
		"type": "command",
		"verify": [{"command": ["make", "test"], "name": "unit", "timeout_seconds": 300}],
	} with input as question
}

test_an_agent_with_memory_mb_217 if {
	question := fixture.changed(fixture.run, {"/config/values/agents/coder/memory_mb": "1"})
	fixture.lines(delivery.deny) == [
		"delivery.agent_incomplete: the config's agent coder has no proper memory_mb",
	] with input as question
	delivery.obligations == {} with input as question
}

test_an_agent_with_output_max_kb_218 if {
	question := fixture.changed(fixture.run, {"/config/values/agents/coder/output_max_kb": "1"})
	fixture.lines(delivery.deny) == [
		"delivery.agent_incomplete: the config's agent coder has no proper output_max_kb",
	] with input as question
	delivery.obligations == {} with input as question
}

test_an_agent_with_type_219 if {
	question := fixture.changed(fixture.run, {"/config/values/agents/coder/type": "scaffold"})
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {
		"agent": "coder",
		"command": ["coder", "--fast"],
		"env": {"MODE": "x"},
		"env_from": ["KEY"],
		"limits": {"memory_mb": 2048, "output_max_kb": 10240},
		"sandbox": {"connect_ports": [443], "off": false, "read": ["/usr/share"], "required": true},
		"stdin": "prompt",
		"type": "scaffold",
		"verify": [{"command": ["make", "test"], "name": "unit", "timeout_seconds": 300}],
	} with input as question
}

test_an_agent_with_memory_mb_220 if {
	question := fixture.changed(fixture.run, {"/config/values/agents/coder/memory_mb": null})
	fixture.lines(delivery.deny) == [
		"delivery.agent_incomplete: the config's agent coder has no proper memory_mb",
	] with input as question
	delivery.obligations == {} with input as question
}

test_an_agent_with_output_max_kb_221 if {
	question := fixture.changed(fixture.run, {"/config/values/agents/coder/output_max_kb": null})
	fixture.lines(delivery.deny) == [
		"delivery.agent_incomplete: the config's agent coder has no proper output_max_kb",
	] with input as question
	delivery.obligations == {} with input as question
}

test_a_scaffold if {
	question := fixture.changed(fixture.run, {"/config/values/agents/coder/type": "scaffold", "/config/values/agents/coder/command": null})
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {
		"agent": "coder",
		"command": [],
		"env": {"MODE": "x"},
		"env_from": ["KEY"],
		"limits": {"memory_mb": 2048, "output_max_kb": 10240},
		"sandbox": {"connect_ports": [443], "off": false, "read": ["/usr/share"], "required": true},
		"stdin": "prompt",
		"type": "scaffold",
		"verify": [{"command": ["make", "test"], "name": "unit", "timeout_seconds": 300}],
	} with input as question
}

test_an_agent_that_is_not_known if {
	fixture.lines(delivery.deny) == [
		"delivery.unknown_agent: the config has no agent coder",
	] with input as fixture.changed(fixture.run, {"/agent/known": false})
}

test_an_agent_that_was_not_reserved if {
	fixture.lines(delivery.deny) == [
		"delivery.unknown_agent: the config has no agent coder",
	] with input as fixture.changed(fixture.run, {"/attempt/agent": "root"})
}

test_an_agent_that_the_config_lacks if {
	fixture.lines(delivery.deny) == [
		"delivery.unknown_agent: the config has no agent coder",
	] with input as json.remove(fixture.run, ["/config/values/agents/coder"])
}

test_an_agent_that_is_no_object if {
	question := fixture.changed(fixture.run, {"/config/values/agents/coder": "x"})
	fixture.lines(delivery.deny) == [
		"delivery.unknown_agent: the config has no agent coder",
	] with input as question
}

test_no_agent if {
	fixture.lines(delivery.deny) == [
		"delivery.agent_not_selectable: a task may not choose the agent ?",
		"delivery.unknown_agent: the config has no agent ?",
	] with input as json.remove(fixture.run, ["/agent"])
}

test_an_agent_that_is_not_for_choice if {
	question := fixture.changed(fixture.run, {"/config/values/agents/root": fixture.root, "/agent/name": "root", "/attempt/agent": "root", "/attempt/task/agent": "root"})
	fixture.lines(delivery.deny) == [
		"delivery.agent_not_selectable: a task may not choose the agent root",
	] with input as question
}

test_an_agent_that_was_not_chosen if {
	question := fixture.changed(fixture.run, {"/config/values/agents/root": fixture.root, "/agent/name": "root", "/attempt/agent": "root", "/attempt/task/agent": ""})
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {
		"agent": "root",
		"command": ["root"],
		"env": {},
		"env_from": [],
		"limits": {"memory_mb": 512, "output_max_kb": 1024},
		"sandbox": {"connect_ports": [443], "off": true, "read": ["/usr/share"], "required": false},
		"stdin": "none",
		"type": "command",
		"verify": [{"command": ["make", "test"], "name": "unit", "timeout_seconds": 300}],
	} with input as question
}

test_an_agent_that_is_the_default if {
	question := fixture.changed(fixture.run, {"/config/values/agents/root": fixture.root, "/agent/name": "root", "/attempt/agent": "root", "/attempt/task/agent": "root", "/config/values/default_agent": "root"})
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {
		"agent": "root",
		"command": ["root"],
		"env": {},
		"env_from": [],
		"limits": {"memory_mb": 512, "output_max_kb": 1024},
		"sandbox": {"connect_ports": [443], "off": true, "read": ["/usr/share"], "required": false},
		"stdin": "none",
		"type": "command",
		"verify": [{"command": ["make", "test"], "name": "unit", "timeout_seconds": 300}],
	} with input as question
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

test_a_sandbox_that_is_optional if {
	question := fixture.changed(fixture.run, {"/config/values/sandbox": {"mode": "optional", "read": null, "connect_ports": null}})
	delivery.obligations == {
		"agent": "coder",
		"command": ["coder", "--fast"],
		"env": {"MODE": "x"},
		"env_from": ["KEY"],
		"limits": {"memory_mb": 2048, "output_max_kb": 10240},
		"sandbox": {"connect_ports": [], "off": false, "read": [], "required": false},
		"stdin": "prompt",
		"type": "command",
		"verify": [{"command": ["make", "test"], "name": "unit", "timeout_seconds": 300}],
	} with input as question
}

test_a_sandbox_that_is_required if {
	question := fixture.changed(fixture.run, {"/config/values/sandbox/mode": "x"})
	delivery.obligations == {
		"agent": "coder",
		"command": ["coder", "--fast"],
		"env": {"MODE": "x"},
		"env_from": ["KEY"],
		"limits": {"memory_mb": 2048, "output_max_kb": 10240},
		"sandbox": {"connect_ports": [443], "off": false, "read": ["/usr/share"], "required": true},
		"stdin": "prompt",
		"type": "command",
		"verify": [{"command": ["make", "test"], "name": "unit", "timeout_seconds": 300}],
	} with input as question
}

test_a_run_of_no_verification if {
	delivery.obligations == {} with input as fixture.changed(fixture.run, {"/attempt/task/verify": []})
}

test_a_start_with_a_timeout_239 if {
	question := fixture.changed(fixture.start, {"/attempt/task/timeout_seconds": 1})
	delivery.obligations == {
		"lease_seconds": 60,
		"timeout_seconds": 1,
	} with input as question
}

test_a_start_with_a_timeout_240 if {
	question := fixture.changed(fixture.start, {"/attempt/task/timeout_seconds": 900})
	delivery.obligations == {
		"lease_seconds": 60,
		"timeout_seconds": 900,
	} with input as question
}

test_a_start_with_a_timeout_241 if {
	question := fixture.changed(fixture.start, {"/attempt/task/timeout_seconds": 901})
	delivery.obligations == {
		"lease_seconds": 60,
		"timeout_seconds": 900,
	} with input as question
}

test_a_start_with_a_timeout_242 if {
	question := fixture.changed(fixture.start, {"/attempt/task/timeout_seconds": 0})
	delivery.obligations == {
		"lease_seconds": 60,
		"timeout_seconds": 900,
	} with input as question
}

test_a_start_with_a_timeout_243 if {
	question := fixture.changed(fixture.start, {"/attempt/task/timeout_seconds": -1})
	delivery.obligations == {
		"lease_seconds": 60,
		"timeout_seconds": 900,
	} with input as question
}

test_a_start_with_a_timeout_244 if {
	question := fixture.changed(fixture.start, {"/attempt/task/timeout_seconds": "1"})
	delivery.obligations == {
		"lease_seconds": 60,
		"timeout_seconds": 900,
	} with input as question
}

test_a_start_with_a_timeout_245 if {
	question := fixture.changed(fixture.start, {"/attempt/task/timeout_seconds": null})
	delivery.obligations == {
		"lease_seconds": 60,
		"timeout_seconds": 900,
	} with input as question
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

test_a_cancel if {
	question := fixture.finish("cancelled", "", "running")
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "", "state": "cancelled"},
		"retry": null,
	} with input as question
}

test_a_failure_by_agent_error if {
	question := fixture.finish("failed", "agent_error", "running")
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "agent_error", "state": "failed"},
		"retry": {"not_before_us": 1790000060000000},
	} with input as question
}

test_a_failure_by_timeout if {
	question := fixture.finish("failed", "timeout", "running")
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "timeout", "state": "failed"},
		"retry": {"not_before_us": 1790000060000000},
	} with input as question
}

test_a_failure_by_no_change if {
	question := fixture.finish("failed", "no_change", "running")
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "no_change", "state": "failed"},
		"retry": {"not_before_us": 1790000060000000},
	} with input as question
}

test_a_failure_by_verify_failed if {
	question := fixture.finish("failed", "verify_failed", "running")
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "verify_failed", "state": "failed"},
		"retry": {"not_before_us": 1790000060000000},
	} with input as question
}

test_a_failure_by_denied if {
	question := fixture.finish("failed", "denied", "running")
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "denied", "state": "failed"},
		"retry": {"not_before_us": 1790000060000000},
	} with input as question
}

test_a_failure_by_sandbox if {
	question := fixture.finish("failed", "sandbox", "running")
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "sandbox", "state": "failed"},
		"retry": {"not_before_us": 1790000060000000},
	} with input as question
}

test_a_failure_by_lost if {
	question := fixture.finish("failed", "lost", "running")
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "lost", "state": "failed"},
		"retry": null,
	} with input as question
}

test_a_failure_by_launch if {
	question := fixture.finish("failed", "launch", "running")
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "launch", "state": "failed"},
		"retry": null,
	} with input as question
}

test_a_failure_by_upstream if {
	question := fixture.finish("failed", "upstream", "running")
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "upstream", "state": "failed"},
		"retry": null,
	} with input as question
}

test_a_failure_by_internal if {
	question := fixture.finish("failed", "internal", "running")
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "internal", "state": "failed"},
		"retry": null,
	} with input as question
}

test_a_failure_by_odd if {
	question := fixture.finish("failed", "odd", "running")
	fixture.lines(delivery.deny) == [
		"delivery.outcome: an attempt cannot end as failed odd",
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

test_a_failure_while_off if {
	question := fixture.changed(fixture.finish("failed", "timeout", "running"), {"/config/values/autonomy_enabled": false})
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "", "state": "cancelled"},
		"retry": null,
	} with input as question
}

test_a_failure_of_the_machinery_while_off if {
	question := fixture.changed(fixture.finish("failed", "internal", "running"), {"/config/values/autonomy_enabled": false})
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "", "state": "cancelled"},
		"retry": null,
	} with input as question
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

test_a_failure_while_halted if {
	question := fixture.changed(fixture.finish("failed", "timeout", "running"), {"/halt/target": {}})
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "", "state": "cancelled"},
		"retry": null,
	} with input as question
}

test_a_failure_of_the_machinery_while_halted if {
	question := fixture.changed(fixture.finish("failed", "internal", "running"), {"/halt/target": {}})
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "", "state": "cancelled"},
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

test_a_failure_while_halted_all if {
	question := fixture.changed(fixture.finish("failed", "timeout", "running"), {"/halt/all": {}})
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "", "state": "cancelled"},
		"retry": null,
	} with input as question
}

test_a_failure_of_the_machinery_while_halted_all if {
	question := fixture.changed(fixture.finish("failed", "internal", "running"), {"/halt/all": {}})
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "", "state": "cancelled"},
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

test_a_failure_while_off_by_an_invalid_config if {
	question := fixture.changed(fixture.finish("failed", "timeout", "running"), {"/config/values/autonomy_enabled": false, "/config/state": "invalid"})
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "timeout", "state": "failed"},
		"retry": {"not_before_us": 1790000060000000},
	} with input as question
}

test_a_failure_of_the_machinery_while_off_by_an_invalid_config if {
	question := fixture.changed(fixture.finish("failed", "internal", "running"), {"/config/values/autonomy_enabled": false, "/config/state": "invalid"})
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "internal", "state": "failed"},
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

test_a_failure_while_halted_by_something if {
	question := fixture.changed(fixture.finish("failed", "timeout", "running"), {"/halt/all": "x", "/halt/target": "x"})
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "timeout", "state": "failed"},
		"retry": {"not_before_us": 1790000060000000},
	} with input as question
}

test_a_failure_of_the_machinery_while_halted_by_something if {
	question := fixture.changed(fixture.finish("failed", "internal", "running"), {"/halt/all": "x", "/halt/target": "x"})
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "internal", "state": "failed"},
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

test_a_failure_after_0 if {
	question := fixture.changed(fixture.finish("failed", "timeout", "running"), {"/state/tasks/T-1": fixture.record({"counted": 0})})
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "timeout", "state": "failed"},
		"retry": {"not_before_us": 1790000060000000},
	} with input as question
}

test_a_failure_after_1 if {
	question := fixture.changed(fixture.finish("failed", "timeout", "running"), {"/state/tasks/T-1": fixture.record({"counted": 1})})
	delivery.obligations == {
		"block": true,
		"circuit": null,
		"end": {"failure_type": "timeout", "state": "failed"},
		"retry": null,
	} with input as question
}

test_a_failure_after_2 if {
	question := fixture.changed(fixture.finish("failed", "timeout", "running"), {"/state/tasks/T-1": fixture.record({"counted": 2})})
	delivery.obligations == {
		"block": true,
		"circuit": null,
		"end": {"failure_type": "timeout", "state": "failed"},
		"retry": null,
	} with input as question
}

test_a_failure_after_two_of_another_text if {
	question := fixture.changed(fixture.finish("failed", "timeout", "running"), {"/state/tasks/T-1": fixture.record({"counted": 2, "infrastructure": 4, "digest": "old"})})
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "timeout", "state": "failed"},
		"retry": {"not_before_us": 1790000060000000},
	} with input as question
}

test_a_failure_after_three_of_the_machinery if {
	question := fixture.changed(fixture.finish("failed", "timeout", "running"), {"/state/tasks/T-1": fixture.record({"infrastructure": 3})})
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "timeout", "state": "failed"},
		"retry": {"not_before_us": 1790000480000000},
	} with input as question
}

test_a_failure_of_the_machinery_after_3 if {
	question := fixture.changed(fixture.finish("failed", "internal", "running"), {"/state/tasks/T-1": fixture.record({"infrastructure": 3, "counted": 1})})
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "internal", "state": "failed"},
		"retry": null,
	} with input as question
}

test_a_failure_of_the_machinery_after_4 if {
	question := fixture.changed(fixture.finish("failed", "internal", "running"), {"/state/tasks/T-1": fixture.record({"infrastructure": 4, "counted": 1})})
	delivery.obligations == {
		"block": true,
		"circuit": null,
		"end": {"failure_type": "internal", "state": "failed"},
		"retry": null,
	} with input as question
}

test_a_failure_of_the_machinery_after_5 if {
	question := fixture.changed(fixture.finish("failed", "internal", "running"), {"/state/tasks/T-1": fixture.record({"infrastructure": 5, "counted": 1})})
	delivery.obligations == {
		"block": true,
		"circuit": null,
		"end": {"failure_type": "internal", "state": "failed"},
		"retry": null,
	} with input as question
}

test_a_failure_with_more_attempts_left if {
	question := fixture.changed(fixture.finish("failed", "timeout", "running"), {"/config/values/max_attempts_per_task": 3, "/state/tasks/T-1": fixture.record({"counted": 1})})
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "timeout", "state": "failed"},
		"retry": {"not_before_us": 1790000120000000},
	} with input as question
}

test_a_failure_with_the_longest_wait if {
	question := fixture.changed(fixture.finish("failed", "timeout", "running"), {"/config/values/limits/retry_backoff_max_seconds": 61, "/state/tasks/T-1": fixture.record({"infrastructure": 3})})
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "timeout", "state": "failed"},
		"retry": {"not_before_us": 1790000061000000},
	} with input as question
}

test_a_failure_after_0_while_closed if {
	question := fixture.changed(fixture.finish("failed", "timeout", "running"), {"/state/circuit/consecutive": 0, "/state/circuit/state": "closed"})
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "timeout", "state": "failed"},
		"retry": {"not_before_us": 1790000060000000},
	} with input as question
}

test_a_failure_after_0_while_open if {
	question := fixture.changed(fixture.finish("failed", "timeout", "running"), {"/state/circuit/consecutive": 0, "/state/circuit/state": "open"})
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "timeout", "state": "failed"},
		"retry": {"not_before_us": 1790000060000000},
	} with input as question
}

test_a_failure_after_0_while_half_open if {
	question := fixture.changed(fixture.finish("failed", "timeout", "running"), {"/state/circuit/consecutive": 0, "/state/circuit/state": "half_open"})
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "timeout", "state": "failed"},
		"retry": {"not_before_us": 1790000060000000},
	} with input as question
}

test_a_failure_after_1_while_closed if {
	question := fixture.changed(fixture.finish("failed", "timeout", "running"), {"/state/circuit/consecutive": 1, "/state/circuit/state": "closed"})
	delivery.obligations == {
		"block": false,
		"circuit": {"cause": "failures", "cooldown_seconds": 900, "event": "opened", "until_us": 1790000900000000},
		"end": {"failure_type": "timeout", "state": "failed"},
		"retry": {"not_before_us": 1790000060000000},
	} with input as question
}

test_a_failure_after_1_while_open if {
	question := fixture.changed(fixture.finish("failed", "timeout", "running"), {"/state/circuit/consecutive": 1, "/state/circuit/state": "open"})
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "timeout", "state": "failed"},
		"retry": {"not_before_us": 1790000060000000},
	} with input as question
}

test_a_failure_after_1_while_half_open if {
	question := fixture.changed(fixture.finish("failed", "timeout", "running"), {"/state/circuit/consecutive": 1, "/state/circuit/state": "half_open"})
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "timeout", "state": "failed"},
		"retry": {"not_before_us": 1790000060000000},
	} with input as question
}

test_a_failure_after_2_while_closed if {
	question := fixture.changed(fixture.finish("failed", "timeout", "running"), {"/state/circuit/consecutive": 2, "/state/circuit/state": "closed"})
	delivery.obligations == {
		"block": false,
		"circuit": {"cause": "failures", "cooldown_seconds": 900, "event": "opened", "until_us": 1790000900000000},
		"end": {"failure_type": "timeout", "state": "failed"},
		"retry": {"not_before_us": 1790000060000000},
	} with input as question
}

test_a_failure_after_2_while_open if {
	question := fixture.changed(fixture.finish("failed", "timeout", "running"), {"/state/circuit/consecutive": 2, "/state/circuit/state": "open"})
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "timeout", "state": "failed"},
		"retry": {"not_before_us": 1790000060000000},
	} with input as question
}

test_a_failure_after_2_while_half_open if {
	question := fixture.changed(fixture.finish("failed", "timeout", "running"), {"/state/circuit/consecutive": 2, "/state/circuit/state": "half_open"})
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "timeout", "state": "failed"},
		"retry": {"not_before_us": 1790000060000000},
	} with input as question
}

test_a_failure_of_the_machinery_in_a_row_of_3 if {
	question := fixture.changed(fixture.finish("failed", "internal", "running"), {"/state/circuit/infrastructure": 3})
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "internal", "state": "failed"},
		"retry": null,
	} with input as question
}

test_a_failure_of_the_machinery_in_a_row_of_4 if {
	question := fixture.changed(fixture.finish("failed", "internal", "running"), {"/state/circuit/infrastructure": 4})
	delivery.obligations == {
		"block": false,
		"circuit": {"cause": "infrastructure", "cooldown_seconds": 900, "event": "opened", "until_us": 1790000900000000},
		"end": {"failure_type": "internal", "state": "failed"},
		"retry": null,
	} with input as question
}

test_a_failure_of_the_machinery_in_a_row_of_5 if {
	question := fixture.changed(fixture.finish("failed", "internal", "running"), {"/state/circuit/infrastructure": 5})
	delivery.obligations == {
		"block": false,
		"circuit": {"cause": "infrastructure", "cooldown_seconds": 900, "event": "opened", "until_us": 1790000900000000},
		"end": {"failure_type": "internal", "state": "failed"},
		"retry": null,
	} with input as question
}

test_a_failure_of_the_machinery_in_a_row_while_open if {
	question := fixture.changed(fixture.finish("failed", "internal", "running"), {"/state/circuit/infrastructure": 4, "/state/circuit/state": "open"})
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "internal", "state": "failed"},
		"retry": null,
	} with input as question
}

test_failures_of_the_machinery_of_one_task if {
	question := fixture.changed(fixture.finish("failed", "internal", "running"), {"/state/circuit/infrastructure": 4, "/state/circuit/infrastructure_task": "T-1"})
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "internal", "state": "failed"},
		"retry": null,
	} with input as question
}

test_a_probe_that_failed_after_0_s if {
	question := fixture.changed(fixture.finish("failed", "timeout", "running"), {"/attempt/probe": true, "/state/circuit/state": "half_open", "/state/circuit/cooldown_seconds": 0})
	delivery.obligations == {
		"block": false,
		"circuit": {"cause": "failures", "cooldown_seconds": 2, "event": "opened", "until_us": 1790000002000000},
		"end": {"failure_type": "timeout", "state": "failed"},
		"retry": {"not_before_us": 1790000060000000},
	} with input as question
}

test_a_probe_that_failed_after_1_s if {
	question := fixture.changed(fixture.finish("failed", "timeout", "running"), {"/attempt/probe": true, "/state/circuit/state": "half_open", "/state/circuit/cooldown_seconds": 1})
	delivery.obligations == {
		"block": false,
		"circuit": {"cause": "failures", "cooldown_seconds": 2, "event": "opened", "until_us": 1790000002000000},
		"end": {"failure_type": "timeout", "state": "failed"},
		"retry": {"not_before_us": 1790000060000000},
	} with input as question
}

test_a_probe_that_failed_after_900_s if {
	question := fixture.changed(fixture.finish("failed", "timeout", "running"), {"/attempt/probe": true, "/state/circuit/state": "half_open", "/state/circuit/cooldown_seconds": 900})
	delivery.obligations == {
		"block": false,
		"circuit": {"cause": "failures", "cooldown_seconds": 1800, "event": "opened", "until_us": 1790001800000000},
		"end": {"failure_type": "timeout", "state": "failed"},
		"retry": {"not_before_us": 1790000060000000},
	} with input as question
}

test_a_probe_that_failed_after_20000_s if {
	question := fixture.changed(fixture.finish("failed", "timeout", "running"), {"/attempt/probe": true, "/state/circuit/state": "half_open", "/state/circuit/cooldown_seconds": 20000})
	delivery.obligations == {
		"block": false,
		"circuit": {"cause": "failures", "cooldown_seconds": 21600, "event": "opened", "until_us": 1790021600000000},
		"end": {"failure_type": "timeout", "state": "failed"},
		"retry": {"not_before_us": 1790000060000000},
	} with input as question
}

test_a_probe_that_the_machinery_failed if {
	question := fixture.changed(fixture.finish("failed", "internal", "running"), {"/attempt/probe": true, "/state/circuit/state": "half_open", "/state/circuit/cooldown_seconds": 900})
	delivery.obligations == {
		"block": false,
		"circuit": {"cause": "", "cooldown_seconds": 0, "event": "half_opened", "until_us": 0},
		"end": {"failure_type": "internal", "state": "failed"},
		"retry": null,
	} with input as question
}

test_a_probe_that_was_cancelled if {
	question := fixture.changed(fixture.finish("cancelled", "", "running"), {"/attempt/probe": true, "/state/circuit/state": "half_open", "/state/circuit/cooldown_seconds": 900})
	delivery.obligations == {
		"block": false,
		"circuit": {"cause": "", "cooldown_seconds": 0, "event": "half_opened", "until_us": 0},
		"end": {"failure_type": "", "state": "cancelled"},
		"retry": null,
	} with input as question
}

test_a_probe_that_succeeded if {
	question := fixture.changed(fixture.finish("succeeded", "", "proposed"), {"/attempt/probe": true, "/state/circuit/state": "half_open", "/state/circuit/cooldown_seconds": 900})
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "", "state": "succeeded"},
		"retry": null,
	} with input as question
}

test_no_probe_that_failed if {
	question := fixture.changed(fixture.finish("failed", "timeout", "running"), {"/attempt/probe": true, "/state/circuit/state": "half_open", "/state/circuit/cooldown_seconds": 900, "/attempt/probe": false})
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "timeout", "state": "failed"},
		"retry": {"not_before_us": 1790000060000000},
	} with input as question
}

test_a_probe_of_a_closed_breaker if {
	question := fixture.changed(fixture.finish("failed", "timeout", "running"), {"/attempt/probe": true, "/state/circuit/state": "half_open", "/state/circuit/cooldown_seconds": 900, "/state/circuit/state": "closed"})
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "timeout", "state": "failed"},
		"retry": {"not_before_us": 1790000060000000},
	} with input as question
}

test_without_a_config_failures if {
	question := json.remove(fixture.changed(fixture.finish("failed", "timeout", "running"), {"/state/circuit/consecutive": 1, "/state/tasks/T-1": fixture.record({"counted": 0})}), ["/config"])
	delivery.obligations == {
		"block": false,
		"circuit": {"cause": "failures", "cooldown_seconds": 900, "event": "opened", "until_us": 1790000900000000},
		"end": {"failure_type": "timeout", "state": "failed"},
		"retry": {"not_before_us": 1790000060000000},
	} with input as question
}

test_with_a_config_of_texts_failures if {
	question := fixture.changed(fixture.changed(fixture.finish("failed", "timeout", "running"), {"/state/circuit/consecutive": 1, "/state/tasks/T-1": fixture.record({"counted": 0})}), {"/config/values": {"max_attempts_per_task": "1", "circuit_breaker_failures": "1", "limits": {"retry_backoff_seconds": "1", "retry_backoff_max_seconds": "1"}, "circuit": {"cooldown_seconds": "1", "cooldown_max_seconds": "1"}}})
	delivery.obligations == {
		"block": false,
		"circuit": {"cause": "failures", "cooldown_seconds": 900, "event": "opened", "until_us": 1790000900000000},
		"end": {"failure_type": "timeout", "state": "failed"},
		"retry": {"not_before_us": 1790000060000000},
	} with input as question
}

test_without_a_config_failures_of_probe if {
	question := json.remove(fixture.changed(fixture.finish("failed", "timeout", "running"), {"/attempt/probe": true, "/state/circuit/state": "half_open", "/state/circuit/cooldown_seconds": 20000}), ["/config"])
	delivery.obligations == {
		"block": false,
		"circuit": {"cause": "failures", "cooldown_seconds": 21600, "event": "opened", "until_us": 1790021600000000},
		"end": {"failure_type": "timeout", "state": "failed"},
		"retry": {"not_before_us": 1790000060000000},
	} with input as question
}

test_with_a_config_of_texts_failures_of_probe if {
	question := fixture.changed(fixture.changed(fixture.finish("failed", "timeout", "running"), {"/attempt/probe": true, "/state/circuit/state": "half_open", "/state/circuit/cooldown_seconds": 20000}), {"/config/values": {"max_attempts_per_task": "1", "circuit_breaker_failures": "1", "limits": {"retry_backoff_seconds": "1", "retry_backoff_max_seconds": "1"}, "circuit": {"cooldown_seconds": "1", "cooldown_max_seconds": "1"}}})
	delivery.obligations == {
		"block": false,
		"circuit": {"cause": "failures", "cooldown_seconds": 21600, "event": "opened", "until_us": 1790021600000000},
		"end": {"failure_type": "timeout", "state": "failed"},
		"retry": {"not_before_us": 1790000060000000},
	} with input as question
}

test_without_a_config_the_longest_wait if {
	question := json.remove(fixture.changed(fixture.finish("failed", "timeout", "running"), {"/state/tasks/T-1": fixture.record({"infrastructure": 30})}), ["/config"])
	delivery.obligations == {
		"block": false,
		"circuit": null,
		"end": {"failure_type": "timeout", "state": "failed"},
		"retry": {"not_before_us": 1790003600000000},
	} with input as question
}

test_without_a_config_the_last_attempt if {
	question := json.remove(fixture.changed(fixture.finish("failed", "timeout", "running"), {"/state/tasks/T-1": fixture.record({"counted": 1})}), ["/config"])
	delivery.obligations == {
		"block": true,
		"circuit": null,
		"end": {"failure_type": "timeout", "state": "failed"},
		"retry": null,
	} with input as question
}
