package leviathan.invariants.docs_structure

import rego.v1

import data.leviathan.invariants._lib as lib

# METADATA
# title: A link leads nowhere
# description: A link of a Markdown file names a file or folder that does not exist.
# custom:
#   code: docs_structure.dead_link
#   severity: error
#   message: "the link leads to {target}, which does not exist"
#   remedy: "Correct the link, or write what it leads to."
deny contains v if {
	some page in input.markdown
	some link in page.links
	link.path != ""
	not input.files[link.path]
	link.path != "."
	not _left_out(link.path)
	v := lib.violation(rego.metadata.chain(), link, {"target": link.path, "subject": link.target})
}

# _left_out: what lies in a folder that is not looked at is not known to exist,
# nor to be missing.
_left_out(path) if {
	some folder in input.repository.excluded
	startswith(path, concat("", [folder, "/"]))
}

# METADATA
# title: An anchor does not exist
# description: A link names a heading or an anchor that its document does not have.
# custom:
#   code: docs_structure.dead_anchor
#   severity: error
#   message: "{target} has no heading with the anchor #{anchor}"
#   remedy: "Use the anchor of a heading that exists; GitHub makes it of the heading's text."
deny contains v if {
	some page in input.markdown
	some link in page.links
	not link.anchor in {"", "top"}
	target := input.markdown[link.path]
	not link.anchor in target.anchors
	v := lib.violation(rego.metadata.chain(), link, {"target": link.path, "anchor": link.anchor, "subject": link.target})
}

# METADATA
# title: A link leads out of the repository
# description: A relative link leads above the root, where readers of the repository have nothing.
# custom:
#   code: docs_structure.link_outside
#   severity: error
#   message: "the link {target} leads out of the repository"
#   remedy: "Link a file of the repository, or give a full URL."
deny contains v if {
	some page in input.markdown
	some link in page.links
	link.outside
	v := lib.violation(rego.metadata.chain(), link, {"target": link.target, "subject": link.target})
}

# METADATA
# title: A reference is not defined
# description: A link by reference names one that the file does not define, so that it is shown as text.
# custom:
#   code: docs_structure.undefined_reference
#   severity: error
#   message: "the link reference {target} is not defined in this file"
#   remedy: "Define it with a line [{target}]: and where it leads."
deny contains v if {
	some page in input.markdown
	some link in page.links
	not link.defined
	v := lib.violation(rego.metadata.chain(), link, {"target": link.target, "subject": link.target})
}
