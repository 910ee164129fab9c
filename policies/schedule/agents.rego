package leviathan.schedule

import rego.v1

import data.leviathan.reason

# agent_of is the agent that a task will run with.
agent_of(task) := _agent_by_name[_named_agent(task)]

_named_agent(task) := object.get(task, "agent", "")

# The agents that tasks may get, by what they write: nothing means the default.
_agent_by_name[name] := name if some name, _ in _agents

_agent_by_name[""] := default_agent

_agents := input.config.values.agents

default_agent := input.config.values.default_agent if input.config.values.default_agent != ""

default_agent := name if {
	input.config.values.default_agent == ""
	count(_agents) == 1
	some name, _ in _agents
}

_wanted_agents := {_named_agent(task) | some task in _tasks}

# METADATA
# title: No default agent
# description: The task names no agent and the config has no default among several.
# custom:
#   code: schedule.no_agent
#   message: "the task names no agent and the config has no default"
#   remedy: "Set default_agent in the config, or agent in the task."
_checks["schedule.no_agent"] := {id: rs |
	some id, task in _tasks
	_named_agent(task) == ""
} if {
	"" in _wanted_agents
	not _agents[default_agent]
	rs := {reason.fixed(rego.metadata.chain())}
}

# METADATA
# title: The agent is unknown
# description: The config has no agent of the name that the task gives.
# custom:
#   code: schedule.unknown_agent
#   message: "the config has no agent {agent}"
#   remedy: "Correct the name, or let the operator add the agent to the config."
_checks["schedule.unknown_agent"] := {id: {reasons[agent]} |
	some id, task in _tasks
	agent := _named_agent(task)
} if {
	unknown := (_wanted_agents - {""}) - object.keys(_agents)
	count(unknown) > 0
	chain := rego.metadata.chain()
	reasons := {agent: reason.of(chain, {"agent": agent}) | some agent in unknown}
}

# METADATA
# title: The agent is not for tasks to choose
# description: A task may choose an agent only with task_selectable; one without a sandbox needs it said explicitly.
# custom:
#   code: schedule.agent_not_selectable
#   message: "a task may not choose the agent {agent}"
#   remedy: "Remove agent from the task, or let the operator set task_selectable: true."
_checks["schedule.agent_not_selectable"] := {id: {reasons[agent]} |
	some id, task in _tasks
	agent := _named_agent(task)
} if {
	closed := {agent | some agent in _wanted_agents; not selectable(agent)} & object.keys(_agents)
	count(closed) > 0
	chain := rego.metadata.chain()
	reasons := {agent: reason.of(chain, {"agent": agent}) | some agent in closed}
}

# selectable: whoever names the default chooses nothing.
selectable(agent) if _agents[agent].task_selectable == true

selectable(agent) if agent == default_agent
