package leviathan.invariants.control_plane

import rego.v1

import data.leviathan.invariants._kube as kube
import data.leviathan.invariants._lib as lib

# METADATA
# title: It may do what it need not
# description: The pod of the control plane has rights at its node that the restricted profile refuses, or may write to its image.
# custom:
#   code: control_plane.weak_pod
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
# description: An image of the control plane may be another one tomorrow.
# custom:
#   code: control_plane.unpinned_image
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
#   code: control_plane.resources
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
#   code: control_plane.plain_secret
#   severity: error
#   message: "{owner} has the value of {name} in its manifest"
#   remedy: "Take it from a Secret with secretKeyRef or from a mounted file, and change the secret: this one has been seen."
deny contains v if {
	some d in _deployments
	some fault in kube.plain(d)
	v := lib.violation(rego.metadata.chain(), kube.place(d, fault.path), fault.values)
}

# METADATA
# title: A token does not come from its Secret
# description: A variable that the control plane needs is missing, or comes from elsewhere than the Secret that operators make.
# custom:
#   code: control_plane.credential
#   severity: error
#   message: "{name} of the container {container} does not come from {secret}"
#   remedy: "Write {name} with a secretKeyRef to {secret} (name/key)."
deny contains v if {
	some d in _deployments
	some c in _ours(d)
	some name, secret in _parameter("environment", {
		"LEVIATHAN_CONTROL_PLANE_TOKEN": "leviathan-secrets/LEVIATHAN_CONTROL_PLANE_TOKEN",
		"GITHUB_TOKEN": "leviathan-secrets/GITHUB_TOKEN",
	})
	sources := [concat("/", [from.name, from.key]) |
		some env in kube.list(c.value, ["env"])
		env.name == name
		from := kube.get(env, ["valueFrom", "secretKeyRef"], {"name": "", "key": ""})
	]
	sources != [secret]
	[of, key] := split(secret, "/")
	v := lib.violation(rego.metadata.chain(), kube.place(d, kube.secret_path(c, name, of, key)), {"name": name, "container": _container, "secret": secret, "subject": name})
}

# METADATA
# title: A probe is missing or asks elsewhere
# description: Without its probes a control plane that hangs is not restarted, and gets questions before it can answer.
# custom:
#   code: control_plane.probe
#   severity: error
#   message: "the {probe} of {owner} is not {wanted}"
#   remedy: "Let it get {wanted} by httpGet, at a port that the container declares."
deny contains v if {
	some d in _deployments
	some c in _ours(d)
	some fault in kube.unprobed(d, c, _parameter("probes", {"livenessProbe": "/health", "readinessProbe": "/health/ready"}))
	v := lib.violation(rego.metadata.chain(), kube.place(d, fault.path), fault.values)
}

# METADATA
# title: The state is not on its volume
# description: The folder of the journal is not the mount of the claim, so that history ends with the pod.
# custom:
#   code: control_plane.state
#   severity: error
#   message: "{flag} of {owner} is {state}, where {claim} is not mounted to be written"
#   remedy: "Mount the claim {claim} there, whole and without readOnly."
deny contains v if {
	some d in _deployments
	some c in _ours(d)
	flag := _parameter("state_flag", "--state")
	state := kube.told(c, flag)
	not _kept(d, c, state)
	v := lib.violation(rego.metadata.chain(), kube.place(d, _state_path(d, c, flag, state)), {
		"flag": flag, "owner": kube.owner(d), "state": concat(" and ", _or_nothing(state)), "claim": _claim, "subject": _claim,
	})
}

# METADATA
# title: The claim asks for nothing
# description: The claim names no size or no mode of access.
# custom:
#   code: control_plane.claim
#   severity: error
#   message: "the claim {claim} has no {field}"
#   remedy: "Write {field}: at least ReadWriteOnce as a mode, and a size that holds the journal, mirrors and artifacts."
deny contains v if {
	some scope in _scopes
	some r in kube.resources(scope, "PersistentVolumeClaim", _claim)
	some path in [["spec", "accessModes"], ["spec", "resources", "requests", "storage"]]
	kube.get(r.value, path, null) in {null, "", 0, "0"}
	v := lib.violation(rego.metadata.chain(), kube.place(r, path), {"claim": _claim, "field": concat(".", path), "subject": concat(".", path)})
}

# METADATA
# title: A volume and its mount do not meet
# description: A mount names a volume that the pod does not have, or a volume is mounted nowhere.
# custom:
#   code: control_plane.volume
#   severity: error
#   message: "the volume {volume} of {owner} is not there, or mounted nowhere"
#   remedy: "Give volume and mount the same name, or take both away."
deny contains v if {
	some d in _deployments
	some fault in kube.unmounted(d)
	v := lib.violation(rego.metadata.chain(), kube.place(d, fault.path), fault.values)
}

# _state_path is the claim's name, where another one is mounted there, or else the
# flag.
_state_path(d, c, flag, state) := array.concat(found[0], ["persistentVolumeClaim", "claimName"]) if {
	found := [mount.source |
		some mount in kube.mounts(d, c)
		state == [mount.path]
		kube.get(mount.volume, ["persistentVolumeClaim", "claimName"], _claim) != _claim
	]
	count(found) > 0
} else := kube.flag_path(c, flag)

_kept(d, c, state) if {
	count(state) == 1
	some mount in kube.mounts(d, c)
	mount.path == state[0]
	mount.whole
	not mount.read_only
	kube.get(mount.volume, ["persistentVolumeClaim", "claimName"], "") == _claim
	not kube.get(mount.volume, ["persistentVolumeClaim", "readOnly"], false)
}
