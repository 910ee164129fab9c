package leviathan.guard

import rego.v1

import data.leviathan.reason

# METADATA
# title: The question lacks a field
# description: |
#   A field that the rules of this action read is missing or of the wrong
#   type. A rule that reads it would be silent, so the question is denied.
# custom:
#   code: unknown.field
#   message: "{field} is missing or is not of type {types}"
#   remedy: "The component that asks is older or newer than the policies; bring both to one release."
deny.shape contains r if {
	some field, types in _faults
	r := reason.of(rego.metadata.chain(), {"field": field, "types": concat(" or ", types)})
}

# _faults maps each faulty field to the types that it may have.
_faults[concat(".", path)] := types if {
	some group in _groups[input.action]
	not _whole[group]
	_applies(group)
	some path, types in _fields[group]
	not type_name(object.get(input, path, set())) in types
}

# _whole are groups without a fault: those that most questions have are looked
# at field by field here, an expression each, before the table is walked to say
# which field it is.
_whole.subject if {
	is_string(input.subject.type)
	is_string(input.subject.id)
	is_string(input.subject.role)
	is_string(input.subject.attempt)
	is_string(input.subject.target)
	is_string(input.resource.type)
	is_string(input.resource.id)
}

_whole.target if is_string(input.resource.properties.target)

_whole.attempt if {
	is_string(input.attempt.id)
	is_string(input.attempt.target)
	is_string(input.attempt.state)
}

_whole.task if {
	is_string(input.attempt.task.scope)
	is_array(input.attempt.task.allowed_paths)
	is_array(input.attempt.task.dependencies)
	is_array(input.attempt.task.verify)
}

_whole.task_now if {
	is_boolean(input.task_now.task.ready)
	is_string(input.task_now.task.status)
	is_string(input.task_now.task.scope)
	is_array(input.task_now.task.allowed_paths)
	is_array(input.task_now.task.dependencies)
	is_array(input.task_now.task.verify)
}

_whole.deadline if is_number(input.attempt.deadline_us)

_whole.heartbeat_config if is_number(input.config.values.limits.lease_seconds)

_whole.route if {
	is_string(input.request.route)
	is_string(input.request.method)
}

# What a fact says matters only when it is known; else its own rule denies.
_applies(group) if not group in _conditional

_applies(group) if {
	group in {"plan_config", "start_config", "run_config", "heartbeat_config", "push_config"}
	is_object(input.config.values)
}

_applies("backlog") if _backlog_fact.known == true

_applies("forge") if input.forge.known == true

_applies("push") if not dry_push

_applies("task_now") if {
	input.task_now.present == true
	input.attempt.state != "proposed"
}

_applies("fetch") if not _plain_fetch

# reads are the parts and fields of the question that an action's rules read.
reads(action) := {path | some group in _groups[action]; some path, _ in _fields[group]} | {path | some fact in object.get(_needs, action, set()); some path in _fact_fields[fact]}

_fact_fields := {
	"config": {["config", "state"], ["config", "values", "autonomy_enabled"]},
	"grace": set(),
	"halt": {["halt", "known"], ["halt", "all"], ["halt", "target"]},
	"clock": {["time", "now_us"], ["time", "clock", "known"], ["time", "clock", "behind_seconds"]},
	"lease": {["attempt", "lease", "known"], ["attempt", "lease", "live"]},
	"task": {["task_now", "known"], ["task_now", "present"]},
	"backlog": {["backlog"], ["mirror"], ["config", "values", "limits", "fact_max_age_seconds"]},
	"forge": {["forge"]},
	"probe": set(),
	"age": set(),
	"forge_now": set(),
	"target_policy": {["target_policy"]},
	"task_known": set(),
}

_conditional := {
	"plan_config", "start_config", "run_config", "heartbeat_config", "push_config",
	"backlog", "forge", "push", "task_now", "fetch",
}

# dry_push is a change.push that was asked by hand about changes of the
# asker's own: there is no push to look at, and none can follow.
dry_push if {
	input.action == "change.push"
	is_array(input.resource.properties.changes)
	not input.push
}

_groups := {
	"cycle.plan": ["subject", "target", "plan", "plan_config", "backlog", "forge"],
	"attempt.start": ["subject", "target", "attempt", "task", "task_now", "started", "start_config"],
	"agent.run": ["subject", "target", "attempt", "task", "task_now", "run", "run_config", "agent"],
	"attempt.heartbeat": ["subject", "target", "attempt", "task", "task_now", "deadline", "heartbeat_config"],
	"repository.fetch": ["subject", "target", "fetch"],
	"change.push": ["subject", "target", "attempt", "task", "task_now", "deadline", "pushing", "push_config", "push", "changes"],
	"attempt.evidence": ["subject", "target", "attempt"],
	"artifact.put": ["subject", "target", "attempt", "artifact"],
	"attempt.finish": ["subject", "target", "attempt", "end", "finish"],
	"attempt.lost": ["subject", "target", "attempt", "end", "lost"],
	"attempt.expire": ["subject", "target", "attempt", "end", "expire"],
	"pull_request.open": ["subject", "target", "attempt", "task", "task_now", "deadline", "opening", "summary"],
	"pull_request.annotate": ["subject", "target"],
	"event.append": ["subject", "events"],
	"route.read": ["subject", "route"],
	"token.create": ["subject", "token"],
	"autonomy.resume": ["subject"],
	"circuit.reset": ["subject", "target"],
	"task.retry": ["subject", "target"],
	"clock.accept": ["subject"],
	"token.revoke": ["subject"],
	"bundle.activate": ["subject", "activation"],
	"bundle.replay": ["subject"],
	"bundle.rollback": ["subject"],
	"journal.prune": ["subject"],
	"forge.observe": ["subject"],
	"invariants.check": ["subject"],
}
