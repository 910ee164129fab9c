package leviathan.invariants.namespaces

import rego.v1

import data.leviathan.invariants._lib as lib

# METADATA
# title: An address is in another namespace
# description: A URL in a container's arguments or environment, or in a file of a ConfigMap, names a service of another namespace.
# custom:
#   code: namespaces.address
#   severity: error
#   message: "{url} is in the namespace {other}"
#   remedy: "Name a service of the namespace {namespace}, or allow the other with parameters.namespaces.also in .leviathan/invariants.yaml."
deny contains v if {
	some text in _texts
	some url in regex.find_n(`[a-z+]+://[^\s,;"']+`, text.value, -1)
	other := _namespace_of(lib.url_host(url))
	not other in _allowed
	v := lib.violation(rego.metadata.chain(), text.place, {"url": url, "other": other, "namespace": _namespace, "subject": url})
}

# METADATA
# title: An argument names another namespace
# description: A flag of a container's command gives a namespace, by itself or before a name, that is not the one.
# custom:
#   code: namespaces.argument
#   severity: error
#   message: "{argument} speaks of the namespace {other}"
#   remedy: "Write {namespace}, or allow the other with parameters.namespaces.also in .leviathan/invariants.yaml."
deny contains v if {
	some argument in _arguments
	other := _namespace_in(argument.value)
	not other in _allowed
	v := lib.violation(rego.metadata.chain(), argument.place, {
		"argument": argument.value, "other": other, "namespace": _namespace, "subject": argument.value,
	})
}

# METADATA
# title: An autonomy config puts workers elsewhere
# description: A config makes the Jobs of its workers in a namespace that is not the one.
# custom:
#   code: namespaces.workers
#   severity: error
#   message: "the workers of the target {target} run in the namespace {other}, and everything else in {namespace}"
#   remedy: "Write worker_namespace: {namespace}, or allow the other with parameters.namespaces.also in .leviathan/invariants.yaml."
deny contains v if {
	some config in input.autonomy
	config.valid
	config.source != "markdown"
	other := config.values.worker_namespace
	not other in _allowed
	v := lib.violation(rego.metadata.chain(), lib.at(input.documents[config.document], "/worker_namespace"), {
		"target": config.values.target_id, "other": other, "namespace": _namespace, "subject": config.values.target_id,
	})
}

# METADATA
# title: A document's command is for another namespace
# description: A document tells its reader to type kubectl for a namespace that is not the one.
# custom:
#   code: namespaces.command
#   severity: error
#   message: "{command} is for the namespace {other}"
#   remedy: "Write {namespace}, or allow the other with parameters.namespaces.also in .leviathan/invariants.yaml."
deny contains v if {
	some command in _commands
	command.words[0] == "kubectl"
	some other in _given(command.words)
	not other in _allowed
	not other in _outside
	v := lib.violation(rego.metadata.chain(), command, {
		"command": concat(" ", command.words), "other": other, "namespace": _namespace, "subject": concat(" ", command.words),
	})
}

# _texts are the texts that may name an address, with their places.
_texts := array.concat(_arguments, array.concat(
	[{"value": variable.value, "place": lib.resource_place(workload, sprintf("%s/env/%d/value", [container.pointer, i]))} |
		some [workload, container] in _containers
		some i, variable in container.value.env
		is_string(variable.value)
	],
	[{"value": value, "place": lib.at(document, sprintf("/%s", [concat("/", [_escaped(part) | some part in path])]))} |
		some document in input.documents
		document.within.document
		lib.in_folders(document.file, _folders)
		walk(document.value, [path, value])
		is_string(value)
	],
))

_arguments := [{"value": value, "place": lib.resource_place(workload, sprintf("%s/%s/%d", [container.pointer, field, i]))} |
	some [workload, container] in _containers
	some field in ["command", "args"]
	some i, value in container.value[field]
	is_string(value)
]

_containers := [[object.union(workload, {"file": workload.place.file}), container] |
	some workload in lib.workloads
	lib.in_folders(workload.place.file, _folders)
	some container in workload.containers
]

# _namespace_of is the second part of a name of the cluster: that of
# service.namespace.svc always, and that of service.namespace if there is a
# Service of the first part's name.
_namespace_of(host) := parts[1] if {
	parts := split(host, ".")
	parts[2] == "svc"
}

_namespace_of(host) := parts[1] if {
	parts := split(host, ".")
	count(parts) == 2
	parts[0] in {resource.name | some resource in lib.applied; resource.kind == "Service"}
}

_namespace_in(argument) := split(argument, "=")[1] if startswith(argument, "--namespace=")

_namespace_in(argument) := split(split(argument, "=")[1], "/")[0] if {
	split(argument, "=")[0] in lib.parameter("namespaces", "arguments", ["--service-account"])
	contains(argument, "/")
}

_commands := array.concat(
	[command | some page in input.markdown; some block in page.code; some command in block.commands],
	[command | some script in input.scripts; some command in script.commands],
)

_given(words) := {words[i + 1] | some i, word in words; word in {"-n", "--namespace"}; words[i + 1]} | {split(word, "=")[1] |
	some word in words
	startswith(word, "--namespace=")
}
