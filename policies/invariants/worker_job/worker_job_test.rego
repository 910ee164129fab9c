package leviathan.invariants.worker_job_test

import rego.v1

import data.leviathan.invariants._kube_test as kit
import data.leviathan.invariants.worker_job

_labels := {"app": "leviathan-worker"}

_ids := {"leviathan.dev/attempt-id": "01ABC", "leviathan.dev/target": "dev", "leviathan.dev/task-id": "a task"}

_container := {
	"name": "worker", "image": "leviathan-worker:local", "command": ["leviathan"],
	"args": ["worker", "--gateway=http://leviathan-control-plane:8000", "--attempt=01ABC", "--token-file=/t/token", "--workspace=/w"],
	"env": [kit.secret_variable("A_KEY", "leviathan-agent-a", "A_KEY"), kit.secret_variable("B_KEY", "leviathan-agent-a", "B_KEY")],
	"securityContext": kit.own, "resources": kit.resources,
	"volumeMounts": [{"name": "token", "mountPath": "/t", "readOnly": true}, {"name": "workspace", "mountPath": "/w"}],
}

_job := {
	"kind": "Job", "metadata": {"name": "leviathan-worker-01abc", "namespace": "leviathan", "labels": _labels, "annotations": _ids},
	"spec": {"backoffLimit": 0, "activeDeadlineSeconds": 900, "ttlSecondsAfterFinished": 3600, "template": {
		"metadata": {"labels": _labels, "annotations": _ids},
		"spec": {
			"serviceAccountName": "leviathan-worker", "automountServiceAccountToken": false, "restartPolicy": "Never", "enableServiceLinks": false,
			"securityContext": kit.confined, "containers": [_container],
			"volumes": [
				{"name": "token", "secret": {"secretName": "leviathan-worker-01abc", "items": [{"key": "token", "path": "token"}]}},
				{"name": "workspace", "emptyDir": {"sizeLimit": "1Gi"}},
			],
		},
	}},
}

_found(patches) := _found_with(patches, {})

_found_with(patches, parameters) := {[v.code, v.line, v.subject] | some v in denied} if {
	settings := {"settings": {"parameters": {"worker_job": object.union({"file": "m.yaml"}, parameters)}}}
	denied := worker_job.deny with input as object.union(kit.facts([json.patch(_job, patches)]), settings)
}

_is(patches, code, line, subject) if _found(patches) == {[concat("", ["worker_job.", code]), line, subject]}

_c(path) := concat("", ["/spec/template/spec/containers/0", path])

_pod(path) := concat("", ["/spec/template/spec", path])

_set(path, value) := {"op": "add", "path": path, "value": value}

_replace(path, value) := {"op": "replace", "path": path, "value": value}

_without(path) := {"op": "remove", "path": path}

test_a_good_job_holds if _found([]) == set()

test_there_is_a_job if {
	_found_with([], {"file": "other.yaml"}) == {["worker_job.missing", 1, "other.yaml"]}
	_is([_set("/kind", "Deployment")], "missing", 1, "m.yaml")
	denied := worker_job.deny with input as {}
	{v.subject | some v in denied} == {"scheduler/testdata/worker-job.yaml"}
}

test_it_is_named_after_its_attempt if {
	_is([_set("/metadata/name", "leviathan-worker-01abd"), _set(_pod("/volumes/0/secret/secretName"), "leviathan-worker-01abd")], "name", 3, "metadata.name")
	long := {"metadata": {"annotations": {"leviathan.dev/attempt-id": "A_B"}}}
	"worker_job.name" in {code | some [code, _, _] in _found([_set("/metadata", object.union(_job.metadata, object.union(long.metadata, {"name": "leviathan-worker-a_b"})))])}
	_is([_set("/metadata/namespace", "default")], "namespace", 3, "metadata.namespace")
}

test_it_says_whose_it_is if {
	_is([_set("/metadata/labels/app", "a")], "label", 4, "metadata.labels.app")
	_is([_without("/spec/template/metadata/labels")], "label", 4, "spec.template.metadata.labels.app")
	_is([_without("/spec/template/metadata/annotations/leviathan.dev~1target")], "annotation", 5, "spec.template.metadata.annotations leviathan.dev/target")
	_is([_set("/metadata/annotations/leviathan.dev~1task-id", "")], "annotation", 4, "metadata.annotations leviathan.dev/task-id")
}

