package leviathan.invariants.spider_manifests

import rego.v1

import data.leviathan.invariants._kube as kube
import data.leviathan.invariants._lib as lib

# METADATA
# title: It may do what it need not
# description: The pod of the spider has rights at its node that the restricted profile refuses, or may write to its image.
# custom:
#   code: spider_manifests.weak_pod
#   severity: error
#   message: "{owner} {what}"
#   remedy: "Set {field} to {wanted}."
deny contains v if {
	some d in _deployments
	some fault in kube.weaknesses(d)
	v := lib.violation(rego.metadata.chain(), kube.place(d, fault.path), fault.values)
}

# METADATA
# title: An image is not pinned
# description: An image of the spider may be another one tomorrow.
# custom:
#   code: spider_manifests.unpinned_image
#   severity: error
#   message: "{owner} runs the image {image}, which is not pinned by its digest"
#   remedy: "Name it with its digest, NAME@sha256:…; one that was loaded into the nodes needs imagePullPolicy: Never and a tag other than latest."
deny contains v if {
	some d in _deployments
	some fault in kube.unpinned(d, _parameter("unpinned", []))
	v := lib.violation(rego.metadata.chain(), kube.place(d, fault.path), fault.values)
}

# METADATA
# title: An amount is missing
# description: A container does not say what it needs, or what it may have at most.
# custom:
#   code: spider_manifests.resources
#   severity: error
#   message: "the container {container} of {owner} has no {amount}"
#   remedy: "Write requests of cpu and memory and a limit of memory."
deny contains v if {
	some d in _deployments
	some fault in kube.starved(d)
	v := lib.violation(rego.metadata.chain(), kube.place(d, fault.path), fault.values)
}

# METADATA
# title: A secret stands in the manifest
# description: The value of a token, a password or a key is in the environment or on the command line.
# custom:
#   code: spider_manifests.plain_secret
#   severity: error
#   message: "{owner} has the value of {name} in its manifest"
#   remedy: "Take it from a Secret with secretKeyRef or from a mounted file, and change the secret: this one has been seen."
deny contains v if {
	some d in _deployments
	some fault in kube.plain(d)
	v := lib.violation(rego.metadata.chain(), kube.place(d, fault.path), fault.values)
}

# METADATA
# title: A probe is missing or asks elsewhere
# description: Without its probes a control plane that hangs is not restarted, and gets questions before it can answer.
# custom:
#   code: spider_manifests.probe
#   severity: error
#   message: "the {probe} of {owner} is not {wanted}"
#   remedy: "Let it get {wanted} by httpGet, at a port that the container declares."
deny contains v if {
	some d in _deployments
	some c in _ours(d)
	some fault in kube.unprobed(d, c, _parameter("probes", {"livenessProbe": "/health", "readinessProbe": "/health"}))
	v := lib.violation(rego.metadata.chain(), kube.place(d, fault.path), fault.values)
}

# METADATA
# title: A volume and its mount do not meet
# description: A mount names a volume that the pod does not have, or a volume is mounted nowhere.
# custom:
#   code: spider_manifests.volume
#   severity: error
#   message: "the volume {volume} of {owner} is not there, or mounted nowhere"
#   remedy: "Give volume and mount the same name, or take both away."
deny contains v if {
	some d in _deployments
	some fault in kube.unmounted(d)
	v := lib.violation(rego.metadata.chain(), kube.place(d, fault.path), fault.values)
}
