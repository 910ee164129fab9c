# METADATA
# title: Autonomy configuration
# description: |
#   The gateway's own loader accepts every autonomy config, copies of one target
#   are equal wherever they stand, and limits and prefixes are sound.
#   Parameters: bounds (least and most, by key), wide (prefixes that are too
#   much), unsandboxed (agents that may run without a sandbox).
# custom:
#   needs: [autonomy]
package leviathan.invariants.autonomy_config

import rego.v1

import data.leviathan.invariants._lib as lib

# METADATA
# title: A config is not valid
# description: The gateway's loader refuses the config, so that its target would be off.
# custom:
#   code: autonomy_config.invalid
#   severity: error
#   message: "{message}"
#   remedy: "Correct the config; leviathan config lint FILE says the same."
deny contains v if {
	some config in input.autonomy
	some message in config.messages
	message.code == "error"
	v := lib.violation(rego.metadata.chain(), message, {"message": message.message, "subject": config.source})
}

# METADATA
# title: A config has something doubtful
# description: The loader accepts the config and warns about a part of it.
# custom:
#   code: autonomy_config.doubtful
#   severity: warning
#   message: "{message}"
#   remedy: "Say what is meant, or waive the warning with a reason."
deny contains v if {
	some config in input.autonomy
	some message in config.messages
	message.code != "error"
	v := lib.violation(rego.metadata.chain(), message, {"message": message.message, "subject": config.source})
}

# METADATA
# title: A config that is not valid says nothing
# description: The loader has no config of the text and no message either.
# custom:
#   code: autonomy_config.unreadable
#   severity: error
#   message: "the loader accepts nothing of this config"
#   remedy: "Run leviathan config lint FILE."
deny contains v if {
	some config in input.autonomy
	not config.valid
	count([message | some message in config.messages; message.code == "error"]) == 0
	v := lib.violation(rego.metadata.chain(), config, {"subject": config.source})
}

# METADATA
# title: Two copies of a config differ
# description: A target has its config in two places, a file, a ConfigMap or a document, and they say different things.
# custom:
#   code: autonomy_config.copies_differ
#   severity: error
#   message: "{key} of the target {target} is {value} here and {other} at {place}"
#   remedy: "Make the copies equal, or give the other target an id of its own."
deny contains v if {
	some config in _valid
	first := _first[config.values.target_id]
	some key, value in config.values
	other := object.get(first.values, key, null)
	value != other
	v := lib.violation(rego.metadata.chain(), _at(config, key), {
		"key": key, "target": config.values.target_id, "value": sprintf("%v", [value]), "other": sprintf("%v", [other]),
		"place": sprintf("%s:%d", [first.file, first.line]), "subject": sprintf("%s.%s", [config.values.target_id, key]),
	})
}

# METADATA
# title: A limit is out of bounds
# description: A limit is valid and still more, or less, than is sound for agents that nobody watches.
# custom:
#   code: autonomy_config.bounds
#   severity: error
#   message: "{key} is {value}; sound is {least} to {most}"
#   remedy: "Choose a value between them, or set parameters.autonomy_config.bounds in .leviathan/invariants.yaml."
deny contains v if {
	some config in _valid
	some key, bound in object.union(_bounds, lib.parameter("autonomy_config", "bounds", {}))
	value := object.get(config.values, split(key, "."), null)
	not _within(value, bound)
	v := lib.violation(rego.metadata.chain(), _at(config, replace(key, ".", "/")), {
		"key": key, "value": sprintf("%v", [value]), "least": sprintf("%v", [bound[0]]), "most": sprintf("%v", [bound[1]]),
		"subject": sprintf("%s.%s", [config.values.target_id, key]),
	})
}

# METADATA
# title: A prefix is too wide
# description: A prefix gives agents a folder that holds what builds, ships or guards the repository.
# custom:
#   code: autonomy_config.wide_prefix
#   severity: error
#   message: "agents may change everything below {prefix}"
#   remedy: "Name the folders inside that agents may change, or set parameters.autonomy_config.wide in .leviathan/invariants.yaml."
deny contains v if {
	some config in _valid
	some i, prefix in config.values.allowed_path_prefixes
	lower(trim_suffix(prefix, "/")) in lib.parameter("autonomy_config", "wide", [".github", ".leviathan", ".git", ".ci", "deploy", "policies"])
	v := lib.violation(rego.metadata.chain(), _at(config, sprintf("allowed_path_prefixes/%d", [i])), {"prefix": prefix, "subject": prefix})
}

# METADATA
# title: A prefix says nothing new
# description: Another prefix of the same config has it already, so that taking it away would change nothing.
# custom:
#   code: autonomy_config.idle_prefix
#   severity: error
#   message: "{prefix} is inside {other}, which is allowed already"
#   remedy: "Remove one of them: the narrow one, or the wide one if that is too much."
deny contains v if {
	some config in _valid
	some i, prefix in config.values.allowed_path_prefixes
	some j, other in config.values.allowed_path_prefixes
	i != j
	_inside(prefix, other, i, j)
	v := lib.violation(rego.metadata.chain(), _at(config, sprintf("allowed_path_prefixes/%d", [i])), {"prefix": prefix, "other": other, "subject": prefix})
}

# METADATA
# title: An agent runs without a sandbox
# description: An agent whose sandbox is off is as trusted as the operator.
# custom:
#   code: autonomy_config.no_sandbox
#   severity: error
#   message: "the agent {agent} of the target {target} runs without a sandbox"
#   remedy: "Write sandbox: required, or name the agent in parameters.autonomy_config.unsandboxed of .leviathan/invariants.yaml."
deny contains v if {
	some config in _valid
	some name, agent in config.values.agents
	agent.sandbox == "off"
	not name in lib.parameter("autonomy_config", "unsandboxed", [])
	v := lib.violation(rego.metadata.chain(), _at(config, sprintf("agents/%s/sandbox", [name])), {"agent": name, "target": config.values.target_id, "subject": name})
}

_valid := [config | some config in input.autonomy; config.valid]

# _first is the copy of each target that others are compared with: in a file
# before in a ConfigMap before in a document.
_first[target] := config if {
	some target in {config.values.target_id | some config in _valid}
	order := [[_rank[config.source], config.file, config.line, i] |
		some i, config in _valid
		config.values.target_id == target
	]
	config := _valid[min(order)[3]]
}

_rank := {"file": 0, "configmap": 1, "markdown": 2}

_bounds := {
	"max_open_prs": [1, 20], "max_running_attempts": [1, 20], "max_attempts_per_task": [1, 10], "circuit_breaker_failures": [1, 10],
	"attempt_timeout_seconds": [30, 14400], "limits.lease_seconds": [10, 600], "limits.max_files": [1, 1000],
	"limits.max_file_kb": [1, 10240], "limits.max_pack_mb": [1, 1024], "limits.max_push_attempts": [1, 10],
}

_within(value, bound) if {
	is_number(value)
	value >= bound[0]
	value <= bound[1]
}

_inside(prefix, other, _, _) if {
	prefix != other
	endswith(other, "/")
	startswith(prefix, other)
}

_inside(prefix, other, i, j) if {
	prefix == other
	i > j
}

# _at is the place of a value of a config, of the config in Markdown.
_at(config, pointer) := lib.at(input.documents[config.document], concat("", ["/", pointer])) if config.document != ""

_at(config, _) := config if config.document == ""
