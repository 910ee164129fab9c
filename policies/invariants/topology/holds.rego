package leviathan.invariants.topology

import rego.v1

import data.leviathan.invariants._lib as lib

# METADATA
# title: An address is no edge
# description: A URL of a container or of a ConfigMap's file leads to a name of the cluster that is no Service of the topology, at another port, or to whom the topology has no edge.
# custom:
#   code: topology.address
#   severity: error
#   message: "{url} {what}"
#   remedy: "Write the Service's name and port as the topology has them, or add the edge."
deny contains v if {
	some scope in _scopes
	some text in _texts(scope)
	some url in regex.find_n(`[a-z+]+://[^\s,;"']+`, text.value, -1)
	_inside(lib.url_host(url))
	some what in _wrong_address(scope, text.component, lib.url_host(url), lib.url_port(url))
	v := lib.violation(rego.metadata.chain(), text.place, {"url": url, "what": what, "subject": url})
}

# METADATA
# title: A flag of an edge is not there
# description: The topology says by which flag a component is told the address of another, and its container has no such flag, or another address in it.
# custom:
#   code: topology.missing_address
#   severity: error
#   message: "{component} is not told by {flag} that {to} is at {url}"
#   remedy: "Write {flag}={url} among the container's args, or correct the edge."
deny contains v if {
	some scope in _scopes
	some edge in _edges
	_applies(edge, scope)
	workload := _workload(scope, edge.from)
	to := _components[edge.to]
	url := sprintf("http://%s:%v", [to.service, to.port])
	container := _container(workload, _components[edge.from])
	given := [i | some i, argument in container.value.args; startswith(sprintf("%v", [argument]), sprintf("%s=", [edge.flag]))]
	count([i | some i in given; container.value.args[i] == sprintf("%s=%s", [edge.flag, url])]) == 0
	pointer := array.concat([sprintf("%s/args/%d", [container.pointer, i]) | some i in given], [sprintf("%s/args", [container.pointer])])[0]
	v := lib.violation(rego.metadata.chain(), lib.resource_place(workload, pointer), {
		"component": edge.from, "flag": edge.flag, "to": edge.to, "url": url, "subject": sprintf("%s %s", [edge.from, edge.flag]),
	})
}

# METADATA
# title: A credential is held that the topology does not give
# description: A pod uses a Secret, a key of it, or a token for an audience, and the topology does not say that its component holds that.
# custom:
#   code: topology.credential
#   severity: error
#   message: "{component} holds {what}, and the topology does not say so"
#   remedy: "Take it away from the pod, or add it to the credentials of the topology with its reason."
deny contains v if {
	some scope in _scopes
	some name, _ in _components
	workload := _workload(scope, name)
	some held in _held(workload)
	not _given(scope, name, held)
	v := lib.violation(rego.metadata.chain(), lib.resource_place(workload, held.pointer), {
		"component": name, "what": held.what, "subject": sprintf("%s: %s", [name, held.what]),
	})
}

# METADATA
# title: A credential is not held where the topology says
# description: The topology gives a component a credential that its pod does not use.
# custom:
#   code: topology.missing_credential
#   severity: error
#   message: "{component} does not hold {what} in {scope}"
#   remedy: "Give it to the pod, or take it out of the credentials of the topology."
deny contains v if {
	some scope in _scopes
	some i, credential in _credentials
	_applies(credential, scope)
	some name in credential.held_by
	workload := _workload(scope, name)
	some what in _pieces(credential)
	not what in {held.what | some held in _held(workload)}
	not _secret(credential.name, "") in {held.what | some held in _held(workload)}
	v := lib.violation(rego.metadata.chain(), _at(sprintf("/credentials/%d", [i])), {
		"component": name, "what": what, "scope": scope, "subject": sprintf("%s: %s", [name, what]),
	})
}

