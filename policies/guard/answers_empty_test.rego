package leviathan.guard_test

import rego.v1

import data.leviathan.fixture_test as fixture
import data.leviathan.guard

test_each_field_alone_is_missed if {
	present := [
		fixture.plan, fixture.start, fixture.run, fixture.heartbeat, fixture.fetch, fixture.push, fixture.open, fixture.annotate, fixture.evidence,
		fixture.artifact, fixture.finish("succeeded", "", "proposed"), fixture.lost("oom", "running"), fixture.expire("lease", "running"),
		fixture.by("reader", "route.read", {"route": "/v1/attempts", "method": "GET"}),
	]
	silent := {[question.action, field] |
		some question in present
		some line in fixture.lines(_of(_empty(question.action)))
		startswith(line, "unknown.field: ")
		field := split(split(line, ": ")[1], " is missing")[0]
		path := concat("/", array.concat([""], split(field, ".")))
		not line in fixture.lines(_of(fixture.changed(question, {path: _odd(line)})))
	}
	silent == set()
}

test_nothing_is_known_to_a_start if {
	fixture.lines(guard.reasons) == [
		"unknown.clock: the clock is not known, or is more than 2 s behind the journal",
		"unknown.config: the state of the autonomy config is not known",
		"unknown.field: attempt.id is missing or is not of type string",
		"unknown.field: attempt.instance is missing or is not of type string",
		"unknown.field: attempt.start_deadline_us is missing or is not of type number",
		"unknown.field: attempt.state is missing or is not of type string",
		"unknown.field: attempt.target is missing or is not of type string",
		"unknown.field: attempt.task.allowed_paths is missing or is not of type array",
		"unknown.field: attempt.task.dependencies is missing or is not of type array",
		"unknown.field: attempt.task.scope is missing or is not of type string",
		"unknown.field: attempt.task.verify is missing or is not of type array",
		"unknown.field: resource.id is missing or is not of type string",
		"unknown.field: resource.properties.target is missing or is not of type string",
		"unknown.field: resource.type is missing or is not of type string",
		"unknown.field: subject.attempt is missing or is not of type string",
		"unknown.field: subject.id is missing or is not of type string",
		"unknown.field: subject.role is missing or is not of type string",
		"unknown.field: subject.target is missing or is not of type string",
		"unknown.field: subject.type is missing or is not of type string",
		"unknown.halt: whether an operator has halted this target is not known",
		"unknown.task: the task as it stands in the backlog now is not known",
	] with input as {"action": "attempt.start"}
}

test_an_empty_cycle_plan_names_every_field if {
	fixture.lines(guard.reasons) == [
		"guard.switched_off: autonomy is switched off for this target",
		"unknown.clock: the clock is not known, or is more than 2 s behind the journal",
		"unknown.config: the state of the autonomy config is not known",
		"unknown.field: backlog.invalid is missing or is not of type object",
		"unknown.field: backlog.max_open_prs is missing or is not of type number",
		"unknown.field: backlog.order is missing or is not of type object",
		"unknown.field: backlog.tasks is missing or is not of type object",
		"unknown.field: config.values.agents is missing or is not of type object",
		"unknown.field: config.values.allowed_path_prefixes is missing or is not of type array",
		"unknown.field: config.values.default_agent is missing or is not of type string",
		"unknown.field: config.values.limits.max_tasks_per_day is missing or is not of type number",
		"unknown.field: config.values.limits.retry_backoff_max_seconds is missing or is not of type number",
		"unknown.field: config.values.limits.retry_backoff_seconds is missing or is not of type number",
		"unknown.field: config.values.max_attempts_per_task is missing or is not of type number",
		"unknown.field: config.values.max_open_prs is missing or is not of type number",
		"unknown.field: config.values.max_running_attempts is missing or is not of type number",
		"unknown.field: config.values.verify is missing or is not of type null or object",
		"unknown.field: forge.unlisted is missing or is not of type array",
		"unknown.field: resource.id is missing or is not of type string",
		"unknown.field: resource.properties.target is missing or is not of type string",
		"unknown.field: resource.type is missing or is not of type string",
		"unknown.field: state.circuit.probe is missing or is not of type string",
		"unknown.field: state.circuit.state is missing or is not of type string",
		"unknown.field: state.circuit.until_us is missing or is not of type number",
		"unknown.field: state.in_flight is missing or is not of type number",
		"unknown.field: state.live is missing or is not of type number",
		"unknown.field: state.open is missing or is not of type number",
		"unknown.field: state.reserved_today is missing or is not of type number",
		"unknown.field: state.tasks is missing or is not of type object",
		"unknown.field: subject.attempt is missing or is not of type string",
		"unknown.field: subject.id is missing or is not of type string",
		"unknown.field: subject.target is missing or is not of type string",
		"unknown.field: subject.type is missing or is not of type string",
		"unknown.field: target_policy.known is missing or is not of type boolean",
		"unknown.halt: whether an operator has halted this target is not known",
		"unknown.stale: the backlog was seen an unknown number of s ago, the limit is null s",
		"unknown.stale: the forge was seen an unknown number of s ago, the limit is null s",
		"unknown.target_policy: the target's own policy is not known: no reason is given",
	] with input as _empty("cycle.plan")
}