test_it_runs_once_and_ends if {
	_is([_set("/spec/backoffLimit", 1)], "retry", 3, "backoffLimit")
	_is([_without("/spec/backoffLimit")], "retry", 2, "backoffLimit")
	_is([_set("/spec/completions", 3)], "retry", 3, "completions")
	_is([_set(_pod("/restartPolicy"), "Always")], "retry", 5, "restartPolicy")
	_is([_without("/spec/activeDeadlineSeconds")], "deadline", 2, "activeDeadlineSeconds")
	_is([_set("/spec/activeDeadlineSeconds", 0)], "deadline", 3, "activeDeadlineSeconds")
	_is([_set("/spec/activeDeadlineSeconds", 90001)], "deadline", 3, "activeDeadlineSeconds")
	_is([_set("/spec/ttlSecondsAfterFinished", 60)], "cleanup", 3, "ttlSecondsAfterFinished")
	_found_with([_set("/spec/ttlSecondsAfterFinished", 60)], {"ttl_seconds": 60}) == set()
}

test_its_container_asks_for_its_attempt if {
	_is([_replace(_c("/args/0"), "gateway")], "container", 8, "worker")
	_is([_replace(_c("/args/1"), "--gateway=http://a")], "flag", 8, "--gateway")
	_is([_replace(_c("/args/2"), "--attempt=01ABD")], "flag", 8, "--attempt")
	_is([_without(_c("/args/2"))], "flag", 7, "--attempt")
}

test_its_pod_is_confined if {
	_is([_set(_pod("/hostPID"), true)], "weak_pod", 5, "Job/leviathan-worker-01abc hostPID")
	_is([_set(_c("/image"), "leviathan-worker:1")], "unpinned_image", 7, "Job/leviathan-worker-01abc worker.image")
	_is([_without(_c("/resources/limits"))], "resources", 7, "Job/leviathan-worker-01abc worker.resources.limits.memory")
	_is([_set(_pod("/volumes/-"), {"name": "b", "emptyDir": {"sizeLimit": "1"}})], "volume", 6, "Job/leviathan-worker-01abc volumes.b")
	_is([_set(_pod("/volumes/1/emptyDir"), {})], "limitless", 6, "workspace")
}

test_its_workspace_is_its_own if {
	_is([_replace(_c("/args/4"), "--workspace=/")], "workspace", 8, "--workspace")
	_is([_without(_c("/args/4"))], "workspace", 7, "--workspace")
	_is([_set(_c("/volumeMounts/1/readOnly"), true)], "workspace", 8, "--workspace")
	_is([_replace(_pod("/volumes/1"), {"name": "workspace", "persistentVolumeClaim": {}})], "workspace", 8, "--workspace")
}

test_it_has_no_account_to_speak_for if {
	_is([_set(_pod("/automountServiceAccountToken"), true)], "account", 5, "Job/leviathan-worker-01abc automountServiceAccountToken")
	token := {"name": "workspace", "emptyDir": {"sizeLimit": "1"}, "projected": {"sources": [{"configMap": {}}, {"serviceAccountToken": {}}]}}
	_is([_replace(_pod("/volumes/1"), token)], "account_token", 6, "workspace")
	_is([_without(_pod("/enableServiceLinks"))], "service_links", 4, "enableServiceLinks")
}

test_it_has_its_agents_secrets_alone if {
	_is([_replace(_c("/env/1/valueFrom/secretKeyRef/key"), "other")], "agent_secret", 9, "B_KEY")
	{subject | some ["worker_job.agent_secret", _, subject] in _found([_replace(_c("/env/1/valueFrom/secretKeyRef/name"), "leviathan-agent-b")])} == {"A_KEY", "B_KEY"}
	one := [_without(_c("/env/1"))]
	_is(array.concat(one, [_replace(_c("/env/0/valueFrom/secretKeyRef/name"), "leviathan-secrets")]), "agent_secret", 9, "A_KEY")
	_is(array.concat(one, [_replace(_c("/env/0/valueFrom/secretKeyRef/name"), "leviathan-agent-")]), "agent_secret", 9, "A_KEY")
	_is([_set(_c("/env/-"), {"name": "API_TOKEN", "value": "x"})], "plain_secret", 9, "Job/leviathan-worker-01abc worker.env.API_TOKEN")
	_is([_set(_c("/env/-"), {"name": "GITHUB_TOKEN", "valueFrom": {"configMapKeyRef": {}}})], "forbidden", 9, "GITHUB_TOKEN")
	_is([_set(_c("/envFrom"), [{"secretRef": {"name": "s"}}])], "whole_secret", 8, "s")
}

test_its_token_is_that_of_its_attempt if {
	_is([_without(_pod("/volumes/0/secret/items"))], "whole_secret", 6, "leviathan-worker-01abc")
	_found([_set(_pod("/volumes/0/secret/secretName"), "s")]) == {["worker_job.whole_secret", 6, "s"], ["worker_job.token", 8, "--token-file"]}
	_is([_replace(_c("/args/3"), "--token-file=/t")], "token", 8, "--token-file")
	_is([_without(_c("/args/3"))], "token", 7, "--token-file")
	_is([_without(_c("/volumeMounts/0/readOnly"))], "token", 8, "--token-file")
}
