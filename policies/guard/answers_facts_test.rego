package leviathan.guard_test

import rego.v1

import data.leviathan.fixture_test as fixture
import data.leviathan.guard

# _empty is a question that has nothing but what makes its fields looked at.

_empty(action) := {
	"action": action, "subject": {"role": "x"}, "config": {"values": {}}, "forge": {"known": true},
	"backlog": {"known": true}, "task_now": {"present": true},
}

# A field that is taken from a question that has all others is missed alone.

# _odd is of no type that a line of a faulty field asks for.

_odd(line) := "odd" if not contains(line, "string")

_odd(line) := 7.5 if contains(line, "string")

_of(question) := rs if {
	rs := guard.reasons with input as question
}

test_a_halt_of_all_for_fire if {
	question := fixture.changed(fixture.start, {"/halt/all": {"reason": "fire"}})
	fixture.lines(guard.reasons) == [
		"guard.halted_all: an operator has halted all targets: fire",
	] with input as question
}

test_a_halt_of_all_for_none if {
	question := fixture.changed(fixture.start, {"/halt/all": {"reason": ""}})
	fixture.lines(guard.reasons) == [
		"guard.halted_all: an operator has halted all targets: no reason is given",
	] with input as question
}

test_a_halt_of_all_for_odd if {
	fixture.lines(guard.reasons) == [
		"guard.halted_all: an operator has halted all targets: no reason is given",
	] with input as fixture.changed(fixture.start, {"/halt/all": {"reason": 7}})
}

test_a_halt_that_is_no_reason if {
	question := fixture.changed(fixture.start, {"/halt/all": {}, "/halt/target": {}})
	fixture.lines(guard.reasons) == [
		"guard.halted: an operator has halted this target: no reason is given",
		"guard.halted_all: an operator has halted all targets: no reason is given",
	] with input as question
}

test_a_halt_of_an_odd_type if {
	fixture.lines(guard.reasons) == [
		"unknown.halt: whether an operator has halted this target is not known",
	] with input as fixture.changed(fixture.start, {"/halt/all": "yes"})
}

test_a_halt_of_the_target_of_an_odd_type if {
	fixture.lines(guard.reasons) == [
		"unknown.halt: whether an operator has halted this target is not known",
	] with input as fixture.changed(fixture.start, {"/halt/target": "yes"})
}

test_a_config_without_a_reason if {
	question := json.remove(fixture.changed(fixture.start, {"/config/state": "invalid"}), ["/config/reason"])
	fixture.lines(guard.reasons) == [
		"guard.config_invalid: the autonomy config is invalid: no reason is given",
	] with input as question
}

test_a_backlog_without_a_reason if {
	question := json.remove(fixture.changed(fixture.plan, {"/backlog/known": false}), ["/backlog/reason"])
	fixture.lines(guard.reasons) == [
		"unknown.backlog: the backlog is not known: no reason is given",
	] with input as question
}

test_no_backlog if {
	fixture.lines(guard.reasons) == [
		"unknown.backlog: the backlog is not known: the question does not have it",
		"unknown.stale: the backlog was seen an unknown number of s ago, the limit is 600 s",
	] with input as json.remove(fixture.plan, ["/backlog"])
}

test_no_target_policy if {
	fixture.lines(guard.reasons) == [
		"unknown.target_policy: the target's own policy is not known: no reason is given",
	] with input as json.remove(fixture.push, ["/target_policy"])
}

test_no_forge if {
	fixture.lines(guard.reasons) == [
		"unknown.forge: the open pull requests are not known: no reason is given",
		"unknown.stale: the forge was seen an unknown number of s ago, the limit is 600 s",
	] with input as json.remove(fixture.plan, ["/forge"])
}

test_no_lease if {
	fixture.lines(guard.reasons) == [
		"unknown.lease: whether the attempt's lease lives is not known",
	] with input as json.remove(fixture.push, ["/attempt/lease"])
}

test_no_task_now if {
	fixture.lines(guard.reasons) == [
		"unknown.task: the task as it stands in the backlog now is not known",
	] with input as json.remove(fixture.push, ["/task_now"])
}

test_no_clock if {
	fixture.lines(guard.reasons) == [
		"unknown.clock: the clock is not known, or is more than 2 s behind the journal",
	] with input as json.remove(fixture.start, ["/time/clock"])
}

test_no_time if {
	fixture.lines(guard.reasons) == [
		"unknown.clock: the clock is not known, or is more than 2 s behind the journal",
	] with input as json.remove(fixture.start, ["/time"])
}

test_no_values if {
	fixture.lines(guard.reasons) == [
		"unknown.config_values: the autonomy config is valid and its values are missing",
	] with input as json.remove(fixture.plan, ["/config/values"])
}

test_values_of_an_odd_type if {
	fixture.lines(guard.reasons) == [
		"unknown.config_values: the autonomy config is valid and its values are missing",
	] with input as fixture.changed(fixture.plan, {"/config/values": "none"})
}

