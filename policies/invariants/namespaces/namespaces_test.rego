package leviathan.invariants.namespaces_test

import rego.v1

import data.leviathan.invariants.namespaces

_doc(id, kind, api, namespace, value) := {id: {
	"id": id, "file": split(id, "#")[0], "line": 1, "column": 1, "kind": kind, "api_version": api, "name": "n", "namespace": namespace,
	"value": value, "within": null, "at": {"": [1, 1], "/metadata": [3, 1], "/metadata/namespace": [5, 3], "/namespace": [2, 1]},
}}

_service := {"metadata": {"name": "gate", "namespace": "apps"}}

_binding := {"subjects": [
	{"kind": "ServiceAccount", "name": "runner", "namespace": "apps"}, {"kind": "User", "name": "alice"},
	{"kind": "Group", "name": "system:serviceaccounts:apps"}, {"kind": "Group", "name": "system:masters"},
]}

_policy := {"spec": {"ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "apps", "other": "x"}}}]}]}}

_monitor := {"spec": {"namespaceSelector": {"matchNames": ["apps"]}, "selector": {"matchNames": ["x"]}}}

_container := {"name": "c", "pointer": "/spec/containers/0", "value": {
	"command": ["run"], "args": ["--gateway=http://gate:80", "--service-account=apps/runner=reader", "--namespace=apps", "--file=a/b", 3],
	"env": [{"name": "A", "value": "https://example.com/x"}, {"name": "B", "valueFrom": {}}],
}}

_inner := {"m.yaml#0/data/dev.yaml": {
	"id": "m.yaml#0/data/dev.yaml", "file": "m.yaml", "line": 7, "column": 5, "kind": "", "api_version": "", "name": "", "namespace": "",
	"value": {"control_plane_url": "http://gate.apps.svc.cluster.local:80", "n": 1},
	"within": {"document": "m.yaml#0", "pointer": "/data/dev.yaml", "key": "dev.yaml"},
	"at": {"": [7, 5], "/control_plane_url": [8, 5], "/worker_namespace": [9, 5]},
}}

_documents := object.union_n([
	_doc("ns.yaml#0", "Namespace", "v1", "", {}), _doc("s.yaml#0", "Service", "v1", "apps", _service),
	_doc("r.yaml#0", "RoleBinding", "rbac.authorization.k8s.io/v1", "apps", _binding),
	_doc("p.yaml#0", "NetworkPolicy", "networking.k8s.io/v1", "apps", _policy),
	_doc("c.yaml#0", "ServiceMonitor", "monitoring.coreos.com/v1", "", _monitor),
	_doc("k/kustomization.yaml#0", "Kustomization", "kustomize.config.k8s.io/v1beta1", "", {"namespace": "apps"}),
	_doc("t.yaml#0", "", "", "", {"namespace": "apps"}), _inner,
])

_tree := {
	"documents": _documents,
	"kinds": {
		"Namespace": ["ns.yaml#0"], "Service": ["s.yaml#0"], "RoleBinding": ["r.yaml#0"], "NetworkPolicy": ["p.yaml#0"],
		"ServiceMonitor": ["c.yaml#0"], "Kustomization": ["k/kustomization.yaml#0"], "": ["t.yaml#0", "m.yaml#0/data/dev.yaml"],
	},
	"topology": {"document": "t.yaml#0", "value": {"namespace": "apps", "outside": {"dns": {"namespace": "kube-system"}, "net": {}}}},
	"rendered": {},
	"workloads": {"source": [{
		"scope": "source", "document": "w.yaml#0", "place": {"file": "w.yaml", "line": 1, "column": 1}, "kind": "Pod", "containers": [_container],
	}]},
	"autonomy": [
		{"source": "configmap", "valid": true, "document": "m.yaml#0/data/dev.yaml", "values": {"target_id": "dev", "worker_namespace": "apps"}},
		{"source": "markdown", "valid": true, "document": "", "values": {"target_id": "dev", "worker_namespace": "example"}},
		{"source": "file", "valid": false, "document": "m.yaml#0", "values": null},
	],
	"markdown": {"a.md": {"code": [{"commands": [
		{"file": "a.md", "line": 4, "column": 1, "words": ["kubectl", "-n", "apps", "get", "pods"]},
		{"file": "a.md", "line": 5, "column": 1, "words": ["kubectl", "-n", "kube-system", "get", "pods"]},
		{"file": "a.md", "line": 6, "column": 1, "words": ["echo", "-n", "x"]},
	]}]}},
	"scripts": {"a.sh": {"commands": [{"file": "a.sh", "line": 2, "column": 1, "words": ["kubectl", "--namespace=apps", "get", "pods"]}]}},
}

_set(path, value) := {"op": "add", "path": path, "value": value}

_d(file, path) := sprintf("/documents/%s#0%s", [replace(file, "/", "~1"), path])

_found(patches) := {[v.code, v.file, v.line] | some v in denied} if {
	patched := json.patch(_tree, patches)
	denied := namespaces.deny with input as object.union(patched, {"documents": {id: object.union(document, {"name": _name(document)}) |
		some id, document in patched.documents
	}})
}

_name(document) := "apps" if document.kind == "Namespace"

_name(document) := "gate" if document.kind != "Namespace"

_is(patches, code, file, line) if _found(patches) == {[concat("", ["namespaces.", code]), file, line]}

test_one_namespace_holds if _found([]) == set()

test_the_namespace_is_made if {
	_is([_set(_d("ns.yaml", "/kind"), "ConfigMap"), _set(_d("ns.yaml", "/namespace"), "apps")], "no_namespace", "ns.yaml", 1)
	_is([_set("/kinds", {"Kustomization": []})], "no_namespace", ".", 1)
}

test_every_manifest_is_for_it if {
	_is([_set(_d("s.yaml", "/namespace"), "other")], "other", "s.yaml", 5)
	_is([_set(_d("c.yaml", "/namespace"), "other")], "other", "c.yaml", 5)
	_is([_set(_d("s.yaml", "/namespace"), "")], "missing", "s.yaml", 3)
	_found([_set(_d("s.yaml", "/namespace"), "other"), _parameters({"also": ["other"]})]) == set()
	_found([_set(_d("s.yaml", "/namespace"), "other"), _parameters({"folders": ["deploy"]}), _set("/kinds/Namespace", [])]) == {["namespaces.no_namespace", ".", 1]}
}

_parameters(values) := _set("/settings", {"parameters": {"namespaces": values}})

_overlay := _set("/rendered/k", {
	"file": "k/kustomization.yaml", "ok": true, "kind": "Kustomization", "reads": ["s.yaml"], "names": {"s.yaml": "resources"},
	"documents": [{"document": "s.yaml#0", "kind": "Service", "api_version": "v1", "name": "gate", "namespace": "apps", "value": _service}],
})

test_a_file_says_it_itself_where_that_is_asked_for if {
	_found([_overlay, _set(_d("s.yaml", "/namespace"), "")]) == set()
	_is([_overlay, _set(_d("s.yaml", "/namespace"), ""), _parameters({"explicit": true})], "not_explicit", "s.yaml", 3)
}

test_rights_are_given_inside if {
	_is([_set(_d("r.yaml", "/value/subjects/0/namespace"), "other")], "subject", "r.yaml", 1)
	_is([{"op": "remove", "path": _d("r.yaml", "/value/subjects/0/namespace")}], "subject", "r.yaml", 1)
	_is([_set(_d("r.yaml", "/value/subjects/2/name"), "system:serviceaccounts:other")], "subject", "r.yaml", 1)
	_is([_set(_d("r.yaml", "/value/subjects/1/name"), "system:serviceaccount:other:a")], "subject", "r.yaml", 1)
}

test_selected_namespaces_are_known if {
	from := "/value/spec/ingress/0/from/0/namespaceSelector/matchLabels/kubernetes.io~1metadata.name"
	_is([_set(_d("p.yaml", from), "other")], "selected", "p.yaml", 1)
	_found([_set(_d("p.yaml", from), "kube-system")]) == set()
	_is([_set(_d("c.yaml", "/value/spec/namespaceSelector/matchNames/0"), "other")], "selected", "c.yaml", 1)
}

test_files_that_say_it_for_others if {
	_is([_set(_d("k/kustomization.yaml", "/value/namespace"), "other")], "source", "k/kustomization.yaml", 2)
	_is([_set(_d("t.yaml", "/value/namespace"), "other")], "source", "t.yaml", 2)
	_found([{"op": "remove", "path": "/topology"}, _parameters({"namespace": "apps", "also": ["kube-system"]})]) == set()
}

_arg(i, value) := _set(sprintf("/workloads/source/0/containers/0/value/args/%d", [i]), value)

test_addresses_are_inside if {
	_is([_arg(0, "--gateway=http://gate.other:80")], "address", "w.yaml", 1)
	_found([_arg(0, "--gateway=http://example.com:80")]) == set()
	_is([_set("/workloads/source/0/containers/0/value/env/0/value", "https://gate.other.svc/x")], "address", "w.yaml", 1)
	_is([_set("/documents/m.yaml#0~1data~1dev.yaml/value/control_plane_url", "http://gate.other.svc:80")], "address", "m.yaml", 8)
}

test_arguments_speak_of_it if {
	_is([_arg(1, "--service-account=other/runner=reader")], "argument", "w.yaml", 1)
	_is([_arg(2, "--namespace=other")], "argument", "w.yaml", 1)
}

test_workers_run_in_it if {
	_is([_set("/autonomy/0/values/worker_namespace", "other")], "workers", "m.yaml", 9)
}

test_commands_of_documents_are_for_it if {
	_is([_set("/markdown/a.md/code/0/commands/0/words/2", "other")], "command", "a.md", 4)
	_is([_set("/scripts/a.sh/commands/0/words/1", "--namespace=other")], "command", "a.sh", 2)
}
