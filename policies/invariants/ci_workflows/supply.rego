package leviathan.invariants.ci_workflows

import rego.v1

import data.leviathan.invariants._lib as lib

# METADATA
# title: An action is not pinned
# description: An action or a reusable workflow of another repository is named by a branch or a tag, which its owner can move.
# custom:
#   code: ci_workflows.unpinned_action
#   severity: error
#   message: "{action} is not pinned by a commit"
#   remedy: "Name the full commit hash, and the version in a comment behind it."
deny contains v if {
	some action in _actions
	v := lib.violation(rego.metadata.chain(), action.place, {"action": action.reference, "subject": action.reference})
}

_actions contains {"reference": action.reference, "place": action} if {
	some workflow in input.workflows
	some job in workflow.jobs
	some action in array.concat([step.uses | some step in job.steps], [job.uses])
	not action.pinned
	not action.local
}

_actions contains {"reference": step.uses, "place": lib.at(document, sprintf("/runs/steps/%d/uses", [i]))} if {
	some document in input.documents
	regex.match(`(^|/)action\.ya?ml$`, document.file)
	some i, step in document.value.runs.steps
	is_string(step.uses)
	not startswith(step.uses, "./")
	not regex.match(`@([0-9a-f]{40}|[0-9a-f]{64}|sha256:[0-9a-f]{64})$`, step.uses)
}

# METADATA
# title: A job's image is not pinned
# description: The image of a job's container or service is named by a tag, which its owner can move.
# custom:
#   code: ci_workflows.unpinned_image
#   severity: error
#   message: "the image {image} is not pinned by a digest"
#   remedy: "Name the digest behind the tag: image:tag@sha256:…"
deny contains v if {
	some file, workflow in input.workflows
	some job in workflow.jobs
	some pointer, image in _images(_document(file).value.jobs[job.id])
	not contains(image, "@sha256:")
	v := lib.violation(rego.metadata.chain(), lib.at(_document(file), concat("", [job.pointer, pointer])), {"image": image, "subject": image})
}

_images(job) := object.union(
	{"/container": image | image := job.container; is_string(image)},
	object.union(
		{"/container/image": image | image := job.container.image},
		{pointer: service.image | some name, service in job.services; pointer := sprintf("/services/%s/image", [name])},
	),
)

# METADATA
# title: A workflow does not say what its token may do
# description: Without permissions the token has whatever the repository's settings give, often everything.
# custom:
#   code: ci_workflows.no_permissions
#   severity: error
#   message: "the token of {workflow} has no permissions given"
#   remedy: "Write permissions with contents: read, and add to a job what that job needs."
deny contains v if {
	some file, workflow in input.workflows
	not workflow.permissions.given
	count([job | some job in workflow.jobs; not job.permissions.given]) > 0
	v := lib.violation(rego.metadata.chain(), lib.at(_document(file), "/jobs"), {"workflow": file, "subject": file})
}

# METADATA
# title: A token may write
# description: The token of a workflow that pull requests start, or of all jobs of a workflow at once, may write.
# custom:
#   code: ci_workflows.broad_permissions
#   severity: error
#   message: "the token may write {scope}"
#   remedy: "Give read here; what must write is a job of its own, in a workflow that no pull request starts. parameters.ci_workflows.write accepts a scope."
deny contains v if {
	some broad in _broad
	not broad.scope in lib.parameter("ci_workflows", "write", [])
	v := lib.violation(rego.metadata.chain(), lib.at(_document(broad.file), broad.pointer), {"scope": broad.scope, "subject": broad.scope})
}

_broad contains {"file": file, "pointer": "/permissions", "scope": "everything"} if {
	some file, workflow in input.workflows
	workflow.permissions.all == "write-all"
}

_broad contains {"file": file, "pointer": concat("", [job.pointer, "/permissions"]), "scope": "everything"} if {
	some file, workflow in input.workflows
	some job in workflow.jobs
	job.permissions.all == "write-all"
}

_broad contains {"file": file, "pointer": concat("/", ["/permissions", scope]), "scope": scope} if {
	some file, workflow in input.workflows
	some scope, access in workflow.permissions.scopes
	access == "write"
	_shared(file, workflow)
}

_broad contains {"file": file, "pointer": sprintf("%s/permissions/%s", [job.pointer, scope]), "scope": scope} if {
	some file, workflow in input.workflows
	some job in workflow.jobs
	some scope, access in job.permissions.scopes
	access == "write"
	count(_starters(file)) > 0
}

_shared(_, workflow) if count(workflow.jobs) > 1

_shared(file, _) if count(_starters(file)) > 0

# METADATA
# title: A workflow with secrets runs a stranger's code
# description: pull_request_target and workflow_run have the repository's token and secrets; a checkout of the pull request then gives them to whoever opened it.
# custom:
#   code: ci_workflows.untrusted_checkout
#   severity: error
#   message: "the step checks out a pull request's code where the workflow has the repository's secrets"
#   remedy: "Run that code on pull_request, which has neither token nor secrets."
deny contains v if {
	some workflow in input.workflows
	count({event | some event, _ in workflow.triggers} & {"pull_request_target", "workflow_run"}) > 0
	some job in workflow.jobs
	some step in job.steps
	some text in [step.run, object.get(step, ["with", "ref"], "")]
	regex.match(`github\.event\.(pull_request|workflow_run)\.head|github\.head_ref|refs/pull/`, text)
	v := lib.violation(rego.metadata.chain(), step, {"subject": sprintf("%s/%d", [job.id, step.index])})
}

# METADATA
# title: A stranger's text becomes a script
# description: An expression puts text that whoever opens a pull request or an issue writes into a script, where the shell runs it.
# custom:
#   code: ci_workflows.injection
#   severity: error
#   message: "the script has {expression} in it, which strangers write"
#   remedy: "Put it into env and use the variable in quotes."
deny contains v if {
	some workflow in input.workflows
	some job in workflow.jobs
	some step in job.steps
	some found in regex.find_n(`\$\{\{[^}]*\}\}`, step.run, -1)
	expression := trim(found, "${} ")
	regex.match(`github\.event\..*\.(title|body|message|name|email|ref|label|default_branch)\b|github\.head_ref`, expression)
	v := lib.violation(rego.metadata.chain(), step, {"expression": expression, "subject": expression})
}
