# METADATA
# title: Topology
# description: |
#   One file says what runs, who reaches whom and who holds what; workloads,
#   Services, rights, network policies, addresses and credentials of every
#   overlay are what it says, no less and no more.
#   Parameters: folders (of the manifests; all by default), label (that says
#   whose a pod is; app by default).
# custom:
#   needs: [topology]
#   named: true
package leviathan.invariants.topology

import rego.v1

import data.leviathan.invariants._lib as lib

# METADATA
# title: The topology contradicts itself
# description: It has a key, a name or a port that cannot be meant.
# custom:
#   code: topology.invalid
#   severity: error
#   message: "{what}"
#   remedy: "Correct the topology file."
deny contains v if {
	some [pointer, what] in _mistakes
	v := lib.violation(rego.metadata.chain(), _at(pointer), {"what": what, "subject": pointer})
}

# METADATA
# title: A workload is not in the manifests
# description: The topology names a workload that an overlay does not have.
# custom:
#   code: topology.missing_workload
#   severity: error
#   message: "{workload} of the component {component} is not in {scope}"
#   remedy: "Add the workload to the manifests, or take the component out of the topology."
deny contains v if {
	some scope in _scopes
	some name, component in _components
	contains(sprintf("%v", [component.workload]), "/")
	not _workload(scope, name)
	v := lib.violation(rego.metadata.chain(), _at(sprintf("/components/%s/workload", [name])), {
		"workload": component.workload, "component": name, "scope": scope, "subject": name,
	})
}

# METADATA
# title: A workload is not in the topology
# description: An overlay runs something that the topology does not know.
# custom:
#   code: topology.unlisted_workload
#   severity: error
#   message: "{workload} is no component of the topology"
#   remedy: "Add a component to the topology, with its edges and credentials, or remove the workload."
deny contains v if {
	some scope in _scopes
	some workload in _workloads(scope)
	not _owner(workload) in _names
	v := lib.violation(rego.metadata.chain(), lib.resource_place(workload, "/metadata/name"), {"workload": _owner(workload), "subject": _owner(workload)})
}

# METADATA
# title: A workload is not as the topology says
# description: Its label, container, command or service account is another one.
# custom:
#   code: topology.workload
#   severity: error
#   message: "the {what} of {workload} is {got}, and the topology has {want}"
#   remedy: "Correct the manifest, or the topology."
deny contains v if {
	some scope in _scopes
	some name, component in _components
	workload := _workload(scope, name)
	some what, [pointer, got] in _facts_of(workload, component)
	want := component[what]
	got != want
	v := lib.violation(rego.metadata.chain(), lib.resource_place(workload, pointer), {
		"what": replace(what, "_", " "), "workload": component.workload, "got": _said(got), "want": want, "subject": sprintf("%s %s", [name, what]),
	})
}

# METADATA
# title: A workload has the Kubernetes API, or lacks it
# description: A pod gets a token of the Kubernetes API where the topology gives it none, or the other way round.
# custom:
#   code: topology.api_token
#   severity: error
#   message: "automountServiceAccountToken of {workload} is {got}, and the topology has kubernetes_api: {want}"
#   remedy: "Write automountServiceAccountToken: {want} into the pod, or correct the topology."
deny contains v if {
	some scope in _scopes
	some name, component in _components
	workload := _workload(scope, name)
	got := object.get(workload.spec, "automountServiceAccountToken", true)
	want := object.get(component, "kubernetes_api", false)
	got != want
	v := lib.violation(rego.metadata.chain(), lib.resource_place(workload, sprintf("%s/automountServiceAccountToken", [workload.pointer])), {
		"workload": component.workload, "got": sprintf("%v", [got]), "want": sprintf("%v", [want]), "subject": name,
	})
}

# METADATA
# title: A component has rights that the topology does not give it
# description: A role is bound to the service account of a component that needs nothing of the Kubernetes API.
# custom:
#   code: topology.rights
#   severity: error
#   message: "{component} has rights in the cluster, and the topology says that it needs none"
#   remedy: "Remove the binding, or write kubernetes_api: true into the topology."
deny contains v if {
	some scope in _scopes
	some name, component in _components
	not component.kubernetes_api
	some grant in input.rbac[scope][sprintf("ServiceAccount/%s/%s", [_namespace, component.service_account])]
	v := lib.violation(rego.metadata.chain(), grant.place, {"component": name, "subject": name})
}

