# METADATA
# title: Namespace consistency
# description: |
#   Everything that is said about a namespace, in manifests, rights, network
#   policies, addresses, arguments, configs and documents, says the same one.
#   Parameters: namespace (that of the topology by default, or else leviathan),
#   also (other namespaces that may be spoken of), folders (of the manifests;
#   all by default), explicit (each file says its namespace, not only the
#   overlay), arguments (flags of the form --flag=NAMESPACE/NAME).
# custom:
#   needs: [workloads]
#   named: true
package leviathan.invariants.namespaces

import rego.v1

import data.leviathan.invariants._lib as lib

# METADATA
# title: The namespace is not made
# description: No manifest makes the namespace that all others are for.
# custom:
#   code: namespaces.no_namespace
#   severity: error
#   message: "no manifest makes the namespace {namespace}"
#   remedy: "Add a Namespace of that name, or correct parameters.namespaces.namespace in .leviathan/invariants.yaml."
deny contains v if {
	places := [lib.resource_place(resource, "/metadata/name") | some resource in _resources; resource.kind == "Namespace"]
	count([resource | some resource in _resources; resource.kind == "Namespace"; resource.name == _namespace]) == 0
	place := array.concat(places, [_first_place])[0]
	v := lib.violation(rego.metadata.chain(), place, {"namespace": _namespace, "subject": _namespace})
}

# METADATA
# title: A manifest is for another namespace
# description: A resource is put into a namespace that is not the one.
# custom:
#   code: namespaces.other
#   severity: error
#   message: "{kind} {name} is for the namespace {other}, and everything else for {namespace}"
#   remedy: "Write namespace: {namespace}, or allow the other with parameters.namespaces.also in .leviathan/invariants.yaml."
deny contains v if {
	some resource in _resources
	resource.namespace != ""
	not resource.namespace in _allowed
	v := lib.violation(rego.metadata.chain(), lib.resource_place(resource, "/metadata/namespace"), {
		"kind": resource.kind, "name": resource.name, "other": resource.namespace, "namespace": _namespace, "subject": _subject(resource),
	})
}

# METADATA
# title: A manifest says no namespace
# description: A resource that belongs to a namespace does not say which, so that it goes where its reader happens to be.
# custom:
#   code: namespaces.missing
#   severity: error
#   message: "{kind} {name} says no namespace"
#   remedy: "Write namespace: {namespace} into its metadata."
deny contains v if {
	some resource in _resources
	resource.namespace == ""
	lib.own_group(resource.api_version)
	not resource.kind in lib.cluster_wide
	v := lib.violation(rego.metadata.chain(), lib.resource_place(resource, "/metadata"), {
		"kind": resource.kind, "name": resource.name, "namespace": _namespace, "subject": _subject(resource),
	})
}

# METADATA
# title: A file leaves its namespace to others
# description: A file's resource gets its namespace from a kustomization, where the settings ask for it in the file.
# custom:
#   code: namespaces.not_explicit
#   severity: error
#   message: "{kind} {name} leaves its namespace to a kustomization"
#   remedy: "Write namespace: {namespace} into its metadata."
deny contains v if {
	lib.parameter("namespaces", "explicit", false)
	some resource in _resources
	resource.namespace != ""
	document := input.documents[resource.document]
	document.namespace == ""
	v := lib.violation(rego.metadata.chain(), lib.at(document, "/metadata"), {
		"kind": resource.kind, "name": resource.name, "namespace": _namespace, "subject": _subject(resource),
	})
}

# METADATA
# title: A right is given to another namespace
# description: A binding names a service account of a namespace that is not the one, or of none.
# custom:
#   code: namespaces.subject
#   severity: error
#   message: "{kind} {name} gives rights to {subject_name} of the namespace {other}"
#   remedy: "Write namespace: {namespace}, or allow the other with parameters.namespaces.also in .leviathan/invariants.yaml."
deny contains v if {
	some resource in _resources
	resource.kind in {"RoleBinding", "ClusterRoleBinding"}
	some i, subject in resource.value.subjects
	other := _subject_namespace(subject)
	not other in _allowed
	v := lib.violation(rego.metadata.chain(), lib.resource_place(resource, sprintf("/subjects/%d/namespace", [i])), {
		"kind": resource.kind, "name": resource.name, "subject_name": subject.name, "other": _said(other),
		"namespace": _namespace, "subject": sprintf("%s/%s", [_subject(resource), subject.name]),
	})
}

# METADATA
# title: A namespace is selected that there is none of
# description: A selector of namespaces, of a network policy, a webhook or a monitor, names one that is not known here.
# custom:
#   code: namespaces.selected
#   severity: error
#   message: "{kind} {name} selects the namespace {other}"
#   remedy: "Write {namespace}, or allow the other with parameters.namespaces.also in .leviathan/invariants.yaml."
deny contains v if {
	some resource in _resources
	some [path, other] in _selected(resource)
	not other in _allowed
	not other in _outside
	v := lib.violation(rego.metadata.chain(), lib.resource_place(resource, path), {
		"kind": resource.kind, "name": resource.name, "other": other, "namespace": _namespace, "subject": _subject(resource),
	})
}

# METADATA
# title: The topology or a kustomization says another namespace
# description: A file that says the namespace for many manifests says another.
# custom:
#   code: namespaces.source
#   severity: error
#   message: "{file} says the namespace {other}, and everything else {namespace}"
#   remedy: "Write namespace: {namespace}."
deny contains v if {
	some document in _sources
	other := document.value.namespace
	not other in _allowed
	v := lib.violation(rego.metadata.chain(), lib.at(document, "/namespace"), {
		"file": document.file, "other": sprintf("%v", [other]), "namespace": _namespace, "subject": document.file,
	})
}

_namespace := lib.parameter("namespaces", "namespace", object.get(input, ["topology", "value", "namespace"], "leviathan"))

_allowed := {_namespace} | {other | some other in lib.parameter("namespaces", "also", [])}

# _outside are the namespaces that the topology names outside of ours.
_outside := {outside.namespace | some outside in input.topology.value.outside}

_folders := lib.parameter("namespaces", "folders", [])

_resources := [resource |
	some resource in lib.applied
	lib.in_folders(lib.resource_place(resource, "").file, _folders)
]

# _sources are the files that say the namespace for others.
_sources := array.concat([input.documents[id] | id := input.topology.document], [document |
	some kind in ["Kustomization", "Component"]
	some id in input.kinds[kind]
	document := input.documents[id]
	lib.in_folders(document.file, _folders)
])

_first_place := array.concat([lib.resource_place(resource, "") | some resource in _resources], [lib.file_place(".")])[0]

_subject(resource) := sprintf("%s/%s", [resource.kind, resource.name])

_subject_namespace(subject) := object.get(subject, "namespace", "") if subject.kind == "ServiceAccount"

_subject_namespace(subject) := split(subject.name, ":")[2] if {
	subject.kind in {"Group", "User"}
	regex.match(`^system:serviceaccounts?:`, subject.name)
}

_said(namespace) := namespace if namespace != ""

_said("") := "that is not said"

_selected(resource) := [[sprintf("/%s", [concat("/", [_escaped(part) | some part in path])]), value] |
	walk(resource.value, [path, value])
	is_string(value)
	_selects(path)
]

_selects(path) if {
	path[count(path) - 1] == "kubernetes.io/metadata.name"
	path[count(path) - 2] == "matchLabels"
}

_selects(path) if {
	path[count(path) - 2] == "matchNames"
	path[count(path) - 3] == "namespaceSelector"
}

_escaped(part) := replace(replace(sprintf("%v", [part]), "~", "~0"), "/", "~1")
