package leviathan.invariants._kube_test

import rego.v1

import data.leviathan.invariants._kube as kube

_good := {"containers": [{"name": "c", "image": pinned, "securityContext": own, "resources": resources}], "securityContext": confined}

_weak(patches) := {fault.values.field | some fault in kube.weaknesses(_pod(facts([_job(json.patch(_good, patches))])))}

_set(path, value) := {"op": "add", "path": path, "value": value}

_context(field, value) := _set(concat("/", ["/containers/0/securityContext", field]), value)

test_a_confined_pod_holds if _weak([]) == set()

test_a_pod_of_the_node_is_weak if {
	every field in ["hostNetwork", "hostPID", "hostIPC"] {
		_weak([_set(concat("", ["/", field]), true)]) == {field}
		_weak([_set(concat("", ["/", field]), false)]) == set()
	}
	_weak([_set("/volumes", [{"name": "v", "hostPath": {"path": "/"}}])]) == {"volumes.v"}
	_weak([_set("/volumes", [{"name": "v", "emptyDir": {}}])]) == set()
	_weak([_set("/containers/0/ports", [{"hostPort": 80}])]) == {"c.ports.hostPort"}
}

test_every_container_is_confined if {
	_weak([_context("allowPrivilegeEscalation", true)]) == {"c.securityContext.allowPrivilegeEscalation"}
	_weak([_context("readOnlyRootFilesystem", false)]) == {"c.securityContext.readOnlyRootFilesystem"}
	_weak([_context("privileged", true)]) == {"c.securityContext.privileged"}
	_weak([_context("capabilities", {"drop": ["NET_RAW"]})]) == {"c.securityContext.capabilities.drop"}
	_weak([_context("capabilities", {"drop": ["ALL"], "add": ["NET_ADMIN"]})]) == {"c.securityContext.capabilities.add"}
	_weak([_set("/initContainers", [{"name": "i", "image": pinned, "securityContext": object.remove(own, ["readOnlyRootFilesystem"])}])]) == {"i.securityContext.readOnlyRootFilesystem"}
}

test_a_container_says_it_over_its_pod if {
	_weak([_context("runAsNonRoot", false)]) == {"c.securityContext.runAsNonRoot"}
	_weak([_set("/securityContext", {})]) == {"c.securityContext.runAsNonRoot", "c.securityContext.seccompProfile.type"}
	_weak([_context("seccompProfile", {"type": "Unconfined"})]) == {"c.securityContext.seccompProfile.type"}
	_weak([_set("/securityContext/runAsUser", 0)]) == {"c.securityContext.runAsUser"}
	_weak([_set("/securityContext/runAsUser", 0), _context("runAsUser", 7)]) == set()
}

_unpinned(container, allowed) := {fault.values.image | some fault in kube.unpinned(_of(container), allowed)}

test_an_image_is_pinned if {
	_unpinned({"image": pinned}, []) == set()
	_unpinned({"image": "a:1"}, []) == {"a:1"}
	_unpinned({"image": "a@sha256:1"}, []) == {"a@sha256:1"}
	_unpinned({"image": "a:1"}, ["a:1"]) == set()
	_unpinned({"image": "a:1", "imagePullPolicy": "Never"}, []) == set()
	_unpinned({"image": "a:latest", "imagePullPolicy": "Never"}, []) == {"a:latest"}
	_unpinned({"image": "a", "imagePullPolicy": "Never"}, []) == {"a"}
}

test_an_image_is_unpinned_where_an_overlay_has_it_pulled if {
	jobs := [_job({"containers": [_container({"image": "a:1", "imagePullPolicy": policy})]}) | some policy in ["Never", "Always"]]
	document := overlay([jobs[0]], [jobs[1]])
	pod := kube.pods("prod", "Job", "a")[0] with input as document
	found := kube.unpinned(pod, []) with input as document
	{fault.path[count(fault.path) - 1] | some fault in found} == {"imagePullPolicy"}
}

test_a_secret_is_named_by_what_differs if {
	c := _of({"env": [secret_variable("A", "s", "k")]}).containers[0]
	kube.secret_path(c, "A", "t", "k") == array.concat(c.path, ["env", 0, "valueFrom", "secretKeyRef", "name"])
	kube.secret_path(c, "A", "s", "l") == array.concat(c.path, ["env", 0, "valueFrom", "secretKeyRef", "key"])
	kube.secret_path(c, "A", "s", "k") == array.concat(c.path, ["env", 0, "name"])
}

test_a_program_is_the_first_argument_or_the_first_name if {
	pod := _of({})
	kube.program_path(pod, "c") == array.concat(pod.path, ["containers", 0, "args", 0])
	kube.program_path(pod, "d") == array.concat(pod.path, ["containers", 0, "name"])
}