# METADATA
# title: A component has no rights where the topology gives it some
# description: Nothing is bound to the service account of a component that needs the Kubernetes API.
# custom:
#   code: topology.no_rights
#   severity: error
#   message: "nothing is bound to the service account {account} of {component} in {scope}"
#   remedy: "Bind a role to it, or take kubernetes_api out of the topology."
deny contains v if {
	some scope in _scopes
	some name, component in _components
	component.kubernetes_api
	not input.rbac[scope][sprintf("ServiceAccount/%s/%s", [_namespace, component.service_account])]
	v := lib.violation(rego.metadata.chain(), _at(sprintf("/components/%s/kubernetes_api", [name])), {
		"account": component.service_account, "component": name, "scope": scope, "subject": name,
	})
}

# METADATA
# title: A name of the topology is not in the manifests
# description: A service account or a Service that the topology names is in no manifest of an overlay.
# custom:
#   code: topology.missing_name
#   severity: error
#   message: "{kind} {name} of the component {component} is not in {scope}"
#   remedy: "Add it to the manifests, or correct the topology."
deny contains v if {
	some scope in _scopes
	some component, _ in _components
	some field, kind in {"service_account": "ServiceAccount", "service": "Service"}
	name := _components[component][field]
	count(_named(scope, kind, name)) == 0
	v := lib.violation(rego.metadata.chain(), _at(sprintf("/components/%s/%s", [component, field])), {
		"kind": kind, "name": name, "component": component, "scope": scope, "subject": sprintf("%s/%s", [kind, name]),
	})
}

# METADATA
# title: A Service is not as the topology says
# description: Its port or what it selects is another, or no component has it.
# custom:
#   code: topology.service
#   severity: error
#   message: "the Service {name} {what}"
#   remedy: "Correct the Service, or the topology."
deny contains v if {
	some scope in _scopes
	some service in _resources(scope)
	service.kind == "Service"
	some [pointer, what] in _wrong_service(service)
	v := lib.violation(rego.metadata.chain(), lib.resource_place(service, pointer), {"name": service.name, "what": what, "subject": service.name})
}

_facts_of(workload, component) := {
	"app": [sprintf("%s/metadata/labels/%s", [trim_suffix(workload.pointer, "/spec"), replace(_label, "/", "~1")]), object.get(workload.labels, _label, "")],
	"container": [sprintf("%s/name", [_container(workload, component).pointer]), _container(workload, component).name],
	"command": _command(_container(workload, component)),
	"service_account": [sprintf("%s/serviceAccountName", [workload.pointer]), workload.service_account],
}

# _container is the component's container of a pod, or else the first one.
_container(workload, component) := array.concat(
	[container | some container in workload.containers; container.name == component.container],
	workload.containers,
)[0]

# _command is the subcommand that a container runs, and where it stands.
_command(container) := array.concat(
	array.concat(
		[[sprintf("%s/command/%d", [container.pointer, i]), word] | some i, word in container.value.command; i > 0],
		[[sprintf("%s/args/%d", [container.pointer, i]), word] | some i, word in container.value.args],
	),
	[[container.pointer, ""]],
)[0]

_said(text) := text if text != ""

_said("") := "not there"

_wrong_service(service) := [["/metadata/name", "is of no component of the topology"]] if count(_of_service(service)) == 0

_wrong_service(service) := array.concat(
	[[sprintf("/spec/ports/%d/port", [i]), sprintf("has the port %v, and the topology has %v", [port.port, _of_service(service)[0].port])] |
		some i, port in service.value.spec.ports
		port.port != _of_service(service)[0].port
	],
	[[sprintf("/spec/selector/%s", [replace(_label, "/", "~1")]), sprintf("does not select %s: %s", [_label, _of_service(service)[0].app])] |
		object.get(service.value, ["spec", "selector", _label], "") != _of_service(service)[0].app
	],
) if {
	count(_of_service(service)) > 0
}

_of_service(service) := [component | some component in _components; component.service == service.name]
