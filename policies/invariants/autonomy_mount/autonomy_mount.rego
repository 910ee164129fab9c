# METADATA
# title: Autonomy mount
# description: |
#   The control plane reads the autonomy config from the ConfigMap that
#   operators edit: mounted whole and read-only where its flag looks for it,
#   under keys that it reads.
#   Parameters: deployment, container, config_map, keys, path, flag, name_flag
#   (the flag that names the ConfigMap).
# custom:
#   needs: [workloads]
#   named: true
package leviathan.invariants.autonomy_mount

import rego.v1

import data.leviathan.invariants._kube as kube
import data.leviathan.invariants._lib as lib

# METADATA
# title: The config or its reader is missing
# description: A kustomization, or the files where there is none, lacks the ConfigMap or the Deployment that mounts it.
# custom:
#   code: autonomy_mount.missing
#   severity: error
#   message: "there is no {kind} {name}"
#   remedy: "Give it back its name, or name another with parameters.autonomy_mount in .leviathan/invariants.yaml."
deny contains v if {
	some [kind, name] in [["Deployment", _deployment], ["ConfigMap", _config_map]]
	some place in kube.missing(kind, name, _deployment, {_deployment, _config_map})
	v := lib.violation(rego.metadata.chain(), place, {"kind": kind, "name": name, "subject": sprintf("%s/%s", [kind, name])})
}

# METADATA
# title: Nobody looks for the config
# description: The control plane does not have its flag exactly once, so that it finds no config, or another one.
# custom:
#   code: autonomy_mount.flag
#   severity: error
#   message: "{owner} has {flag} not exactly once"
#   remedy: "Write {flag}={folder}."
deny contains v if {
	some [d, c] in _readers
	count(kube.told(c, _flag)) != 1
	v := lib.violation(rego.metadata.chain(), kube.place(d, kube.flag_path(c, _flag)), {"owner": kube.owner(d), "flag": _flag, "folder": _path, "subject": _flag})
}

# METADATA
# title: There is no container that reads the config
# description: The Deployment has no container of the control plane's name.
# custom:
#   code: autonomy_mount.no_container
#   severity: error
#   message: "{owner} has no container {container}"
#   remedy: "Give it back its name, or name another with parameters.autonomy_mount.container in .leviathan/invariants.yaml."
deny contains v if {
	some d in _deployments
	count([c | some [of, c] in _readers; of == d]) != 1
	v := lib.violation(rego.metadata.chain(), kube.place(d, kube.program_path(d, _container)), {"owner": kube.owner(d), "container": _container, "subject": _container})
}

# METADATA
# title: The config is not mounted
# description: The control plane does not mount the ConfigMap, or more than once, so that an edit does not reach it.
# custom:
#   code: autonomy_mount.not_mounted
#   severity: error
#   message: "{owner} mounts the ConfigMap {config} not exactly once"
#   remedy: "Mount a volume of the ConfigMap {config} at {folder}, with readOnly: true."
deny contains v if {
	some [d, c] in _readers
	count(_mounts_of(d, c)) != 1
	v := lib.violation(rego.metadata.chain(), kube.place(d, _other_mount(d, c)), {
		"owner": kube.owner(d), "config": _config_map, "folder": _path, "subject": _config_map,
	})
}

# METADATA
# title: The config is mounted elsewhere
# description: The folder of the mount, of the flag and of the documentation is one.
# custom:
#   code: autonomy_mount.path
#   severity: error
#   message: "the config is mounted at {mounted}, not at {folder}"
#   remedy: "Mount it at {folder}, where {flag} and operators look for it."
deny contains v if {
	some [d, c] in _readers
	some mount in _mounts_of(d, c)
	mount.path != _path
	v := lib.violation(rego.metadata.chain(), kube.place(d, array.concat(mount.at, ["mountPath"])), {"mounted": mount.path, "folder": _path, "flag": _flag, "subject": mount.path})
}

# METADATA
# title: The flag looks elsewhere
# description: The flag names neither the folder of the mount nor a key of the ConfigMap in it.
# custom:
#   code: autonomy_mount.flag_path
#   severity: error
#   message: "{flag} is {told}, and the config is at {folder}"
#   remedy: "Write {flag}={folder}."
deny contains v if {
	some [d, c] in _readers
	some found in kube.flag(c, _flag)
	not trim_right(found.value, "/") in _places(d.scope)
	v := lib.violation(rego.metadata.chain(), kube.place(d, found.path), {"flag": _flag, "told": found.value, "folder": _path, "subject": found.value})
}

# METADATA
# title: The config can be written
# description: A container that can write over its config could widen what it may do itself.
# custom:
#   code: autonomy_mount.writable
#   severity: error
#   message: "the container {container} of {owner} mounts the config without readOnly: true"
#   remedy: "Write readOnly: true at the mount."
deny contains v if {
	some pod in _pods
	some c in pod.containers
	some mount in _mounts_of(pod, c)
	mount.read_only != true
	v := lib.violation(rego.metadata.chain(), kube.place(pod, array.concat(mount.at, ["readOnly"])), {"container": c.name, "owner": kube.owner(pod), "subject": c.name})
}

# METADATA
# title: Only a part of the config is mounted
# description: A mount of a part is never brought up to date, an optional ConfigMap may be absent, and listed items hide every other target.
# custom:
#   code: autonomy_mount.part
#   severity: error
#   message: "the config is mounted with {field}"
#   remedy: "Take {field} away, so that every key is there and follows each edit."
deny contains v if {
	some [d, c] in _readers
	some mount in _mounts_of(d, c)
	some [path, field] in array.concat(
		[[array.concat(mount.at, [field]), field] | some field in ["subPath", "subPathExpr"]; kube.get(d.value, array.concat(mount.at, [field]), "") != ""],
		[[mount.source, field] | some field in ["items", "optional"]; not kube.get(mount.volume, ["configMap", field], false) in {false, null}],
	)
	v := lib.violation(rego.metadata.chain(), kube.place(d, path), {"field": field, "subject": field})
}

