package leviathan.invariants.spider_manifests_test

import rego.v1

import data.leviathan.invariants._kube_test as kit
import data.leviathan.invariants.spider_manifests

_name := "leviathan-spider"

_about := {"name": _name, "namespace": "n", "labels": {"app": _name}}

_account := {"kind": "ServiceAccount", "metadata": {"name": _name}, "automountServiceAccountToken": false}

_service := {"kind": "Service", "metadata": _about, "spec": {"selector": {"app": _name}, "ports": [{"port": 8001, "targetPort": "http"}]}}

_container := {
	"name": "spider", "image": kit.pinned, "command": ["leviathan"],
	"args": ["spider", "--listen=0.0.0.0:8001", "--follow=http://leviathan-control-plane:8000", "--token-file=/t/token"],
	"securityContext": kit.own, "resources": kit.resources, "ports": [{"name": "http", "containerPort": 8001}],
	"livenessProbe": {"httpGet": {"path": "/health", "port": "http"}}, "readinessProbe": {"httpGet": {"path": "/health", "port": "http"}},
	"volumeMounts": [{"name": "token", "mountPath": "/t", "readOnly": true}],
}

_deployment := {"kind": "Deployment", "metadata": _about, "spec": {
	"replicas": 1, "strategy": {"type": "Recreate"}, "selector": {"matchLabels": {"app": _name}},
	"template": {"metadata": {"labels": {"app": _name}}, "spec": {
		"serviceAccountName": _name, "automountServiceAccountToken": false, "securityContext": kit.confined, "containers": [_container],
		"volumes": [{"name": "token", "projected": {"sources": [{"serviceAccountToken": {"audience": "leviathan", "expirationSeconds": 600, "path": "token"}}]}}],
	}},
}}

_control_plane := {"kind": "Deployment", "metadata": {"name": "leviathan-control-plane"}, "spec": {"template": {"spec": {"containers": [{
	"name": "control-plane", "image": kit.pinned, "args": ["gateway", "--spider-url=http://leviathan-spider:8001"],
}]}}}}

_c(path) := concat("", ["/2/spec/template/spec/containers/0", path])

_set(path, value) := {"op": "add", "path": path, "value": value}

_without(path) := {"op": "remove", "path": path}

_facts(patches) := kit.facts(json.patch([_account, _service, _deployment, _control_plane], patches))

_found(patches) := _found_with(patches, {})

_found_with(patches, parameters) := {[v.code, v.line, v.subject] | some v in denied} if {
	denied := spider_manifests.deny with input as object.union(_facts(patches), {"settings": {"parameters": {"spider_manifests": parameters}}})
}

_is(patches, code, line, subject) if _found(patches) == {[concat("", ["spider_manifests.", code]), line, subject]}

test_a_good_spider_holds if _found([]) == set()

test_manifests_are_there if {
	_found([_set("/0/metadata/name", "a")]) == {["spider_manifests.missing", 3, "ServiceAccount/leviathan-spider"]}
	_found([_set("/1/metadata/name", "a")]) == {["spider_manifests.missing", 3, "Service/leviathan-spider"]}
	count(spider_manifests.deny) == 3 with input as {}
}

test_labels_and_selectors if {
	_is([_set("/1/metadata/labels/app", "b")], "label", 4, "Service/leviathan-spider")
	_is([_set("/1/spec/selector", {"app": "b"})], "selector", 3, "Service/leviathan-spider")
	_is([_without("/1/spec/selector")], "selector", 2, "Service/leviathan-spider")
}

test_ports_are_one if {
	_is([_set("/1/spec/ports/0/port", 80)], "port", 4, "80")
	_is([_set("/1/spec/ports/0/targetPort", 80)], "port", 4, "8001")
	_is([_set(_c("/ports/0/containerPort"), 80)], "port", 9, "8001")
	_is([_set("/1/spec/ports", [])], "port", 3, "none")
	_is([_without(_c("/args/1"))], "listen", 7, "spider")
	_is([{"op": "replace", "path": _c("/args/1"), "value": "--listen=:9"}], "listen", 8, "spider")
	_is([_set("/1/spec/type", "NodePort")], "exposed", 3, "type")
}

test_it_runs_once_and_under_its_name if {
	_is([_set("/2/spec/replicas", 3)], "twice", 3, "spec.replicas")
	_is([_set(_c("/args/0"), "gateway")], "container", 8, "spider")
}

test_its_pod_is_confined if {
	_is([_without(_c("/securityContext/readOnlyRootFilesystem"))], "weak_pod", 7, "Deployment/leviathan-spider spider.securityContext.readOnlyRootFilesystem")
	_is([_set(_c("/image"), "a:1")], "unpinned_image", 7, "Deployment/leviathan-spider spider.image")
	_is([_without(_c("/resources/requests/cpu"))], "resources", 8, "Deployment/leviathan-spider spider.resources.requests.cpu")
	_is([_set(_c("/env"), [{"name": "TOKEN", "value": "x"}])], "plain_secret", 9, "Deployment/leviathan-spider spider.env.TOKEN")
	_is([_without(_c("/livenessProbe"))], "probe", 6, "Deployment/leviathan-spider livenessProbe")
	_is([_set("/2/spec/template/spec/volumes/-", {"name": "b"})], "volume", 6, "Deployment/leviathan-spider volumes.b")
}

test_it_has_no_right_and_no_secret if {
	_is([_set("/2/spec/template/spec/serviceAccountName", "default")], "account", 5, "Deployment/leviathan-spider serviceAccountName")
	_is([_set("/0/automountServiceAccountToken", true)], "free_account", 2, "leviathan-spider")
	_is([_set(_c("/env"), [kit.secret_variable("A", "s", "k")])], "secret", 9, "s")
	_is([_set(_c("/envFrom"), [{"secretRef": {"name": "s"}}])], "secret", 8, "s")
	grant := {
		"known": true, "namespace": "n", "role_name": "Role/r", "place": {"file": "r.yaml", "line": 33, "column": 1},
		"api_groups": [""], "resources": ["pods"], "resource_names": [], "urls": [], "verbs": ["list"],
	}
	denied := spider_manifests.deny with input as object.union(_facts([]), {"rbac": {"source": {"ServiceAccount/n/leviathan-spider": [grant]}}})
	{[v.code, v.line, v.subject] | some v in denied} == {["spider_manifests.right", 1, "list pods"]}
}

test_its_token_is_for_the_gateway if {
	_is([_set("/2/spec/template/spec/volumes/0/projected/sources/0/serviceAccountToken/audience", "a")], "token", 11, "Deployment/leviathan-spider audience")
	_found_with([_set("/2/spec/template/spec/volumes/0/projected/sources/0/serviceAccountToken/audience", "a")], {"audience": "a"}) == set()
}

test_it_follows_and_is_forwarded_to if {
	_is([{"op": "replace", "path": _c("/args/2"), "value": "--follow=http://a:8000"}], "follow", 8, "--follow")
	_is([{"op": "replace", "path": "/3/spec/template/spec/containers/0/args/1", "value": "--spider-url=http://a:8001"}], "forward", 8, "--spider-url")
	_is([_without("/3/spec/template/spec/containers/0/args/1")], "forward", 7, "--spider-url")
	_found([_without("/3")]) == set()
}
