package leviathan.invariants.scheduler_manifest

import rego.v1

import data.leviathan.invariants._kube as kube
import data.leviathan.invariants._lib as lib

# METADATA
# title: It is not its own service account
# description: The scheduler runs as another service account than its own, or without the token with which it makes Jobs.
# custom:
#   code: scheduler_manifest.account
#   severity: error
#   message: "{owner} {what}"
#   remedy: "Set {field} to {wanted}."
deny contains v if {
	some j in _jobs
	some fault in kube.other_accounts(j, _account, true)
	v := lib.violation(rego.metadata.chain(), kube.place(j, fault.path), fault.values)
}

# METADATA
# title: Its service account gives a token to every pod
# description: A pod that says nothing would get a token that makes Jobs.
# custom:
#   code: scheduler_manifest.free_account
#   severity: error
#   message: "the service account {account} gives its token to every pod"
#   remedy: "Write automountServiceAccountToken: false; the scheduler's own pod asks for its token."
deny contains v if {
	some scope in _scopes
	some r in kube.free_accounts(scope, _account)
	v := lib.violation(rego.metadata.chain(), kube.place(r, ["automountServiceAccountToken"]), {"account": _account, "subject": _account})
}

# METADATA
# title: It has a right too many
# description: The scheduler may do more at the Kubernetes API than make, watch and remove Jobs.
# custom:
#   code: scheduler_manifest.right
#   severity: error
#   message: "{owner} may {right} at the Kubernetes API"
#   remedy: "Take the right away, or add it to parameters.scheduler_manifest.rights in .leviathan/invariants.yaml, which is reviewed."
deny contains v if {
	some j in _jobs
	some found in kube.excess(j, _rights)
	v := lib.violation(rego.metadata.chain(), _given(found), {"owner": kube.owner(j), "right": found.right, "subject": found.right})
}

# METADATA
# title: It lacks a right
# description: Without the right the scheduler cannot start an attempt, or does not see its end.
# custom:
#   code: scheduler_manifest.lacks_right
#   severity: error
#   message: "{owner} may not {right} at the Kubernetes API"
#   remedy: "Give the right to its service account with a Role and a RoleBinding of its namespace."
deny contains v if {
	some j in _jobs
	some right in kube.lacking(j, _rights)
	v := lib.violation(rego.metadata.chain(), _role_place(j, right), {"owner": kube.owner(j), "right": right, "subject": right})
}

# METADATA
# title: It has a Secret
# description: The scheduler shows a token of its service account, and makes Secrets without reading one.
# custom:
#   code: scheduler_manifest.secret
#   severity: error
#   message: "{owner} has the Secret {secret}"
#   remedy: "Take it away; what an agent needs is in the Secret of that agent, which only its Job gets."
deny contains v if {
	some j in _jobs
	some found in array.concat(kube.secrets(j), kube.whole_secrets(j))
	v := lib.violation(rego.metadata.chain(), kube.place(j, found.path), {"owner": kube.owner(j), "secret": found.secret, "subject": found.secret})
}

# METADATA
# title: Its token is not the gateway's
# description: The token that the scheduler shows is not a projected one for the gateway, mounted where its flag looks.
# custom:
#   code: scheduler_manifest.token
#   severity: error
#   message: "{owner}: {what}"
#   remedy: "Project a token of the audience {audience} for 600 to 3600 seconds, mount it with readOnly: true, and name its file with --token-file."
deny contains v if {
	some j in _jobs
	some c in _ours(j)
	audience := _parameter("audience", "leviathan")
	some fault in kube.token_faults(j, c, "--token-file", audience)
	v := lib.violation(rego.metadata.chain(), kube.place(j, fault.path), object.union(fault.values, {"audience": audience}))
}

_rights := _parameter("rights", ["create batch/jobs", "get batch/jobs", "list batch/jobs", "delete batch/jobs", "create secrets", "list pods"])

# _given is the rule of the account's own role, or the binding of another one.
_given(found) := found.place if found.binding in {_account, ""}

_given(found) := found.bound if not found.binding in {_account, ""}

# _role_place is where a right would be given: at a rule about the same
# resource, at the account's last rule, at its binding, or at the pod.
_role_place(j, right) := max({found.place | some found in kube.rights(j); endswith(found.right, concat(" ", ["", split(right, " ")[1]]))}) if {
	count([1 | some found in kube.rights(j); endswith(found.right, concat(" ", ["", split(right, " ")[1]]))]) > 0
} else := max({found.place | some found in kube.rights(j)}) if {
	count(kube.rights(j)) > 0
} else := kube.place(kube.resources(j.scope, "RoleBinding", _account)[0], ["subjects"]) if {
	count(kube.resources(j.scope, "RoleBinding", _account)) > 0
} else := kube.place(j, array.concat(j.path, ["serviceAccountName"]))