test_a_clock_behind_by_no_number if {
	question := fixture.changed(fixture.start, {"/time/clock/behind_seconds": "0"})
	fixture.lines(guard.reasons) == [
		"unknown.clock: the clock is not known, or is more than 2 s behind the journal",
	] with input as question
}

test_a_clock_behind_by_null if {
	question := fixture.changed(fixture.start, {"/time/clock/behind_seconds": null})
	fixture.lines(guard.reasons) == [
		"unknown.clock: the clock is not known, or is more than 2 s behind the journal",
	] with input as question
}

test_a_time_that_is_null if {
	fixture.lines(guard.reasons) == [
		"unknown.clock: the clock is not known, or is more than 2 s behind the journal",
	] with input as fixture.changed(fixture.start, {"/time/now_us": null})
}

test_a_time_that_is_a_text if {
	fixture.lines(guard.reasons) == [
		"unknown.clock: the clock is not known, or is more than 2 s behind the journal",
	] with input as fixture.changed(fixture.start, {"/time/now_us": "now"})
}

test_an_old_backlog if {
	fixture.lines(guard.reasons) == [
		"unknown.stale: the backlog was seen 601 s ago, the limit is 600 s",
	] with input as fixture.changed(fixture.plan, {"/backlog/age_seconds": 601})
}

test_a_backlog_of_no_age if {
	question := fixture.changed(fixture.plan, {"/backlog/age_seconds": null})
	fixture.lines(guard.reasons) == [
		"unknown.stale: the backlog was seen null s ago, the limit is 600 s",
	] with input as question
}

test_an_age_without_a_limit if {
	question := json.remove(fixture.plan, ["/config/values/limits/fact_max_age_seconds"])
	fixture.lines(guard.reasons) == [
		"unknown.stale: the backlog was seen 3 s ago, the limit is null s",
		"unknown.stale: the forge was seen 3 s ago, the limit is null s",
	] with input as question
}

test_an_age_with_a_limit_that_is_a_text if {
	question := fixture.changed(fixture.plan, {"/config/values/limits/fact_max_age_seconds": "600"})
	fixture.lines(guard.reasons) == [
		"unknown.stale: the backlog was seen 3 s ago, the limit is 600 s",
		"unknown.stale: the forge was seen 3 s ago, the limit is 600 s",
	] with input as question
}

test_an_age_with_a_limit_that_is_null if {
	question := fixture.changed(fixture.plan, {"/config/values/limits/fact_max_age_seconds": null})
	fixture.lines(guard.reasons) == [
		"unknown.stale: the backlog was seen 3 s ago, the limit is null s",
		"unknown.stale: the forge was seen 3 s ago, the limit is null s",
	] with input as question
}

test_an_old_mirror if {
	question := fixture.changed(fixture.mirrored, {"/mirror/age_seconds": 601})
	fixture.lines(guard.reasons) == [
		"unknown.stale: the backlog was seen 601 s ago, the limit is 600 s",
	] with input as question
}

test_an_old_forge if {
	fixture.lines(guard.reasons) == [
		"unknown.stale: the forge was seen 601 s ago, the limit is 600 s",
	] with input as fixture.changed(fixture.plan, {"/forge/age_seconds": 601})
}

test_a_forge_without_an_age if {
	fixture.lines(guard.reasons) == [
		"unknown.stale: the forge was seen an unknown number of s ago, the limit is 600 s",
	] with input as json.remove(fixture.plan, ["/forge/age_seconds"])
}

test_a_forge_that_is_too_old_to_open if {
	fixture.lines(guard.reasons) == [
		"unknown.stale: the forge was seen 31 s ago, the limit is 30 s",
	] with input as fixture.changed(fixture.open, {"/forge/age_seconds": 31})
}

test_a_forge_that_is_too_old_to_open_without_values if {
	question := fixture.changed(fixture.open, {"/forge/age_seconds": 31, "/config/values": null})
	fixture.lines(guard.reasons) == [
		"unknown.config_values: the autonomy config is valid and its values are missing",
		"unknown.stale: the forge was seen 31 s ago, the limit is 30 s",
	] with input as question
}

test_a_lease_that_is_not_known_to_live if {
	fixture.lines(guard.reasons) == [
		"unknown.lease: whether the attempt's lease lives is not known",
	] with input as fixture.changed(fixture.push, {"/attempt/lease/live": null})
}

test_a_lease_that_has_ended if {
	question := fixture.changed(fixture.push, {"/attempt/lease/live": false})
	fixture.lines(guard.reasons) == [
		"guard.lease_ended: the attempt's lease has ended",
	] with input as question
}

test_a_lease_that_is_not_known if {
	question := fixture.changed(fixture.push, {"/attempt/lease/known": false})
	fixture.lines(guard.reasons) == [
		"unknown.lease: whether the attempt's lease lives is not known",
	] with input as question
}

