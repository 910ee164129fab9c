package leviathan.invariants.topology

import rego.v1

import data.leviathan.invariants._lib as lib

# METADATA
# title: A network policy lets through what is no edge
# description: A policy allows a connection that the topology does not have.
# custom:
#   code: topology.flow
#   severity: error
#   message: "{policy} lets {from} reach {to} at {port}, which is no edge of the topology"
#   remedy: "Take it out of the policy, or add the edge to the topology with its reason."
deny contains v if {
	some scope in _flow_scopes
	some flow in _flows(scope)
	not _key(flow) in _wanted(scope, flow.direction)
	v := lib.violation(rego.metadata.chain(), lib.resource_place(flow.policy, _guilty(scope, flow)), {
		"policy": flow.policy.name, "from": flow.from, "to": _to(flow), "port": flow.port, "subject": sprintf("%s > %s %s", [flow.from, _to(flow), flow.port]),
	})
}

# METADATA
# title: An edge of the topology is closed
# description: No network policy lets a connection through that the topology has, at the end where it leaves or where it arrives.
# custom:
#   code: topology.closed_edge
#   severity: error
#   message: "no policy of {scope} lets {from} reach {to} at {port} ({direction})"
#   remedy: "Let it through in the network policies, or take the edge out of the topology."
deny contains v if {
	some scope in _flow_scopes
	some direction in ["egress", "ingress"]
	found := {_key(flow) | some flow in _flows(scope); flow.direction == direction}
	some key in (_wanted(scope, direction) - found)
	v := lib.violation(rego.metadata.chain(), _at(sprintf("/edges/%d", [_edge_of(key)])), {
		"scope": scope, "from": key[0], "to": trim_space(sprintf("%v %v", [key[1], key[3]])), "port": key[2], "direction": direction,
		"subject": sprintf("%v %v %v %v %v", [key[0], key[1], key[2], key[3], direction]),
	})
}

# METADATA
# title: A network policy speaks of nobody
# description: A peer or the subject of a policy is no component, and nothing outside that the topology has.
# custom:
#   code: topology.unknown_peer
#   severity: error
#   message: "{policy} speaks of something that the topology does not have"
#   remedy: "Correct the selector or the network, or add it to the topology under components or outside."
deny contains v if {
	some scope in _flow_scopes
	some policy in _policies(scope)
	some pointer in _strangers(scope, policy)
	v := lib.violation(rego.metadata.chain(), lib.resource_place(policy, pointer), {"policy": policy.name, "subject": sprintf("%s%s", [policy.name, pointer])})
}

# METADATA
# title: A network policy is open
# description: A rule has no peers, no ports, or a port that is not one number.
# custom:
#   code: topology.open_policy
#   severity: error
#   message: "a rule of {policy} {what}"
#   remedy: "Name the peers, and each port by its number and protocol."
deny contains v if {
	some scope in _flow_scopes
	some policy in _policies(scope)
	some [pointer, what] in _open(policy)
	v := lib.violation(rego.metadata.chain(), lib.resource_place(policy, pointer), {"policy": policy.name, "what": what, "subject": sprintf("%s%s", [policy.name, pointer])})
}

# METADATA
# title: Rules of a network policy do not count
# description: A policy has rules for a direction that its policyTypes do not name.
# custom:
#   code: topology.policy_types
#   severity: error
#   message: "{policy} has rules of {direction}, and its policyTypes do not name it"
#   remedy: "Add it to policyTypes."
deny contains v if {
	some scope in _flow_scopes
	some policy in _policies(scope)
	some direction, type in {"egress": "Egress", "ingress": "Ingress"}
	count(policy.value.spec[direction]) > 0
	not type in object.get(policy.value.spec, "policyTypes", [])
	v := lib.violation(rego.metadata.chain(), lib.resource_place(policy, "/spec/policyTypes"), {"policy": policy.name, "direction": direction, "subject": policy.name})
}

# METADATA
# title: Nothing denies by default
# description: No network policy is for every pod, of both directions and without a rule, so that a pod without a policy reaches everybody.
# custom:
#   code: topology.no_default_deny
#   severity: error
#   message: "no network policy of {scope} denies everything by default"
#   remedy: "Add one with podSelector: {} and policyTypes: [Ingress, Egress], without rules."
deny contains v if {
	some scope in _scopes
	count([policy | some policy in _policies(scope); _denies(policy)]) == 0
	all_pods := [lib.resource_place(policy, "/spec") | some policy in _policies(scope); count(policy.value.spec.podSelector) == 0]
	v := lib.violation(rego.metadata.chain(), array.concat(all_pods, [_at("")])[0], {"scope": scope, "subject": scope})
}

_denies(policy) if {
	count(policy.value.spec.podSelector) == 0
	{type | some type in policy.value.spec.policyTypes} == {"Ingress", "Egress"}
	count(object.get(policy.value.spec, "ingress", [])) == 0
	count(object.get(policy.value.spec, "egress", [])) == 0
}

# _flow_scopes are the scopes, and each kustomize component that no overlay
# includes by itself, as component:NAME.
_flow_scopes := _scopes | {sprintf("component:%s", [lib.component(resource.file)]) |
	some resource in lib.applied
	resource.scope == "source"
	resource.kind == "NetworkPolicy"
	lib.in_folders(resource.file, _folders)
}

_policies(scope) := [resource | some resource in _resources(scope); resource.kind == "NetworkPolicy"] if not startswith(scope, "component:")

_policies(scope) := [resource |
	some resource in lib.applied
	resource.scope == "source"
	resource.kind == "NetworkPolicy"
	lib.component(resource.file) == trim_prefix(scope, "component:")
] if {
	startswith(scope, "component:")
}

