package leviathan.delivery

import rego.v1

import data.leviathan.reason
import data.leviathan.schedule

_values := input.config.values

# METADATA
# title: The agent is unknown
# description: The config no longer has the agent that the attempt was reserved with.
# custom:
#   code: delivery.unknown_agent
#   message: "the config has no agent {agent}"
#   remedy: "Stop. The task is tried again with the config as it is now."
deny contains r if {
	input.action == "agent.run"
	not _agent_known
	r := reason.of(rego.metadata.chain(), {"agent": object.get(input, ["agent", "name"], "?")})
}

_agent_known if {
	input.agent.known == true
	input.agent.name == input.attempt.agent
	is_object(_agent)
}

_agent := _values.agents[input.agent.name]

# METADATA
# title: The agent is not for tasks to choose
# description: The task chose an agent that the config does not let tasks choose.
# custom:
#   code: delivery.agent_not_selectable
#   message: "a task may not choose the agent {agent}"
#   remedy: "Remove agent from the task, or let the operator set task_selectable: true."
deny contains r if {
	input.action == "agent.run"
	not _agent_chosen_rightly
	r := reason.of(rego.metadata.chain(), {"agent": object.get(input, ["agent", "name"], "?")})
}

_agent_chosen_rightly if schedule.selectable(input.agent.name)

_agent_chosen_rightly if object.get(input.attempt.task, "agent", "") == ""

# METADATA
# title: The agent is incomplete
# description: The config's entry of the agent lacks what is needed to run it.
# custom:
#   code: delivery.agent_incomplete
#   message: "the config's agent {agent} has no proper {field}"
#   remedy: "Correct the agent in the config; leviathan config lint FILE says what is wrong."
deny contains r if {
	input.action == "agent.run"
	_agent_known
	some field in ({"type", "command", "stdin", "env", "env_from", "sandbox", "memory_mb", "output_max_kb"} - _agent_proper)
	r := reason.of(rego.metadata.chain(), {"agent": input.agent.name, "field": field})
}

_agent_proper contains "type" if _agent.type in {"command", "scaffold"}

_agent_proper contains "command" if _agent.type == "scaffold"

_agent_proper contains "command" if {
	is_array(_agent.command)
	count(_agent.command) > 0
	_texts(_agent.command)
}

_agent_proper contains "stdin" if _agent.stdin in {"none", "prompt"}

_agent_proper contains "env" if _texts(_map(_agent.env))

_agent_proper contains "env_from" if _texts(_list(_agent.env_from))

_agent_proper contains "sandbox" if _agent.sandbox in {"required", "off"}

_agent_proper contains field if {
	some field in ["memory_mb", "output_max_kb"]
	is_number(_agent[field])
}

_texts(values) if {
	every text in values {
		is_string(text)
	}
}

# METADATA
# title: A verification is unknown
# description: The task asks for a verification that the config does not have.
# custom:
#   code: delivery.unknown_verify
#   message: "the config has no verification {verify}"
#   remedy: "Correct the task, or let the operator add the verification."
deny contains r if {
	input.action == "agent.run"
	some name in input.attempt.task.verify
	not _verification(name)
	r := reason.of(rego.metadata.chain(), {"verify": name})
}

_verification(name) := {"name": name, "command": known.command, "timeout_seconds": known.timeout_seconds} if {
	known := _values.verify[name]
	is_array(known.command)
	_texts(known.command)
	is_number(known.timeout_seconds)
}

_started := {"lease_seconds": _values.limits.lease_seconds, "timeout_seconds": min(_timeouts)}

_timeouts := {_values.attempt_timeout_seconds} | {n |
	n := input.attempt.task.timeout_seconds
	is_number(n)
	n > 0
}

# _run is all that the worker may do with the agent: the operator's words, not
# the task's.
_run := {
	"agent": input.agent.name,
	"type": _agent.type,
	"command": _list(_agent.command),
	"env": _map(_agent.env),
	"env_from": _list(_agent.env_from),
	"stdin": _agent.stdin,
	"sandbox": {
		"required": _sandbox_required,
		"off": _sandbox_off,
		"read": _list(_values.sandbox.read),
		"connect_ports": _list(_values.sandbox.connect_ports),
	},
	"limits": {"memory_mb": _agent.memory_mb, "output_max_kb": _agent.output_max_kb},
	"verify": [_verification(name) | some name in input.attempt.task.verify],
}

default _sandbox_off := false

_sandbox_off if _agent.sandbox == "off"

# Anything but an explicit "optional" requires the sandbox.
default _sandbox_required := true

_sandbox_required := false if _sandbox_off

_sandbox_required := false if _values.sandbox.mode == "optional"

_list(x) := x if is_array(x)

_list(null) := []

_map(x) := x if is_object(x)

_map(null) := {}