test_a_switch_that_is_off if {
	question := fixture.changed(fixture.push, {"/config/values/autonomy_enabled": false})
	fixture.lines(guard.reasons) == [
		"guard.switched_off: autonomy is switched off for this target",
	] with input as question
}

test_a_state_that_is_odd if {
	fixture.lines(guard.reasons) == [
		"unknown.config: the state of the autonomy config is not known",
	] with input as fixture.changed(fixture.push, {"/config/state": "odd"})
}

test_a_task_that_is_not_known_of_a_push if {
	question := fixture.changed(fixture.push, {"/task_now": {"known": false}})
	fixture.lines(guard.reasons) == [
		"unknown.task: the task as it stands in the backlog now is not known",
	] with input as question
}

test_a_task_that_is_not_known_of_a_heartbeat if {
	question := fixture.changed(fixture.heartbeat, {"/task_now": {"known": false}})
	fixture.lines(guard.reasons) == [] with input as question
}

test_a_task_that_is_not_there_has_no_fields if {
	question := fixture.changed(fixture.heartbeat, {"/task_now": {"known": true, "present": false, "task": null}})
	fixture.lines(guard.reasons) == [] with input as question
}

test_a_task_that_was_proposed_is_not_read if {
	question := fixture.changed(fixture.heartbeat, {"/attempt/state": "proposed", "/task_now": {"known": true, "present": true, "task": null}})
	fixture.lines(guard.reasons) == [] with input as question
}

test_a_task_whose_presence_is_odd if {
	question := fixture.changed(fixture.heartbeat, {"/task_now/present": "yes"})
	fixture.lines(guard.reasons) == [
		"unknown.task: the task as it stands in the backlog now is not known",
	] with input as question
}

test_a_fetch_by_the_operator_without_an_attempt if {
	question := json.remove(object.union(fixture.fetch, {"subject": fixture.component("operator")}), ["/attempt", "/task_now", "/config", "/halt"])
	fixture.lines(guard.reasons) == [] with input as question
}

test_a_fetch_by_the_reader_without_an_attempt if {
	question := json.remove(object.union(fixture.fetch, {"subject": fixture.component("reader")}), ["/attempt", "/task_now", "/config", "/halt"])
	fixture.lines(guard.reasons) == [] with input as question
}

test_a_fetch_by_the_scheduler_without_an_attempt if {
	question := json.remove(object.union(fixture.fetch, {"subject": fixture.component("scheduler")}), ["/attempt", "/task_now", "/config", "/halt"])
	fixture.lines(guard.reasons) == [
		"unknown.config: the state of the autonomy config is not known",
		"unknown.field: attempt.id is missing or is not of type string",
		"unknown.field: attempt.lease.known is missing or is not of type boolean",
		"unknown.field: attempt.lease.live is missing or is not of type boolean",
		"unknown.field: attempt.state is missing or is not of type string",
		"unknown.field: attempt.target is missing or is not of type string",
		"unknown.halt: whether an operator has halted this target is not known",
	] with input as question
}

test_a_push_by_hand if {
	question := object.union(fixture.without(fixture.push, "/push"), {"resource": {"properties": {"changes": []}}})
	fixture.lines(guard.reasons) == [] with input as question
}

test_a_push_by_hand_with_odd_changes if {
	question := object.union(fixture.without(fixture.push, "/push"), {"resource": {"properties": {"changes": "all"}}})
	fixture.lines(guard.reasons) == [
		"unknown.field: push.branch_exists is missing or is not of type boolean",
		"unknown.field: push.commit.author.email is missing or is not of type string",
		"unknown.field: push.commit.author.name is missing or is not of type string",
		"unknown.field: push.commit.id is missing or is not of type string",
		"unknown.field: push.commit.message is missing or is not of type string",
		"unknown.field: push.commit.parents is missing or is not of type array",
		"unknown.field: push.commit.tree is missing or is not of type string",
		"unknown.field: push.expected.author.email is missing or is not of type string",
		"unknown.field: push.expected.author.name is missing or is not of type string",
		"unknown.field: push.expected.message is missing or is not of type string",
		"unknown.field: push.expected_ref is missing or is not of type string",
		"unknown.field: push.new is missing or is not of type string",
		"unknown.field: push.old is missing or is not of type string",
		"unknown.field: push.pack_bytes is missing or is not of type number",
		"unknown.field: push.problems is missing or is not of type array",
		"unknown.field: push.ref is missing or is not of type string",
	] with input as question
}

test_a_push_with_changes_at_both_places if {
	question := object.union(fixture.without(fixture.push, "/push/ref"), {"resource": {"properties": {"changes": []}}})
	fixture.lines(guard.reasons) == [
		"unknown.field: push.ref is missing or is not of type string",
	] with input as question
}
