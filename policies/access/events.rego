package leviathan.access

import rego.v1

import data.leviathan.reason

# The types that the gateway itself emits: the table of gateway/event.go, and
# a test there compares. A claim of one by a worker would look like a fact.
gateway_events := {
	"target.registered",
	"task.created", "task.blocked", "task.unblocked", "task.completed",
	"attempt.created", "attempt.started", "attempt.pushed", "attempt.succeeded", "attempt.failed",
	"attempt.cancelled", "attempt.expired", "attempt.invalidated", "attempt.evidence",
	"lease.renewed",
	"push.intended", "push.voided", "push.refused",
	"pr.intended", "pr.voided", "pr.created", "pr.observed", "pr.merged", "pr.closed",
	"artifact.created", "retry.scheduled", "job.submitted", "cycle.completed",
	"autonomy.halted", "autonomy.resumed",
	"circuit.opened", "circuit.half_opened", "circuit.closed",
	"bundle.activated", "bundle.rejected", "violation.detected",
	"token.created", "token.revoked",
	"forge.observed", "forge.probed", "config.observed", "clock.accepted", "gateway.started", "refused.evicted",
}

# What a role may append of these all the same. Ingest and operator may append
# any: they hand over the claims of another system, and are marked as such.
_claimable := {
	"attempt": {"artifact.created"},
	"scheduler": {"job.submitted"},
	"ingest": gateway_events,
	"operator": gateway_events,
}

# METADATA
# title: The event type is the gateway's
# description: A worker or scheduler may not append an event that the gateway itself emits.
# custom:
#   code: access.event_type
#   message: "events of type {type} are the gateway's own"
#   remedy: "Append only artifact.created, job.submitted, or types of your own."
deny contains r if {
	input.action == "event.append"
	some type in input.request.types
	not _appendable(type)
	r := reason.of(rego.metadata.chain(), {"type": type})
}

_appendable(type) if {
	is_string(type)
	not type in gateway_events
}

_appendable(type) if type in _claimable[input.subject.role]

# METADATA
# title: The event is about another attempt
# description: An attempt's token may append events about its own attempt alone, and each must name it.
# custom:
#   code: access.event_attempt
#   message: "the token of attempt {attempt} may append events about that attempt alone"
#   remedy: "Set attempt_id of every event to the token's own attempt."
deny contains r if {
	input.action == "event.append"
	input.subject.role == "attempt"
	not _own_events
	r := reason.of(rego.metadata.chain(), {"attempt": object.get(input, ["subject", "attempt"], "?")})
}

_own_events if {
	input.subject.attempt != ""
	input.subject.target == input.resource.properties.target
	{id | some id in input.request.attempts} == {input.subject.attempt}
}
