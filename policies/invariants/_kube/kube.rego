# METADATA
# title: Helpers of the invariants about manifests
# description: |
#   Finds resources and pods by name in every overlay, or in the files as they
#   are where no overlay has them, and says where a value was written: in the
#   file, in a patch, or by an overlay. It decides nothing: it has no rule deny.
package leviathan.invariants._kube

import rego.v1

import data.leviathan.invariants._lib as lib

# scopes are the overlays that have a resource of one of the names; where none
# has, source, if a file has.
scopes(names) := found if {
	found := {scope |
		some scope, overlay in input.rendered
		overlay.ok
		some d in overlay.documents
		d.name in names
	}
	count(found) > 0
} else := {"source" | count([1 | some d in input.documents; _resource(d); d.name in names]) > 0}

# everything is what a scope has.
everything("source") := [r |
	some id, d in input.documents
	_resource(d)
	r := {"scope": "source", "file": d.file, "document": id, "kind": d.kind, "name": d.name, "namespace": d.namespace, "value": d.value}
]

everything(scope) := [r |
	some d in overlay.documents
	r := {"scope": scope, "file": overlay.file, "document": d.document, "kind": d.kind, "name": d.name, "namespace": d.namespace, "value": d.value}
] if {
	overlay := input.rendered[scope]
}

_resource(d) if {
	d.kind != ""
	object.get(d, "within", null) == null
}

# resources are those of a scope that have the kind and the name.
resources(scope, kind, name) := [r |
	some r in everything(scope)
	r.kind == kind
	r.name == name
]

# missing are places, one for each scope that lacks a resource; names are those
# that say that a scope is about it at all. A scope that has a resource with the
# app's label under another name, or one of the kind beside what has the names, is
# reported there.
missing(kind, name, app, names) := {place |
	some scope in scopes(names)
	count(resources(scope, kind, name)) == 0
	place := _instead(scope, kind, app, names)
} if {
	count(scopes(names)) > 0
}

missing(_, _, _, names) := {lib.file_place(".")} if count(scopes(names)) == 0

_instead(scope, kind, app, names) := found[0] if {
	found := array.concat(_labelled(scope, kind, app), _neighbours(scope, kind, names))
	count(found) > 0
} else := found[0] if {
	found := [place(r, ["metadata", "name"]) | some r in everything(scope); r.kind == kind; not r.name in names]
	count(found) == 1
} else := lib.file_place(min({r.file | some r in everything(scope); r.name in names}))

# _neighbours are those of a kind in the files that have resources of the names.
_neighbours(scope, kind, names) := [place(r, ["metadata", "name"]) |
	files := {input.documents[r.document].file | some r in everything(scope); r.name in names}
	some r in everything(scope)
	r.kind == kind
	not r.name in names
	input.documents[r.document].file in files
]

_labelled(scope, kind, app) := [place(r, ["metadata", "name"]) |
	some r in everything(scope)
	r.kind == kind
	get(r.value, ["metadata", "labels", "app"], "") == app
]

# pods are what a scope has of a kind and a name, with the pod of it: spec,
# labels, containers, and path, where the spec is.
pods(scope, kind, name) := [object.union(r, pod) |
	some r in resources(scope, kind, name)
	some pod in all_pods(scope)
	pod.kind == kind
	pod.name == name
	pod.namespace == r.namespace
	pod.document == r.document
]

# all_pods are the pods of a scope, without the values that hold them.
all_pods(scope) := [pod |
	some w in input.workloads[scope]
	pod := {
		"kind": w.kind, "name": w.name, "namespace": w.namespace, "document": w.document, "service_account": w.service_account,
		"path": _path(w.pointer), "labels": w.labels, "spec": w.spec,
		"containers": [object.union(c, {"path": _path(c.pointer)}) | some c in w.containers],
	}
]

# _path is a pointer's path, of which only the last part may be a place in a list.
_path(way) := [_part(part) | some i, part in split(way, "/"); i > 0]

_part(part) := to_number(part) if regex.match(`^[0-9]+$`, part)

_part(part) := part if not regex.match(`^[0-9]+$`, part)

# owner names a resource in a message.
owner(r) := concat("/", [r.kind, r.name])

# get is what a value has at a path, null for what is not there.
get(value, path, otherwise) := object.get({"it": value}, array.concat(["it"], path), otherwise)

# list is the list that a value has at a path, empty for anything else.
list(value, path) := found if {
	found := get(value, path, [])
	is_array(found)
} else := []

# place is where the value at a path of a resource was written: in its file, in
# a patch of the same name, or by the overlay.
place(r, path) := lib.at_id(r.document, _pointer(path), r.file) if _written(r, path)

place(r, path) := found[0] if {
	not _written(r, path)
	found := _patches(r, path)
	count(found) > 0
}

place(r, path) := lib.at_id(concat("#", [r.file, "0"]), _layer(r, path), r.file) if {
	not _written(r, path)
	count(_patches(r, path)) == 0
}

_written(r, _) if r.scope == "source"

_written(r, path) if {
	document := input.documents[r.document]
	get(document.value, path, null) == get(r.value, path, null)
}

_patches(r, path) := [lib.at(d, _pointer(path)) |
	value := get(r.value, path, null)
	value != null
	some id in input.kinds[r.kind]
	id != r.document
	d := input.documents[id]
	d.name == r.name
	d.file in input.rendered[r.scope].reads
	get(d.value, path, null) == value
]

# _layer is the part of an overlay that may have written a value.
_layer(r, path) := "/images" if {
	path[count(path) - 1] == "image"
	get(_kustomization(r), ["images"], null) != null
} else := sprintf("/patches/%d/patch", [found[0]]) if {
	found := [i |
		some i, patch in list(_kustomization(r), ["patches"])
		get(patch, ["patch"], null) != null
		get(patch, ["target", "kind"], r.kind) == r.kind
		get(patch, ["target", "name"], r.name) == r.name
	]
	count(found) > 0
} else := ""

_kustomization(r) := input.documents[concat("#", [r.file, "0"])].value

_pointer(path) := concat("", [sprintf("/%s", [_escaped(part)]) | some part in path])

_escaped(part) := replace(replace(sprintf("%v", [part]), "~", "~0"), "/", "~1")

# flag are the values of a flag in a container's command line, each with its
# path; of one without a value, "".
flag(container, name) := [found |
	some from in ["command", "args"]
	words := list(container.value, [from])
	some i, word in words
	is_string(word)
	some value in _flag_value(words, i, word, name)
	found := {"value": value, "path": array.concat(container.path, [from, i])}
]

_flag_value(_, _, word, name) := [substring(word, count(name) + 1, -1)] if startswith(word, concat("", [name, "="]))

_flag_value(words, i, name, name) := [words[i + 1]] if {
	is_string(words[i + 1])
	not startswith(words[i + 1], "-")
} else := [""]

# told are the values of a flag alone.
told(container, name) := [found.value | some found in flag(container, name)]

# flag_path is where a flag stands, or else the command line.
flag_path(container, name) := found[0].path if {
	found := flag(container, name)
	count(found) > 0
} else := array.concat(container.path, ["args"])
