package leviathan.guard

import rego.v1

import data.leviathan.reason

# How long a config may be invalid before running work is told to stop: an
# editor's half-written save kills nothing.
_grace_seconds := 5

# METADATA
# title: The config is not known
# description: The question does not say what the target's autonomy config is, so nothing can be allowed by it.
# custom:
#   code: unknown.config
#   message: "the state of the autonomy config is not known"
#   remedy: "See the gateway's log; ask again when the config can be read."
deny.config contains r if {
	not _state_known
	r := reason.fixed(rego.metadata.chain())
}

_state_known if input.config.state in {"valid", "invalid", "absent"}

# METADATA
# title: No config names the target
# description: A target without an autonomy config is off.
# custom:
#   code: guard.config_absent
#   message: "no autonomy config governs this target: {reason}"
#   remedy: "Add the target's config file to the folder that --config names."
deny.config contains r if {
	input.config.state == "absent"
	r := reason.of(rego.metadata.chain(), {"reason": reason.told(object.get(input.config, "reason", ""))})
}

# METADATA
# title: The config is invalid
# description: |
#   An invalid config means off. New work and deliveries stop at once; running
#   work goes on for five seconds with the last valid values.
# custom:
#   code: guard.config_invalid
#   message: "the autonomy config is invalid: {reason}"
#   remedy: "Correct the config file; leviathan config lint FILE shows line and column."
deny.config contains r if {
	input.config.state == "invalid"
	not _within_grace
	r := reason.of(rego.metadata.chain(), {"reason": reason.told(object.get(input.config, "reason", ""))})
}

_within_grace if {
	needs.grace
	is_number(input.config.invalid_seconds)
	input.config.invalid_seconds <= _grace_seconds
	_has_values
}

# METADATA
# title: The config has no values
# description: A config that is called valid and shows no values is a fault of the gateway; nothing is allowed by it.
# custom:
#   code: unknown.config_values
#   message: "the autonomy config is {state} and its values are missing"
#   remedy: "See the gateway's log; ask again when the config can be read."
deny.config contains r if {
	input.config.state == "valid"
	not _has_values
	r := reason.of(rego.metadata.chain(), {"state": input.config.state})
}

_has_values if is_object(input.config.values)

# METADATA
# title: Autonomy is switched off
# description: Only a YAML boolean true in autonomy_enabled turns a target on.
# custom:
#   code: guard.switched_off
#   message: "autonomy is switched off for this target"
#   remedy: "Set autonomy_enabled: true in the target's config to let it run."
deny.config contains r if {
	_has_values
	not input.config.values.autonomy_enabled == true
	r := reason.fixed(rego.metadata.chain())
}

# METADATA
# title: The target's own policy is invalid
# description: A wrong type in a key of .leviathan/policy.yaml that restricts switches the target off.
# custom:
#   code: guard.target_policy_invalid
#   message: ".leviathan/policy.yaml is invalid: {reason}"
#   remedy: "Correct the file on the target branch."
deny.target_policy contains r if {
	input.target_policy.known == true
	not _target_policy_usable
	r := reason.of(rego.metadata.chain(), {"reason": reason.told(object.get(input.target_policy, "reason", ""))})
}

_target_policy_usable if input.target_policy.state == "absent"

_target_policy_usable if {
	input.target_policy.state == "valid"
	count(_target_policy_faults) == 0
}

_target_policy_faults contains "values" if not _target_policy_values

_target_policy_values if is_object(input.target_policy.values)

_target_policy_faults contains path if {
	_target_policy_values
	some path, types in _target_policy_types
	not type_name(object.get(input.target_policy.values, path, null)) in types
}

_target_policy_faults contains path if {
	_target_policy_values
	some path in ["max_attempts_per_task", "backoff_seconds", "max_concurrent_attempts", "max_tasks_per_day"]
	not is_number(object.get(input.target_policy.values, ["safety_rules", path], 0))
}

_target_policy_faults contains "require_conventional_commit" if {
	_target_policy_values
	not is_boolean(object.get(input.target_policy.values, ["safety_rules", "require_conventional_commit"], false))
}

_target_policy_types := {
	"allowed_paths": {"null", "array", "object"},
	"forbidden_paths": {"null", "array"},
	"scope_constraints": {"null", "object"},
	"safety_rules": {"null", "object"},
	"file_size_limits": {"null", "object"},
}
