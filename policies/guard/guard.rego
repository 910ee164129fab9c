# METADATA
# title: Guard
# description: |
#   Every action passes here first: the switch, the halt, the config's state,
#   the clock, and whether each fact that the action needs is known and fresh.
#   A fact that is missing, malformed or stale denies; it never passes for
#   "none".
package leviathan.guard

import rego.v1

# reasons are what the facts say against the question: of those that its
# action needs, and of the shape of the question itself.
reasons := deny.shape | {r | some fact in needs; some r in deny[fact]}

# needs are the facts that the action needs, by what each could get wrong. An action
# that is not listed needs none: those that restrict must always be possible,
# and an attempt must always be able to end. grace, forge_now and task_known
# are no facts: they say how strictly one is taken.
needs := _needs[input.action] if not _plain_fetch

default needs := set()

_needs := {
	"cycle.plan": {"config", "halt", "clock", "backlog", "target_policy", "forge", "probe", "age"},
	"attempt.start": {"config", "halt", "clock", "task"},
	"agent.run": {"config", "halt", "clock", "task"},
	"attempt.heartbeat": {"config", "grace", "halt", "clock", "lease", "task"},
	"repository.fetch": {"config", "grace", "halt", "clock"},
	"change.push": {"config", "halt", "clock", "lease", "task", "task_known", "target_policy"},
	"pull_request.open": {"config", "halt", "clock", "lease", "task", "task_known", "forge", "age", "forge_now"},
	"pull_request.annotate": {"config", "halt", "clock"},
}

# An operator or a reader fetches the target branch without an attempt: a read.
_plain_fetch if {
	input.action == "repository.fetch"
	input.subject.role in {"operator", "reader"}
}
