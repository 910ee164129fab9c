package leviathan.delivery

import rego.v1

import data.leviathan.reason
import data.leviathan.scope

# The task as it is now counts too: gone, not ready or narrower means stop. When
# it is not known, guard decides whether that matters.
_minds_task if {
	input.action in {"attempt.start", "agent.run", "attempt.heartbeat", "change.push", "pull_request.open"}
	input.attempt.state != "proposed"
	input.task_now.known == true
}

# METADATA
# title: The task is gone
# description: The backlog no longer has the task.
# custom:
#   code: delivery.task_gone
#   message: "the task is no longer in the backlog"
#   remedy: "Stop. To have it done, put the task back."
deny contains r if {
	_minds_task
	not input.task_now.present == true
	r := reason.fixed(rego.metadata.chain())
}

# METADATA
# title: The task is not ready any more
# description: The task is in the backlog and no longer ready, or it is completed, blocked or failed there.
# custom:
#   code: delivery.task_not_ready
#   message: "the task is no longer ready to run"
#   remedy: "Stop. To have it done, set ready: true and status: pending again."
deny contains r if {
	_minds_task
	input.task_now.present == true
	not _task_ready
	r := reason.fixed(rego.metadata.chain())
}

_task_ready if {
	input.task_now.task.ready == true
	input.task_now.task.status in {"pending", "in_progress"}
}

# METADATA
# title: The task is narrower now
# description: |
#   The task lost allowed paths, or asks for verifications or dependencies that
#   it did not have when it was reserved.
# custom:
#   code: delivery.task_changed
#   message: "the task is narrower than it was reserved: {what}"
#   remedy: "Stop. The task is tried again as it is now."
deny contains r if {
	_minds_task
	input.task_now.present == true
	not _as_reserved
	some what in _narrower
	r := reason.of(rego.metadata.chain(), {"what": what})
}

# The same lists need no look at what is in them.
_as_reserved if {
	input.task_now.task.allowed_paths == input.attempt.task.allowed_paths
	input.task_now.task.verify == input.attempt.task.verify
	input.task_now.task.dependencies == input.attempt.task.dependencies
}

_narrower contains sprintf("%v is not allowed any more", [path]) if {
	some path in input.attempt.task.allowed_paths
	not _still_allowed(path)
}

_narrower contains sprintf("it asks for %v besides", [name]) if {
	some key in ["verify", "dependencies"]
	some name in input.task_now.task[key]
	not name in input.attempt.task[key]
}

_still_allowed(path) if path in input.task_now.task.allowed_paths

_still_allowed(path) if {
	is_string(path)
	strings.any_prefix_match(path, _folders_now)
}

_folders_now := scope.entries(input.task_now.task.allowed_paths).dirs
