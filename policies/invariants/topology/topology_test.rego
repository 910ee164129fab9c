package leviathan.invariants.topology_test

import rego.v1

import data.leviathan.invariants.topology

_topology := {
	"version": 1, "namespace": "apps",
	"components": {
		"gate": {
			"workload": "Deployment/gate", "app": "gate", "container": "gate", "command": "serve", "service_account": "gate", "service": "gate",
			"port": 80, "kubernetes_api": true,
		},
		"feed": {"workload": "Pod/feed", "app": "feed", "container": "feed", "command": "read", "service_account": "feed"},
		"run": {"workload": "Job", "app": "run"},
	},
	"outside": {
		"internet": {"networks": ["0.0.0.0/0", "::/0"], "except": ["10.0.0.0/8", "fc00::/7"]},
		"metrics": {"namespace": "monitoring", "labels": {"app": "metrics"}},
	},
	"edges": [
		{"from": "feed", "to": "gate", "ports": ["80/TCP"], "flag": "--gate"},
		{"from": "feed", "to": "internet", "ports": ["443/TCP"]},
		{"from": "metrics", "to": "gate", "ports": ["80/TCP"], "component": "metrics"},
	],
	"credentials": [
		{"name": "gate", "kind": "Secret", "keys": ["token", "key"], "held_by": ["gate"]}, {"name": "more", "kind": "Secret", "held_by": ["gate"]},
		{"name": "one for each", "kind": "Secret", "held_by": ["gate"]},
		{"name": "feed token", "kind": "ServiceAccountToken", "audience": "gate", "held_by": ["feed"]},
	],
}

_resource(kind, name, value) := {
	"scope": "prod", "document": "", "file": "prod/kustomization.yaml", "kind": kind, "api_version": "v1", "name": name, "namespace": "apps",
	"value": value,
}

_policy(name, spec) := _resource("NetworkPolicy", name, {"spec": spec})

_egress := [
	{"to": [{"podSelector": {"matchLabels": {"app": "gate"}}}], "ports": [{"port": 80}]},
	{
		"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}}, {"ipBlock": {"cidr": "::/0", "except": ["fc00::/7"]}}],
		"ports": [{"port": 443, "protocol": "TCP"}],
	},
]

_resources := [
	_resource("ServiceAccount", "gate", {}), _resource("ServiceAccount", "feed", {}), _resource("ConfigMap", "config", {}),
	_resource("Service", "gate", {"spec": {"selector": {"app": "gate"}, "ports": [{"port": 80}]}}),
	_policy("none", {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}),
	_policy("gate", {"podSelector": {"matchLabels": {"app": "gate"}}, "policyTypes": ["Ingress"], "ingress": [{
		"from": [{"podSelector": {"matchExpressions": [
			{"key": "app", "operator": "In", "values": ["feed"]}, {"key": "app", "operator": "NotIn", "values": ["run"]},
			{"key": "app", "operator": "Exists"}, {"key": "tier", "operator": "DoesNotExist"},
		]}}],
		"ports": [{"port": 80}],
	}]}),
	_policy("feed", {"podSelector": {"matchLabels": {"app": "feed"}}, "policyTypes": ["Egress"], "egress": _egress}),
]

_gate := {"name": "gate", "pointer": "/spec/template/spec/containers/0", "value": {
	"command": ["gatectl", "serve"], "args": ["--quiet"],
	"env": [
		{"name": "A", "valueFrom": {"secretKeyRef": {"name": "gate", "key": "token"}}}, {"name": "B", "value": "https://example.com"},
		{"name": "C", "value": "http://localhost:1"},
	],
	"envFrom": [{"secretRef": {"name": "more"}}],
}}

_feed := {"name": "feed", "pointer": "/spec/containers/1", "value": {"args": ["read", "--gate=http://gate:80"]}}

_workload(kind, name, pointer, spec, containers) := {
	"scope": "prod", "document": "", "place": {"file": "prod/kustomization.yaml", "line": 1, "column": 1}, "kind": kind, "name": name,
	"namespace": "apps", "pointer": pointer, "labels": {"app": name}, "service_account": name, "spec": spec, "containers": containers,
}

_workloads := [
	_workload(
		"Deployment", "gate", "/spec/template/spec", {"volumes": [
			{"name": "key", "secret": {"secretName": "gate", "items": [{"key": "key"}]}}, {"name": "tmp", "emptyDir": {}},
		]},
		[_gate],
	),
	_workload(
		"Pod", "feed", "/spec", {"automountServiceAccountToken": false, "volumes": [{"name": "token", "projected": {"sources": [
			{"serviceAccountToken": {"audience": "gate"}}, {"configMap": {}},
		]}}]},
		[{"name": "other", "pointer": "/spec/containers/0", "value": {}}, _feed],
	),
]

