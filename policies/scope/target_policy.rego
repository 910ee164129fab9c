package leviathan.scope

import rego.v1

import data.leviathan.reason

# The target's own policy, .leviathan/policy.yaml: it can only narrow. What it
# does not say restricts nothing; what it says wrongly, guard denies.
_target := input.target_policy.values if input.target_policy.state == "valid"

default _target := {}

# _target_silent: it says nothing about paths, sizes and operations, so that
# one glance is enough.
_target_silent if {
	object.get(_target, "allowed_paths", null) == null
	count(_forbidden) == 0
	count(_target_sizes) == 0
	count(_target_operations) == 0
}

_forbidden := {g | some g in object.get(_target, "forbidden_paths", [])}

_target_sizes := object.get(_target, ["file_size_limits", "max_file_size_kb"], {})

_constraints := {c | some scope in _scopes; c := _target.scope_constraints[scope]}

_target_max_files := {n | some c in _constraints; n := c.max_files_per_task; n > 0}

_target_operations := {{op | some op in c.allowed_operations} | some c in _constraints; is_array(c.allowed_operations)}

# _allowed_of are the globs for a scope. A scope that the target's map does not
# have may change nothing.
_allowed_of(_) := _target.allowed_paths if is_array(_target.allowed_paths)

_allowed_of(scope) := object.get(_target.allowed_paths, scope, []) if is_object(_target.allowed_paths)

# METADATA
# title: The target's policy forbids the path
# description: The path matches forbidden_paths of .leviathan/policy.yaml.
# custom:
#   code: scope.forbidden
#   message: "{path} is forbidden by .leviathan/policy.yaml ({pattern})"
#   remedy: "Leave this path alone, or change the target's policy on its branch."
path_reasons[j.key] contains r if {
	some j in judged
	some pattern in _forbidden
	matches(pattern, j.literal)
	r := reason.of(rego.metadata.chain(), {"path": j.path, "pattern": pattern})
}

# METADATA
# title: The target's policy does not allow the path
# description: The path matches nothing in allowed_paths of .leviathan/policy.yaml for the task's scope.
# custom:
#   code: scope.not_in_target_policy
#   message: "{path} is not in allowed_paths of .leviathan/policy.yaml for scope {scope}"
#   remedy: "Keep to the target's allowed paths, or change the target's policy on its branch."
path_reasons[j.key] contains r if {
	some j in judged
	some scope in j.scopes
	not _target_allows(scope, j)
	r := reason.of(rego.metadata.chain(), {"path": j.path, "scope": scope})
}

_target_allows(_, _) if object.get(_target, "allowed_paths", null) == null

_target_allows(scope, j) if {
	some pattern in _allowed_of(scope)
	matches(pattern, j.literal)
}

# An entry that names more than one file passes if a file below it could.
_target_allows(scope, j) if {
	not j.change
	j.literal != j.path
	some pattern in _allowed_of(scope)
	_overlap(j.literal, literal(pattern))
}

_target_allows(scope, j) if {
	not j.change
	endswith(j.path, "/")
	some pattern in _allowed_of(scope)
	_overlap(j.literal, literal(pattern))
}

_overlap(a, b) if startswith(a, b)

_overlap(a, b) if startswith(b, a)

_target_passes(path, scopes) if {
	not _forbidden_match(path)
	every scope in scopes {
		_target_allows(scope, {"literal": path, "path": path, "change": true})
	}
}

_forbidden_match(path) if {
	some pattern in _forbidden
	matches(pattern, path)
}

# matches is how a target's glob means a path: one without a slash is about the
# name at any depth, one that ends in a slash about all below that folder.
matches(pattern, path) if {
	not contains(pattern, "/")
	glob.match(pattern, ["/"], regex.find_n(`[^/]*$`, path, 1)[0])
}

matches(pattern, path) if {
	contains(pattern, "/")
	glob.match(pattern, ["/"], path)
}

matches(pattern, path) if {
	endswith(pattern, "/")
	startswith(path, pattern)
}

# METADATA
# title: The target's policy does not allow the operation
# description: scope_constraints of .leviathan/policy.yaml list the operations that a scope's tasks may do.
# custom:
#   code: scope.operation
#   message: "{path}: to {operation} is not among the operations that .leviathan/policy.yaml allows"
#   remedy: "Do without this change, or change the target's policy on its branch."
path_reasons[j.key] contains r if {
	some j in judged
	j.change.op
	not _target_operation_ok(j.change.op)
	r := reason.of(rego.metadata.chain(), {"path": j.path, "operation": object.get(_operation_names, j.change.op, "?")})
}

_operation_names := {"add": "create", "modify": "update", "delete": "delete"}

_target_operation_ok(op) if {
	every allowed in _target_operations {
		_operation_names[op] in allowed
	}
}

# METADATA
# title: A file is larger than the target's policy allows
# description: file_size_limits of .leviathan/policy.yaml bound the size of files by glob.
# custom:
#   code: scope.file_too_large_for_target
#   message: "{path} has {size} bytes, more than .leviathan/policy.yaml allows"
#   remedy: "Make the file smaller, or change the target's policy on its branch."
path_reasons[j.key] contains r if {
	some j in judged
	j.change
	_sound(j.change)
	not _target_size_ok(j.change)
	r := reason.of(rego.metadata.chain(), {"path": j.path, "size": j.change.size})
}

_target_size_ok(change) if {
	every pattern, kb in _target_sizes {
		_size_within(change, pattern, kb)
	}
}

_size_within(change, _, kb) if change.size <= kb * 1024

_size_within(change, pattern, _) if not matches(pattern, change.path)
