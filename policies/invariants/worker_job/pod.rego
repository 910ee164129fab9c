package leviathan.invariants.worker_job

import rego.v1

import data.leviathan.invariants._kube as kube
import data.leviathan.invariants._lib as lib

# METADATA
# title: It may do what it need not
# description: The worker's pod has rights at its node that the restricted profile refuses, or may write to its image.
# custom:
#   code: worker_job.weak_pod
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
# description: An image of the worker may be another one tomorrow.
# custom:
#   code: worker_job.unpinned_image
#   severity: error
#   message: "{owner} runs the image {image}, which is not pinned by its digest"
#   remedy: "Name it with its digest, NAME@sha256:…, or, as the example of a config, in parameters.worker_job.unpinned of .leviathan/invariants.yaml."
deny contains v if {
	some j in _jobs
	some fault in kube.unpinned(j, _parameter("unpinned", ["leviathan-worker:local"]))
	v := lib.violation(rego.metadata.chain(), kube.place(j, fault.path), fault.values)
}

# METADATA
# title: An amount is missing
# description: A container does not say what it needs, or what it may have at most.
# custom:
#   code: worker_job.resources
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
#   code: worker_job.volume
#   severity: error
#   message: "the volume {volume} of {owner} is not there, or mounted nowhere"
#   remedy: "Give volume and mount the same name, or take both away."
deny contains v if {
	some j in _jobs
	some fault in kube.unmounted(j)
	v := lib.violation(rego.metadata.chain(), kube.place(j, fault.path), fault.values)
}

# METADATA
# title: A volume may fill the node
# description: An agent writes what it likes, so that every empty folder of a worker has a limit.
# custom:
#   code: worker_job.limitless
#   severity: error
#   message: "the volume {volume} has no limit"
#   remedy: "Write sizeLimit to its emptyDir."
deny contains v if {
	some j in _jobs
	some i, volume in kube.list(j.spec, ["volumes"])
	folder := kube.get(volume, ["emptyDir"], null)
	folder != null
	kube.get(folder, ["sizeLimit"], "0") in {"0", 0, "", null}
	v := lib.violation(rego.metadata.chain(), kube.place(j, array.concat(j.path, ["volumes", i])), {"volume": volume.name, "subject": volume.name})
}

# METADATA
# title: The workspace is not its own
# description: The folder that the worker clones into is not an empty volume of this attempt that can be written.
# custom:
#   code: worker_job.workspace
#   severity: error
#   message: "--workspace is {told}, where no empty volume is mounted to be written"
#   remedy: "Mount an emptyDir there."
deny contains v if {
	some j in _jobs
	some c in _ours(j)
	told := kube.told(c, "--workspace")
	count([mount |
		some mount in kube.mounts(j, c)
		told == [mount.path]
		mount.read_only == false
		is_object(kube.get(mount.volume, ["emptyDir"], null))
	]) != 1
	v := lib.violation(rego.metadata.chain(), kube.place(j, kube.flag_path(c, "--workspace")), {"told": _shown(told), "subject": "--workspace"})
}
