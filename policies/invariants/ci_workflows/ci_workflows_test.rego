package leviathan.invariants.ci_workflows_test

import rego.v1

import data.leviathan.invariants.ci_workflows

_ci := ".github/workflows/ci.yml"

_at(line) := {"file": _ci, "line": line, "column": 1}

_command(words, line) := object.union(_at(line), {"words": words, "after": ""})

_gate := _command(["leviathan", "invariants", "check"], 20)

_step(commands) := object.union(_at(19), {
	"index": 0, "pointer": "/jobs/test/steps/0", "name": "", "id": "", "if": "", "never": false, "continue_on_error": false,
	"uses": null, "with": null, "env": null, "run": "leviathan invariants check", "shell": "", "commands": commands, "swallowed": [],
})

_unset := object.union(_at(1), {"given": false, "all": "", "scopes": {}})

_job(id, steps) := object.union(_at(15), {
	"id": id, "pointer": concat("/", ["/jobs", id]), "name": "", "if": "", "never": false, "continue_on_error": false, "needs": [],
	"runs_on": ["ubuntu-latest"], "timeout": 5, "permissions": _unset, "uses": null, "image": "", "steps": steps,
})

_trigger := object.union(_at(2), {
	"branches": ["main"], "branches_ignore": [], "paths": [], "paths_ignore": [], "types": [], "filtered": true,
	"value": null,
})

_read := object.union(_at(5), {"given": true, "all": "", "scopes": {"contents": "read"}})

_workflow := {
	"document": concat("", [_ci, "#0"]), "name": "ci", "triggers": {"pull_request": _trigger}, "permissions": _read,
	"jobs": [_job("test", [_step([_gate])])], "commented": [],
}

_document := {
	"file": _ci, "value": {"jobs": {"test": {}}},
	"at": {
		"": [1, 1], "/on": [2, 1], "/permissions": [5, 1], "/jobs": [10, 1], "/jobs/test": [15, 1], "/jobs/test/steps/0": [19, 7],
		"/jobs/test/if": [16, 1], "/jobs/test/continue-on-error": [17, 1], "/jobs/test/steps/0/if": [21, 1],
		"/jobs/test/steps/0/continue-on-error": [22, 1],
	},
}

_tree := {
	"workflows": {_ci: _workflow}, "documents": {concat("", [_ci, "#0"]): _document}, "scripts": {},
	"settings": {"parameters": {}},
}

_w := "/workflows/.github~1workflows~1ci.yml"

_s := concat("", [_w, "/jobs/0/steps/0"])

_d := "/documents/.github~1workflows~1ci.yml#0"

_set(path, value) := {"op": "add", "path": path, "value": value}

_replace(path, value) := {"op": "replace", "path": path, "value": value}

# _found are codes and lines of a good tree with patches.
_found(patches) := {[v.code, v.line] | some v in denied} if {
	denied := ci_workflows.deny with input as json.patch(_tree, patches)
}

_is(patches, code, line) if _found(patches) == {[concat("", ["ci_workflows.", code]), line]}

test_a_gate_on_pull_requests_holds if _found([]) == set()

test_a_command_that_nothing_runs_is_missed_where_jobs_are if {
	_is([_set(concat("", [_s, "/commands"]), [])], "not_run", 10)
	_is([_set("/settings/parameters/ci_workflows", {"required": ["make test"]})], "not_run", 10)
	_is([_set(concat("", [_s, "/commands"]), []), _set(concat("", [_w, "/triggers"]), {})], "not_run", 10)
}

test_a_command_that_is_commented_out_is_missed_there if {
	_is(
		[
			_set(concat("", [_s, "/commands"]), []),
			_set(concat("", [_w, "/commented"]), [object.union(_at(33), {"text": "run: leviathan invariants check"})]),
		],
		"not_run", 33,
	)
}

test_a_command_that_only_pushes_run_is_missed_at_the_triggers if {
	_is([_set(concat("", [_w, "/triggers"]), {"push": _trigger})], "not_on_pull_request", 2)
}

test_a_command_is_known_behind_what_runs_it if {
	every words in [
		["./bin/leviathan", "invariants", "check", "--state", "x"], ["A=b", "leviathan", "invariants", "check"],
		["go", "run", "./cmd/leviathan", "invariants", "check"], ["step", "leviathan", "invariants", "check"],
	] {
		_found([_set(concat("", [_s, "/commands"]), [_command(words, 20)])]) == set()
	}
	every words in [
		["echo", "leviathan", "invariants", "check"], ["leviathan", "invariants", "facts"], ["A=b"],
		["leviathan", "invariants", "check", "--help"],
	] {
		_is([_set(concat("", [_s, "/commands"]), [_command(words, 20)])], "not_run", 10)
	}
}

test_the_gates_action_is_the_gate if {
	_action := object.union(_at(20), {"reference": "./.github/actions/invariants", "name": "./.github/actions/invariants", "pinned": false, "local": true})
	_found([_set(concat("", [_s, "/commands"]), []), _set(concat("", [_s, "/uses"]), _action)]) == set()
}