_texts(scope) := array.concat(
	[{"value": value, "component": name, "place": lib.resource_place(workload, pointer)} |
		some name, _ in _components
		workload := _workload(scope, name)
		some container in workload.containers
		some [pointer, value] in _values(container)
	],
	[{"value": value, "component": "", "place": lib.at(document, sprintf("/%s", [key]))} |
		some document in input.documents
		document.within.document in {resource.document | some resource in _resources(scope)}
		some key, value in document.value
		is_string(value)
	],
)

_values(container) := array.concat(
	[[sprintf("%s/args/%d", [container.pointer, i]), value] | some i, value in container.value.args; is_string(value)],
	[[sprintf("%s/env/%d/value", [container.pointer, i]), variable.value] | some i, variable in container.value.env; is_string(variable.value)],
)

# _inside says that a name is one of the cluster: without a dot, or below svc.
_inside(host) if {
	not contains(host, ".")
	not host in {"localhost", "["}
}

_inside(host) if split(host, ".")[2] == "svc"

_wrong_address(_, _, host, _) := {"leads to no Service of the topology"} if count(_at_host(host)) == 0

_wrong_address(scope, from, host, port) := {what |
	some to in _at_host(host)
	some what in array.concat(
		[sprintf("has the port %s, and %s has %v", [port, to, _components[to].port]) | port != sprintf("%v", [_components[to].port])],
		[sprintf("leads to %s, and the topology has no edge from %s to it", [to, from]) |
			from != ""
			not _edge(scope, from, to)
		],
	)
} if {
	count(_at_host(host)) > 0
}

_at_host(host) := {name | some name, component in _components; component.service == split(host, ".")[0]}

_edge(scope, from, to) if {
	some edge in _edges
	_applies(edge, scope)
	edge.from == from
	edge.to == to
}

# _held are the credentials of a pod, each with where it stands.
_held(workload) := array.concat(
	[{"what": _secret(reference.name, object.get(reference, "key", "")), "pointer": sprintf("%s/env/%d/valueFrom/secretKeyRef/key", [container.pointer, i])} |
		some container in workload.containers
		some i, variable in container.value.env
		reference := variable.valueFrom.secretKeyRef
	],
	array.concat(
		[{"what": _secret(source.secretRef.name, ""), "pointer": sprintf("%s/envFrom/%d", [container.pointer, i])} |
			some container in workload.containers
			some i, source in container.value.envFrom
		],
		[held | some i, volume in workload.spec.volumes; some held in _in_volume(volume, sprintf("%s/volumes/%d", [workload.pointer, i]))],
	),
)

_in_volume(volume, pointer) := array.concat(
	[{"what": _secret(volume.secret.secretName, item), "pointer": sprintf("%s/secret", [pointer])} | some item in _items(volume.secret)],
	array.concat(
		[{"what": _secret(source.secret.name, item), "pointer": sprintf("%s/projected/sources/%d", [pointer, i])} |
			some i, source in volume.projected.sources
			some item in _items(source.secret)
		],
		[{
			"what": sprintf("a token for the audience %s", [object.get(source.serviceAccountToken, "audience", "of the cluster")]),
			"pointer": sprintf("%s/projected/sources/%d/serviceAccountToken/audience", [pointer, i]),
		} |
			some i, source in volume.projected.sources
			source.serviceAccountToken
		],
	),
)

_items(secret) := [item.key | some item in secret.items] if secret.items

_items(secret) := [""] if not secret.items

_secret(name, "") := sprintf("the Secret %s", [name])

_secret(name, key) := sprintf("the key %s of the Secret %s", [key, name]) if key != ""

_given(scope, name, held) if {
	some credential in _credentials
	_applies(credential, scope)
	name in credential.held_by
	held.what in (_pieces(credential) | {_secret(credential.name, "") | credential.kind == "Secret"})
}

# _pieces are the parts of a credential that are held one by one. A name that
# no Secret can have stands for several.
_pieces(credential) := {_secret(credential.name, key) | some key in object.get(credential, "keys", [""])} if {
	credential.kind == "Secret"
	regex.match(`^[a-z0-9.-]+$`, sprintf("%v", [credential.name]))
}

_pieces(credential) := {sprintf("a token for the audience %s", [credential.audience])} if credential.kind == "ServiceAccountToken"
