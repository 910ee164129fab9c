package leviathan.invariants.scheduler_manifest

import rego.v1

import data.leviathan.invariants._kube as kube
import data.leviathan.invariants._lib as lib

# METADATA
# title: The container is another one
# description: The container has not the name that operators know, or does not run the scheduler.
# custom:
#   code: scheduler_manifest.container
#   severity: error
#   message: "{owner} has no container {container} that runs leviathan {command}"
#   remedy: "Name it {container}, with the command leviathan and {command} as its first argument."
deny contains v if {
	some j in _jobs
	count([c | some c in _ours(j); kube.runs(c, _command)]) != 1
	v := lib.violation(rego.metadata.chain(), kube.place(j, kube.program_path(j, _container)), {
		"owner": kube.owner(j), "container": _container, "command": _command, "subject": _container,
	})
}

# METADATA
# title: A flag says something else
# description: The scheduler runs one cycle for each tick, makes Jobs of attempts, and asks the control plane's Service.
# custom:
#   code: scheduler_manifest.flag
#   severity: error
#   message: "the container {container} does not have {flag} once"
#   remedy: "Write {flag}, once."
deny contains v if {
	some j in _jobs
	some c in _ours(j)
	some name, wanted in _parameter("flags", {"--once": "", "--launcher": "kubernetes", "--gateway": _parameter("gateway", "http://leviathan-control-plane:8000")})
	some path in kube.misdirected(c, name, wanted)
	flag := trim_suffix(concat("=", [name, wanted]), "=")
	v := lib.violation(rego.metadata.chain(), kube.place(j, path), {"container": _container, "flag": flag, "subject": name})
}

# METADATA
# title: It may do what it need not
# description: The pod of the scheduler has rights at its node that the restricted profile refuses, or may write to its image.
# custom:
#   code: scheduler_manifest.weak_pod
#   severity: error
#   message: "{owner} {what}"
#   remedy: "Set {field} to {wanted}."
deny contains v if {
	some j in _jobs
	some fault in kube.weaknesses(j)
	v := lib.violation(rego.metadata.chain(), kube.place(j, fault.path), fault.values)
}

# METADATA
# title: An image is not pinned
# description: An image of the scheduler may be another one tomorrow.
# custom:
#   code: scheduler_manifest.unpinned_image
#   severity: error
#   message: "{owner} runs the image {image}, which is not pinned by its digest"
#   remedy: "Name it with its digest, NAME@sha256:…; one that was loaded into the nodes needs imagePullPolicy: Never and a tag other than latest."
deny contains v if {
	some j in _jobs
	some fault in kube.unpinned(j, _parameter("unpinned", []))
	v := lib.violation(rego.metadata.chain(), kube.place(j, fault.path), fault.values)
}

# METADATA
# title: An amount is missing
# description: A container does not say what it needs, or what it may have at most.
# custom:
#   code: scheduler_manifest.resources
#   severity: error
#   message: "the container {container} of {owner} has no {amount}"
#   remedy: "Write requests of cpu and memory and a limit of memory."
deny contains v if {
	some j in _jobs
	some fault in kube.starved(j)
	v := lib.violation(rego.metadata.chain(), kube.place(j, fault.path), fault.values)
}

# METADATA
# title: A volume and its mount do not meet
# description: A mount names a volume that the pod does not have, or a volume is mounted nowhere.
# custom:
#   code: scheduler_manifest.volume
#   severity: error
#   message: "the volume {volume} of {owner} is not there, or mounted nowhere"
#   remedy: "Give volume and mount the same name, or take both away."
deny contains v if {
	some j in _jobs
	some fault in kube.unmounted(j)
	v := lib.violation(rego.metadata.chain(), kube.place(j, fault.path), fault.values)
}

# METADATA
# title: A secret stands in the manifest
# description: The value of a token, a password or a key is in the environment or on the command line.
# custom:
#   code: scheduler_manifest.plain_secret
#   severity: error
#   message: "{owner} has the value of {name} in its manifest"
#   remedy: "Take it away, and change the secret: this one has been seen. The scheduler shows a token of its service account."
deny contains v if {
	some j in _jobs
	some fault in kube.plain(j)
	v := lib.violation(rego.metadata.chain(), kube.place(j, fault.path), fault.values)
}