_plain(container) := {fault.values.name | some fault in kube.plain(_of(container))}

test_a_secret_is_not_written_down if {
	every name in ["TOKEN", "A_SECRET", "DB_PASSWORD", "MODEL_API_KEY", "apikey", "aws.credentials"] {
		_plain({"env": [{"name": name, "value": "x"}]}) == {name}
	}
	every value in ["ghp_0123456789abcdefghij", "x github_pat_0123456789abcdefghij", "AKIA0123456789ABCDEF", "-----BEGIN PRIVATE KEY-----"] {
		_plain({"env": [{"name": "NOTE", "value": value}]}) == {"NOTE"}
	}
	_plain({"args": ["--token=x", "--password", "y", "ghp_0123456789abcdefghij"]}) == {"--token", "--password", ""}
}

test_what_is_no_secret_may_be_written_down if {
	_plain({"env": [
		{"name": "TOKEN_FILE", "value": "x"}, {"name": "TOKEN", "value": "/run/token"}, {"name": "TOKEN", "value": ""}, {"name": "TOKENS", "value": "3"},
		{"name": "TOKEN", "value": "$(OTHER)"}, secret_variable("TOKEN", "s", "k"), {"name": "MONKEY", "value": "x"}, {"name": 7, "value": 8},
	]}) == set()
	_plain({"args": [7, "--token", "--token-file=/x", "--token-file", "/x", "--password=$(P)", "--key=a"]}) == set()
}

test_amounts_are_named if {
	{fault.values.amount | some fault in kube.starved(_of({}))} == {"resources.requests.cpu", "resources.requests.memory", "resources.limits.memory"}
	kube.starved(_of({"resources": resources})) == set()
	kube.starved(_pod(facts([_job({"ephemeralContainers": [_container({})]})]))) == set()
}

test_volumes_and_mounts_meet if {
	both := {"containers": [_container({"volumeMounts": [{"name": "a"}]})], "volumes": [{"name": "a"}]}
	kube.unmounted(_pod(facts([_job(both)]))) == set()
	{fault.values.volume | some fault in kube.unmounted(_pod(facts([_job(json.patch(both, [_set("/volumes/0/name", "b")]))])))} == {"a", "b"}
}

_unprobed(container) := {[fault.values.probe, fault.values.wanted] |
	pod := _of(container)
	some fault in kube.unprobed(pod, pod.containers[0], {"livenessProbe": "/health"})
}

test_probes_ask_where_something_answers if {
	ports := [{"name": "http", "containerPort": 80}]
	_unprobed({"ports": ports, "livenessProbe": {"httpGet": {"path": "/health", "port": "http"}}}) == set()
	_unprobed({"ports": ports, "livenessProbe": {"httpGet": {"path": "/health", "port": 80}}}) == set()
	_unprobed({"ports": ports, "livenessProbe": {"httpGet": {"path": "/health", "port": 81}}}) == {["livenessProbe", "a port of the container"]}
	_unprobed({"ports": ports, "livenessProbe": {"httpGet": {"path": "/", "port": 80}}}) == {["livenessProbe", "/health"]}
	_unprobed({"ports": ports}) == {["livenessProbe", "/health"]}
	_unprobed({"livenessProbe": {"httpGet": {"path": "/health", "port": 1}}, "startupProbe": {"exec": {}}}) == {["livenessProbe", "a port of the container"]}
}

test_a_container_runs_a_command if {
	kube.runs({"value": {"command": ["leviathan"], "args": ["worker", "--a"]}}, "worker")
	kube.runs({"value": {"command": ["leviathan", "worker"]}}, "worker")
	not kube.runs({"value": {"args": ["leviathan", "gateway"]}}, "worker")
	not kube.runs({"value": {"command": ["worker"]}}, "worker")
	not kube.runs({"value": {}}, "worker")
}

test_a_variable_is_found_in_the_environment if {
	c := _of({"env": [{"name": "A"}, {"name": "B"}]}).containers[0]
	kube.env_path(c, "B") == array.concat(c.path, ["env", 1, "name"])
	kube.env_path(c, "C") == array.concat(c.path, ["env"])
}

test_a_mount_knows_its_volume if {
	pod := _pod(facts([_job({
		"containers": [_container({"volumeMounts": [{"name": "a", "mountPath": "/x/", "readOnly": true}, {"name": "a", "mountPath": "/y", "subPath": "z"}, {"name": "b", "mountPath": "/z"}]})],
		"volumes": [{"name": "a", "emptyDir": {}}],
	})]))
	[[m.path, m.read_only, m.whole] | some m in kube.mounts(pod, pod.containers[0])] == [["/x", true, true], ["/y", false, false]]
}
