package leviathan.main

import rego.v1

# _optional are the optional fields of single actions.
_optional := object.union_n([_of_work, _of_ends, _of_stops])

_of_work := {
	"cycle.plan": {
		"/backlog/tasks/*": "a task that lacks a field that the rules read is skipped, never reserved",
		"/backlog/order/*": "a task without a place in the file is skipped; its place decides nothing but the order",
		"/backlog/invalid/*": "an entry that cannot be read is shown, never reserved",
		"/state/tasks/*": "a record that lacks a field keeps its task from running; a task without one was never tried",
		"/forge/unlisted/*": "each counts, whatever it is",
		"/forge/probe": "none means that the repository has no forge with settings; the tests of delivery and guard take away what is in one",
		"/config/values/agents/*": "a task whose agent is missing is skipped; agent.run reads the agent",
		"/config/values/allowed_path_prefixes/*": _narrows,
		"/config/values/verify": "without it, tasks that ask for a verification are skipped",
		"/target_policy/values": "read when the state is valid",
		"/request": "without a capacity, the other limits decide",
	},
	"attempt.start": {
		"/attempt/lease": "read once the attempt runs",
		"/request": "read once the attempt runs",
		"/attempt/instance": "read once the attempt runs",
	},
	"agent.run": {
		"/attempt/lease": "read once the attempt runs",
		"/config/values/agents/*/env": "without it, nothing is set",
		"/config/values/agents/*/env_from": "without it, nothing is handed on",
		"/config/values/agents/*/task_selectable": "not read of the default agent",
		"/config/values/sandbox/read/*": "handed on as the operator wrote it",
		"/config/values/sandbox/connect_ports/*": "handed on as the operator wrote it",
		"/config/values/sandbox/read": "null means nothing more",
		"/config/values/sandbox/connect_ports": "null means none",
	},
	"change.push": {
		"/forge": "as shipped, no push depends on the repository's settings",
		"/push/pack_digest": _shown,
		"/push/commit/committer": _shown,
		"/changes/*/old_id": _shown,
		"/changes/*/new_id": _shown,
		"/changes/*/binary": _shown,
		"/config/values/allowed_path_prefixes/*": _narrows,
		"/target_policy/values": "read when the state is valid",
	},
	"attempt.evidence": {"/request": "a claim, shown as such"},
	"event.append": {"/resource/properties": "read of tokens that are bound to a target"},
	"route.read": {"/resource/properties": "read of tokens that are bound to a target or an attempt"},
	"pull_request.open": {"/forge/unlisted": "the slot was taken at the reservation"},
	"token.create": {
		"/resource/properties": "read of tokens that are bound to a target",
		"/request/target": "none means all targets",
	},
}

_of_ends := {
	"attempt.finish": object.union(_of_end, {"/request/failure_type": "read when the outcome is failed"}),
	"attempt.lost": _of_end,
	"attempt.expire": _of_end,
}

# An attempt must be able to end, whatever is not known of the switch.
_of_end := object.union(_records, {
	"/config": "an attempt must be able to end: the documented defaults stand in",
	"/halt": "an attempt must be able to end: a halt that is not known excuses nothing",
})

# Of the task's record, an end reads the counts and their digest.
_records := {sprintf("/state/tasks/*/%s", [name]): "read when a cycle is planned" |
	some name in ["completed", "closed_digest", "blocked", "blocked_digest", "attempts", "last_failure_us", "live", "open_pr"]
}

# An operator's stop needs no fact: nothing but the role is read.
_of_stops := {action: {pointer: "an operator's stop needs no fact" | some pointer in [
	"/resource", "/subject/type", "/subject/id", "/subject/attempt", "/subject/target",
]} |
	some action in ["autonomy.halt", "attempt.cancel", "attempt.invalidate"]
}
