# METADATA
# title: Spider manifests
# description: |
#   The spider runs once, serves its counts where Prometheus and the control
#   plane look for them, follows the control plane with a token of its own, and
#   has neither a Secret nor a right at the Kubernetes API.
#   Parameters: deployment, service, app, container, command, port,
#   service_account, probes (a path for each), audience, control_plane (its
#   Deployment), gateway (its URL), unpinned (references of images).
# custom:
#   needs: [workloads]
#   named: true
package leviathan.invariants.spider_manifests

import rego.v1

import data.leviathan.invariants._kube as kube
import data.leviathan.invariants._lib as lib

# METADATA
# title: A manifest of the spider is missing
# description: A kustomization, or the files where there is none, lacks the Deployment, its Service or its service account.
# custom:
#   code: spider_manifests.missing
#   severity: error
#   message: "there is no {kind} {name}"
#   remedy: "Give it back its name, or name another with parameters.spider_manifests in .leviathan/invariants.yaml."
deny contains v if {
	some [kind, name] in [["Deployment", _deployment], ["Service", _service], ["ServiceAccount", _account]]
	some place in kube.missing(kind, name, _app, {_deployment, _service})
	v := lib.violation(rego.metadata.chain(), place, {"kind": kind, "name": name, "subject": sprintf("%s/%s", [kind, name])})
}

# METADATA
# title: A label is missing
# description: Selectors, network policies and Prometheus find the spider by its label app.
# custom:
#   code: spider_manifests.label
#   severity: error
#   message: "the label app of {owner} is not {app}"
#   remedy: "Label it app: {app}."
deny contains v if {
	some r in array.concat(_deployments, _services)
	kube.get(r.value, ["metadata", "labels", "app"], null) != _app
	v := lib.violation(rego.metadata.chain(), kube.place(r, ["metadata", "labels", "app"]), {"owner": kube.owner(r), "app": _app, "subject": kube.owner(r)})
}

# METADATA
# title: A selector finds other pods
# description: A selector of the spider finds not just the spider's pods.
# custom:
#   code: spider_manifests.selector
#   severity: error
#   message: "the selector of {owner} finds {found}, not the pods of {name} alone"
#   remedy: "Select by app: {app}, and label the pods of {name} so, and no others."
deny contains v if {
	some [r, path] in array.concat([[d, ["spec", "selector", "matchLabels"]] | some d in _deployments], [[s, ["spec", "selector"]] | some s in _services])
	found := kube.selected(r, kube.get(r.value, path, {}))
	found != {concat("/", ["Deployment", _deployment])}
	v := lib.violation(rego.metadata.chain(), kube.place(r, path), {
		"owner": kube.owner(r), "found": concat(", ", _or_nothing(found)), "name": _deployment, "app": _app, "subject": kube.owner(r),
	})
}

# METADATA
# title: A port leads elsewhere
# description: The Service's port leads to no port of the container, or not to the one that the spider listens on.
# custom:
#   code: spider_manifests.port
#   severity: error
#   message: "port {port} of the Service {name} leads to {target}, which is not port {wanted} of the container {container}"
#   remedy: "Let Service, container and --listen have the same port, {wanted}."
deny contains v if {
	some d in _deployments
	some c in _ours(d)
	some s in _services
	s.scope == d.scope
	some port in _or_none(kube.ports(s, c))
	not _leads(port)
	v := lib.violation(rego.metadata.chain(), _port_place(s, d, port), {
		"port": port.port, "name": _service, "target": port.target, "wanted": _port, "container": _container, "subject": sprintf("%v", [port.port]),
	})
}

# METADATA
# title: It listens elsewhere
# description: The flag --listen does not name the port that the container declares.
# custom:
#   code: spider_manifests.listen
#   severity: error
#   message: "the container {container} listens on {listen}, not on port {wanted}"
#   remedy: "Write --listen=0.0.0.0:{wanted}."
deny contains v if {
	some d in _deployments
	some c in _ours(d)
	listen := kube.told(c, "--listen")
	{kube.listened(value) | some value in listen} != {_port}
	v := lib.violation(rego.metadata.chain(), kube.place(d, kube.flag_path(c, "--listen")), {
		"container": _container, "listen": concat(" and ", _or_nothing(listen)), "wanted": _port, "subject": _container,
	})
}

