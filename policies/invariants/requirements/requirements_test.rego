package leviathan.invariants.requirements_test

import rego.v1

import data.leviathan.invariants.requirements

_at(file, line) := {"file": file, "line": line, "column": 1}

_require(path, line) := object.union(_at("go.mod", line), {"path": path, "version": "v1.0.0", "indirect": false})

_version(version, line) := object.union(_at("go.mod", line), {"version": version})

_module := {
	"path": "example.com/app", "go": _version("1.26.0", 3), "toolchain": _version("", 1), "replaces": [], "tools": ["a.org/tool/cmd/x"],
	"requires": [_require("a.org/x", 5), _require("a.org/x/v2", 6), _require("a.org/tool", 7), object.union(_require("b.org/y", 8), {"indirect": true})],
	"imports": {
		"a.org/x": _at("a.go", 4), "a.org/x/sub": _at("a.go", 4), "a.org/x/v2/sub": _at("a.go", 5), "example.com/app": _at("a.go", 6),
		"example.com/app/sub": _at("a.go", 6),
	},
}

_step := object.union(_at("ci.yml", 8), {"pointer": "/jobs/a/steps/0", "uses": {"name": "actions/setup-go"}, "with": {"go-version-file": "go.mod"}})

_tree := {
	"modules": {"go.mod": _module},
	"files": {"go.mod": {}},
	"workflows": {"ci.yml": {"document": "ci.yml#0", "jobs": [{"id": "a", "steps": [_step]}]}},
	"documents": {"ci.yml#0": {"file": "ci.yml", "at": {"": [1, 1], "/jobs/a/steps/0/with/go-version": [10, 1]}}},
	"tools": [], "dockerfiles": {},
	"settings": {"parameters": {"requirements": {"allowed": ["a.org/x", "a.org/x/v2", "a.org/tool", "b.org/*"]}}},
}

_m(path) := concat("", ["/modules/go.mod", path])

_set(path, value) := {"op": "add", "path": path, "value": value}

_found(patches) := {[v.code, v.file, v.line] | some v in denied} if {
	denied := requirements.deny with input as json.patch(_tree, patches)
}

_is(patches, code, file, line) if _found(patches) == {[concat("", ["requirements.", code]), file, line]}

test_a_tidy_module_holds if _found([]) == set()

test_the_main_module_exists if {
	_is([_set("/settings/parameters/requirements/module", "app/go.mod")], "no_module", "app/go.mod", 1)
}

test_no_list_is_a_note if {
	_is([{"op": "remove", "path": "/settings/parameters/requirements/allowed"}], "no_list", "go.mod", 1)
}

test_a_dependency_that_is_not_on_the_list if {
	_is([_set("/settings/parameters/requirements/allowed", ["a.org/x", "a.org/x/*", "b.org/y"])], "not_allowed", "go.mod", 7)
	_is([_set("/settings/parameters/requirements/allowed", ["a.org/x/*", "a.org/tool"])], "not_allowed", "go.mod", 5)
}

test_a_replacement if {
	_is([_set(_m("/replaces"), [object.union(_at("go.mod", 9), {"old": "a.org/x", "new": "../x"})])], "replaced", "go.mod", 9)
}

test_a_module_that_is_required_twice if _is([_set(_m("/requires/-"), _require("a.org/x", 12))], "duplicate", "go.mod", 12)

test_an_import_that_nothing_provides if {
	_is([_set(_m("/imports/c.org~1z"), _at("b.go", 3))], "missing", "b.go", 3)
	_is([_set(_m("/imports/a.org~1xy"), _at("b.go", 3))], "missing", "b.go", 3)
}

test_a_requirement_that_nothing_uses if {
	_is([_set(_m("/tools"), [])], "unused", "go.mod", 7)
	_is([{"op": "remove", "path": _m("/imports/a.org~1x~1v2~1sub")}], "unused", "go.mod", 6)
}

test_an_imported_module_is_not_indirect if _is([_set(_m("/imports/b.org~1y~1z"), _at("b.go", 3))], "not_indirect", "go.mod", 8)

test_tools_of_another_file_are_not_imports if {
	_found([_set("/modules/tools.mod", object.union(_module, {"imports": {}}))]) == set()
}

test_modules_are_of_one_go if {
	_is([_set("/modules/sub~1go.mod", object.union(_module, {"go": {"file": "sub/go.mod", "line": 3, "column": 1, "version": "1.25.0"}}))], "go_line", "sub/go.mod", 3)
}

_uses(version) := [_set("/workflows/ci.yml/jobs/0/steps/0/with", {"go-version": version})]

test_ci_has_the_go_of_the_module if {
	every version in ["1.26", "1.26.0", "1.26.8"] {
		_found(_uses(version)) == set()
	}
	every version in ["1.25", "1.27.1", "stable", "1.x", "^1.26"] {
		_is(_uses(version), "toolchain", "ci.yml", 10)
	}
}

test_a_toolchain_line_is_the_one if {
	line := _set(_m("/toolchain/version"), "go1.26.8")
	_found(array.concat([line], _uses("1.26.8"))) == set()
	_is(array.concat([line], _uses("1.26.7")), "toolchain", "ci.yml", 10)
	_is(array.concat([_set(_m("/go/version"), "1.26.3")], _uses("1.26.2")), "toolchain", "ci.yml", 10)
}

test_ci_says_which_go if {
	_is([_set("/workflows/ci.yml/jobs/0/steps/0/with", null)], "no_toolchain", "ci.yml", 8)
	_is([_set("/workflows/ci.yml/jobs/0/steps/0/with/go-version-file", "gone.mod")], "no_toolchain", "ci.yml", 8)
}

_image(tag) := _set("/dockerfiles/Dockerfile", {"stages": [object.union(_at("Dockerfile", 1), {"image": {"name": "docker.io/library/golang", "tag": tag}})]})

test_images_and_tool_files_have_the_same_go if {
	_found([_image("1.26.8-alpine")]) == set()
	_is([_image("1.25")], "toolchain", "Dockerfile", 1)
	_is([_set("/tools", [object.union(_at(".tool-versions", 2), {"name": "golang", "version": "1.24"})])], "toolchain", ".tool-versions", 2)
	_found([_set("/tools", [object.union(_at(".tool-versions", 2), {"name": "node", "version": "1.24"})])]) == set()
}

test_two_full_versions_are_one if {
	_is(array.concat(_uses("1.26.7"), [_image("1.26.8")]), "toolchains_differ", "ci.yml", 10)
}
