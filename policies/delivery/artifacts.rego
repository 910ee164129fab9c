package leviathan.delivery

import rego.v1

import data.leviathan.reason

_artifact_max_bytes := 10485760

_artifacts_max := 50

# METADATA
# title: The artifact's name is not allowed
# description: A name is 1 to 64 of a-z, 0-9, dot, underscore and hyphen, and no dot alone.
# custom:
#   code: delivery.artifact_name
#   message: "an artifact cannot have the name {name}"
#   remedy: "Use 1 to 64 of a-z, 0-9, dot, underscore and hyphen."
deny contains r if {
	input.action == "artifact.put"
	not _artifact_name_ok
	r := reason.of(rego.metadata.chain(), {"name": object.get(input, ["request", "name"], "?")})
}

_artifact_name_ok if {
	regex.match(`^[a-z0-9._-]{1,64}$`, input.request.name)
	not input.request.name in {".", ".."}
}

# METADATA
# title: The artifact is too large
# description: One artifact has at most 10 MiB; it is appended to, never written over.
# custom:
#   code: delivery.artifact_too_large
#   message: "an artifact has at most {limit} bytes"
#   remedy: "Leave the middle of the log out, or split it."
deny contains r if {
	input.action == "artifact.put"
	not _artifact_size_ok
	r := reason.of(rego.metadata.chain(), {"limit": _artifact_max_bytes})
}

_artifact_size_ok if {
	input.request.offset >= 0
	input.request.size >= 0
	input.request.total == input.request.offset + input.request.size
	input.request.total <= _artifact_max_bytes
}

# METADATA
# title: Too many artifacts
# description: An attempt leaves at most fifty artifacts.
# custom:
#   code: delivery.too_many_artifacts
#   message: "an attempt leaves at most {limit} artifacts"
#   remedy: "Put more into one artifact."
deny contains r if {
	input.action == "artifact.put"
	not _few_enough
	r := reason.of(rego.metadata.chain(), {"limit": _artifacts_max})
}

_few_enough if input.request.count <= _artifacts_max
