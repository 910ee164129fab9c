package leviathan.invariants.worker_job

import rego.v1

import data.leviathan.invariants._kube as kube
import data.leviathan.invariants._lib as lib

# METADATA
# title: It can ask the Kubernetes API
# description: A worker runs what an agent wrote, and has neither an account with rights nor a token of one.
# custom:
#   code: worker_job.account
#   severity: error
#   message: "{owner} {what}"
#   remedy: "Set {field} to {wanted}."
deny contains v if {
	some j in _jobs
	some fault in kube.other_accounts(j, _account, false)
	v := lib.violation(rego.metadata.chain(), kube.place(j, fault.path), fault.values)
}

# METADATA
# title: It gets a token of its service account
# description: A projected token would speak for every worker; a worker has one token, for its attempt.
# custom:
#   code: worker_job.account_token
#   severity: error
#   message: "the volume {volume} has a token of the service account"
#   remedy: "Take it away; the scheduler makes a Secret with the attempt's token."
deny contains v if {
	some j in _jobs
	some i, volume in kube.list(j.spec, ["volumes"])
	some source in kube.list(volume, ["projected", "sources"])
	kube.get(source, ["serviceAccountToken"], null) != null
	v := lib.violation(rego.metadata.chain(), kube.place(j, array.concat(j.path, ["volumes", i])), {"volume": volume.name, "subject": volume.name})
}

# METADATA
# title: It gets addresses that it need not
# description: Kubernetes writes the address of every Service into the environment unless it is told not to.
# custom:
#   code: worker_job.service_links
#   severity: error
#   message: "enableServiceLinks is not false"
#   remedy: "Write enableServiceLinks: false."
deny contains v if {
	some j in _jobs
	path := array.concat(j.path, ["enableServiceLinks"])
	kube.get(j.value, path, null) != false
	v := lib.violation(rego.metadata.chain(), kube.place(j, path), {"subject": "enableServiceLinks"})
}

# METADATA
# title: A secret stands in the Job
# description: The value of a token, a password or a key is in the environment or on the command line, where everybody who lists Jobs reads it.
# custom:
#   code: worker_job.plain_secret
#   severity: error
#   message: "{owner} has the value of {name} in its manifest"
#   remedy: "Take it from the agent's Secret with secretKeyRef, and change the secret: this one has been seen."
deny contains v if {
	some j in _jobs
	some fault in kube.plain(j)
	v := lib.violation(rego.metadata.chain(), kube.place(j, fault.path), fault.values)
}

# METADATA
# title: It gets what is the gateway's
# description: The operator's token and GitHub's are the gateway's alone, wherever a worker would get them from.
# custom:
#   code: worker_job.forbidden
#   severity: error
#   message: "{owner} gets {name}"
#   remedy: "Take it away; a worker reaches the forge through the gateway alone."
deny contains v if {
	some j in _jobs
	some c in j.containers
	some env in kube.list(c.value, ["env"])
	env.name in _parameter("forbidden", ["LEVIATHAN_CONTROL_PLANE_TOKEN", "GITHUB_TOKEN", "GH_TOKEN"])
	v := lib.violation(rego.metadata.chain(), kube.place(j, kube.env_path(c, env.name)), {"owner": kube.owner(j), "name": env.name, "subject": env.name})
}

# METADATA
# title: A variable is not of the agent's Secret
# description: A worker gets the keys that its own agent asks for by name, and no other agent's.
# custom:
#   code: worker_job.agent_secret
#   severity: error
#   message: "{name} comes from {secret}/{key}, not from {name} of the Secret of one agent, {prefix}NAME"
#   remedy: "Take it from the key {name} of the Secret {prefix}NAME, for the agent NAME of the attempt."
deny contains v if {
	some j in _jobs
	some found in kube.secrets(j)
	not _of_the_agent(j, found)
	v := lib.violation(rego.metadata.chain(), kube.place(j, found.path), {
		"name": found.as, "secret": found.secret, "key": found.key, "prefix": _agent_prefix, "subject": found.as,
	})
}

# METADATA
# title: It gets a whole Secret
# description: The one Secret that a worker mounts has the token of its attempt, and is named like the Job.
# custom:
#   code: worker_job.whole_secret
#   severity: error
#   message: "{owner} gets all of the Secret {secret}"
#   remedy: "Mount the Secret of the attempt alone, which is named like the Job, with the item token; take an agent's keys one by one."
deny contains v if {
	some j in _jobs
	some found in kube.whole_secrets(j)
	not _of_the_attempt(j, found)
	v := lib.violation(rego.metadata.chain(), kube.place(j, found.path), {"owner": kube.owner(j), "secret": found.secret, "subject": found.secret})
}

# METADATA
# title: Its token is not where it looks
# description: The flag names no file of the attempt's Secret, or the mount of it can be written.
# custom:
#   code: worker_job.token
#   severity: error
#   message: "--token-file is {told}, where the token of the attempt is not mounted read-only"
#   remedy: "Mount the item token of the Secret that is named like the Job, with readOnly: true, and name its file."
deny contains v if {
	some j in _jobs
	some c in _ours(j)
	told := kube.told(c, "--token-file")
	count([mount |
		some mount in kube.mounts(j, c)
		kube.get(mount.volume, ["secret", "secretName"], "") == j.name
		mount.read_only == true
		told == [concat("/", [mount.path, "token"])]
	]) != 1
	v := lib.violation(rego.metadata.chain(), kube.place(j, _token_path(j, c, told)), {"told": _shown(told), "subject": "--token-file"})
}

# _token_path is the mount that can be written, or else the flag.
_token_path(j, c, told) := found[0] if {
	found := [mount.at |
		some mount in kube.mounts(j, c)
		kube.get(mount.volume, ["secret", "secretName"], "") == j.name
		told == [concat("/", [mount.path, "token"])]
	]
	count(found) > 0
} else := kube.flag_path(c, "--token-file")

_agent_prefix := _parameter("agent_secret", "leviathan-agent-")

_of_the_agent(j, found) if {
	startswith(found.secret, _agent_prefix)
	found.secret != _agent_prefix
	found.key == found.as
	count({other.secret | some other in kube.secrets(j)}) == 1
}

_of_the_attempt(j, found) if {
	found.secret == j.name
	{[item.key, item.path] | some item in kube.list(j.value, array.concat(found.path, ["secret", "items"]))} == {["token", "token"]}
}
