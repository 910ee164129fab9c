# METADATA
# title: Limits
# description: |
#   How much may run: pull requests, attempts, attempts of one task, tasks of a
#   day, backoff and the circuit breaker. The most restrictive of config,
#   backlog and the target's own policy is in force.
package leviathan.limits

import rego.v1

# effective are the limits in force, shown with every plan. A daily limit of 0
# means none.
effective := {
	"max_open_prs": max_open_prs,
	"max_running_attempts": max_running_attempts,
	"max_attempts_per_task": max_attempts,
	"max_tasks_per_day": max_daily,
	"retry_backoff_seconds": backoff_base,
	"retry_backoff_max_seconds": backoff_max,
}

_values := input.config.values

max_open_prs := min({_values.max_open_prs} | _said(input.backlog, ["max_open_prs"]))

max_running_attempts := min({_values.max_running_attempts} | _rule("max_concurrent_attempts"))

max_attempts := min({_values.max_attempts_per_task} | _rule("max_attempts_per_task"))

backoff_base := max({_values.limits.retry_backoff_seconds} | _rule("backoff_seconds"))

backoff_max := max({_values.limits.retry_backoff_max_seconds, backoff_base})

default max_daily := 0

max_daily := min(_daily)

_daily := _said(_values, ["limits", "max_tasks_per_day"]) | _rule("max_tasks_per_day")

# _rule is what the target's own policy says, if it says something.
_rule(name) := _said(input.target_policy, ["values", "safety_rules", name])

# _said is the number at the path as a set; empty when it is not said: 0.
_said(from, path) := {n |
	is_object(from)
	n := object.get(from, path, 0)
	is_number(n)
	n > 0
}

# room is how many attempts a plan may reserve by each limit. A limit that is
# lowered below what is there leaves no room, and stops nothing that runs.
room["limits.open_prs"] := max_open_prs - _slots_taken

room["limits.running_attempts"] := max_running_attempts - input.state.live

room["limits.daily"] := max_daily - input.state.reserved_today if max_daily > 0

room["limits.capacity"] := input.request.capacity if is_number(input.request.capacity)

room["limits.probe"] := 1 if probing

room["limits.probe"] := 0 if _probe_live

# Every open pull request takes a slot, also one that the journal does not
# know, and so does every attempt that will open one.
_slots_taken := (input.state.open + count(input.forge.unlisted)) + input.state.in_flight

# slots is how many attempts the plan may reserve by all limits together. The
# operator's own narrow those that are shipped and are none by themselves.
slots := max({0, min({min({n | some n in room})} | {n | some n in rooms})})
