package leviathan.invariants.autonomy_config_test

import rego.v1

import data.leviathan.invariants.autonomy_config

_values := {
	"target_id": "dev", "max_open_prs": 1, "max_running_attempts": 1, "max_attempts_per_task": 2, "circuit_breaker_failures": 2,
	"attempt_timeout_seconds": 900, "allowed_path_prefixes": ["docs/", "tests/"], "agents": {"a": {"sandbox": "required"}},
	"limits": {"lease_seconds": 60, "max_files": 100, "max_file_kb": 1024, "max_pack_mb": 64, "max_push_attempts": 3},
}

_config := {"file": "dev.yaml", "line": 1, "column": 1, "source": "file", "document": "dev.yaml#0", "valid": true, "messages": [], "values": _values}

_tree := {
	"autonomy": [_config],
	"documents": {"dev.yaml#0": {"file": "dev.yaml", "at": {
		"": [1, 1], "/max_open_prs": [3, 1], "/allowed_path_prefixes": [5, 1], "/allowed_path_prefixes/1": [7, 3],
		"/agents/a/sandbox": [9, 1], "/limits": [11, 1], "/limits/lease_seconds": [12, 1],
	}}},
}

_v(path) := concat("", ["/autonomy/0", path])

_set(path, value) := {"op": "add", "path": path, "value": value}

_found(patches) := {[v.code, v.file, v.line, v.subject] | some v in denied} if {
	denied := autonomy_config.deny with input as json.patch(_tree, patches)
}

_is(patches, code, file, line, subject) if _found(patches) == {[concat("", ["autonomy_config.", code]), file, line, subject]}

test_a_good_config_holds if _found([]) == set()

_message(code) := [_set(_v("/messages"), [{"file": "dev.yaml", "line": 4, "column": 2, "code": code, "message": "no"}])]

test_what_the_loader_says_is_said if {
	_is(array.concat(_message("error"), [_set(_v("/valid"), false), _set(_v("/values"), null)]), "invalid", "dev.yaml", 4, "file")
	_is(_message("warning"), "doubtful", "dev.yaml", 4, "file")
	_is([_set(_v("/valid"), false), _set(_v("/values"), null)], "unreadable", "dev.yaml", 1, "file")
}

_page(values) := _set("/autonomy/-", {"file": "docs/a.md", "line": 30, "column": 1, "source": "markdown", "document": "", "valid": true, "messages": [], "values": object.union(_values, values)})

test_copies_are_equal if {
	_found([_page({})]) == set()
	_is([_page({"max_open_prs": 2})], "copies_differ", "docs/a.md", 30, "dev.max_open_prs")
	_is([_page({"new": 2})], "copies_differ", "docs/a.md", 30, "dev.new")
	_found([_page({"target_id": "other", "max_open_prs": 2})]) == set()
}

test_limits_are_within_bounds if {
	_is([_set(_v("/values/max_open_prs"), 21)], "bounds", "dev.yaml", 3, "dev.max_open_prs")
	_is([_set(_v("/values/limits/lease_seconds"), 9)], "bounds", "dev.yaml", 12, "dev.limits.lease_seconds")
	_is([{"op": "remove", "path": _v("/values/max_open_prs")}], "bounds", "dev.yaml", 3, "dev.max_open_prs")
	_is([_set("/settings", {"parameters": {"autonomy_config": {"bounds": {"limits.max_files": [1, 50]}}}})], "bounds", "dev.yaml", 11, "dev.limits.max_files")
}

test_prefixes_are_sound if {
	_is([_set(_v("/values/allowed_path_prefixes"), ["docs/", "Deploy/"])], "wide_prefix", "dev.yaml", 7, "Deploy/")
	_is([_set(_v("/values/allowed_path_prefixes"), ["docs/", "docs/a.md"])], "idle_prefix", "dev.yaml", 7, "docs/a.md")
	_is([_set(_v("/values/allowed_path_prefixes"), ["docs/", "docs/"])], "idle_prefix", "dev.yaml", 7, "docs/")
	_found([_set(_v("/values/allowed_path_prefixes"), ["docs/", "docs2/", "a", "a.md"])]) == set()
}

test_an_agent_has_a_sandbox if {
	off := _set(_v("/values/agents/a/sandbox"), "off")
	_is([off], "no_sandbox", "dev.yaml", 9, "a")
	_found([off, _set("/settings", {"parameters": {"autonomy_config": {"unsandboxed": ["a"]}}})]) == set()
}
