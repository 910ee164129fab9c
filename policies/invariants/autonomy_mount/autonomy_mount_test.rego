package leviathan.invariants.autonomy_mount_test

import rego.v1

import data.leviathan.invariants._kube_test as kit
import data.leviathan.invariants.autonomy_mount

_config := {"kind": "ConfigMap", "metadata": {"name": "leviathan-autonomy-config"}, "data": {"dev.yaml": "a: b"}}

_deployment := {"kind": "Deployment", "metadata": {"name": "leviathan-control-plane"}, "spec": {"template": {"spec": {
	"containers": [{
		"name": "control-plane", "image": kit.pinned,
		"args": ["gateway", "--config=/etc/leviathan/autonomy", "--cluster-config-map=leviathan-autonomy-config"],
		"volumeMounts": [{"name": "autonomy", "mountPath": "/etc/leviathan/autonomy", "readOnly": true}],
	}],
	"volumes": [{"name": "autonomy", "configMap": {"name": "leviathan-autonomy-config"}}],
}}}}

_c(path) := concat("", ["/1/spec/template/spec/containers/0", path])

_set(path, value) := {"op": "add", "path": path, "value": value}

_replace(path, value) := {"op": "replace", "path": path, "value": value}

_without(path) := {"op": "remove", "path": path}

_found_with(patches, parameters) := {[v.code, v.line, v.subject] | some v in denied} if {
	facts := object.union(kit.facts(json.patch([_config, _deployment], patches)), {"settings": {"parameters": {"autonomy_mount": parameters}}})
	denied := autonomy_mount.deny with input as facts
}

_found(patches) := _found_with(patches, {})

_is(patches, code, line, subject) if _found(patches) == {[concat("", ["autonomy_mount.", code]), line, subject]}

test_a_good_mount_holds if _found([]) == set()

test_both_are_there if {
	_is([_set("/0/metadata/name", "a"), _replace(_c("/args/2"), "--x")], "missing", 3, "ConfigMap/leviathan-autonomy-config")
	_is([_set("/1/metadata/name", "a")], "missing", 3, "Deployment/leviathan-control-plane")
	count(autonomy_mount.deny) == 2 with input as {}
}

test_the_flag_is_there_once if {
	_is([_without(_c("/args/1"))], "flag", 7, "--config")
	_is([_set(_c("/args/-"), "--config=/etc/leviathan/autonomy")], "flag", 8, "--config")
	_is([_set(_c("/name"), "a")], "no_container", 7, "control-plane")
}

test_the_config_is_mounted_once if {
	_is([_replace("/1/spec/template/spec/volumes/0", {"name": "autonomy", "configMap": {"name": "a"}}), _replace(_c("/volumeMounts/0/mountPath"), "/a")], "not_mounted", 7, "leviathan-autonomy-config")
	_is([_set(_c("/volumeMounts/-"), {"name": "autonomy", "mountPath": "/etc/leviathan/autonomy", "readOnly": true})], "not_mounted", 7, "leviathan-autonomy-config")
}

test_another_volume_in_its_place_is_reported if {
	_is([_replace("/1/spec/template/spec/volumes/0/configMap/name", "a")], "not_mounted", 8, "leviathan-autonomy-config")
}

test_flag_and_mount_are_one_folder if {
	_is([_replace(_c("/volumeMounts/0/mountPath"), "/etc/leviathan")], "path", 9, "/etc/leviathan")
	_is([_replace(_c("/args/1"), "--config=/etc/leviathan")], "flag_path", 8, "/etc/leviathan")
	_is([_replace(_c("/args/1"), "--config=/etc/leviathan/autonomy/prod.yaml")], "flag_path", 8, "/etc/leviathan/autonomy/prod.yaml")
	every told in ["/etc/leviathan/autonomy/", "/etc/leviathan/autonomy/dev.yaml"] {
		_found([_replace(_c("/args/1"), concat("=", ["--config", told]))]) == set()
	}
	_found_with([_replace(_c("/volumeMounts/0/mountPath"), "/c"), _replace(_c("/args/1"), "--c=/c")], {"path": "/c/", "flag": "--c"}) == set()
}

test_the_config_is_read_only if {
	_is([_replace(_c("/volumeMounts/0/readOnly"), false)], "writable", 9, "control-plane")
	_is([_without(_c("/volumeMounts/0/readOnly"))], "writable", 8, "control-plane")
	other := {"name": "other", "image": kit.pinned, "volumeMounts": [{"name": "autonomy", "mountPath": "/a"}]}
	_is([_set("/1/spec/template/spec/containers/-", other)], "writable", 8, "other")
}

test_the_config_is_whole if {
	_is([_set(_c("/volumeMounts/0/subPath"), "dev.yaml")], "part", 9, "subPath")
	_is([_set("/1/spec/template/spec/volumes/0/configMap/items", [])], "part", 6, "items")
	_is([_set("/1/spec/template/spec/volumes/0/configMap/optional", true)], "part", 6, "optional")
}

test_nothing_hides_the_config if {
	hiding := [_set(_c("/volumeMounts/-"), {"name": "b", "mountPath": "/etc/leviathan/autonomy/x"}), _set("/1/spec/template/spec/volumes/-", {"name": "b", "emptyDir": {}})]
	_is(hiding, "hidden", 9, "b")
	_found(array.concat(hiding, [_replace(_c("/volumeMounts/1/mountPath"), "/etc/leviathan/autonomy2")])) == set()
}

test_the_keys_are_read if {
	_is([_replace("/0/data", {"prod.yaml": "a"})], "no_key", 2, "dev.yaml")
	_is([_replace("/0/data/dev.yaml", "")], "no_key", 3, "dev.yaml")
	_is([_set("/0/data/.yaml", "a")], "idle_key", 3, ".yaml")
	_is([_set("/0/data/dev.txt", "a")], "idle_key", 3, "dev.txt")
	_is([_set("/0/binaryData", {"a.yaml": "a"})], "idle_key", 3, "a.yaml")
	_found_with([_replace("/0/data", {"prod.yml": "a"})], {"keys": ["prod.yml"]}) == set()
	_found_with([_without("/0/data")], {"keys": []}) == set()
}

test_the_config_can_be_switched if {
	_is([_set("/0/immutable", true)], "immutable", 2, "leviathan-autonomy-config")
}

test_the_config_that_is_watched_is_the_one_that_is_mounted if {
	_is([_replace(_c("/args/2"), "--cluster-config-map=a")], "other_name", 8, "a")
	_found([_without(_c("/args/2"))]) == set()
}
