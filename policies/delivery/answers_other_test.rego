package leviathan.delivery_test

import rego.v1

import data.leviathan.delivery
import data.leviathan.fixture_test as fixture

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

test_no_agent if {
	fixture.lines(delivery.deny) == [
		"delivery.agent_not_selectable: a task may not choose the agent ?",
		"delivery.unknown_agent: the config has no agent ?",
	] with input as json.remove(fixture.run, ["/agent"])
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
