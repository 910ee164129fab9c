package leviathan.invariants.packaging_test

import rego.v1

import data.leviathan.invariants.packaging

_restricted := {
	"runAsNonRoot": true, "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
	"seccompProfile": {"type": "RuntimeDefault"},
}

_container := {"name": "c", "pointer": "/spec/containers/0", "value": {
	"command": ["/bin/gatectl"], "args": ["serve", "--listen=$(LISTEN)", "--quiet", "--name", "x", "$$(NOT)", 3],
	"env": [{"name": "LISTEN", "value": ":80"}, {"name": "A_TOKEN", "valueFrom": {}}],
	"ports": [{"containerPort": 80}], "securityContext": _restricted,
}}

_documents := {
	"ns.yaml#0": {
		"id": "ns.yaml#0", "file": "ns.yaml", "line": 1, "column": 1, "kind": "Namespace", "api_version": "v1", "name": "apps",
		"namespace": "", "value": {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}, "within": null, "at": {"": [1, 1]},
	},
	"w.yaml#0": {
		"id": "w.yaml#0", "file": "w.yaml", "line": 1, "column": 1, "kind": "Pod", "api_version": "v1", "name": "w",
		"namespace": "apps", "value": {}, "within": null, "at": {"": [1, 1], "/spec": [2, 1], "/spec/containers/0": [5, 3]},
	},
	"s.yaml#0": {
		"id": "s.yaml#0", "file": "s.yaml", "line": 1, "column": 1, "kind": "Secret", "api_version": "v1", "name": "s",
		"namespace": "apps", "value": {"data": {}}, "within": null, "at": {"": [1, 1], "/data": [4, 1]},
	},
	"k/kustomization.yaml#0": {
		"id": "k/kustomization.yaml#0", "file": "k/kustomization.yaml", "line": 1, "column": 1, "kind": "Kustomization",
		"api_version": "kustomize.config.k8s.io/v1beta1", "name": "", "namespace": "", "value": {"resources": ["../w.yaml"]}, "within": null,
		"at": {"": [1, 1], "/secretGenerator/0": [7, 1]},
	},
}

_tree := {
	"documents": _documents,
	"kinds": {"Namespace": ["ns.yaml#0"], "Pod": ["w.yaml#0"], "Secret": ["s.yaml#0"], "Kustomization": ["k/kustomization.yaml#0"]},
	"manifests": {"faults": []},
	"rendered": {"k": {"file": "k/kustomization.yaml", "kind": "Kustomization", "ok": true, "reads": [], "names": {"w.yaml": "resources"}, "documents": []}},
	"workloads": {"source": [{
		"scope": "source", "document": "w.yaml#0", "place": {"file": "w.yaml", "line": 1, "column": 1}, "kind": "Pod", "name": "w", "namespace": "apps",
		"pointer": "/spec", "spec": {"volumes": [{"name": "tmp", "emptyDir": {}}]}, "containers": [_container],
	}]},
	"binary": {"commands": {
		"gatectl serve": {"runs": true, "flags": {"listen": "string", "quiet": "bool", "name": "string"}},
		"gatectl": {"runs": false, "flags": {}},
	}},
}

_set(path, value) := {"op": "add", "path": path, "value": value}

_c(path) := sprintf("/workloads/source/0/containers/0/value%s", [path])

_parameters(values) := _set("/settings", {"parameters": {"packaging": values}})

_found(patches) := {[v.code, v.file, v.line] | some v in denied} if {
	denied := packaging.deny with input as json.patch(_tree, patches)
}

_is(patches, code, file, line) if _found(patches) == {[concat("", ["packaging.", code]), file, line]}

test_good_manifests_hold if _found([]) == set()

_fault(code) := _set("/manifests/faults/-", {
	"file": "w.yaml", "line": 3, "column": 1, "document": "w.yaml#0", "pointer": "/spec/x", "code": code, "message": "no",
})

test_manifests_fit_the_schema if {
	_is([_fault("unknown_field")], "schema", "w.yaml", 3)
	_is([_fault("unknown_kind")], "unknown_kind", "w.yaml", 3)
	_found([_fault("unknown_field"), _parameters({"folders": ["k"]})]) == set()
}

test_kinds_of_others_are_listed if {
	_found([_fault("custom_kind")]) == set()
	_found([_fault("custom_kind"), _parameters({"custom": ["v1/Pod"]})]) == set()
	_is([_fault("custom_kind"), _parameters({"custom": []})], "unlisted_kind", "w.yaml", 3)
}

test_manifests_are_reached if {
	moved := [_set("/documents/w.yaml#0/file", "k/w.yaml")]
	_is(moved, "unreachable", "k/w.yaml", 1)
	_found(array.concat(moved, [_set("/rendered/k/names/k~1w.yaml", "resources")])) == set()
	_is(array.concat(moved, [_parameters({"folders": ["k"]})]), "unreachable", "k/w.yaml", 1)
}

