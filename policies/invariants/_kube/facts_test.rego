# METADATA
# title: Facts for the tests of the invariants about manifests
# description: |
#   Makes of manifests the facts that the program would make of files: m.yaml,
#   with each node at the line of its depth.
package leviathan.invariants._kube_test

import rego.v1

# facts are those of manifests in a file, which no kustomization includes.
facts(values) := {
	"documents": {d.id: d | some d in _documents(values)},
	"kinds": {kind: [d.id | some d in _documents(values); d.kind == kind] | some kind in {value.kind | some value in values}},
	"workloads": {"source": pods(_documents(values))},
}

# overlay are facts of the same, of which one kustomization makes rendered ones.
overlay(values, rendered) := json.patch(facts(values), [
	{"op": "add", "path": "/rendered", "value": {"prod": {"ok": true, "file": "prod/k.yaml", "reads": ["m.yaml", "p.yaml", "prod/k.yaml"], "documents": _rendered(rendered)}}},
	{"op": "add", "path": "/workloads/prod", "value": pods(_rendered(rendered))},
	{"op": "add", "path": "/documents/prod~1k.yaml#0", "value": object.union(_document({}, 0), {"id": "prod/k.yaml#0", "file": "prod/k.yaml", "kind": "", "name": ""})},
])

_documents(values) := [_document(value, i) | some i, value in values]

_document(value, i) := {
	"id": sprintf("m.yaml#%d", [i]), "file": "m.yaml", "kind": object.get(value, "kind", ""), "within": null, "value": value,
	"name": object.get(value, ["metadata", "name"], ""), "namespace": object.get(value, ["metadata", "namespace"], ""), "at": places(value),
}

# places has each node of a value at the line of its depth.
places(value) := {concat("", [sprintf("/%s", [replace(sprintf("%v", [part]), "/", "~1")]) | some part in path]): [count(path) + 1, 1] | walk(value, [path, _])}

_rendered(values) := [object.union(object.remove(d, ["at", "file", "id", "within"]), {"document": d.id}) | some d in _documents(values)]

# pods are the workloads of documents.
pods(documents) := [pod |
	some d in documents
	some way in _ways[d.kind]
	template := object.get(d.value, way, {})
	pointer := concat("", [sprintf("/%s", [part]) | some part in array.concat(way, ["spec"])])
	pod := {
		"kind": d.kind, "name": d.name, "namespace": d.namespace, "document": object.get(d, "id", object.get(d, "document", "")), "pointer": pointer,
		"labels": object.get(template, ["metadata", "labels"], {}), "spec": object.get(template, "spec", {}),
		"service_account": object.get(template, ["spec", "serviceAccountName"], "default"),
		"containers": [container |
			some [list, type] in [["containers", "container"], ["initContainers", "init"], ["ephemeralContainers", "ephemeral"]]
			some i, c in object.get(template, ["spec", list], [])
			container := {"name": c.name, "type": type, "pointer": sprintf("%s/%s/%d", [pointer, list, i]), "image": image(c.image), "value": c}
		],
	}
]

_ways := {"Deployment": [["spec", "template"]], "Job": [["spec", "template"]], "CronJob": [["spec", "jobTemplate", "spec", "template"]]}

# image is a reference, taken apart.
image(reference) := {"reference": reference, "digest": digest, "tag": tag} if {
	named := split(reference, "@")
	digest := concat("@", array.slice(named, 1, 2))
	tag := concat(":", array.slice(split(named[0], ":"), 1, 2))
}

# confined is what every pod and container here has.
confined := {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}}

own := {"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]}}

resources := {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "64Mi"}}

pinned := "example.com/a@sha256:4a5f0a1ad0a1ba7d2b2b8c6a6e0d5ac5fd6e5d2bd5ac1d0e5b8be1a6c4d6f3a1"

# secret_variable is an entry of an environment that comes from a Secret.
secret_variable(name, secret, key) := {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}
