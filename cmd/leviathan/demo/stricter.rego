package leviathan.delivery

import rego.v1

import data.leviathan.reason

# METADATA
# title: The tests are frozen
# description: A sample of a rule that narrows the shipped policies; the demo replays its own decisions under it.
# custom:
#   code: delivery.tests_frozen
#   message: "{path} is below tests/, which are frozen"
#   remedy: "Wait until the freeze is over."
deny contains r if {
	input.action == "change.push"
	some change in input.changes
	startswith(change.path, "tests/")
	r := reason.of(rego.metadata.chain(), {"path": change.path})
}
