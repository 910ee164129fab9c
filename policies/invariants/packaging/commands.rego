package leviathan.invariants.packaging

import rego.v1

import data.leviathan.invariants._lib as lib

# METADATA
# title: A container runs another program
# description: The settings say which programs containers run, and this one runs another, or leaves it to its image.
# custom:
#   code: packaging.unknown_program
#   severity: error
#   message: "{owner} runs {program}"
#   remedy: "Correct the command, or list the program in parameters.packaging.programs of .leviathan/invariants.yaml."
deny contains v if {
	some run in _runs
	program := _program(run)
	not lib.base(program) in lib.parameter("packaging", "programs", [lib.base(program)])
	v := lib.violation(rego.metadata.chain(), lib.resource_place(run.workload, sprintf("%s/command", [run.pointer])), {
		"owner": _owner(run.workload), "program": program, "subject": sprintf("%s %s", [_owner(run.workload), program]),
	})
}

# METADATA
# title: A container runs a command that does not exist
# description: The program is known, and has no such command.
# custom:
#   code: packaging.unknown_command
#   severity: error
#   message: "{owner}: there is no command {command}"
#   remedy: "Write a command of this release; leviathan help lists its own."
deny contains v if {
	some run in _runs
	_known_program(run)
	not _command(run)
	word := array.concat([word | some i, word in run.words; i > 0], run.words)[0]
	v := lib.violation(rego.metadata.chain(), lib.resource_place(run.workload, word.pointer), {
		"owner": _owner(run.workload), "command": concat(" ", [_text(run, 0), _text(run, 1)]), "subject": _owner(run.workload),
	})
}

# METADATA
# title: A container uses a flag that does not exist
# description: The command is known, and has no such flag.
# custom:
#   code: packaging.unknown_flag
#   severity: error
#   message: "{owner}: {command} has no flag {flag}"
#   remedy: "Write a flag of this release; the command's --help lists its own."
deny contains v if {
	some run in _runs
	command := _command(run)
	some flag in _flags(run)
	not _known[command].flags[flag.name]
	v := lib.violation(rego.metadata.chain(), lib.resource_place(run.workload, flag.pointer), {
		"owner": _owner(run.workload), "command": command, "flag": sprintf("--%s", [flag.name]), "subject": sprintf("%s %s", [_owner(run.workload), flag.name]),
	})
}

# METADATA
# title: A flag has no value, or one that it cannot have
# description: A flag that takes a value has none, or a switch has one that is neither true nor false.
# custom:
#   code: packaging.flag_value
#   severity: error
#   message: "{owner}: {argument}: {command} takes {wanted} there"
#   remedy: "Write --flag=VALUE for a flag that takes a value, and --flag alone for a switch."
deny contains v if {
	some run in _runs
	command := _command(run)
	some flag in _flags(run)
	wanted := _wrong_value(_known[command].flags[flag.name], flag)
	v := lib.violation(rego.metadata.chain(), lib.resource_place(run.workload, flag.pointer), {
		"owner": _owner(run.workload), "argument": flag.text, "command": command, "wanted": wanted,
		"subject": sprintf("%s %s", [_owner(run.workload), flag.name]),
	})
}

# METADATA
# title: An argument uses a variable that is not there
# description: Kubernetes hands out $(NAME) as it stands when the container's environment has no NAME.
# custom:
#   code: packaging.unknown_variable
#   severity: error
#   message: "{owner}: {argument} needs the variable {variable}, which its environment does not have"
#   remedy: "Add the variable to env of the container, or write the value."
deny contains v if {
	some run in _runs
	_known_program(run)
	not run.value.envFrom
	some word in run.words
	some found in regex.find_all_string_submatch_n(`(?:^|[^$])\$\(([A-Za-z_][A-Za-z0-9_]*)\)`, word.value, -1)
	not found[1] in {variable.name | some variable in run.value.env}
	v := lib.violation(rego.metadata.chain(), lib.resource_place(run.workload, word.pointer), {
		"owner": _owner(run.workload), "argument": word.value, "variable": found[1], "subject": sprintf("%s %s", [_owner(run.workload), found[1]]),
	})
}

# _runs are the containers with the words of their command line.
_runs := [{"workload": workload, "pointer": container.pointer, "value": container.value, "words": words} |
	some workload in _workloads
	some container in workload.containers
	words := [{"value": sprintf("%v", [value]), "pointer": sprintf("%s/%s/%d", [container.pointer, field, i])} |
		some field in ["command", "args"]
		container.value.command
		some i, value in container.value[field]
	]
]

# _known are the commands with their flags, Leviathan's and those of the settings.
_known := object.union(
	{name: command | some name, command in input.binary.commands; command.runs},
	{name: {"flags": {trim_prefix(split(flag, "=")[0], "--"): _kind(flag) | some flag in flags}} |
		some name, flags in lib.parameter("packaging", "commands", {})
	},
)

_kind(flag) := "string" if contains(flag, "=")

_kind(flag) := "bool" if not contains(flag, "=")

_known_program(run) if lib.base(_text(run, 0)) in {split(name, " ")[0] | some name, _ in _known}

_program(run) := _text(run, 0) if run.value.command

_program(run) := "what its image says" if not run.value.command

_text(run, i) := run.words[i].value

_text(run, i) := "" if not run.words[i]

# _command is the longest beginning of the words that is a command.
_command(run) := names[count(names) - 1] if {
	_known_program(run)
	words := array.concat([lib.base(_text(run, 0))], [word.value | some i, word in run.words; i > 0])
	names := [name |
		some n in numbers.range(1, count(words))
		name := concat(" ", array.slice(words, 0, n))
		_known[name]
	]
}

_flags(run) := [{
	"name": split(trim_prefix(word.value, "--"), "=")[0], "text": word.value, "pointer": word.pointer, "given": contains(word.value, "="),
	"value": substring(word.value, count(split(word.value, "=")[0]) + 1, -1), "next": _text(run, i + 1),
} |
	some i, word in run.words
	regex.match(`^--[a-zA-Z]`, word.value)
]

_wrong_value("bool", flag) := "true or false" if {
	flag.given
	not flag.value in {"true", "false"}
}

_wrong_value(kind, flag) := "a value" if {
	kind != "bool"
	flag.given
	flag.value == ""
}

_wrong_value(kind, flag) := "a value" if {
	kind != "bool"
	not flag.given
	_no_value(flag.next)
}

_no_value("")

_no_value(text) if startswith(text, "--")