test_pods_take_nothing_of_the_node if {
	_is([_set("/workloads/source/0/spec/hostPID", true)], "host", "w.yaml", 2)
	_is([_set(_c("/ports/0/hostPort"), 80)], "host", "w.yaml", 5)
	_found([_set("/workloads/source/0/spec/volumes/-", {"name": "x", "hostPath": {"path": "/"}})]) == {
		["packaging.host", "w.yaml", 2], ["packaging.pod_security", "w.yaml", 2],
	}
	_found([_set("/workloads/source/0/spec/hostPID", true), _parameters({"privileged": ["Pod/w"]})]) == set()
}

test_containers_have_no_privilege if {
	every field, value in {
		"privileged": true, "runAsUser": 0, "runAsGroup": 0, "procMount": "Unmasked",
		"capabilities": {"drop": ["ALL"], "add": ["SYS_ADMIN"]},
	} {
		_is([_set(_c(sprintf("/securityContext/%s", [field])), value)], "privilege", "w.yaml", 5)
	}
	every field, value in {"runAsNonRoot": false, "allowPrivilegeEscalation": true, "seccompProfile": {"type": "Unconfined"}} {
		_found([_set(_c(sprintf("/securityContext/%s", [field])), value)]) == {
			["packaging.privilege", "w.yaml", 5], ["packaging.pod_security", "w.yaml", 5],
		}
	}
}

test_pods_keep_the_profile_of_their_namespace if {
	every field in ["runAsNonRoot", "allowPrivilegeEscalation", "capabilities", "seccompProfile"] {
		_is([{"op": "remove", "path": _c(sprintf("/securityContext/%s", [field]))}], "pod_security", "w.yaml", 5)
	}
	_is([{"op": "remove", "path": _c("/securityContext")}], "pod_security", "w.yaml", 5)
	baseline := _set("/documents/ns.yaml#0/value/metadata/labels/pod-security.kubernetes.io~1enforce", "baseline")
	_found([{"op": "remove", "path": _c("/securityContext")}, baseline]) == set()
	_is([baseline, _parameters({"pod_security": "restricted"})], "namespace_profile", "ns.yaml", 1)
}

test_no_secret_is_committed if {
	_is([_set("/documents/s.yaml#0/value/data/a", "eA==")], "plain_secret", "s.yaml", 4)
	_found([_set("/documents/s.yaml#0/value/data/a", "eA=="), _set("/documents/s.yaml#0/value/sops", {"version": "3"})]) == set()
	_is([_set("/documents/k~1kustomization.yaml#0/value/secretGenerator", [{"name": "s"}])], "generated_secret", "k/kustomization.yaml", 7)
	_is([_set(_c("/env/1"), {"name": "DB_PASSWORD", "value": "x"})], "plain_variable", "w.yaml", 5)
	_found([_set(_c("/env/1"), {"name": "DB_PASSWORD", "value": "$(OTHER)"})]) == set()
}

test_programs_are_listed if {
	_found([_parameters({"programs": ["gatectl"]})]) == set()
	_is([_parameters({"programs": ["other"]})], "unknown_program", "w.yaml", 5)
	_is([{"op": "remove", "path": _c("/command")}, _parameters({"programs": ["gatectl"]})], "unknown_program", "w.yaml", 5)
	_found([_set(_c("/command"), ["sh", "-c", "echo $(date)"])]) == set()
}

test_commands_and_flags_exist if {
	_is([_set(_c("/args"), ["run"])], "unknown_command", "w.yaml", 5)
	_is([_set(_c("/args"), [])], "unknown_command", "w.yaml", 5)
	_is([_set(_c("/args"), ["serve", "--loud"])], "unknown_flag", "w.yaml", 5)
	every wrong in ["--quiet=no", "--listen=", "--listen"] {
		_is([_set(_c("/args"), ["serve", wrong])], "flag_value", "w.yaml", 5)
	}
	_is([_set(_c("/args"), ["serve", "--listen", "--quiet"])], "flag_value", "w.yaml", 5)
	_found([_set(_c("/args"), ["serve", "--listen", "--quiet=true"])]) == {["packaging.flag_value", "w.yaml", 5]}
}

test_commands_of_the_settings_exist if {
	other := _parameters({"commands": {"other run": ["--a", "--b=VALUE"]}})
	_found([_set(_c("/command"), ["other", "run", "--a", "--b=1"]), _set(_c("/args"), []), other]) == set()
	_is([_set(_c("/command"), ["other", "run", "--a=x"]), _set(_c("/args"), []), other], "flag_value", "w.yaml", 5)
	_is([_set(_c("/command"), ["other", "go"]), _set(_c("/args"), []), other], "unknown_command", "w.yaml", 5)
}

test_variables_are_in_the_environment if {
	_is([_set(_c("/env/0/name"), "OTHER")], "unknown_variable", "w.yaml", 5)
	_found([_set(_c("/env/0/name"), "OTHER"), _set(_c("/envFrom"), [{}])]) == set()
}