# METADATA
# title: Another mount hides the config
# description: A mount in the config's folder, or over it, shows other files in its place.
# custom:
#   code: autonomy_mount.hidden
#   severity: error
#   message: "the mount of {volume} at {mounted} hides the config at {folder}"
#   remedy: "Mount {volume} elsewhere."
deny contains v if {
	some [d, c] in _readers
	count(_mounts_of(d, c)) > 0
	some mount in kube.mounts(d, c)
	kube.get(mount.volume, ["configMap", "name"], "") != _config_map
	startswith(concat("", [mount.path, "/"]), concat("", [_path, "/"]))
	v := lib.violation(rego.metadata.chain(), kube.place(d, array.concat(mount.at, ["mountPath"])), {"volume": mount.name, "mounted": mount.path, "folder": _path, "subject": mount.name})
}

# METADATA
# title: A key of the config is missing
# description: The ConfigMap lacks a target's key, or it is empty.
# custom:
#   code: autonomy_mount.no_key
#   severity: error
#   message: "the ConfigMap {config} has no {key}"
#   remedy: "Write the target's config under data as {key}, or name other keys with parameters.autonomy_mount.keys."
deny contains v if {
	some r in _configs
	some key in _keys
	kube.get(r.value, ["data", key], "") in {"", null}
	v := lib.violation(rego.metadata.chain(), kube.place(r, ["data", key]), {"config": _config_map, "key": key, "subject": key})
}

# METADATA
# title: A key is read by nobody
# description: The control plane reads the files of its folder that end in .yaml or .yml and do not begin with a dot.
# custom:
#   code: autonomy_mount.idle_key
#   severity: error
#   message: "nobody reads {key} of the ConfigMap {config}"
#   remedy: "Name it TARGET.yaml under data, or take it away."
deny contains v if {
	some r in _configs
	some [path, key] in array.concat(
		[[["data", key], key] | some key, _ in kube.get(r.value, ["data"], {}); not regex.match(`^[^.].*\.ya?ml$`, key)],
		[[["binaryData", key], key] | some key, _ in kube.get(r.value, ["binaryData"], {})],
	)
	v := lib.violation(rego.metadata.chain(), kube.place(r, path), {"config": _config_map, "key": key, "subject": key})
}

# METADATA
# title: The config cannot be switched off
# description: An immutable ConfigMap cannot be edited, and the switch of autonomy is an edit.
# custom:
#   code: autonomy_mount.immutable
#   severity: error
#   message: "the ConfigMap {config} is immutable"
#   remedy: "Take immutable away: operators switch autonomy off by an edit."
deny contains v if {
	some r in _configs
	not kube.get(r.value, ["immutable"], false) in {false, null}
	v := lib.violation(rego.metadata.chain(), kube.place(r, ["immutable"]), {"config": _config_map, "subject": _config_map})
}

# METADATA
# title: The control plane watches another ConfigMap
# description: The ConfigMap that the control plane reads from the cluster is not the one that it mounts.
# custom:
#   code: autonomy_mount.other_name
#   severity: error
#   message: "{flag} is {told}, and the config is {config}"
#   remedy: "Write {flag}={config}."
deny contains v if {
	some [d, c] in _readers
	flag := _parameter("name_flag", "--cluster-config-map")
	some found in kube.flag(c, flag)
	found.value != _config_map
	v := lib.violation(rego.metadata.chain(), kube.place(d, found.path), {"flag": flag, "told": found.value, "config": _config_map, "subject": found.value})
}

_parameter(name, otherwise) := lib.parameter("autonomy_mount", name, otherwise)

_deployment := _parameter("deployment", "leviathan-control-plane")

_container := _parameter("container", "control-plane")

_config_map := _parameter("config_map", "leviathan-autonomy-config")

_keys := _parameter("keys", ["dev.yaml"])

_flag := _parameter("flag", "--config")

_path := trim_right(_parameter("path", "/etc/leviathan/autonomy"), "/")

_scopes := kube.scopes({_deployment, _config_map})

_deployments := [d | some scope in _scopes; some d in kube.pods(scope, "Deployment", _deployment)]

_configs := [r | some scope in _scopes; some r in kube.resources(scope, "ConfigMap", _config_map)]

_readers := [[d, c] | some d in _deployments; some c in d.containers; c.name == _container; c.type == "container"]

# _pods are all that could mount the config.
_pods := [object.union(r, pod) |
	some scope in _scopes
	some pod in kube.all_pods(scope)
	some r in kube.resources(scope, pod.kind, pod.name)
	r.document == pod.document
]

_mounts_of(pod, c) := [mount |
	some mount in kube.mounts(pod, c)
	kube.get(mount.volume, ["configMap", "name"], "") == _config_map
]

# _other_mount is the volume that is mounted in the config's place, or else all
# mounts.
_other_mount(d, c) := array.concat(found[0], ["configMap", "name"]) if {
	found := [mount.source | some mount in kube.mounts(d, c); mount.path == _path; count(_mounts_of(d, c)) == 0]
	count(found) > 0
} else := array.concat(c.path, ["volumeMounts"])

# _places are what the flag may name in a scope: the folder, or a key in it.
_places(scope) := {_path} | {concat("/", [_path, key]) |
	some r in _configs
	r.scope == scope
	some key, _ in kube.get(r.value, ["data"], {})
}
