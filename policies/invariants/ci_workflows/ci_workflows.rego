# METADATA
# title: CI workflows
# description: |
#   The gate and the tests run on every pull request, and nothing skips them or
#   hides that they fail. A command counts where a workflow runs it, in a script
#   of the repository that a workflow runs, or as the gate's own action; one run
#   of it that nothing skips is enough.
#   Parameters: required (commands), branches (that pull requests go to), write
#   (scopes that pull requests may be given).
# custom:
#   needs: [workflows]
package leviathan.invariants.ci_workflows

import rego.v1

import data.leviathan.invariants._lib as lib

# METADATA
# title: A required command is not run
# description: No workflow of the repository runs a command that must run on every pull request, or only a comment names it.
# custom:
#   code: ci_workflows.not_run
#   severity: error
#   message: "no workflow runs {command}"
#   remedy: "Run it in a step of a workflow that runs on pull_request, or change parameters.ci_workflows.required in .leviathan/invariants.yaml."
deny contains v if {
	some command in _required
	count(_runs[command]) == 0
	v := lib.violation(rego.metadata.chain(), _nowhere(command), {"command": command, "subject": command})
}

# METADATA
# title: A required command does not run on pull requests
# description: A workflow runs the command, but none that runs it is started by pull_request.
# custom:
#   code: ci_workflows.not_on_pull_request
#   severity: error
#   message: "{command} does not run on pull requests"
#   remedy: "Add pull_request to the workflow's on."
deny contains v if {
	some command in _required
	count(_runs[command]) > 0
	count(_on_pull_request(command)) == 0
	some run in _runs[command]
	v := lib.violation(rego.metadata.chain(), lib.at(_document(run.file), "/on"), {"command": command, "subject": command})
}

# METADATA
# title: A pull request may pass by a required command
# description: The trigger of the workflow leaves out pull requests by path, by branch or by what happened to them.
# custom:
#   code: ci_workflows.filtered
#   severity: error
#   message: "{command} does not run on every pull request: the trigger has {filter}"
#   remedy: "Take the filter away: a change that it leaves out is not checked."
deny contains v if {
	some problem in _found
	problem.kind == "filtered"
	v := lib.violation(rego.metadata.chain(), problem.place, {"command": problem.command, "filter": problem.what, "subject": problem.command})
}

# METADATA
# title: A required command may be skipped
# description: A job or a step has a condition, or a job that it needs has one, so that the command may not run and the check passes all the same.
# custom:
#   code: ci_workflows.skippable
#   severity: error
#   message: "{command} may be skipped: {what}"
#   remedy: "Take the condition away, or move the command to a job and a step without one."
deny contains v if {
	some problem in _found
	problem.kind == "skippable"
	v := lib.violation(rego.metadata.chain(), problem.place, {"command": problem.command, "what": problem.what, "subject": problem.command})
}

# METADATA
# title: The failure of a required command is hidden
# description: continue-on-error, || true, a pipe without pipefail, a shell without errexit or the like makes a failure look like a success.
# custom:
#   code: ci_workflows.swallowed
#   severity: error
#   message: "the failure of {command} is hidden: {what}"
#   remedy: "Let the command's exit code be the step's."
deny contains v if {
	some problem in _found
	problem.kind == "swallowed"
	v := lib.violation(rego.metadata.chain(), problem.place, {"command": problem.command, "what": problem.what, "subject": problem.command})
}

_required := {command | some command in lib.parameter("ci_workflows", "required", ["leviathan invariants check"])}

_branches := lib.parameter("ci_workflows", "branches", ["main", "master"])

_document(file) := input.documents[input.workflows[file].document]

# _nowhere is where a command that nothing runs should be: where it is
# commented out, or else in a workflow that runs on pull requests.
_nowhere(command) := comments[0] if {
	comments := _commented(command)
	count(comments) > 0
}

_nowhere(command) := lib.at(_document(file), "/jobs") if {
	count(_commented(command)) == 0
	file := min(_candidates)
}

_commented(command) := [comment |
	some workflow in input.workflows
	some comment in workflow.commented
	contains(comment.text, command)
]

_candidates := files if {
	files := {file | some file, workflow in input.workflows; workflow.triggers.pull_request}
	count(files) > 0
} else := {file | some file, _ in input.workflows}

# _found are the problems that count: those of commands no run of which is
# without one.
_found contains problem if {
	some problem in _problems
	count(_on_pull_request(problem.command) - {p.run | some p in _problems}) == 0
}

_problems contains {"kind": "filtered", "command": command, "run": run, "what": what, "place": place} if {
	some command in _required
	some run in _on_pull_request(command)
	some file in _starters(run.file)
	some what in _filters(input.workflows[file].triggers.pull_request)
	place := input.workflows[file].triggers.pull_request
}

_filters(trigger) := {what |
	some what in array.concat(
		[key | some key, name in {"paths": "paths", "paths-ignore": "paths_ignore"}; count(trigger[name]) > 0],
		array.concat(_branch_filters(trigger), _type_filters(trigger)),
	)
}

_branch_filters(trigger) := array.concat(
	["branches" |
		count(trigger.branches) > 0
		count([1 | some pattern in trigger.branches; _names_branch(pattern)]) == 0
	],
	["branches-ignore" | some pattern in trigger.branches_ignore; _names_branch(pattern)],
)

_names_branch(pattern) if {
	some branch in _branches
	glob.match(pattern, ["/"], branch)
}

_type_filters(trigger) := ["types" |
	count(trigger.types) > 0
	count({"opened", "synchronize"} - {kind | some kind in trigger.types}) > 0
]

_problems contains {"kind": "skippable", "command": command, "run": run, "what": what, "place": place} if {
	some command in _required
	some run in _on_pull_request(command)
	some holder in _conditional(run)
	not _harmless(holder["if"])
	what := sprintf("%s has the condition %s", [holder.what, holder["if"]])
	place := lib.at(_document(holder.file), concat("", [holder.pointer, "/if"]))
}

# _harmless are conditions that hold whenever what came before succeeded.
_harmless(condition) if condition in {"", "always()", "success()", "!cancelled()", "success() || failure()", "github.event_name == 'pull_request'"}

# _conditional are the step and the jobs without which the run does not happen.
_conditional(run) := array.concat(
	[{"what": "the step", "file": run.file, "if": step["if"], "pointer": step.pointer} | step := run.step],
	[{"what": sprintf("the job %s", [job.id]), "file": file, "if": job["if"], "pointer": job.pointer} |
		some [file, id] in graph.reachable(_needed, {[run.file, run.job]})
		some job in input.workflows[file].jobs
		job.id == id
	],
)

# _needed are the jobs that a job waits for: those that it needs, and those
# that call its workflow.
_needed[[file, job.id]] := array.concat(
	[[file, id] | some id in job.needs],
	[[caller, calling.id] |
		some caller, workflow in input.workflows
		some calling in workflow.jobs
		calling.uses.name == sprintf("./%s", [file])
	],
) if {
	some file, workflow in input.workflows
	some job in workflow.jobs
}
