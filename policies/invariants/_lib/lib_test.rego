package leviathan.invariants._lib_test

import rego.v1

import data.leviathan.invariants._lib as lib

_document := {"id": "a.yaml#0", "file": "a.yaml", "at": {"": [1, 1], "/spec": [3, 1], "/spec/replicas": [4, 3]}}

_chain := [{
	"path": ["leviathan", "invariants", "example", "deny"],
	"annotations": {"custom": {"code": "example.one", "severity": "warning", "message": "{what} is wrong", "remedy": "Mend {what}."}},
}]

test_a_violation_has_every_field if {
	lib.violation(_chain, {"file": "a.yaml", "line": 4, "column": 3}, {"what": "it", "subject": "spec"}) == {
		"code": "example.one", "severity": "warning", "message": "it is wrong", "remedy": "Mend it.",
		"rule": "leviathan.invariants.example", "file": "a.yaml", "line": 4, "column": 3, "subject": "spec",
	}
}

test_a_violation_without_place_subject_or_text_is_one_all_the_same if {
	v := lib.violation([], {}, {})
	v.file == "."
	v.severity == "error"
	v.line == 1
	v.remedy == ""
	v.subject == ""
	v.code == "unknown.rule_text"
}

test_a_node_is_at_its_own_place if {
	lib.at(_document, "/spec/replicas") == {"file": "a.yaml", "line": 4, "column": 3}
}

test_a_missing_node_is_at_the_nearest_one_above if {
	lib.at(_document, "/spec/template/spec") == {"file": "a.yaml", "line": 3, "column": 1}
	lib.at(_document, "/metadata") == {"file": "a.yaml", "line": 1, "column": 1}
}

test_a_document_is_found_by_id_and_a_generated_one_is_at_its_file if {
	lib.at_id("a.yaml#0", "/spec", "k.yaml") == {"file": "a.yaml", "line": 3, "column": 1} with input.documents as {"a.yaml#0": _document}
	lib.at_id("", "/spec", "k.yaml") == {"file": "k.yaml", "line": 1, "column": 1} with input.documents as {}
}

test_a_file_is_at_its_top if lib.file_place("a.md") == {"file": "a.md", "line": 1, "column": 1}

test_a_parameter_is_the_settings_or_the_default if {
	lib.parameter("example", "limit", 1) == 2 with input.settings.parameters as {"example": {"limit": 2}}
	lib.parameter("example", "limit", 1) == 1 with input.settings as {}
	lib.parameter("example", "limit", 1) == 1 with input as {}
}
