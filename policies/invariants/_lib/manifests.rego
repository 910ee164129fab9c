package leviathan.invariants._lib

import rego.v1

# applied are the manifests as a cluster gets them: what each overlay renders,
# and documents of files that no overlay reads, which are applied as they are or
# wait in a component. Patches are no manifests.
applied := array.concat(_rendered, _unread)

# composed are the folders of kustomizations that rendering an overlay read:
# its own, its bases' and its components'.
composed(overlay) := {folder(file) | some file in overlay.reads; input.rendered[folder(file)].file == file}

# component is the name of the kustomize component whose folder a file is in.
component(file) := base(folder(file)) if input.rendered[folder(file)].kind == "Component"

# resource_place is the place of a node of an applied manifest.
resource_place(resource, pointer) := at_id(resource.document, pointer, resource.file)

# folder is the folder of a path, base its last part.
folder(path) := "." if not contains(path, "/")

folder(path) := concat("/", array.slice(parts, 0, count(parts) - 1)) if {
	contains(path, "/")
	parts := split(path, "/")
}

base(path) := parts[count(parts) - 1] if parts := split(path, "/")

# in_folders says that a file is in one of the folders, or below it; no folder at
# all means the whole repository.
in_folders(_, []) := true

in_folders(file, folders) if {
	some f in folders
	startswith(file, concat("", [trim_suffix(f, "/"), "/"]))
}

# url_host and url_port take a URL apart.
url_host(url) := regex.find_all_string_submatch_n(`^[a-z+]+://(?:[^/@]*@)?([^/:?#]+)`, url, 1)[0][1]

url_port(url) := regex.find_all_string_submatch_n(`^[a-z+]+://(?:[^/@]*@)?[^/:?#]+:([0-9]+)`, url, 1)[0][1]

url_port(url) := {"http": "80", "https": "443"}[split(url, "://")[0]] if not regex.match(`^[a-z+]+://[^/?#]*:[0-9]+`, url)

# cluster_wide are the kinds of Kubernetes that belong to no namespace.
cluster_wide := {
	"APIService", "CSIDriver", "CSINode", "CertificateSigningRequest", "ClusterRole", "ClusterRoleBinding",
	"ClusterTrustBundle", "ComponentStatus", "CustomResourceDefinition", "DeviceClass", "DeviceTaintRule", "FlowSchema",
	"IPAddress", "IngressClass", "MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding",
	"MutatingWebhookConfiguration", "Namespace", "Node", "PersistentVolume", "PriorityClass",
	"PriorityLevelConfiguration", "ResourceSlice", "RuntimeClass", "SelfSubjectAccessReview", "SelfSubjectReview",
	"SelfSubjectRulesReview", "ServiceCIDR", "StorageClass", "StorageVersion", "StorageVersionMigration",
	"SubjectAccessReview", "TokenReview", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
	"ValidatingWebhookConfiguration", "VolumeAttachment", "VolumeAttributesClass",
}

# own_group says that an API group is one of Kubernetes' own, and not of a
# custom resource.
own_group(api_version) if not contains(api_version, "/")

own_group(api_version) if {
	group := split(api_version, "/")[0]
	not contains(group, ".")
}

own_group(api_version) if endswith(split(api_version, "/")[0], ".k8s.io")

_rendered := [object.union(resource, {"scope": scope, "file": overlay.file}) |
	some scope, overlay in input.rendered
	some resource in overlay.documents
]

_unread := [{
	"scope": "source", "file": document.file, "document": id, "kind": document.kind, "api_version": document.api_version,
	"name": document.name, "namespace": document.namespace, "value": document.value,
} |
	some kind, ids in input.kinds
	not kind in {"", "Kustomization", "Component"}
	some id in ids
	document := input.documents[id]
	not _inner(document)
	not document.file in _read
	not document.file in _patches
]

_inner(document) if document.within.document

_read := {file |
	some overlay in input.rendered
	overlay.ok
	some file in overlay.reads
}

_patches := {file |
	some overlay in input.rendered
	some file, field in overlay.names
	not field in {"resources", "bases", "components"}
}

# workloads are the pod templates of what is applied.
workloads := [workload |
	some scope, list in input.workloads
	some workload in list
	_live(scope, workload)
]

_live(scope, _) if scope != "source"

_live("source", workload) if {
	not workload.place.file in _read
	not workload.place.file in _patches
}
