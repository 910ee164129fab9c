# METADATA
# title: Worker job template
# description: |
#   The Job that the launcher makes for an attempt, as it renders it into a
#   file: it runs once, ends, is cleaned up, is found by its labels, and asks
#   the control plane and nobody else.
#   Parameters: file (which belongs into include where its folder is left out),
#   namespace, prefix (of names), app, container, command, service_account,
#   gateway (its URL), deadline_seconds (least and most), ttl_seconds,
#   annotations, agent_secret (prefix of names), forbidden (variables), unpinned
#   (references of images).
# custom:
#   needs: [workloads]
#   named: true
package leviathan.invariants.worker_job

import rego.v1

import data.leviathan.invariants._kube as kube
import data.leviathan.invariants._lib as lib

# METADATA
# title: There is no rendered Job
# description: The file of the rendered Job is not in the repository, not read, or has no Job.
# custom:
#   code: worker_job.missing
#   severity: error
#   message: "{file} has no Job of a worker"
#   remedy: "Render one there, or name another file with parameters.worker_job.file; a file of a folder that is left out belongs into include of .leviathan/invariants.yaml."
deny contains v if {
	count(_jobs) == 0
	v := lib.violation(rego.metadata.chain(), lib.file_place(_file), {"file": _file, "subject": _file})
}

# METADATA
# title: The name is not the attempt's
# description: A Job is named after its attempt, so that one attempt has one Job, and as Kubernetes takes names.
# custom:
#   code: worker_job.name
#   severity: error
#   message: "{name} is not {prefix} and the id of its attempt in lower case, in at most 63 letters"
#   remedy: "Derive the name from the attempt's id."
deny contains v if {
	some j in _jobs
	not _named(j)
	v := lib.violation(rego.metadata.chain(), kube.place(j, ["metadata", "name"]), {"name": j.name, "prefix": _prefix, "subject": "metadata.name"})
}

# METADATA
# title: It is in another namespace
# description: Rights, network policies and quota are those of one namespace.
# custom:
#   code: worker_job.namespace
#   severity: error
#   message: "the Job is in the namespace {found}, not in {namespace}"
#   remedy: "Write namespace: {namespace}."
deny contains v if {
	some j in _jobs
	namespace := _parameter("namespace", "leviathan")
	j.namespace != namespace
	v := lib.violation(rego.metadata.chain(), kube.place(j, ["metadata", "namespace"]), {"found": j.namespace, "namespace": namespace, "subject": "metadata.namespace"})
}

# METADATA
# title: A label is missing
# description: Network policies, budgets and operators find workers by their label app.
# custom:
#   code: worker_job.label
#   severity: error
#   message: "{field} is not {app}"
#   remedy: "Label the Job and its pod app: {app}."
deny contains v if {
	some j in _jobs
	some path in [["metadata", "labels", "app"], ["spec", "template", "metadata", "labels", "app"]]
	kube.get(j.value, path, null) != _app
	v := lib.violation(rego.metadata.chain(), kube.place(j, path), {"field": concat(".", path), "app": _app, "subject": concat(".", path)})
}

# METADATA
# title: It does not say whose it is
# description: A name is too short for the full ids, so that annotations of the Job and its pod have them.
# custom:
#   code: worker_job.annotation
#   severity: error
#   message: "the annotation {annotation} is missing or empty"
#   remedy: "Annotate the Job and its pod with the full id."
deny contains v if {
	some j in _jobs
	some path in [["metadata", "annotations"], ["spec", "template", "metadata", "annotations"]]
	some name in _parameter("annotations", [_attempt_annotation, "leviathan.dev/target", "leviathan.dev/task-id"])
	whole := array.concat(path, [name])
	kube.get(j.value, whole, "") in {"", null}
	v := lib.violation(rego.metadata.chain(), kube.place(j, whole), {"annotation": name, "subject": concat(" ", [concat(".", path), name])})
}

# METADATA
# title: It is tried again
# description: An attempt is tried once; whether there is another one, policy decides.
# custom:
#   code: worker_job.retry
#   severity: error
#   message: "{field} is not {wanted}"
#   remedy: "Write {field}: {wanted}."
deny contains v if {
	some j in _jobs
	some rule in [
		{"path": ["spec", "backoffLimit"], "good": {0}, "wanted": "0"}, {"path": ["spec", "template", "spec", "restartPolicy"], "good": {"Never"}, "wanted": "Never"},
		{"path": ["spec", "parallelism"], "good": {1, null}, "wanted": "1"}, {"path": ["spec", "completions"], "good": {1, null}, "wanted": "1"},
	]
	field := rule.path[count(rule.path) - 1]
	not kube.get(j.value, rule.path, null) in rule.good
	v := lib.violation(rego.metadata.chain(), kube.place(j, rule.path), {"field": field, "wanted": rule.wanted, "subject": field})
}

