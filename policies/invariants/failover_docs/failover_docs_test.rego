package leviathan.invariants.failover_docs_test

import rego.v1

import data.leviathan.invariants.failover_docs

_doc := "docs/22_FAILOVER.md"

_at(line) := {"file": _doc, "line": line, "column": 1}

_heading(level, text, line) := object.union(_at(line), {"level": level, "text": text, "anchor": ""})

_block(words, line) := object.union(_at(line), {"language": "console", "commands": [object.union(_at(line + 1), {"words": words, "after": ""})]})

_tree := {
	"markdown": {_doc: {
		"headings": [
			_heading(1, "Failover", 1), _heading(2, "Backup, while it runs", 3), _heading(2, "Restore", 10),
			_heading(3, "A lost node", 20), _heading(3, "The lost volume", 30), _heading(2, "Other", 40),
		],
		"code": [
			_block(["leviathan", "journal", "backup", "FILE", "--state", "x"], 4), _block(["ls"], 11),
			_block(["leviathan", "status", "--state=x"], 21), _block(["ls", "--all"], 31),
		],
	}},
	"binary": {"commands": {
		"leviathan": {"runs": false, "flags": {}}, "leviathan journal": {"runs": false, "flags": {}},
		"leviathan journal backup": {"runs": true, "flags": {"state": "string"}}, "leviathan status": {"runs": true, "flags": {"state": "string"}},
	}},
	"code": {"cmd/guide_test.go": {
		"strings": [{"value": "22_FAILOVER", "function": "TestGuides"}],
		"functions": [{"name": "TestGuides", "skips": false}, {"name": "TestOther", "skips": true}],
	}},
	"settings": {"parameters": {"failover_docs": {"test": "cmd/guide_test.go"}}},
}

_p(path) := concat("", ["/markdown/docs~122_FAILOVER.md", path])

_set(path, value) := {"op": "replace", "path": path, "value": value}

_found(patches) := {[v.code, v.file, v.line] | some v in denied} if {
	denied := failover_docs.deny with input as json.patch(_tree, patches)
}

_is(patches, code, file, line) if _found(patches) == {[concat("", ["failover_docs.", code]), file, line]}

test_a_good_page_holds if _found([]) == set()

test_the_page_exists if _is([{"op": "remove", "path": "/markdown/docs~122_FAILOVER.md"}], "no_document", _doc, 1)

test_every_topic_has_a_heading if {
	_is([_set(_p("/headings/1/text"), "Copies")], "missing_topic", _doc, 1)
	_is([_set(_p("/headings/4/text"), "The lost thing")], "missing_topic", _doc, 1)
	_is([_set(_p("/headings/1/level"), 1)], "missing_topic", _doc, 1)
}

test_every_topic_has_commands if {
	_is([_set(_p("/code/0/language"), "text")], "no_commands", _doc, 3)
	_is([_set(_p("/code/3/commands"), [])], "no_commands", _doc, 30)
}

test_commands_exist if {
	every words in [
		["leviathan", "journal", "backupp"], ["leviathan", "journal"], ["leviathan"],
		["leviathan", "journal", "backup", "FILE", "--keep"],
	] {
		_is([_set(_p("/code/0/commands/0/words"), words)], "unknown_command", _doc, 5)
	}
	_is([{"op": "remove", "path": "/binary/commands/leviathan"}, _set(_p("/code/0/commands/0/words"), ["leviathan", "x"])], "unknown_command", _doc, 5)
}

test_a_test_runs_the_page if {
	_is([_set("/code/cmd~1guide_test.go/strings/0/value", "21_OTHER")], "not_tested", "cmd/guide_test.go", 1)
	_is([_set("/code/cmd~1guide_test.go/strings/0/function", "TestOther")], "not_tested", "cmd/guide_test.go", 1)
	_is([{"op": "remove", "path": "/code/cmd~1guide_test.go"}], "not_tested", "cmd/guide_test.go", 1)
	_found([{"op": "remove", "path": "/settings"}, {"op": "remove", "path": "/code"}]) == set()
}
