package leviathan.invariants.scheduler_manifest_test

import rego.v1

import data.leviathan.invariants._kube_test as kit
import data.leviathan.invariants.scheduler_manifest

_account := {"kind": "ServiceAccount", "metadata": {"name": "leviathan-scheduler"}, "automountServiceAccountToken": false}

_binding := {"kind": "RoleBinding", "metadata": {"name": "leviathan-scheduler"}, "subjects": []}

_container := {
	"name": "scheduler", "image": kit.pinned, "command": ["leviathan"],
	"args": ["scheduler", "--once", "--launcher=kubernetes", "--target=dev", "--gateway=http://leviathan-control-plane:8000", "--token-file=/t/token"],
	"securityContext": kit.own, "resources": kit.resources, "volumeMounts": [{"name": "token", "mountPath": "/t", "readOnly": true}],
}

_cron_job := {
	"kind": "CronJob", "metadata": {"name": "leviathan-dev-scheduler", "namespace": "n", "labels": {"app": "leviathan-scheduler"}},
	"spec": {
		"schedule": "*/5 * * * *", "timeZone": "Etc/UTC", "concurrencyPolicy": "Forbid", "startingDeadlineSeconds": 120,
		"successfulJobsHistoryLimit": 3, "failedJobsHistoryLimit": 5,
		"jobTemplate": {"spec": {
			"backoffLimit": 0, "activeDeadlineSeconds": 240,
			"template": {"metadata": {"labels": {"app": "leviathan-scheduler"}}, "spec": {
				"serviceAccountName": "leviathan-scheduler", "automountServiceAccountToken": true, "restartPolicy": "Never",
				"securityContext": kit.confined, "containers": [_container],
				"volumes": [{"name": "token", "projected": {"sources": [{"serviceAccountToken": {"audience": "leviathan", "expirationSeconds": 600, "path": "token"}}]}}],
			}},
		}},
	},
}

_grant(line, group, resource, verbs) := {
	"known": true, "namespace": "n", "role_name": "Role/r", "place": {"file": "r.yaml", "line": line, "column": 1},
	"api_groups": [group], "resources": [resource], "resource_names": [], "urls": [], "verbs": verbs,
}

_grants := [_grant(11, "batch", "jobs", ["create", "get", "list", "delete"]), _grant(22, "", "secrets", ["create"]), _grant(33, "", "pods", ["list"])]

_config := {"source": "configmap", "valid": true, "values": {"target_id": "dev", "schedule_cron": "*/5 * * * *"}}

_facts(patches, grants) := object.union(kit.facts(json.patch([_account, _binding, _cron_job], patches)), {
	"rbac": {"source": {"ServiceAccount/n/leviathan-scheduler": grants}},
	"autonomy": [_config, {"source": "file", "valid": true, "values": {"target_id": "other", "schedule_cron": "@daily"}}],
})

_found(patches) := _found_of(_facts(patches, _grants))

_found_of(facts) := {[v.code, v.line, v.subject] | some v in denied} if {
	denied := scheduler_manifest.deny with input as facts
}

_found_with(patches, parameters) := _found_of(object.union(_facts(patches, _grants), {"settings": {"parameters": {"scheduler_manifest": parameters}}}))

_is(patches, code, line, subject) if _found(patches) == {[concat("", ["scheduler_manifest.", code]), line, subject]}

_cron(field) := concat("/", ["/2/spec", field])

_job(field) := concat("/", ["/2/spec/jobTemplate/spec", field])

_c(path) := concat("", ["/2/spec/jobTemplate/spec/template/spec/containers/0", path])

_set(path, value) := {"op": "add", "path": path, "value": value}

_replace(path, value) := {"op": "replace", "path": path, "value": value}

_without(path) := {"op": "remove", "path": path}

test_a_good_scheduler_holds if _found([]) == set()

