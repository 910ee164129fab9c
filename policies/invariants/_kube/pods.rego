package leviathan.invariants._kube

import rego.v1

# Every function here makes faults: each has the path of what is wrong in the
# pod's resource and the values of a violation.

_fault(pod, path, subject, values) := {
	"path": path,
	"values": object.union({"owner": owner(pod), "subject": sprintf("%s %s", [owner(pod), subject])}, values),
}

# weaknesses are the ways in which a pod may do what it need not: what the
# restricted profile of Kubernetes refuses, and a file system that can be
# written.
weaknesses(pod) := union({_of_the_node(pod), _own(pod), _inherited(pod), _capabilities(pod)})

_of_the_node(pod) := union({
	{_weakness(pod, array.concat(pod.path, [field]), field, "shares a namespace with the node", "false") |
		some field in ["hostNetwork", "hostPID", "hostIPC"]
		not get(pod.spec, [field], false) in {false, null}
	},
	{_weakness(pod, array.concat(pod.path, ["volumes", i]), concat(".", ["volumes", volume.name]), "mounts a folder of the node", "another kind of volume") |
		some i, volume in list(pod.spec, ["volumes"])
		get(volume, ["hostPath"], null) != null
	},
	{_weakness(pod, array.concat(c.path, ["ports", i]), concat(".", [c.name, "ports.hostPort"]), "takes a port of the node", "nothing") |
		some c in pod.containers
		some i, port in list(c.value, ["ports"])
		not get(port, ["hostPort"], 0) in {0, null}
	},
})

_weakness(pod, path, field, what, wanted) := _fault(pod, path, field, {"what": what, "field": field, "wanted": wanted})

# _own are the settings that a container has alone.
_own(pod) := {_weakness(pod, path, concat(".", [c.name, "securityContext", field]), rule.what, rule.wanted) |
	some c in pod.containers
	some field, rule in {
		"allowPrivilegeEscalation": {"good": {false}, "what": "may get more rights than it began with", "wanted": "false"},
		"readOnlyRootFilesystem": {"good": {true}, "what": "may write to its own image", "wanted": "true"},
		"privileged": {"good": {false, null}, "what": "may do everything on the node", "wanted": "false"},
	}
	path := array.concat(c.path, ["securityContext", field])
	not get(c.value, ["securityContext", field], null) in rule.good
}

# _inherited are the settings that a container has, or else its pod.
_inherited(pod) := {_weakness(pod, where.path, concat(".", array.concat([c.name, "securityContext"], rule.field)), rule.what, rule.wanted) |
	some c in pod.containers
	some rule in [
		{"field": ["runAsNonRoot"], "good": {true}, "what": "may run as root", "wanted": "true"},
		{"field": ["seccompProfile", "type"], "good": {"RuntimeDefault", "Localhost"}, "what": "may make every system call", "wanted": "RuntimeDefault"},
	]
	where := _effective(pod, c, rule.field)
	not where.value in rule.good
} | {_weakness(pod, where.path, concat(".", [c.name, "securityContext.runAsUser"]), "runs as root", "a number that is not 0") |
	some c in pod.containers
	where := _effective(pod, c, ["runAsUser"])
	where.value == 0
}

_effective(pod, c, field) := {"value": value, "path": array.concat(c.path, path)} if {
	path := array.concat(["securityContext"], field)
	value := get(c.value, path, null)
	value != null
} else := {"value": get(pod.spec, path, null), "path": array.concat(pod.path, path)} if {
	path := array.concat(["securityContext"], field)
}

_capabilities(pod) := {_weakness(pod, array.concat(c.path, path), concat(".", array.concat([c.name], path)), rule.what, rule.wanted) |
	some c in pod.containers
	some rule in [
		{"field": "drop", "bad": {true | not "ALL" in list(c.value, ["securityContext", "capabilities", "drop"])}, "what": "keeps capabilities", "wanted": "[ALL]"},
		{"field": "add", "bad": {true | count(list(c.value, ["securityContext", "capabilities", "add"])) > 0}, "what": "adds capabilities", "wanted": "nothing"},
	]
	path := ["securityContext", "capabilities", rule.field]
	true in rule.bad
}

# unpinned are images that may be another one tomorrow. What is never pulled is
# what was loaded, if it has a tag of its own; allowed are references that may
# stay as they are.
unpinned(pod, allowed) := {_fault(pod, array.concat(c.path, [_image_field(pod, c)]), concat(".", [c.name, "image"]), {"image": c.image.reference, "container": c.name}) |
	some c in pod.containers
	not _pinned(c)
	not c.image.reference in allowed
}

# _image_field is what makes an image another one tomorrow: that it is pulled,
# where an overlay says so, or else its name.
_image_field(pod, c) := "imagePullPolicy" if not _written(pod, array.concat(c.path, ["imagePullPolicy"]))

_image_field(pod, c) := "image" if _written(pod, array.concat(c.path, ["imagePullPolicy"]))

_pinned(c) if regex.match(`^sha256:[0-9a-f]{64}$`, c.image.digest)

_pinned(c) if {
	c.image.digest == ""
	not c.image.tag in {"", "latest"}
	get(c.value, ["imagePullPolicy"], "") == "Never"
}

# plain are values of secrets that stand in a manifest: in the environment and
# on command lines.
plain(pod) := {_fault(pod, array.concat(c.path, ["env", i, "value"]), concat(".", [c.name, "env", env.name]), {"name": env.name}) |
	some c in pod.containers
	some i, env in list(c.value, ["env"])
	_secret(env.name, get(env, ["value"], ""))
} | {_fault(pod, array.concat(c.path, [from, i]), concat(".", [c.name, from, found[0]]), {"name": found[0]}) |
	some c in pod.containers
	some from in ["command", "args"]
	words := list(c.value, [from])
	some i, word in words
	is_string(word)
	some found in _worded(words, i, word)
	_secret(found[0], found[1])
}

