package leviathan.invariants.tree_test

import rego.v1

import data.leviathan.invariants.tree

_found(code) := found if {
	found := tree.deny with input as {"problems": [{"file": "a", "line": 3, "column": 2, "code": code, "message": "why"}]}
}

_code_of(problem) := {v.code | some v in _found(problem)}

test_every_kind_of_problem_is_named if {
	_code_of("binary") == {"tree.not_read"}
	_code_of("link_loop") == {"tree.link"}
	_code_of("yaml_syntax") == {"tree.yaml"}
	_code_of("kustomize_outside") == {"tree.kustomize"}
	_code_of("manifest_wrong_type") == {"tree.manifest"}
	_code_of("go_syntax") == {"tree.syntax"}
	_code_of("something_new") == {"tree.syntax"}
}

test_a_problem_keeps_its_place_and_its_text if {
	some v in _found("yaml_syntax")
	[v.file, v.line, v.column, v.message, v.subject] == ["a", 3, 2, "why", "yaml_syntax"]
}

test_a_tree_without_problems_holds if count(tree.deny) == 0 with input as {"problems": []}