test_manifests_are_there if {
	_is([_set("/0/metadata/name", "a")], "missing", 3, "ServiceAccount/leviathan-scheduler")
	_is([_set("/2/metadata/name", "a")], "missing", 3, "CronJob/leviathan-dev-scheduler")
	count(scheduler_manifest.deny) == 2 with input as {}
}

test_labels if {
	_is([_set("/2/metadata/labels/app", "a")], "label", 4, "metadata.labels.app")
	_is([_without("/2/spec/jobTemplate/spec/template/metadata")], "label", 5, "spec.jobTemplate.spec.template.metadata.labels.app")
}

test_the_schedule_is_the_configs if {
	_is([_set(_cron("schedule"), "*/6 * * * *")], "schedule", 3, "dev")
	_found_of(json.patch(_facts([], _grants), [_set("/autonomy/0/values/schedule_cron", "0 * * * *")])) == {["scheduler_manifest.schedule", 3, "dev"]}
	_found_of(json.patch(_facts([], _grants), [_set("/autonomy/-", object.union(_config, {"source": "markdown", "values": {"schedule_cron": "x"}}))])) == set()
	_found([_without(_cron("schedule"))]) == {["scheduler_manifest.schedule", 2, "dev"]}
}

test_the_target_has_a_config if {
	_is([_replace(_c("/args/3"), "--target=prod")], "target", 10, "--target")
	_is([_without(_c("/args/3"))], "target", 9, "--target")
	_is([_set(_c("/args/-"), "--target=other")], "target", 10, "--target")
	_found_of(json.patch(_facts([], _grants), [_set("/autonomy/0/valid", false)])) == {["scheduler_manifest.target", 10, "--target"]}
}

test_it_ticks_in_utc_one_at_a_time if {
	_is([_without(_cron("timeZone"))], "zone", 2, "timeZone")
	_is([_set(_cron("concurrencyPolicy"), "Allow")], "overlap", 3, "concurrencyPolicy")
	_is([_set(_cron("suspend"), false)], "suspend", 3, "suspend")
	_found([_set(_cron("timeZone"), "UTC")]) == set()
}

test_a_cycle_ends_before_the_next_tick if {
	_is([_set(_cron("startingDeadlineSeconds"), 9)], "deadline", 3, "startingDeadlineSeconds")
	_is([_without(_cron("startingDeadlineSeconds"))], "deadline", 2, "startingDeadlineSeconds")
	_is([_set(_job("activeDeadlineSeconds"), 300)], "deadline", 5, "activeDeadlineSeconds")
	_is([_set(_job("activeDeadlineSeconds"), "9")], "deadline", 5, "activeDeadlineSeconds")
	code := "scheduler_manifest.deadline"
	{[of, subject] | some [of, _, subject] in _found([_set(_cron("schedule"), "*/2 * * * *")])} == {[code, "startingDeadlineSeconds"], [code, "activeDeadlineSeconds"], ["scheduler_manifest.schedule", "dev"]}
	hourly := [_set(_cron("schedule"), "0 * * * *"), _set(_job("activeDeadlineSeconds"), 3000)]
	code in {of | some [of, _, _] in _found(hourly)}
	{of | some [of, _, _] in _found_with(hourly, {"interval_seconds": 3600})} == {"scheduler_manifest.schedule"}
	"scheduler_manifest.schedule" in {of | some [of, _, _] in _found([_set(_cron("schedule"), 7)])}
}

test_a_cycle_is_tried_once if {
	_is([_set(_job("backoffLimit"), 1)], "retry", 5, "backoffLimit")
	_is([_without(_job("backoffLimit"))], "retry", 4, "backoffLimit")
	_is([_set(_job("parallelism"), 2)], "retry", 5, "parallelism")
	_is([_set(_job("completions"), 2)], "retry", 5, "completions")
	_is([_set(_job("template/spec/restartPolicy"), "OnFailure")], "retry", 7, "restartPolicy")
}

