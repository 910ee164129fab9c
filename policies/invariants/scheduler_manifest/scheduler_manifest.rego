# METADATA
# title: Scheduler manifest
# description: |
#   The scheduler is a CronJob that ticks as the autonomy config says, never
#   twice at once, ends before its next tick, and can do at the Kubernetes API
#   what it needs for Jobs and nothing else.
#   Parameters: cron_job, app, container, command, service_account, audience,
#   gateway (its URL), flags (values by name, besides --target), rights (lines
#   such as create batch/jobs), interval_seconds (for a schedule that is not
#   every so many minutes), unpinned (references of images).
# custom:
#   needs: [workloads]
#   named: true
package leviathan.invariants.scheduler_manifest

import rego.v1

import data.leviathan.invariants._kube as kube
import data.leviathan.invariants._lib as lib

# METADATA
# title: A manifest of the scheduler is missing
# description: A kustomization, or the files where there is none, lacks the CronJob or its service account.
# custom:
#   code: scheduler_manifest.missing
#   severity: error
#   message: "there is no {kind} {name}"
#   remedy: "Give it back its name, or name another with parameters.scheduler_manifest in .leviathan/invariants.yaml."
deny contains v if {
	some [kind, name] in [["CronJob", _cron_job], ["ServiceAccount", _account]]
	some place in kube.missing(kind, name, _app, {_cron_job, _account})
	v := lib.violation(rego.metadata.chain(), place, {"kind": kind, "name": name, "subject": sprintf("%s/%s", [kind, name])})
}

# METADATA
# title: A label is missing
# description: Network policies and operators find the scheduler by its label app.
# custom:
#   code: scheduler_manifest.label
#   severity: error
#   message: "the label app of {owner} is not {app}"
#   remedy: "Label the CronJob and its pods app: {app}."
deny contains v if {
	some j in _jobs
	some path in [["metadata", "labels", "app"], ["spec", "jobTemplate", "spec", "template", "metadata", "labels", "app"]]
	kube.get(j.value, path, null) != _app
	v := lib.violation(rego.metadata.chain(), kube.place(j, path), {"owner": kube.owner(j), "app": _app, "subject": concat(".", path)})
}

# METADATA
# title: The schedule is not the config's
# description: The schedule stands in the CronJob and in the autonomy config of its target, and both are one thing.
# custom:
#   code: scheduler_manifest.schedule
#   severity: error
#   message: "the schedule is {schedule}, and schedule_cron of the target {target} is {wanted}"
#   remedy: "Write the same in both."
deny contains v if {
	some j in _jobs
	some config in _configs(j)
	schedule := kube.get(j.value, ["spec", "schedule"], "nothing")
	schedule != config.values.schedule_cron
	v := lib.violation(rego.metadata.chain(), kube.place(j, ["spec", "schedule"]), {
		"schedule": schedule, "target": config.values.target_id, "wanted": config.values.schedule_cron, "subject": config.values.target_id,
	})
}

# METADATA
# title: The target has no config
# description: The scheduler asks for a target of which there is no valid autonomy config, or it names none.
# custom:
#   code: scheduler_manifest.target
#   severity: error
#   message: "there is no valid autonomy config of --target={target}"
#   remedy: "Name the target_id of a config, once."
deny contains v if {
	some j in _jobs
	some c in _ours(j)
	count(_configs(j)) == 0
	v := lib.violation(rego.metadata.chain(), kube.place(j, kube.flag_path(c, "--target")), {"target": concat(" and --target=", kube.told(c, "--target")), "subject": "--target"})
}

# METADATA
# title: The schedule is read in another zone
# description: The autonomy config's schedule is read in UTC.
# custom:
#   code: scheduler_manifest.zone
#   severity: error
#   message: "the time zone of {owner} is not Etc/UTC"
#   remedy: "Write timeZone: Etc/UTC."
deny contains v if {
	some j in _jobs
	not kube.get(j.value, ["spec", "timeZone"], "") in {"Etc/UTC", "UTC"}
	v := lib.violation(rego.metadata.chain(), kube.place(j, ["spec", "timeZone"]), {"owner": kube.owner(j), "subject": "timeZone"})
}

# METADATA
# title: Two cycles at once
# description: A tick begins while the cycle of the last one still runs, or replaces it.
# custom:
#   code: scheduler_manifest.overlap
#   severity: error
#   message: "the concurrencyPolicy of {owner} is not Forbid"
#   remedy: "Write concurrencyPolicy: Forbid."
deny contains v if {
	some j in _jobs
	kube.get(j.value, ["spec", "concurrencyPolicy"], "") != "Forbid"
	v := lib.violation(rego.metadata.chain(), kube.place(j, ["spec", "concurrencyPolicy"]), {"owner": kube.owner(j), "subject": "concurrencyPolicy"})
}

