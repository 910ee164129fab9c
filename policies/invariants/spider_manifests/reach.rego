package leviathan.invariants.spider_manifests

import rego.v1

import data.leviathan.invariants._kube as kube
import data.leviathan.invariants._lib as lib

# METADATA
# title: It is not its own service account
# description: The spider runs as another service account than its own, or gets a token of the Kubernetes API that it does not need.
# custom:
#   code: spider_manifests.account
#   severity: error
#   message: "{owner} {what}"
#   remedy: "Set {field} to {wanted}."
deny contains v if {
	some d in _deployments
	some fault in kube.other_accounts(d, _account, false)
	v := lib.violation(rego.metadata.chain(), kube.place(d, fault.path), fault.values)
}

# METADATA
# title: Its service account gives a token to every pod
# description: A pod that says nothing would get a token of the Kubernetes API.
# custom:
#   code: spider_manifests.free_account
#   severity: error
#   message: "the service account {account} gives its token to every pod"
#   remedy: "Write automountServiceAccountToken: false."
deny contains v if {
	some scope in _scopes
	some r in kube.free_accounts(scope, _account)
	v := lib.violation(rego.metadata.chain(), kube.place(r, ["automountServiceAccountToken"]), {"account": _account, "subject": _account})
}

# METADATA
# title: It has a right in the cluster
# description: The spider asks the Kubernetes API for nothing.
# custom:
#   code: spider_manifests.right
#   severity: error
#   message: "{owner} may {right} at the Kubernetes API"
#   remedy: "Take the right away, or the binding that gives it."
deny contains v if {
	some d in _deployments
	some found in kube.rights(d)
	v := lib.violation(rego.metadata.chain(), found.bound, {"owner": kube.owner(d), "right": found.right, "subject": found.right})
}

# METADATA
# title: It has a Secret
# description: The spider shows a token of its service account and needs nobody else's.
# custom:
#   code: spider_manifests.secret
#   severity: error
#   message: "{owner} has the Secret {secret}"
#   remedy: "Take it away; the spider reads as the role of its service account."
deny contains v if {
	some d in _deployments
	some found in array.concat(kube.secrets(d), kube.whole_secrets(d))
	v := lib.violation(rego.metadata.chain(), kube.place(d, found.path), {"owner": kube.owner(d), "secret": found.secret, "subject": found.secret})
}

# METADATA
# title: Its token is not the gateway's
# description: The token that the spider shows is not a projected one for the gateway, mounted where its flag looks.
# custom:
#   code: spider_manifests.token
#   severity: error
#   message: "{owner}: {what}"
#   remedy: "Project a token of the audience {audience} for 600 to 3600 seconds, mount it with readOnly: true, and name its file with --token-file."
deny contains v if {
	some d in _deployments
	some c in _ours(d)
	audience := _parameter("audience", "leviathan")
	some fault in kube.token_faults(d, c, "--token-file", audience)
	v := lib.violation(rego.metadata.chain(), kube.place(d, fault.path), object.union(fault.values, {"audience": audience}))
}

# METADATA
# title: It follows nobody
# description: The spider does not follow the control plane's Service.
# custom:
#   code: spider_manifests.follow
#   severity: error
#   message: "the container {container} does not follow {url}"
#   remedy: "Write --follow={url}, once."
deny contains v if {
	some d in _deployments
	some c in _ours(d)
	url := _parameter("gateway", "http://leviathan-control-plane:8000")
	some path in kube.misdirected(c, "--follow", url)
	v := lib.violation(rego.metadata.chain(), kube.place(d, path), {"container": _container, "url": url, "subject": "--follow"})
}

# METADATA
# title: Nothing is forwarded to it
# description: The control plane of the same kustomization does not forward its events to the spider's Service.
# custom:
#   code: spider_manifests.forward
#   severity: error
#   message: "{owner} does not forward its events to {url}"
#   remedy: "Write --spider-url={url} in its container, once."
deny contains v if {
	some scope in _scopes
	url := kube.url(_service, _port)
	some d in kube.pods(scope, "Deployment", _parameter("control_plane", "leviathan-control-plane"))
	c := d.containers[0]
	every other in d.containers {
		count(kube.misdirected(other, "--spider-url", url)) > 0
	}
	v := lib.violation(rego.metadata.chain(), kube.place(d, kube.misdirected(c, "--spider-url", url)[0]), {"owner": kube.owner(d), "url": url, "subject": "--spider-url"})
}
