package leviathan.invariants.topology

import rego.v1

import data.leviathan.invariants._lib as lib

_topology := input.topology.value

_components := object.get(_topology, "components", {})

_outside := object.get(_topology, "outside", {})

_edges := object.get(_topology, "edges", [])

_credentials := object.get(_topology, "credentials", [])

_namespace := object.get(_topology, "namespace", "default")

_label := lib.parameter("topology", "label", "app")

_folders := lib.parameter("topology", "folders", [])

_at(pointer) := lib.at(input.documents[input.topology.document], pointer)

# _names are the workloads that the topology names.
_names := {component.workload | some component in _components}

# _scopes are the overlays that have a workload of the topology; without one,
# the files as they are.
_scopes := _overlays if count(_overlays) > 0

_scopes := {"source"} if count(_overlays) == 0

_overlays := {scope |
	some scope, overlay in input.rendered
	lib.in_folders(overlay.file, _folders)
	some workload in input.workloads[scope]
	_owner(workload) in _names
}

# _included are the kustomize components that a scope has.
_included(scope) := {lib.base(folder) |
	some folder in lib.composed(input.rendered[scope])
	input.rendered[folder].kind == "Component"
} if {
	scope != "source"
}

_included("source") := set()

# _applies says that an edge or a credential is in a scope.
_applies(entry, _) if not entry.component

_applies(entry, scope) if entry.component in _included(scope)

_resources(scope) := [resource |
	some resource in lib.applied
	resource.scope == scope
	_ours(resource)
]

# What stands in a component that no overlay includes is of no scope.
_ours(resource) if resource.scope != "source"

_ours(resource) if {
	resource.scope == "source"
	lib.in_folders(resource.file, _folders)
	not lib.component(resource.file)
}

_named(scope, kind, name) := [resource | some resource in _resources(scope); resource.kind == kind; resource.name == name]

_workloads(scope) := [object.union(workload, {"file": workload.place.file}) |
	some workload in input.workloads[scope]
	_in_scope(scope, workload)
]

_in_scope(scope, _) if scope != "source"

_in_scope("source", workload) if {
	lib.in_folders(workload.place.file, _folders)
	not lib.component(workload.place.file)
}

_owner(workload) := sprintf("%s/%s", [workload.kind, workload.name])

# _workload is a component's workload in a scope.
_workload(scope, name) := [workload |
	some workload in _workloads(scope)
	_owner(workload) == _components[name].workload
][0]

# _mistakes are what is wrong in the topology file itself, with its pointer.
_mistakes := array.concat(array.concat(_version, _component_mistakes), array.concat(_edge_mistakes, _credential_mistakes))

_version := [["/version", "the version of the topology is not 1"] | object.get(_topology, "version", null) != 1]

_component_mistakes := array.concat(
	[[sprintf("/components/%s/%s", [name, key]), sprintf("the component %s has the key %s, which means nothing", [name, key])] |
		some name, component in _components
		some key, _ in component
		not key in {"workload", "app", "container", "command", "service_account", "service", "port", "kubernetes_api"}
	],
	array.concat(
		[[sprintf("/components/%s", [name]), sprintf("the component %s has no %s", [name, key])] |
			some name, component in _components
			some key in ["workload", "app"]
			object.get(component, key, "") == ""
		],
		[[sprintf("/outside/%s", [name]), sprintf("%s is a component and outside", [name])] | some name, _ in _outside; _components[name]],
	),
)

_edge_mistakes := array.concat(
	[[sprintf("/edges/%d/%s", [i, end]), sprintf("%v is neither a component nor outside", [object.get(edge, end, "nothing")])] |
		some i, edge in _edges
		some end in ["from", "to"]
		not object.get(edge, end, "") in _known
	],
	array.concat(
		[[sprintf("/edges/%d/ports", [i]), "an edge has ports such as 443/TCP"] |
			some i, edge in _edges
			not _sound_ports(object.get(edge, "ports", []))
		],
		_unknown_components("edges", _edges),
	),
)

_credential_mistakes := array.concat(
	[[sprintf("/credentials/%d/held_by", [i]), sprintf("%v, who holds %v, is neither a component nor outside", [holder, object.get(credential, "name", "a credential")])] |
		some i, credential in _credentials
		some holder in object.get(credential, "held_by", ["nobody"])
		not holder in _known
	],
	array.concat(
		[[sprintf("/credentials/%d/kind", [i]), "a credential is a Secret or a ServiceAccountToken with its audience"] |
			some i, credential in _credentials
			not _sound_kind(credential)
		],
		_unknown_components("credentials", _credentials),
	),
)

_known := object.keys(_components) | object.keys(_outside)

_sound_ports(ports) if {
	count(ports) > 0
	every port in ports {
		regex.match(`^[0-9]+/(TCP|UDP|SCTP)$`, sprintf("%v", [port]))
	}
}

_sound_kind(credential) if credential.kind == "Secret"

_sound_kind(credential) if {
	credential.kind == "ServiceAccountToken"
	credential.audience != ""
}

_unknown_components(field, entries) := [[sprintf("/%s/%d/component", [field, i]), sprintf("there is no kustomize component %v", [entry.component])] |
	some i, entry in entries
	entry.component
	not entry.component in {lib.base(folder) | some folder, overlay in input.rendered; overlay.kind == "Component"}
]
