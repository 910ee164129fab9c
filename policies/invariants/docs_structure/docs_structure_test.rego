package leviathan.invariants.docs_structure_test

import rego.v1

import data.leviathan.invariants.docs_structure

# _link is a good link of a page; changes make it a bad one.
_link(changes) := object.union(
	{
		"file": "docs/a.md", "line": 7, "column": 5, "target": "b.md#usage", "text": "b", "external": false, "path": "docs/b.md",
		"anchor": "usage", "outside": false, "defined": true, "image": false,
	},
	changes,
)

_heading(level) := {"file": "docs/a.md", "line": 1, "column": 1, "level": level, "text": "A", "anchor": "a"}

_page(links) := {"title": "A", "headings": [_heading(1)], "anchors": ["a", "usage"], "links": links, "code": []}

# _tree is a good tree: the index links a, and a links b.
_tree := {
	"markdown": {
		"docs/00_CANONICAL_OVERVIEW.md": _page([_link({"target": "a.md", "path": "docs/a.md", "anchor": ""})]),
		"docs/a.md": _page([_link({})]),
		"docs/b.md": _page([]),
	},
	"files": {"docs": {}, "docs/00_CANONICAL_OVERVIEW.md": {}, "docs/a.md": {}, "docs/b.md": {}},
	"settings": {"parameters": {"docs_structure": {"canonical": ["docs/a.md"]}}},
}

# _with is the good tree with patches (RFC 6902).
_with(patches) := found if {
	found := docs_structure.deny with input as json.patch(_tree, patches)
}

_codes(patches) := {v.code | some v in _with(patches)}

_bad_link(changes) := {[v.code, v.file, v.line, v.column, v.subject] |
	some v in _with([{"op": "replace", "path": "/markdown/docs~1a.md/links/0", "value": _link(changes)}])
	v.code != "docs_structure.not_indexed"
}

test_a_good_tree_holds if _with([]) == set()

test_a_tree_without_its_index_is_a_violation if {
	_codes([{"op": "add", "path": "/settings/parameters/docs_structure/index", "value": "docs/index.md"}]) == {"docs_structure.no_index"}
}

test_the_readme_is_the_index_where_there_is_no_overview if {
	found := _with([{"op": "remove", "path": "/markdown/docs~100_CANONICAL_OVERVIEW.md"}])
	{v.subject | some v in found; v.code == "docs_structure.no_index"} == {"README.md"}
}

test_a_missing_canonical_document_is_a_violation_at_the_index if {
	found := _with([{"op": "add", "path": "/settings/parameters/docs_structure/canonical/-", "value": "docs/07_FAILOVER.md"}])
	{[v.code, v.file, v.subject] | some v in found} == {["docs_structure.missing_document", "docs/00_CANONICAL_OVERVIEW.md", "docs/07_FAILOVER.md"]}
}

test_no_document_is_canonical_unless_the_settings_say_so if _codes([{"op": "remove", "path": "/settings"}]) == set()

test_a_document_that_nothing_links_is_a_violation if {
	found := _with([{"op": "add", "path": "/markdown/docs~1c.md", "value": _page([])}])
	{[v.code, v.file] | some v in found} == {["docs_structure.not_indexed", "docs/c.md"]}
}

test_a_link_to_a_folder_leads_to_its_readme if {
	found := _with([
		{"op": "add", "path": "/markdown/docs~1c~1README.md", "value": _page([])},
		{"op": "add", "path": "/files/docs~1c", "value": {}},
		{"op": "add", "path": "/markdown/docs~1b.md/links/-", "value": _link({"target": "c", "path": "docs/c", "anchor": ""})},
	])
	found == set()
}

test_a_document_outside_of_the_folder_need_not_be_reached if {
	_codes([{"op": "add", "path": "/markdown/CHANGELOG.md", "value": _page([])}]) == set()
}

test_a_number_is_used_once if {
	found := _with([
		{"op": "add", "path": "/markdown/docs~100_OTHER.md", "value": _page([])},
		{"op": "add", "path": "/files/docs~100_OTHER.md", "value": {}},
		{"op": "add", "path": "/markdown/docs~1b.md/links/-", "value": _link({"target": "00_OTHER.md", "path": "docs/00_OTHER.md", "anchor": ""})},
	])
	{[v.code, v.file] | some v in found} == {["docs_structure.duplicate_number", "docs/00_OTHER.md"]}
}

test_a_document_begins_with_its_title if {
	_codes([{"op": "replace", "path": "/markdown/docs~1a.md/headings/0", "value": _heading(2)}]) == {"docs_structure.no_title"}
	_codes([{"op": "replace", "path": "/markdown/docs~1a.md/headings", "value": []}]) == {"docs_structure.no_title"}
}

test_a_link_to_nothing_is_a_violation_at_the_link if {
	_bad_link({"path": "docs/gone.md"}) == {["docs_structure.dead_link", "docs/a.md", 7, 5, "b.md#usage"]}
}

test_a_link_into_a_folder_that_is_left_out_is_not_judged if {
	found := _with([
		{"op": "add", "path": "/repository", "value": {"excluded": ["docs/testdata"]}},
		{"op": "replace", "path": "/markdown/docs~1b.md/links", "value": [_link({"path": "docs/testdata/x.json", "anchor": ""})]},
	])
	found == set()
	_codes([
		{"op": "add", "path": "/repository", "value": {"excluded": ["docs/testdata"]}},
		{"op": "replace", "path": "/markdown/docs~1b.md/links", "value": [_link({"path": "docs/testdata2/x.json", "anchor": ""})]},
	]) == {"docs_structure.dead_link"}
}

test_an_anchor_that_is_nowhere_is_a_violation if {
	_bad_link({"anchor": "gone"}) == {["docs_structure.dead_anchor", "docs/a.md", 7, 5, "b.md#usage"]}
}

test_the_top_needs_no_anchor if _codes([{"op": "replace", "path": "/markdown/docs~1a.md/links/0", "value": _link({"anchor": "top"})}]) == set()

test_a_link_out_of_the_repository_is_a_violation if {
	_bad_link({"outside": true, "path": "", "anchor": ""}) == {["docs_structure.link_outside", "docs/a.md", 7, 5, "b.md#usage"]}
}

test_an_undefined_reference_is_a_violation if {
	_bad_link({"defined": false, "path": "", "anchor": ""}) == {["docs_structure.undefined_reference", "docs/a.md", 7, 5, "b.md#usage"]}
}
