package leviathan.schedule

import rego.v1

import data.leviathan.reason

_agents := input.config.values.agents

# default_agent is the one that the config names, or its only one.
default_agent := input.config.values.default_agent if input.config.values.default_agent != ""

default_agent := name if {
	input.config.values.default_agent == ""
	count(_agents) == 1
	some name, _ in _agents
}

# agent_of is the agent that a task will run with, by what it writes.
agent_of(name) := name if name != ""

agent_of("") := default_agent

_known(agent) if is_object(_agents[agent])

# selectable: whoever names the default chooses nothing.
selectable(agent) if _agents[agent].task_selectable == true

selectable(agent) if agent == default_agent

# METADATA
# title: No default agent
# description: The task names no agent and the config has no default among several.
# custom:
#   code: schedule.no_agent
#   message: "the task names no agent and the config has no default"
#   remedy: "Set default_agent in the config, or agent in the task."
_of_class["no_agent"] := {class: {"schedule.no_agent": r} | some class, like in _classes; not agent_of(like.agent)} if {
	r := reason.fixed(rego.metadata.chain())
}

# METADATA
# title: The agent is unknown
# description: The config has no agent of the name that the task gives.
# custom:
#   code: schedule.unknown_agent
#   message: "the config has no agent {agent}"
#   remedy: "Correct the name, or let the operator add the agent to the config."
_of_class["unknown_agent"] := {class: {"schedule.unknown_agent": reason.of(chain, {"agent": agent})} |
	some class, like in _classes
	agent := agent_of(like.agent)
	not _known(agent)
} if {
	chain := rego.metadata.chain()
}

# METADATA
# title: The agent is not for tasks to choose
# description: A task may choose an agent only with task_selectable; one without a sandbox needs it said explicitly.
# custom:
#   code: schedule.agent_not_selectable
#   message: "a task may not choose the agent {agent}"
#   remedy: "Remove agent from the task, or let the operator set task_selectable: true."
_of_class["not_selectable"] := {class: {"schedule.agent_not_selectable": reason.of(chain, {"agent": agent})} |
	some class, like in _classes
	agent := agent_of(like.agent)
	_known(agent)
	not selectable(agent)
} if {
	chain := rego.metadata.chain()
}
