# METADATA
# title: What stops everything
package leviathan.guard

# METADATA
# title: Autonomy is switched off
# description: The autonomy config has autonomy_enabled false.
# custom:
#   code: guard.switched_off
#   message: autonomy is switched off
#   remedy: Set autonomy_enabled to true.
deny contains reason if {
	not input.config.values.autonomy_enabled == true
	reason := _reason("guard.switched_off", "autonomy is switched off", "Set autonomy_enabled to true.")
}

# METADATA
# title: Too many attempts
# description: The number of running attempts has reached the limit.
# custom:
#   code: limits.running
#   message: too many attempts are running
#   remedy: Wait.
deny contains reason if {
	not _room
	reason := _reason("limits.running", "too many attempts are running", "Wait.")
}

_room if input.state.running < data.leviathan.limits.parallel

_reason(code, message, remedy) := {"code": code, "message": message, "rule": "leviathan.guard", "remedy": remedy}