# METADATA
# title: It never ends
# description: The Job has no deadline, or one that no attempt can have.
# custom:
#   code: worker_job.deadline
#   severity: error
#   message: "activeDeadlineSeconds is not between {least} and {most}"
#   remedy: "Derive it from the attempt's timeout."
deny contains v if {
	some j in _jobs
	[least, most] := _parameter("deadline_seconds", [1, 90000])
	not _between(kube.get(j.value, ["spec", "activeDeadlineSeconds"], null), least, most)
	v := lib.violation(rego.metadata.chain(), kube.place(j, ["spec", "activeDeadlineSeconds"]), {"least": least, "most": most, "subject": "activeDeadlineSeconds"})
}

# METADATA
# title: It is not cleaned up
# description: Finished Jobs stay as long as operators are promised, and go then.
# custom:
#   code: worker_job.cleanup
#   severity: error
#   message: "ttlSecondsAfterFinished is not {wanted}"
#   remedy: "Write ttlSecondsAfterFinished: {wanted}."
deny contains v if {
	some j in _jobs
	wanted := _parameter("ttl_seconds", 3600)
	kube.get(j.value, ["spec", "ttlSecondsAfterFinished"], null) != wanted
	v := lib.violation(rego.metadata.chain(), kube.place(j, ["spec", "ttlSecondsAfterFinished"]), {"wanted": wanted, "subject": "ttlSecondsAfterFinished"})
}

# METADATA
# title: The container is another one
# description: The container has not the name that operators know, or does not run the worker.
# custom:
#   code: worker_job.container
#   severity: error
#   message: "the Job has no container {container} that runs leviathan {command}"
#   remedy: "Name it {container}, with the command leviathan and {command} as its first argument."
deny contains v if {
	some j in _jobs
	count([c | some c in _ours(j); kube.runs(c, _command)]) != 1
	v := lib.violation(rego.metadata.chain(), kube.place(j, kube.program_path(j, _container)), {"container": _container, "command": _command, "subject": _container})
}

# METADATA
# title: It asks for another attempt, or elsewhere
# description: The worker is told the address of the control plane's Service, and the attempt that it is annotated with.
# custom:
#   code: worker_job.flag
#   severity: error
#   message: "the container {container} does not have {flag}={wanted} once"
#   remedy: "Write {flag}={wanted}, once."
deny contains v if {
	some j in _jobs
	some c in _ours(j)
	some flag, wanted in {"--gateway": _parameter("gateway", "http://leviathan-control-plane:8000"), "--attempt": _attempt(j)}
	some path in kube.misdirected(c, flag, wanted)
	v := lib.violation(rego.metadata.chain(), kube.place(j, path), {"container": _container, "flag": flag, "wanted": wanted, "subject": flag})
}

_parameter(name, otherwise) := lib.parameter("worker_job", name, otherwise)

_file := _parameter("file", "scheduler/testdata/worker-job.yaml")

_prefix := _parameter("prefix", "leviathan-worker-")

_app := _parameter("app", "leviathan-worker")

_account := _parameter("service_account", "leviathan-worker")

_container := _parameter("container", "worker")

_command := _parameter("command", "worker")

_attempt_annotation := "leviathan.dev/attempt-id"

_jobs := [object.union(r, pod) |
	some r in kube.everything("source")
	r.file == _file
	r.kind == "Job"
	some pod in kube.all_pods("source")
	pod.document == r.document
]

_ours(j) := [c | some c in j.containers; c.name == _container; c.type == "container"]

_attempt(j) := sprintf("%v", [kube.get(j.value, ["metadata", "annotations", _attempt_annotation], "")])

_named(j) if {
	regex.match(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`, j.name)
	j.name == concat("", [_prefix, lower(_attempt(j))])
}

_between(value, least, most) if {
	is_number(value)
	value >= least
	value <= most
}

# _shown is what a flag was told, in a message.
_shown(told) := concat(" and ", told) if count(told) > 0

_shown([]) := "nothing"
