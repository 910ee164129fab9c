package leviathan.invariants._kube_test

import rego.v1

import data.leviathan.invariants._kube as kube

_config(name, value) := {"kind": "ConfigMap", "metadata": {"name": name, "labels": {"app": "a"}}, "data": value}

test_what_is_alone_of_its_kind_is_reported_instead if {
	other := {"kind": "Secret", "metadata": {"name": "s"}}
	apart := json.patch(facts([_config("a", {}), other]), [{"op": "replace", "path": "/documents/m.yaml#1/file", "value": "n.yaml"}])
	_missing(apart, "Secret", "a", "a") == {["n.yaml", 3]}
	_missing(facts([_config("a", {}), other]), "Secret", "a", "a") == {["m.yaml", 3]}
}

test_scopes_are_the_overlays_that_have_a_name_or_else_the_files if {
	kube.scopes({"a"}) == {"prod"} with input as overlay([_config("a", {})], [_config("a", {})])
	kube.scopes({"a"}) == {"source"} with input as overlay([_config("a", {})], [])
	kube.scopes({"a"}) == {"source"} with input as facts([_config("a", {})])
	kube.scopes({"b"}) == set() with input as facts([_config("a", {})])
}

test_an_inner_document_is_no_resource if {
	inner := json.patch(facts([_config("a", {})]), [{"op": "add", "path": "/documents/m.yaml#0/within", "value": {"document": "x"}}])
	kube.scopes({"a"}) == set() with input as inner
	kube.everything("source") == [] with input as inner
}

_missing(document, kind, name, app) := found if {
	found := {[p.file, p.line] | some p in kube.missing(kind, name, app, {"a"})} with input as document
}

test_what_is_missing_is_reported_where_it_should_be if {
	_missing(facts([_config("a", {})]), "ConfigMap", "a", "a") == set()
	_missing(facts([_config("b", {})]), "ConfigMap", "a", "a") == {[".", 1]}
	_missing(facts([_config("a", {})]), "ConfigMap", "b", "a") == {["m.yaml", 3]}
	_missing(facts([_config("a", {})]), "Secret", "a", "a") == {["m.yaml", 1]}
	_missing(overlay([_config("a", {})], [_config("a", {})]), "ConfigMap", "b", "a") == {["m.yaml", 3]}
	_missing(overlay([_config("a", {})], [_config("a", {})]), "ConfigMap", "b", "z") == {["prod/k.yaml", 1]}
}

_place(document, path) := [p.file, p.line] if {
	p := kube.place(kube.resources("prod", "ConfigMap", "a")[0], path) with input as document
}

_changed := overlay([_config("a", {"k": "1"})], [_config("a", {"k": "2"})])

_with(document, patches) := json.patch(document, patches)

test_a_value_is_where_it_was_written if {
	_place(overlay([_config("a", {"k": "1"})], [_config("a", {"k": "1"})]), ["data", "k"]) == ["m.yaml", 3]
	_place(_changed, ["data", "k"]) == ["prod/k.yaml", 1]
	r := kube.resources("source", "ConfigMap", "a")[0] with input as _changed
	kube.place(r, ["data", "k"]).file == "m.yaml" with input as _changed
}

test_a_value_of_a_patch_is_in_the_patch if {
	patch := object.union(_changed.documents["m.yaml#0"], {"id": "p.yaml#0", "file": "p.yaml", "value": _config("a", {"k": "2"}), "at": {"": [1, 1], "/data/k": [7, 1]}})
	patched := _with(_changed, [{"op": "add", "path": "/documents/p.yaml#0", "value": patch}, {"op": "add", "path": "/kinds/ConfigMap/-", "value": "p.yaml#0"}])
	_place(patched, ["data", "k"]) == ["p.yaml", 7]
	_place(_with(patched, [{"op": "replace", "path": "/documents/p.yaml#0/value/data/k", "value": "3"}]), ["data", "k"]) == ["prod/k.yaml", 1]
}

_overlaid(value) := [
	{"op": "replace", "path": "/documents/prod~1k.yaml#0/value", "value": value},
	{"op": "replace", "path": "/documents/prod~1k.yaml#0/at", "value": places(value)},
]

test_a_value_of_an_overlay_is_in_the_overlay if {
	_place(_with(_changed, _overlaid({"patches": [{"path": "x"}, {"patch": "", "target": {"kind": "ConfigMap"}}]})), ["data", "k"]) == ["prod/k.yaml", 4]
	_place(_with(_changed, _overlaid({"patches": [{"patch": "", "target": {"kind": "Secret"}}]})), ["data", "k"]) == ["prod/k.yaml", 1]
	_place(_with(_changed, _overlaid({"patches": [{"patch": "", "target": {"name": "b"}}]})), ["data", "k"]) == ["prod/k.yaml", 1]
	images := overlay([_config("a", {"image": "1"})], [_config("a", {"image": "2"})])
	_place(_with(images, _overlaid({"images": []})), ["data", "image"]) == ["prod/k.yaml", 2]
}

_job(spec) := {"kind": "Job", "metadata": {"name": "a", "namespace": "n"}, "spec": {"template": {"metadata": {"labels": {"app": "a"}}, "spec": spec}}}

_container(value) := object.union({"name": "c", "image": pinned}, value)

_pod(document) := found if {
	found := kube.pods("source", "Job", "a")[0] with input as document
}

_of(value) := _pod(facts([_job({"containers": [_container(value)]})]))

test_flags_have_values_in_two_forms if {
	pod := _of({"command": ["x", "--a=1", 7], "args": ["--a", "2", "--once", "--b"]})
	c := pod.containers[0]
	kube.told(c, "--a") == ["1", "2"]
	kube.told(c, "--once") == [""]
	kube.told(c, "--b") == [""]
	kube.told(c, "--c") == []
	kube.flag_path(c, "--a") == ["spec", "template", "spec", "containers", 0, "command", 1]
	kube.flag_path(c, "--c") == ["spec", "template", "spec", "containers", 0, "args"]
}

test_a_list_that_is_none_is_empty if {
	kube.list({"a": [1]}, ["a"]) == [1]
	kube.list({"a": "b"}, ["a"]) == []
	kube.list(null, ["a"]) == []
}

test_an_address_has_a_port if {
	kube.address("0.0.0.0:8000") == 8000
	kube.address("http://a:80/") == 80
	kube.address("a") == 0
}

test_the_loopback_is_reached_by_nobody if {
	kube.listened("0.0.0.0:8000") == 8000
	every address in ["127.0.0.1:8000", "localhost:8000", "[::1]:8000"] {
		kube.listened(address) == 0
	}
}

test_a_selector_finds_the_pods_of_its_namespace if {
	r := {"scope": "source", "namespace": "n"}
	kube.selected(r, {"app": "a"}) == {"Job/a"} with input as facts([_job({})])
	kube.selected(r, {"app": "b"}) == set() with input as facts([_job({})])
	kube.selected(r, {}) == set() with input as facts([_job({})])
	kube.selected({"scope": "source", "namespace": "m"}, {"app": "a"}) == set() with input as facts([_job({})])
}

test_a_service_leads_to_ports_by_name_number_and_default if {
	c := {"value": {"ports": [{"name": "http", "containerPort": 80}, {"containerPort": 81}]}}
	service := {"value": {"spec": {"ports": [{"port": 1, "targetPort": "http"}, {"port": 1, "targetPort": 81}, {"port": 80}, {"port": 82}]}}}
	[port.reaches | some port in kube.ports(service, c)] == [{80}, {81}, {80}, set()]
}