test_an_empty_attempt_start_names_every_field if {
	fixture.lines(guard.reasons) == [
		"guard.switched_off: autonomy is switched off for this target",
		"unknown.clock: the clock is not known, or is more than 2 s behind the journal",
		"unknown.config: the state of the autonomy config is not known",
		"unknown.field: attempt.id is missing or is not of type string",
		"unknown.field: attempt.instance is missing or is not of type string",
		"unknown.field: attempt.start_deadline_us is missing or is not of type number",
		"unknown.field: attempt.state is missing or is not of type string",
		"unknown.field: attempt.target is missing or is not of type string",
		"unknown.field: attempt.task.allowed_paths is missing or is not of type array",
		"unknown.field: attempt.task.dependencies is missing or is not of type array",
		"unknown.field: attempt.task.scope is missing or is not of type string",
		"unknown.field: attempt.task.verify is missing or is not of type array",
		"unknown.field: config.values.attempt_timeout_seconds is missing or is not of type number",
		"unknown.field: config.values.limits.lease_seconds is missing or is not of type number",
		"unknown.field: resource.id is missing or is not of type string",
		"unknown.field: resource.properties.target is missing or is not of type string",
		"unknown.field: resource.type is missing or is not of type string",
		"unknown.field: subject.attempt is missing or is not of type string",
		"unknown.field: subject.id is missing or is not of type string",
		"unknown.field: subject.target is missing or is not of type string",
		"unknown.field: subject.type is missing or is not of type string",
		"unknown.halt: whether an operator has halted this target is not known",
		"unknown.task: the task as it stands in the backlog now is not known",
	] with input as _empty("attempt.start")
}

test_an_empty_agent_run_names_every_field if {
	fixture.lines(guard.reasons) == [
		"guard.switched_off: autonomy is switched off for this target",
		"unknown.clock: the clock is not known, or is more than 2 s behind the journal",
		"unknown.config: the state of the autonomy config is not known",
		"unknown.field: agent.known is missing or is not of type boolean",
		"unknown.field: agent.name is missing or is not of type string",
		"unknown.field: attempt.agent is missing or is not of type string",
		"unknown.field: attempt.id is missing or is not of type string",
		"unknown.field: attempt.start_deadline_us is missing or is not of type number",
		"unknown.field: attempt.state is missing or is not of type string",
		"unknown.field: attempt.target is missing or is not of type string",
		"unknown.field: attempt.task.allowed_paths is missing or is not of type array",
		"unknown.field: attempt.task.dependencies is missing or is not of type array",
		"unknown.field: attempt.task.scope is missing or is not of type string",
		"unknown.field: attempt.task.verify is missing or is not of type array",
		"unknown.field: config.values.agents is missing or is not of type object",
		"unknown.field: config.values.default_agent is missing or is not of type string",
		"unknown.field: config.values.sandbox.connect_ports is missing or is not of type array or null",
		"unknown.field: config.values.sandbox.mode is missing or is not of type string",
		"unknown.field: config.values.sandbox.read is missing or is not of type array or null",
		"unknown.field: config.values.verify is missing or is not of type null or object",
		"unknown.field: resource.id is missing or is not of type string",
		"unknown.field: resource.properties.target is missing or is not of type string",
		"unknown.field: resource.type is missing or is not of type string",
		"unknown.field: subject.attempt is missing or is not of type string",
		"unknown.field: subject.id is missing or is not of type string",
		"unknown.field: subject.target is missing or is not of type string",
		"unknown.field: subject.type is missing or is not of type string",
		"unknown.halt: whether an operator has halted this target is not known",
		"unknown.task: the task as it stands in the backlog now is not known",
	] with input as _empty("agent.run")
}

