package leviathan.guard

import rego.v1

import data.leviathan.reason

# How far the clock may be behind the journal's last record.
_clock_tolerance_seconds := 2

# How old may be what was seen of the repository's settings, which are looked at
# every hour.
_probe_max_age_seconds := 7200

# How old the open pull requests may be when one more is opened.
_forge_now_seconds := 30

# METADATA
# title: The clock is not trusted
# description: The clock went back behind the journal's last record; nothing that depends on time is allowed until it catches up.
# custom:
#   code: unknown.clock
#   message: "the clock is not known, or is more than {tolerance} s behind the journal"
#   remedy: "Correct the machine's clock, or accept the jump with leviathan clock accept."
deny.clock contains r if {
	not _clock_ok
	r := reason.of(rego.metadata.chain(), {"tolerance": _clock_tolerance_seconds})
}

_clock_ok if {
	is_number(input.time.now_us)
	input.time.clock.known == true
	is_number(input.time.clock.behind_seconds)
	input.time.clock.behind_seconds <= _clock_tolerance_seconds
}

# The backlog is as old as the mirror that it was read from.
_backlog_fact := input.mirror

_backlog_fact := input.backlog if not input.mirror

# METADATA
# title: The backlog is not known
# description: The mirror could not be read, or the backlog in it could not be parsed. That is not an empty backlog.
# custom:
#   code: unknown.backlog
#   message: "the backlog is not known: {reason}"
#   remedy: "See the status of the target's mirror; the next cycle tries again."
deny.backlog contains r if {
	not _backlog_fact.known == true
	r := reason.of(rego.metadata.chain(), {"reason": _why("backlog")})
}

# METADATA
# title: The target's policy is not known
# description: Whether the target restricts itself further could not be read.
# custom:
#   code: unknown.target_policy
#   message: "the target's own policy is not known: {reason}"
#   remedy: "See the status of the target's mirror; the next cycle tries again."
deny.target_policy contains r if {
	not input.target_policy.known == true
	r := reason.of(rego.metadata.chain(), {"reason": _why("target_policy")})
}

# METADATA
# title: The open pull requests are not known
# description: The forge did not answer. That is not "none open".
# custom:
#   code: unknown.forge
#   message: "the open pull requests are not known: {reason}"
#   remedy: "See the status of the forge; running attempts go on meanwhile."
deny.forge contains r if {
	not input.forge.known == true
	r := reason.of(rego.metadata.chain(), {"reason": _why("forge")})
}

# METADATA
# title: The repository's settings are not known
# description: |
#   The forge did not say how safe the settings of the repository are: who may
#   merge, what the credential may do, which workflows run. That is not "safe".
#   A repository on disk has no such settings.
# custom:
#   code: unknown.probe
#   message: "how safe the repository's settings are is not known: {reason}"
#   remedy: "See the status of the target's facts; it is looked at again within minutes, and running attempts go on meanwhile."
deny.probe contains r if {
	_has_probe
	not input.forge.probe.known == true
	r := reason.of(rego.metadata.chain(), {"reason": _why("probe")})
}

_has_probe if object.get(input, ["forge", "probe"], null) != null

# METADATA
# title: A fact is stale
# description: A fact was seen too long ago to act on.
# custom:
#   code: unknown.stale
#   message: "the {fact} was seen {age} s ago, the limit is {limit} s"
#   remedy: "See the status of the target's facts; ask again when it was observed anew."
deny.age contains r if {
	some fact, limit in _age_limits
	age := object.get(_facts, [fact, "age_seconds"], "an unknown number of")
	not _fresh(age, limit)
	r := reason.of(rego.metadata.chain(), {"fact": fact, "age": age, "limit": limit})
}

_facts.backlog := _backlog_fact

_facts.forge := input.forge

_facts.probe := input.forge.probe

# Without values of the config, its own rules deny.
_age_limits.backlog := object.get(input, ["config", "values", "limits", "fact_max_age_seconds"], null) if {
	needs.backlog
	_has_values
}

_age_limits.forge := object.get(input, ["config", "values", "limits", "fact_max_age_seconds"], null) if {
	not needs.forge_now
	_has_values
}

_age_limits.forge := _forge_now_seconds if needs.forge_now

_age_limits.probe := _probe_max_age_seconds if {
	needs.probe
	_has_probe
}

_fresh(age, limit) if {
	is_number(age)
	is_number(limit)
	age <= limit
}

_why("backlog") := reason.told(object.get(_backlog_fact, "reason", ""))

_why("backlog") := "the question does not have it" if not _backlog_fact

_why("probe") := reason.told(object.get(input, ["forge", "probe", "reason"], ""))

_why(part) := reason.told(object.get(input, [part, "reason"], "")) if not part in {"backlog", "probe"}

# METADATA
# title: The lease is not known
# description: Whether the attempt's lease lives is not known.
# custom:
#   code: unknown.lease
#   message: "whether the attempt's lease lives is not known"
#   remedy: "See the gateway's log; a worker goes on until its lease ends, then stops."
deny.lease contains r if {
	not _lease_known
	r := reason.fixed(rego.metadata.chain())
}

_lease_known if {
	input.attempt.lease.known == true
	is_boolean(input.attempt.lease.live)
}

# METADATA
# title: The lease has ended
# description: The attempt was not heard of within its lease, so another may have taken its place.
# custom:
#   code: guard.lease_ended
#   message: "the attempt's lease has ended"
#   remedy: "Stop. The task is tried again by another attempt."
deny.lease contains r if {
	_lease_known
	not input.attempt.lease.live
	r := reason.fixed(rego.metadata.chain())
}

# METADATA
# title: The task as it is now is not known
# description: A delivery needs to know that the task still stands in the backlog as it was reserved.
# custom:
#   code: unknown.task
#   message: "the task as it stands in the backlog now is not known"
#   remedy: "See the status of the target's mirror; ask again when it could be read."
deny.task contains r if {
	not _task_ok
	r := reason.fixed(rego.metadata.chain())
}

_task_ok if {
	input.task_now.known == true
	is_boolean(input.task_now.present)
}

# A mirror that is away stops no running work; only a delivery has to know.
_task_ok if {
	input.task_now.known == false
	not needs.task_known
}
