package leviathan.invariants.api_endpoints

import rego.v1

import data.leviathan.invariants._lib as lib

_document := lib.parameter("api_endpoints", "document", "docs/openapi.yaml")

_page := lib.parameter("api_endpoints", "page", "docs/api.md")

_table := lib.parameter("api_endpoints", "table", {"file": "gateway/server/routes.go", "function": "routes", "method": 0, "path": 1, "action": 2})

_open := lib.parameter("api_endpoints", "open", [
	"GET /health", "GET /healthz", "GET /health/ready", "GET /.well-known/jwks.json", "POST /v1/forge/github/webhook",
])

# _rows are those of the route table.
_rows := [row |
	some row in object.get(input, ["code", _table.file, "rows"], [])
	row.function == _table.function
	count(row.fields) > max([_table.method, _table.path, _table.action])
]

_routes := [{"key": concat(" ", [method, path]), "action": _word(action), "open": action == "", "place": row} |
	some row in _rows
	method := row.fields[_table.method].value
	path := row.fields[_table.path].value
	field := row.fields[_table.action]
	action := {true: field.value, false: "?"}[field.known]
]

_word("") := "open"

_word("*") := "any"

_word(action) := action if not action in {"", "*"}

_endpoints := [{
	"key": concat(" ", [endpoint.method, endpoint.path]), "action": endpoint.action, "open": endpoint.secured == false,
	"place": endpoint, "path": endpoint.path, "method": lower(endpoint.method),
} |
	some endpoint in input.openapi
	endpoint.file == _document
]

_lines := [{"key": concat(" ", [row.cells[method], row.cells[path]]), "action": _cell(row, table), "place": row} |
	some table in object.get(input, ["markdown", _page, "tables"], [])
	some method, "method" in table.header
	some path, "path" in table.header
	some row in table.rows
]

_cell(row, table) := row.cells[i] if {
	some i, "action" in table.header
}

_cell(_, table) := "" if not "action" in table.header

_keys(list) := {entry.key | some entry in list}

_all := (_keys(_routes) | _keys(_endpoints)) | _keys(_lines)

# _missing is where a route that a list lacks is reported: where the others
# have it if only one of them does, and else where the list should have it:
# before the route that follows it elsewhere.
_missing(route, list, others) := _where(with_it[0], route) if {
	with_it := [other | some other in others; route in _keys(other)]
	without := [other | some other in others; count(other) > 0; not route in _keys(other)]
	count(with_it) <= count(without)
} else := places[0] if {
	with_it := [other | some other in others; route in _keys(other)]
	keys := [entry.key | some entry in with_it[0]]
	i := min({i | some i, key in keys; key == route})
	next := array.concat(array.slice(keys, i + 1, count(keys)), array.reverse(array.slice(keys, 0, i)))
	places := [_where(list, near) | some near in next; near in _keys(list)]
} else := list[0].place

_where(list, route) := [entry.place | some entry in list; entry.key == route][0]

# _spot is the place of what an operation of the document says under a key, and
# of any other entry its own.
_spot(entry, key) := lib.at(document, pointer) if {
	document := input.documents[entry.place.document]
	pointer := sprintf("/paths/%s/%s/%s", [replace(replace(entry.path, "~", "~0"), "/", "~1"), entry.method, key])
	document.at[pointer]
} else := entry.place

# _parameter_spot is the place of an operation's own parameter in path, or of the operation.
_parameter_spot(endpoint, name) := _spot(endpoint, sprintf("parameters/%d", [i])) if {
	given := input.documents[endpoint.place.document].value.paths[endpoint.path][endpoint.method].parameters
	i := min({i | some i, parameter in given; parameter.name == name; parameter["in"] == "path"})
} else := endpoint.place

# _odd is the one of several that the others do not agree with, or the last.
_odd(named) := odd[count(odd) - 1] if {
	fewest := min([_votes(named, entry) | some entry in named])
	odd := [entry | some entry in named; _votes(named, entry) == fewest]
}

_votes(named, entry) := count([1 | some other in named; other.action == entry.action])

# _parameters are the names of the parameters in path, of the operation and of
# its path, references to components followed.
_parameters(endpoint) := {parameter.name |
	document := input.documents[endpoint.place.document].value
	path := document.paths[endpoint.path]
	some where in [["parameters"], [endpoint.method, "parameters"]]
	some given in object.get(path, where, [])
	parameter := _followed(document, given)
	parameter["in"] == "path"
}

_followed(document, given) := document.components.parameters[trim_prefix(given["$ref"], "#/components/parameters/")]

_followed(_, given) := given if not given["$ref"]
