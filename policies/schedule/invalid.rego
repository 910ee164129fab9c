package leviathan.schedule

import rego.v1

import data.leviathan.reason

# _invalid are the entries that the reader of the backlog could not take.
_invalid := {id: {sprintf("schedule.invalid %d", [i]): invalid_reason(why) | some i, why in _whys(entry)} |
	some id, entry in input.backlog.invalid
}

# One that has the id of a good task spoils that one too: which is meant?
_of_task["invalid"] := {id: rs | some id, rs in _invalid; _tasks[id]}

_whys(entry) := entry if is_array(entry)

_whys(entry) := entry.reasons if is_object(entry)

# METADATA
# title: The entry is invalid
# description: The entry in the backlog could not be read; it does not spoil the others.
# custom:
#   code: schedule.invalid
#   message: "the entry in the backlog is invalid: {why}"
#   remedy: "Correct the entry in .leviathan/backlog.yaml on the target branch."
invalid_reason(why) := reason.of(rego.metadata.chain(), {"why": _why(why)})

_why(why) := object.get(why, "message", "no reason is given") if is_object(why)

_why(why) := why if not is_object(why)
