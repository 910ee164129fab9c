package leviathan.schedule

import rego.v1

import data.leviathan.reason
import data.leviathan.scope

# METADATA
# title: A dependency is not completed
# description: A task waits until each of its dependencies is merged, or completed in the backlog.
# custom:
#   code: schedule.dependency
#   message: "dependency {dependency} is not completed"
#   remedy: "Wait for its pull request to be merged, or set its status to completed."
_checks["schedule.dependency"] := {id: {reasons[d] | some d in ds} |
	some id, all in _unmet
	ds := all & _known_ids
	count(ds) > 0
} if {
	chain := rego.metadata.chain()
	reasons := {d: reason.of(chain, {"dependency": d}) | some ds in _unmet; some d in ds}
}

# METADATA
# title: A dependency does not exist
# description: The backlog has no task of this id and the journal has not seen one.
# custom:
#   code: schedule.unknown_dependency
#   message: "dependency {dependency} is not in the backlog"
#   remedy: "Correct the id, or remove the dependency."
_checks["schedule.unknown_dependency"] := {id: {reasons[d] | some d in ds} |
	some id, all in _unmet
	ds := all - _known_ids
	count(ds) > 0
} if {
	chain := rego.metadata.chain()
	reasons := {d: reason.of(chain, {"dependency": d}) | some ds in _unmet; some d in ds}
}

_unmet := {id: ds |
	some id, task in _tasks
	task.dependencies != []
	ds := {d | some d in task.dependencies} - _completed
	count(ds) > 0
}

_known_ids := (object.keys(_tasks) | object.keys(_states)) | object.keys(_invalid)

# METADATA
# title: No allowed paths
# description: A task without allowed_paths may change nothing, so it never runs.
# custom:
#   code: schedule.no_allowed_paths
#   message: "allowed_paths is empty"
#   remedy: "List the files and folders that the task may change."
_checks["schedule.no_allowed_paths"] := {id: rs | some id in (object.keys(_tasks) - _with_paths)} if {
	rs := {reason.fixed(rego.metadata.chain())}
}

_with_paths := {id |
	some id, task in _tasks
	is_array(task.allowed_paths)
	task.allowed_paths != []
}

# The paths that a task asks for, judged by the rules that will judge its push.
_checks["scope"] := {id: rs |
	some id, task in _tasks
	rs := {r | some path in task.allowed_paths; some r in faults[[task.scope, path]]}
	count(rs) > 0
} if {
	faults := scope.path_reasons
	count(faults) > 0
}

# METADATA
# title: A verification is unknown
# description: A task may ask only for verifications that the operator's config names.
# custom:
#   code: schedule.unknown_verify
#   message: "the config has no verification {verify}"
#   remedy: "Correct the name, or let the operator add it under verify in the config."
_checks["schedule.unknown_verify"] := {id: rs |
	some id, task in _tasks
	rs := {reasons[v] | some v in task.verify}
	count(rs) > 0
} if {
	count(_unknown_verify) > 0
	chain := rego.metadata.chain()
	reasons := {v: reason.of(chain, {"verify": v}) | some v in _unknown_verify}
}

_unknown_verify := {v | some task in _tasks; some v in task.verify} - {v | some v, _ in input.config.values.verify}