# A key is what a flow is known by: from, to, port and, of something outside,
# the network.
_key(flow) := [flow.from, flow.to, flow.port, flow.network]

_to(flow) := concat(" ", [part | some part in [flow.to, flow.network]; part != ""])

# _wanted are the keys of the edges of a scope that leave or enter a component.
_wanted(scope, direction) := {[edge.from, edge.to, sprintf("%v", [port]), network] |
	some edge in _edges
	_of_scope(edge, scope)
	_components[edge[{"egress": "from", "ingress": "to"}[direction]]]
	some port in edge.ports
	some network in _networks(edge[{"egress": "to", "ingress": "from"}[direction]])
}

_of_scope(edge, scope) if {
	not startswith(scope, "component:")
	_applies(edge, scope)
}

_of_scope(edge, scope) if sprintf("component:%s", [edge.component]) == scope

_networks(name) := _outside[name].networks if _outside[name].networks

_networks(name) := [""] if not _outside[name].networks

_edge_of(key) := min([i |
	some i, edge in _edges
	edge.from == key[0]
	edge.to == key[1]
	key[2] in {sprintf("%v", [port]) | some port in edge.ports}
])

# _guilty is the port where the two may speak, and otherwise the peer.
_guilty(scope, flow) := flow.port_pointer if _may_speak(scope, flow)

_guilty(scope, flow) := flow.peer_pointer if not _may_speak(scope, flow)

_may_speak(scope, flow) if {
	some key in _wanted(scope, flow.direction)
	key[0] == flow.from
	key[1] == flow.to
}

# _flows are the connections that the policies of a scope let through.
_flows(scope) := [flow |
	some policy in _policies(scope)
	some own in _selected(scope, policy.value.spec.podSelector)
	some direction, side in {"egress": "to", "ingress": "from"}
	some i, rule in policy.value.spec[direction]
	some j, peer in rule[side]
	some [other, network] in _peers(scope, peer)
	some k, port in rule.ports
	is_number(port.port)
	flow := object.union(
		{
			"policy": policy, "direction": direction, "port": sprintf("%d/%s", [port.port, object.get(port, "protocol", "TCP")]), "network": network,
			"peer_pointer": sprintf("/spec/%s/%d/%s/%d", [direction, i, side, j]), "port_pointer": sprintf("/spec/%s/%d/ports/%d/port", [direction, i, k]),
		},
		{"egress": {"from": own, "to": other}, "ingress": {"from": other, "to": own}}[direction],
	)
]

# _peers are whom a peer of a rule speaks of, with the network.
_peers(scope, peer) := {[name, ""] | some name in _selected(scope, peer.podSelector)} if {
	peer.podSelector
	not peer.namespaceSelector
}

_peers(_, peer) := {[name, ""] |
	some name, outside in _outside
	peer.namespaceSelector == {"matchLabels": {"kubernetes.io/metadata.name": outside.namespace}}
	peer.podSelector == {"matchLabels": outside.labels}
} if {
	peer.namespaceSelector
}

_peers(_, peer) := {[name, peer.ipBlock.cidr] |
	some name, outside in _outside
	peer.ipBlock.cidr in outside.networks
	{network | some network in object.get(peer.ipBlock, "except", [])} == {network |
		some network in object.get(outside, "except", [])
		contains(network, ":") == contains(peer.ipBlock.cidr, ":")
	}
} if {
	peer.ipBlock
}

# _selected are the components whose pods a selector finds.
_selected(scope, selector) := {name |
	some name, component in _components
	labels := _labels(scope, name)
	every key, value in object.get(selector, "matchLabels", {}) {
		labels[key] == value
	}
	every expression in object.get(selector, "matchExpressions", []) {
		_fits(expression, labels)
	}
}

_labels(scope, name) := _workload(scope, name).labels

_labels(scope, name) := {_label: _components[name].app} if not _workload(scope, name)

_fits(expression, labels) if {
	expression.operator == "In"
	labels[expression.key] in expression.values
}

_fits(expression, labels) if {
	expression.operator == "NotIn"
	not object.get(labels, expression.key, "") in expression.values
}

_fits(expression, labels) if {
	expression.operator == "Exists"
	_has(labels, expression.key)
}

_fits(expression, labels) if {
	expression.operator == "DoesNotExist"
	not _has(labels, expression.key)
}

_has(labels, key) if key in object.keys(labels)

_strangers(scope, policy) := array.concat(
	["/spec/podSelector" | count(_selected(scope, policy.value.spec.podSelector)) == 0],
	[sprintf("/spec/%s/%d/%s/%d%s", [direction, i, side, j, _strange(peer)]) |
		some direction, side in {"egress": "to", "ingress": "from"}
		some i, rule in policy.value.spec[direction]
		some j, peer in rule[side]
		not _meant(scope, peer)
	],
)

# _strange is the part of a peer that fits nothing: its pods, where the namespace
# is one that the topology has.
_strange(peer) := "/podSelector" if {
	some outside in _outside
	peer.namespaceSelector.matchLabels["kubernetes.io/metadata.name"] == outside.namespace
} else := ""

_meant(scope, peer) if count(_peers(scope, peer)) > 0

_open(policy) := array.concat(
	[[sprintf("/spec/%s/%d", [direction, i]), sprintf("names no %s", [list])] |
		some direction, side in {"egress": "to", "ingress": "from"}
		some i, rule in policy.value.spec[direction]
		some list in [side, "ports"]
		count(object.get(rule, list, [])) == 0
	],
	[[sprintf("/spec/%s/%d/ports/%d/port", [direction, i, k]), "has a port that is not one number"] |
		some direction in ["egress", "ingress"]
		some i, rule in policy.value.spec[direction]
		some k, port in rule.ports
		not _one_port(port)
	],
)

_one_port(port) if {
	is_number(port.port)
	not port.endPort
}
