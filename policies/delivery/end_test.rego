package leviathan.delivery_test

import rego.v1

import data.leviathan.fixture_test as fixture

_after(question) := _obligations(question)

_seconds(n) := fixture.now_us + (n * 1000000)

# _history is the question with other counts of the task and of the breaker.
_history(question, record, circuit) := object.union(question, {"state": {"circuit": circuit, "tasks": {"T-1": record}}})

_failed := fixture.finish("failed", "timeout", "running")

_lost := fixture.lost("evicted", "running")

_over := fixture.set(fixture.expire("lease", "running"), "/attempt/lease/live", false)

_probe(question) := object.union(question, {
	"attempt": {"probe": true},
	"state": {"circuit": {"state": "half_open", "probe": fixture.attempt_id, "cooldown_seconds": 900, "consecutive": 2}},
})

_half_opened := {"event": "half_opened", "cause": "", "cooldown_seconds": 0, "until_us": 0}

test_an_attempt_succeeds_only_from_proposed if {
	_after(fixture.finish("succeeded", "", "proposed")) == {
		"end": {"state": "succeeded", "failure_type": ""}, "circuit": null, "retry": null, "block": false,
	}
	_codes(fixture.finish("succeeded", "", "pushed")) == {"delivery.not_proposed"}
}

test_an_outcome_must_be_known if {
	_codes(fixture.finish("failed", "timeout", "running")) == set()
	_codes(fixture.finish("cancelled", "", "running")) == set()
	_codes(fixture.finish("failed", "bad luck", "running")) == {"delivery.outcome"}
	_codes(fixture.finish("merged", "", "proposed")) == {"delivery.outcome"}
}

test_a_counted_failure_is_tried_again_after_a_while if {
	_after(_failed) == {
		"end": {"state": "failed", "failure_type": "timeout"}, "circuit": null, "retry": {"not_before_us": _seconds(60)}, "block": false,
	}
}

test_the_last_counted_failure_blocks_the_task if {
	o := _after(_history(_failed, {"counted": 1}, {}))
	o.block == true
	o.retry == null
}

test_failures_of_another_text_do_not_count if {
	o := _after(_history(_failed, {"counted": 1, "digest": "sha256:other"}, {}))
	o.block == false
	o.retry == {"not_before_us": _seconds(60)}
}

_wait(n) := _after(_history(fixture.set(_failed, "/config/values/max_attempts_per_task", 100), {"counted": n}, {})).retry.not_before_us

test_each_failure_doubles_the_wait_up_to_the_maximum if {
	_wait(1) == _seconds(120)
	_wait(5) == _seconds(1920)
	_wait(6) == _seconds(3600)
	_wait(90) == _seconds(3600)
}

test_consecutive_failures_open_the_breaker if {
	_after(_history(_failed, {}, {"consecutive": 1})).circuit == {
		"event": "opened", "cause": "failures", "cooldown_seconds": 900, "until_us": _seconds(900),
	}
	_after(_history(_failed, {}, {"consecutive": 1, "state": "open"})).circuit == null
}

test_without_a_config_the_defaults_stand_in if {
	o := _after(_history(fixture.set(_failed, "/config", {"state": "absent", "values": null}), {}, {"consecutive": 1}))
	o.circuit.cooldown_seconds == 900
	o.retry == {"not_before_us": _seconds(60)}
	odd := fixture.set(_failed, "/config/values/limits/retry_backoff_seconds", "soon")
	_after(odd).retry == {"not_before_us": _seconds(60)}
}

test_what_a_stop_caused_ends_cancelled_and_counts_for_nothing if {
	every question in [
		fixture.set(_failed, "/config/values/autonomy_enabled", false),
		fixture.set(_failed, "/halt/all", {"reason": "fire"}),
		fixture.set(_failed, "/halt/target", {"reason": "fire"}),
		fixture.finish("cancelled", "", "running"),
	] {
		_after(_history(question, {"counted": 1}, {"consecutive": 1})) == {
			"end": {"state": "cancelled", "failure_type": ""}, "circuit": null, "retry": null, "block": false,
		}
	}
}

test_an_invalid_config_excuses_nothing if {
	_after(fixture.set(_failed, "/config/state", "invalid")).end.state == "failed"
}

test_a_worker_that_is_lost_fails if {
	_after(_lost) == {"end": {"state": "failed", "failure_type": "lost"}, "circuit": null, "retry": null, "block": false}
	_after(fixture.lost("image_pull", "running")).end.failure_type == "launch"
	_after(fixture.lost("job_failed", "reserved")).end.failure_type == "launch"
	_codes(fixture.lost("bored", "running")) == {"delivery.observed"}
}

test_what_was_proposed_has_been_delivered if {
	_after(fixture.lost("oom", "proposed")).end.state == "succeeded"
	_after(fixture.set(fixture.expire("lease", "proposed"), "/attempt/lease/live", false)).end.state == "succeeded"
}

test_five_failures_of_the_machinery_block_a_task_or_open_the_breaker if {
	own := {"infrastructure": 4, "infrastructure_task": "T-1"}
	_after(_history(_lost, {"infrastructure": 4}, own)) == {
		"end": {"state": "failed", "failure_type": "lost"}, "circuit": null, "retry": null, "block": true,
	}
	mixed := {"infrastructure": 4, "infrastructure_task": ""}
	_after(_history(_lost, {"infrastructure": 1}, mixed)).circuit == {
		"event": "opened", "cause": "infrastructure", "cooldown_seconds": 900, "until_us": _seconds(900),
	}
	_after(_history(_lost, {"infrastructure": 3}, {"infrastructure": 3})).circuit == null
}

test_an_attempt_expires_when_it_is_out_of_time if {
	_after(_over).end == {"state": "expired", "failure_type": "lost"}
	late := fixture.set(fixture.expire("start_deadline", "reserved"), "/attempt/start_deadline_us", fixture.now_us)
	_after(late).end == {"state": "expired", "failure_type": "launch"}
	_after(fixture.set(_over, "/halt/all", {"reason": "fire"})).end == {"state": "expired", "failure_type": ""}
}

test_an_attempt_does_not_expire_before if {
	_codes(fixture.expire("lease", "running")) == {"delivery.not_due"}
	_codes(fixture.set(_over, "/attempt/lease/known", false)) == {"delivery.not_due"}
	_codes(fixture.expire("start_deadline", "reserved")) == {"delivery.not_due"}
	_codes(fixture.expire("bored", "running")) == {"delivery.not_due"}
}

test_a_probe_that_fails_doubles_the_cooldown if {
	_after(_probe(_failed)).circuit == {"event": "opened", "cause": "failures", "cooldown_seconds": 1800, "until_us": _seconds(1800)}
	long := fixture.set(_probe(_failed), "/state/circuit/cooldown_seconds", 20000)
	_after(long).circuit.cooldown_seconds == 21600
}

test_a_probe_that_ends_otherwise_leaves_the_breaker_half_open if {
	_after(_probe(_lost)).circuit == _half_opened
	_after(_probe(_over)).circuit == _half_opened
	_after(_probe(fixture.finish("cancelled", "", "running"))).circuit == _half_opened
	_after(_probe(fixture.finish("succeeded", "", "proposed"))).circuit == null
}

test_the_tasks_record_must_be_known if {
	_codes(fixture.without(_failed, "/state/tasks/T-1")) == {"unknown.task_record"}
	_codes(fixture.set(_lost, "/state/tasks/T-1/counted", "1")) == {"unknown.task_record"}
}
