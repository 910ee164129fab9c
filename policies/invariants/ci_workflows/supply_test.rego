package leviathan.invariants.ci_workflows_supply_test

import rego.v1

import data.leviathan.invariants.ci_workflows

_ci := ".github/workflows/ci.yml"

_at(line) := {"file": _ci, "line": line, "column": 1}

_unset := {"given": false, "all": "", "scopes": {}}

_step := object.union(_at(8), {
	"index": 0, "pointer": "/jobs/a/steps/0", "if": "", "continue_on_error": false, "uses": null, "with": null, "run": "",
	"shell": "", "commands": [], "swallowed": [],
})

_job(id) := object.union(_at(6), {"id": id, "pointer": concat("/", ["/jobs", id]), "if": "", "continue_on_error": false, "needs": [], "permissions": _unset, "uses": null, "steps": [_step]})

_tree := {
	"workflows": {_ci: {
		"document": "ci#0", "triggers": {"pull_request": {"paths": []}}, "commented": [],
		"permissions": {"given": true, "all": "", "scopes": {"contents": "read"}}, "jobs": [_job("a")],
	}},
	"documents": {"ci#0": {
		"file": _ci, "value": {"jobs": {"a": {}}},
		"at": {"": [1, 1], "/jobs": [5, 1], "/permissions": [3, 1], "/permissions/issues": [4, 1], "/jobs/a": [6, 1], "/jobs/a/permissions": [7, 1]},
	}},
	"settings": {"parameters": {"ci_workflows": {"required": [], "write": ["checks"]}}},
}

_w(path) := concat("", ["/workflows/.github~1workflows~1ci.yml", path])

_set(path, value) := {"op": "add", "path": path, "value": value}

_found(patches) := {[v.code, v.line, v.subject] | some v in denied} if {
	denied := ci_workflows.deny with input as json.patch(_tree, patches)
}

_hash := "0123456789abcdef0123456789abcdef01234567"

test_a_good_tree_holds if _found([]) == set()

test_an_action_by_tag if {
	by_tag := object.union(_at(9), {"reference": "actions/checkout@v5", "name": "actions/checkout", "pinned": false, "local": false})
	found := {["ci_workflows.unpinned_action", 9, "actions/checkout@v5"]}
	_found([_set(_w("/jobs/0/steps/0/uses"), by_tag)]) == found
	_found([_set(_w("/jobs/0/uses"), by_tag)]) == found
	every change in [{"pinned": true}, {"local": true}] {
		_found([_set(_w("/jobs/0/steps/0/uses"), object.union(by_tag, change))]) == set()
	}
}

test_an_action_of_the_repository_pins_what_it_uses if {
	action := {"file": ".github/actions/x/action.yml", "at": {"": [1, 1], "/runs/steps/0/uses": [7, 1]}, "value": {"runs": {"steps": [{"uses": "actions/checkout@v5"}]}}}
	_found([_set("/documents/x#0", action)]) == {["ci_workflows.unpinned_action", 7, "actions/checkout@v5"]}
	every uses in ["./x", concat("@", ["a/b", _hash])] {
		_found([_set("/documents/x#0", json.patch(action, [_set("/value/runs/steps/0/uses", uses)]))]) == set()
	}
}

test_an_image_by_tag if {
	every job in [{"container": "go:1"}, {"container": {"image": "go:1"}}, {"services": {"db": {"image": "go:1"}}}] {
		_found([_set("/documents/ci#0/value/jobs/a", job)]) == {["ci_workflows.unpinned_image", 6, "go:1"]}
	}
	_found([_set("/documents/ci#0/value/jobs/a", {"container": "go:1@sha256:00"})]) == set()
}

test_a_workflow_says_what_its_token_may_do if {
	none := [_set(_w("/permissions"), _unset)]
	_found(none) == {["ci_workflows.no_permissions", 5, _ci]}
	_found(array.concat(none, [_set(_w("/jobs/0/permissions"), {"given": true, "all": "read-all", "scopes": {}})])) == set()
}

test_a_token_that_may_write if {
	everything := {"given": true, "all": "write-all", "scopes": {}}
	_found([_set(_w("/permissions"), everything)]) == {["ci_workflows.broad_permissions", 3, "everything"]}
	_found([_set(_w("/jobs/0/permissions"), everything)]) == {["ci_workflows.broad_permissions", 7, "everything"]}
	issues := {"given": true, "all": "", "scopes": {"issues": "write", "checks": "write"}}
	_found([_set(_w("/permissions"), issues)]) == {["ci_workflows.broad_permissions", 4, "issues"]}
	_found([_set(_w("/jobs/0/permissions"), issues)]) == {["ci_workflows.broad_permissions", 7, "issues"]}
	alone := [_set(_w("/triggers"), {"push": {}})]
	_found(array.concat(alone, [_set(_w("/permissions"), issues)])) == set()
	_found(array.concat(alone, [_set(_w("/jobs/0/permissions"), issues)])) == set()
	_found(array.concat(alone, [_set(_w("/permissions"), issues), _set(_w("/jobs/-"), _job("b"))])) == {["ci_workflows.broad_permissions", 4, "issues"]}
}

test_a_strangers_code_beside_secrets if {
	checkout := [_set(_w("/jobs/0/steps/0/with"), {"ref": "${{ github.event.pull_request.head.sha }}"})]
	_found(checkout) == set()
	_found(array.concat(checkout, [_set(_w("/triggers/pull_request_target"), {})])) == {["ci_workflows.untrusted_checkout", 8, "a/0"]}
	_found([_set(_w("/triggers/pull_request_target"), {})]) == set()
}

test_a_strangers_text_in_a_script if {
	_found([_set(_w("/jobs/0/steps/0/run"), "echo ${{ github.event.issue.title }}")]) == {["ci_workflows.injection", 8, "github.event.issue.title"]}
	_found([_set(_w("/jobs/0/steps/0/run"), "echo ${{ github.sha }} github.head_ref")]) == set()
}
