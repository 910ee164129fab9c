package leviathan.invariants.control_plane_test

import rego.v1

import data.leviathan.invariants._kube_test as kit
import data.leviathan.invariants.control_plane

_name := "leviathan-control-plane"

_about := {"name": _name, "namespace": "n", "labels": {"app": _name}}

_service := {"kind": "Service", "metadata": _about, "spec": {"selector": {"app": _name}, "ports": [{"port": 8000, "targetPort": "http"}]}}

_claim := {
	"kind": "PersistentVolumeClaim", "metadata": {"name": "leviathan-state"},
	"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}

_container := {
	"name": "control-plane", "image": kit.pinned, "command": ["leviathan"], "args": ["gateway", "--state=/state", "--listen=0.0.0.0:8000"],
	"securityContext": kit.own, "resources": kit.resources, "ports": [{"name": "http", "containerPort": 8000}],
	"env": [kit.secret_variable(name, "leviathan-secrets", name) | some name in ["GITHUB_TOKEN", "LEVIATHAN_CONTROL_PLANE_TOKEN"]],
	"livenessProbe": {"httpGet": {"path": "/health", "port": "http"}}, "readinessProbe": {"httpGet": {"path": "/health/ready", "port": "http"}},
	"volumeMounts": [{"name": "state", "mountPath": "/state"}],
}

_deployment := {"kind": "Deployment", "metadata": _about, "spec": {
	"replicas": 1, "strategy": {"type": "Recreate"}, "selector": {"matchLabels": {"app": _name}},
	"template": {"metadata": {"labels": {"app": _name}}, "spec": {
		"securityContext": kit.confined, "containers": [_container],
		"volumes": [{"name": "state", "persistentVolumeClaim": {"claimName": "leviathan-state"}}],
	}},
}}

_tree := [_service, _claim, _deployment]

_c(path) := concat("", ["/2/spec/template/spec/containers/0", path])

_set(path, value) := {"op": "add", "path": path, "value": value}

_without(path) := {"op": "remove", "path": path}

_found(patches) := _found_with(patches, {})

_found_with(patches, parameters) := {[v.code, v.line, v.subject] | some v in denied} if {
	facts := object.union(kit.facts(json.patch(_tree, patches)), {"settings": {"parameters": {"control_plane": parameters}}})
	denied := control_plane.deny with input as facts
}

_is(patches, code, line, subject) if _found(patches) == {[concat("", ["control_plane.", code]), line, subject]}

test_a_good_control_plane_holds if _found([]) == set()

test_an_overlay_is_looked_at_instead_of_its_files if {
	bad := json.patch(_tree, [_set("/2/spec/replicas", 2)])
	control_plane.deny == set() with input as kit.overlay(bad, _tree)
	{[v.code, v.file] | some v in control_plane.deny} == {["control_plane.twice", "prod/k.yaml"]} with input as kit.overlay(_tree, bad)
}

test_manifests_are_there if {
	_found([_set("/0/metadata/name", "a")]) == {["control_plane.missing", 3, "Service/leviathan-control-plane"]}
	_found([_set("/1/metadata/name", "a")]) == {["control_plane.missing", 3, "PersistentVolumeClaim/leviathan-state"]}
	count(_found_with([], {"deployment": "a", "claim": "b"})) == 3
	every v in control_plane.deny { v.code == "control_plane.missing" } with input as {}
	count(control_plane.deny) == 3 with input as {}
}

test_labels if {
	_is([_set("/0/metadata/labels", {"a": "b"})], "label", 3, "Service/leviathan-control-plane")
	_is([_set("/2/metadata/labels/app", "b")], "label", 4, "Deployment/leviathan-control-plane")
}

test_selectors_find_their_pods if {
	_is([_set("/0/spec/selector", {"app": "b"})], "selector", 3, "Service/leviathan-control-plane")
	_is([_without("/0/spec/selector")], "selector", 2, "Service/leviathan-control-plane")
	_is([_set("/2/spec/selector/matchLabels/tier", "b")], "selector", 4, "Deployment/leviathan-control-plane")
	other := object.union(_deployment, {"metadata": {"name": "other"}})
	{subject | some [_, _, subject] in _found([_set("/3", other)])} == {"Deployment/leviathan-control-plane", "Service/leviathan-control-plane"}
}

test_ports_are_one if {
	_is([_set("/0/spec/ports/0/port", 80)], "port", 4, "80")
	_is([_set("/0/spec/ports/0/targetPort", "web")], "port", 4, "8000")
	_is([_set(_c("/ports/0/containerPort"), 80)], "port", 9, "8000")
	_is([_set("/0/spec/ports", [])], "port", 3, "none")
	_is([_set(_c("/args/2"), "--listen=0.0.0.0:80"), _without(_c("/args/3"))], "listen", 8, "control-plane")
	_is([_without(_c("/args/2"))], "listen", 7, "control-plane")
	_found([_set(_c("/args/2"), "--listen"), _set(_c("/args/3"), ":8000")]) == set()
}

test_it_is_seen_from_inside_alone if {
	_is([_set("/0/spec/type", "LoadBalancer")], "exposed", 3, "type")
	_is([_set("/0/spec/externalIPs", ["192.0.2.1"])], "exposed", 3, "externalIPs")
	_found([_set("/0/spec/type", "ClusterIP")]) == set()
}

test_it_runs_once if {
	_is([_set("/2/spec/replicas", 2)], "twice", 3, "spec.replicas")
	_is([_without("/2/spec/strategy")], "twice", 2, "spec.strategy.type")
}

test_its_container_runs_the_gateway if {
	_is([_set(_c("/args/0"), "spider")], "container", 8, "control-plane")
	_is([_set(_c("/name"), "main")], "container", 7, "control-plane")
}

test_its_pod_is_confined if {
	_is([_set(_c("/securityContext/privileged"), true)], "weak_pod", 8, "Deployment/leviathan-control-plane control-plane.securityContext.privileged")
	_is([_set(_c("/image"), "a:1")], "unpinned_image", 7, "Deployment/leviathan-control-plane control-plane.image")
	_found_with([_set(_c("/image"), "a:1")], {"unpinned": ["a:1"]}) == set()
	_is([_without(_c("/resources/limits"))], "resources", 7, "Deployment/leviathan-control-plane control-plane.resources.limits.memory")
	_is([_set(_c("/env/2"), {"name": "API_KEY", "value": "x"})], "plain_secret", 9, "Deployment/leviathan-control-plane control-plane.env.API_KEY")
}

test_its_tokens_come_from_the_secret if {
	_is([_without(_c("/env/1"))], "credential", 7, "LEVIATHAN_CONTROL_PLANE_TOKEN")
	_is([_set(_c("/env/0/valueFrom/secretKeyRef/key"), "other")], "credential", 11, "GITHUB_TOKEN")
	_is([_set(_c("/env/0/valueFrom"), {"configMapKeyRef": {"name": "a", "key": "b"}})], "credential", 9, "GITHUB_TOKEN")
	_found_with([_without(_c("/env/1"))], {"environment": {"GITHUB_TOKEN": "leviathan-secrets/GITHUB_TOKEN"}}) == set()
}

test_its_probes_ask_for_health if {
	_is([_without(_c("/livenessProbe"))], "probe", 6, "Deployment/leviathan-control-plane livenessProbe")
	_is([_set(_c("/readinessProbe/httpGet/path"), "/health")], "probe", 9, "Deployment/leviathan-control-plane readinessProbe")
}

test_its_state_is_kept if {
	mount := _c("/volumeMounts/0")
	_is([_set(concat("", [mount, "/mountPath"]), "/data")], "state", 8, "leviathan-state")
	_is([_set(concat("", [mount, "/subPath"]), "a")], "state", 8, "leviathan-state")
	_is([_set(concat("", [mount, "/readOnly"]), true)], "state", 8, "leviathan-state")
	_is([{"op": "replace", "path": "/2/spec/template/spec/volumes/0", "value": {"name": "state", "emptyDir": {}}}], "state", 8, "leviathan-state")
	_is([_set("/2/spec/template/spec/volumes/0/persistentVolumeClaim/readOnly", true)], "state", 8, "leviathan-state")
	_is([_set("/2/spec/template/spec/volumes/0/persistentVolumeClaim/claimName", "a")], "state", 8, "leviathan-state")
	_is([_without(_c("/args/1"))], "state", 7, "leviathan-state")
	_is([_set("/1/spec/resources/requests/storage", "0")], "claim", 5, "spec.resources.requests.storage")
	_is([_without("/1/spec/accessModes")], "claim", 2, "spec.accessModes")
	_is([_set("/2/spec/template/spec/volumes/1", {"name": "b"})], "volume", 6, "Deployment/leviathan-control-plane volumes.b")
}
