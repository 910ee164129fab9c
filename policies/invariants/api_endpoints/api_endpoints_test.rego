package leviathan.invariants.api_endpoints_test

import rego.v1

import data.leviathan.invariants.api_endpoints

_doc := "docs/openapi.yaml"

_field(value) := {"name": "", "text": value, "value": value, "known": true}

_row(method, path, action, line) := {
	"file": "gateway/server/routes.go", "line": line, "column": 3, "function": "routes", "type": "route",
	"fields": [_field(method), _field(path), _field(action)],
}

_endpoint(method, path, action, line) := {
	"file": _doc, "line": line, "column": 5, "document": "openapi#0", "method": method, "path": path, "id": "",
	"action": action, "secured": action != "open",
}

_line(method, path, action, line) := {"file": "docs/api.md", "line": line, "column": 1, "cells": [method, path, action, "what"]}

_tree := {
	"code": {"gateway/server/routes.go": {"rows": [
		_row("GET", "/health", "", 10), _row("GET", "/v1/a/{id}", "route.read", 11), _row("POST", "/v1/q", "*", 12),
		{"file": "x", "line": 1, "column": 1, "function": "other", "type": "route", "fields": []},
	]}},
	"openapi": [_endpoint("GET", "/health", "open", 20), _endpoint("GET", "/v1/a/{id}", "route.read", 21), _endpoint("POST", "/v1/q", "any", 22)],
	"markdown": {"docs/api.md": {"tables": [
		{"header": ["kind"], "rows": []},
		{
			"header": ["method", "path", "action", "what it does"],
			"rows": [_line("GET", "/health", "open", 30), _line("GET", "/v1/a/{id}", "route.read", 31), _line("POST", "/v1/q", "any", 32)],
		},
	]}},
	"documents": {"openapi#0": {"value": {
		"components": {"parameters": {"id": {"name": "id", "in": "path"}}},
		"paths": {
			"/health": {"get": {}}, "/v1/a/{id}": {"parameters": [{"$ref": "#/components/parameters/id"}], "get": {}},
			"/v1/q": {"post": {"parameters": [{"name": "limit", "in": "query"}]}},
		},
	}}},
}

_rows := "/code/gateway~1server~1routes.go/rows"

_lines := "/markdown/docs~1api.md/tables/1/rows"

_set(path, value) := {"op": "replace", "path": path, "value": value}

_add(path, value) := {"op": "add", "path": path, "value": value}

_drop(path) := {"op": "remove", "path": path}

_found(patches) := {[v.code, v.line] | some v in denied} if {
	denied := api_endpoints.deny with input as json.patch(_tree, patches)
}

_is(patches, code, line) if _found(patches) == {[concat("", ["api_endpoints.", code]), line]}

test_three_equal_lists_hold if _found([]) == set()

test_there_is_a_document if _is([_drop("/openapi"), _add("/openapi", [])], "no_document", 1)

test_there_is_a_page_unless_none_is_wanted if {
	_is([_drop("/markdown/docs~1api.md")], "no_page", 1)
	_found([_drop("/markdown/docs~1api.md"), _add("/settings", {"parameters": {"api_endpoints": {"page": ""}}})]) == set()
}

test_a_document_without_code_is_compared_with_its_page if {
	_found([_drop("/code/gateway~1server~1routes.go")]) == set()
	_is([_drop("/code/gateway~1server~1routes.go"), _drop(concat("", [_lines, "/1"]))], "not_on_page", 32)
}

test_a_route_that_one_list_lacks_is_missed_there if {
	_is([_drop("/openapi/1")], "not_in_openapi", 22)
	_is([_drop("/openapi/2")], "not_in_openapi", 21)
	_is([_drop(concat("", [_lines, "/0"]))], "not_on_page", 31)
	_is([_drop(concat("", [_rows, "/1"]))], "not_in_code", 12)
}

