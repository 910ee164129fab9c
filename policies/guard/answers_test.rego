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

# _odd is of no type that a line of a faulty field asks for.
_odd(line) := "odd" if not contains(line, "string")

_odd(line) := 7.5 if contains(line, "string")

_of(question) := rs if {
	rs := guard.reasons with input as question
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

test_a_halt_of_all_for_fire if {
	question := fixture.changed(fixture.start, {"/halt/all": {"reason": "fire"}})
	fixture.lines(guard.reasons) == [
		"guard.halted_all: an operator has halted all targets: fire",
	] with input as question
}

test_an_absent_config_because_fire if {
	question := fixture.changed(fixture.start, {"/config/state": "absent", "/config/reason": "fire", "/config/values": null})
	fixture.lines(guard.reasons) == [
		"guard.config_absent: no autonomy config governs this target: fire",
	] with input as question
}

test_an_invalid_config_because_fire if {
	question := fixture.changed(fixture.start, {"/config/state": "invalid", "/config/reason": "fire"})
	fixture.lines(guard.reasons) == [
		"guard.config_invalid: the autonomy config is invalid: fire",
	] with input as question
}

test_an_invalid_target_policy_because_fire if {
	question := fixture.changed(fixture.push, {"/target_policy/state": "invalid", "/target_policy/reason": "fire"})
	fixture.lines(guard.reasons) == [
		"guard.target_policy_invalid: .leviathan/policy.yaml is invalid: fire",
	] with input as question
}

test_an_unknown_target_policy_because_fire if {
	question := fixture.changed(fixture.push, {"/target_policy/known": false, "/target_policy/reason": "fire"})
	fixture.lines(guard.reasons) == [
		"unknown.target_policy: the target's own policy is not known: fire",
	] with input as question
}

test_an_unknown_backlog_because_fire if {
	question := fixture.changed(fixture.plan, {"/backlog/known": false, "/backlog/reason": "fire"})
	fixture.lines(guard.reasons) == [
		"unknown.backlog: the backlog is not known: fire",
	] with input as question
}

test_an_unknown_mirror_because_fire if {
	question := fixture.changed(fixture.mirrored, {"/mirror/known": false, "/mirror/reason": "fire"})
	fixture.lines(guard.reasons) == [
		"unknown.backlog: the backlog is not known: fire",
	] with input as question
}

test_an_unknown_forge_because_fire if {
	question := fixture.changed(fixture.plan, {"/forge/known": false, "/forge/reason": "fire"})
	fixture.lines(guard.reasons) == [
		"unknown.forge: the open pull requests are not known: fire",
	] with input as question
}

test_a_halt_of_all_for_none if {
	question := fixture.changed(fixture.start, {"/halt/all": {"reason": ""}})
	fixture.lines(guard.reasons) == [
		"guard.halted_all: an operator has halted all targets: no reason is given",
	] with input as question
}

test_an_absent_config_because_none if {
	question := fixture.changed(fixture.start, {"/config/state": "absent", "/config/reason": "", "/config/values": null})
	fixture.lines(guard.reasons) == [
		"guard.config_absent: no autonomy config governs this target: no reason is given",
	] with input as question
}

test_an_invalid_config_because_none if {
	question := fixture.changed(fixture.start, {"/config/state": "invalid", "/config/reason": ""})
	fixture.lines(guard.reasons) == [
		"guard.config_invalid: the autonomy config is invalid: no reason is given",
	] with input as question
}

test_an_invalid_target_policy_because_none if {
	question := fixture.changed(fixture.push, {"/target_policy/state": "invalid", "/target_policy/reason": ""})
	fixture.lines(guard.reasons) == [
		"guard.target_policy_invalid: .leviathan/policy.yaml is invalid: no reason is given",
	] with input as question
}

test_an_unknown_target_policy_because_none if {
	question := fixture.changed(fixture.push, {"/target_policy/known": false, "/target_policy/reason": ""})
	fixture.lines(guard.reasons) == [
		"unknown.target_policy: the target's own policy is not known: no reason is given",
	] with input as question
}

test_an_unknown_backlog_because_none if {
	question := fixture.changed(fixture.plan, {"/backlog/known": false, "/backlog/reason": ""})
	fixture.lines(guard.reasons) == [
		"unknown.backlog: the backlog is not known: no reason is given",
	] with input as question
}

test_an_unknown_mirror_because_none if {
	question := fixture.changed(fixture.mirrored, {"/mirror/known": false, "/mirror/reason": ""})
	fixture.lines(guard.reasons) == [
		"unknown.backlog: the backlog is not known: no reason is given",
	] with input as question
}

test_an_unknown_forge_because_none if {
	question := fixture.changed(fixture.plan, {"/forge/known": false, "/forge/reason": ""})
	fixture.lines(guard.reasons) == [
		"unknown.forge: the open pull requests are not known: no reason is given",
	] with input as question
}

test_a_halt_of_all_for_odd if {
	fixture.lines(guard.reasons) == [
		"guard.halted_all: an operator has halted all targets: no reason is given",
	] with input as fixture.changed(fixture.start, {"/halt/all": {"reason": 7}})
}

test_an_absent_config_because_odd if {
	question := fixture.changed(fixture.start, {"/config/state": "absent", "/config/reason": 7, "/config/values": null})
	fixture.lines(guard.reasons) == [
		"guard.config_absent: no autonomy config governs this target: no reason is given",
	] with input as question
}

test_an_invalid_config_because_odd if {
	question := fixture.changed(fixture.start, {"/config/state": "invalid", "/config/reason": 7})
	fixture.lines(guard.reasons) == [
		"guard.config_invalid: the autonomy config is invalid: no reason is given",
	] with input as question
}

test_an_invalid_target_policy_because_odd if {
	question := fixture.changed(fixture.push, {"/target_policy/state": "invalid", "/target_policy/reason": 7})
	fixture.lines(guard.reasons) == [
		"guard.target_policy_invalid: .leviathan/policy.yaml is invalid: no reason is given",
	] with input as question
}

test_an_unknown_target_policy_because_odd if {
	question := fixture.changed(fixture.push, {"/target_policy/known": false, "/target_policy/reason": 7})
	fixture.lines(guard.reasons) == [
		"unknown.target_policy: the target's own policy is not known: no reason is given",
	] with input as question
}

test_an_unknown_backlog_because_odd if {
	question := fixture.changed(fixture.plan, {"/backlog/known": false, "/backlog/reason": 7})
	fixture.lines(guard.reasons) == [
		"unknown.backlog: the backlog is not known: no reason is given",
	] with input as question
}

test_an_unknown_mirror_because_odd if {
	question := fixture.changed(fixture.mirrored, {"/mirror/known": false, "/mirror/reason": 7})
	fixture.lines(guard.reasons) == [
		"unknown.backlog: the backlog is not known: no reason is given",
	] with input as question
}

test_an_unknown_forge_because_odd if {
	question := fixture.changed(fixture.plan, {"/forge/known": false, "/forge/reason": 7})
	fixture.lines(guard.reasons) == [
		"unknown.forge: the open pull requests are not known: no reason is given",
	] with input as question
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

test_an_absent_config_without_a_reason if {
	question := json.remove(fixture.changed(fixture.start, {"/config/state": "absent"}), ["/config/reason"])
	fixture.lines(guard.reasons) == [
		"guard.config_absent: no autonomy config governs this target: no reason is given",
	] with input as question
}

test_a_target_policy_without_a_reason if {
	question := json.remove(fixture.changed(fixture.push, {"/target_policy/state": "invalid"}), ["/target_policy/reason"])
	fixture.lines(guard.reasons) == [
		"guard.target_policy_invalid: .leviathan/policy.yaml is invalid: no reason is given",
	] with input as question
}

test_an_unknown_target_policy_without_a_reason if {
	question := json.remove(fixture.changed(fixture.push, {"/target_policy/known": false}), ["/target_policy/reason"])
	fixture.lines(guard.reasons) == [
		"unknown.target_policy: the target's own policy is not known: no reason is given",
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

test_an_invalid_config_with_values_of_an_odd_type if {
	question := fixture.changed(fixture.heartbeat, {"/config/state": "invalid", "/config/values": []})
	fixture.lines(guard.reasons) == [
		"guard.config_invalid: the autonomy config is invalid: no reason is given",
	] with input as question
}

test_an_invalid_config_for_no_known_time if {
	question := fixture.changed(fixture.heartbeat, {"/config/state": "invalid", "/config/invalid_seconds": null})
	fixture.lines(guard.reasons) == [
		"guard.config_invalid: the autonomy config is invalid: no reason is given",
	] with input as question
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

test_a_target_policy_that_is_sound_0 if {
	question := fixture.changed(fixture.push, {"/target_policy": {"known": true, "state": "valid", "values": {"allowed_paths": {"docs": []}}}})
	fixture.lines(guard.reasons) == [] with input as question
}

test_a_target_policy_that_is_sound_1 if {
	question := fixture.changed(fixture.push, {"/target_policy": {"known": true, "state": "valid", "values": {"allowed_paths": ["a"], "forbidden_paths": ["b"], "scope_constraints": {}, "safety_rules": {}, "file_size_limits": {}}}})
	fixture.lines(guard.reasons) == [] with input as question
}

test_a_target_policy_that_is_sound_2 if {
	question := fixture.changed(fixture.push, {"/target_policy": {"known": true, "state": "valid", "values": {"allowed_paths": null, "forbidden_paths": null, "scope_constraints": null, "safety_rules": null, "file_size_limits": null}}})
	fixture.lines(guard.reasons) == [] with input as question
}

test_a_target_policy_that_is_sound_3 if {
	question := fixture.changed(fixture.push, {"/target_policy": {"known": true, "state": "valid", "values": {"safety_rules": {"max_attempts_per_task": 1, "backoff_seconds": 1, "max_concurrent_attempts": 1, "max_tasks_per_day": 1, "require_conventional_commit": true}}}})
	fixture.lines(guard.reasons) == [] with input as question
}

test_a_target_policy_with_an_odd_max_attempts_per_task if {
	question := fixture.changed(fixture.push, {"/target_policy": {"known": true, "state": "valid", "values": {"safety_rules": {"max_attempts_per_task": "1"}}}})
	fixture.lines(guard.reasons) == [
		"guard.target_policy_invalid: .leviathan/policy.yaml is invalid: no reason is given",
	] with input as question
}

test_a_target_policy_with_an_odd_backoff_seconds if {
	question := fixture.changed(fixture.push, {"/target_policy": {"known": true, "state": "valid", "values": {"safety_rules": {"backoff_seconds": "1"}}}})
	fixture.lines(guard.reasons) == [
		"guard.target_policy_invalid: .leviathan/policy.yaml is invalid: no reason is given",
	] with input as question
}

test_a_target_policy_with_an_odd_max_concurrent_attempts if {
	question := fixture.changed(fixture.push, {"/target_policy": {"known": true, "state": "valid", "values": {"safety_rules": {"max_concurrent_attempts": "1"}}}})
	fixture.lines(guard.reasons) == [
		"guard.target_policy_invalid: .leviathan/policy.yaml is invalid: no reason is given",
	] with input as question
}

test_a_target_policy_with_an_odd_max_tasks_per_day if {
	question := fixture.changed(fixture.push, {"/target_policy": {"known": true, "state": "valid", "values": {"safety_rules": {"max_tasks_per_day": "1"}}}})
	fixture.lines(guard.reasons) == [
		"guard.target_policy_invalid: .leviathan/policy.yaml is invalid: no reason is given",
	] with input as question
}

test_a_target_policy_with_an_odd_require_conventional_commit if {
	question := fixture.changed(fixture.push, {"/target_policy": {"known": true, "state": "valid", "values": {"safety_rules": {"require_conventional_commit": "1"}}}})
	fixture.lines(guard.reasons) == [
		"guard.target_policy_invalid: .leviathan/policy.yaml is invalid: no reason is given",
	] with input as question
}

test_a_target_policy_with_odd_allowed_paths if {
	question := fixture.changed(fixture.push, {"/target_policy": {"known": true, "state": "valid", "values": {"allowed_paths": "1"}}})
	fixture.lines(guard.reasons) == [
		"guard.target_policy_invalid: .leviathan/policy.yaml is invalid: no reason is given",
	] with input as question
}

test_a_target_policy_with_odd_forbidden_paths if {
	question := fixture.changed(fixture.push, {"/target_policy": {"known": true, "state": "valid", "values": {"forbidden_paths": "1"}}})
	fixture.lines(guard.reasons) == [
		"guard.target_policy_invalid: .leviathan/policy.yaml is invalid: no reason is given",
	] with input as question
}

test_a_target_policy_with_odd_scope_constraints if {
	question := fixture.changed(fixture.push, {"/target_policy": {"known": true, "state": "valid", "values": {"scope_constraints": "1"}}})
	fixture.lines(guard.reasons) == [
		"guard.target_policy_invalid: .leviathan/policy.yaml is invalid: no reason is given",
	] with input as question
}

test_a_target_policy_with_odd_safety_rules if {
	question := fixture.changed(fixture.push, {"/target_policy": {"known": true, "state": "valid", "values": {"safety_rules": "1"}}})
	fixture.lines(guard.reasons) == [
		"guard.target_policy_invalid: .leviathan/policy.yaml is invalid: no reason is given",
	] with input as question
}

test_a_target_policy_with_odd_file_size_limits if {
	question := fixture.changed(fixture.push, {"/target_policy": {"known": true, "state": "valid", "values": {"file_size_limits": "1"}}})
	fixture.lines(guard.reasons) == [
		"guard.target_policy_invalid: .leviathan/policy.yaml is invalid: no reason is given",
	] with input as question
}

test_a_target_policy_of_no_values if {
	question := fixture.changed(fixture.push, {"/target_policy": {"known": true, "state": "valid", "values": null}})
	fixture.lines(guard.reasons) == [
		"guard.target_policy_invalid: .leviathan/policy.yaml is invalid: no reason is given",
	] with input as question
}

test_a_target_policy_whose_values_are_a_list if {
	question := fixture.changed(fixture.push, {"/target_policy": {"known": true, "state": "valid", "values": []}})
	fixture.lines(guard.reasons) == [
		"guard.target_policy_invalid: .leviathan/policy.yaml is invalid: no reason is given",
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
