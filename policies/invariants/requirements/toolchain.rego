package leviathan.invariants.requirements

import rego.v1

import data.leviathan.invariants._lib as lib

# METADATA
# title: Another Go builds here
# description: CI, an image or a file of tool versions has a Go that is not the main module's, so that what is tested is not what is built.
# custom:
#   code: requirements.toolchain
#   severity: error
#   message: "Go {version} is used here, and {module} wants {wanted}"
#   remedy: "Use one version everywhere; in CI, go-version-file: go.mod does that."
deny contains v if {
	some pin in _pins
	not _fits(pin.version)
	v := lib.violation(rego.metadata.chain(), pin.place, {"version": pin.version, "module": _main, "wanted": _wanted, "subject": pin.subject})
}

# METADATA
# title: Two places have two versions of Go
# description: Two places give a full version, and not the same.
# custom:
#   code: requirements.toolchains_differ
#   severity: error
#   message: "Go {version} is used here, and {other} at {place}"
#   remedy: "Use one version everywhere."
deny contains v if {
	some pin in _pins
	_full(pin.version)
	first := min({[other.place.file, other.place.line, other.version] | some other in _pins; _full(other.version)})
	first[2] != pin.version
	v := lib.violation(rego.metadata.chain(), pin.place, {
		"version": pin.version, "other": first[2], "place": sprintf("%s:%d", [first[0], first[1]]), "subject": pin.subject,
	})
}

# METADATA
# title: CI takes whichever Go there is
# description: A step installs Go without a version or the file that has it, or the file does not exist.
# custom:
#   code: requirements.no_toolchain
#   severity: error
#   message: "the step installs a Go of no given version"
#   remedy: "Give it go-version-file: go.mod."
deny contains v if {
	some step in _installs
	not _versioned(step)
	v := lib.violation(rego.metadata.chain(), step, {"subject": step.pointer})
}

# METADATA
# title: Modules are of different Go versions
# description: The go line of a module is not the main module's, so that one language is two.
# custom:
#   code: requirements.go_line
#   severity: error
#   message: "the module is of go {version}, and {main} of go {wanted}"
#   remedy: "Give all modules one go line."
deny contains v if {
	some module in input.modules
	module.go.version != input.modules[_main].go.version
	v := lib.violation(rego.metadata.chain(), module.go, {"version": module.go.version, "main": _main, "wanted": input.modules[_main].go.version, "subject": module.path})
}

_installs := [step |
	some workflow in input.workflows
	some job in workflow.jobs
	some step in job.steps
	step.uses.name == "actions/setup-go"
]

_versioned(step) if step["with"]["go-version"]

_versioned(step) if input.files[step["with"]["go-version-file"]]

# _pins are the places that say which Go is used.
_pins contains {"version": sprintf("%v", [version]), "place": place, "subject": step.pointer} if {
	some step in _installs
	version := step["with"]["go-version"]
	some workflow in input.workflows
	document := input.documents[workflow.document]
	document.file == step.file
	place := lib.at(document, concat("", [step.pointer, "/with/go-version"]))
}

_pins contains {"version": trim_prefix(tool.version, "go"), "place": tool, "subject": tool.name} if {
	some tool in input.tools
	tool.name in {"go", "golang"}
}

_pins contains {"version": version, "place": stage, "subject": stage.image.name} if {
	some dockerfile in input.dockerfiles
	some stage in dockerfile.stages
	regex.match(`(^|/)golang$`, stage.image.name)
	version := split(stage.image.tag, "-")[0]
}

_wanted := version if {
	version := trim_prefix(input.modules[_main].toolchain.version, "go")
	version != ""
} else := input.modules[_main].go.version

# _fits: a version with fewer numbers is any that begins with it. The go line
# is the least that the module can do with, the toolchain line the one.
_fits(version) if startswith(concat("", [_wanted, "."]), concat("", [version, "."]))

_fits(version) if {
	input.modules[_main].toolchain.version == ""
	_full(version)
	array.slice(split(version, "."), 0, 2) == array.slice(split(_wanted, "."), 0, 2)
	to_number(split(version, ".")[2]) >= to_number(split(concat("", [_wanted, ".0.0"]), ".")[2])
}

_full(version) if regex.match(`^[0-9]+\.[0-9]+\.[0-9]+$`, version)
