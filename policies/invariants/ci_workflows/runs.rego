package leviathan.invariants.ci_workflows

import rego.v1

import data.leviathan.invariants._lib as lib

# _runs are the places where a required command is run: the workflow's file,
# the job's id, the step, and the command; script is the file that has the
# command when it is not the step itself.
_runs[command] := runs if {
	some command in _required
	runs := {run |
		some run in array.concat(array.concat(_direct(command), _scripted(command)), _acted(command))
	}
}

_direct(command) := [{"file": step.file, "job": step.job, "step": step.step, "command": inner, "script": ""} |
	some step in _steps
	some inner in step.step.commands
	_is(inner.words, command)
]

_scripted(command) := [{"file": step.file, "job": step.job, "step": step.step, "command": inner, "script": script, "call": outer} |
	some step in _steps
	some outer in step.step.commands
	some script in _scripts(outer.words)
	some inner in input.scripts[script].commands
	_is(inner.words, command)
]

# _acted: the gate's own action is the gate.
_acted(command) := [{"file": step.file, "job": step.job, "step": step.step, "command": step.step.uses, "script": ""} |
	command == "leviathan invariants check"
	some step in _steps
	endswith(step.step.uses.name, ".github/actions/invariants")
]

_steps := [{"file": file, "job": job.id, "step": step} |
	some file, workflow in input.workflows
	some job in workflow.jobs
	some step in job.steps
]

# _is reports whether the words of a command are the required command, with
# more arguments or not, but not one that only shows what it would do.
_is(words, command) if {
	bare := _bare(words)
	wanted := split(command, " ")
	_program(bare[0], wanted[0])
	array.slice(bare, 1, count(wanted)) == array.slice(wanted, 1, count(wanted))
	count({word | some word in bare} & {"-n", "--dry-run", "--just-print", "-i", "--ignore-errors", "-t", "--touch", "-q", "--question", "-h", "--help"}) == 0
}

_program(word, wanted) if trim_prefix(word, "./") == trim_prefix(wanted, "./")

_program(word, wanted) if regex.replace(word, `^.*/`, "") == wanted

# _bare is a command without what stands before it: assignments, a function
# of the script that runs its arguments, go run.
_bare(words) := array.slice(words, min(begins), count(words)) if {
	begins := [i | some i, word in words; not _leads(word); not _go_run(words, i)]
}

_leads(word) if regex.match(`^[A-Za-z_][A-Za-z0-9_]*=`, word)

_leads(word) if word in {"step", "time", "env", "exec", "command", "nice", "sudo"}

_go_run(words, i) if array.slice(words, i, i + 2) == ["go", "run"]

_go_run(words, i) if array.slice(words, i - 1, i + 1) == ["go", "run"]

_scripts(words) := {script |
	bare := _bare(words)
	some i, word in array.slice(bare, 0, 3)
	_names_script(i, bare)
	script := trim_prefix(word, "./")
	input.scripts[script]
}

_names_script(0, _)

_names_script(i, bare) if {
	i > 0
	regex.replace(bare[0], `^.*/`, "") in {"sh", "bash", "dash"}
}

_on_pull_request(command) := {run |
	some run in _runs[command]
	count(_starters(run.file)) > 0
}

# _starters are the workflows by which a pull request starts one: itself, or
# those that call it.
_starters(file) := {starter |
	some [starter, _] in graph.reachable(_needed, {[file, job.id] | some job in input.workflows[file].jobs})
	input.workflows[starter].triggers.pull_request
}

_problems contains {"kind": "swallowed", "command": command, "run": run, "what": found.what, "place": found.place} if {
	some command in _required
	some run in _on_pull_request(command)
	some found in _hidden(run)
}

_hidden(run) := array.concat(
	array.concat(
		[{"what": "continue-on-error", "place": lib.at(_document(holder.file), concat("", [holder.pointer, "/continue-on-error"]))} |
			some holder in _tolerant(run)
		],
		[{"what": _how[swallowed.how], "place": swallowed} |
			some swallowed in run.step.swallowed
			_about(swallowed, [run.command, object.get(run, "call", {})])
		],
	),
	array.concat(
		[{"what": _how[swallowed.how], "place": swallowed} |
			some swallowed in object.get(input.scripts, [run.script, "swallowed"], [])
			_about(swallowed, [run.command])
		],
		[{"what": "the shell goes on after a failure, there is no set -e", "place": run.command} | _goes_on(run)],
	),
)

_tolerant(run) := [holder |
	some holder in array.concat(
		[{"file": run.file, "pointer": run.step.pointer} | run.step.continue_on_error],
		[{"file": file, "pointer": job.pointer} |
			some [file, id] in graph.reachable(_needed, {[run.file, run.job]})
			some job in input.workflows[file].jobs
			job.id == id
			job.continue_on_error
		],
	)
]

_about(swallowed, commands) if {
	some command in commands
	[swallowed.line, swallowed.column] == [command.line, command.column]
}

_about(swallowed, _) if swallowed.how == "set_plus_e"

_how := {
	"or_true": "what stands behind || always succeeds", "set_plus_e": "set +e", "pipe": "a pipe without pipefail",
	"background": "it runs in the background", "semicolon": "what stands behind ; always succeeds",
}

# _goes_on: a script without errexit hides every failure but the last
# command's. GitHub's own shells have it.
_goes_on(run) if {
	run.script != ""
	not _last(run, input.scripts[run.script].commands)
	not _strict(input.scripts[run.script].commands, run.command.line)
	not _called_strictly(run)
}

_goes_on(run) if {
	contains(run.step.shell, "{0}")
	not _strict_option(split(run.step.shell, " "))
	not _strict(run.step.commands, run.step.commands[0].line + 1)
	not _last(run, run.step.commands)
}

_last(run, commands) if {
	last := commands[count(commands) - 1]
	last.words in [run.command.words, object.get(run, ["call", "words"], [])]
}

_strict(commands, line) if {
	some command in commands
	command.words[0] == "set"
	command.line <= line
	_strict_option(command.words)
}

_called_strictly(run) if {
	regex.replace(run.call.words[0], `^.*/`, "") in {"sh", "bash", "dash"}
	_strict_option(run.call.words)
}

_strict_option(words) if {
	some word in words
	regex.match(`^-[a-z]*e`, word)
}

_strict_option(words) if "errexit" in words
