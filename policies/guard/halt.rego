package leviathan.guard

import rego.v1

import data.leviathan.reason

# METADATA
# title: The halt is not known
# description: The question does not say whether an operator has halted the target.
# custom:
#   code: unknown.halt
#   message: "whether an operator has halted this target is not known"
#   remedy: "See the gateway's log."
deny.halt contains r if {
	not _halt_known
	r := reason.fixed(rego.metadata.chain())
}

_halt_known if {
	input.halt.known == true
	type_name(input.halt.all) in {"null", "object"}
	type_name(input.halt.target) in {"null", "object"}
}

# METADATA
# title: An operator has halted everything
# description: The emergency stop for all targets is set.
# custom:
#   code: guard.halted_all
#   message: "an operator has halted all targets: {reason}"
#   remedy: "leviathan resume, when the cause is gone."
deny.halt contains r if {
	is_object(input.halt.all)
	r := reason.of(rego.metadata.chain(), {"reason": reason.told(object.get(input.halt.all, "reason", ""))})
}

# METADATA
# title: An operator has halted the target
# description: The emergency stop for this target is set.
# custom:
#   code: guard.halted
#   message: "an operator has halted this target: {reason}"
#   remedy: "leviathan resume --target, when the cause is gone."
deny.halt contains r if {
	is_object(input.halt.target)
	r := reason.of(rego.metadata.chain(), {"reason": reason.told(object.get(input.halt.target, "reason", ""))})
}