test_an_empty_attempt_heartbeat_names_every_field if {
	fixture.lines(guard.reasons) == [
		"guard.switched_off: autonomy is switched off for this target",
		"unknown.clock: the clock is not known, or is more than 2 s behind the journal",
		"unknown.config: the state of the autonomy config is not known",
		"unknown.field: attempt.deadline_us is missing or is not of type number",
		"unknown.field: attempt.id is missing or is not of type string",
		"unknown.field: attempt.state is missing or is not of type string",
		"unknown.field: attempt.target is missing or is not of type string",
		"unknown.field: attempt.task.allowed_paths is missing or is not of type array",
		"unknown.field: attempt.task.dependencies is missing or is not of type array",
		"unknown.field: attempt.task.scope is missing or is not of type string",
		"unknown.field: attempt.task.verify is missing or is not of type array",
		"unknown.field: config.values.limits.lease_seconds is missing or is not of type number",
		"unknown.field: resource.id is missing or is not of type string",
		"unknown.field: resource.properties.target is missing or is not of type string",
		"unknown.field: resource.type is missing or is not of type string",
		"unknown.field: subject.attempt is missing or is not of type string",
		"unknown.field: subject.id is missing or is not of type string",
		"unknown.field: subject.target is missing or is not of type string",
		"unknown.field: subject.type is missing or is not of type string",
		"unknown.halt: whether an operator has halted this target is not known",
		"unknown.lease: whether the attempt's lease lives is not known",
		"unknown.task: the task as it stands in the backlog now is not known",
	] with input as _empty("attempt.heartbeat")
}

test_an_empty_repository_fetch_names_every_field if {
	fixture.lines(guard.reasons) == [
		"guard.switched_off: autonomy is switched off for this target",
		"unknown.clock: the clock is not known, or is more than 2 s behind the journal",
		"unknown.config: the state of the autonomy config is not known",
		"unknown.field: attempt.id is missing or is not of type string",
		"unknown.field: attempt.lease.known is missing or is not of type boolean",
		"unknown.field: attempt.lease.live is missing or is not of type boolean",
		"unknown.field: attempt.state is missing or is not of type string",
		"unknown.field: attempt.target is missing or is not of type string",
		"unknown.field: resource.id is missing or is not of type string",
		"unknown.field: resource.properties.target is missing or is not of type string",
		"unknown.field: resource.type is missing or is not of type string",
		"unknown.field: subject.attempt is missing or is not of type string",
		"unknown.field: subject.id is missing or is not of type string",
		"unknown.field: subject.target is missing or is not of type string",
		"unknown.field: subject.type is missing or is not of type string",
		"unknown.halt: whether an operator has halted this target is not known",
	] with input as _empty("repository.fetch")
}

