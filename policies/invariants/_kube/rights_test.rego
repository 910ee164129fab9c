package leviathan.invariants._kube_test

import rego.v1

import data.leviathan.invariants._kube as kube

_grant(values) := object.union(
	{
		"known": true, "namespace": "n", "role_name": "Role/r", "place": {"file": "r.yaml", "line": 3, "column": 1},
		"api_groups": [""], "resources": ["pods"], "resource_names": [], "urls": [], "verbs": ["list"],
	},
	values,
)

_granted(subject, values) := object.union(facts([_job({"serviceAccountName": "s"})]), {"rbac": {"source": {subject: [_grant(values)]}}})

_rights(subject, values) := found if {
	found := {r.right | some r in kube.rights(_pod(_granted(subject, values)))} with input as _granted(subject, values)
}

test_rights_are_lines if {
	_rights("ServiceAccount/n/s", {}) == {"list pods"}
	_rights("ServiceAccount/n/s", {"api_groups": ["batch"], "resources": ["jobs"], "verbs": ["get", "list"]}) == {"get batch/jobs", "list batch/jobs"}
	_rights("ServiceAccount/n/s", {"resource_names": ["a", "b"]}) == {"list pods/a", "list pods/b"}
	_rights("ServiceAccount/n/s", {"namespace": ""}) == {"cluster: list pods"}
	_rights("ServiceAccount/n/s", {"namespace": "m"}) == {"m: list pods"}
	_rights("ServiceAccount/n/s", {"namespace": "", "api_groups": [], "resources": [], "urls": ["/metrics"]}) == {"cluster: list /metrics"}
	_rights("ServiceAccount/n/s", {"known": false, "verbs": []}) == {"everything of the unknown Role/r"}
}

test_a_right_knows_its_binding if {
	binding := {"kind": "RoleBinding", "metadata": {"name": "b"}, "subjects": [{"name": "x"}, {"name": "s"}]}
	document := object.union(facts([binding, _job({"serviceAccountName": "s"})]), {"rbac": {"source": {"ServiceAccount/n/s": [_grant({"binding": "m.yaml#0"})]}}})
	{[r.binding, r.bound.file, r.bound.line] | some r in kube.rights(_pod(document))} == {["b", "m.yaml", 3]} with input as document
}

test_rights_of_groups_are_rights if {
	every group in ["system:serviceaccounts", "system:serviceaccounts:n", "system:authenticated"] {
		_rights(concat("/", ["Group", group]), {}) == {"list pods"}
	}
	_rights("ServiceAccount/n/default", {}) == set()
	_rights("ServiceAccount/m/s", {}) == set()
}

test_rights_are_compared_with_a_list if {
	document := _granted("ServiceAccount/n/s", {})
	kube.lacking(_pod(document), ["list pods", "get pods"]) == {"get pods"} with input as document
	{r.right | some r in kube.excess(_pod(document), ["get pods"])} == {"list pods"} with input as document
	kube.excess(_pod(document), ["list pods"]) == set() with input as document
}

_account(spec) := {fault.values.field | some fault in kube.other_accounts(_pod(facts([_job(spec)])), "s", false)}

test_a_pod_runs_as_its_own_account if {
	_account({"serviceAccountName": "s", "automountServiceAccountToken": false}) == set()
	_account({"serviceAccountName": "s"}) == {"automountServiceAccountToken"}
	_account({"automountServiceAccountToken": false}) == {"serviceAccountName"}
}

test_an_account_gives_no_token_to_every_pod if {
	account := {"kind": "ServiceAccount", "metadata": {"name": "s"}}
	count(kube.free_accounts("source", "s")) == 1 with input as facts([account])
	count(kube.free_accounts("source", "s")) == 0 with input as facts([object.union(account, {"automountServiceAccountToken": false})])
}

test_secrets_of_a_pod_are_all_found if {
	pod := _pod(facts([_job({
		"containers": [_container({"env": [secret_variable("A", "one", "k"), {"name": "B", "value": "x"}], "envFrom": [{"secretRef": {"name": "two"}}, {"configMapRef": {"name": "c"}}]})],
		"volumes": [{"name": "a", "secret": {"secretName": "three"}}, {"name": "b", "projected": {"sources": [{"secret": {"name": "four"}}, {"configMap": {}}]}}, {"name": "c", "emptyDir": {}}],
	})]))
	[[s.secret, s.key, s.as] | some s in kube.secrets(pod)] == [["one", "k", "A"]]
	[s.secret | some s in kube.whole_secrets(pod)] == ["two", "three", "four"]
}

_token(patches) := {fault.values.what |
	pod := _pod(facts([json.patch(
		_job({
			"containers": [_container({"args": ["--token-file=/t/token"], "volumeMounts": [{"name": "t", "mountPath": "/t", "readOnly": true}]})],
			"volumes": [{"name": "t", "projected": {"sources": [{"serviceAccountToken": {"audience": "us", "expirationSeconds": 600, "path": "token"}}]}}],
		}),
		patches,
	)]))
	some fault in kube.token_faults(pod, pod.containers[0], "--token-file", "us")
}

_source(field) := concat("", ["/spec/template/spec/volumes/0/projected/sources/0/serviceAccountToken/", field])

_word(path) := concat("", ["/spec/template/spec/containers/0", path])

test_a_token_is_for_one_audience_and_a_short_time if {
	_token([]) == set()
	_token([_set(_source("audience"), "them")]) == {"a token is for another audience"}
	every seconds in [599, 3601, "600"] {
		_token([_set(_source("expirationSeconds"), seconds)]) == {"a token is valid for more than an hour, or less than the ten minutes that Kubernetes asks for"}
	}
	_token([{"op": "remove", "path": _source("expirationSeconds")}]) == set()
	_token([_set(_word("/volumeMounts/0/readOnly"), false)]) == {"the mount of a token can be written"}
	_token([_set(_source("path"), "other")]) == {"--token-file names no projected token"}
	_token([_set(_word("/args"), [])]) == {"--token-file names no projected token"}
	_token([_set(_word("/args/-"), "--token-file=/t/token")]) == {"--token-file names no projected token"}
}

test_a_flag_leads_to_one_address if {
	c := _of({"args": ["--to=http://a:80/"]}).containers[0]
	kube.misdirected(c, "--to", kube.url("a", 80)) == []
	kube.misdirected(c, "--to", kube.url("b", 80)) == [array.concat(c.path, ["args", 0])]
	kube.misdirected(c, "--from", kube.url("b", 80)) == [array.concat(c.path, ["args"])]
}
