# METADATA
# title: Kubernetes packaging
# description: |
#   Every manifest fits the schema of Kubernetes and is reached from an overlay;
#   no pod takes the node or more rights than its namespace allows; no secret is
#   committed; containers run commands and flags that exist.
#   Parameters: folders (of the manifests; all by default, and with them every
#   manifest inside is to be reached), custom (apiVersion/kind of others' APIs;
#   any by default), privileged (Kind/name that may take the node), pod_security
#   (the profile that every namespace enforces), programs (what containers may
#   run; anything by default), commands (flags by command, besides Leviathan's).
# custom:
#   needs: [workloads, rendered]
#   named: true
package leviathan.invariants.packaging

import rego.v1

import data.leviathan.invariants._lib as lib

# METADATA
# title: A manifest does not fit the schema
# description: A field that there is not, or a value that Kubernetes refuses. One of a wrong type is tree.manifest.
# custom:
#   code: packaging.schema
#   severity: error
#   message: "{message}"
#   remedy: "Correct it; kubectl explain lists the fields of every kind."
deny contains v if {
	some fault in _faults
	not fault.code in {"unknown_kind", "custom_kind", "wrong_type"}
	v := lib.violation(rego.metadata.chain(), fault, {"message": fault.message, "subject": fault.pointer})
}

# METADATA
# title: Kubernetes has no such kind
# description: The kind and the version of its API do not belong together, or are of a release that is long gone.
# custom:
#   code: packaging.unknown_kind
#   severity: error
#   message: "{message}"
#   remedy: "Write the apiVersion and the kind as kubectl api-resources lists them."
deny contains v if {
	some fault in _faults
	fault.code == "unknown_kind"
	v := lib.violation(rego.metadata.chain(), fault, {"message": fault.message, "subject": fault.document})
}

# METADATA
# title: A kind of another's API is not listed
# description: The manifest is of a kind that is not Kubernetes' own, and not one of those that the settings list.
# custom:
#   code: packaging.unlisted_kind
#   severity: error
#   message: "{kind} is neither Kubernetes' own nor listed"
#   remedy: "Correct the apiVersion and the kind, or list them in parameters.packaging.custom of .leviathan/invariants.yaml."
deny contains v if {
	some fault in _faults
	fault.code == "custom_kind"
	document := input.documents[fault.document]
	kind := sprintf("%s/%s", [document.api_version, document.kind])
	not kind in lib.parameter("packaging", "custom", [kind])
	v := lib.violation(rego.metadata.chain(), fault, {"kind": kind, "subject": fault.document})
}

# METADATA
# title: A manifest is not reached
# description: No kustomization names the file, so that no overlay ever applies it.
# custom:
#   code: packaging.unreachable
#   severity: error
#   message: "no kustomization names {file}"
#   remedy: "Name it under resources of a kustomization, or remove it."
deny contains v if {
	some kind, ids in input.kinds
	not kind in {"", "Kustomization", "Component"}
	some id in ids
	document := input.documents[id]
	not document.within.document
	_managed(document.file)
	not document.file in _named
	v := lib.violation(rego.metadata.chain(), document, {"file": document.file, "subject": document.file})
}

_folders := lib.parameter("packaging", "folders", [])

_faults := [fault |
	some fault in input.manifests.faults
	lib.in_folders(fault.file, _folders)
]

_managed(file) if {
	count(_folders) > 0
	lib.in_folders(file, _folders)
}

_managed(file) if {
	count(_folders) == 0
	input.rendered[lib.folder(file)]
}

_named := {file |
	some overlay in input.rendered
	some file, _ in overlay.names
}
