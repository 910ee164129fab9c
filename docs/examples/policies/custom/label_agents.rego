package leviathan.custom

import rego.v1

import data.leviathan.reason

# _agents_of are the agents that may work on tasks with a label. A task with
# several of these labels needs an agent that all of them allow; a task with
# none may have any.
_agents_of := {
	"security": {"reviewed-coder"},
	"docs": {"coder", "writer", "reviewed-coder"},
}

# METADATA
# title: The agent is not for tasks with this label
# description: Tasks with some labels may be worked on by some agents alone. The label is read from the task as it was reserved and as it stands now.
# custom:
#   code: custom.label_agent
#   message: "tasks labelled {label} are not for the agent {agent}; they are for {agents}"
#   remedy: "Name one of these agents in the task, or take the label off."
deny contains r if {
	input.action in {"attempt.start", "agent.run"}
	some label in _labels
	agents := _agents_of[label]
	not _is_one_of(agents)
	r := reason.of(rego.metadata.chain(), {
		"label": label,
		"agent": object.get(input, ["attempt", "agent"], "that is not named"),
		"agents": concat(", ", sort(agents)),
	})
}

_labels contains label if some label in input.attempt.task.labels

_labels contains label if some label in input.task_now.task.labels

_is_one_of(agents) if input.attempt.agent in agents
