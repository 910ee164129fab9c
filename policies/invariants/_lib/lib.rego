# METADATA
# title: Helpers of the invariants
# description: |
#   Makes violations of METADATA and places, so that a rule says only what is
#   wrong and where. It decides nothing: it has no rule deny.
package leviathan.invariants._lib

import rego.v1

import data.leviathan.reason

# violation is what a deny rule contains. chain is rego.metadata.chain() of the
# rule; place has file, line and column; values fill the {placeholders} of
# custom.message and custom.remedy, and values.subject names the thing that is
# wrong without its line.
#
# It is total: a place or a subject that is missing never makes a violation go
# away.
violation(chain, place, values) := object.union(
	{
		"severity": object.get({"chain": chain}, ["chain", 0, "annotations", "custom", "severity"], "error"),
		"file": object.get(place, "file", "."),
		"line": object.get(place, "line", 1),
		"column": object.get(place, "column", 1),
		"subject": sprintf("%v", [object.get(values, "subject", "")]),
		"remedy": "",
	},
	reason.of(chain, object.remove(values, ["path"])),
)

# at is the place of a node of a document, by JSON pointer; of a node that is
# missing, the nearest one above it, so that a missing field is reported at
# the mapping that lacks it.
at(document, pointer) := _place(document.file, _near(document, pointer))

# at_id is at for a document's id, such as those of rendered resources and
# workloads; a generated one has none, and is at the file given instead.
at_id(id, pointer, _) := at(input.documents[id], pointer) if input.documents[id]

at_id(id, _, file) := _place(file, [1, 1]) if not input.documents[id]

# file_place is the top of a file.
file_place(file) := _place(file, [1, 1])

_place(file, where) := {"file": file, "line": where[0], "column": where[1]}

_near(document, pointer) := document.at[pointer]

_near(document, pointer) := found[count(found) - 1] if {
	not document.at[pointer]
	parts := split(pointer, "/")
	found := [where |
		some n in numbers.range(1, count(parts))
		where := document.at[concat("/", array.slice(parts, 0, n))]
	]
}

# parameter is what the settings of the repository say for a category, or else
# the default.
parameter(category, name, otherwise) := object.get(input, ["settings", "parameters", category, name], otherwise)
