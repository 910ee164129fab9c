package leviathan.delivery

import rego.v1

import data.leviathan.reason

_counted_types := {"agent_error", "timeout", "no_change", "verify_failed", "denied", "sandbox"}

_machinery_types := {"lost", "launch", "upstream", "internal"}

_observations := {"job_deleted", "job_failed", "evicted", "oom", "image_pull", "process_gone"}

# METADATA
# title: The attempt has not proposed
# description: Only an attempt whose pull request is open and read back can succeed.
# custom:
#   code: delivery.not_proposed
#   message: "the attempt is {state}; only one whose pull request is open can succeed"
#   remedy: "Ask for the pull request first, or finish the attempt as failed."
deny contains r if {
	input.action == "attempt.finish"
	input.request.outcome == "succeeded"
	input.attempt.state != "proposed"
	r := reason.of(rego.metadata.chain(), {"state": input.attempt.state})
}

# METADATA
# title: The outcome is not known
# description: An attempt ends succeeded, failed with a type, or cancelled.
# custom:
#   code: delivery.outcome
#   message: "an attempt cannot end as {outcome} {type}"
#   remedy: "Send succeeded, cancelled, or failed with one of the failure types."
deny contains r if {
	input.action == "attempt.finish"
	not _outcome_ok
	r := reason.of(rego.metadata.chain(), {
		"outcome": object.get(input, ["request", "outcome"], "?"),
		"type": object.get(input, ["request", "failure_type"], ""),
	})
}

_outcome_ok if input.request.outcome in {"succeeded", "cancelled"}

_outcome_ok if {
	input.request.outcome == "failed"
	input.request.failure_type in (_counted_types | _machinery_types)
}

# METADATA
# title: The observation is not known
# description: A launcher says what it saw of a worker that is gone, in one of six words.
# custom:
#   code: delivery.observed
#   message: "{observed} is not something that a launcher observes"
#   remedy: "Send one of job_deleted, job_failed, evicted, oom, image_pull, process_gone."
deny contains r if {
	input.action == "attempt.lost"
	not _observed
	r := reason.of(rego.metadata.chain(), {"observed": object.get(input, ["request", "observed"], "?")})
}

_observed if input.request.observed in _observations

# METADATA
# title: The attempt is not out of time
# description: An attempt expires when its start deadline has passed or its lease is known to have ended.
# custom:
#   code: delivery.not_due
#   message: "neither the attempt's start deadline nor its lease is over"
#   remedy: "Wait; cancel the attempt to end it sooner."
deny contains r if {
	input.action == "attempt.expire"
	not _due
	r := reason.fixed(rego.metadata.chain())
}

_due if {
	input.request.why == "start_deadline"
	input.attempt.state == "reserved"
	input.time.now_us >= input.attempt.start_deadline_us
}

_due if {
	input.request.why == "lease"
	input.attempt.state in {"running", "pushed", "proposed"}
	input.attempt.lease.known == true
	input.attempt.lease.live == false
}

# METADATA
# title: The task's record is missing
# description: What follows from the end of an attempt depends on the earlier ones; the journal's record of the task is missing or incomplete.
# custom:
#   code: unknown.task_record
#   message: "the journal's record of task {task} is missing or incomplete"
#   remedy: "See the gateway's log; rebuild the projections."
deny contains r if {
	input.action in {"attempt.finish", "attempt.lost", "attempt.expire"}
	not _record_ok
	r := reason.of(rego.metadata.chain(), {"task": object.get(input, ["attempt", "task_id"], "?")})
}

_record := input.state.tasks[input.attempt.task_id]

_record_ok if {
	is_string(_record.digest)
	is_number(_record.counted)
	is_number(_record.infrastructure)
}

# _stopped: the switch is validly off or a halt is set, so that whatever the
# attempt says, it was stopped. An unknown switch excuses nothing.
_stopped if {
	input.config.state == "valid"
	input.config.values.autonomy_enabled == false
}

_stopped if is_object(input.halt.all)

_stopped if is_object(input.halt.target)

# _end is how the attempt ends.
_end := {"state": "succeeded", "failure_type": ""} if {
	input.action == "attempt.finish"
	input.request.outcome == "succeeded"
}

_end := {"state": "cancelled", "failure_type": ""} if {
	input.action == "attempt.finish"
	_cancelled
}

_end := {"state": "failed", "failure_type": input.request.failure_type} if {
	input.action == "attempt.finish"
	input.request.outcome == "failed"
	not _cancelled
}

# What was proposed before its worker was gone has been delivered.
_end := {"state": "succeeded", "failure_type": ""} if {
	input.action in {"attempt.lost", "attempt.expire"}
	input.attempt.state == "proposed"
}

_end := {"state": "failed", "failure_type": _lost_type} if {
	input.action == "attempt.lost"
	input.attempt.state != "proposed"
}

# An attempt that runs out of time unheard is lost all the same: without its
# type it would be tried again for ever.
_end := {"state": "expired", "failure_type": _expired_type} if {
	input.action == "attempt.expire"
	input.attempt.state != "proposed"
}

_cancelled if input.request.outcome == "cancelled"

_cancelled if {
	input.request.outcome == "failed"
	_stopped
}

default _lost_type := "lost"

_lost_type := "launch" if input.request.observed == "image_pull"

_lost_type := "launch" if input.attempt.state == "reserved"

default _expired_type := "lost"

_expired_type := "launch" if {
	input.attempt.state == "reserved"
	not _stopped
}

_expired_type := "" if _stopped
