package leviathan.access

import rego.v1

import data.leviathan.reason

# METADATA
# title: Not the subject's own attempt
# description: An attempt's token is good for that attempt, of that target, alone.
# custom:
#   code: access.not_own_attempt
#   message: "the token is of attempt {attempt}, and the question is about another one"
#   remedy: "Use the token that came with the reservation of this attempt."
deny contains r if {
	input.subject.role == "attempt"
	input.action in {
		"attempt.start", "agent.run", "attempt.heartbeat", "repository.fetch", "change.push", "attempt.evidence",
		"artifact.put", "attempt.finish", "pull_request.open",
	}
	not _own_attempt
	r := reason.of(rego.metadata.chain(), {"attempt": object.get(input, ["subject", "attempt"], "?")})
}

_own_attempt if {
	input.subject.attempt != ""
	input.subject.attempt == input.attempt.id
	input.subject.target == input.attempt.target
	input.subject.target == input.resource.properties.target
	_own_resource
}

# Objects are fetched from the repository; all else names the attempt.
_own_resource if input.action == "repository.fetch"

_own_resource if input.resource.id == input.subject.attempt

# METADATA
# title: The attempt is of another target
# description: The attempt that the question is about does not belong to the target that it names.
# custom:
#   code: access.attempt_target
#   message: "the attempt does not belong to target {target}"
#   remedy: "Name the attempt's own target."
deny contains r if {
	input.subject.role != "attempt"
	input.action in {
		"attempt.start", "agent.run", "attempt.heartbeat", "change.push", "attempt.evidence", "artifact.put",
		"attempt.finish", "pull_request.open", "attempt.lost", "attempt.expire",
	}
	not input.attempt.target == input.resource.properties.target
	r := reason.of(rego.metadata.chain(), {"target": object.get(input, ["resource", "properties", "target"], "?")})
}

# METADATA
# title: The token is bound to another target
# description: A token that was made for one target is good for that target alone.
# custom:
#   code: access.other_target
#   message: "the token is bound to target {bound}"
#   remedy: "Use a token of the target in question, and name the target in the question."
deny contains r if {
	input.subject.role in {"scheduler", "reader", "ingest", "operator"}
	_bound != ""
	not input.resource.properties.target == _bound
	r := reason.of(rego.metadata.chain(), {"bound": _bound})
}

_bound := object.get(input, ["subject", "target"], "")
