package leviathan.guard

import rego.v1

# _fields are the fields that the rules read, by group: path to types.
_fields := object.union_n([_who, _planned, _attempted, _asked, _configured])

_who := {
	"subject": {
		["subject", "type"]: {"string"},
		["subject", "id"]: {"string"},
		["subject", "role"]: {"string"},
		["subject", "attempt"]: {"string"},
		["subject", "target"]: {"string"},
		["resource", "type"]: {"string"},
		["resource", "id"]: {"string"},
	},
	"target": {["resource", "properties", "target"]: {"string"}},
}

_planned := {
	"plan": {
		["target_policy", "known"]: {"boolean"},
		["state", "open"]: {"number"},
		["state", "in_flight"]: {"number"},
		["state", "live"]: {"number"},
		["state", "reserved_today"]: {"number"},
		["state", "circuit", "state"]: {"string"},
		["state", "circuit", "until_us"]: {"number"},
		["state", "circuit", "probe"]: {"string"},
		["state", "tasks"]: {"object"},
	},
	"backlog": {
		["backlog", "max_open_prs"]: {"number"},
		["backlog", "tasks"]: {"object"},
		["backlog", "order"]: {"object"},
		["backlog", "invalid"]: {"object"},
	},
	"forge": {["forge", "unlisted"]: {"array"}},
}

_attempted := {
	"attempt": {
		["attempt", "id"]: {"string"},
		["attempt", "target"]: {"string"},
		["attempt", "state"]: {"string"},
	},
	"started": {
		["attempt", "instance"]: {"string"},
		["attempt", "start_deadline_us"]: {"number"},
	},
	"run": {
		["attempt", "agent"]: {"string"},
		["attempt", "start_deadline_us"]: {"number"},
	},
	"deadline": {["attempt", "deadline_us"]: {"number"}},
	"pushing": {
		["attempt", "base_commit"]: {"string"},
		["attempt", "push_attempts"]: {"number"},
		["attempt", "has_push_intent"]: {"boolean"},
	},
	"opening": {
		["attempt", "pushed_commit"]: {"string"},
		["attempt", "probe"]: {"boolean"},
		["state", "circuit", "state"]: {"string"},
	},
	"task": {
		["attempt", "task", "scope"]: {"string"},
		["attempt", "task", "allowed_paths"]: {"array"},
		["attempt", "task", "dependencies"]: {"array"},
		["attempt", "task", "verify"]: {"array"},
	},
	"task_now": {
		["task_now", "task", "ready"]: {"boolean"},
		["task_now", "task", "status"]: {"string"},
		["task_now", "task", "scope"]: {"string"},
		["task_now", "task", "allowed_paths"]: {"array"},
		["task_now", "task", "dependencies"]: {"array"},
		["task_now", "task", "verify"]: {"array"},
	},
	"fetch": {
		["attempt", "id"]: {"string"},
		["attempt", "target"]: {"string"},
		["attempt", "state"]: {"string"},
		["attempt", "lease", "known"]: {"boolean"},
		["attempt", "lease", "live"]: {"boolean"},
	},
	"end": {
		["time", "now_us"]: {"number"},
		["attempt", "task_id"]: {"string"},
		["attempt", "digest"]: {"string"},
		["attempt", "probe"]: {"boolean"},
		["state", "circuit", "state"]: {"string"},
		["state", "circuit", "consecutive"]: {"number"},
		["state", "circuit", "infrastructure"]: {"number"},
		["state", "circuit", "infrastructure_task"]: {"string"},
		["state", "circuit", "cooldown_seconds"]: {"number"},
		["state", "tasks"]: {"object"},
	},
}

_asked := {
	"agent": {
		["agent", "name"]: {"string"},
		["agent", "known"]: {"boolean"},
	},
	"push": {
		["push", "ref"]: {"string"},
		["push", "old"]: {"string"},
		["push", "new"]: {"string"},
		["push", "expected_ref"]: {"string"},
		["push", "branch_exists"]: {"boolean"},
		["push", "commit", "id"]: {"string"},
		["push", "commit", "tree"]: {"string"},
		["push", "commit", "parents"]: {"array"},
		["push", "commit", "message"]: {"string"},
		["push", "commit", "author", "name"]: {"string"},
		["push", "commit", "author", "email"]: {"string"},
		["push", "expected", "message"]: {"string"},
		["push", "expected", "author", "name"]: {"string"},
		["push", "expected", "author", "email"]: {"string"},
		["push", "pack_bytes"]: {"number"},
		["push", "problems"]: {"array"},
	},
	"changes": {["changes"]: {"array"}},
	"artifact": {
		["request", "name"]: {"string"},
		["request", "offset"]: {"number"},
		["request", "size"]: {"number"},
		["request", "count"]: {"number"},
		["request", "total"]: {"number"},
	},
	"finish": {["request", "outcome"]: {"string"}},
	"lost": {["request", "observed"]: {"string"}},
	"expire": {
		["request", "why"]: {"string"},
		["attempt", "start_deadline_us"]: {"number"},
		["attempt", "lease", "known"]: {"boolean"},
		["attempt", "lease", "live"]: {"boolean"},
	},
	"summary": {["request", "summary_length"]: {"number"}},
	"events": {
		["request", "types"]: {"array"},
		["request", "attempts"]: {"array"},
	},
	"route": {
		["request", "route"]: {"string"},
		["request", "method"]: {"string"},
	},
	"token": {["request", "role"]: {"string"}},
}

_configured := {
	"plan_config": {
		["config", "values", "max_open_prs"]: {"number"},
		["config", "values", "max_running_attempts"]: {"number"},
		["config", "values", "max_attempts_per_task"]: {"number"},
		["config", "values", "allowed_path_prefixes"]: {"array"},
		["config", "values", "agents"]: {"object"},
		["config", "values", "default_agent"]: {"string"},
		["config", "values", "verify"]: {"object", "null"},
		["config", "values", "limits", "retry_backoff_seconds"]: {"number"},
		["config", "values", "limits", "retry_backoff_max_seconds"]: {"number"},
		["config", "values", "limits", "max_tasks_per_day"]: {"number"},
	},
	"start_config": {
		["config", "values", "attempt_timeout_seconds"]: {"number"},
		["config", "values", "limits", "lease_seconds"]: {"number"},
	},
	"run_config": {
		["config", "values", "agents"]: {"object"},
		["config", "values", "default_agent"]: {"string"},
		["config", "values", "verify"]: {"object", "null"},
		["config", "values", "sandbox", "mode"]: {"string"},
		["config", "values", "sandbox", "read"]: {"array", "null"},
		["config", "values", "sandbox", "connect_ports"]: {"array", "null"},
	},
	"heartbeat_config": {["config", "values", "limits", "lease_seconds"]: {"number"}},
	"push_config": {
		["config", "values", "allowed_path_prefixes"]: {"array"},
		["config", "values", "limits", "max_files"]: {"number"},
		["config", "values", "limits", "max_file_kb"]: {"number"},
		["config", "values", "limits", "max_pack_mb"]: {"number"},
		["config", "values", "limits", "max_push_attempts"]: {"number"},
	},
}
