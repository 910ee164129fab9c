# METADATA
# title: API endpoints
# description: |
#   The route table of the code, the OpenAPI document and the page about routes
#   name the same routes, with the same actions, and only routes on the open
#   list need no token. Where a repository has no table of routes in its code,
#   or no page, the others are compared.
#   Parameters: document (OpenAPI), page (with a table of method and path, empty
#   for none), table (file, function and the fields' indices in its rows), open
#   (routes that need no token, as METHOD PATH).
# custom:
#   needs: [openapi, code]
#   named: true
package leviathan.invariants.api_endpoints

import rego.v1

import data.leviathan.invariants._lib as lib

# METADATA
# title: There is no OpenAPI document
# description: The file does not exist, or has no operation.
# custom:
#   code: api_endpoints.no_document
#   severity: error
#   message: "{document} has no operation"
#   remedy: "Write it, or name another with parameters.api_endpoints.document in .leviathan/invariants.yaml."
deny contains v if {
	count(_endpoints) == 0
	v := lib.violation(rego.metadata.chain(), lib.file_place(_document), {"document": _document, "subject": _document})
}

# METADATA
# title: There is no page about routes
# description: The page does not exist, or has no table with the columns method and path.
# custom:
#   code: api_endpoints.no_page
#   severity: error
#   message: "{page} has no table of routes"
#   remedy: "Write it, name another with parameters.api_endpoints.page in .leviathan/invariants.yaml, or set that to the empty text."
deny contains v if {
	_page != ""
	count(_lines) == 0
	v := lib.violation(rego.metadata.chain(), lib.file_place(_page), {"page": _page, "subject": _page})
}

# METADATA
# title: A route is not in the OpenAPI document
# description: The code or the page has a route that the OpenAPI document lacks.
# custom:
#   code: api_endpoints.not_in_openapi
#   severity: error
#   message: "{route} is not in {document}"
#   remedy: "Describe it there, or remove it elsewhere; where the document is generated, generate it again."
deny contains v if {
	count(_endpoints) > 0
	some route in (_all - _keys(_endpoints))
	v := lib.violation(rego.metadata.chain(), _missing(route, _endpoints, [_routes, _lines]), {"route": route, "document": _document, "subject": route})
}

# METADATA
# title: A route is not on the page
# description: The code or the OpenAPI document has a route that the page about routes lacks.
# custom:
#   code: api_endpoints.not_on_page
#   severity: error
#   message: "{route} is not on {page}"
#   remedy: "Add its row, or remove it elsewhere; where the page is generated, generate it again."
deny contains v if {
	count(_lines) > 0
	some route in (_all - _keys(_lines))
	v := lib.violation(rego.metadata.chain(), _missing(route, _lines, [_routes, _endpoints]), {"route": route, "page": _page, "subject": route})
}

# METADATA
# title: A route is not in the code
# description: The OpenAPI document or the page has a route that the route table lacks, so that nobody serves it.
# custom:
#   code: api_endpoints.not_in_code
#   severity: error
#   message: "{route} is not in the table of {file}"
#   remedy: "Serve it, or remove it from the document and the page."
deny contains v if {
	count(_routes) > 0
	some route in (_all - _keys(_routes))
	v := lib.violation(rego.metadata.chain(), _missing(route, _routes, [_lines, _endpoints]), {"route": route, "file": _table.file, "subject": route})
}

# METADATA
# title: A route is there twice
# description: The route table or the page has two rows for one method and path; only the first is served.
# custom:
#   code: api_endpoints.duplicate
#   severity: error
#   message: "{route} is there twice"
#   remedy: "Remove one of the rows."
deny contains v if {
	some list in [_routes, _lines]
	some i, entry in list
	some j, other in list
	j < i
	entry.key == other.key
	v := lib.violation(rego.metadata.chain(), entry.place, {"route": entry.key, "subject": entry.key})
}

# METADATA
# title: A row of the route table cannot be read
# description: The method, the path or the action of a row is no constant of the folders of code, so that what it is is not known.
# custom:
#   code: api_endpoints.unknown_row
#   severity: error
#   message: "the {field} of the row, {text}, is not known"
#   remedy: "Write a constant, and name its package's folder in code of .leviathan/invariants.yaml."
deny contains v if {
	some row in _rows
	some name in ["method", "path", "action"]
	field := row.fields[_table[name]]
	not field.known
	v := lib.violation(rego.metadata.chain(), row, {"field": name, "text": field.text, "subject": field.text})
}

# METADATA
# title: A route needs no token
# description: A route that is not on the open list is served, or described, without authentication.
# custom:
#   code: api_endpoints.open
#   severity: error
#   message: "{route} needs no token"
#   remedy: "Give it an action that the policy is asked about, or add it to parameters.api_endpoints.open of .leviathan/invariants.yaml."
deny contains v if {
	some list in [_routes, _endpoints]
	some entry in list
	entry.open
	not entry.key in _open
	v := lib.violation(rego.metadata.chain(), _spot(entry, "security"), {"route": entry.key, "subject": entry.key})
}

# METADATA
# title: What a route needs is described otherwise
# description: The code serves a route without a token and the OpenAPI document asks for one.
# custom:
#   code: api_endpoints.security_differs
#   severity: error
#   message: "{route} is open in the code, and {document} says that it needs a token"
#   remedy: "Give the operation security: []."
deny contains v if {
	some route in _routes
	some endpoint in _endpoints
	route.key == endpoint.key
	route.open
	not endpoint.open
	v := lib.violation(rego.metadata.chain(), endpoint.place, {"route": route.key, "document": _document, "subject": route.key})
}

# METADATA
# title: A route's action is not the same everywhere
# description: The code, the OpenAPI document (x-leviathan-action) and the page (column action) name different actions for one route.
# custom:
#   code: api_endpoints.action_differs
#   severity: error
#   message: "the action of {route} is {action} here and {other} elsewhere"
#   remedy: "Name one action; where a document is generated, generate it again."
deny contains v if {
	some route in _all
	named := [entry | some list in [_routes, _endpoints, _lines]; some entry in list; entry.key == route; entry.action != ""]
	count({entry.action | some entry in named}) > 1
	odd := _odd(named)
	others := {entry.action | some entry in named} - {odd.action}
	v := lib.violation(rego.metadata.chain(), _spot(odd, "x-leviathan-action"), {"route": route, "action": odd.action, "other": concat(" or ", others), "subject": route})
}

# METADATA
# title: A path's parameter is not described
# description: A name in the path of an OpenAPI operation has no parameter in path, or a parameter's name is not in the path.
# custom:
#   code: api_endpoints.parameter
#   severity: error
#   message: "{name} is in the path or among the parameters of {route}, and not in both"
#   remedy: "Describe each name of the path, and no other, as a parameter in path."
deny contains v if {
	some endpoint in _endpoints
	names := {trim(name, "{}") | some name in regex.find_n(`\{[^}]*\}`, endpoint.path, -1)}
	described := _parameters(endpoint)
	some name in ((names | described) - (names & described))
	v := lib.violation(rego.metadata.chain(), _parameter_spot(endpoint, name), {"name": name, "route": endpoint.key, "subject": sprintf("%s %s", [endpoint.key, name])})
}
