package leviathan.limits

import rego.v1

import data.leviathan.custom
import data.leviathan.reason

# METADATA
# title: The capacity is not a number of workers
# description: What a scheduler says about its capacity must be null or a whole number of at least 0.
# custom:
#   code: limits.capacity_invalid
#   message: "request.capacity must be null or a whole number, at least 0"
#   remedy: "Send the number of workers that can still be launched, or nothing."
deny contains r if {
	input.action == "cycle.plan"
	not _capacity_ok
	r := reason.fixed(rego.metadata.chain())
}

_capacity_ok if object.get(input, ["request", "capacity"], null) == null

_capacity_ok if {
	is_number(input.request.capacity)
	input.request.capacity >= 0
	round(input.request.capacity) == input.request.capacity
}

# beyond is why an eligible task has to wait, by the limit that has no room for
# it. The text does not depend on the task.
beyond := {wait.code: wait | some wait in [wait_open_prs, wait_running, wait_daily, wait_capacity, wait_probe]}

# METADATA
# title: No pull-request slot is free
# description: Open pull requests, intended ones and attempts in flight fill every slot.
# custom:
#   code: limits.open_prs
#   message: "{taken} pull requests are open or under way, the limit is {limit}"
#   remedy: "Merge or close a pull request, or raise max_open_prs."
wait_open_prs := reason.of(rego.metadata.chain(), {"taken": _slots_taken, "limit": max_open_prs})

# METADATA
# title: Too many attempts run
# description: As many attempts live as may.
# custom:
#   code: limits.running_attempts
#   message: "{live} attempts are live, the limit is {limit}"
#   remedy: "Wait until one ends, or raise max_running_attempts."
wait_running := reason.of(rego.metadata.chain(), {"live": input.state.live, "limit": max_running_attempts})

# METADATA
# title: The day's attempts are used up
# description: As many attempts were reserved today as may, in UTC days.
# custom:
#   code: limits.daily
#   message: "{today} attempts were reserved today, the limit is {limit}"
#   remedy: "Wait until the next UTC day, or raise max_tasks_per_day."
wait_daily := reason.of(rego.metadata.chain(), {"today": input.state.reserved_today, "limit": max_daily})

# METADATA
# title: The scheduler has no capacity
# description: The scheduler asked for no more attempts in this cycle.
# custom:
#   code: limits.capacity
#   message: "the scheduler can launch {capacity} in this cycle"
#   remedy: "Wait for a later cycle."
wait_capacity := reason.of(rego.metadata.chain(), {"capacity": object.get(input, ["request", "capacity"], 0)})

# METADATA
# title: The breaker allows one probe
# description: While the breaker is half open, one attempt at a time shows whether things work again.
# custom:
#   code: limits.probe
#   message: "the circuit breaker is half open: one probe at a time"
#   remedy: "Wait for the probe to end; leviathan circuit reset closes the breaker at once."
wait_probe := reason.fixed(rego.metadata.chain())

# rooms and waits are those of room and beyond, and of the operator's own limits.
rooms := object.union(room, {code: min(entries)[0] | some code, entries in _own})

waits := object.union(beyond, {code: min(entries)[1] | some code, entries in _own})

# _own are the operator's own limits by code, each with its reason. What does
# not say a number leaves no room.
_own[code] contains [_left(own), r] if {
	some own in custom.room
	r := _said_of(own)
	code := r.code
}

_left(own) := own.left if is_number(own.left)

_left(own) := 0 if not _numbered(own)

_numbered(own) if is_number(own.left)

_said_of(own) := own.reason if own.reason.code

_said_of(own) := unsaid_room if not own.reason.code

# METADATA
# title: A limit of the operator's own
# description: A rule of the operator's own limits the plan and gives no reason with a code.
# custom:
#   code: limits.custom
#   message: "a rule of the operator's own leaves no more room"
#   remedy: "Give the entry of leviathan.custom.room a reason; see docs/30_WRITING_POLICIES.md."
unsaid_room := reason.fixed(rego.metadata.chain())