test_a_route_that_one_list_has_is_reported_there if {
	_found([_add(concat("", [_rows, "/1"]), _row("GET", "/v1/new", "route.read", 15))]) == {["api_endpoints.not_in_openapi", 15], ["api_endpoints.not_on_page", 15]}
	_found([_add("/openapi/-", _endpoint("GET", "/v1/new", "route.read", 25))]) == {["api_endpoints.not_in_code", 25], ["api_endpoints.not_on_page", 25]}
}

test_a_list_that_shares_nothing_is_reported_at_its_beginning if {
	_found([_set("/openapi", [_endpoint("GET", "/x", "route.read", 20)]), _set("/documents/openapi#0/value/paths", {})]) == {
		["api_endpoints.not_in_code", 20], ["api_endpoints.not_on_page", 20],
		["api_endpoints.not_in_openapi", 20],
	}
}

test_a_route_is_there_once if {
	_is([_add(concat("", [_rows, "/-"]), _row("GET", "/health", "", 16))], "duplicate", 16)
	_is([_add(concat("", [_lines, "/-"]), _line("GET", "/health", "open", 36))], "duplicate", 36)
}

test_a_row_that_is_not_known if {
	_found([_set(concat("", [_rows, "/1/fields/2/known"]), false)]) == {["api_endpoints.unknown_row", 11], ["api_endpoints.action_differs", 11]}
}

test_only_the_open_list_needs_no_token if {
	_found([_set(concat("", [_rows, "/1/fields/2/value"]), "")]) == {
		["api_endpoints.open", 11], ["api_endpoints.security_differs", 21],
		["api_endpoints.action_differs", 11],
	}
	_is([_set("/openapi/1/secured", false)], "open", 21)
	_found([_set("/openapi/1/secured", false), _add("/settings", {"parameters": {"api_endpoints": {"open": ["GET /health", "GET /v1/a/{id}"]}}})]) == set()
}

test_an_open_route_is_described_as_one if _is([_set("/openapi/0/secured", true)], "security_differs", 20)

test_an_action_is_the_same_everywhere if {
	_is([_set(concat("", [_lines, "/1/cells/2"]), "token.create")], "action_differs", 31)
	_is([_set("/openapi/1/action", "token.create")], "action_differs", 21)
	_is([_set("/openapi/1/action", "a.b"), _set(concat("", [_lines, "/1/cells/2"]), "c.d")], "action_differs", 31)
	_found([_set("/markdown/docs~1api.md/tables/1/header", ["method", "path", "", "what"])]) == set()
}

test_a_path_describes_its_parameters if {
	_is([_set("/documents/openapi#0/value/components/parameters/id/name", "idd")], "parameter", 21)
	_is([_add("/documents/openapi#0/value/paths/~1v1~1q/post/parameters/-", {"name": "x", "in": "path"})], "parameter", 22)
}

test_lists_of_other_orders_agree_where_a_route_is_missing if {
	swapped := [_line("POST", "/v1/q", "any", 30), _line("GET", "/health", "open", 31), _line("GET", "/v1/a/{id}", "route.read", 32)]
	_is([_drop("/openapi/0"), _set(_lines, swapped)], "not_in_openapi", 21)
	_found([
		_drop("/openapi/0"), _set(_lines, swapped),
		_add(concat("", [_rows, "/-"]), _row("GET", "/health", "", 16)),
	]) == {["api_endpoints.not_in_openapi", 21], ["api_endpoints.duplicate", 16]}
}

test_a_violation_within_an_operation_is_at_its_key if {
	document := "/documents/openapi#0"
	located := [_add(concat("", [document, "/file"]), _doc), _add(concat("", [document, "/at"]), {
		"/paths/~1v1~1a~1{id}/get/x-leviathan-action": [41, 7], "/paths/~1v1~1a~1{id}/get/security": [42, 7],
		"/paths/~1v1~1q/post/parameters/1": [43, 9],
	})]
	_is(array.concat(located, [_set("/openapi/1/action", "token.create")]), "action_differs", 41)
	_is(array.concat(located, [_set("/openapi/1/secured", false)]), "open", 42)
	_is(array.concat(located, [_add("/documents/openapi#0/value/paths/~1v1~1q/post/parameters/-", {"name": "x", "in": "path"})]), "parameter", 43)
}