_tree := {
	"topology": {"document": "map.yaml#0", "value": _topology},
	"documents": {
		"map.yaml#0": {"file": "map.yaml", "at": {"": [1, 1]}},
		"c.yaml#0/data/x.yaml": {"file": "c.yaml", "at": {"": [9, 1]}, "within": {"document": "c.yaml#0"}, "value": {"url": "http://gate.apps.svc:80", "n": 1}},
		"metrics/net.yaml#0": {
			"id": "metrics/net.yaml#0", "file": "metrics/net.yaml", "within": null, "kind": "NetworkPolicy", "api_version": "v1", "name": "metrics", "namespace": "apps",
			"at": {"": [1, 1]}, "value": {"spec": {"podSelector": {"matchLabels": {"app": "gate"}}, "policyTypes": ["Ingress"], "ingress": [{
				"from": [{
					"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}},
					"podSelector": {"matchLabels": {"app": "metrics"}},
				}],
				"ports": [{"port": 80}],
			}]}},
		},
	},
	"kinds": {"NetworkPolicy": ["metrics/net.yaml#0"]},
	"rendered": {
		"prod": {
			"file": "prod/kustomization.yaml", "kind": "Kustomization", "ok": true, "reads": ["prod/kustomization.yaml"], "names": {},
			"documents": _resources,
		},
		"metrics": {"file": "metrics/kustomization.yaml", "kind": "Component", "ok": false, "reads": [], "names": {"metrics/net.yaml": "resources"}, "documents": []},
	},
	"workloads": {"prod": _workloads, "source": []},
	"rbac": {"prod": {"ServiceAccount/apps/gate": [{"place": {"file": "r.yaml", "line": 3, "column": 1}}]}},
}

_set(path, value) := {"op": "add", "path": path, "value": value}

_put(path, value) := {"op": "replace", "path": path, "value": value}

_t(path) := sprintf("/topology/value%s", [path])

_r(i, path) := sprintf("/rendered/prod/documents/%d/value%s", [i, path])

_w(i, path) := sprintf("/workloads/prod/%d%s", [i, path])

_codes(patches) := {v.code | some v in denied} if {
	denied := topology.deny with input as json.patch(_tree, patches)
}

_only(patch, code) if _codes([patch]) == {sprintf("topology.%s", [code])}

_has(patch, code) if sprintf("topology.%s", [code]) in _codes([patch])

test_what_is_as_the_topology_says_holds if _codes([]) == set()

test_the_topology_makes_sense if {
	every patch in [
		_set(_t("/version"), 2), _set(_t("/components/gate/color"), "red"), _set(_t("/components/run/app"), ""),
		_set(_t("/outside/run"), {"namespace": "x", "labels": {}}), _set(_t("/credentials/0/kind"), "Token"),
	] {
		_has(patch, "invalid")
	}
	every patch in [
		_set(_t("/edges/0/from"), "nobody"), _set(_t("/edges/0/ports"), [80]), _set(_t("/edges/0/ports"), []), _set(_t("/edges/2/component"), "x"),
		_set(_t("/credentials/0/held_by"), ["nobody"]), {"op": "remove", "path": _t("/credentials/0/held_by")},
		_set(_t("/credentials/3/audience"), ""),
	] {
		_has(patch, "invalid")
	}
}

test_workloads_are_those_of_the_topology if {
	_has(_set(_t("/components/run/workload"), "Job/run"), "missing_workload")
	_has(_set(_w(1, "/name"), "other"), "unlisted_workload")
	_only(_set(_w(1, "/service_account"), "other"), "workload")
	_codes([_set(_w(1, "/containers/1/name"), "x")]) == {"topology.workload", "topology.missing_address"}
	_only(_set(_w(1, "/containers/1/value/args/0"), "write"), "workload")
	_has(_set(_w(1, "/containers/1/value"), {}), "workload")
	_has(_set(_w(1, "/labels"), {}), "workload")
	_only(_set(_w(0, "/containers/0/value/command"), ["gatectl", "stop"]), "workload")
}

test_the_kubernetes_api_is_for_those_who_need_it if {
	_only(_set(_w(1, "/spec/automountServiceAccountToken"), true), "api_token")
	_only(_set("/rbac/prod/ServiceAccount~1apps~1feed", [{"place": {"file": "r.yaml", "line": 3, "column": 1}}]), "rights")
	_only({"op": "remove", "path": "/rbac/prod"}, "no_rights")
}

test_names_are_in_the_manifests if {
	_only(_set("/rendered/prod/documents/1/name", "other"), "missing_name")
	_codes([_set("/rendered/prod/documents/3/name", "other")]) == {"topology.missing_name", "topology.service"}
	_only(_set(_r(3, "/spec/ports/0/port"), 81), "service")
	_only(_set(_r(3, "/spec/selector/app"), "feed"), "service")
}

test_policies_are_the_edges if {
	_codes([_set(_r(5, "/spec/ingress/0/ports/0/port"), 81)]) == {"topology.flow", "topology.closed_edge"}
	_only(_set(_r(5, "/spec/ingress/0/from/-"), {"podSelector": {"matchLabels": {"app": "run"}}}), "flow")
	_only(_set(_r(5, "/spec/ingress/0/ports/-"), {"port": 90}), "flow")
	_only(_set(_r(6, "/spec/egress"), [_egress[0]]), "closed_edge")
	_codes([_set("/documents/metrics~1net.yaml#0/value/spec/ingress/0/ports/0/port", 81)]) == {"topology.flow", "topology.closed_edge"}
	_codes([_set(_t("/edges/2/component"), "x")]) == {"topology.flow", "topology.invalid"}
}

