package leviathan.access

import rego.v1

import data.leviathan.reason

# What only an operator reads: what a refused push carried, and who has tokens.
_operator_routes := {"/v1/decisions/{decision}/bundle", "/v1/tokens", "/v1/journal/backup", "/v1/journal/export"}

_routes := {
	"scheduler": {"/v1/attempts", "/v1/attempts/{attempt}", "/v1/autonomy/status"},
	"attempt": {"/v1/attempts/{attempt}"},
}

# METADATA
# title: The route is not for this role
# description: The token's role does not read this route.
# custom:
#   code: access.route
#   message: "the role {role} may not read {route}"
#   remedy: "Use a reader's or the operator's token."
deny contains r if {
	input.action == "route.read"
	not _readable
	r := reason.of(rego.metadata.chain(), {"role": _role, "route": object.get(input, ["request", "route"], "this route")})
}

_readable if {
	input.request.method in {"GET", "HEAD"}
	_for_role
}

_for_role if {
	input.subject.role == "operator"
	is_string(input.request.route)
}

_for_role if {
	input.subject.role == "reader"
	is_string(input.request.route)
	not input.request.route in _operator_routes
}

_for_role if {
	input.subject.role == "scheduler"
	input.request.route in _routes.scheduler
}

_for_role if {
	input.subject.role == "attempt"
	input.request.route in _routes.attempt
	input.resource.properties.attempt == input.subject.attempt
}

# METADATA
# title: A token of this role cannot be made
# description: Tokens are made for components; an operator's or an attempt's comes about otherwise.
# custom:
#   code: access.token_role
#   message: "a token of role {role} cannot be made here"
#   remedy: "Ask for the role scheduler, reader or ingest."
deny contains r if {
	input.action == "token.create"
	not _component_role
	r := reason.of(rego.metadata.chain(), {"role": object.get(input, ["request", "role"], "?")})
}

_component_role if input.request.role in {"scheduler", "reader", "ingest"}