# _worded are the names and values that a word of a command line gives.
_worded(_, _, word) := [_halves(word)] if contains(word, "=")

_worded(words, i, word) := [[word, get(words, [i + 1], "")]] if {
	not contains(word, "=")
	startswith(word, "-")
}

_worded(_, _, word) := [["", word]] if {
	not contains(word, "=")
	not startswith(word, "-")
}

_halves(word) := [substring(word, 0, i), substring(word, i + 1, -1)] if i := indexof(word, "=")

_secret(name, value) if {
	is_string(name)
	regex.match(`(?i)(^|[-_.])(token|secret|password|passwd|credentials?|api[-_]?key|private[-_]?key|access[-_]?key)$`, name)
	is_string(value)
	not regex.match(`^$|^/|^-|^\$\(`, value)
}

# What GitHub, cloud providers and makers of models give out has forms of its own.
_secret(_, value) if {
	is_string(value)
	regex.match(`(gh[pousr]_|github_pat_|glpat-|xox[abps]-)[A-Za-z0-9_-]{16,}|\bsk-[A-Za-z0-9_-]{20,}|\bAKIA[A-Z0-9]{16}\b|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.|-----BEGIN [A-Z ]*PRIVATE KEY-----`, value)
}

# starved are the amounts that a container does not name, so that a node may
# have too little for it, or it may take all.
starved(pod) := {_fault(pod, array.concat(c.path, path), concat(".", array.concat([c.name], path)), {"container": c.name, "amount": concat(".", path)}) |
	some c in pod.containers
	c.type != "ephemeral"
	some path in [["resources", "requests", "cpu"], ["resources", "requests", "memory"], ["resources", "limits", "memory"]]
	get(c.value, path, null) in {null, "", 0, "0"}
}

# unmounted are mounts of volumes that the pod does not have, and volumes that
# are mounted nowhere.
unmounted(pod) := {_fault(pod, array.concat(c.path, ["volumeMounts", i]), concat(".", [c.name, "volumeMounts", mount.name]), {"volume": mount.name}) |
	some c in pod.containers
	some i, mount in list(c.value, ["volumeMounts"])
	not mount.name in {volume.name | some volume in list(pod.spec, ["volumes"])}
} | {_fault(pod, array.concat(pod.path, ["volumes", i]), concat(".", ["volumes", volume.name]), {"volume": volume.name}) |
	some i, volume in list(pod.spec, ["volumes"])
	not volume.name in {mount.name | some c in pod.containers; some mount in list(c.value, ["volumeMounts"])}
}

# unprobed are the probes of a container that are missing or ask at another
# place than wanted, which has the path of each probe; a probe that is not
# wanted and is there is held to its port alone.
unprobed(pod, c, wanted) := {_fault(pod, array.concat(c.path, path), probe, {"probe": probe, "wanted": wanted[probe]}) |
	some probe, way in wanted
	path := [probe, "httpGet", "path"]
	get(c.value, path, null) != way
} | {_fault(pod, array.concat(c.path, path), concat(" ", [probe, "port"]), {"probe": probe, "wanted": "a port of the container"}) |
	some probe in ["startupProbe", "livenessProbe", "readinessProbe"]
	path := [probe, "httpGet", "port"]
	get(c.value, [probe, "httpGet"], null) != null
	count(container_ports(c, get(c.value, path, null))) == 0
}

# container_ports are the numbers of the ports that a name or a number means.
container_ports(c, port) := {declared.containerPort |
	some declared in list(c.value, ["ports"])
	port in {declared.containerPort, get(declared, ["name"], declared.containerPort)}
}

# runs says that a container runs leviathan with a command.
runs(c, command) if {
	words := array.concat(list(c.value, ["command"]), list(c.value, ["args"]))
	words[0] == "leviathan"
	words[1] == command
}

# program_path is where a pod says what its container of a name runs, or else
# the name of its first one.
program_path(pod, name) := array.concat(found[0].path, ["args", 0]) if {
	found := [c | some c in pod.containers; c.name == name]
	count(found) > 0
} else := array.concat(pod.path, ["containers", 0, "name"])

# env_path is where a variable of a container stands, or else its environment.
env_path(c, name) := array.concat(c.path, ["env", min(found), "name"]) if {
	found := {i | some i, env in list(c.value, ["env"]); env.name == name}
	count(found) > 0
} else := array.concat(c.path, ["env"])

# secret_path is what of a variable does not come from a key of a Secret: the
# name, the key, or the variable itself.
secret_path(c, name, secret, key) := array.concat(c.path, ["env", i, "valueFrom", "secretKeyRef", field]) if {
	found := [[i, field] |
		some i, env in list(c.value, ["env"])
		env.name == name
		some [field, wanted] in [["name", secret], ["key", key]]
		get(env, ["valueFrom", "secretKeyRef", field], wanted) != wanted
	]
	[i, field] := found[0]
} else := env_path(c, name)

# mounts are those of a container, with their volumes. One that is not whole
# shows a part of its volume, which Kubernetes never brings up to date.
mounts(pod, c) := [mount |
	some i, item in list(c.value, ["volumeMounts"])
	some j, volume in list(pod.spec, ["volumes"])
	volume.name == item.name
	mount := {
		"at": array.concat(c.path, ["volumeMounts", i]),
		"name": item.name,
		"path": trim_right(item.mountPath, "/"),
		"read_only": get(item, ["readOnly"], false),
		"whole": {get(item, [field], "") | some field in ["subPath", "subPathExpr"]} == {""},
		"volume": volume,
		"source": array.concat(pod.path, ["volumes", j]),
	}
]
