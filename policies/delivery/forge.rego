package leviathan.delivery

import rego.v1

import data.leviathan.guard
import data.leviathan.reason

# _denying are the weaknesses of a repository's settings that deny. The others
# are warnings: the status shows them. This is the line to edit, such as to
# {"delivery.forge_administers", "delivery.ci_exposed"}.
_denying := {"delivery.forge_administers"}

# settings are the weaknesses that deny: reasons already.
settings contains r if {
	some r in weaknesses
	r.code in _denying
}

# warnings are those that do not.
warnings contains r if {
	some r in weaknesses
	not r.code in _denying
}

# _seen is what the probe saw of the settings, where new work asks. A
# repository without a forge's settings has no probe; one that is not known
# denies by its own rule.
_seen := input.forge.probe if {
	input.action == "cycle.plan"
	input.forge.probe.known == true
}

# METADATA
# title: The gateway's credential has administration
# description: |
#   Whoever has the credential could lift the protection of the target branch,
#   and with it every review. No code of the gateway does. As shipped this
#   denies new work.
# custom:
#   code: delivery.forge_administers
#   message: "the gateway's credential has the permission administration: {answer}"
#   remedy: "Take administration away from the GitHub App, and accept that for its installation."
weaknesses contains r if {
	_administers
	not _personal
	r := reason.of(rego.metadata.chain(), {"answer": object.get(_seen, "administers", "unknown")})
}

# METADATA
# title: The personal token's owner administers the repository
# description: |
#   A personal token can do all that its owner can, and its owner could lift
#   the protection of the target branch. That of one's own repository always
#   can. As shipped this is a warning.
# custom:
#   code: delivery.owner_administers
#   message: "the owner of the gateway's personal token can administer the repository: {answer}"
#   remedy: "Use a GitHub App without administration, or the token of an account that has no more than write."
weaknesses contains r if {
	_administers
	_personal
	r := reason.of(rego.metadata.chain(), {"answer": object.get(_seen, "administers", "unknown")})
}

_administers if {
	_seen
	not _seen.administers == "no"
}

_personal if _seen.credential == "token"

# METADATA
# title: The target branch can be merged into without a review
# description: |
#   Unless the forge itself asks for an approving review, anybody with write
#   access, the gateway's credential too, could merge an agent's change that no
#   human has seen. No code of the gateway does. As shipped this is a warning.
# custom:
#   code: delivery.unprotected_branch
#   message: "a merge into the target branch needs an approving review: {answer}"
#   remedy: "Protect the branch with a ruleset that asks for an approving review; classic protection is seen by administrators alone."
weaknesses contains r if {
	_seen
	not _seen.review_required == "yes"
	r := reason.of(rego.metadata.chain(), {"answer": object.get(_seen, "review_required", "unknown")})
}

# METADATA
# title: The credential is a personal token
# description: A personal token can do all that its owner can, in every repository of the owner. As shipped this is a warning.
# custom:
#   code: delivery.personal_token
#   message: "GitHub is spoken to by a personal token"
#   remedy: "Use a GitHub App that is installed in this repository alone."
weaknesses contains r if {
	_seen
	not _seen.credential == "app"
	r := reason.fixed(rego.metadata.chain())
}

# METADATA
# title: The credential can do more than is needed
# description: A permission that is never used is of use to a thief alone. As shipped this is a warning.
# custom:
#   code: delivery.extra_permissions
#   message: "the gateway's credential has permissions that it does not need: {extra}"
#   remedy: "Take them away from the App or the token."
weaknesses contains r if {
	_seen
	not _seen.extra == []
	r := reason.of(rego.metadata.chain(), {"extra": concat(", ", [sprintf("%v", [e]) | some e in object.get(_seen, "extra", ["not known"])])})
}

# METADATA
# title: A workflow would run an agent's branch before review
# description: |
#   A workflow of the target branch would run what an agent wrote, with secrets
#   or a token that can write, before anybody has looked at it. As shipped this
#   is a warning; where it denies, pushes are denied as well as new work.
# custom:
#   code: delivery.ci_exposed
#   message: "workflow {file}, on {event}, would run an agent's branch before review: {why}"
#   remedy: "Leave the agents' branches out of its trigger, or secrets and write permissions out of its jobs; see docs/21_OPERATIONS_AUTONOMY.md."
weaknesses contains r if {
	some workflow in _exposed
	r := reason.of(rego.metadata.chain(), {name: object.get(workflow, name, "?") | some name in ["file", "event", "why"]})
}

_ci := object.get(input, ["forge", "probe"], null) if _runs_ci

_runs_ci if input.action == "cycle.plan"

_runs_ci if {
	input.action == "change.push"
	not guard.dry_push
}

_exposed contains workflow if some workflow in _ci.exposed

# Which workflows there are is not known: any may be.
_exposed contains {"why": "which workflows there are is not known"} if {
	_ci != null
	not _workflows_known
}

_workflows_known if {
	_ci.known == true
	is_array(_ci.exposed)
}