test_an_empty_change_push_names_every_field if {
	fixture.lines(guard.reasons) == [
		"guard.switched_off: autonomy is switched off for this target",
		"unknown.clock: the clock is not known, or is more than 2 s behind the journal",
		"unknown.config: the state of the autonomy config is not known",
		"unknown.field: attempt.base_commit is missing or is not of type string",
		"unknown.field: attempt.deadline_us is missing or is not of type number",
		"unknown.field: attempt.has_push_intent is missing or is not of type boolean",
		"unknown.field: attempt.id is missing or is not of type string",
		"unknown.field: attempt.push_attempts is missing or is not of type number",
		"unknown.field: attempt.state is missing or is not of type string",
		"unknown.field: attempt.target is missing or is not of type string",
		"unknown.field: attempt.task.allowed_paths is missing or is not of type array",
		"unknown.field: attempt.task.dependencies is missing or is not of type array",
		"unknown.field: attempt.task.scope is missing or is not of type string",
		"unknown.field: attempt.task.verify is missing or is not of type array",
		"unknown.field: changes is missing or is not of type array",
		"unknown.field: config.values.allowed_path_prefixes is missing or is not of type array",
		"unknown.field: config.values.limits.max_file_kb is missing or is not of type number",
		"unknown.field: config.values.limits.max_files is missing or is not of type number",
		"unknown.field: config.values.limits.max_pack_mb is missing or is not of type number",
		"unknown.field: config.values.limits.max_push_attempts is missing or is not of type number",
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
		"unknown.field: resource.id is missing or is not of type string",
		"unknown.field: resource.properties.target is missing or is not of type string",
		"unknown.field: resource.type is missing or is not of type string",
		"unknown.field: subject.attempt is missing or is not of type string",
		"unknown.field: subject.id is missing or is not of type string",
		"unknown.field: subject.target is missing or is not of type string",
		"unknown.field: subject.type is missing or is not of type string",
		"unknown.halt: whether an operator has halted this target is not known",
		"unknown.lease: whether the attempt's lease lives is not known",
		"unknown.target_policy: the target's own policy is not known: no reason is given",
		"unknown.task: the task as it stands in the backlog now is not known",
	] with input as _empty("change.push")
}

test_an_empty_attempt_evidence_names_every_field if {
	fixture.lines(guard.reasons) == [
		"unknown.field: attempt.id is missing or is not of type string",
		"unknown.field: attempt.state is missing or is not of type string",
		"unknown.field: attempt.target is missing or is not of type string",
		"unknown.field: resource.id is missing or is not of type string",
		"unknown.field: resource.properties.target is missing or is not of type string",
		"unknown.field: resource.type is missing or is not of type string",
		"unknown.field: subject.attempt is missing or is not of type string",
		"unknown.field: subject.id is missing or is not of type string",
		"unknown.field: subject.target is missing or is not of type string",
		"unknown.field: subject.type is missing or is not of type string",
	] with input as _empty("attempt.evidence")
}

test_an_empty_artifact_put_names_every_field if {
	fixture.lines(guard.reasons) == [
		"unknown.field: attempt.id is missing or is not of type string",
		"unknown.field: attempt.state is missing or is not of type string",
		"unknown.field: attempt.target is missing or is not of type string",
		"unknown.field: request.count is missing or is not of type number",
		"unknown.field: request.name is missing or is not of type string",
		"unknown.field: request.offset is missing or is not of type number",
		"unknown.field: request.size is missing or is not of type number",
		"unknown.field: request.total is missing or is not of type number",
		"unknown.field: resource.id is missing or is not of type string",
		"unknown.field: resource.properties.target is missing or is not of type string",
		"unknown.field: resource.type is missing or is not of type string",
		"unknown.field: subject.attempt is missing or is not of type string",
		"unknown.field: subject.id is missing or is not of type string",
		"unknown.field: subject.target is missing or is not of type string",
		"unknown.field: subject.type is missing or is not of type string",
	] with input as _empty("artifact.put")
}

