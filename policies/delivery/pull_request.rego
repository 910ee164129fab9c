package leviathan.delivery

import rego.v1

import data.leviathan.reason

_summary_max := 4000

# METADATA
# title: No commit was pushed
# description: A pull request needs the attempt's commit on the upstream.
# custom:
#   code: delivery.not_pushed
#   message: "the attempt's commit is not on the upstream"
#   remedy: "Push first."
deny contains r if {
	input.action == "pull_request.open"
	not _on_upstream
	r := reason.fixed(rego.metadata.chain())
}

_on_upstream if regex.match(`^[0-9a-f]{40}$`, input.attempt.pushed_commit)

# METADATA
# title: The summary is too long
# description: What a worker may say about its change is bounded.
# custom:
#   code: delivery.summary_too_long
#   message: "the summary has more than {limit} characters"
#   remedy: "Shorten the summary."
deny contains r if {
	input.action == "pull_request.open"
	not _summary_ok
	r := reason.of(rego.metadata.chain(), {"limit": _summary_max})
}

_summary_ok if input.request.summary_length <= _summary_max