# METADATA
# title: It can be reached from outside
# description: The Service has a type other than ClusterIP, or addresses outside of the cluster.
# custom:
#   code: spider_manifests.exposed
#   severity: error
#   message: "the Service {name} is seen from outside of the cluster: {field}"
#   remedy: "Take {field} away; Prometheus scrapes it inside."
deny contains v if {
	some s in _services
	some field in ["type", "externalIPs", "externalName", "loadBalancerIP"]
	not kube.get(s.value, ["spec", field], null) in {null, "ClusterIP"}
	v := lib.violation(rego.metadata.chain(), kube.place(s, ["spec", field]), {"name": _service, "field": field, "subject": field})
}

# METADATA
# title: It may run twice
# description: A second spider counts everything once more, also for a moment.
# custom:
#   code: spider_manifests.twice
#   severity: error
#   message: "{owner} may run twice at once: {field} is not {wanted}"
#   remedy: "Write {field}: {wanted}."
deny contains v if {
	some d in _deployments
	some field in [{"path": ["spec", "replicas"], "good": {1}, "wanted": "1"}, {"path": ["spec", "strategy", "type"], "good": {"Recreate"}, "wanted": "Recreate"}]
	not kube.get(d.value, field.path, null) in field.good
	name := concat(".", field.path)
	v := lib.violation(rego.metadata.chain(), kube.place(d, field.path), {"owner": kube.owner(d), "field": name, "wanted": field.wanted, "subject": name})
}

# METADATA
# title: The container is another one
# description: The container has not the name that operators know, or does not run the spider.
# custom:
#   code: spider_manifests.container
#   severity: error
#   message: "{owner} has no container {container} that runs leviathan {command}"
#   remedy: "Name it {container}, with the command leviathan and {command} as its first argument."
deny contains v if {
	some d in _deployments
	count([c | some c in _ours(d); kube.runs(c, _command)]) != 1
	v := lib.violation(rego.metadata.chain(), kube.place(d, kube.program_path(d, _container)), {
		"owner": kube.owner(d), "container": _container, "command": _command, "subject": _container,
	})
}

_parameter(name, otherwise) := lib.parameter("spider_manifests", name, otherwise)

_deployment := _parameter("deployment", "leviathan-spider")

_service := _parameter("service", _deployment)

_app := _parameter("app", _deployment)

_container := _parameter("container", "spider")

_command := _parameter("command", "spider")

_port := _parameter("port", 8001)

_account := _parameter("service_account", _deployment)

_scopes := kube.scopes({_deployment, _service})

_deployments := [d | some scope in _scopes; some d in kube.pods(scope, "Deployment", _deployment)]

_services := [s | some scope in _scopes; some s in kube.resources(scope, "Service", _service)]

_ours(d) := [c | some c in d.containers; c.name == _container; c.type == "container"]

_leads(port) if {
	port.port == _port
	port.reaches == {_port}
}

# _port_place is the Service's port, or the container's that it reaches and that
# has another number.
_port_place(_, d, port) := kube.place(d, port.reached[0]) if {
	port.port == _port
	count(port.reached) > 0
}

_port_place(s, _, port) := kube.place(s, port.path) if port.port != _port

_port_place(s, _, port) := kube.place(s, port.path) if count(port.reached) == 0

_or_nothing(found) := found if count(found) > 0

_or_nothing(found) := ["nothing"] if count(found) == 0

_or_none(ports) := ports if count(ports) > 0

_or_none(ports) := [{"path": ["spec", "ports"], "port": "none", "target": "nothing", "reached": [], "reaches": set()}] if count(ports) == 0