test_an_empty_attempt_finish_names_every_field if {
	fixture.lines(guard.reasons) == [
		"unknown.field: attempt.digest is missing or is not of type string",
		"unknown.field: attempt.id is missing or is not of type string",
		"unknown.field: attempt.probe is missing or is not of type boolean",
		"unknown.field: attempt.state is missing or is not of type string",
		"unknown.field: attempt.target is missing or is not of type string",
		"unknown.field: attempt.task_id is missing or is not of type string",
		"unknown.field: request.outcome is missing or is not of type string",
		"unknown.field: resource.id is missing or is not of type string",
		"unknown.field: resource.properties.target is missing or is not of type string",
		"unknown.field: resource.type is missing or is not of type string",
		"unknown.field: state.circuit.consecutive is missing or is not of type number",
		"unknown.field: state.circuit.cooldown_seconds is missing or is not of type number",
		"unknown.field: state.circuit.infrastructure is missing or is not of type number",
		"unknown.field: state.circuit.infrastructure_task is missing or is not of type string",
		"unknown.field: state.circuit.state is missing or is not of type string",
		"unknown.field: state.tasks is missing or is not of type object",
		"unknown.field: subject.attempt is missing or is not of type string",
		"unknown.field: subject.id is missing or is not of type string",
		"unknown.field: subject.target is missing or is not of type string",
		"unknown.field: subject.type is missing or is not of type string",
		"unknown.field: time.now_us is missing or is not of type number",
	] with input as _empty("attempt.finish")
}

test_an_empty_attempt_lost_names_every_field if {
	fixture.lines(guard.reasons) == [
		"unknown.field: attempt.digest is missing or is not of type string",
		"unknown.field: attempt.id is missing or is not of type string",
		"unknown.field: attempt.probe is missing or is not of type boolean",
		"unknown.field: attempt.state is missing or is not of type string",
		"unknown.field: attempt.target is missing or is not of type string",
		"unknown.field: attempt.task_id is missing or is not of type string",
		"unknown.field: request.observed is missing or is not of type string",
		"unknown.field: resource.id is missing or is not of type string",
		"unknown.field: resource.properties.target is missing or is not of type string",
		"unknown.field: resource.type is missing or is not of type string",
		"unknown.field: state.circuit.consecutive is missing or is not of type number",
		"unknown.field: state.circuit.cooldown_seconds is missing or is not of type number",
		"unknown.field: state.circuit.infrastructure is missing or is not of type number",
		"unknown.field: state.circuit.infrastructure_task is missing or is not of type string",
		"unknown.field: state.circuit.state is missing or is not of type string",
		"unknown.field: state.tasks is missing or is not of type object",
		"unknown.field: subject.attempt is missing or is not of type string",
		"unknown.field: subject.id is missing or is not of type string",
		"unknown.field: subject.target is missing or is not of type string",
		"unknown.field: subject.type is missing or is not of type string",
		"unknown.field: time.now_us is missing or is not of type number",
	] with input as _empty("attempt.lost")
}

test_an_empty_attempt_expire_names_every_field if {
	fixture.lines(guard.reasons) == [
		"unknown.field: attempt.digest is missing or is not of type string",
		"unknown.field: attempt.id is missing or is not of type string",
		"unknown.field: attempt.lease.known is missing or is not of type boolean",
		"unknown.field: attempt.lease.live is missing or is not of type boolean",
		"unknown.field: attempt.probe is missing or is not of type boolean",
		"unknown.field: attempt.start_deadline_us is missing or is not of type number",
		"unknown.field: attempt.state is missing or is not of type string",
		"unknown.field: attempt.target is missing or is not of type string",
		"unknown.field: attempt.task_id is missing or is not of type string",
		"unknown.field: request.why is missing or is not of type string",
		"unknown.field: resource.id is missing or is not of type string",
		"unknown.field: resource.properties.target is missing or is not of type string",
		"unknown.field: resource.type is missing or is not of type string",
		"unknown.field: state.circuit.consecutive is missing or is not of type number",
		"unknown.field: state.circuit.cooldown_seconds is missing or is not of type number",
		"unknown.field: state.circuit.infrastructure is missing or is not of type number",
		"unknown.field: state.circuit.infrastructure_task is missing or is not of type string",
		"unknown.field: state.circuit.state is missing or is not of type string",
		"unknown.field: state.tasks is missing or is not of type object",
		"unknown.field: subject.attempt is missing or is not of type string",
		"unknown.field: subject.id is missing or is not of type string",
		"unknown.field: subject.target is missing or is not of type string",
		"unknown.field: subject.type is missing or is not of type string",
		"unknown.field: time.now_us is missing or is not of type number",
	] with input as _empty("attempt.expire")
}

