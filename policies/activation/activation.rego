# METADATA
# title: Activation
# description: |
#   Whether a candidate may take the place of the policy that governs, after it
#   has passed the gate: what was decided before is decided again by it, and a
#   flip that loosens must have been looked at by an operator.
package leviathan.activation

import rego.v1

import data.leviathan.reason

# METADATA
# title: The candidate allows what was denied
# description: Some recorded decisions that were denied would be allowed by the candidate. That may be what is wanted, and somebody must have said so.
# custom:
#   code: activation.deny_to_allow
#   message: "{count} of the decisions that were denied would be allowed by the candidate"
#   remedy: "Look at them with leviathan policy replay; then leviathan policy activate --accept deny_to_allow --reason TEXT, or mend the candidate."
deny contains r if {
	input.action == "bundle.activate"
	input.request.flips.deny_to_allow > 0
	not "deny_to_allow" in input.request.accepted
	r := reason.of(rego.metadata.chain(), {"count": input.request.flips.deny_to_allow})
}

# METADATA
# title: The candidate fails
# description: The candidate gives no usable answer to some of the recorded questions. Each of them would be denied.
# custom:
#   code: activation.error
#   message: "the candidate gives no usable answer to {count} of the recorded questions"
#   remedy: "Mend the candidate; leviathan policy replay lists the questions. To take it all the same: leviathan policy activate --accept error --reason TEXT."
deny contains r if {
	input.action == "bundle.activate"
	input.request.flips.error > 0
	not "error" in input.request.accepted
	r := reason.of(rego.metadata.chain(), {"count": input.request.flips.error})
}

# METADATA
# title: The candidate is slow
# description: One in ten of the recorded questions of an action takes the candidate more than half of the time that it has. On a busy day it would be none, and no is then the answer.
# custom:
#   code: activation.slow
#   message: "{action} takes the candidate more than half of its time"
#   remedy: "Make the candidate faster (leviathan policy eval shows where the time goes), or give the action more time in custom.deadline_ms of main.decision."
deny contains r if {
	input.action == "bundle.activate"
	some action in input.request.slow
	r := reason.of(rego.metadata.chain(), {"action": action})
}

# METADATA
# title: Only an operator accepts flips
# description: A flip is accepted by somebody who has a name in the journal, never by the gateway itself.
# custom:
#   code: activation.accepted_by
#   message: "the role {role} may not accept what a candidate changes"
#   remedy: "Accept with the operator's token."
deny contains r if {
	input.action == "bundle.activate"
	input.request.accepted != []
	not input.subject.role == "operator"
	r := reason.of(rego.metadata.chain(), {"role": object.get(input, ["subject", "role"], "of an unnamed subject")})
}
