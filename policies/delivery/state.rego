package leviathan.delivery

import rego.v1

import data.leviathan.limits
import data.leviathan.reason

# How long after its timeout an attempt may still verify and deliver; the same
# time its token outlives it.
_overtime_us := 600000000

# METADATA
# title: The attempt is in another state
# description: Each step of an attempt's life needs the one before.
# custom:
#   code: delivery.state
#   message: "the attempt is {state}; {action} needs it to be {wanted}"
#   remedy: "Look at the attempt; take the steps in their order."
deny contains r if {
	not _in_state
	not _stateless
	wanted := _states[input.action]
	r := reason.of(rego.metadata.chain(), {
		"state": object.get(input, ["attempt", "state"], "not known"),
		"action": input.action,
		"wanted": concat(" or ", wanted),
	})
}

_in_state if input.attempt.state in _states[input.action]

# METADATA
# title: Another worker has the attempt
# description: The attempt runs already, and the worker that asks is not the one that started it.
# custom:
#   code: delivery.already_started
#   message: "another worker has started this attempt"
#   remedy: "Stop; an attempt has one worker."
deny contains r if {
	input.action == "attempt.start"
	input.attempt.state == "running"
	not _same_instance
	r := reason.fixed(rego.metadata.chain())
}

_same_instance if {
	is_string(input.request.instance)
	input.request.instance != ""
	input.request.instance == input.attempt.instance
}

# METADATA
# title: The start deadline has passed
# description: No worker took the attempt in time; it is about to expire.
# custom:
#   code: delivery.start_deadline
#   message: "the attempt had to be started before {deadline}"
#   remedy: "Stop; the task is tried again by another attempt."
deny contains r if {
	input.action in {"attempt.start", "agent.run"}
	input.attempt.state == "reserved"
	not _before_deadline
	r := reason.of(rego.metadata.chain(), {"deadline": limits.instant(object.get(input.attempt, "start_deadline_us", 0))})
}

_before_deadline if input.time.now_us <= input.attempt.start_deadline_us

# METADATA
# title: The lease does not live
# description: A running attempt lives by its heartbeats.
# custom:
#   code: delivery.lease
#   message: "the attempt's lease does not live"
#   remedy: "Stop; the task is tried again by another attempt."
deny contains r if {
	input.action in {"attempt.start", "agent.run", "repository.fetch"}
	_running_again
	not _leased
	r := reason.fixed(rego.metadata.chain())
}

_running_again if {
	input.action in {"attempt.start", "agent.run"}
	input.attempt.state == "running"
}

_running_again if {
	input.action == "repository.fetch"
	not _stateless
}

_leased if {
	input.attempt.lease.known == true
	input.attempt.lease.live == true
}

# METADATA
# title: The attempt is out of time
# description: The attempt's timeout is over, and the ten minutes to verify and deliver after it.
# custom:
#   code: delivery.out_of_time
#   message: "the attempt's time was over at {deadline}"
#   remedy: "Stop, and finish the attempt as failed with timeout."
deny contains r if {
	input.action in {"attempt.heartbeat", "change.push", "pull_request.open"}
	input.attempt.state in {"running", "pushed"}
	not _in_time
	r := reason.of(rego.metadata.chain(), {"deadline": limits.instant(object.get(input.attempt, "deadline_us", 0))})
}

_in_time if input.time.now_us <= input.attempt.deadline_us + _overtime_us