test_an_empty_pull_request_open_names_every_field if {
	fixture.lines(guard.reasons) == [
		"guard.switched_off: autonomy is switched off for this target",
		"unknown.clock: the clock is not known, or is more than 2 s behind the journal",
		"unknown.config: the state of the autonomy config is not known",
		"unknown.field: attempt.deadline_us is missing or is not of type number",
		"unknown.field: attempt.id is missing or is not of type string",
		"unknown.field: attempt.probe is missing or is not of type boolean",
		"unknown.field: attempt.pushed_commit is missing or is not of type string",
		"unknown.field: attempt.state is missing or is not of type string",
		"unknown.field: attempt.target is missing or is not of type string",
		"unknown.field: attempt.task.allowed_paths is missing or is not of type array",
		"unknown.field: attempt.task.dependencies is missing or is not of type array",
		"unknown.field: attempt.task.scope is missing or is not of type string",
		"unknown.field: attempt.task.verify is missing or is not of type array",
		"unknown.field: request.summary_length is missing or is not of type number",
		"unknown.field: resource.id is missing or is not of type string",
		"unknown.field: resource.properties.target is missing or is not of type string",
		"unknown.field: resource.type is missing or is not of type string",
		"unknown.field: state.circuit.state is missing or is not of type string",
		"unknown.field: subject.attempt is missing or is not of type string",
		"unknown.field: subject.id is missing or is not of type string",
		"unknown.field: subject.target is missing or is not of type string",
		"unknown.field: subject.type is missing or is not of type string",
		"unknown.halt: whether an operator has halted this target is not known",
		"unknown.lease: whether the attempt's lease lives is not known",
		"unknown.stale: the forge was seen an unknown number of s ago, the limit is 30 s",
		"unknown.task: the task as it stands in the backlog now is not known",
	] with input as _empty("pull_request.open")
}

test_an_empty_pull_request_annotate_names_every_field if {
	fixture.lines(guard.reasons) == [
		"guard.switched_off: autonomy is switched off for this target",
		"unknown.clock: the clock is not known, or is more than 2 s behind the journal",
		"unknown.config: the state of the autonomy config is not known",
		"unknown.field: resource.id is missing or is not of type string",
		"unknown.field: resource.properties.target is missing or is not of type string",
		"unknown.field: resource.type is missing or is not of type string",
		"unknown.field: subject.attempt is missing or is not of type string",
		"unknown.field: subject.id is missing or is not of type string",
		"unknown.field: subject.target is missing or is not of type string",
		"unknown.field: subject.type is missing or is not of type string",
		"unknown.halt: whether an operator has halted this target is not known",
	] with input as _empty("pull_request.annotate")
}

test_an_empty_event_append_names_every_field if {
	fixture.lines(guard.reasons) == [
		"unknown.field: request.attempts is missing or is not of type array",
		"unknown.field: request.types is missing or is not of type array",
		"unknown.field: resource.id is missing or is not of type string",
		"unknown.field: resource.type is missing or is not of type string",
		"unknown.field: subject.attempt is missing or is not of type string",
		"unknown.field: subject.id is missing or is not of type string",
		"unknown.field: subject.target is missing or is not of type string",
		"unknown.field: subject.type is missing or is not of type string",
	] with input as _empty("event.append")
}

test_an_empty_route_read_names_every_field if {
	fixture.lines(guard.reasons) == [
		"unknown.field: request.method is missing or is not of type string",
		"unknown.field: request.route is missing or is not of type string",
		"unknown.field: resource.id is missing or is not of type string",
		"unknown.field: resource.type is missing or is not of type string",
		"unknown.field: subject.attempt is missing or is not of type string",
		"unknown.field: subject.id is missing or is not of type string",
		"unknown.field: subject.target is missing or is not of type string",
		"unknown.field: subject.type is missing or is not of type string",
	] with input as _empty("route.read")
}

