package leviathan.main

import rego.v1

import data.leviathan.access
import data.leviathan.guard

# optional_fields are, by action, the parts of a question that may be missing or
# of any type without a question that was allowed becoming denied, each with the
# reason. All below an optional field is optional. Keys are JSON pointers, in
# which * stands for any one name. Every other field is needed: a test takes
# each away, and gives it each wrong type.
optional_fields := {action: object.union_n([_unread(action), _never_read, object.get(_optional, action, {})]) |
	some action in access.actions
}

_unread(action) := {concat("/", array.concat([""], path)): "no rule of this action reads it" |
	reads := guard.reads(action)
	some path in _known
	not _touches(path, reads)
}

# A field above or below one that is read is not optional by itself.
_touches(path, reads) if {
	some read in reads
	n := min({count(read), count(path)})
	array.slice(read, 0, n) == array.slice(path, 0, n)
}

# _known are the fields that some actions read and others do not.
_known := {[part] | some part in _parts} | {array.concat(split(above, "/"), [name]) | some above, names in _members; some name in names}

_parts := {
	"time", "config", "halt", "backlog", "mirror", "target_policy", "forge", "state", "attempt", "task_now",
	"agent", "push", "changes", "request",
}

_members := {
	"time": ["clock"],
	"config/values": [
		"target_id", "allowed_path_prefixes", "max_open_prs", "max_running_attempts", "max_attempts_per_task",
		"circuit_breaker_failures", "attempt_timeout_seconds", "agents", "default_agent", "verify", "sandbox", "limits", "circuit",
		"target_repo_url", "target_branch", "schedule_cron", "control_plane_url", "worker_image", "worker_namespace", "workspace_dir",
	],
	"config/values/limits": [
		"retry_backoff_seconds", "retry_backoff_max_seconds", "max_tasks_per_day", "heartbeat_seconds", "lease_seconds",
		"start_deadline_seconds", "fact_max_age_seconds", "max_files", "max_file_kb", "max_pack_mb", "max_push_attempts",
	],
	"attempt": [
		"task_id", "digest", "base_commit", "agent", "instance", "start_deadline_us", "deadline_us", "push_attempts", "has_push_intent",
		"pushed_commit", "probe", "lease", "task",
	],
	"state": ["open", "in_flight", "live", "reserved_today", "reserved_us", "open_pulls", "circuit", "tasks"],
	"state/circuit": ["until_us", "probe", "consecutive", "infrastructure", "infrastructure_task", "cooldown_seconds"],
	"task_now": ["known", "present", "task"],
}

_shown := "shown to humans only"

_narrows := "it can only narrow what is allowed"

_never_read := object.union(
	{pointer: _shown | some pointer in [
		"/context", "/time/now", "/subject/asked_by", "/config/reason", "/config/digest", "/config/invalid_seconds",
		"/backlog/reason", "/backlog/commit", "/mirror/reason", "/forge/reason", "/target_policy/reason", "/halt/all/reason",
		"/attempt/number", "/attempt/branch", "/attempt/created_us", "/attempt/lease/remaining_seconds",
		"/state/facts_seq", "/state/circuit/cause", "/state/circuit/opened_us",
		"/attempt/task/id", "/attempt/task/digest", "/attempt/task/line", "/attempt/task/title", "/attempt/task/description",
		"/attempt/task/acceptance_criteria", "/attempt/task/priority", "/attempt/task/ready", "/attempt/task/status",
		"/attempt/task/estimated_size", "/attempt/task/labels",
		"/task_now/task/id", "/task_now/task/digest", "/task_now/task/line", "/task_now/task/title", "/task_now/task/description",
		"/task_now/task/acceptance_criteria", "/task_now/task/priority", "/task_now/task/agent",
		"/task_now/task/estimated_size", "/task_now/task/labels",
	]},
	{
		"/attempt/task/agent": "none means the default agent",
		"/attempt/task/timeout_seconds": "none means the config's",
		"/attempt/evidence": _narrows,
	},
)
