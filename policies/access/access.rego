# METADATA
# title: Access
# description: |
#   Which role may ask for which action, and about whom. An attempt acts for
#   itself alone; a token that is bound to a target acts on that target alone.
package leviathan.access

import rego.v1

import data.leviathan.reason

# The actions of an operator: each is an event, most of them restrict.
operator_actions := {
	"autonomy.halt", "autonomy.resume", "circuit.reset", "attempt.cancel", "attempt.invalidate", "task.retry", "clock.accept",
	"token.create", "token.revoke", "bundle.activate", "bundle.rollback", "bundle.replay", "journal.prune",
}

# The actions that this package alone decides: access is all that they need.
own_actions := {
	"autonomy.halt", "autonomy.resume", "circuit.reset", "attempt.cancel", "attempt.invalidate", "task.retry",
	"clock.accept", "token.create", "token.revoke", "bundle.activate", "bundle.rollback", "bundle.replay", "journal.prune",
	"event.append", "forge.observe", "route.read", "invariants.check",
}

# Every action that a policy names; any other is denied for everybody.
actions := {
	"attempt.start", "agent.run", "attempt.heartbeat", "repository.fetch", "change.push", "attempt.evidence",
	"artifact.put", "attempt.finish", "pull_request.open", "autonomy.halt", "autonomy.resume", "circuit.reset",
	"attempt.cancel", "attempt.invalidate", "task.retry", "clock.accept", "token.create", "token.revoke",
	"bundle.activate", "bundle.rollback", "bundle.replay", "journal.prune", "event.append", "forge.observe", "route.read",
	"invariants.check", "cycle.plan", "pull_request.annotate", "attempt.lost", "attempt.expire",
}

# _role_may says which role may ask for which action.
_role_may if {
	input.subject.role == "attempt"
	input.action in {
		"attempt.start", "agent.run", "attempt.heartbeat", "repository.fetch", "change.push", "attempt.evidence",
		"artifact.put", "attempt.finish", "pull_request.open", "event.append", "route.read",
	}
}

_role_may if {
	input.subject.role == "scheduler"
	input.action in {"cycle.plan", "attempt.lost", "event.append", "route.read"}
}

_role_may if {
	input.subject.role == "reader"
	input.action in {"repository.fetch", "route.read", "bundle.replay", "invariants.check"}
}

_role_may if {
	input.subject.role == "ingest"
	input.action == "event.append"
}

_role_may if {
	input.subject.role == "gateway"
	input.action in {
		"change.push", "attempt.finish", "attempt.expire", "attempt.cancel", "pull_request.annotate",
		"forge.observe", "bundle.activate", "bundle.rollback",
	}
}

_role_may if {
	input.subject.role == "operator"
	input.action in actions
}

# allow grants the actions that nothing but access decides.
default allow := false

allow if {
	input.action in own_actions
	_role_may
	count(deny) == 0
}

_named if input.action in actions

# METADATA
# title: The action is unknown
# description: No policy names this action, so it is denied for everybody.
# custom:
#   code: access.unknown_action
#   message: "no policy names the action {action}"
#   remedy: "See docs for the actions; what is not listed there cannot be done."
deny contains r if {
	not _role_may
	not _named
	r := reason.of(rego.metadata.chain(), {"action": object.get(input, "action", "of this question")})
}

# METADATA
# title: The role may not do this
# description: The token's role does not include the action.
# custom:
#   code: access.role
#   message: "the role {role} may not ask for {action}"
#   remedy: "Use a token of a role that may; docs/api.md says what each route asks."
deny contains r if {
	not _role_may
	_named
	r := reason.of(rego.metadata.chain(), {"action": input.action, "role": _role})
}

_role := object.get(input, ["subject", "role"], "of an unnamed subject")