test_an_empty_token_create_names_every_field if {
	fixture.lines(guard.reasons) == [
		"unknown.field: request.role is missing or is not of type string",
		"unknown.field: resource.id is missing or is not of type string",
		"unknown.field: resource.type is missing or is not of type string",
		"unknown.field: subject.attempt is missing or is not of type string",
		"unknown.field: subject.id is missing or is not of type string",
		"unknown.field: subject.target is missing or is not of type string",
		"unknown.field: subject.type is missing or is not of type string",
	] with input as _empty("token.create")
}

test_an_empty_autonomy_resume_names_every_field if {
	fixture.lines(guard.reasons) == [
		"unknown.field: resource.id is missing or is not of type string",
		"unknown.field: resource.type is missing or is not of type string",
		"unknown.field: subject.attempt is missing or is not of type string",
		"unknown.field: subject.id is missing or is not of type string",
		"unknown.field: subject.target is missing or is not of type string",
		"unknown.field: subject.type is missing or is not of type string",
	] with input as _empty("autonomy.resume")
}

test_an_empty_circuit_reset_names_every_field if {
	fixture.lines(guard.reasons) == [
		"unknown.field: resource.id is missing or is not of type string",
		"unknown.field: resource.properties.target is missing or is not of type string",
		"unknown.field: resource.type is missing or is not of type string",
		"unknown.field: subject.attempt is missing or is not of type string",
		"unknown.field: subject.id is missing or is not of type string",
		"unknown.field: subject.target is missing or is not of type string",
		"unknown.field: subject.type is missing or is not of type string",
	] with input as _empty("circuit.reset")
}

test_an_empty_task_retry_names_every_field if {
	fixture.lines(guard.reasons) == [
		"unknown.field: resource.id is missing or is not of type string",
		"unknown.field: resource.properties.target is missing or is not of type string",
		"unknown.field: resource.type is missing or is not of type string",
		"unknown.field: subject.attempt is missing or is not of type string",
		"unknown.field: subject.id is missing or is not of type string",
		"unknown.field: subject.target is missing or is not of type string",
		"unknown.field: subject.type is missing or is not of type string",
	] with input as _empty("task.retry")
}

test_an_empty_clock_accept_names_every_field if {
	fixture.lines(guard.reasons) == [
		"unknown.field: resource.id is missing or is not of type string",
		"unknown.field: resource.type is missing or is not of type string",
		"unknown.field: subject.attempt is missing or is not of type string",
		"unknown.field: subject.id is missing or is not of type string",
		"unknown.field: subject.target is missing or is not of type string",
		"unknown.field: subject.type is missing or is not of type string",
	] with input as _empty("clock.accept")
}

test_an_empty_token_revoke_names_every_field if {
	fixture.lines(guard.reasons) == [
		"unknown.field: resource.id is missing or is not of type string",
		"unknown.field: resource.type is missing or is not of type string",
		"unknown.field: subject.attempt is missing or is not of type string",
		"unknown.field: subject.id is missing or is not of type string",
		"unknown.field: subject.target is missing or is not of type string",
		"unknown.field: subject.type is missing or is not of type string",
	] with input as _empty("token.revoke")
}

test_an_empty_bundle_activate_names_every_field if {
	fixture.lines(guard.reasons) == [
		"unknown.field: request.accepted is missing or is not of type array",
		"unknown.field: request.flips.deny_to_allow is missing or is not of type number",
		"unknown.field: request.flips.error is missing or is not of type number",
		"unknown.field: resource.id is missing or is not of type string",
		"unknown.field: resource.type is missing or is not of type string",
		"unknown.field: subject.attempt is missing or is not of type string",
		"unknown.field: subject.id is missing or is not of type string",
		"unknown.field: subject.target is missing or is not of type string",
		"unknown.field: subject.type is missing or is not of type string",
	] with input as _empty("bundle.activate")
}