# METADATA
# title: The manifest switches the scheduler
# description: An emergency stop sets suspend, and a manifest that has it would undo that when it is applied, or be one.
# custom:
#   code: scheduler_manifest.suspend
#   severity: error
#   message: "{owner} has suspend in its manifest"
#   remedy: "Take suspend away; the emergency stop and its end set it."
deny contains v if {
	some j in _jobs
	kube.get(j.value, ["spec", "suspend"], null) != null
	v := lib.violation(rego.metadata.chain(), kube.place(j, ["spec", "suspend"]), {"owner": kube.owner(j), "subject": "suspend"})
}

# METADATA
# title: A cycle does not end before the next
# description: A cycle that hangs stands in the way of the next tick, or a tick that was missed is made up for in the next one's time.
# custom:
#   code: scheduler_manifest.deadline
#   severity: error
#   message: "{field} of {owner} is not at least {least} and below the {interval} seconds of a tick"
#   remedy: "Write a number of seconds between them."
deny contains v if {
	some j in _jobs
	interval := _interval(j)
	some [path, least] in [[["spec", "startingDeadlineSeconds"], 10], [["spec", "jobTemplate", "spec", "activeDeadlineSeconds"], 1]]
	not _between(kube.get(j.value, path, null), least, interval)
	v := lib.violation(rego.metadata.chain(), kube.place(j, path), {
		"field": path[count(path) - 1], "owner": kube.owner(j), "least": least, "interval": interval, "subject": path[count(path) - 1],
	})
}

# METADATA
# title: A cycle is tried again
# description: The next tick is the retry; a second try, or a second pod, would be another cycle in the same tick.
# custom:
#   code: scheduler_manifest.retry
#   severity: error
#   message: "{field} of {owner} is not {wanted}"
#   remedy: "Write {field}: {wanted}."
deny contains v if {
	some j in _jobs
	some rule in [
		{"path": ["backoffLimit"], "good": {0}, "wanted": "0"}, {"path": ["template", "spec", "restartPolicy"], "good": {"Never"}, "wanted": "Never"},
		{"path": ["parallelism"], "good": {1, null}, "wanted": "1"}, {"path": ["completions"], "good": {1, null}, "wanted": "1"},
	]
	path := array.concat(["spec", "jobTemplate", "spec"], rule.path)
	field := rule.path[count(rule.path) - 1]
	not kube.get(j.value, path, null) in rule.good
	v := lib.violation(rego.metadata.chain(), kube.place(j, path), {"owner": kube.owner(j), "field": field, "wanted": rule.wanted, "subject": field})
}

# METADATA
# title: Old cycles are kept without a limit of its own
# description: How many finished Jobs are kept is what an operator looks back at, and is said.
# custom:
#   code: scheduler_manifest.history
#   severity: error
#   message: "{owner} does not say {field}"
#   remedy: "Write {field}: at least 1 for failed ones, so that a failure can be read."
deny contains v if {
	some j in _jobs
	some field, least in {"successfulJobsHistoryLimit": 0, "failedJobsHistoryLimit": 1}
	not _between(kube.get(j.value, ["spec", field], null), least, 101)
	v := lib.violation(rego.metadata.chain(), kube.place(j, ["spec", field]), {"owner": kube.owner(j), "field": field, "subject": field})
}

_parameter(name, otherwise) := lib.parameter("scheduler_manifest", name, otherwise)

_cron_job := _parameter("cron_job", "leviathan-dev-scheduler")

_app := _parameter("app", "leviathan-scheduler")

_account := _parameter("service_account", "leviathan-scheduler")

_container := _parameter("container", "scheduler")

_command := _parameter("command", "scheduler")

_scopes := kube.scopes({_cron_job, _account})

_jobs := [j | some scope in _scopes; some j in kube.pods(scope, "CronJob", _cron_job)]

_ours(j) := [c | some c in j.containers; c.name == _container; c.type == "container"]

# _configs are the valid configs of the target that a scheduler asks for.
_configs(j) := [config |
	some c in _ours(j)
	some config in input.autonomy
	config.valid
	config.source != "markdown"
	kube.told(c, "--target") == [config.values.target_id]
]

# _interval is how many seconds lie between two ticks.
_interval(j) := to_number(minutes) * 60 if {
	minutes := regex.find_all_string_submatch_n(`^\*/([0-9]{1,2}) \* \* \* \*$`, _schedule(j), 1)[0][1]
} else := _parameter("interval_seconds", 300)

_schedule(j) := schedule if {
	schedule := kube.get(j.value, ["spec", "schedule"], "")
	is_string(schedule)
} else := ""

_between(value, least, below) if {
	is_number(value)
	value >= least
	value < below
}