test_policies_speak_of_somebody if {
	_codes([_set(_r(6, "/spec/egress/1/to/0/ipBlock/except/0"), "10.0.0.0/16")]) == {"topology.unknown_peer", "topology.closed_edge"}
	_has(_set(_r(6, "/spec/podSelector/matchLabels/app"), "nobody"), "unknown_peer")
	_has(_set(_r(5, "/spec/ingress/0/from/0"), {}), "unknown_peer")
	_has(_set(_r(5, "/spec/ingress/0/from/0"), {"namespaceSelector": {}}), "unknown_peer")
	_has(_set("/documents/metrics~1net.yaml#0/value/spec/ingress/0/from/0/podSelector/matchLabels/app", "x"), "unknown_peer")
	_has(_set(_r(5, "/spec/ingress/0/from/0/podSelector/matchExpressions/3/key"), "app"), "unknown_peer")
}

test_policies_are_closed if {
	_has(_set(_r(5, "/spec/ingress/0/ports"), []), "open_policy")
	_has({"op": "remove", "path": _r(5, "/spec/ingress/0/from")}, "open_policy")
	_has(_set(_r(5, "/spec/ingress/0/ports/0/port"), "http"), "open_policy")
	_only(_set(_r(5, "/spec/ingress/0/ports/0/endPort"), 90), "open_policy")
	_only(_set(_r(5, "/spec/policyTypes"), ["Egress"]), "policy_types")
	_only(_set(_r(4, "/spec/policyTypes"), ["Ingress"]), "no_default_deny")
	_only({"op": "remove", "path": "/rendered/prod/documents/4"}, "no_default_deny")
}

test_addresses_are_edges if {
	_codes([_put(_w(1, "/containers/1/value/args/1"), "--gate=http://gate:81")]) == {"topology.address", "topology.missing_address"}
	_codes([_put(_w(1, "/containers/1/value/args/1"), "--other=x")]) == {"topology.missing_address"}
	_only(_set(_w(1, "/containers/1/value/args/-"), "--x=http://feeder:80"), "address")
	_only(_set(_w(0, "/containers/0/value/env/1/value"), "http://gate:80"), "address")
	config := "/documents/c.yaml#0~1data~1x.yaml/value/url"
	_codes([_set(config, "http://gate.apps.svc:81"), _set("/rendered/prod/documents/2/document", "c.yaml#0"), _set("/documents/c.yaml#0", {"file": "c.yaml", "at": {"": [1, 1]}, "within": null, "value": {}})]) == {"topology.address"}
}

test_credentials_are_those_of_the_topology if {
	_codes([_set(_w(0, "/containers/0/value/env/0/valueFrom/secretKeyRef/key"), "x")]) == {"topology.credential", "topology.missing_credential"}
	_codes([_set(_w(1, "/spec/volumes/0/projected/sources/0/serviceAccountToken/audience"), "x")]) == {"topology.credential", "topology.missing_credential"}
	_only(_set(_w(1, "/spec/volumes/0/projected/sources/1"), {"secret": {"name": "gate"}}), "credential")
	_only({"op": "remove", "path": _w(0, "/containers/0/value/envFrom")}, "missing_credential")
	_codes([_set(_w(0, "/spec/volumes/0/secret"), {"secretName": "gate"})]) == set()
}

_service := {
	"id": "s.yaml#0", "file": "s.yaml", "within": null, "kind": "Service", "api_version": "v1", "name": "gate", "namespace": "apps",
	"at": {"": [1, 1]}, "value": {"spec": {"selector": {"app": "gate"}, "ports": [{"port": 81}]}},
}

# Without an overlay the files are looked at as they are, but for components.
test_files_as_they_are if {
	_codes([
		_set("/kinds/Service", ["s.yaml#0"]), _set("/documents/s.yaml#0", _service), _set("/rendered/prod/ok", false), _set("/rendered/prod/documents", []), _set("/workloads/prod", []),
		_set("/workloads/source", [object.union(w, {"scope": "source", "place": {"file": file, "line": 1, "column": 1}}) |
			some file in ["w.yaml", "metrics/w.yaml"]
			some w in [_workloads[1]]
		]),
	]) == {
		"topology.missing_workload", "topology.missing_name", "topology.no_rights", "topology.no_default_deny", "topology.closed_edge",
		"topology.service",
	}
}

test_an_overlay_may_include_a_component if {
	included := _set("/rendered/prod/reads/-", "metrics/kustomization.yaml")
	_codes([included]) == {"topology.closed_edge"}
	_codes([included, _set("/rendered/prod/documents/-", _policy("metrics", _tree.documents["metrics/net.yaml#0"].value.spec))]) == set()
}
