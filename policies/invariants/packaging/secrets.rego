package leviathan.invariants.packaging

import rego.v1

import data.leviathan.invariants._lib as lib

# METADATA
# title: A secret is committed
# description: A Secret stands in the repository with its values, where everybody who reads the repository reads them.
# custom:
#   code: packaging.plain_secret
#   severity: error
#   message: "the Secret {name} has its values in the repository"
#   remedy: "Make the Secret by hand or from a store of secrets, change what was committed, and remove it here."
deny contains v if {
	some id in input.kinds.Secret
	document := input.documents[id]
	lib.in_folders(document.file, _folders)
	not document.value.sops
	some field in ["data", "stringData"]
	count(document.value[field]) > 0
	v := lib.violation(rego.metadata.chain(), lib.at(document, sprintf("/%s", [field])), {"name": document.name, "subject": document.name})
}

# METADATA
# title: A secret is made of committed values
# description: A kustomization makes a Secret of values or files of the repository.
# custom:
#   code: packaging.generated_secret
#   severity: error
#   message: "the kustomization makes the Secret {name} of what is committed"
#   remedy: "Make the Secret by hand or from a store of secrets, change what was committed, and remove it here."
deny contains v if {
	some kind in ["Kustomization", "Component"]
	some id in input.kinds[kind]
	document := input.documents[id]
	lib.in_folders(document.file, _folders)
	some i, generator in document.value.secretGenerator
	v := lib.violation(rego.metadata.chain(), lib.at(document, sprintf("/secretGenerator/%d", [i])), {
		"name": object.get(generator, "name", "without a name"), "subject": document.file,
	})
}

# METADATA
# title: A secret is in the environment as text
# description: A variable whose name says that it is secret has its value in the manifest.
# custom:
#   code: packaging.plain_variable
#   severity: error
#   message: "{owner} has the value of {variable} in the manifest"
#   remedy: "Take it from a Secret with valueFrom.secretKeyRef, and change the value that was committed."
deny contains v if {
	some workload in _workloads
	some container in workload.containers
	some i, variable in container.value.env
	regex.match(`(^|_)(TOKEN|PASSWORD|PASSWD|SECRET|PRIVATE_KEY|API_KEY|ACCESS_KEY)$`, upper(variable.name))
	is_string(variable.value)
	variable.value != ""
	not regex.match(`^\$\([A-Za-z0-9_]+\)$`, variable.value)
	v := lib.violation(rego.metadata.chain(), lib.resource_place(workload, sprintf("%s/env/%d/value", [container.pointer, i])), {
		"owner": _owner(workload), "variable": variable.name, "subject": sprintf("%s %s", [_owner(workload), variable.name]),
	})
}