test_an_empty_bundle_replay_names_every_field if {
	fixture.lines(guard.reasons) == [
		"unknown.field: resource.id is missing or is not of type string",
		"unknown.field: resource.type is missing or is not of type string",
		"unknown.field: subject.attempt is missing or is not of type string",
		"unknown.field: subject.id is missing or is not of type string",
		"unknown.field: subject.target is missing or is not of type string",
		"unknown.field: subject.type is missing or is not of type string",
	] with input as _empty("bundle.replay")
}

test_an_empty_bundle_rollback_names_every_field if {
	fixture.lines(guard.reasons) == [
		"unknown.field: resource.id is missing or is not of type string",
		"unknown.field: resource.type is missing or is not of type string",
		"unknown.field: subject.attempt is missing or is not of type string",
		"unknown.field: subject.id is missing or is not of type string",
		"unknown.field: subject.target is missing or is not of type string",
		"unknown.field: subject.type is missing or is not of type string",
	] with input as _empty("bundle.rollback")
}

test_an_empty_journal_prune_names_every_field if {
	fixture.lines(guard.reasons) == [
		"unknown.field: resource.id is missing or is not of type string",
		"unknown.field: resource.type is missing or is not of type string",
		"unknown.field: subject.attempt is missing or is not of type string",
		"unknown.field: subject.id is missing or is not of type string",
		"unknown.field: subject.target is missing or is not of type string",
		"unknown.field: subject.type is missing or is not of type string",
	] with input as _empty("journal.prune")
}

test_an_empty_forge_observe_names_every_field if {
	fixture.lines(guard.reasons) == [
		"unknown.field: resource.id is missing or is not of type string",
		"unknown.field: resource.type is missing or is not of type string",
		"unknown.field: subject.attempt is missing or is not of type string",
		"unknown.field: subject.id is missing or is not of type string",
		"unknown.field: subject.target is missing or is not of type string",
		"unknown.field: subject.type is missing or is not of type string",
	] with input as _empty("forge.observe")
}

test_an_empty_invariants_check_names_every_field if {
	fixture.lines(guard.reasons) == [
		"unknown.field: resource.id is missing or is not of type string",
		"unknown.field: resource.type is missing or is not of type string",
		"unknown.field: subject.attempt is missing or is not of type string",
		"unknown.field: subject.id is missing or is not of type string",
		"unknown.field: subject.target is missing or is not of type string",
		"unknown.field: subject.type is missing or is not of type string",
	] with input as _empty("invariants.check")
}

test_an_empty_autonomy_halt_names_every_field if {
	fixture.lines(guard.reasons) == [] with input as _empty("autonomy.halt")
}

test_every_part_of_the_plan_is_sound if {
	fixture.lines(guard.reasons) == [] with input as fixture.plan
}

test_every_part_of_the_start_is_sound if {
	fixture.lines(guard.reasons) == [] with input as fixture.start
}

test_every_part_of_the_run_is_sound if {
	fixture.lines(guard.reasons) == [] with input as fixture.run
}

test_every_part_of_the_heartbeat_is_sound if {
	fixture.lines(guard.reasons) == [] with input as fixture.heartbeat
}

test_every_part_of_the_fetch_is_sound if {
	fixture.lines(guard.reasons) == [] with input as fixture.fetch
}

test_every_part_of_the_push_is_sound if {
	fixture.lines(guard.reasons) == [] with input as fixture.push
}

test_every_part_of_the_open_is_sound if {
	fixture.lines(guard.reasons) == [] with input as fixture.open
}

test_every_part_of_the_annotate_is_sound if {
	fixture.lines(guard.reasons) == [] with input as fixture.annotate
}

test_every_part_of_the_evidence_is_sound if {
	fixture.lines(guard.reasons) == [] with input as fixture.evidence
}

test_every_part_of_the_artifact_is_sound if {
	fixture.lines(guard.reasons) == [] with input as fixture.artifact
}

test_every_part_of_the_mirrored_is_sound if {
	fixture.lines(guard.reasons) == [] with input as fixture.mirrored
}
