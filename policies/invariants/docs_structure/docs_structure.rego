# METADATA
# title: Documentation structure
# description: |
#   The documents that readers are promised exist, every document can be
#   reached from the index, and every link and anchor leads somewhere.
#   Parameters: index, canonical (paths), folder.
# custom:
#   needs: [markdown]
package leviathan.invariants.docs_structure

import rego.v1

import data.leviathan.invariants._lib as lib

# METADATA
# title: There is no index
# description: The document from which all others are reached does not exist.
# custom:
#   code: docs_structure.no_index
#   severity: error
#   message: "the index of the documentation, {index}, does not exist"
#   remedy: "Write it, or name another with parameters.docs_structure.index in .leviathan/invariants.yaml."
deny contains v if {
	not input.markdown[_index]
	v := lib.violation(rego.metadata.chain(), lib.file_place(_index), {"index": _index, "subject": _index})
}

# METADATA
# title: A canonical document is missing
# description: A document that the repository promises does not exist.
# custom:
#   code: docs_structure.missing_document
#   severity: error
#   message: "the canonical document {document} does not exist"
#   remedy: "Write it, or take it from parameters.docs_structure.canonical when nobody is promised it any more."
deny contains v if {
	some document in lib.parameter("docs_structure", "canonical", [])
	not input.markdown[document]
	v := lib.violation(rego.metadata.chain(), lib.file_place(_index), {"document": document, "subject": document})
}

# METADATA
# title: A document cannot be reached
# description: No chain of links leads from the index to a document of the documentation's folder.
# custom:
#   code: docs_structure.not_indexed
#   severity: error
#   message: "{document} cannot be reached from {index}"
#   remedy: "Link it from {index}, or from a document that is reached from there."
deny contains v if {
	input.markdown[_index]
	some document, _ in input.markdown
	startswith(document, _folder)
	not document in _reached
	v := lib.violation(rego.metadata.chain(), lib.file_place(document), {"document": document, "index": _index, "subject": document})
}

# METADATA
# title: Two documents have one number
# description: Documents that begin with a number are referred to by it, so that each number is used once.
# custom:
#   code: docs_structure.duplicate_number
#   severity: error
#   message: "{document} has the number of {other}"
#   remedy: "Give one of them a number of its own."
deny contains v if {
	some document in _numbered
	some other in _numbered
	document > other
	_number(document) == _number(other)
	v := lib.violation(rego.metadata.chain(), lib.file_place(document), {"document": document, "other": other, "subject": document})
}

# METADATA
# title: A document does not begin with its title
# description: The first heading of a document of the documentation's folder is not of the first level.
# custom:
#   code: docs_structure.no_title
#   severity: error
#   message: "{document} does not begin with a heading of level 1"
#   remedy: "Begin it with one line: # and its title."
deny contains v if {
	some document, page in input.markdown
	startswith(document, _folder)
	not _titled(page)
	v := lib.violation(rego.metadata.chain(), _first_heading(document, page), {"document": document, "subject": document})
}

_index := lib.parameter("docs_structure", "index", _found_index)

_found_index := "docs/00_CANONICAL_OVERVIEW.md" if input.markdown["docs/00_CANONICAL_OVERVIEW.md"]

_found_index := "README.md" if not input.markdown["docs/00_CANONICAL_OVERVIEW.md"]

_folder := lib.parameter("docs_structure", "folder", "docs/")

# _reached are the documents to which links lead from the index; a link to a
# folder leads to its README.
_reached := graph.reachable(_linked, {_index})

_linked[document] := {target |
	some link in page.links
	some target in [link.path, concat("/", [link.path, "README.md"])]
	input.markdown[target]
} if {
	some document, page in input.markdown
}

_numbered := {document |
	some document, _ in input.markdown
	startswith(document, _folder)
	regex.match(`^[0-9]+_`, _base(document))
}

_number(document) := [_parent(document), split(_base(document), "_")[0]]

_base(document) := parts[count(parts) - 1] if parts := split(document, "/")

_parent(document) := array.slice(parts, 0, count(parts) - 1) if parts := split(document, "/")

_titled(page) if page.headings[0].level == 1

_first_heading(_, page) := page.headings[0]

_first_heading(document, page) := lib.file_place(document) if count(page.headings) == 0