test_history_is_kept if {
	_is([_set(_cron("failedJobsHistoryLimit"), 0)], "history", 3, "failedJobsHistoryLimit")
	_is([_without(_cron("successfulJobsHistoryLimit"))], "history", 2, "successfulJobsHistoryLimit")
}

test_its_container_runs_one_cycle if {
	_is([_set(_c("/name"), "a")], "container", 9, "scheduler")
	_is([_without(_c("/args/1"))], "flag", 9, "--once")
	_is([_replace(_c("/args/2"), "--launcher=local")], "flag", 10, "--launcher")
	_is([_replace(_c("/args/4"), "--gateway=http://a")], "flag", 10, "--gateway")
	_found_with([_replace(_c("/args/4"), "--gateway=http://a")], {"gateway": "http://a"}) == set()
}

test_its_pod_is_confined if {
	_is([_set(_c("/securityContext/allowPrivilegeEscalation"), true)], "weak_pod", 10, "CronJob/leviathan-dev-scheduler scheduler.securityContext.allowPrivilegeEscalation")
	_is([_set(_c("/image"), "a:1")], "unpinned_image", 9, "CronJob/leviathan-dev-scheduler scheduler.image")
	_is([_without(_c("/resources/limits"))], "resources", 9, "CronJob/leviathan-dev-scheduler scheduler.resources.limits.memory")
	_is([_set(_c("/env"), [{"name": "TOKEN", "value": "x"}])], "plain_secret", 11, "CronJob/leviathan-dev-scheduler scheduler.env.TOKEN")
	_is([_set("/2/spec/jobTemplate/spec/template/spec/volumes/-", {"name": "b"})], "volume", 8, "CronJob/leviathan-dev-scheduler volumes.b")
}

test_its_account_is_its_own if {
	_is([_set("/2/spec/jobTemplate/spec/template/spec/automountServiceAccountToken", false)], "account", 7, "CronJob/leviathan-dev-scheduler automountServiceAccountToken")
	_is([_without("/0/automountServiceAccountToken")], "free_account", 1, "leviathan-scheduler")
}

_found_for(grants) := _found_of(_facts([], grants))

test_its_rights_are_these if {
	_found_for(array.concat(_grants, [_grant(44, "", "secrets", ["get"])])) == {["scheduler_manifest.right", 44, "get secrets"]}
	more := array.concat(_grants, [object.union(_grant(44, "", "secrets", ["get"]), {"binding": "m.yaml#1"})])
	_found_of(_facts([], more)) == {["scheduler_manifest.right", 44, "get secrets"]}
	_found_of(_facts([_set("/1/metadata/name", "other")], more)) == {["scheduler_manifest.right", 2, "get secrets"]}
	_found_for([_grants[0], _grants[1], _grant(33, "", "nodes", ["list"])]) == {["scheduler_manifest.right", 33, "list nodes"], ["scheduler_manifest.lacks_right", 33, "list pods"]}
	_found_for([_grant(11, "batch", "jobs", ["create", "get", "list"]), _grants[1], _grants[2]]) == {["scheduler_manifest.lacks_right", 11, "delete batch/jobs"]}
	lost := _found_for([])
	count(lost) == 6
	{line | some [_, line, _] in lost} == {2}
	unbound := _found_of(_facts([_set("/1/metadata/name", "a")], []))
	{line | some [_, line, _] in unbound} == {7}
	_found_of(object.union(_facts([], [_grants[0]]), {"settings": {"parameters": {"scheduler_manifest": {"rights": ["create batch/jobs", "get batch/jobs", "list batch/jobs", "delete batch/jobs"]}}}})) == set()
}

test_it_shows_a_token_and_has_no_secret if {
	_is([_set(_c("/env"), [kit.secret_variable("A", "s", "k")])], "secret", 11, "s")
	_is([_set(_c("/envFrom"), [{"secretRef": {"name": "s"}}])], "secret", 10, "s")
	_is([_replace(_c("/args/5"), "--token-file=/x")], "token", 10, "CronJob/leviathan-dev-scheduler --token-file")
}
