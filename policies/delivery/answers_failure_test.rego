package leviathan.delivery_test

import rego.v1

import data.leviathan.delivery
import data.leviathan.fixture_test as fixture

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
