# METADATA
# title: Requirements
# description: |
#   What the modules need is what the code imports, direct dependencies are on
#   the repository's list, and one Go builds it everywhere.
#   Which indirect requirements and checksums a module lacks needs the other
#   modules, too: go mod tidy -diff says it.
#   Parameters: allowed (module paths; a/* is everything below a), module (the
#   main one's file, go.mod).
# custom:
#   needs: [modules]
package leviathan.invariants.requirements

import rego.v1

import data.leviathan.invariants._lib as lib

# METADATA
# title: The main module is missing
# description: The go.mod file that all others are compared with does not exist.
# custom:
#   code: requirements.no_module
#   severity: error
#   message: "there is no {file}"
#   remedy: "Name the main module's file with parameters.requirements.module in .leviathan/invariants.yaml."
deny contains v if {
	not input.modules[_main]
	v := lib.violation(rego.metadata.chain(), lib.file_place(_main), {"file": _main, "subject": _main})
}

# METADATA
# title: Dependencies are held to no list
# description: The settings have no list of the modules that the repository may depend on.
# custom:
#   code: requirements.no_list
#   severity: note
#   message: "any module may become a dependency"
#   remedy: "List those that are wanted in parameters.requirements.allowed of .leviathan/invariants.yaml."
deny contains v if {
	lib.parameter("requirements", "allowed", null) == null
	v := lib.violation(rego.metadata.chain(), lib.file_place(_main), {"subject": "allowed"})
}

# METADATA
# title: A dependency is not on the list
# description: A module is required directly, and nobody has said that the repository may depend on it.
# custom:
#   code: requirements.not_allowed
#   severity: error
#   message: "{module} is not on the list of modules that this repository may depend on"
#   remedy: "Do without it, or add it to parameters.requirements.allowed in .leviathan/invariants.yaml, which is reviewed."
deny contains v if {
	allowed := lib.parameter("requirements", "allowed", null)
	is_array(allowed)
	some file, module in _built
	some require in module.requires
	not require.indirect
	not _listed(require.path, allowed)
	v := lib.violation(rego.metadata.chain(), require, {"module": require.path, "subject": concat(" ", [file, require.path])})
}

_listed(path, allowed) if path in allowed

_listed(path, allowed) if {
	some entry in allowed
	endswith(entry, "/*")
	startswith(path, trim_suffix(entry, "*"))
}

# METADATA
# title: A module is replaced
# description: A replacement makes the build use something else than the module that is named, and no user of this module gets it.
# custom:
#   code: requirements.replaced
#   severity: error
#   message: "{module} is replaced by {by}"
#   remedy: "Require the version that is wanted, and remove the replacement."
deny contains v if {
	some module in input.modules
	some replace in module.replaces
	v := lib.violation(rego.metadata.chain(), replace, {"module": replace.old, "by": replace.new, "subject": replace.old})
}

# METADATA
# title: A module is required twice
# description: A go.mod file has two lines for one module.
# custom:
#   code: requirements.duplicate
#   severity: error
#   message: "{module} is required more than once"
#   remedy: "Keep one line; go mod tidy does."
deny contains v if {
	some module in input.modules
	some i, require in module.requires
	some j, other in module.requires
	j < i
	require.path == other.path
	v := lib.violation(rego.metadata.chain(), require, {"module": require.path, "subject": require.path})
}

# METADATA
# title: An import has no requirement
# description: Code imports a package of a module that go.mod does not require.
# custom:
#   code: requirements.missing
#   severity: error
#   message: "nothing in {module} provides {package}"
#   remedy: "Run go mod tidy, or remove the import."
deny contains v if {
	some file, module in _built
	some name, place in module.imports
	not _own(module, name)
	not _provider[file][name]
	v := lib.violation(rego.metadata.chain(), place, {"module": file, "package": name, "subject": name})
}

# METADATA
# title: A requirement is used by nothing
# description: go.mod requires a module directly that no code of the module imports and no tool line names.
# custom:
#   code: requirements.unused
#   severity: error
#   message: "nothing imports {module}"
#   remedy: "Run go mod tidy."
deny contains v if {
	some file, module in _built
	some require in module.requires
	not require.indirect
	not require.path in _used[file]
	v := lib.violation(rego.metadata.chain(), require, {"module": require.path, "subject": concat(" ", [file, require.path])})
}

# METADATA
# title: A direct requirement is marked indirect
# description: Code imports the module, and go.mod says that only other modules do.
# custom:
#   code: requirements.not_indirect
#   severity: error
#   message: "{module} is marked // indirect and is imported"
#   remedy: "Run go mod tidy."
deny contains v if {
	some file, module in _built
	some require in module.requires
	require.indirect
	require.path in _used[file]
	v := lib.violation(rego.metadata.chain(), require, {"module": require.path, "subject": concat(" ", [file, require.path])})
}

_main := lib.parameter("requirements", "module", "go.mod")

# _built are the modules that have code here: other files that end in .mod
# are for tools.
_built := {file: module |
	some file, module in input.modules
	regex.match(`(^|/)go\.mod$`, file)
}

_own(module, name) if name == module.path

_own(module, name) if startswith(name, concat("", [module.path, "/"]))

# _provider is the module that has an imported package: the required one with
# the longest path that it begins with.
_provider[file][name] := found[count(found) - 1] if {
	some file, module in _built
	required := {require.path | some require in module.requires}
	some name, _ in module.imports
	not _own(module, name)
	found := _providers(required, name)
	count(found) > 0
}

_providers(required, name) := [path |
	parts := split(name, "/")
	some n in numbers.range(1, count(parts))
	path := concat("/", array.slice(parts, 0, n))
	path in required
]

_used[file] := {path | some path in _provider[file]} | {path |
	required := {require.path | some require in module.requires}
	some tool in module.tools
	found := _providers(required, tool)
	path := found[count(found) - 1]
} if {
	some file, module in _built
}
