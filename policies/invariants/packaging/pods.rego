package leviathan.invariants.packaging

import rego.v1

import data.leviathan.invariants._lib as lib

# METADATA
# title: A pod takes something of its node
# description: A pod shares the node's files, network, processes or ports, and with them everything that the node may do.
# custom:
#   code: packaging.host
#   severity: error
#   message: "{owner} takes {what} of its node"
#   remedy: "Do without, or list the workload in parameters.packaging.privileged of .leviathan/invariants.yaml."
deny contains v if {
	some workload in _workloads
	not _owner(workload) in _privileged
	some [pointer, what] in _of_node(workload)
	v := lib.violation(rego.metadata.chain(), lib.resource_place(workload, pointer), {
		"owner": _owner(workload), "what": what, "subject": sprintf("%s %s", [_owner(workload), what]),
	})
}

# METADATA
# title: A container has the rights of its node
# description: A container is privileged, may become so, is root, or gets capabilities that it was not born with.
# custom:
#   code: packaging.privilege
#   severity: error
#   message: "{owner}: {what}"
#   remedy: "Do without, or list the workload in parameters.packaging.privileged of .leviathan/invariants.yaml."
deny contains v if {
	some workload in _workloads
	not _owner(workload) in _privileged
	some [pointer, what] in _privileges(workload)
	v := lib.violation(rego.metadata.chain(), lib.resource_place(workload, pointer), {
		"owner": _owner(workload), "what": what, "subject": sprintf("%s %s", [_owner(workload), what]),
	})
}

# METADATA
# title: A namespace enforces no profile, or another
# description: A namespace does not make Kubernetes refuse pods below the profile that the settings ask for.
# custom:
#   code: packaging.namespace_profile
#   severity: error
#   message: "the namespace {name} does not enforce the profile {profile}"
#   remedy: "Write the label pod-security.kubernetes.io/enforce: {profile}."
deny contains v if {
	profile := lib.parameter("packaging", "pod_security", "")
	profile != ""
	some resource in lib.applied
	resource.kind == "Namespace"
	lib.in_folders(lib.resource_place(resource, "").file, _folders)
	_profile_of(resource) != profile
	v := lib.violation(rego.metadata.chain(), lib.resource_place(resource, sprintf("/metadata/labels/%s", [replace(_enforce, "/", "~1")])), {
		"name": resource.name, "profile": profile, "subject": resource.name,
	})
}

# METADATA
# title: The namespace refuses the pod
# description: The namespace enforces the profile restricted, and the pod does not keep it, so that none would ever start.
# custom:
#   code: packaging.pod_security
#   severity: error
#   message: "{owner} does not keep the profile restricted: {what}"
#   remedy: "Write what the message asks for."
deny contains v if {
	some workload in _workloads
	_restricted(workload)
	some [pointer, what] in _below(workload)
	v := lib.violation(rego.metadata.chain(), lib.resource_place(workload, pointer), {
		"owner": _owner(workload), "what": what, "subject": sprintf("%s %s", [_owner(workload), what]),
	})
}

_workloads := [object.union(workload, {"file": workload.place.file}) |
	some workload in lib.workloads
	lib.in_folders(workload.place.file, _folders)
]

_owner(workload) := sprintf("%s/%s", [workload.kind, workload.name])

_privileged := {name | some name in lib.parameter("packaging", "privileged", [])}

_of_node(workload) := array.concat(
	[[sprintf("%s/volumes/%d/hostPath", [workload.pointer, i]), sprintf("the path %s", [volume.hostPath.path])] |
		some i, volume in workload.spec.volumes
		volume.hostPath
	],
	array.concat(
		[[sprintf("%s/%s", [workload.pointer, field]), what] |
			some field, what in {"hostNetwork": "the network", "hostPID": "the processes", "hostIPC": "the memory that processes share"}
			workload.spec[field] == true
		],
		[[sprintf("%s/ports/%d/hostPort", [container.pointer, i]), sprintf("the port %d", [port.hostPort])] |
			some container in workload.containers
			some i, port in container.value.ports
			port.hostPort > 0
		],
	),
)

_privileges(workload) := [[sprintf("%s/securityContext/%s", [owner.pointer, field]), sprintf("%s is %v", [field, value])] |
	some owner in _contexts(workload)
	some field, value in owner.context
	_excess(field, value)
]

# _contexts are the security contexts of the pod and its containers.
_contexts(workload) := array.concat(
	[{"pointer": workload.pointer, "context": object.get(workload.spec, "securityContext", {})}],
	[{"pointer": container.pointer, "context": object.get(container.value, "securityContext", {})} | some container in workload.containers],
)

_excess("privileged", true)

_excess("allowPrivilegeEscalation", true)

_excess("runAsNonRoot", false)

_excess("runAsUser", 0)

_excess("runAsGroup", 0)

_excess("procMount", "Unmasked")

_excess("seccompProfile", value) if value.type == "Unconfined"

_excess("capabilities", value) if {
	some capability in value.add
	capability != "NET_BIND_SERVICE"
}

_enforce := "pod-security.kubernetes.io/enforce"

_profile_of(resource) := object.get(resource.value, ["metadata", "labels", _enforce], "")

_restricted(_) if lib.parameter("packaging", "pod_security", "") == "restricted"

_restricted(workload) if {
	lib.parameter("packaging", "pod_security", "") != "restricted"
	some resource in lib.applied
	resource.kind == "Namespace"
	resource.name == workload.namespace
	_profile_of(resource) == "restricted"
}

_below(workload) := array.concat(
	[[sprintf("%s/volumes/%d", [workload.pointer, i]), sprintf("the volume %s is of no allowed type", [volume.name])] |
		some i, volume in workload.spec.volumes
		count(object.keys(volume) & _volumes) == 0
	],
	[[sprintf("%s/securityContext/%s", [container.pointer, split(what, ":")[0]]), sprintf("%s: %s", [container.name, what])] |
		some container in workload.containers
		some what in _lacking(object.get(container.value, "securityContext", {}), object.get(workload.spec, "securityContext", {}))
	],
)

_volumes := {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}

_lacking(own, pod) := {what |
	some what, held in {
		"allowPrivilegeEscalation: false": object.get(own, "allowPrivilegeEscalation", true) == false,
		"capabilities: {drop: [ALL]}": "ALL" in object.get(own, ["capabilities", "drop"], []),
		"runAsNonRoot: true": object.get(own, "runAsNonRoot", object.get(pod, "runAsNonRoot", false)) == true,
		"seccompProfile: {type: RuntimeDefault}": object.get(own, ["seccompProfile", "type"], object.get(pod, ["seccompProfile", "type"], "")) in {"RuntimeDefault", "Localhost"},
	}
	not held
}
