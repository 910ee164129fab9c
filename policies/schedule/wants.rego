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
_of_task["dependency"] := {id: {sprintf("schedule.dependency %v", [d]): reason.of(chain, {"dependency": d}) | some d in ds} |
	some id, unmet in _unmet
	ds := unmet & _known_ids
} if {
	chain := rego.metadata.chain()
}

# METADATA
# title: A dependency does not exist
# description: The backlog has no task of this id and the journal has not seen one.
# custom:
#   code: schedule.unknown_dependency
#   message: "dependency {dependency} is not in the backlog"
#   remedy: "Correct the id, or remove the dependency."
_of_task["unknown_dependency"] := {id: {sprintf("schedule.unknown_dependency %v", [d]): reason.of(chain, {"dependency": d}) | some d in ds} |
	some id, unmet in _unmet
	ds := unmet - _known_ids
	count(ds) > 0
} if {
	chain := rego.metadata.chain()
}

_independent := {id | _tasks[id].dependencies == []}

default _dependencies := {}

_dependencies := {id: dependencies |
	dependencies := _tasks[id].dependencies
	dependencies != []
} if {
	count(_independent) != count(_tasks)
}

_not_a_list := {id | some id, dependencies in _dependencies; not is_array(dependencies)}

_unmet := {id: ds |
	some id, dependencies in _dependencies
	ds := {d | some d in dependencies} - _completed
	count(ds) > 0
}

_known_ids := (object.keys(_tasks) | object.keys(input.state.tasks)) | object.keys(_invalid)

# The paths that tasks ask for are judged by the rules that will judge their
# pushes, each list once; where the target's policy goes by scope, with the scope.
_of_task["paths"] := {id: faults |
	some id, task in _tasks
	faults := _list_faults[task.allowed_paths]
} if {
	count(_path_faults) > 0
	not scope.by_scope
}

_of_task["paths"] := {id: faults |
	some id, task in _tasks
	faults := _path_faults[[task.scope, task.allowed_paths]]
} if {
	count(_path_faults) > 0
	scope.by_scope
}

_list_faults := {key[1]: faults | some key, faults in _path_faults}

_path_faults := object.union(_no_paths, {key: faults |
	by_entry := scope.path_reasons
	count(by_entry) > 0
	some key in scope.lists
	faults := {concat(" ", [r.code, path]): r | some path in key[1]; some r in by_entry[[key[0], path]]}
	count(faults) > 0
})

# METADATA
# title: No allowed paths
# description: A task without allowed_paths may change nothing, so it never runs.
# custom:
#   code: schedule.no_allowed_paths
#   message: "allowed_paths is empty"
#   remedy: "List the files and folders that the task may change."
_no_paths := {key: {"schedule.no_allowed_paths": r} | some key in scope.lists; not _has_paths(key[1])} if {
	not scope.all_listed
	r := reason.fixed(rego.metadata.chain())
}

default _no_paths := {}

_has_paths(list) if {
	is_array(list)
	list != []
	every path in list {
		is_string(path)
	}
}