test_a_filter_lets_pull_requests_by if {
	every change in [
		["paths", ["src/**"]], ["paths_ignore", ["docs/**"]], ["branches", ["release/*"]], ["branches_ignore", ["ma*"]],
		["types", ["opened"]],
	] {
		_is([_set(concat("/", [concat("", [_w, "/triggers/pull_request"]), change[0]]), change[1])], "filtered", 2)
	}
	every change in [["branches", []], ["branches", ["**"]], ["types", ["opened", "synchronize", "edited"]], ["branches_ignore", ["wip/**"]]] {
		_found([_set(concat("/", [concat("", [_w, "/triggers/pull_request"]), change[0]]), change[1])]) == set()
	}
}

test_a_condition_may_skip if {
	_is([_set(concat("", [_s, "/if"]), "false")], "skippable", 21)
	_is([_set(concat("", [_w, "/jobs/0/if"]), "github.actor != 'bot'")], "skippable", 16)
	_found([_set(concat("", [_s, "/if"]), "always()")]) == set()
}

test_a_job_that_is_needed_may_skip if {
	before := object.union(_job("before", []), {"if": "github.ref == 'x'"})
	patches := [_set(concat("", [_w, "/jobs/0/needs"]), ["before"]), _set(concat("", [_w, "/jobs/-"]), before), _set(concat("", [_d, "/at/~1jobs~1before~1if"]), [40, 1])]
	_is(patches, "skippable", 40)
}

test_another_run_without_a_problem_is_enough if {
	_found([
		_set(concat("", [_s, "/if"]), "false"),
		_set(concat("", [_w, "/jobs/-"]), _job("again", [_step([_command(["leviathan", "invariants", "check"], 50)])])),
	]) == set()
}

test_a_failure_that_is_hidden if {
	_is([_set(concat("", [_s, "/continue_on_error"]), true)], "swallowed", 22)
	_is([_set(concat("", [_w, "/jobs/0/continue_on_error"]), true)], "swallowed", 17)
	every how in ["or_true", "pipe", "background", "semicolon"] {
		_is([_set(concat("", [_s, "/swallowed"]), [object.union(_at(20), {"command": "x", "how": how})])], "swallowed", 20)
		_found([_set(concat("", [_s, "/swallowed"]), [object.union(_at(18), {"command": "rm", "how": how})])]) == set()
	}
	_is([_set(concat("", [_s, "/swallowed"]), [object.union(_at(18), {"command": "set +e", "how": "set_plus_e"})])], "swallowed", 18)
}

test_a_shell_of_ones_own_needs_errexit if {
	more := [_gate, _command(["make", "report"], 21)]
	_is([_set(concat("", [_s, "/shell"]), "bash {0}"), _set(concat("", [_s, "/commands"]), more)], "swallowed", 20)
	_found([_set(concat("", [_s, "/shell"]), "bash -eu {0}"), _set(concat("", [_s, "/commands"]), more)]) == set()
	_found([_set(concat("", [_s, "/shell"]), "bash {0}")]) == set()
	strict := array.concat([_command(["set", "-o", "errexit"], 20)], more)
	_found([_set(concat("", [_s, "/shell"]), "bash {0}"), _set(concat("", [_s, "/commands"]), strict)]) == set()
}

_script(commands, swallowed) := [
	_set("/scripts/.ci~1run", {"commands": commands, "swallowed": swallowed}),
	_set(concat("", [_s, "/commands"]), [_command(["./.ci/run"], 20)]),
]

_in_script(words, line) := {"file": ".ci/run", "line": line, "column": 1, "words": words, "after": ""}

test_a_script_of_the_repository_is_followed if {
	gate := _in_script(["step", "leviathan", "invariants", "check"], 3)
	last := _in_script(["make", "x"], 4)
	_found(_script([_in_script(["set", "-eu"], 1), gate, last], [])) == set()
	_found(_script([gate], [])) == set()
	_is(_script([gate, last], []), "swallowed", 3)
	_is(_script([_in_script(["set", "-eu"], 1), gate, last], [{"file": ".ci/run", "line": 3, "column": 1, "command": "x", "how": "or_true"}]), "swallowed", 3)
	_found(array.concat(_script([gate, last], []), [_set(concat("", [_s, "/commands"]), [_command(["bash", "-e", ".ci/run"], 20)])])) == set()
	_is(array.concat(_script([gate, last], []), [_set(concat("", [_s, "/commands"]), [_command(["cat", ".ci/run"], 20)])]), "not_run", 10)
}

# A workflow that another one calls runs when that one does.
_called := [
	_set("/workflows/.github~1workflows~1gate.yml", object.union(_workflow, {"triggers": {"workflow_call": _trigger}, "document": "gate#0"})),
	_set("/documents/gate#0", object.union(_document, {"file": ".github/workflows/gate.yml"})),
	_replace(concat("", [_w, "/jobs/0"]), object.union(_job("call", []), {"uses": object.union(_at(20), {"name": "./.github/workflows/gate.yml", "reference": "./.github/workflows/gate.yml", "pinned": false, "local": true})})),
]

test_a_workflow_that_is_called_runs_on_pull_requests if {
	_found(_called) == set()
	_is(array.concat(_called, [_set(concat("", [_w, "/jobs/0/if"]), "x"), _set(concat("", [_d, "/at/~1jobs~1call~1if"]), [44, 1])]), "skippable", 44)
	_is(array.concat(_called, [_set(concat("", [_w, "/triggers/pull_request/paths"]), ["x"])]), "filtered", 2)
}
